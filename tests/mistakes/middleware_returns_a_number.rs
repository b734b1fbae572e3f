use corelane::{App, Next, Request};

async fn log(req: Request, next: Next) -> u16 {
    next.run(req).await.status.as_u16()
}

fn main() {
    let _ = App::new().wrap(log);
}
