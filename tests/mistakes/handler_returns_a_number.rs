use corelane::{App, Request};

async fn count(_req: Request) -> u64 {
    7
}

fn main() {
    let _ = App::new().get("/count", count);
}
