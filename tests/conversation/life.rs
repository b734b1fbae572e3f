//! What an app does beside answering requests, in memory and on a core.

use corelane::testing::{Conversation, TestClient};
use corelane::{App, Error, Limits, Request, Server};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};

/// An app that tells `notes` what it does, and answers with what its start has set.
fn app(notes: Sender<&'static str>) -> App {
    let (word, other) = (
        Rc::new(Cell::new("too early")),
        Rc::new(Cell::new("too early")),
    );
    let (starter, second, handler) = (Rc::clone(&word), Rc::clone(&other), Rc::clone(&other));
    let notes = Rc::new(notes);
    let tell = move |what| {
        let notes = Rc::clone(&notes);
        // A test that failed does not listen any more.
        async move {
            let _ = notes.send(what);
        }
    };
    App::new()
        .on_start(async move {
            futures_lite::future::yield_now().await;
            starter.set("ready");
            Ok(())
        })
        .on_start(async move {
            second.set(word.get());
            Ok(())
        })
        .background(tell("beside"))
        .on_drain(tell("drained"))
        .get("/", move |_: Request| {
            let word = handler.get();
            async move { word }
        })
}

#[test]
fn a_core_starts_its_app_and_has_it_drain() {
    let (sender, notes) = channel();
    let server = Server::bind("127.0.0.1:0");
    let server = server.cores(corelane::cores::CoreSelection::Count(
        std::num::NonZeroUsize::MIN,
    ));
    let server = server
        .start(move |shard| {
            let ended = sender.clone();
            shard.on_end(async move {
                let _ = ended.send("ended");
            });
            app(sender.clone())
        })
        .expect("it starts");
    let mut client = TestClient::connect(server.addresses()[0]);
    assert_eq!(client.get("/").send().text(), "ready");
    assert_eq!(notes.recv(), Ok("beside"));
    assert!(notes.try_recv().is_err());
    drop(client);
    server.stop().expect("no shard failed");
    assert_eq!(notes.recv(), Ok("drained"));
    assert_eq!(notes.recv(), Ok("ended"));
}

#[test]
fn a_conversation_does_the_same() {
    let (sender, notes) = channel();
    let mut peer = Conversation::new(app(sender)).expect("it starts");
    assert_eq!(notes.try_recv(), Ok("beside"));
    assert!(notes.try_recv().is_err());
    peer.drain();
    assert_eq!(notes.try_recv(), Ok("drained"));
}

#[test]
fn an_app_that_cannot_start_is_not_served() {
    let app = || App::new().on_start(async { Err(std::io::Error::other("no database").into()) });
    let error = TestClient::try_new(app(), Limits::default()).unwrap_err();
    assert!(error.to_string().contains("no database"), "{error}");
    let error = Server::bind("127.0.0.1:0")
        .start(move |_| app())
        .unwrap_err();
    assert!(error.to_string().contains("no database"), "{error}");
    let app = App::new().on_start(std::future::pending::<Result<(), Error>>());
    assert!(TestClient::try_new(app, Limits::default()).is_err());
}
