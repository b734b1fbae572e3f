//! PostgreSQL: what handlers get, and what becomes of connections that something happened to.

use crate::support::{Client, database, wait_until};
use crate::{client, get, serve, until_served};
use corelane::postgres::tokio_postgres::error::SqlState;
use corelane::postgres::{Connection, Options, Postgres, sql_state};
use corelane::testing::TestClient;
use corelane::{App, Error, Request, Result, Running};
use http::StatusCode;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

#[path = "../examples/notes.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod notes;

fn options(url: &str) -> Options {
    let mut options: Options = url.parse().expect("an address");
    // Machines that run many tests are slow.
    options.connect_timeout = Duration::from_secs(20);
    options.pool.wait = Duration::from_secs(30);
    options
}

/// Serves the app below over a pool for `url`, changed by `change`.
fn served(url: &str, change: impl FnOnce(&mut Options)) -> Running {
    let mut options = options(url);
    change(&mut options);
    serve(move |shard| app(Postgres::new(shard, &options)))
}

fn app(database: Postgres) -> App {
    App::new()
        .state(database)
        .get("/one", async |req: Request| {
            let row = req
                .state::<Postgres>()
                .query_one("SELECT 41 + $1", &[&1])
                .await?;
            Ok::<_, Error>(row.try_get::<_, i32>(0)?.to_string())
        })
        .get("/slow", async |req: Request| {
            req.state::<Postgres>()
                .query("SELECT pg_sleep(1000)", &[])
                .await?;
            Ok::<_, Error>("never")
        })
        .get("/sleeping", async |req: Request| {
            // Of other sessions than the one that asks.
            const SQL: &str = "SELECT count(*) FROM pg_stat_activity \
                               WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
            let row = req.state::<Postgres>().query_one(SQL, &[]).await?;
            Ok::<_, Error>(row.try_get::<_, i64>(0)?.to_string())
        })
        .get("/pid", async |req: Request| {
            let row = req
                .state::<Postgres>()
                .query_one("SELECT pg_backend_pid()", &[])
                .await?;
            Ok::<_, Error>(row.try_get::<_, i32>(0)?.to_string())
        })
        .get("/status", async |req: Request| {
            format!("{:?}", req.state::<Postgres>().status())
        })
        .get("/nonsense", async |req: Request| {
            req.state::<Postgres>()
                .query("SELECT secret FROM nowhere", &[])
                .await?;
            Ok::<_, Error>("found")
        })
        .post("/batch", async |mut req: Request| {
            let sql = req.text().await?;
            req.state::<Postgres>().batch(&sql).await
        })
        .post("/told", async |mut req: Request| {
            let sql = req.text().await?;
            let outcome = req.state::<Postgres>().batch(&sql).await;
            Ok::<_, Error>(format!("{:?}", outcome.unwrap_err()))
        })
        .get("/all", async |req: Request| {
            let rows = req
                .state::<Postgres>()
                .query("SELECT * FROM thing", &[])
                .await?;
            Ok::<_, Error>(rows.len().to_string())
        })
        .post("/things/{id}/{end}", add)
        .get("/thousands", thousands)
}

/// Adds a thing in a transaction, and ends that as the path says.
async fn add(req: Request) -> Result<StatusCode> {
    let id: i32 = req.param_as("id")?;
    let database = req.state::<Postgres>();
    let mut connection: Connection = database.get().await?;
    let transaction = connection.transaction().await?;
    match transaction
        .execute("INSERT INTO thing VALUES ($1)", &[&id])
        .await
    {
        Err(error) if sql_state(&error) == Some(&SqlState::UNIQUE_VIOLATION) => {
            return Err(Error::new(StatusCode::CONFLICT, "there is one").with_source(error));
        }
        outcome => outcome?,
    };
    match &*req.param("end") {
        "commit" => transaction.commit().await?,
        "fail" => {
            let _ = transaction.query("SELECT 1 / 0", &[]).await;
            transaction.commit().await?;
        }
        "rollback" => transaction.rollback().await?,
        "wait" => {
            transaction.query("SELECT pg_sleep(1000)", &[]).await?;
        }
        _ => {}
    }
    Ok(StatusCode::CREATED)
}

