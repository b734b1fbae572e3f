use corelane::{App, Request};

async fn user(id: u64, _req: Request) -> String {
    format!("user {id}")
}

fn main() {
    let _ = App::new().get("/users/{id}", user);
}
