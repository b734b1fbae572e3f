//! Plain requests beside those who read statistics: 100 scrapers that ask ten times a second each, in all
//! formats, and followers besides. What the mere number and length of such answers costs is told apart by
//! clients that ask as often for as many bytes of plain content.
//!
//! Rounds of all kinds take turns, and what is compared is medians, of the 99th percentile of all seconds: on a shared
//! machine one round is no measurement. In each second every form is written once, so that there is none without.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::spawn;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout_at};

use crate::files::give_way;
use crate::server::{MOST_HELD, ROUTES, STATUSES, Serving};
use crate::tally::Latencies;
use crate::{Load, block_on, join, plain};

/// How many ask.
const SCRAPERS: usize = 100;

/// Between two requests of one.
const EVERY: Duration = Duration::from_millis(100);

/// How many follow, as many as a core lets.
const FOLLOWERS: usize = 64;

/// What they ask for, in turn: all formats, windows, and the figures of each core.
const QUERIES: [&str; 18] = [
    "/stats",
    "/stats?window=1s",
    "/stats?window=10s&per_core=1",
    "/stats?window=60s",
    "/stats?filter=route",
    "/stats?charts=1",
    "/stats?format=prometheus",
    "/metrics?per_core=1",
    "/stats?format=openmetrics",
    "/stats?format=openmetrics&per_core=1",
    "/stats?format=protobuf",
    "/stats?format=protobuf&per_core=1",
    "/stats?format=hdr",
    "/stats?format=hdr&window=10s",
    "/stats?format=hlog",
    "/stats?format=hlog&window=60s",
    "/stats?format=html",
    "/stats?format=html&window=10s",
];

/// What Prometheus and browsers ask for, too.
const GZIP: &str = "Accept-Encoding: gzip\r\n";

/// By how much the 99th percentile of plain requests may move.
const MOST_MOVED: f64 = 1.05;

/// How often in a second the core may do one thing for longer than [`MOST_HELD`] besides those that it does without
/// anybody beside: a form that has such a piece to write has it whenever it is written, which is once a second.
const MOST_HELD_MORE: f64 = 1.0;

/// What plain requests are measured beside.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    Content,
    Scrapers,
    ScrapersAndFollowers,
}

const KINDS: [(Beside, &str); 4] = [
    (Beside::Nothing, "alone"),
    (Beside::Content, "beside as many requests for plain content"),
    (Beside::Scrapers, "beside 100 scrapers"),
    (
        Beside::ScrapersAndFollowers,
        "beside 100 scrapers and 64 followers",
    ),
];

/// One round of one kind, times in nanoseconds.
#[derive(Default)]
struct Round {
    requests: f64,
    p50: f64,
    /// Of each second.
    p99: Vec<f64>,
    max: f64,
    /// Of the time, the share in which the server ran.
    busy: f64,
    /// How many answers who asked beside got.
    answers: f64,
    /// Longest turn of the server's loop, as it tells itself.
    lag: f64,
}

/// One round of one kind in which the core was watched: the CPU time between two turns, in nanoseconds.
struct Watch {
    p50: f64,
    p99_9: f64,
    max: f64,
    /// How often in a second it was more than [`MOST_HELD`].
    longer: f64,
}

