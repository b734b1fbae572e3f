//! Plain requests on connections that are kept: one at a time on each, at an even pace.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

use crate::block_on;
use crate::tally::Latencies;

/// Between two requests of a client, if the first is answered by then.
const EVERY: Duration = Duration::from_millis(2);

const REQUEST: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: site\r\n\r\n";

/// Sends requests from `clients` connections until `until`: how long they took.
pub fn run(address: SocketAddr, clients: u32, until: Instant) -> Result<Latencies> {
    times_ns(address, clients, until).map(Latencies::of)
}

/// The same: how long each took, in nanoseconds, in the order in which they were answered.
pub fn times_ns(address: SocketAddr, clients: u32, until: Instant) -> Result<Vec<u64>> {
    let times_ns = Rc::new(RefCell::new(Vec::new()));
    let all = Rc::clone(&times_ns);
    block_on(async move {
        let clients: Vec<_> = (0..clients)
            .map(|_| spawn_local(client(address, until, Rc::clone(&all))))
            .collect();
        for client in clients {
            client.await??;
        }
        Ok(())
    })?;
    Ok(times_ns.take())
}

async fn client(address: SocketAddr, until: Instant, times: Rc<RefCell<Vec<u64>>>) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answer = [0; 1024];
    while Instant::now() < until {
        pace.tick().await;
        let sent = Instant::now();
        stream.write_all(REQUEST).await?;
        let mut received = 0;
        // The content is the end of the response.
        while !answer[..received].ends_with(b"Hello, World!") {
            let bytes = stream.read(&mut answer[received..]).await?;
            ensure!(
                bytes > 0,
                "the server closed a connection that was to be kept"
            );
            received += bytes;
        }
        times.borrow_mut().push(sent.elapsed().as_nanos() as u64);
    }
    Ok(())
}
