//! What the statistics of one request cost the core that serves it, three readings of its clock and the
//! recording, what a second's snapshot costs it, what a second takes of the supervisor, and what it takes to write all
//! that can be told in each format.
//! `recording [ROUNDS]`, 9 if not said; it exits with 1 when a median is above its bound.
//!
//! It runs in a handler, so that the clock is a shard's own, calibrated, on a pinned core. For a profiler that counts
//! instructions there is no server: with `recording --only REQUESTS` that many requests are recorded and nothing else
//! is done, and with `recording --adding SECONDS` that many seconds of 60 routes are added up.

mod adding;
mod pieces;
mod writing;

use corelane::cores::CoreSelection;
use corelane::limits::{STATS_ROWS, SUPERVISOR_SLICE};
use corelane::ring::Ring;
use corelane::stats::{Answered, MethodIndex, Recorder, Snapshot, Times, Totals, View, Whose};
use corelane::{App, Method, Request, Server};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// That of the program `corelane`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Most nanoseconds that the statistics of a request may cost.
const BOUND_NS: f64 = 80.0;

/// Most nanoseconds that the snapshot of a second may cost.
const SNAPSHOT_BOUND_NS: f64 = 50_000.0;

/// Most nanoseconds of a piece of the supervisor's work, half a slice of it, and of writing an answer.
const PIECE_BOUND_NS: f64 = SUPERVISOR_SLICE.as_nanos() as f64 / 2.0;

/// Most nanoseconds that a second of a service may take of the supervisor: one in a hundred of what its two cores have.
const ADDING_BOUND_NS: f64 = 20_000_000.0;

/// Times that each thing is done in a round.
const TIMES: u64 = 2_000_000;

/// Routes that requests are spread over, where they are.
const ROUTES: u16 = 60;

/// Requests between two snapshots: what one core answers in a second.
const SECOND: u64 = 100_000;

/// Requests that are told of together, where they are.
const PIPELINED: usize = 16;

/// Seconds that are measured, with a snapshot of each, after as many that are not.
const SECONDS: u64 = 10;

/// Requests, in an order that no predictor knows.
#[derive(Clone, Copy)]
enum Load {
    /// Latencies of a service: each stage of each route has a usual time, and takes up to 100 times that.
    Service {
        routes: u16,
        spread: &'static Spread,
    },
    /// Latencies all over the scale, from 4 µs to 100 ms.
    Scale { routes: u16 },
}

/// Times in 1,024ths of the usual: as many parts of all that take no longer.
type Spread = [u32; 1_024];

/// Never below 0.6 of the usual, half of all not above it, one in 100 at 13 times it.
fn spread() -> &'static Spread {
    Box::leak(Box::new(std::array::from_fn(|part| {
        let share = (part as f64 + 0.5) / 1_024.0;
        let times = 0.6 + 0.4 * (share / (1.0 - share)).powf(0.75);
        (times * 1_024.0) as u32
    })))
}

impl Load {
    fn request(self, turn: u64) -> (Answered, u64) {
        let mixed = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let of = |routes: u16| (mixed >> 32) as u16 % routes;
        let (route, stages_ns) = match self {
            Load::Service { routes, spread } => {
                let route = of(routes);
                let took_ns = |usual_ns: u64, bits: u32| {
                    (usual_ns * u64::from(spread[(mixed >> bits) as usize % spread.len()])) >> 10
                };
                let handler_ns = 2_000 * (1 + u64::from(route));
                let stages_ns = [
                    took_ns(5_000, 54),
                    took_ns(400, 22),
                    took_ns(handler_ns, 11),
                    took_ns(20_000, 0),
                ];
                (route, stages_ns)
            }
            Load::Scale { routes } => {
                let ns = (mixed & 0xfff) << (mixed >> 60);
                (of(routes), [ns / 8, ns / 8, ns / 4, 4_096 + ns / 2])
            }
        };
        let [queue_ns, head_ns, handler_ns, write_ns] = stages_ns;
        let arrived_ns = 1_000_000 + turn;
        let begun_ns = arrived_ns + queue_ns;
        let parsed_ns = begun_ns + head_ns;
        let handled_ns = parsed_ns + handler_ns;
        let answered = Answered {
            whose: Whose::route(route),
            method: MethodIndex::of(&Method::GET),
            status: 200,
            times: Times {
                arrived_ns,
                begun_ns,
                parsed_ns,
                handled_ns,
            },
        };
        (answered, handled_ns + write_ns)
    }
}