/// Ten thousand queries at once; tells how many had the right answer.
async fn thousands(req: Request) -> Result<String> {
    let database = req.state::<Postgres>();
    let right = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..10_000_i32)
        .map(|number| {
            let (database, right) = (Rc::clone(&database), Rc::clone(&right));
            glommio::spawn_local(async move {
                let answer = database.query_one("SELECT $1 + 1", &[&number]).await?;
                right.set(right.get() + i32::from(answer.try_get::<_, i32>(0)? == number + 1));
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    Ok(right.get().to_string())
}

/// Sends a request for `target` on a connection of its own, and does not wait for the response.
fn send(server: &Running, method: &str, target: &str) -> Client {
    let mut client = Client::connect(server.addresses()[0]);
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    ));
    client
}

fn sleeping(server: &Running, expected: &str) {
    let mut client = client(server);
    wait_until("as many queries sleep", || {
        get(&mut client, "/sleeping").1 == expected
    });
}

#[test]
fn queries_over_tcp_and_over_a_socket() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    for url in [postgres.url(), postgres.socket_url()] {
        let server = served(&url, |_| {});
        let mut client = client(&server);
        for _ in 0..3 {
            assert_eq!(get(&mut client, "/one"), (200, "42".to_owned()));
        }
        // What the server refuses is the handler's failure, and nobody else's to read.
        let (status, content) = get(&mut client, "/nonsense");
        assert_eq!(
            (status, content.contains("nowhere")),
            (500, false),
            "{content}"
        );
        // All of that was one connection, and it is still good.
        let status = get(&mut client, "/status").1;
        assert!(
            status.contains("made_total: 1, discarded_total: 0"),
            "{status}"
        );
        drop(client);
        server.stop().expect("it ends in order");
    }
    // A table that changes makes what was prepared for it useless, once.
    let server = served(&postgres.url(), |options| options.pool.size = 1);
    let mut client = client(&server);
    let mut batch = |sql: &str| client.post("/batch").body(sql).send().status();
    assert_eq!(batch("CREATE TABLE thing (id int PRIMARY KEY)"), 204);
    assert_eq!(get(&mut client, "/all"), (200, "0".to_owned()));
    let mut batch = |sql: &str| client.post("/batch").body(sql).send().status();
    assert_eq!(batch("ALTER TABLE thing ADD name text"), 204);
    assert_eq!(get(&mut client, "/all").0, 500);
    assert_eq!(get(&mut client, "/all"), (200, "0".to_owned()));
}

#[test]
fn what_was_given_up_is_cancelled_and_never_lent_again() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let server = served(&postgres.url(), |options| options.pool.size = 1);
    let observer = served(&postgres.socket_url(), |_| {});
    let mut client = client(&server);
    let (_, pid) = get(&mut client, "/pid");
    // The peer leaves.
    let slow = send(&server, "GET", "/slow");
    sleeping(&observer, "1");
    drop(slow);
    sleeping(&observer, "0");
    let (status, other) = get(&mut client, "/pid");
    assert_eq!((status, other != pid), (200, true));
    assert_eq!(get(&mut client, "/one").1, "42");
    // In a transaction: nothing of it is left.
    let create = "CREATE TABLE thing (id int PRIMARY KEY)";
    assert_eq!(client.post("/batch").body(create).send().status(), 204);
    let slow = send(&server, "POST", "/things/1/wait");
    sleeping(&observer, "1");
    drop(slow);
    sleeping(&observer, "0");
    assert_eq!(get(&mut client, "/all"), (200, "0".to_owned()));
    // It takes too long.
    let hasty = served(&postgres.url(), |options| {
        options.query_timeout = Duration::from_millis(300);
    });
    let mut hurried = crate::client(&hasty);
    assert_eq!(get(&mut hurried, "/slow").0, 503);
    sleeping(&observer, "0");
    let status = get(&mut hurried, "/status").1;
    assert!(status.contains("discarded_total: 1"), "{status}");
}

