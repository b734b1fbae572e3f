//! What the log is told of shards: the one subscriber of this process keeps it as lines.

use super::support::{Client, wait_until};
use corelane::cores::CoreSelection;
use corelane::{App, Server};
use futures_lite::future::yield_now;
use std::io::{self, Write};
use std::sync::Mutex;

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keeping;

impl Write for Keeping {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        KEPT.lock().expect("kept").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_shard_that_fails_is_told_at_once_and_is_the_end_of_the_server() {
    let lines = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(|| Keeping)
        .finish();
    tracing::subscriber::set_global_default(lines).expect("it is the only one");
    let app = |_: &corelane::Shard| {
        App::new().get("/", async |_| {
            // What a handler leaves behind is not caught with it.
            let left_behind = async {
                yield_now().await;
                panic!("left behind");
            };
            glommio::spawn_local(left_behind).detach();
            "Hello"
        })
    };
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(1.try_into().unwrap()));
    let running = server.start(app).expect("it starts");
    Client::connect(running.addresses()[0]).get("/");
    let told = || String::from_utf8(KEPT.lock().expect("kept").clone()).expect("text");
    wait_until("it is told", || told().contains("ERROR corelane::shard: "));
    let text = told();
    let line = text
        .lines()
        .find(|line| line.contains("ERROR corelane::shard: "));
    let line = line.expect("it is there");
    assert!(line.contains("could not run: a shard panicked"), "{line}");
    let failure = running.stop().expect_err("its shard failed").to_string();
    assert!(failure.contains("a shard panicked"), "{failure}");
}
