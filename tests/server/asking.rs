//! Questions that one core of a server asks another.

use crate::app::Served;
use crate::between::{connect, serve};
use corelane::between::Sharded;
use corelane::limits::QUESTIONS;
use corelane::{App, Error, Request, Shard};
use futures_lite::future::poll_once;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Poll, Waker};
use std::time::Duration;

/// How long those wait who are to wait until the end of a test.
const LONG: Duration = Duration::from_secs(60);

/// As long as a question waits that is to be late.
const SHORT: Duration = Duration::from_millis(50);

/// Something that is waited for until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Gate {
    fn open(&self) {
        self.is_open.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    async fn opened(&self) {
        poll_fn(|cx| {
            if self.is_open.get() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What a core is asked for.
#[derive(Clone, Copy)]
enum Question {
    /// To answer when its gate is open.
    Wait,
    Answer,
    Panic,
}

/// Tells `notes` when it is dropped.
struct Told(Sender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        // A test that has failed listens no more.
        let _ = self.0.send("the asker is gone");
    }
}

/// An app whose core 1 is asked by what core 0 is asked for. The gate of a core opens when it is told
/// to, and in a shutdown.
fn app(shard: &Shard, notes: &Sender<&'static str>) -> App {
    let (here, gate) = (shard.index(), Rc::<Gate>::default());
    let (opens, ends, noted) = (Rc::clone(&gate), Rc::clone(&gate), notes.clone());
    let sharded = shard.sharded(move |question| {
        let (gate, noted) = (Rc::clone(&gate), noted.clone());
        async move {
            match question {
                Question::Answer => {}
                Question::Panic => panic!("asked for"),
                Question::Wait => {
                    let _ = noted.send("asked");
                    gate.opened().await;
                    let _ = noted.send("answered");
                }
            }
            here
        }
    });
    let ask = |question: Question, limit: Duration| {
        let (sharded, notes) = (sharded.within(limit), notes.clone());
        move |_: Request| {
            let (sharded, told) = (sharded.clone(), Told(notes.clone()));
            async move {
                let answer = sharded.ask_at(1, question).await?;
                drop(told);
                Ok::<_, Error>(answer.to_string())
            }
        }
    };
    App::new()
        .on_drain(async move { ends.open() })
        .get("/core", move |_: Request| async move { here.to_string() })
        .get("/answer", ask(Question::Answer, LONG))
        .get("/wait", ask(Question::Wait, LONG))
        .get("/late", ask(Question::Wait, SHORT))
        .get("/panic", ask(Question::Panic, LONG))
        .get("/open", move |_: Request| {
            opens.open();
            async {}
        })
        .get("/leave/{count}", move |request: Request| {
            let sharded = sharded.within(LONG);
            async move { leave(&sharded, request.param_as("count")?).await }
        })
}

/// Asks so many questions, and waits for none of the answers.
async fn leave(sharded: &Sharded<Question, usize>, count: usize) -> Result<(), Error> {
    for _ in 0..count {
        let asked = poll_once(Box::pin(sharded.ask_at(1, Question::Wait))).await;
        assert!(asked.is_none(), "{asked:?}");
    }
    Ok(())
}

/// A server with that app, and what it notes; `None` where there is only one core.
fn served() -> Option<(Served, Receiver<&'static str>)> {
    let (notes, noted) = channel();
    Some((serve(move |shard| app(shard, &notes))?, noted))
}

#[test]
fn a_question_is_answered_by_the_core_that_is_asked() {
    let Some((server, _noted)) = served() else {
        return;
    };
    for core in [0, 1] {
        let mut client = connect(&server, core);
        client.get("/answer");
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "1"), "{core}");
    }
}

#[test]
fn failures_of_a_question_have_their_status_and_leave_the_core_as_it_was() {
    let Some((server, _noted)) = served() else {
        return;
    };
    // Asked by another core, and at home.
    for core in [0, 1] {
        let mut client = connect(&server, core);
        for (path, status) in [("/late", 504), ("/panic", 500), ("/answer", 200)] {
            client.get(path);
            assert_eq!(client.response().status, status, "{path} of core {core}");
        }
    }
}

#[test]
fn so_many_questions_wait_and_the_next_is_not_asked() {
    let Some((server, _noted)) = served() else {
        return;
    };
    let mut client = connect(&server, 0);
    let mut status = |path: String| {
        client.get(&path);
        client.response().status
    };
    assert_eq!(status(format!("/leave/{}", QUESTIONS - 1)), 204);
    // The last that may wait is asked, and late.
    assert_eq!(status("/late".to_owned()), 504);
    // Its place is free when the other core has given it up, too.
    assert_eq!(status("/answer".to_owned()), 200);
    assert_eq!(status("/leave/1".to_owned()), 204);
    assert_eq!(status("/late".to_owned()), 503);
    // Answers that nobody waits for make room as others do.
    let mut opener = connect(&server, 1);
    opener.get("/open");
    assert_eq!(opener.response().status, 204);
    assert_eq!(status("/wait".to_owned()), 200);
}

#[test]
fn a_question_goes_on_when_its_asker_is_gone() {
    let Some((server, noted)) = served() else {
        return;
    };
    let mut client = connect(&server, 0);
    client.get("/wait");
    assert_eq!(noted.recv(), Ok("asked"));
    drop(client);
    assert_eq!(noted.recv(), Ok("the asker is gone"));
    let mut opener = connect(&server, 1);
    opener.get("/open");
    assert_eq!(opener.response().status, 204);
    assert_eq!(noted.recv(), Ok("answered"));
    let mut client = connect(&server, 0);
    client.get("/answer");
    assert_eq!(client.response().text(), "1");
}

#[test]
fn a_shutdown_waits_for_a_question_that_was_asked() {
    let Some((server, noted)) = served() else {
        return;
    };
    let mut client = connect(&server, 0);
    client.get("/wait");
    assert_eq!(noted.recv(), Ok("asked"));
    // The core that was asked has no connection: it opens its gate when the shutdown begins.
    let stopping = std::thread::spawn(move || drop(server));
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "1"));
    assert!(response.closes());
    stopping.join().expect("it stops");
}
