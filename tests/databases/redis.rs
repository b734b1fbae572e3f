//! Redis: what handlers get, and what becomes of a connection that something happened to.

use crate::support::{Client, database, wait_until};
use crate::{client, get, serve, until_served};
use corelane::redis::{AsyncCommands, Options, Redis, redis};
use corelane::{App, Error, Request, Result, Running};
use futures_lite::future::poll_once;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[path = "../examples/cache.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod cache;

fn options(url: &str) -> Options {
    let mut options: Options = url.parse().expect("an address");
    // Machines that run many tests are slow.
    options.connect_timeout = Duration::from_secs(20);
    options.command_timeout = Duration::from_secs(30);
    options
}

fn served(url: &str, change: impl FnOnce(&mut Options)) -> Running {
    let mut options = options(url);
    change(&mut options);
    serve(move |shard| app(Redis::new(shard, &options)))
}

/// The core's connection, for commands.
fn redis(req: &Request) -> Redis {
    Redis::clone(&req.state::<Redis>())
}

fn app(connection: Redis) -> App {
    App::new()
        .state(connection)
        .get("/incr/{key}", async |req: Request| {
            let visits: u64 = redis(&req).incr(req.param("key"), 1).await?;
            Ok::<_, Error>(visits.to_string())
        })
        .get("/pipe", async |req: Request| {
            let mut pipe = redis::pipe();
            pipe.atomic().set("a", 20).ignore().incr("a", 1).get("a");
            let answers: (i32, i32) = pipe.query_async(&mut redis(&req)).await?;
            Ok::<_, Error>(format!("{answers:?}"))
        })
        .get("/wrong", async |req: Request| {
            let () = redis(&req).lpush("a", 1).await?;
            Ok::<_, Error>(())
        })
        .get("/block", async |req: Request| {
            let () = redis(&req).blpop("nothing", 0.0).await?;
            Ok::<_, Error>(())
        })
        .get("/connected", async |req: Request| {
            redis(&req).is_connected().to_string()
        })
        .get("/thousands", thousands)
}

/// Ten thousand commands at once, of which every third is given up when it is on its way; tells how
/// many of the others had their own answer.
async fn thousands(req: Request) -> Result<String> {
    let right = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..10_000_u32)
        .map(|number| {
            let (mut redis, right) = (redis(&req), Rc::clone(&right));
            glommio::spawn_local(async move {
                let mut command = redis::cmd("ECHO");
                command.arg(number);
                let mut asking = Box::pin(command.query_async::<u32>(&mut redis));
                if number % 3 == 0 {
                    drop(poll_once(&mut asking).await);
                    return Ok(());
                }
                let answer = asking.await?;
                right.set(right.get() + u32::from(answer == number));
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    Ok(right.get().to_string())
}

#[test]
fn commands_over_tcp_and_over_a_socket() {
    let Some(server) = database::Redis::start() else {
        return;
    };
    for (url, visits) in [
        (server.url(), ["1", "2"]),
        (server.socket_url(), ["3", "4"]),
    ] {
        let running = served(&url, |_| {});
        let mut client = client(&running);
        for expected in visits {
            assert_eq!(get(&mut client, "/incr/page"), (200, expected.to_owned()));
        }
        assert_eq!(get(&mut client, "/pipe"), (200, "(21, 21)".to_owned()));
        // What the server refuses is the handler's failure, and nobody else's to read.
        let (status, content) = get(&mut client, "/wrong");
        assert_eq!(
            (status, content.contains("WRONGTYPE")),
            (500, false),
            "{content}"
        );
        drop(client);
        running.stop().expect("it ends in order");
    }
}

#[test]
fn ten_thousand_commands_find_who_asked() {
    let Some(server) = database::Redis::start() else {
        return;
    };
    let running = served(&server.url(), |options| {
        // All of them wait, the last for all others.
        options.command_timeout = Duration::from_secs(600);
    });
    let mut client = Client::connect(running.addresses()[0]);
    client.stream.set_read_timeout(None).expect("a socket");
    client.get("/thousands");
    assert_eq!(client.response().text(), "6666");
}

#[test]
fn a_server_that_is_not_there_yet_or_goes_away() {
    let Some(mut server) = database::Redis::prepare() else {
        return;
    };
    let running = served(&server.url(), |_| {});
    let mut client = client(&running);
    let (status, content) = get(&mut client, "/incr/page");
    assert_eq!(
        (status, content.contains("127.0.0.1")),
        (503, false),
        "{content}"
    );
    server.restart();
    assert_eq!(until_served(&mut client, "/incr/page"), "1");
    // While a command is on its way.
    let mut waiting = Client::connect(running.addresses()[0]);
    waiting.get("/block");
    server.restart();
    assert_eq!(waiting.response().status, 503);
    assert_eq!(until_served(&mut client, "/incr/page"), "1");
    // A wrong password is told to the log alone.
    let denied = served(&server.url().replace(database::PASSWORD, "wrong"), |_| {});
    let (status, content) = get(&mut crate::client(&denied), "/incr/page");
    assert_eq!(
        (status, content.contains("password")),
        (503, false),
        "{content}"
    );
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let Some(server) = database::Redis::start() else {
        return;
    };
    let running = served(&server.url(), |options| {
        options.connect_timeout = Duration::from_millis(300);
        options.command_timeout = Duration::from_millis(300);
    });
    let mut client = client(&running);
    assert_eq!(until_served(&mut client, "/incr/page"), "1");
    server.signal("STOP");
    assert_eq!(get(&mut client, "/incr/page").0, 503);
    // The kernel still takes connections in its name, and nobody is let in.
    wait_until("it is taken for dead", || {
        get(&mut client, "/connected").1 == "false"
    });
    assert_eq!(get(&mut client, "/incr/page").0, 503);
    server.signal("CONT");
    until_served(&mut client, "/incr/page");
}

#[test]
fn the_example_remembers_what_it_read() {
    let Some(mut server) = database::Redis::start() else {
        return;
    };
    let options = options(&server.url());
    let running = serve(move |shard| cache::app(shard, &options));
    let mut client = client(&running);
    assert_eq!(get(&mut client, "/a").0, 404);
    assert_eq!(client.put("/a").body("first").send().status(), 204);
    assert_eq!(get(&mut client, "/a"), (200, "first".to_owned()));
    // Another core, with a memory of its own, finds it in Redis.
    let options = self::options(&server.socket_url());
    let other = serve(move |shard| cache::app(shard, &options));
    let mut other = crate::client(&other);
    assert_eq!(get(&mut other, "/a"), (200, "first".to_owned()));
    // What is remembered gets old, and then Redis is asked again: it has lost everything.
    server.restart();
    wait_until("it is forgotten", || get(&mut client, "/a").0 == 404);
}
