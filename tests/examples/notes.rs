//! Notes in PostgreSQL, as JSON: made, listed, read, changed and deleted. `DATABASE_URL=postgres://USER@HOST/DATABASE
//! cargo run --features postgres --example notes -- --listen 127.0.0.1:8080`

use corelane::postgres::{Options, Postgres};
use corelane::{App, Json, Request, Result, Server, Shard, StatusCode};
use serde_json::Value;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS note (id serial8 PRIMARY KEY, text text NOT NULL)";
const ADD: &str = "INSERT INTO note (text) VALUES ($1) RETURNING to_jsonb(note)";
const LIST: &str = "SELECT to_jsonb(note) FROM note ORDER BY id DESC LIMIT 100";
const FIND: &str = "SELECT to_jsonb(note) FROM note WHERE id = $1";
const CHANGE: &str = "UPDATE note SET text = $2 WHERE id = $1 RETURNING to_jsonb(note)";
const DELETE: &str = "DELETE FROM note WHERE id = $1 RETURNING to_jsonb(note)";

fn main() -> Result<()> {
    let options = Options::from_env("DATABASE_URL")?;
    let mut listen = std::env::args().skip_while(|given| given != "--listen");
    let address = listen.nth(1).unwrap_or("127.0.0.1:8080".into());
    Server::bind(address).run(move |shard| app(shard, &options))
}

/// The application of one core.
pub(crate) fn app(shard: &Shard, options: &Options) -> App {
    let database = Postgres::new(shard, options);
    App::new()
        .on_start(database.set_up(TABLE))
        .state(database)
        .post("/notes", add)
        .get("/notes", list)
        .get("/notes/{id:i64}", |req| one(req, FIND))
        .put("/notes/{id:i64}", change)
        .delete("/notes/{id:i64}", |req| one(req, DELETE))
}

async fn add(mut req: Request) -> Result<(StatusCode, Json<Value>)> {
    let text: String = req.json().await?;
    let row = req.state::<Postgres>().query_one(ADD, &[&text]).await?;
    Ok((StatusCode::CREATED, Json(row.try_get(0)?)))
}

async fn list(req: Request) -> Result<Json<Vec<Value>>> {
    let rows = req.state::<Postgres>().query(LIST, &[]).await?;
    let notes: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(Json(notes?))
}

/// The note that the path names, as `sql` finds it; 404 if there is none.
async fn one(req: Request, sql: &str) -> Result<Option<Json<Value>>> {
    let id: i64 = req.param_as("id")?;
    let row = req.state::<Postgres>().query_opt(sql, &[&id]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map(Json))
}

async fn change(mut req: Request) -> Result<Option<Json<Value>>> {
    let (id, text) = (req.param_as::<i64>("id")?, req.json::<String>().await?);
    let database = req.state::<Postgres>();
    let row = database.query_opt(CHANGE, &[&id, &text]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.map(Json))
}
