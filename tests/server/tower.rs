//! axum's routers on real cores: with a runtime of tokio beside them, with content that crosses to
//! its threads, and with a client that others wrote.

use super::app::{Served, pattern};
use super::counterparts::curl;
use super::support::outside::has;
use super::support::{Client, wait_until};
use axum::Router;
use axum::body::Body;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::{get, post};
use corelane::App;
use corelane::app::tower::Tower;
use futures_lite::{StreamExt, stream};
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tower_http::compression::CompressionLayer;

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// `routes` on cores that enter `runtime` to poll them.
fn served(runtime: &Runtime, routes: Router) -> Served {
    let handle = runtime.handle().clone();
    Served::with(move |_| {
        let handle = handle.clone();
        let tower = Tower::new(routes.clone()).within(move |poll| {
            let _entered = handle.enter();
            poll();
        });
        App::new().fallback(tower)
    })
}

/// Asks a server of its own, which is tokio's, to send `text` back.
async fn echoed(text: &str) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut buffer = [0; 64];
        let bytes = stream.read(&mut buffer).await?;
        stream.write_all(&buffer[..bytes]).await
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    echo.await??;
    Ok(answer)
}

#[test]
fn timers_sockets_and_tasks_of_tokio_work_beside_a_core() {
    let routes = Router::new()
        .route(
            "/sleep",
            get(async || {
                tokio::time::sleep(Duration::from_millis(2)).await;
                "slept"
            }),
        )
        .route("/echo", get(async || echoed("to and fro").await.unwrap()))
        .route(
            "/offload",
            get(async || tokio::task::spawn_blocking(|| "offloaded").await.unwrap()),
        )
        .route(
            "/events",
            get(async || {
                let silent = stream::pending::<Result<Event, Infallible>>();
                let alive = KeepAlive::new()
                    .interval(Duration::from_millis(1))
                    .text("here");
                Sse::new(silent).keep_alive(alive)
            }),
        );
    let runtime = runtime();
    let served = served(&runtime, routes);
    let mut client = Client::connect(served.address);
    for _ in 0..20 {
        for (path, expected) in [
            ("/sleep", "slept"),
            ("/echo", "to and fro"),
            ("/offload", "offloaded"),
        ] {
            client.get(path);
            let response = client.response();
            assert_eq!((response.status, response.text()), (200, expected));
        }
    }
    client.get("/events");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.exactly(1).expect("a head"));
    }
    for _ in 0..3 {
        let expected = ": here\n\n";
        let chunk = format!("{:X}\r\n{expected}\r\n", expected.len());
        assert_eq!(client.exactly(chunk.len()).unwrap(), chunk.as_bytes());
    }
}

#[test]
fn content_may_be_read_and_made_on_other_threads() {
    const BYTES: usize = 900_000;
    async fn checksum(body: Body) -> String {
        let read = tokio::spawn(async move { body.collect().await.unwrap().to_bytes() });
        let read = read.await.unwrap();
        (read[..] == pattern(read.len()))
            .then_some(read.len())
            .unwrap()
            .to_string()
    }
    /// Hands it back from another thread piece by piece.
    async fn through(body: Body) -> Body {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let mut pieces = body.into_data_stream();
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        });
        Body::from_stream(stream::unfold(receiver, async |mut receiver| {
            Some((receiver.recv().await?, receiver))
        }))
    }
    let routes = Router::new()
        .route("/sum", post(checksum))
        .route("/through", post(through));
    let runtime = runtime();
    let served = served(&runtime, routes);
    let mut client = Client::connect(served.address);
    let content = pattern(BYTES);
    for _ in 0..5 {
        client.send(format!(
            "POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: {BYTES}\r\n\r\n"
        ));
        client.send(&content);
        let response = client.response();
        assert_eq!(
            (response.status, response.text()),
            (200, &*BYTES.to_string())
        );
    }
    client.send(format!(
        "POST /through HTTP/1.1\r\nHost: h\r\nContent-Length: {BYTES}\r\n\r\n"
    ));
    let sending = std::thread::spawn({
        let mut sender = Client::on(client.stream.try_clone().unwrap());
        let content = content.clone();
        move || sender.send(&content)
    });
    let response = client.response();
    sending.join().unwrap();
    assert!(response.status == 200 && response.body == content);
    client.send("POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().text(), "0");
}

/// Counts what was dropped.
struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_peer_that_leaves_takes_the_service_s_future_with_it() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let called = Arc::new(AtomicUsize::new(0));
    let (held, calls) = (Arc::clone(&dropped), Arc::clone(&called));
    let routes = Router::new().route(
        "/",
        get(async move || {
            let _held = Held(held);
            calls.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }),
    );
    let served = Served::with(move |_| App::new().fallback(Tower::new(routes.clone())));
    let mut client = Client::connect(served.address);
    client.get("/");
    wait_until("it is called", || called.load(Ordering::Relaxed) == 1);
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    drop(client);
    wait_until("it is dropped", || dropped.load(Ordering::Relaxed) == 1);
}

#[test]
fn curl_decodes_what_a_layer_compressed() {
    if !has("curl") {
        return;
    }
    let routes = Router::new()
        .route("/", get(async || "compressible ".repeat(10_000)))
        .route("/echo", post(async |body: Body| body))
        .layer(CompressionLayer::new());
    let served = Served::with(move |_| App::new().fallback(Tower::new(routes.clone())));
    let told = "%{header_json}";
    let fields = [
        "--head",
        "-X",
        "GET",
        "-H",
        "Accept-Encoding: gzip",
        "-w",
        told,
        "BASE/",
    ];
    assert!(curl(&served, &fields).contains("\"content-encoding\":[\"gzip\"]"));
    assert_eq!(
        curl(&served, &["--compressed", "BASE/"]),
        "compressible ".repeat(10_000)
    );
    assert_eq!(
        curl(&served, &["--compressed", "--data", "a=b", "BASE/echo"]),
        "a=b"
    );
    let chunked = [
        "-H",
        "Transfer-Encoding: chunked",
        "--data",
        "a=b",
        "BASE/echo",
    ];
    assert_eq!(curl(&served, &chunked), "a=b");
}
