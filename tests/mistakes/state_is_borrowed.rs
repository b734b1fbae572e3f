use corelane::{App, Request};

fn app(greeting: &str) -> App {
    App::new().get("/", move |_req: Request| async move { greeting.to_owned() })
}

fn main() {
    let _ = app("Hello");
}