/// What a connection says of a request.
fn record(recorder: &mut Recorder, turn: u64, load: Load) {
    let (answered, sent_ns) = load.request(turn);
    recorder.request_started();
    recorder.request(black_box(&answered), sent_ns);
    recorder.request_finished();
}

fn recorder() -> Recorder {
    let mut recorder = Recorder::new(0, &["completed"]);
    recorder.know_routes(&writing::routes(u8::MAX.into()));
    recorder
}

/// CPU time of this thread in nanoseconds, for what is too short to be measured while others have the CPU for a
/// part of it. Reading it takes some 300 ns.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_nanos() as u64
}

/// Nanoseconds for each of [`TIMES`] calls of `act`.
fn each_ns(mut act: impl FnMut(u64)) -> f64 {
    let begin = Instant::now();
    (0..TIMES).for_each(&mut act);
    begin.elapsed().as_nanos() as f64 / TIMES as f64
}

/// What recording a request costs in nanoseconds, where so many are told of together, as those are that were pipelined.
fn together_ns(mut recorder: Recorder, load: Load) -> f64 {
    let mut batch = Vec::with_capacity(PIPELINED);
    let fill = |batch: &mut Vec<Answered>, turn: u64| {
        let (answered, sent_ns) = load.request(black_box(turn));
        batch.push(answered);
        sent_ns
    };
    let made = each_ns(|turn| {
        fill(&mut batch, turn);
        if batch.len() == PIPELINED {
            black_box(&mut batch).clear();
        }
    });
    let all = each_ns(|turn| {
        recorder.request_started();
        let sent_ns = fill(&mut batch, turn);
        if batch.len() == PIPELINED {
            recorder.requests(black_box(&batch), sent_ns);
            recorder.requests_finished(batch.len() as u64);
            batch.clear();
        }
    });
    all - made
}

/// What recording a request costs in nanoseconds, and what a snapshot. Each second has one, which goes to another
/// core and comes back as a server's does, so that what is recorded into was in that core's cache.
fn costs_ns(mut recorder: Recorder, load: Load, supervisor: &Supervisor) -> [f64; 2] {
    // What it takes to make up requests is not the statistics' cost.
    let made = each_ns(|turn| {
        black_box(load.request(black_box(turn)));
    });
    let mut snapshot = supervisor.keep(recorder.snapshot(0));
    let (mut recorded, mut taken_ns) = (Duration::ZERO, 0);
    for second in 1..=SECONDS + SECONDS {
        let begin = Instant::now();
        let turns = second * SECOND..(second + 1) * SECOND;
        turns.for_each(|turn| record(&mut recorder, turn, load));
        let recorded_in = begin.elapsed();
        let begin_ns = cpu_ns();
        recorder.snapshot_into(&mut snapshot, second);
        let taken_in_ns = cpu_ns() - begin_ns;
        snapshot = supervisor.keep(snapshot);
        // At first there is no memory to come back.
        if second > SECONDS {
            (recorded, taken_ns) = (recorded + recorded_in, taken_ns + taken_in_ns);
        }
    }
    let [recorded, taken] = [
        recorded.as_nanos() as f64 / (SECONDS * SECOND) as f64,
        taken_ns as f64 / SECONDS as f64,
    ];
    [recorded - made, taken]
}

/// What a snapshot takes when every route that is told apart was answered with every class of status, and each
/// stage lay in every part of the scale.
fn full_snapshot_ns(supervisor: &Supervisor) -> f64 {
    let mut recorder = recorder();
    let mut snapshot = recorder.snapshot(0);
    let mut taken_ns = 0;
    // The first two find no memory yet.
    for second in 1..=3 {
        adding::everything(&mut recorder);
        let begin_ns = cpu_ns();
        recorder.snapshot_into(&mut snapshot, second);
        taken_ns = cpu_ns() - begin_ns;
        snapshot = supervisor.keep(snapshot);
    }
    taken_ns as f64
}

