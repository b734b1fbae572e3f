//! Messages between the cores of a server, which has two of them here.

use crate::app::Served;
use crate::support::client::Client;
use crate::support::outside::not_run;
use crate::support::wait_until;
use corelane::between::{Lanes, Mailbox};
use corelane::cores::CoreSelection;
use corelane::ring::{Deadline, Ring};
use corelane::{App, Error, Request, Server, Shard};
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Serves what `factory` makes on two cores; `None` where there is only one.
fn serve(factory: impl Fn(&Shard) -> App + Send + Sync + 'static) -> Option<Served> {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        not_run("it takes two cores");
        return None;
    }
    let two = CoreSelection::Count(NonZeroUsize::new(2)?);
    Some(Served::on(Server::bind("127.0.0.1:0").cores(two), factory))
}

/// A connection to the server's core of this number, of which `/core` tells.
fn connect(server: &Served, core: usize) -> Client {
    loop {
        let mut client = Client::connect(server.address);
        client.get("/core");
        if client.response().body == core.to_string().as_bytes() {
            return client;
        }
    }
}

async fn sleep(ring: &Ring, time: Duration) {
    let deadline = Deadline::new(ring);
    deadline.arm(time);
    deadline.passed().await;
}

#[test]
fn a_million_messages_between_cores_arrive_in_order() {
    const EACH: usize = 500_000;
    let (done, results) = channel();
    let app = move |shard: &Shard| {
        let (lanes, mut mailbox) = shard.lanes::<usize>();
        let (here, done) = (shard.index(), done.clone());
        App::new()
            .background(async move {
                for n in 0..EACH {
                    lanes.send(1 - here, n).await.expect("the other receives");
                }
            })
            .background(async move {
                let mut in_order = 0;
                while in_order < EACH && mailbox.recv_from().await == Some((1 - here, in_order)) {
                    in_order += 1;
                }
                // A test that has failed listens no more.
                let _ = done.send(in_order);
            })
    };
    let Some(_server) = serve(app) else { return };
    assert_eq!([results.recv(), results.recv()], [Ok(EACH), Ok(EACH)]);
}

/// Sends on what it receives, until there is no more.
async fn echo(lanes: Lanes<u32>, mut mailbox: Mailbox<u32>) {
    while let Some((from, n)) = mailbox.recv_from().await {
        // A core that has closed asks for nothing.
        let _ = lanes.send(from, n).await;
    }
}

#[test]
fn cores_wake_each_other_awake_or_asleep() {
    const ROUNDS: u32 = 3_000;
    let (done, results) = channel();
    let app = move |shard: &Shard| {
        let (lanes, mut mailbox) = shard.lanes::<u32>();
        let (ring, done) = (shard.ring().clone(), done.clone());
        if shard.index() == 1 {
            return App::new().background(echo(lanes, mailbox));
        }
        App::new().background(async move {
            for n in 0..ROUNDS {
                if n % 100 == 0 {
                    // Long enough for both cores to park: neither has anything else to do.
                    sleep(&ring, Duration::from_millis(20)).await;
                }
                lanes.send(1, n).await.expect("the other receives");
                assert_eq!(mailbox.recv().await, Some(n));
            }
            let _ = done.send(());
        })
    };
    let Some(_server) = serve(app) else { return };
    assert_eq!(results.recv(), Ok(()));
}

#[test]
fn a_broadcast_is_heard_on_every_core() {
    let app = |shard: &Shard| {
        let (lanes, mut mailbox) = shard.lanes::<Vec<u8>>();
        let (here, heard) = (shard.index(), Rc::new(std::cell::RefCell::new(Vec::new())));
        let hears = Rc::clone(&heard);
        App::new()
            .background(async move {
                while let Some(words) = mailbox.recv().await {
                    hears.borrow_mut().extend(words);
                }
            })
            .get("/core", move |_: Request| async move { here.to_string() })
            .get("/", move |_: Request| {
                let heard = heard.borrow().clone();
                async { heard }
            })
            .post("/", move |mut request: Request| {
                let lanes = lanes.clone();
                async move {
                    lanes.broadcast(request.bytes().await?.to_vec()).await?;
                    Ok::<_, Error>("said")
                }
            })
    };
    let Some(server) = serve(app) else { return };
    let mut clients = [connect(&server, 0), connect(&server, 1)];
    for (core, words) in [(0, "a"), (1, "b"), (0, "c")] {
        let length = words.len();
        clients[core].send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{words}"
        ));
        assert_eq!(clients[core].response().status, 200);
        for client in &mut clients {
            wait_until("it is heard", || {
                client.get("/");
                client.response().body.ends_with(words.as_bytes())
            });
        }
    }
}

