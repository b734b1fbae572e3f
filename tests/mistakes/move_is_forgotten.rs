use corelane::{App, Request};

fn main() {
    let _ = App::new().get("/{name}", |req: Request| async {
        req.param("name").into_owned()
    });
}
