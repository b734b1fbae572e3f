//! The demo application of `corelane demo`: five routes to try, to test and to measure with.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::{App, IntoResponse, Json, Request, Response};

/// `GET /`, `GET /{name}`, `GET /plaintext`, `GET /json` and `POST /echo`.
pub fn demo() -> App {
    App::new()
        .get("/", async |_| "Hello, Anonymous")
        .get("/{name}", greet)
        .get("/plaintext", async |_| "Hello, World!")
        .get("/json", async |_| {
            Json(Message {
                message: "Hello, World!",
            })
        })
        .post("/echo", echo)
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

async fn greet(request: Request) -> String {
    format!("Hello, {}", request.param("name"))
}

/// Sends the content back as it arrives, under the media type that it came with.
async fn echo(request: Request) -> Response {
    let content_type = request
        .header_bytes(CONTENT_TYPE)
        .and_then(|value| HeaderValue::from_bytes(value).ok());
    let mut response = StatusCode::OK.into_response();
    if let Some(content_type) = content_type {
        response.headers.insert(CONTENT_TYPE, content_type);
    }
    response.body = request.into_body();
    response
}
