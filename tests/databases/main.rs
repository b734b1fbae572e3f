//! Handlers that ask PostgreSQL and Redis: the real servers, which the tests start, stop, stall and
//! lie to.

mod postgres;
mod redis;
#[path = "../support/mod.rs"]
mod support;

use corelane::cores::CoreSelection;
use corelane::testing::TestClient;
use corelane::{App, Running, Server, Shard};
use std::num::NonZeroUsize;
use std::process::Command;
use support::process::{self, Process};

/// A server of one core.
fn serve(factory: impl Fn(&Shard) -> App + Send + Sync + 'static) -> Running {
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    server.start(factory).expect("it starts")
}

/// The example `name` as a program of its own, which finds its database by the environment's `variable`;
/// `None` where it is not built.
fn example(name: &str, variable: &str, url: &str) -> Option<Process> {
    let mut command = Command::new(process::example(name)?);
    command.env(variable, url).args(["--listen", "127.0.0.1:0"]);
    Some(Process::spawn(&mut command))
}

fn client(server: &Running) -> TestClient {
    TestClient::connect(server.addresses()[0])
}

/// The status and the content of the response to `GET target`.
fn get(client: &mut TestClient, target: &str) -> (u16, String) {
    let response = client.get(target).send();
    (response.status().as_u16(), response.text().to_owned())
}

/// Asks until the answer is 200. Until then it is 503, and nothing else.
fn until_served(client: &mut TestClient, target: &str) -> String {
    let mut text = None;
    support::wait_until("the other server is back", || {
        let (status, content) = get(client, target);
        assert!(status == 200 || status == 503, "{status} {content}");
        text = (status == 200).then_some(content);
        text.is_some()
    });
    text.unwrap_or_default()
}
