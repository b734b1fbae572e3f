//! Greets, as `hello.py` beside it does with aiohttp, on every core.

use corelane::{App, Request, Server};

fn main() -> corelane::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:8080".into());
    Server::bind(address).run(|_| App::new().get("/", hello).get("/{name}", hello))
}

async fn hello(req: Request) -> String {
    "Hello, ".to_owned() + &req.try_param("name").unwrap_or("Anonymous".into())
}
