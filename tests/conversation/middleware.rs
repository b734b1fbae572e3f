//! The ready-made middleware as peers see it. What it decides by values alone is tested beside it.

use corelane::app::Next;
use corelane::app::middleware::{
    BasicAuth, BasicUser, Cors, Id, RateLimit, RequestId, SecurityHeaders, Timeout,
};
use corelane::testing::{TestClient, TestResponse};
use corelane::{App, Request};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn hello() -> App {
    App::new().get("/", async |_| "Hello")
}

#[test]
fn a_handler_that_takes_too_long_is_answered_for() {
    let app = |timeout: Timeout| {
        App::new()
            .wrap(timeout)
            .get("/never", async |_| std::future::pending::<&str>().await)
            .get("/{seconds}", async |request: Request| {
                let seconds = request.param("seconds").parse().unwrap();
                request.time().sleep(Duration::from_secs(seconds)).await;
                "done"
            })
            .post("/read", async |mut request: Request| request.text().await)
    };
    let mut client = TestClient::new(app(Timeout::new(5 * SECOND)));
    for (path, status) in [("/4", 200), ("/6", 503), ("/never", 503), ("/0", 200)] {
        let start = client.get(path).send();
        assert_eq!(start.status().as_u16(), status, "{path}");
    }
    // Content that does not come is waited for no longer.
    let answer = client
        .post("/read")
        .header("content-length", "9")
        .body("half")
        .send();
    assert_eq!(answer.status(), 503);
    let timeout = Timeout::new(SECOND).status(StatusCode::GATEWAY_TIMEOUT);
    let answer = TestClient::new(app(timeout)).get("/never").send();
    assert_eq!(answer.status(), 504);
    assert_eq!(
        answer.text(),
        "504 Gateway Timeout: The answer took too long.\n"
    );
}

#[test]
fn a_request_has_an_id() {
    let app = |ids: RequestId| {
        App::new().wrap(ids).get("/", async |request: Request| {
            request
                .extension::<Id>()
                .map(Id::to_string)
                .unwrap_or_default()
        })
    };
    let mut client = TestClient::new(app(RequestId::new()));
    let ids = [(); 2].map(|()| {
        let answer = client.get("/").header("x-request-id", "mine").send();
        assert_eq!(answer.header("x-request-id"), Some(answer.text()));
        answer.text().to_owned()
    });
    assert!(ids[0] != ids[1] && ids[0].len() == 32);
    assert!(client.get("/none").send().header("x-request-id").is_some());
    let mut client = TestClient::new(app(RequestId::new().trusting()));
    assert_eq!(
        client.get("/").header("x-request-id", "mine").send().text(),
        "mine"
    );
    assert_ne!(
        client.get("/").header("x-request-id", "a b").send().text(),
        "a b"
    );
}

#[test]
fn security_headers_are_added_where_there_are_none() {
    let headers = SecurityHeaders::new()
        .with(header::REFERRER_POLICY, HeaderValue::from_static("origin"))
        .without(&HeaderName::from_static("cross-origin-opener-policy"));
    let app = hello().wrap(headers).wrap(async |request, next: Next| {
        next.run(request).await.with_header(
            header::X_FRAME_OPTIONS,
            HeaderValue::from_static("SAMEORIGIN"),
        )
    });
    let mut client = TestClient::new(app);
    for path in ["/", "/none"] {
        let answer = client.get(path).send();
        let table = [
            ("x-content-type-options", Some("nosniff")),
            ("x-frame-options", Some("SAMEORIGIN")),
            ("referrer-policy", Some("origin")),
            ("cross-origin-opener-policy", None),
            ("cross-origin-resource-policy", Some("same-origin")),
        ];
        for (name, value) in table {
            assert_eq!(answer.header(name), value, "{name}");
        }
    }
}

#[test]
fn basic_authentication_lets_in_who_has_a_password() {
    let app = App::new()
        .wrap(BasicAuth::new("the place").user("Aladdin", "open sesame"))
        .get("/", async |request: Request| {
            request
                .extension::<BasicUser>()
                .map(|user| user.0.clone())
                .unwrap_or_default()
        });
    let mut client = TestClient::new(app);
    // The example of RFC 7617 §2.
    let proof = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
    let answer = client.get("/").header("authorization", proof).send();
    assert_eq!((answer.status().as_u16(), answer.text()), (200, "Aladdin"));
    // Nor does it tell apart what is there and what is not.
    for path in ["/", "/none"] {
        let answer = client.get(path).send();
        assert_eq!(answer.status(), 401, "{path}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            challenge,
            Some("Basic realm=\"the place\", charset=\"UTF-8\"")
        );
    }
}

#[test]
fn a_peer_that_asks_too_often_is_told_when_to_ask_again() {
    let app = hello().wrap(RateLimit::new(2, 3 * SECOND));
    let mut client = TestClient::new(app);
    let mut ask = |pass: Duration| {
        client.conversation().unwrap().pass(pass);
        let answer = client.get("/").send();
        (
            answer.status().as_u16(),
            answer.header("retry-after").map(str::to_owned),
        )
    };
    let wait = |seconds: &str| (429, Some(seconds.to_owned()));
    assert_eq!(ask(Duration::ZERO), (200, None));
    assert_eq!(ask(Duration::ZERO), (200, None));
    assert_eq!(ask(Duration::ZERO), wait("2"));
    assert_eq!(ask(SECOND), wait("1"));
    assert_eq!(ask(SECOND / 2), (200, None));
    assert_eq!(ask(Duration::ZERO), wait("2"));
}

