//! The example `axum_app` answers as it did under axum, with its extractors and its layer.

#![cfg(feature = "tower")]

#[path = "examples/axum_app.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod axum_app;

use corelane::Server;
use corelane::testing::TestClient;
use std::sync::{Arc, Mutex};

fn takes_notes(client: &mut TestClient) {
    let note = |client: &mut TestClient, content: &str| {
        let request = client
            .post("/notes")
            .header("content-type", "application/json");
        let answer = request.body(content.to_owned()).send();
        (answer.status().as_u16(), answer.text().to_owned())
    };
    assert_eq!(note(client, "\"milk\""), (201, "0".into()));
    assert_eq!(note(client, "\"eggs\""), (201, "1".into()));
    assert_eq!(note(client, "\"open").0, 400);
    assert_eq!(note(client, "{}").0, 422);
    for (path, status, text) in [
        ("/notes", 200, "[\"milk\",\"eggs\"]"),
        ("/notes/1", 200, "\"eggs\""),
        ("/notes/2", 404, ""),
        ("/other", 404, ""),
        ("/health", 200, "fine"),
    ] {
        let answer = client.get(path).header("origin", "http://o").send();
        assert_eq!(
            (answer.status().as_u16(), answer.text()),
            (status, text),
            "{path}"
        );
        let is_axums = path != "/health";
        assert_eq!(
            answer.header("access-control-allow-origin").is_some(),
            is_axums
        );
    }
    let answer = client.get("/notes/x").send();
    assert_eq!(answer.status().as_u16(), 400);
    let answer = client.delete("/notes").send();
    assert_eq!(
        (answer.status().as_u16(), answer.header("allow")),
        (405, Some("GET,HEAD,POST"))
    );
    let answer = client.head("/notes").send();
    assert_eq!(
        (answer.header("content-length"), answer.text()),
        (Some("15"), "")
    );
}

#[test]
fn it_takes_notes_in_memory_and_over_a_socket() {
    takes_notes(&mut TestClient::new(axum_app::app(&Arc::default())));
    let notes = Arc::new(Mutex::new(Vec::new()));
    let served = Arc::clone(&notes);
    let server = Server::bind("127.0.0.1:0").start(move |_shard| axum_app::app(&served));
    let server = server.unwrap();
    takes_notes(&mut TestClient::connect(server.addresses()[0]));
    server.stop().unwrap();
    assert_eq!(*notes.lock().unwrap(), ["milk", "eggs"]);
}
