use corelane::{App, Request, Result};

struct Note {
    _text: String,
}

async fn note(mut req: Request) -> Result<Note> {
    let _text = req.text().await?;
    Ok(Note { _text })
}

fn main() {
    let _ = App::new().post("/notes", note);
}