#[test]
fn transactions_end_with_their_value() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    // With one connection, each meets what the one before it left.
    let server = served(&postgres.url(), |options| options.pool.size = 1);
    let mut client = client(&server);
    let create = "CREATE TABLE thing (id int PRIMARY KEY)";
    assert_eq!(client.post("/batch").body(create).send().status(), 204);
    for (target, status, things) in [
        ("/things/1/drop", 201, "0"),
        ("/things/1/rollback", 201, "0"),
        // COMMIT alone would be called a success.
        ("/things/1/fail", 500, "0"),
        ("/things/1/commit", 201, "1"),
        ("/things/1/commit", 409, "1"),
        ("/things/2/commit", 201, "2"),
    ] {
        assert_eq!(client.post(target).send().status(), status, "{target}");
        assert_eq!(
            get(&mut client, "/all"),
            (200, things.to_owned()),
            "{target}"
        );
    }
    let status = get(&mut client, "/status").1;
    assert!(
        status.contains("made_total: 1, discarded_total: 0"),
        "{status}"
    );
}

#[test]
fn a_transaction_that_was_not_ended_is_nobody_elses() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let server = served(&postgres.url(), |options| options.pool.size = 1);
    let mut client = client(&server);
    for (sql, status, discarded) in [
        ("CREATE TABLE thing (id int PRIMARY KEY)", 204, 0),
        ("BEGIN; SELECT 1 / 0", 500, 1),
        ("BEGIN; INSERT INTO thing VALUES (1)", 204, 2),
        ("BEGIN; INSERT INTO thing VALUES (1); ROLLBACK", 204, 2),
        ("SELECT 1 / 0", 500, 2),
    ] {
        let response = client.post("/batch").body(sql).send();
        assert_eq!(response.status(), status, "{sql}");
        assert_eq!(get(&mut client, "/all"), (200, "0".to_owned()), "{sql}");
        let status = get(&mut client, "/status").1;
        let expected = format!("discarded_total: {discarded},");
        assert!(status.contains(&expected), "{sql}: {status}");
    }
}

#[test]
fn errors_are_told_without_what_was_sent() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let server = served(&postgres.url(), |_| {});
    let mut client = client(&server);
    let sql = "CREATE TABLE person (email text PRIMARY KEY); \
               INSERT INTO person VALUES ('ada@example.com'), ('ada@example.com')";
    let response = client.post("/told").body(sql).send();
    assert_eq!(
        response.text(),
        "db error: ERROR: duplicate key value violates unique constraint \"person_pkey\" \
         (SQLSTATE 23505)"
    );
}

#[test]
fn a_full_pool_is_waited_for_and_no_longer_than_allowed() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let server = served(&postgres.url(), |options| {
        options.pool.size = 2;
        options.pool.wait = Duration::from_secs(4);
    });
    let observer = served(&postgres.socket_url(), |_| {});
    let mut client = client(&server);
    let first = send(&server, "GET", "/slow");
    sleeping(&observer, "1");
    assert_eq!(get(&mut client, "/one"), (200, "42".to_owned()));
    let second = send(&server, "GET", "/slow");
    sleeping(&observer, "2");
    let (status, content) = get(&mut client, "/one");
    assert_eq!(
        (status, content.contains("connections")),
        (503, false),
        "{content}"
    );
    assert!(get(&mut client, "/status").1.contains("exhausted_total: 1"));
    drop((first, second));
    assert_eq!(until_served(&mut client, "/one"), "42");
}

