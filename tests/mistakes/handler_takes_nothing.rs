use corelane::App;

async fn index() -> &'static str {
    "Hello"
}

fn main() {
    let _ = App::new().get("/", index);
}
