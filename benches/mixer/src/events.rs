//! Clients that listen to events: how late each came, and how long it was under way.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout_at};

use crate::block_on;
use crate::server::{EVERY, now_ns};
use crate::tally::Latencies;

const REQUEST: &[u8] = b"GET /events HTTP/1.1\r\nHost: site\r\n\r\n";

/// What listeners measured.
pub struct Heard {
    /// Beyond the time that lies between two events.
    pub late: Latencies,
    /// From when it was made.
    pub underway: Latencies,
}

#[derive(Default)]
struct Times {
    late_ns: Vec<u64>,
    underway_ns: Vec<u64>,
}

/// Has `listeners` listen until `until`.
pub fn run(address: SocketAddr, listeners: u32, until: Instant) -> Result<Heard> {
    let times = Rc::new(RefCell::new(Times::default()));
    let all = Rc::clone(&times);
    block_on(async move {
        let mut clients = Vec::new();
        for _ in 0..listeners {
            clients.push(spawn_local(listen(address, until, Rc::clone(&all))));
            // Spread over the second, as listeners are.
            sleep(EVERY / 2 / listeners).await;
        }
        for client in clients {
            client.await??;
        }
        Ok(())
    })?;
    let Times {
        late_ns,
        underway_ns,
    } = times.take();
    Ok(Heard {
        late: Latencies::of(late_ns),
        underway: Latencies::of(underway_ns),
    })
}

async fn listen(address: SocketAddr, until: Instant, times: Rc<RefCell<Times>>) -> Result<()> {
    let mut stream = BufReader::with_capacity(512, TcpStream::connect(address).await?);
    stream.write_all(REQUEST).await?;
    let mut line = String::new();
    let mut last_ns = None;
    loop {
        line.clear();
        let read = timeout_at(until.into(), stream.read_line(&mut line));
        let Ok(bytes) = read.await else { break };
        ensure!(bytes? > 0, "the server ended a stream of events");
        let Some(made_ns) = line.strip_prefix("data: ") else {
            continue;
        };
        let made_ns: u64 = made_ns.trim().parse().context("an event is malformed")?;
        let arrived_ns = now_ns();
        let mut times = times.borrow_mut();
        times.underway_ns.push(arrived_ns.saturating_sub(made_ns));
        if let Some(last_ns) = last_ns.replace(arrived_ns) {
            let gap = Duration::from_nanos(arrived_ns.saturating_sub(last_ns));
            times
                .late_ns
                .push(gap.saturating_sub(EVERY).as_nanos() as u64);
        }
    }
    ensure!(last_ns.is_some(), "a listener never heard an event");
    Ok(())
}
