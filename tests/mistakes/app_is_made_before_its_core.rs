use corelane::{App, Request, Server};

async fn index(_req: Request) -> &'static str {
    "Hello"
}

fn main() -> corelane::Result<()> {
    let app = App::new().get("/", index);
    Server::bind("127.0.0.1:8080").run(move |_shard| app)
}
