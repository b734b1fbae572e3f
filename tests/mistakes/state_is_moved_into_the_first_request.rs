use corelane::{App, Request};
use std::cell::Cell;
use std::rc::Rc;

fn main() {
    let visits = Rc::new(Cell::new(0));
    let _ = App::new().get("/", move |_req: Request| async move {
        visits.set(visits.get() + 1);
        visits.get().to_string()
    });
}
