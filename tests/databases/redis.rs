//! Redis: what handlers get, and what becomes of a connection that something happened to.

use crate::support::{Client, database, wait_until};
use crate::{client, get, serve, until_served};
use corelane::app::{Sse, SseEvent};
use corelane::redis::{AsyncCommands, Dedicated, Options, Redis, redis};
use corelane::testing::TestClient;
use corelane::{App, Error, Request, Result, Running};
use futures_lite::future::poll_once;
use futures_lite::stream;
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
        .get("/push/{key}", async |req: Request| {
            let () = redis(&req).rpush(req.param("key"), "pushed").await?;
            Ok::<_, Error>(())
        })
        .get("/pop/{key}", pop)
        .get("/info", async |req: Request| {
            let info: String = redis::cmd("INFO").query_async(&mut redis(&req)).await?;
            Ok::<_, Error>(info)
        })
        .get("/publish/{text}", async |req: Request| {
            let takers: u32 = redis(&req).publish("news", req.param("text")).await?;
            Ok::<_, Error>(takers.to_string())
        })
        .get("/news", news)
}

/// A connection of the request's own, for commands that take as many milliseconds as its query says, or a
/// minute.
async fn dedicated(req: &Request) -> Result<Dedicated> {
    let limit = req.query_str().and_then(|limit| limit.parse().ok());
    let limit = Duration::from_millis(limit.unwrap_or(60_000));
    Ok(redis(req).dedicated(limit).await?)
}

/// Waits for an element of the list.
async fn pop(req: Request) -> Result<String> {
    let mut own = dedicated(&req).await?;
    let (_, element): (String, String) = own.blpop(req.param("key"), 0.0).await?;
    let again: Vec<String> = own.lrange(req.param("key"), 0, -1).await?;
    Ok(format!("{element} {}", again.len()))
}

/// What is published from now on, as events.
async fn news(req: Request) -> Result<Sse> {
    let mut own = dedicated(&req).await?;
    own.psubscribe("n?ws").await?;
    let events = stream::try_unfold(own, async |mut own| {
        let message = own.next_message().await?;
        let event = SseEvent::data(&message.get_payload::<String>()?);
        Ok::<_, Error>(Some((event.event(message.get_channel_name()), own)))
    });
    Ok(Sse::from_results(events))
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

/// How many connections of the server wait in a command.
fn blocked(client: &mut TestClient) -> u32 {
    let info = get(client, "/info").1;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("blocked_clients:"));
    line.expect("INFO tells it").parse().expect("a number")
}

#[test]
fn a_command_that_waits_holds_up_nobody_else() {
    let Some(server) = database::Redis::start() else {
        return;
    };
    let running = served(&server.url(), |_| {});
    let mut waiting = Client::connect(running.addresses()[0]);
    waiting.get("/pop/list");
    let mut client = client(&running);
    wait_until("it waits", || blocked(&mut client) == 1);
    assert_eq!(get(&mut client, "/incr/page"), (200, "1".to_owned()));
    assert_eq!(get(&mut client, "/push/list").0, 204);
    assert_eq!(waiting.response().text(), "pushed 0");
    // Its time is the one that it was given.
    assert_eq!(get(&mut client, "/pop/list?300").0, 503);
    wait_until("it is closed", || blocked(&mut client) == 0);
    // So it is when nobody waits for the answer any more.
    waiting.get("/pop/list");
    wait_until("it waits", || blocked(&mut client) == 1);
    drop(waiting);
    wait_until("it is closed", || blocked(&mut client) == 0);
}

/// The content ends, and not as if it were all.
fn assert_broken_off(reader: &mut Client) {
    while let Ok(event) = reader.chunk() {
        assert!(!event.is_empty(), "it looks complete");
    }
}

#[test]
fn what_is_published_is_streamed() {
    let Some(mut server) = database::Redis::start() else {
        return;
    };
    let running = served(&server.url(), |_| {});
    let mut client = client(&running);
    let mut readers: Vec<_> = (0..3)
        .map(|_| {
            let mut reader = Client::connect(running.addresses()[0]);
            reader.get("/news");
            assert_eq!(reader.head_response().status, 200);
            reader
        })
        .collect();
    for text in ["first", "second"] {
        assert_eq!(get(&mut client, &format!("/publish/{text}")).1, "3");
        for reader in &mut readers {
            let event = reader.chunk().expect("an event");
            let expected = format!("data: {text}\nevent: news\n\n");
            assert_eq!(String::from_utf8_lossy(&event), expected);
        }
    }
    // Whoever leaves takes its subscription along.
    readers.pop();
    wait_until("it is closed", || {
        get(&mut client, "/publish/third").1 == "2"
    });
    // A server that breaks off breaks the streams off, and so does one that says nothing.
    server.restart();
    for reader in &mut readers {
        assert_broken_off(reader);
    }
    assert_eq!(until_served(&mut client, "/incr/page"), "1");
    // It is silent, too, where it has no CPU for so long: then another is begun.
    let mut reader = None;
    wait_until("it is followed", || {
        let mut begun = Client::connect(running.addresses()[0]);
        begun.get("/news?300");
        let is_followed = begun.head_response().status == 200;
        reader = is_followed.then_some(begun);
        is_followed
    });
    server.signal("STOP");
    assert_broken_off(&mut reader.expect("it is followed"));
    server.signal("CONT");
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

#[test]
fn the_example_listens_where_it_is_told() {
    let Some(server) = database::Redis::start() else {
        return;
    };
    let Some(mut example) = crate::example("cache", "REDIS_URL", &server.url()) else {
        return;
    };
    let mut client = TestClient::connect(example.listening());
    // It may still be connecting.
    wait_until("Redis is asked", || get(&mut client, "/nothing").0 == 404);
    drop(client);
    example.signal("TERM");
    assert_eq!(example.end().code, Some(0));
}
