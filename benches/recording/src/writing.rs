//! What it takes to write what a server of 60 routes tells, and all that one can: as many routes as are told apart, each
//! answered with every class of status.

use crate::pieces::{Pieces, RUNS};
use crate::{ROUTES, cpu_ns};
use corelane::Method;
use corelane::limits::{STALL_THRESHOLD, STATS_ROWS};
use corelane::stats::{
    Answered, Build, Format, MethodIndex, Recorder, RouteName, Selection, ServerInfo, Times,
    Totals, View, Whose, Writing,
};
use std::hint::black_box;
use std::time::SystemTime;

/// How something is asked for.
pub struct Form {
    pub name: &'static str,
    format: Format,
    /// All routes with their stages.
    is_filtered: bool,
    per_core: bool,
    charts: bool,
}

const fn form(name: &'static str, format: Format) -> Form {
    Form {
        name,
        format,
        is_filtered: false,
        per_core: false,
        charts: false,
    }
}

pub const FORMS: [Form; 9] = [
    form("JSON", Format::Json),
    Form {
        is_filtered: true,
        charts: true,
        ..form("JSON with stages and charts", Format::Json)
    },
    Form {
        per_core: true,
        ..form("Prometheus's text, with cores", Format::Prometheus)
    },
    form("OpenMetrics", Format::OpenMetrics),
    form("protocol buffers", Format::Protobuf),
    form("HDR", Format::Hdr),
    form("an interval log", Format::Hlog),
    Form {
        charts: true,
        ..form("an event", Format::Sse)
    },
    form("the page", Format::Html),
];

/// What is told of: how many routes, each answered with how many classes of status.
#[derive(Clone, Copy)]
struct Told {
    routes: u64,
    classes: u64,
}

const TOLD: [Told; 2] = [
    Told {
        routes: ROUTES as u64,
        classes: 1,
    },
    Told {
        routes: STATS_ROWS as u64 + 1,
        classes: 5,
    },
];

/// How many there are of [`views`].
pub const VIEWS: usize = TOLD.len();

/// Requests of each series in each second: as many as lie in some 500 buckets.
const REQUESTS: u64 = 2_000;

/// Seconds of it.
const SECONDS: u64 = 120;

/// So many routes for GET.
pub fn routes(count: usize) -> Vec<RouteName> {
    let name = |route| RouteName::new(None, &format!("/a/route/of/some/length/{route}"));
    (0..count)
        .map(|route| name(route).of(&Method::GET))
        .collect()
}

pub fn views() -> [View; VIEWS] {
    TOLD.map(Told::view)
}

impl Told {
    /// Statistics of four cores.
    fn view(self) -> View {
        const NANOSECONDS: u64 = 1_000_000_000;
        let cores = [0, 1, 2, 3];
        let mut totals = Totals::new(&cores, &["completed"], 0);
        let mut recorders = cores.map(|core| {
            totals.know_routes(core, routes(STATS_ROWS + 1));
            let mut recorder = Recorder::new(core, &["completed"]);
            recorder.know_routes(&routes(STATS_ROWS + 1));
            recorder
        });
        for second in 1..=SECONDS {
            for recorder in &mut recorders {
                // Most of it in the first, so that this ends.
                let requests = if second == 1 { REQUESTS } else { 20 };
                for turn in 0..requests * self.routes * self.classes {
                    let mixed = (turn + second).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let place = turn % (self.routes * self.classes);
                    let part_ns = (mixed & 0xffff) << ((mixed >> 60) / 4);
                    let answered = Answered {
                        whose: Whose::route((place / self.classes) as u16),
                        method: MethodIndex::of(&Method::GET),
                        // One class alone is that of success.
                        status: ((place + 1) % self.classes.max(2) + 1) as u16 * 100,
                        times: Times {
                            arrived_ns: 0,
                            begun_ns: part_ns / 16,
                            parsed_ns: part_ns / 8,
                            handled_ns: part_ns / 2,
                        },
                    };
                    recorder.request(&answered, part_ns);
                    recorder.turned(part_ns / 16, turn);
                }
                let _ = totals.keep(recorder.snapshot(second * NANOSECONDS));
            }
            totals.end_second(second * NANOSECONDS + NANOSECONDS / 2);
        }
        totals.merge(SECONDS * NANOSECONDS + NANOSECONDS)
    }
}

/// What writing takes in each form, in nanoseconds, and its longest piece.
pub fn costs_ns(view: &View) -> [[f64; 2]; FORMS.len()] {
    let server = ServerInfo {
        name: "corelane",
        version: "0",
        build: Build::OWN,
        pid: 1,
        instance: String::new(),
        started_at: SystemTime::now(),
        started_ns: 0,
        stall_threshold: STALL_THRESHOLD,
        cores: 4,
        kernel: "6".to_owned(),
        busy_poll: false,
        receive_buffers: 1,
    };
    std::array::from_fn(|place| {
        let mut pieces = Pieces::default();
        for _ in 0..RUNS {
            cost_ns(view, &FORMS[place], &server, Some(&mut pieces));
        }
        let whole_ns = cost_ns(view, &FORMS[place], &server, None);
        [whole_ns as f64, pieces.longest_ns() as f64]
    })
}

/// What it takes to write `view`. Its `pieces` are measured only if they are asked for, since that takes time itself.
fn cost_ns(view: &View, form: &Form, server: &ServerInfo, mut pieces: Option<&mut Pieces>) -> u64 {
    let selection = Selection {
        filter: form.is_filtered.then(|| "/".to_owned()),
        per_core: form.per_core,
        charts: form.charts,
        ..Selection::default()
    };
    let begin_ns = cpu_ns();
    if let Some(pieces) = &mut pieces {
        pieces.begin();
        pieces.go_on();
    }
    let mut rest = || {
        if let Some(pieces) = &mut pieces {
            pieces.rest();
        }
    };
    let mut writing = Writing::new(form.format, view, &selection, server, view.merged_at_ns);
    while writing.write_next() {
        rest();
    }
    black_box(writing.finish());
    rest();
    cpu_ns() - begin_ns
}
