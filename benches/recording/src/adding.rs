//! What a second takes of the supervisor, which shares the CPUs of cores: it adds up what they sent, moves the windows on,
//! merges it all and frees what was merged before.

use crate::pieces::{Pieces, RUNS};
use crate::writing::routes;
use crate::{Load, ROUTES, SECOND, Spread, cpu_ns, record, spread};
use corelane::Method;
use corelane::limits::STATS_ROWS;
use corelane::stats::{Answered, MethodIndex, Recorder, Times, Totals, Whose};
use std::hint::black_box;

/// Cores, which answer [`SECOND`] requests each.
const CORES: [usize; 2] = [0, 1];

/// Seconds that are not measured: the longest window is full, and moves on as it came.
const BEFORE: u64 = 62;

/// Seconds that are.
const MEASURED: u64 = 10;

/// What cores do in each second.
#[derive(Clone, Copy)]
pub struct Second {
    pub name: &'static str,
    load: Requests,
}

#[derive(Clone, Copy)]
enum Requests {
    /// None, after each of so many routes had some once.
    Idle(u16),
    /// As a service has them.
    Service(u16),
    /// Of each route that is told apart with each class of status, in every part of the scale.
    Everything,
}

pub const SECONDS: [Second; 5] = [
    Second {
        name: "idle, 36 routes",
        load: Requests::Idle(36),
    },
    Second {
        name: "one route",
        load: Requests::Service(1),
    },
    Second {
        name: "13 routes",
        load: Requests::Service(13),
    },
    Second {
        name: "60 routes",
        load: Requests::Service(60),
    },
    Second {
        name: "everything that is told apart, in every part of the scale",
        load: Requests::Everything,
    },
];

/// Those of which the cost is bounded: everything at once is no second of any service.
pub const USUAL: usize = SECONDS.len() - 1;

/// CPU time of each in nanoseconds, and that of its longest piece.
pub fn costs_ns() -> [[f64; 2]; SECONDS.len()] {
    SECONDS.map(|second| {
        let mut pieces = Pieces::default();
        for _ in 0..RUNS {
            cost_ns(second.load, MEASURED, Some(&mut pieces));
        }
        let whole_ns = cost_ns(second.load, MEASURED, None);
        [whole_ns, pieces.longest_ns() as f64]
    })
}

/// Adds up so many seconds of [`ROUTES`] routes and does nothing else that grows with them but to record what happens in
/// them.
pub fn profile(seconds: u64) {
    black_box(cost_ns(Requests::Service(ROUTES), seconds, None));
}

/// What each of `measured` seconds takes on the average. Its `pieces` are measured only if they are asked for, since that
/// takes time itself.
fn cost_ns(load: Requests, measured: u64, mut pieces: Option<&mut Pieces>) -> f64 {
    let names = || routes(STATS_ROWS + 1);
    let mut totals = Totals::new(&CORES, &["completed"], 0);
    let mut recorders = CORES.map(|core| {
        totals.know_routes(core, names());
        let mut recorder = Recorder::new(core, &["completed"]);
        recorder.know_routes(&names());
        recorder
    });
    let mut spares: Vec<_> = recorders.iter_mut().map(|one| one.snapshot(0)).collect();
    let mut older = None;
    let mut all_ns = 0;
    if let Some(pieces) = &mut pieces {
        pieces.begin();
    }
    for second in 1..=BEFORE + measured {
        let is_measured = second > BEFORE;
        let mut pieces = pieces.as_deref_mut().filter(|_| is_measured);
        let now_ns = second * 1_000_000_000;
        for (recorder, spare) in recorders.iter_mut().zip(&mut spares) {
            load.record(recorder, second);
            recorder.snapshot_into(spare, now_ns);
        }
        let begin_ns = cpu_ns();
        if let Some(pieces) = &mut pieces {
            pieces.go_on();
        }
        let mut rest = || {
            if let Some(pieces) = &mut pieces {
                pieces.rest();
            }
        };
        for spare in &mut spares {
            let empty = Recorder::new(usize::MAX, &["completed"]).snapshot(0);
            let snapshot = std::mem::replace(spare, empty);
            *spare = totals.keep_in_pieces(snapshot, &mut rest);
        }
        totals.end_second_in_pieces(now_ns, &mut rest);
        rest();
        let view = totals.merge_in_pieces(now_ns, &mut rest);
        rest();
        if let Some(older) = older.replace(view) {
            older.free(&mut rest);
        }
        rest();
        if is_measured {
            all_ns += cpu_ns() - begin_ns;
        }
    }
    all_ns as f64 / measured as f64
}

impl Requests {
    fn record(self, recorder: &mut Recorder, second: u64) {
        let service = |routes| Load::Service {
            routes,
            spread: spread_once(),
        };
        let turns = |count| second * SECOND..second * SECOND + count;
        match self {
            Requests::Idle(routes) if second == 1 => {
                turns(SECOND).for_each(|turn| record(recorder, turn, service(routes)));
            }
            Requests::Idle(_) => {}
            Requests::Service(routes) => {
                turns(SECOND).for_each(|turn| record(recorder, turn, service(routes)));
            }
            Requests::Everything => everything(recorder),
        }
    }
}

/// The same each time: it is not made again.
fn spread_once() -> &'static Spread {
    static SPREAD: std::sync::OnceLock<&Spread> = std::sync::OnceLock::new();
    SPREAD.get_or_init(spread)
}

/// Requests of every route that is told apart, answered with every class of status, whose stages lie in every part of
/// the scale.
pub fn everything(recorder: &mut Recorder) {
    for place in 0..(STATS_ROWS as u16 + 1) * 5 {
        let (route, class) = (place / 5, place % 5 + 1);
        for part in 0..60 {
            let stage_ns = ((64 + 64 * (part % 2)) << (part / 2)) as u64;
            let answered = Answered {
                whose: Whose::route(route),
                method: MethodIndex::of(&Method::GET),
                status: 100 * class,
                times: Times {
                    arrived_ns: 0,
                    begun_ns: stage_ns,
                    parsed_ns: 2 * stage_ns,
                    handled_ns: 3 * stage_ns,
                },
            };
            recorder.request(black_box(&answered), 4 * stage_ns);
        }
    }
}
