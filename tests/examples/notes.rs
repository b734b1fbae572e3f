//! Notes in PostgreSQL, as JSON: made, listed, read, changed and deleted.
//!
//! `DATABASE_URL=postgres://USER@HOST/DATABASE cargo run --features postgres --example notes`

use corelane::postgres::{Options, Postgres, Row};
use corelane::{App, Json, Request, Result, Server, Shard};
use http::StatusCode;
use serde_json::{Value, json};

/// All cores make the table, in turn.
const TABLE: &str = "BEGIN; SELECT pg_advisory_xact_lock(1);
    CREATE TABLE IF NOT EXISTS note (id bigserial PRIMARY KEY, text text NOT NULL); COMMIT";
const ADD: &str = "INSERT INTO note (text) VALUES ($1) RETURNING *";
const LIST: &str = "SELECT * FROM note ORDER BY id DESC LIMIT 100";
const FIND: &str = "SELECT * FROM note WHERE id = $1";
const CHANGE: &str = "UPDATE note SET text = $2 WHERE id = $1 RETURNING *";
const DELETE: &str = "DELETE FROM note WHERE id = $1 RETURNING *";

fn main() -> Result<()> {
    let url = std::env::var("DATABASE_URL").unwrap_or("postgres://localhost/notes".to_owned());
    let options: Options = url.parse()?;
    Server::bind("127.0.0.1:8080").run(move |shard| app(shard, &options))
}

/// The application of one core.
pub(crate) fn app(shard: &Shard, options: &Options) -> App {
    let database = Postgres::new(shard, options);
    let starting = database.clone();
    App::new()
        .on_start(async move { starting.batch(TABLE).await })
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
    Ok((StatusCode::CREATED, Json(note(&row)?)))
}

async fn list(req: Request) -> Result<Json<Value>> {
    let rows = req.state::<Postgres>().query(LIST, &[]).await?;
    rows.iter().map(note).collect::<Result<_>>().map(Json)
}

/// The note that the path names, as `sql` leaves it; 404 if there is none.
async fn one(req: Request, sql: &str) -> Result<Option<Json<Value>>> {
    let id: i64 = req.param_as("id")?;
    let row = req.state::<Postgres>().query_opt(sql, &[&id]).await?;
    row.map(|row| note(&row).map(Json)).transpose()
}

async fn change(mut req: Request) -> Result<Option<Json<Value>>> {
    let (id, text) = (req.param_as::<i64>("id")?, req.json::<String>().await?);
    let row = req
        .state::<Postgres>()
        .query_opt(CHANGE, &[&id, &text])
        .await?;
    row.map(|row| note(&row).map(Json)).transpose()
}

fn note(row: &Row) -> Result<Value> {
    let (id, text): (i64, &str) = (row.try_get("id")?, row.try_get("text")?);
    Ok(json!({ "id": id, "text": text }))
}
