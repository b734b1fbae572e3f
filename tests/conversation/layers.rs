//! State, extensions and middleware of users: what is around what, and what it costs who has none.

use corelane::app::{Next, with_body_limit};
use corelane::testing::TestClient;
use corelane::{App, Error, Request, Response, Result};
use http::{HeaderValue, StatusCode};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Middleware that writes down when it is passed, in both directions.
fn noting(
    name: &'static str,
    notes: &Rc<RefCell<Vec<String>>>,
) -> impl Fn(Request, Next) -> futures_lite::future::BoxedLocal<Response> + 'static {
    let notes = Rc::clone(notes);
    move |request, next| {
        let notes = Rc::clone(&notes);
        Box::pin(async move {
            let route = request.route().unwrap_or("none").to_owned();
            notes.borrow_mut().push(format!("{name} {route}"));
            let response = next.run(request).await;
            notes
                .borrow_mut()
                .push(format!("{name} {}", response.status.as_u16()));
            response
        })
    }
}

#[test]
fn the_first_is_the_outermost_and_the_apps_own_answers_pass_through() {
    let notes = Rc::default();
    let app = App::new()
        .wrap(noting("outer", &notes))
        .get("/", async |_| "Hello")
        .post("/{x}", async |_| StatusCode::ACCEPTED)
        .wrap(noting("inner", &notes));
    let mut client = TestClient::new(app);
    let table = [
        ("GET", "/", "/", 200),
        ("HEAD", "/", "/", 200),
        ("POST", "/a", "/{x}", 202),
        ("GET", "/a", "none", 405),
        ("OPTIONS", "/a", "none", 204),
        ("OPTIONS", "*", "none", 204),
        ("GET", "/a/b", "none", 404),
        ("BREW", "/a/b", "none", 501),
        ("POST", "/%ff", "none", 400),
    ];
    for (method, target, route, status) in table {
        let answer = client.request(method.parse().unwrap(), target).send();
        assert_eq!(answer.status().as_u16(), status, "{method} {target}");
        let expected = [
            format!("outer {route}"),
            format!("inner {route}"),
            format!("inner {status}"),
            format!("outer {status}"),
        ];
        assert_eq!(notes.take(), expected, "{method} {target}");
    }
}

#[test]
fn apps_within_others_have_what_is_around_those() {
    async fn tell(request: Request) -> String {
        format!("{} {}", request.state::<u8>(), request.state::<u16>())
    }
    let notes = Rc::default();
    let inner = || {
        App::new()
            .state(2u16)
            .get("/", tell)
            .wrap(noting("inner", &notes))
    };
    let app = App::new()
        .nest("/in", inner())
        .host("a.example", inner().state(3u8).body_limit(1))
        .get("/", tell)
        .state(1u8)
        .state(1u16)
        .wrap(noting("outer", &notes));
    let mut client = TestClient::new(app);
    let both = ["outer", "inner", "inner", "outer"].as_slice();
    let outer = ["outer", "outer"].as_slice();
    let table = [
        ("b.example", "/", 200, "1 1", outer),
        ("b.example", "/in", 200, "1 2", both),
        ("b.example", "/in/none", 404, "404 Not Found\n", outer),
        ("a.example", "/", 200, "3 2", both),
        ("a.example", "/none", 404, "404 Not Found\n", both),
    ];
    for (host, path, status, content, passed) in table {
        let answer = client.get(path).header("host", host).send();
        let got = (answer.status().as_u16(), answer.text());
        assert_eq!(got, (status, content), "{host}{path}");
        let notes = notes.take();
        let names = notes
            .iter()
            .map(|note| note.split(' ').next().unwrap_or_default());
        assert!(names.eq(passed.iter().copied()), "{host}{path} {notes:?}");
    }
    let answer = client
        .get("/")
        .header("host", "a.example")
        .body("ab")
        .send();
    assert_eq!(answer.status(), 413);
}

#[test]
fn middleware_answers_fails_and_changes() {
    async fn guard(request: Request, next: Next) -> Result<Response> {
        match request.header("x-do") {
            Some("refuse") => Err(Error::new(StatusCode::FORBIDDEN, "No.")),
            Some("fail") => Err(std::io::Error::other("disk on fire").into()),
            Some("panic") => panic!("middleware that panics, on purpose"),
            _ => Ok(next.run(request).await.with_header(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            )),
        }
    }
    let called = Rc::new(Cell::new(0));
    let calls = Rc::clone(&called);
    let app = App::new().wrap(guard).fallback(move |_| {
        calls.set(calls.get() + 1);
        async { "in" }
    });
    let mut client = TestClient::new(app);
    let table = [
        ("refuse", 403, "403 Forbidden: No.\n", 0),
        ("fail", 500, "500 Internal Server Error\n", 0),
        ("panic", 500, "500 Internal Server Error\n", 0),
        ("nothing", 200, "in", 1),
    ];
    for (what, status, content, calls) in table {
        let answer = client.get("/").header("x-do", what).send();
        assert_eq!((answer.status().as_u16(), answer.text()), (status, content));
        assert_eq!(called.get(), calls, "{what}");
        let expected = (status == 200).then_some("no-store");
        assert_eq!(answer.header("cache-control"), expected);
    }
}