/// An app that answers `/ask` late in a shutdown, with what the other core has to say.
fn late(shard: &Shard, begun: Sender<()>) -> App {
    let (lanes, mut mailbox) = shard.lanes::<u32>();
    let here = shard.index();
    let app = App::new().get("/core", move |_: Request| async move { here.to_string() });
    if here == 1 {
        return app.background(echo(lanes, mailbox));
    }
    let (ring, drains) = (shard.ring().clone(), Rc::new(Cell::new(false)));
    let told = Rc::clone(&drains);
    let answers = Rc::new(Cell::new(0));
    let answered = Rc::clone(&answers);
    app.on_drain(async move { told.set(true) })
        .background(async move {
            while let Some(n) = mailbox.recv().await {
                answered.set(n);
            }
        })
        .get("/ask", move |_: Request| {
            let (ring, drains) = (ring.clone(), Rc::clone(&drains));
            let (lanes, answers) = (lanes.clone(), Rc::clone(&answers));
            let begun = begun.clone();
            async move {
                let _ = begun.send(());
                while !drains.get() {
                    sleep(&ring, Duration::from_millis(1)).await;
                }
                // The other core has long had nothing to do.
                sleep(&ring, Duration::from_millis(500)).await;
                lanes.send(1, 7).await?;
                while answers.get() == 0 {
                    sleep(&ring, Duration::from_millis(1)).await;
                }
                Ok::<_, Error>(answers.get().to_string())
            }
        })
}

#[test]
fn the_last_requests_of_a_shutdown_find_the_other_cores() {
    let (begun, begins) = channel();
    let Some(server) = serve(move |shard| late(shard, begun.clone())) else {
        return;
    };
    let mut client = connect(&server, 0);
    client.get("/ask");
    begins.recv().expect("it begins");
    let stopping = std::thread::spawn(move || drop(server));
    let response = client.response();
    assert_eq!((response.status, &*response.body), (200, &b"7"[..]));
    stopping.join().expect("it stops");
}

#[test]
fn what_is_sent_in_a_shutdown_arrives() {
    const MESSAGES: usize = 3_000;
    let (done, results) = channel();
    let app = move |shard: &Shard| {
        let (lanes, mut mailbox) = shard.lanes::<usize>();
        let (there, done) = (1 - shard.index(), done.clone());
        App::new()
            .on_drain(async move {
                for n in 0..MESSAGES {
                    lanes.send(there, n).await.expect("not all are quiet");
                }
            })
            .background(async move {
                let mut received = 0;
                while mailbox.recv().await.is_some() {
                    received += 1;
                }
                let _ = done.send(received);
            })
    };
    let Some(server) = serve(app) else { return };
    drop(server);
    assert_eq!(
        [results.recv(), results.recv()],
        [Ok(MESSAGES), Ok(MESSAGES)]
    );
}

#[test]
fn a_handler_that_cannot_send_answers_503() {
    let app = |shard: &Shard| {
        let (lanes, mailbox) = shard.core().lanes_for::<u32>(2);
        let (here, mailbox) = (shard.index(), Rc::new(mailbox));
        App::new()
            .get("/core", move |_: Request| async move { here.to_string() })
            .get("/{to:u64}", move |request: Request| {
                // Nobody reads what is in it.
                let (lanes, _mailbox) = (lanes.clone(), Rc::clone(&mailbox));
                async move {
                    let to = request.param("to").parse().unwrap_or(usize::MAX);
                    lanes.try_send(to, 1)?;
                    Ok::<_, Error>("sent")
                }
            })
    };
    let Some(server) = serve(app) else { return };
    let mut client = connect(&server, 0);
    for (path, status) in [
        ("/1", 200),
        ("/1", 200),
        ("/1", 503),
        ("/2", 503),
        ("/0", 200),
    ] {
        client.get(path);
        assert_eq!(client.response().status, status, "{path}");
    }
}
