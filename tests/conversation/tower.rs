//! Services as handlers: axum's routers with their extractors and layers, and services that are
//! written by hand where a test wants to see what they are given.

mod bodies;
mod failures;

use super::{sent, statuses};
use ::tower::limit::ConcurrencyLimitLayer;
use ::tower::{Layer, service_fn};
use axum::extract::{ConnectInfo, Form, MatchedPath, Multipart, OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use axum::response::sse::{Event, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use corelane::app::middleware::{Id, RequestId};
use corelane::app::tower::{RequestBody, Tower};
use corelane::testing::{Conversation, TestClient};
use corelane::{App, Request};
use futures_lite::stream;
use http_body_util::Full;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

/// The fields of an HTML form, or of a query.
type Fields = BTreeMap<String, String>;

fn served(router: Router) -> App {
    App::new().fallback(Tower::new(router))
}

/// A service that tells the path and the query that it sees.
fn target() -> Router {
    Router::new().fallback(async |uri: Uri| uri.to_string())
}

fn text(client: &mut TestClient, path: &str) -> (u16, String) {
    let answer = client.get(path).send();
    (answer.status().as_u16(), answer.text().to_owned())
}

#[test]
fn extractors_of_axum_find_what_they_look_for() {
    async fn parts(mut form: Multipart) -> String {
        let mut told = String::new();
        while let Some(part) = form.next_field().await.unwrap() {
            let name = part.file_name().or(part.name()).unwrap().to_owned();
            told += &format!("{name}={} ", part.text().await.unwrap());
        }
        told
    }
    let router = Router::new()
        .route("/json", post(async |Json(value): Json<Value>| Json(value)))
        .route(
            "/form",
            post(async |Form(fields): Form<Fields>| Json(fields)),
        )
        .route(
            "/query",
            get(async |Query(fields): Query<Fields>| Json(fields)),
        )
        .route("/parts", post(parts))
        .route(
            "/{user}/notes/{id}",
            get(
                async |path: MatchedPath, Path((user, id)): Path<(String, u64)>| {
                    format!("{} {user} {id}", path.as_str())
                },
            ),
        )
        .route(
            "/state",
            get(async |State(state): State<&'static str>| state),
        )
        .route(
            "/version",
            get(async |version: Version| format!("{version:?}")),
        )
        .with_state("kept");
    let mut client = TestClient::new(served(router));
    let value = json!({"a": [1, "ü"]});
    assert_eq!(
        client.post("/json").json(&value).send().json::<Value>(),
        value
    );
    let form = client
        .post("/form")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        form.body("a=1+2&b=%C3%BC").send().text(),
        r#"{"a":"1 2","b":"ü"}"#
    );
    let parts = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x\r\n\
                 Content-Disposition: form-data; name=b; filename=b.txt\r\n\r\nfile\r\n--x--\r\n";
    let form = client
        .post("/parts")
        .header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(form.body(parts).send().text(), "a=1 b.txt=file ");
    for (path, status, expected) in [
        ("/query?a=%20b&c", 200, r#"{"a":" b","c":""}"#),
        ("/Zo%C3%AB/notes/7", 200, "/{user}/notes/{id} Zoë 7"),
        ("/state", 200, "kept"),
        ("/version", 200, "HTTP/1.1"),
        ("/none", 404, ""),
    ] {
        assert_eq!(text(&mut client, path), (status, expected.into()), "{path}");
    }
    assert_eq!(text(&mut client, "/a/notes/x").0, 400);
}

#[test]
fn the_head_arrives_as_it_was_sent() {
    let router = Router::new().fallback(async |uri: Uri, fields: HeaderMap| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        format!("{uri} {}", fields.join(" "))
    });
    let mut peer = Conversation::new(served(router)).unwrap();
    let table: [(&[u8], &str); 4] = [
        (
            b"GET /a%2Fb/./%FF?q=%20 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-b: \xfc\r\nX-A: 2\r\n\r\n",
            r#"/a%2Fb/./%FF?q=%20 host="h" x-a="1" x-a="2" x-b="\xfc""#,
        ),
        // The authority of the target takes the place of Host.
        (
            b"GET http://o:1/p HTTP/1.1\r\nHost: h\r\n\r\n",
            r#"http://o:1/p host="o:1""#,
        ),
        (
            b"GET http://o HTTP/1.1\r\nHost: h\r\n\r\n",
            r#"http://o/ host="o""#,
        ),
        (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", r#"/ host="h""#),
    ];
    for (message, expected) in table {
        peer.deliver(message);
        let answer = sent(&mut peer);
        let (_, content) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(content, expected);
    }
}

#[test]
fn a_service_has_any_place_that_a_handler_has() {
    let app = App::new()
        .get("/one", Tower::new(target()))
        .get("/{user}/{*rest}", Tower::new(target()).strip_prefix())
        .mount("/whole", Tower::new(target()))
        .mount("/behind/a%20b", Tower::new(target()).strip_prefix())
        .nest(
            "/nested/{id}",
            App::new().mount("/", Tower::new(target()).strip_prefix()),
        )
        .get("/own", async |_| "own")
        .fallback(Tower::new(target()));
    let mut client = TestClient::new(app);
    for (path, expected) in [
        ("/one?x", "/one?x"),
        ("/whole", "/whole"),
        ("/whole/a/?x", "/whole/a/?x"),
        ("/behind/a%20b", "/"),
        ("/behind/a%20b?x", "/?x"),
        ("/behind/%61%20b/", "/"),
        ("/behind/a%20b/c%2Fd//%FF?x=/y", "/c%2Fd//%FF?x=/y"),
        ("/nested/7/c", "/c"),
        ("/own", "own"),
        ("/other", "/other"),
        ("/ada/notes/1", "/notes/1"),
    ] {
        assert_eq!(text(&mut client, path), (200, expected.into()), "{path}");
    }
    let answer = client.post("/own").send();
    assert_eq!(
        (answer.status().as_u16(), answer.header("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn extensions_are_what_the_app_says() {
    let router = Router::new().fallback(
        async |ConnectInfo(peer): ConnectInfo<SocketAddr>, id: axum::Extension<Id>| {
            format!("{peer} {}", id.to_string().len())
        },
    );
    let tower = Tower::new(router).extend(|request: &Request, extensions| {
        extensions.insert(ConnectInfo(request.peer()));
        if let Some(id) = request.extension::<Id>() {
            extensions.insert(id.clone());
        }
    });
    let mut client = TestClient::new(App::new().wrap(RequestId::new()).fallback(tower));
    let answer = client.get("/").send();
    assert_eq!(answer.text(), "127.0.0.1:1 32");
    assert!(answer.header("x-request-id").is_some());
}

#[test]
fn layers_of_tower_http_do_their_work() {
    let router = Router::new()
        .route("/", get(async || "compressible ".repeat(100)))
        .layer(CompressionLayer::new())
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http());
    let mut client = TestClient::new(served(router));
    let plain = client.get("/").send();
    assert_eq!(plain.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        (plain.header("content-encoding"), plain.bytes().len()),
        (None, 1300)
    );
    assert_eq!(plain.header("content-length"), Some("1300"));
    let compressed = client.get("/").header("accept-encoding", "gzip").send();
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!(compressed.header("transfer-encoding"), Some("chunked"));
    assert!(compressed.bytes().starts_with(&[0x1f, 0x8b]) && compressed.bytes().len() < 200);
    let preflight = client
        .request(http::Method::OPTIONS, "/")
        .header("origin", "http://o");
    let preflight = preflight
        .header("access-control-request-method", "PUT")
        .send();
    assert_eq!(preflight.header("access-control-allow-methods"), Some("*"));
}

#[test]
fn events_go_out_as_they_are_made() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let holders = Arc::downgrade(&receiver);
    let events = || async move {
        let events = stream::unfold(receiver, async |receiver| {
            let number: u8 = receiver.lock().await.recv().await?;
            let event = Event::default().data(number.to_string());
            Some((Ok::<_, Infallible>(event), receiver))
        });
        Sse::new(events)
    };
    let router = Router::new().route("/", get(events));
    let mut peer = Conversation::new(served(router)).unwrap();
    peer.deliver(&super::get());
    let head = sent(&mut peer).to_ascii_lowercase();
    assert!(
        head.contains("content-type: text/event-stream") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for number in 0..3 {
        sender.send(number).unwrap();
        peer.pass(Duration::ZERO);
        let event = format!("data: {number}\n\n");
        assert_eq!(sent(&mut peer), format!("{:X}\r\n{event}\r\n", event.len()));
    }
    // Its source goes with the peer, although it is silent.
    let held = holders.strong_count();
    peer.close();
    assert_eq!((holders.strong_count(), peer.in_flight()), (held - 1, 0));
}

#[test]
fn a_service_is_called_when_it_is_ready() {
    let (sender, receiver) = mpsc::channel::<()>(1);
    let receiver = Arc::new(Mutex::new(receiver));
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let service = service_fn(move |_: http::Request<RequestBody>| {
        counted.set(counted.get() + 1);
        let receiver = receiver.clone();
        async move {
            receiver.lock().await.recv().await;
            Ok::<_, Infallible>(http::Response::new(Full::<bytes::Bytes>::default()))
        }
    });
    let limited = ConcurrencyLimitLayer::new(1).layer(service);
    let mut first = Conversation::new(App::new().fallback(Tower::new(limited))).unwrap();
    let (mut second, mut third) = (first.reconnect(), first.reconnect());
    first.deliver(&super::get());
    second.deliver(&super::get());
    third.deliver(&super::get());
    assert_eq!(calls.get(), 1);
    // One that waits for its turn is given up like any other, and the turn goes on.
    second.close();
    for (peer, calls_then) in [(&mut first, 1), (&mut third, 2)] {
        peer.pass(Duration::ZERO);
        assert_eq!((calls.get(), sent(peer)), (calls_then, String::new()));
        sender.try_send(()).unwrap();
        peer.pass(Duration::ZERO);
        assert_eq!(statuses(&sent(peer)), [200]);
    }
}

#[test]
fn what_is_nested_in_axum_sees_its_own_path() {
    let inner = Router::new().route(
        "/leaf",
        get(async |uri: Uri, OriginalUri(original): OriginalUri| format!("{uri} of {original}")),
    );
    let router = Router::new()
        .nest("/inner", inner)
        .fallback(async || (StatusCode::IM_A_TEAPOT, "none"));
    let app = App::new().mount("/api", Tower::new(router).strip_prefix());
    let mut client = TestClient::new(app);
    assert_eq!(
        text(&mut client, "/api/inner/leaf"),
        (200, "/leaf of /inner/leaf".into())
    );
    assert_eq!(text(&mut client, "/api/x"), (418, "none".into()));
    assert_eq!(text(&mut client, "/x").0, 404);
}