#[derive(Default)]
struct Visits(Cell<u64>);

struct Tenant(String);

#[test]
fn state_is_shared_by_handlers_and_middleware_extensions_are_a_requests_own() {
    async fn count(mut request: Request, next: Next) -> Response {
        let visits = &request.state::<Visits>().0;
        visits.set(visits.get() + 1);
        if let Some(tenant) = request.header("tenant").map(str::to_owned) {
            request.extensions().insert(Tenant(tenant));
        }
        next.run(request).await
    }
    async fn tell(request: Request) -> String {
        let tenant = request.extension::<Tenant>().map(|tenant| &*tenant.0);
        let visits = request.state::<Visits>().0.get();
        format!("{visits} {}", tenant.unwrap_or("nobody"))
    }
    let app = App::new()
        .state(Visits::default())
        .state("text")
        .get("/", tell)
        .get("/{a}/{b}", tell)
        .get("/none", async |request: Request| {
            request.try_state::<String>().is_none().to_string()
        })
        .get("/missing", async |request: Request| {
            (*request.state::<String>()).clone()
        })
        .wrap(count);
    let mut client = TestClient::new(app);
    assert_eq!(client.get("/").send().text(), "1 nobody");
    assert_eq!(
        client.get("/").header("tenant", "blue").send().text(),
        "2 blue"
    );
    assert_eq!(
        client.get("/a/b").header("tenant", "red").send().text(),
        "3 red"
    );
    assert_eq!(client.get("/a/b").send().text(), "4 nobody");
    // A request without a route has the state of the app as well.
    assert_eq!(client.get("/nowhere").send().status(), 404);
    assert_eq!(client.get("/none").send().text(), "true");
    assert_eq!(client.get("/missing").send().status(), 500);
    assert_eq!(client.get("/").send().text(), "8 nobody");
}

#[test]
fn state_that_is_given_twice_is_a_problem() {
    let error = App::new()
        .state(1u8)
        .state(2u16)
        .state(3u8)
        .build()
        .unwrap_err();
    let problems: Vec<_> = error.problems().collect();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("the state u8") && problems[0].contains("layers.rs"));
}

#[test]
fn an_app_may_limit_the_content_of_all_its_routes() {
    let length =
        async |mut request: Request| Ok::<_, Error>(request.bytes().await?.len().to_string());
    let app = App::new()
        .post("/", length)
        .post("/more", with_body_limit(20, length))
        .body_limit(10)
        .wrap(async |request, next: Next| next.run(request).await);
    let mut client = TestClient::new(app);
    for (path, most) in [("/", 10), ("/more", 20)] {
        let status = |answer: corelane::testing::TestResponse| answer.status().as_u16();
        assert_eq!(status(client.post(path).body(vec![b'x'; most]).send()), 200);
        assert_eq!(
            status(client.post(path).body(vec![b'x'; most + 1]).send()),
            413
        );
        let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", most + 1, "x".repeat(most + 1));
        let request = client.post(path).header("transfer-encoding", "chunked");
        assert_eq!(status(request.body(chunked).send()), 413);
    }
}

#[test]
fn handlers_wait_in_the_time_of_the_test() {
    let app = App::new().get("/{seconds}", async |request: Request| {
        let (time, seconds) = (request.time(), request.param("seconds").parse().unwrap());
        let start = time.now();
        time.sleep(Duration::from_secs(seconds)).await;
        assert!(
            time.limit(Duration::from_secs(1), time.sleep(Duration::from_secs(2)))
                .await
                .is_err()
        );
        (time.now() - start).as_secs().to_string()
    });
    let mut client = TestClient::new(app);
    assert_eq!(client.get("/3").send().text(), "4");
    assert_eq!(client.get("/100000").send().text(), "100001");
}

#[test]
fn requests_and_responses_are_cheap_to_move() {
    assert!(size_of::<Request>() <= 96);
    // Of these the 8 that point at fields which are written once spare more than it takes to move them.
    assert!(size_of::<Response>() <= 160);
}

#[test]
fn refusals_of_a_path_pass_what_its_routes_share() {
    let notes = Rc::default();
    let deep = App::new()
        .wrap(noting("deep", &notes))
        .put("/a", async |_| ());
    let inner = App::new().wrap(noting("inner", &notes));
    let inner = inner.get("/b", async |_| ()).get("/both", async |_| ());
    let app = App::new()
        .wrap(noting("outer", &notes))
        .nest("/in", inner.nest("/deep", deep))
        .post("/in/both", async |_| ());
    let mut client = TestClient::new(app);
    let table: [(&str, &[&str]); 4] = [
        ("/in/deep/a", &["outer", "inner", "deep"]),
        ("/in/b", &["outer", "inner"]),
        ("/in/both", &["outer"]),
        ("/in/none", &["outer"]),
    ];
    for (path, names) in table {
        for method in ["OPTIONS", "DELETE"] {
            let answer = client.request(method.parse().unwrap(), path).send();
            let status = answer.status().as_u16();
            let back = names.iter().rev().map(|name| format!("{name} {status}"));
            let there = names.iter().map(|name| format!("{name} none"));
            let expected: Vec<_> = there.chain(back).collect();
            assert_eq!(notes.take(), expected, "{method} {path}");
        }
    }
}
