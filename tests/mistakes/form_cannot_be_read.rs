use corelane::{App, Request, Result};

struct Search {
    words: String,
}

async fn search(req: Request) -> Result<String> {
    Ok(req.query::<Search>()?.words)
}

fn main() {
    let _ = App::new().get("/search", search);
}
