//! may_minihttp with one worker; it has no file service and keeps every connection open.

use std::io;

use may_minihttp::{HttpServer, HttpService, Request, Response};
use peers::{HELLO, Options};

#[derive(Clone)]
struct Plaintext;

impl HttpService for Plaintext {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        if request.path() == "/plaintext" {
            response.header("Content-Type: text/plain").body(HELLO);
        } else {
            response.status_code(404, "Not Found");
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let options = Options::from_args();
    may::config().set_workers(1);
    let server = HttpServer(Plaintext).start(options.listen)?;
    server
        .join()
        .map_err(|_| io::Error::other("the accept loop panicked"))
}
