//! What a load generator leaves out that asks again when it has been answered (coordinated omission).
//!
//! The server has one core, which the handler of `/` holds for 300 ms once in 10 s. Ask it both ways:
//!
//! ```text
//! cargo run --release --example omission                  serves at 127.0.0.1:8080, or the address given
//! wrk -t 1 -c 64 -d 20 --latency http://127.0.0.1:8080/   64 requests wait out a stall: wrk guesses the others
//! cargo run --release --example omission -- --ask         2,000 requests a second, whatever becomes of them
//! curl '127.0.0.1:8080/stats?fresh=1'                     latency, stages/queue, loop_lag of the core, stalls
//! ```
//!
//! Of those that come whatever becomes of them the server tells the same as who asked; start it anew in between.

use corelane::cores::CoreSelection;
use corelane::{App, Request, Server};
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// For how long the core is held.
pub(crate) const HELD: Duration = Duration::from_millis(300);
const EVERY: Duration = Duration::from_secs(10);

// So many that none has a request before the last was answered, even when the core is held.
const CONNECTIONS: u32 = 640;
const PER_SECOND: u32 = 2_000;
const SECONDS: u32 = 20;

fn main() -> corelane::Result<()> {
    let (asks, addresses): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|given| given == "--ask");
    let address = addresses.first().map_or("127.0.0.1:8080", String::as_str);
    if asks.is_empty() {
        let core = CoreSelection::Count(NonZeroUsize::MIN);
        return Server::bind(address).cores(core).run(|_| app(EVERY));
    }
    let mut latencies = ask(address, CONNECTIONS, PER_SECOND, PER_SECOND * SECONDS)?;
    latencies.sort_unstable();
    let of_1_000 = |rank: usize| latencies[(latencies.len() * rank).div_ceil(1_000) - 1];
    let told = [
        ("p50", 500),
        ("p99", 990),
        ("p99.9", 999),
        ("longest", 1_000),
    ];
    for (name, rank) in told {
        let line = format!("{name:8}{:.1?}\n", of_1_000(rank));
        io::stdout().write_all(line.as_bytes())?;
    }
    Ok(())
}

/// The application of the core, which it holds once in this time.
pub(crate) fn app(every: Duration) -> App {
    let held_at = Rc::new(Cell::new(Instant::now()));
    App::new().get("/", move |_: Request| {
        let held_at = Rc::clone(&held_at);
        async move {
            if held_at.get().elapsed() >= every {
                let since = Instant::now();
                while since.elapsed() < HELD {}
                held_at.set(Instant::now());
            }
            "Hello, World!"
        }
    })
}

/// Asks on so many connections, at times that are told by the clock alone, and returns how long after its
/// time each request was answered.
pub(crate) fn ask(
    address: &str,
    connections: u32,
    per_second: u32,
    requests: u32,
) -> io::Result<Vec<Duration>> {
    let begun = Instant::now();
    let due = move |request: u32| begun + Duration::from_secs(1) * request / per_second;
    thread::scope(|scope| {
        let mut answers = Vec::new();
        for connection in 0..connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            let (mut sending, receiving) = (stream.try_clone()?, BufReader::new(stream));
            let own = move || (connection..requests).step_by(connections as usize);
            scope.spawn(move || {
                own().try_for_each(|request| {
                    thread::sleep(due(request).saturating_duration_since(Instant::now()));
                    sending.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                })
            });
            answers.push(scope.spawn(move || {
                let mut receiving = receiving;
                let latency = |request| {
                    answer(&mut receiving)?;
                    Ok(due(request).elapsed())
                };
                own().map(latency).collect::<io::Result<Vec<_>>>()
            }));
        }
        let mut latencies = Vec::new();
        for answer in answers {
            latencies.extend(answer.join().map_err(|_| io::Error::other("a panic"))??);
        }
        Ok(latencies)
    })
}

/// Reads one response.
fn answer(receiving: &mut impl BufRead) -> io::Result<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        receiving.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().map_err(io::Error::other)?,
            None if line == "\r\n" => break,
            None if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
    io::copy(&mut receiving.take(length), &mut io::sink()).map(drop)
}
