//! actix-web with one worker; files by actix-files.

use actix_files::Files;
use actix_web::http::header::{ContentType, SERVER};
use actix_web::{App, HttpResponse, HttpServer, web};
use peers::{BACKLOG, HELLO, Options};

/// Files up to this size are read on the worker instead of on a blocking thread: the cheaper
/// way for a file that is in the page cache.
const READ_ON_WORKER_BYTES: u64 = 1 << 20;

fn main() -> std::io::Result<()> {
    let Options { listen, files } = Options::from_args();
    let server = HttpServer::new(move || {
        App::new()
            .route("/plaintext", web::get().to(plaintext))
            .service(Files::new("/", &files).read_mode_threshold(READ_ON_WORKER_BYTES))
    });
    actix_web::rt::System::new().block_on(
        server
            .workers(1)
            .backlog(BACKLOG)
            .tcp_nodelay(true)
            .bind(listen)?
            .run(),
    )
}

async fn plaintext() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((SERVER, peers::SERVER))
        .insert_header(ContentType::plaintext())
        .body(HELLO)
}
