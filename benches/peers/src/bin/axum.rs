//! axum on a current-thread tokio runtime; files by tower-http's `ServeDir`.

use axum::Router;
use axum::http::header::SERVER;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;
use peers::{HELLO, Options};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

fn main() -> std::io::Result<()> {
    let options = Options::from_args();
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(serve(&options))
}

async fn serve(options: &Options) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/plaintext", get(plaintext))
        .fallback_service(ServeDir::new(&options.files));
    let listener = TcpListener::bind(options.listen).await?.tap_io(|stream| {
        // Where the option cannot be set the connection is already gone.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}

async fn plaintext() -> impl IntoResponse {
    ([(SERVER, peers::SERVER)], HELLO)
}