/// Loads the server in `rounds` of each kind, for `window` each; prints a table.
pub fn measure(serving: &Serving, clients: u32, rounds: usize, window: Duration) -> Result<()> {
    let address = serving.address;
    block_on(fill(address))?;
    let lengths = block_on(lengths(address))?;
    let mut all: [Vec<Round>; KINDS.len()] = Default::default();
    let mut watches: [Vec<Watch>; KINDS.len()] = Default::default();
    for number in 0..rounds {
        // Each begins with another.
        for place in 0..KINDS.len() {
            let kind = (number + place) % KINDS.len();
            let (beside, name) = KINDS[kind];
            eprintln!("round {}: {name}", number + 1);
            all[kind].push(round(serving, beside, &lengths, clients, window)?);
            watches[kind].push(watched(serving, beside, &lengths, clients, window)?);
        }
    }
    println!(
        "| plain requests | count | p50 | p99 | max | p99 ÷ alone | server's CPU | answers beside | longest turn |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    let of_rounds = |kind: usize, of: fn(&Round) -> f64| median(all[kind].iter().map(of));
    let p99 = |kind: usize| median(all[kind].iter().flat_map(|round| round.p99.iter().copied()));
    for (kind, (_, name)) in KINDS.iter().enumerate() {
        println!(
            "| {name} | {:.0} | {:.3} ms | {:.3} ms | {:.2} ms | {:.3} | {:.1} % | {:.0} | {:.0} µs |",
            of_rounds(kind, |round| round.requests),
            of_rounds(kind, |round| round.p50) / 1e6,
            p99(kind) / 1e6,
            of_rounds(kind, |round| round.max) / 1e6,
            p99(kind) / p99(0),
            100.0 * of_rounds(kind, |round| round.busy),
            of_rounds(kind, |round| round.answers),
            of_rounds(kind, |round| round.lag) / 1e3,
        );
    }

    println!(
        "\n| CPU time of the core between two turns | p50 | p99.9 | max | over {MOST_HELD:?}, each second |"
    );
    println!("|---|--:|--:|--:|--:|");
    let of_watches = |kind: usize, of: fn(&Watch) -> f64| median(watches[kind].iter().map(of));
    let longer = |kind| of_watches(kind, |watch| watch.longer);
    for (kind, (_, name)) in KINDS.iter().enumerate() {
        println!(
            "| {name} | {:.1} µs | {:.1} µs | {:.1} µs | {:.2} |",
            of_watches(kind, |watch| watch.p50) / 1e3,
            of_watches(kind, |watch| watch.p99_9) / 1e3,
            of_watches(kind, |watch| watch.max) / 1e3,
            longer(kind),
        );
    }
    println!(
        "\np99 beside scrapers ÷ p99 beside plain content: {:.3}",
        p99(2) / p99(1)
    );
    let moved = p99(2) / p99(0);
    ensure!(moved < MOST_MOVED, "scrapers moved p99 to {moved:.3} of it");
    // What the kernel does for others is in the CPU time as well, whatever the core does.
    let more = longer(2) - longer(0);
    ensure!(
        more < MOST_HELD_MORE,
        "scrapers held the core for more than {MOST_HELD:?} {more:.2} times a second"
    );
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn round(
    serving: &Serving,
    beside: Beside,
    lengths: &[usize],
    clients: u32,
    window: Duration,
) -> Result<Round> {
    let address = serving.address;
    let until = Instant::now() + window + LEAD;
    let others = begin(address, beside, lengths, until);
    // All have come when this is over.
    std::thread::sleep(LEAD);
    let before = serving.cpu_time()?;
    let times_ns = plain::times_ns(address, clients, until)?;
    let busy = (serving.cpu_time()? - before).as_secs_f64() / window.as_secs_f64();
    let (answers, lag) = join(others)?;
    let ns = |times: &Latencies, percent| times.percentile(percent).as_nanos() as f64;
    // They come at an even pace: each second has as many.
    let in_second = times_ns.len().div_ceil(window.as_secs() as usize).max(1);
    let seconds = times_ns.chunks(in_second);
    let p99 = seconds.map(|second| ns(&Latencies::of(second.to_vec()), 99.0));
    let p99 = p99.collect();
    let latencies = Latencies::of(times_ns);
    Ok(Round {
        requests: latencies.count() as f64,
        p50: ns(&latencies, 50.0),
        p99,
        max: ns(&latencies, 100.0),
        busy,
        answers: answers as f64,
        lag: lag as f64,
    })
}

/// Time for all who load the server to come.
const LEAD: Duration = Duration::from_millis(500);

/// The same load, while a task of the core measures how much CPU time passes between its turns.
fn watched(
    serving: &Serving,
    beside: Beside,
    lengths: &[usize],
    clients: u32,
    window: Duration,
) -> Result<Watch> {
    let address = serving.address;
    let until = Instant::now() + window + 2 * LEAD;
    let others = begin(address, beside, lengths, until);
    let plain = spawn(move || plain::run(address, clients, until));
    std::thread::sleep(LEAD);
    let told = block_on(async move {
        let path = format!("/watch/{}", window.as_millis());
        Asking::connect(address, "").await?.ask(&path).await
    })?;
    join(plain)?;
    join(others)?;
    let told = String::from_utf8(told)?;
    let told: Vec<f64> = told.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [p50, p99_9, max, longer] = told[..] else {
        bail!("other figures than four");
    };
    Ok(Watch {
        p50,
        p99_9,
        max,
        longer: longer / window.as_secs_f64(),
    })
}

/// Those who ask beside plain requests, on a thread of their own that runs where those leave room: how many
/// answers they got, and the longest turn of the server's loop meanwhile, in nanoseconds.
fn begin(
    address: SocketAddr,
    beside: Beside,
    lengths: &[usize],
    until: Instant,
) -> Load<(usize, u64)> {
    let paths: Vec<String> = match beside {
        Beside::Nothing => Vec::new(),
        Beside::Content => lengths
            .iter()
            .map(|length| format!("/content/{length}"))
            .collect(),
        Beside::Scrapers | Beside::ScrapersAndFollowers => QUERIES.map(str::to_owned).to_vec(),
    };
    let followers = match beside {
        Beside::ScrapersAndFollowers => FOLLOWERS,
        _ => 0,
    };
    spawn(move || {
        give_way();
        block_on(ask_all(address, paths, followers, until))
    })
}

async fn ask_all(
    address: SocketAddr,
    paths: Vec<String>,
    followers: usize,
    until: Instant,
) -> Result<(usize, u64)> {
    let turns = spawn_local(longest_turn(address, until));
    let answers = Rc::new(Cell::new(0));
    let mut clients = Vec::new();
    for number in 0..if paths.is_empty() { 0 } else { SCRAPERS } {
        let path = paths[number % paths.len()].clone();
        clients.push(spawn_local(scrape(
            address,
            path,
            until,
            Rc::clone(&answers),
        )));
        // As those are spread over the time who know nothing of each other.
        sleep(EVERY / SCRAPERS as u32).await;
    }
    for _ in 0..followers {
        clients.push(spawn_local(follow(address, until)));
    }
    for client in clients {
        client.await??;
    }
    Ok((answers.get(), turns.await??))
}

async fn scrape(
    address: SocketAddr,
    path: String,
    until: Instant,
    answers: Rc<Cell<usize>>,
) -> Result<()> {
    let mut asking = Asking::connect(address, GZIP).await?;
    let mut pace = interval(EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        pace.tick().await;
        asking.ask(&path).await?;
        answers.set(answers.get() + 1);
    }
    Ok(())
}

async fn follow(address: SocketAddr, until: Instant) -> Result<()> {
    let mut events = 0;
    let mut line = Vec::new();
    let mut stream = admitted(address, until).await?;
    loop {
        line.clear();
        let Ok(bytes) = timeout_at(until.into(), stream.read_until(b'\n', &mut line)).await else {
            break;
        };
        ensure!(bytes? > 0, "the server ended a stream of events");
        events += usize::from(line.starts_with(b"data:"));
    }
    ensure!(events > 0, "a follower never heard of anything");
    Ok(())
}

/// A stream of events: those who followed before have their places until the server misses them.
async fn admitted(address: SocketAddr, until: Instant) -> Result<BufReader<TcpStream>> {
    while Instant::now() < until {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        let request = "GET /stats?format=sse&charts=1 HTTP/1.1\r\nHost: site\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut status = String::new();
        stream.read_line(&mut status).await?;
        if status.starts_with("HTTP/1.1 200") {
            return Ok(stream);
        }
        sleep(EVERY).await;
    }
    bail!("a follower found no place")
}

/// A connection on which one thing is asked for after the other.
struct Asking {
    stream: BufReader<TcpStream>,
    /// Fields of each request.
    fields: &'static str,
}

impl Asking {
    async fn connect(address: SocketAddr, fields: &'static str) -> Result<Asking> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = BufReader::new(stream);
        Ok(Asking { stream, fields })
    }

    /// The content at `path`.
    async fn ask(&mut self, path: &str) -> Result<Vec<u8>> {
        let fields = self.fields;
        let request = format!("GET {path} HTTP/1.1\r\nHost: site\r\n{fields}\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(
                self.stream.read_line(&mut line).await? > 0,
                "no answer to {path}"
            );
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(told) = line.strip_prefix("content-length:") {
                length = told.trim().parse()?;
            }
            if line.starts_with("http/") {
                ensure!(
                    line.contains(" 2") || !path.starts_with("/stats"),
                    "{path}: {line}"
                );
            }
            if line.is_empty() {
                break;
            }
        }
        let mut content = vec![0; length];
        self.stream.read_exact(&mut content).await?;
        Ok(content)
    }
}

/// Has every route answer with every status, so that there is something to tell of each.
async fn fill(address: SocketAddr) -> Result<()> {
    let mut asking = Asking::connect(address, "").await?;
    for _ in 0..50 {
        for route in 0..ROUTES {
            for status in STATUSES {
                asking.ask(&format!("/route-{route}/{status}")).await?;
            }
        }
    }
    Ok(())
}

/// How long the answer to each query is.
async fn lengths(address: SocketAddr) -> Result<Vec<usize>> {
    // Its view has all of them.
    sleep(Duration::from_secs(2)).await;
    let mut lengths = Vec::new();
    let mut asking = Asking::connect(address, GZIP).await?;
    for query in QUERIES {
        let content = asking.ask(query).await?;
        ensure!(!content.is_empty(), "nothing is told at {query}");
        lengths.push(content.len());
    }
    Ok(lengths)
}

/// The longest turn of the core's loop in all seconds that begin from now on, as the server tells it.
async fn longest_turn(address: SocketAddr, until: Instant) -> Result<u64> {
    let mut asking = Asking::connect(address, "").await?;
    let mut longest_ns = 0;
    // The second that is told of then began after those before had left.
    sleep(Duration::from_millis(2_500)).await;
    while Instant::now() < until {
        let told = String::from_utf8(asking.ask("/stats?window=1s").await?)?;
        let (_, lag) = told.split_once("\"loop_lag\":").context("no loop lag")?;
        let (_, longest) = lag.split_once("\"max_ns\":").context("no maximum")?;
        let digits = longest.split([',', '}']).next().unwrap_or_default();
        longest_ns = longest_ns.max(digits.parse()?);
        sleep(Duration::from_secs(1)).await;
    }
    Ok(longest_ns)
}
