use corelane::{App, Request, Server};
use std::cell::Cell;
use std::rc::Rc;

fn main() -> corelane::Result<()> {
    let visits = Rc::new(Cell::new(0));
    Server::bind("127.0.0.1:8080").run(move |_shard| {
        let visits = Rc::clone(&visits);
        App::new().get("/", move |_req: Request| {
            visits.set(visits.get() + 1);
            let answer = visits.get().to_string();
            async { answer }
        })
    })
}