#[test]
fn ten_thousand_queries_over_four_connections() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let server = served(&postgres.url(), |options| {
        // All of them wait, the last for all others.
        options.pool.wait = Duration::from_secs(600);
    });
    let mut client = Client::connect(server.addresses()[0]);
    client.stream.set_read_timeout(None).expect("a socket");
    client.get("/thousands");
    assert_eq!(client.response().text(), "10000");
    let status = get(&mut crate::client(&server), "/status").1;
    assert!(
        status.contains("lent: 0, resting: 4, waiting: 0"),
        "{status}"
    );
    assert!(
        status.contains("made_total: 4, discarded_total: 0"),
        "{status}"
    );
}

#[test]
fn a_server_that_is_not_there_yet_or_goes_away() {
    let Some(mut postgres) = database::Postgres::prepare() else {
        return;
    };
    let server = served(&postgres.url(), |_| {});
    let mut client = client(&server);
    let (status, content) = get(&mut client, "/one");
    assert_eq!(
        (status, content.contains("127.0.0.1")),
        (503, false),
        "{content}"
    );
    postgres.restart();
    assert_eq!(get(&mut client, "/one"), (200, "42".to_owned()));
    // While a query is on its way, and connections rest.
    let mut waiting = send(&server, "GET", "/slow");
    sleeping(&server, "1");
    postgres.restart();
    assert_eq!(waiting.response().status, 503);
    assert_eq!(until_served(&mut client, "/one"), "42");
    // A wrong password is told to the log alone.
    let url = postgres.url().replace(database::PASSWORD, "wrong");
    let denied = served(&url, |_| {});
    let (status, content) = get(&mut crate::client(&denied), "/one");
    assert_eq!(
        (status, content.contains("authentication")),
        (503, false),
        "{content}"
    );
}

#[test]
fn the_example_listens_where_it_is_told() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let Some(mut example) = crate::example("notes", "DATABASE_URL", &postgres.url()) else {
        return;
    };
    let mut client = TestClient::connect(example.listening());
    assert_eq!(get(&mut client, "/notes"), (200, "[]".to_owned()));
    drop(client);
    example.signal("TERM");
    assert_eq!(example.end().code, Some(0));
}

#[test]
fn the_example_keeps_notes() {
    let Some(postgres) = database::Postgres::start() else {
        return;
    };
    let options = options(&postgres.url());
    let server = corelane::Server::bind("127.0.0.1:0")
        .start(move |shard| notes::app(shard, &options))
        .expect("its table is made");
    let mut client = client(&server);
    assert_eq!(get(&mut client, "/notes"), (200, "[]".to_owned()));
    let note = |text: &str| serde_json::json!(text);
    let added = client.post("/notes").json(&note("buy milk")).send();
    assert_eq!(added.status(), 201);
    let expected = serde_json::json!({ "id": 1, "text": "buy milk" });
    assert_eq!(added.json::<serde_json::Value>(), expected);
    assert_eq!(
        client.get("/notes/1").send().json::<serde_json::Value>(),
        expected
    );
    let changed = client.put("/notes/1").json(&note("bought milk")).send();
    assert_eq!(changed.status(), 200);
    let expected = serde_json::json!([{ "id": 1, "text": "bought milk" }]);
    assert_eq!(
        client.get("/notes").send().json::<serde_json::Value>(),
        expected
    );
    assert_eq!(client.delete("/notes/1").send().status(), 200);
    for (method, status) in [("GET", 404), ("DELETE", 404)] {
        let method = method.parse().expect("a method");
        assert_eq!(client.request(method, "/notes/1").send().status(), status);
    }
    let gone = client.put("/notes/1").json(&note("x")).send();
    assert_eq!(gone.status(), 404);
    let no_text = client.post("/notes").json(&serde_json::json!({})).send();
    assert_eq!(no_text.status(), 400);
    // It is text in JSON, and none in PostgreSQL.
    let nul = client.post("/notes").json(&note("a\0b")).send();
    assert_eq!(nul.status(), 400);
}
