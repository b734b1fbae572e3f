use corelane::{App, Request, Result};

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

async fn double(mut req: Request) -> Result<String> {
    let number = number(&req.text().await?)?;
    Ok((2 * number).to_string())
}

fn main() {
    let _ = App::new().post("/double", double);
}