/// A thread on another CPU that adds up what snapshots say.
struct Supervisor {
    snapshots: Sender<Snapshot>,
    spares: Receiver<Snapshot>,
}

impl Supervisor {
    fn start() -> Supervisor {
        let (snapshots, received) = channel();
        let (sent, spares) = channel();
        std::thread::spawn(move || {
            // The first is that of the core, whose affinity this has; the last is another where there is one.
            let mut cpus = CpuSet::new();
            (1..CpuSet::MAX_CPU).for_each(|cpu| cpus.set(cpu));
            let _ = sched_setaffinity(None, &cpus);
            let mut totals = Totals::new(&[0], &["completed"], 0);
            for snapshot in received {
                if sent.send(totals.keep(snapshot)).is_err() {
                    break;
                }
            }
        });
        Supervisor { snapshots, spares }
    }

    /// Waits until it has added up `snapshot`, and returns what is to be filled again.
    fn keep(&self, snapshot: Snapshot) -> Snapshot {
        let kept = self.snapshots.send(snapshot).ok();
        let spare = kept.and_then(|()| self.spares.recv().ok());
        spare.expect("the supervisor lives as long as this")
    }
}

/// What is measured, in the order of its rows.
fn loads(spread: &'static Spread) -> [(String, Load); 4] {
    let service = |routes| Load::Service { routes, spread };
    [
        ("one route".into(), service(1)),
        (format!("{ROUTES} routes"), service(ROUTES)),
        ("200 routes".into(), service(200)),
        (
            format!("{ROUTES} routes, latencies all over the scale"),
            Load::Scale { routes: ROUTES },
        ),
    ]
}

/// One round in nanoseconds: three readings of the clock, recording and snapshot of each load, recording
/// without latencies, the largest snapshot, recording [`PIPELINED`] at once, [`writing::costs_ns`] of each view, and
/// [`adding::costs_ns`].
type Round = [f64; ADDED + 2 * adding::SECONDS.len()];

/// Where those of writing begin, and those of adding up.
const WRITTEN: usize = 12;
const ADDED: usize = WRITTEN + writing::VIEWS * VIEW;

/// How many are of each view that is written.
const VIEW: usize = 2 * writing::FORMS.len();

fn round(ring: &Ring, spread: &'static Spread, views: &[View; writing::VIEWS]) -> Round {
    let mut round = [0.0; _];
    let supervisor = Supervisor::start();
    round[0] = each_ns(|_| {
        for _ in 0..3 {
            black_box(ring.clock_ns());
        }
    });
    let loads = loads(spread);
    for (costs, (_, load)) in round[1..9].chunks_exact_mut(2).zip(&loads) {
        costs.copy_from_slice(&costs_ns(recorder(), *load, &supervisor));
    }
    [round[9], _] = costs_ns(recorder().without_latencies(), loads[0].1, &supervisor);
    round[10] = full_snapshot_ns(&supervisor);
    round[11] = together_ns(recorder(), loads[0].1);
    for (costs, view) in round[WRITTEN..ADDED].chunks_exact_mut(VIEW).zip(views) {
        costs.copy_from_slice(writing::costs_ns(view).as_flattened());
    }
    round[ADDED..].copy_from_slice(adding::costs_ns().as_flattened());
    round
}

