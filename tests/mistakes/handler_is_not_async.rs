use corelane::{App, Request};

fn index(_req: Request) -> &'static str {
    "Hello"
}

fn main() {
    let _ = App::new().get("/", index);
}
