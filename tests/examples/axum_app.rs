//! An axum app as it was, on every core: notes as JSON, with a layer of tower-http.
//!
//! `cargo run --features tower --example axum_app` listens on 127.0.0.1:8080, or on the address given
//! as an argument. Beside the routes of axum there is one of corelane's own.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use corelane::app::tower::Tower;
use corelane::{App, Result, Server};
use std::sync::{Arc, Mutex};
use tower_http::cors::CorsLayer;

/// Shared by all cores, as axum apps are used to. One for each core would need no lock.
type Notes = Arc<Mutex<Vec<String>>>;

fn main() -> Result<()> {
    let address = std::env::args().nth(1);
    let notes = Notes::default();
    Server::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).run(move |_shard| app(&notes))
}

/// The application of one core.
pub(crate) fn app(notes: &Notes) -> App {
    App::new()
        .get("/health", async |_| "fine")
        .fallback(Tower::new(routes(notes)))
}

/// What `axum::serve` was given.
fn routes(notes: &Notes) -> Router {
    Router::new()
        .route("/notes", get(list).post(add))
        .route("/notes/{id}", get(read))
        .layer(CorsLayer::permissive())
        .with_state(Arc::clone(notes))
}

async fn list(State(notes): State<Notes>) -> Json<Vec<String>> {
    Json(notes.lock().unwrap().clone())
}

async fn add(State(notes): State<Notes>, Json(note): Json<String>) -> (StatusCode, Json<usize>) {
    let mut notes = notes.lock().unwrap();
    notes.push(note);
    (StatusCode::CREATED, Json(notes.len() - 1))
}

async fn read(
    State(notes): State<Notes>,
    Path(id): Path<usize>,
) -> Result<Json<String>, StatusCode> {
    let note = notes.lock().unwrap().get(id).cloned();
    note.map(Json).ok_or(StatusCode::NOT_FOUND)
}
