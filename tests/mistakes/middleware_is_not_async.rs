use corelane::app::Answer;
use corelane::{App, Next, Request};

fn log(req: Request, next: Next) -> Option<Answer> {
    Some(next.run(req))
}

fn main() {
    let _ = App::new().wrap(log);
}