/// The fields of an answer that browsers look at in a cross-origin request.
fn cors_fields(answer: &TestResponse) -> Vec<String> {
    let fields = answer.headers();
    let fields = fields.filter(|(name, _)| {
        name.as_str() == "vary" || name.as_str().starts_with("access-control-")
    });
    let lines = fields.map(|(name, value)| {
        let name = name.as_str().trim_start_matches("access-control-");
        format!("{name}: {}", value.to_str().unwrap())
    });
    lines.collect()
}

fn preflight(client: &mut TestClient, origin: &str, asked: &str) -> TestResponse {
    let request = client.options("/").header("origin", origin);
    let request = request.header("access-control-request-method", "PUT");
    request
        .header("access-control-request-headers", asked)
        .send()
}

#[test]
fn pages_of_any_origin_may_read() {
    let mut client = TestClient::new(hello().wrap(Cors::any()));
    let answer = preflight(&mut client, "https://a.example", "x-a,x-b");
    assert_eq!(answer.status(), 204);
    let expected = [
        "allow-origin: *",
        "vary: Access-Control-Request-Headers",
        "allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE",
        "allow-headers: x-a,x-b",
    ];
    assert_eq!(cors_fields(&answer), expected);
    let answer = client.get("/").header("origin", "https://a.example").send();
    assert_eq!(
        (answer.text(), cors_fields(&answer)),
        ("Hello", vec!["allow-origin: *".to_owned()])
    );
    // An error can be read as well. An OPTIONS that is no preflight is the app's to answer.
    let answer = client
        .get("/none")
        .header("origin", "https://a.example")
        .send();
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let answer = client
        .options("/")
        .header("origin", "https://a.example")
        .send();
    assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    assert!(cors_fields(&client.get("/").send()).is_empty());
}

#[test]
fn pages_of_some_origins_may_read_with_credentials() {
    let cors = Cors::origins(["https://a.example", "http://b.example:8080"])
        .credentials()
        .methods([Method::PUT])
        .headers([header::CONTENT_TYPE])
        .expose([header::ETAG])
        .max_age(600 * SECOND);
    let mut client = TestClient::new(hello().wrap(cors));
    for (origin, is_allowed) in [
        ("https://a.example", true),
        ("http://b.example:8080", true),
        ("http://a.example", false),
        ("https://a.example:8080", false),
        ("https://a.example.org", false),
        ("null", false),
    ] {
        let lines = |rest: &[&str]| {
            let mut lines = vec!["vary: Origin".to_owned()];
            if is_allowed {
                lines.push(format!("allow-origin: {origin}"));
                lines.push("allow-credentials: true".to_owned());
                lines.extend(rest.iter().map(|line| (*line).to_owned()));
            }
            lines
        };
        let answer = preflight(&mut client, origin, "x-a");
        assert_eq!(answer.status(), 204);
        let rest = [
            "allow-methods: PUT",
            "allow-headers: content-type",
            "max-age: 600",
        ];
        assert_eq!(cors_fields(&answer), lines(&rest), "{origin}");
        let answer = client.get("/").header("origin", origin).send();
        assert_eq!(answer.text(), "Hello");
        assert_eq!(
            cors_fields(&answer),
            lines(&["expose-headers: etag"]),
            "{origin}"
        );
    }
    assert_eq!(cors_fields(&client.get("/").send()), ["vary: Origin"]);
}

/// `app` as an app within another, and within one more.
fn nested_once_and_twice(app: fn() -> App) -> [(App, &'static str); 2] {
    let once = App::new().nest("/api", app());
    let twice = App::new().nest("/v1", App::new().nest("/api", app()));
    [(once, "/api"), (twice, "/v1/api")]
}

#[test]
fn a_nested_app_answers_the_preflights_of_its_paths() {
    let notes = || {
        App::new()
            .wrap(Cors::origins(["https://example.org"]))
            .post("/notes", async |_| "added")
            .put("/notes/{id:u64}", async |_| "put")
    };
    for (app, prefix) in nested_once_and_twice(notes) {
        let mut client = TestClient::new(app.get("/", async |_| "Hello"));
        let mut allowed = |path: &str| {
            let request = client.request(Method::OPTIONS, path);
            let request = request.header("origin", "https://example.org");
            let answer = request
                .header("access-control-request-method", "POST")
                .send();
            assert_eq!(
                answer.status().as_u16() / 100,
                if path.ends_with('x') { 4 } else { 2 }
            );
            let origin = answer.header("access-control-allow-origin");
            origin.map(str::to_owned)
        };
        let origin = Some("https://example.org".to_owned());
        assert_eq!(allowed(&format!("{prefix}/notes")), origin);
        assert_eq!(allowed(&format!("{prefix}/notes/7")), origin);
        assert_eq!(allowed(&format!("{prefix}/notes/x")), None);
        assert_eq!(allowed("/"), None);
    }
}

#[test]
fn a_nested_login_covers_what_the_router_answers_for_its_paths() {
    let notes = || {
        App::new()
            .wrap(BasicAuth::new("notes").user("a", "b"))
            .trailing_slash(corelane::app::TrailingSlash::Redirect)
            .post("/notes", async |_| "added")
    };
    for (app, prefix) in nested_once_and_twice(notes) {
        let mut client = TestClient::new(app);
        let path = format!("{prefix}/notes");
        for (method, path, status) in [
            (Method::OPTIONS, path.clone(), 204),
            (Method::GET, path.clone(), 405),
            (Method::POST, format!("{path}/"), 308),
        ] {
            let answer = client.request(method.clone(), &path).send();
            assert_eq!(answer.status(), 401, "{method} {path}");
            let request = client.request(method.clone(), &path);
            let answer = request.header("authorization", "Basic YTpi").send();
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        }
    }
}