fn median(rounds: &[Round], of: usize) -> f64 {
    let mut values: Vec<_> = rounds.iter().map(|round| round[of]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The rounds as text, one in a line.
fn rounds(ring: &Ring, count: usize) -> String {
    let spread = spread();
    let views = writing::views();
    let line = |_| {
        round(ring, spread, &views)
            .map(|ns| ns.to_string())
            .join(" ")
            + "\n"
    };
    (0..count).map(line).collect()
}

/// Runs `count` rounds on the core of a server.
fn on_a_core(count: usize) -> Result<Vec<Round>> {
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
    let names = loads(spread()).map(|(name, _)| name);
    let recorded = [1, 3, 5, 7].map(ns);
    let taken = [2, 4, 6, 8].map(ns);
    let worst = ns(0) + recorded.into_iter().fold(0.0, f64::max);
    println!("| of a request | ns |");
    println!("|---|--:|");
    println!("| three readings of the clock | {:.1} |", ns(0));
    for (name, ns) in names.iter().zip(recorded) {
        println!("| recording, {name} | {ns:.1} |");
    }
    println!(
        "| recording, one route, {PIPELINED} at once | {:.1} |",
        ns(11)
    );
    println!(
        "| the same without latencies (`--no-stats`) | {:.1} |",
        ns(9)
    );
    println!("| **in all, at most** | **{worst:.1}** |");
    println!("\n| of a second with {SECOND} requests | µs |");
    println!("|---|--:|");
    for (name, ns) in names.iter().zip(taken) {
        println!("| snapshot, {name} | {:.1} |", ns / 1e3);
    }
    println!(
        "| snapshot, everything that can be told apart in every part of the scale | {:.1} |",
        ns(10) / 1e3
    );
    println!(
        "\n| an answer | {ROUTES} routes, one class: µs | longest piece \
         | {STATS_ROWS} routes, all classes: µs | longest piece |"
    );
    println!("|---|--:|--:|--:|--:|");
    let mut written = 0.0_f64;
    for (place, form) in writing::FORMS.iter().enumerate() {
        print!("| {} |", form.name);
        for view in 0..writing::VIEWS {
            let of_form = WRITTEN + view * VIEW + 2 * place;
            let [all, longest] = [0, 1].map(|of| ns(of_form + of));
            print!(" {:.0} | {:.1} |", all / 1e3, longest / 1e3);
            written = written.max(longest);
        }
        println!();
    }
    println!("\n| of a second, the supervisor of 2 cores | µs | longest piece |");
    println!("|---|--:|--:|");
    let (mut added, mut piece) = (0.0_f64, 0.0_f64);
    for (place, second) in adding::SECONDS.iter().enumerate() {
        let [all, longest] = [0, 1].map(|of| ns(ADDED + 2 * place + of));
        println!(
            "| {} | {:.0} | {:.1} |",
            second.name,
            all / 1e3,
            longest / 1e3
        );
        piece = piece.max(longest);
        if place < adding::USUAL {
            added = added.max(all);
        }
    }
    let mut outcome = ExitCode::SUCCESS;
    if added > ADDING_BOUND_NS {
        eprintln!("a second of the supervisor is above the bound of {ADDING_BOUND_NS} ns");
        outcome = ExitCode::FAILURE;
    }
    if piece > PIECE_BOUND_NS {
        eprintln!("a piece of the supervisor's work is above the bound of {PIECE_BOUND_NS} ns");
        outcome = ExitCode::FAILURE;
    }
    if written > PIECE_BOUND_NS {
        eprintln!("a piece of an answer is above the bound of {PIECE_BOUND_NS} ns");
        outcome = ExitCode::FAILURE;
    }
    if worst > BOUND_NS {
        eprintln!("a request is above the bound of {BOUND_NS} ns");
        outcome = ExitCode::FAILURE;
    }
    if taken.iter().any(|ns| *ns > SNAPSHOT_BOUND_NS) || ns(10) > SNAPSHOT_BOUND_NS {
        eprintln!("a snapshot is above the bound of {SNAPSHOT_BOUND_NS} ns");
        outcome = ExitCode::FAILURE;
    }
    Ok(outcome)
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => run(9),
        [rounds] => run(rounds.parse::<usize>()?.max(1)),
        [only, requests] if only == "--only" => {
            let mut recorder = recorder();
            let load = Load::Scale { routes: 1 };
            (0..requests.parse()?).for_each(|turn| record(&mut recorder, turn, load));
            black_box(&recorder);
            Ok(ExitCode::SUCCESS)
        }
        [adding, seconds] if adding == "--adding" => {
            adding::profile(seconds.parse()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(
            "recording [ROUNDS], recording --only REQUESTS, or recording --adding SECONDS".into(),
        ),
    }
}
