use corelane::{App, Request};

async fn echo(mut req: Request) -> String {
    req.text().await?
}

fn main() {
    let _ = App::new().post("/echo", echo);
}
