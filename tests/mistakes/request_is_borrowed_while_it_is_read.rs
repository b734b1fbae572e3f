use corelane::{App, Request, Result};

async fn save(mut req: Request) -> Result<String> {
    let name = req.param("name");
    let text = req.text().await?;
    Ok(format!("{name}: {text}"))
}

fn main() {
    let _ = App::new().put("/{name}", save);
}
