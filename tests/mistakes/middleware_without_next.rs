use corelane::{App, Request, Response, StatusCode};

async fn closed(_req: Request) -> Response {
    Response::new(StatusCode::SERVICE_UNAVAILABLE)
}

fn main() {
    let _ = App::new().wrap(closed);
}
