//! axum on a current-thread tokio runtime; files by tower-http's `ServeDir`.

use axum::serve::ListenerExt;
use peers::{Options, axum_routes};
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
    let routes = axum_routes().fallback_service(ServeDir::new(&options.files));
    let listener = TcpListener::bind(options.listen).await?.tap_io(|stream| {
        // Where the option cannot be set the connection is already gone.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}
