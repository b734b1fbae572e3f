//! What the statistics of one request cost the core that serves it: three readings of its clock, and the
//! recording. `recording [ROUNDS]`, 9 if not said; it exits with 1 when the median is above the bound.
//!
//! It runs in a handler, so that the clock is a shard's own, calibrated, on a pinned core. With
//! `recording --only REQUESTS` there is no server: that many requests are recorded and nothing else is done,
//! for a profiler that counts instructions.

use corelane::cores::CoreSelection;
use corelane::ring::Ring;
use corelane::stats::{Answered, MethodIndex, Recorder, Times, Whose};
use corelane::{App, Method, Request, Server};
use std::error::Error;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// That of the program `corelane`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Most nanoseconds that the statistics of a request may cost.
const BOUND_NS: f64 = 80.0;

/// Times that each thing is done in a round.
const TIMES: u64 = 2_000_000;

/// Routes that requests are spread over, where they are.
const ROUTES: u16 = 60;

/// Requests between two snapshots: what one core answers in a second.
const SECOND: u64 = 100_000;

/// Latencies from 4 µs to some ms, in an order that no predictor knows, and with one route or many.
fn answered(turn: u64, routes: u16) -> (Answered, u64) {
    let mixed = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let ns = (mixed & 0xfff) << (mixed >> 60);
    let arrived_ns = 1_000_000 + turn;
    let answered = Answered {
        whose: Whose::route((mixed >> 32) as u16 % routes),
        method: MethodIndex::of(&Method::GET),
        status: 200,
        times: Times {
            arrived_ns,
            begun_ns: arrived_ns + ns / 8,
            parsed_ns: arrived_ns + ns / 4,
            handled_ns: arrived_ns + ns / 2,
        },
    };
    (answered, arrived_ns + 4_096 + ns)
}

/// What a connection says of a request.
fn record(recorder: &mut Recorder, turn: u64, routes: u16) {
    let (answered, sent_ns) = answered(turn, routes);
    recorder.request_started();
    recorder.request(black_box(&answered), sent_ns);
    recorder.request_finished();
}

fn recorder() -> Recorder {
    let mut recorder = Recorder::new(0, &["completed"]);
    recorder.know_routes(ROUTES.into());
    recorder
}

/// Nanoseconds for each of [`TIMES`] calls of `act`.
fn each_ns(mut act: impl FnMut(u64)) -> f64 {
    let begin = Instant::now();
    (0..TIMES).for_each(&mut act);
    begin.elapsed().as_nanos() as f64 / TIMES as f64
}

/// One round: each thing's cost in nanoseconds.
fn round(ring: &Ring) -> [f64; 6] {
    // What it takes to make up requests is not the statistics' cost.
    let made = each_ns(|turn| {
        black_box(answered(black_box(turn), 1));
    });
    let mut one = recorder();
    let mut many = recorder();
    let mut counting = recorder().without_latencies();
    let snapshots = |recorder: &mut Recorder, routes| {
        let mut snapshot = recorder.snapshot(0);
        let mut taken = Duration::ZERO;
        for second in 1..=5 {
            (0..SECOND).for_each(|turn| record(recorder, turn, routes));
            let begin = Instant::now();
            recorder.snapshot_into(&mut snapshot, second);
            taken += begin.elapsed();
        }
        taken.as_nanos() as f64 / 5.0
    };
    let readings = each_ns(|_| {
        for _ in 0..3 {
            black_box(ring.clock_ns());
        }
    });
    let recordings = [
        each_ns(|turn| record(&mut one, turn, 1)) - made,
        each_ns(|turn| record(&mut many, turn, ROUTES)) - made,
        each_ns(|turn| record(&mut counting, turn, 1)) - made,
    ];
    let [of_one, of_many, counted] = recordings;
    let taken = [snapshots(&mut one, 1), snapshots(&mut many, ROUTES)];
    [readings, of_one, of_many, counted, taken[0], taken[1]]
}

fn median(rounds: &[[f64; 6]], of: usize) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(|round| round[of]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The rounds as text, one in a line.
fn rounds(ring: &Ring, count: usize) -> String {
    let line = |_| round(ring).map(|ns| ns.to_string()).join(" ") + "\n";
    (0..count).map(line).collect()
}

/// Runs `count` rounds on the core of a server.
fn on_a_core(count: usize) -> Result<Vec<[f64; 6]>> {
    let one = CoreSelection::Count(1.try_into()?);
    let server = Server::bind("127.0.0.1:0").cores(one);
    let server = server
        .start(move |shard| {
            let ring = shard.ring().clone();
            App::new().get("/", move |_: Request| {
                let ring = ring.clone();
                async move { rounds(&ring, count) }
            })
        })
        .map_err(|error| error.to_string())?;
    // Its clock is calibrated by then.
    std::thread::sleep(Duration::from_millis(200));
    let mut client = TcpStream::connect(server.addresses()[0])?;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    server.stop().map_err(|error| error.to_string())?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    body.lines()
        .map(|line| {
            let values = line.split(' ').map(str::parse);
            let values = values.collect::<std::result::Result<Vec<f64>, _>>()?;
            values
                .try_into()
                .map_err(|_| "a line of another length".into())
        })
        .collect()
}

fn run(count: usize) -> Result<ExitCode> {
    let rounds = on_a_core(count)?;
    let ns = |of| median(&rounds, of);
    let (readings, one, many) = (ns(0), ns(1), ns(2));
    let worst = readings + one.max(many);
    println!("| of a request | ns |");
    println!("|---|--:|");
    println!("| three readings of the clock | {readings:.1} |");
    println!("| recording, one route | {one:.1} |");
    println!("| recording, {ROUTES} routes | {many:.1} |");
    println!(
        "| the same without latencies (`--no-stats`) | {:.1} |",
        ns(3)
    );
    println!("| **in all, at most** | **{worst:.1}** |");
    println!("\n| of a second with {SECOND} requests | µs |");
    println!("|---|--:|");
    println!("| snapshot, one route | {:.1} |", ns(4) / 1e3);
    println!("| snapshot, {ROUTES} routes | {:.1} |", ns(5) / 1e3);
    if worst > BOUND_NS {
        eprintln!("above the bound of {BOUND_NS} ns");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => run(9),
        [rounds] => run(rounds.parse::<usize>()?.max(1)),
        [only, requests] if only == "--only" => {
            let mut recorder = recorder();
            (0..requests.parse()?).for_each(|turn| record(&mut recorder, turn, 1));
            black_box(&recorder);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("recording [ROUNDS], or recording --only REQUESTS".into()),
    }
}
