use corelane::{App, Request};

async fn index(_req: Request) -> &'static str {
    "Hello"
}

fn app(req: Request) -> App {
    App::new().get("/", index(req))
}

fn main() {
    let _ = app;
}
