use corelane::{App, Request, Server};

async fn index(_req: Request) -> &'static str {
    "Hello"
}

fn main() -> corelane::Result<()> {
    Server::bind("127.0.0.1:8080").run(|_shard| {
        App::new().get("/", index);
    })
}
