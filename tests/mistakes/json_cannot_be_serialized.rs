use corelane::{App, Json, Request};

struct Note;

async fn note(_req: Request) -> Json<Note> {
    Json(Note)
}

fn main() {
    let _ = App::new().get("/note", note);
}
