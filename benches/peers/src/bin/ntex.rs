//! ntex with one worker on its tokio runtime; files by ntex-files.

use ntex::http::header::{CONTENT_TYPE, SERVER};
use ntex::web::{self, App, HttpResponse};
use ntex_files::Files;
use peers::{BACKLOG, HELLO, Options};

#[ntex::main]
async fn main() -> std::io::Result<()> {
    let Options { listen, files } = Options::from_args();
    web::server(async move || {
        App::new()
            .route("/plaintext", web::get().to(plaintext))
            .service(Files::new("/", files.clone()))
    })
    .workers(1)
    .backlog(BACKLOG as i32)
    .bind(listen)?
    .run()
    .await
}

async fn plaintext() -> HttpResponse {
    HttpResponse::Ok()
        .header(SERVER, peers::SERVER)
        .header(CONTENT_TYPE, "text/plain")
        .body(HELLO)
}
