//! What it takes to write all that a server can tell: as many routes as are told apart, each answered with every
//! class of status.

use crate::cpu_ns;
use corelane::Method;
use corelane::limits::STATS_ROWS;
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

/// How long a core writes before it lets others run, as `/stats` does.
const SLICE_NS: u64 = 50_000;

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

/// Statistics of four cores.
pub fn view() -> View {
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
            for turn in 0..requests * (STATS_ROWS as u64 + 1) * 5 {
                let mixed = (turn + second).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let place = turn % ((STATS_ROWS as u64 + 1) * 5);
                let part_ns = (mixed & 0xffff) << ((mixed >> 60) / 4);
                let answered = Answered {
                    whose: Whose::route((place / 5) as u16),
                    method: MethodIndex::of(&Method::GET),
                    status: (place % 5 + 1) as u16 * 100,
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

/// What writing takes in each form, in nanoseconds, and the longest slice of that: medians of a few times.
pub fn costs_ns(view: &View) -> [[f64; 2]; FORMS.len()] {
    let server = ServerInfo {
        name: "corelane",
        version: "0",
        build: Build::OWN,
        pid: 1,
        instance: String::new(),
        started_at: SystemTime::now(),
        started_ns: 0,
        cores: 4,
        kernel: "6".to_owned(),
        busy_poll: false,
        receive_buffers: 1,
    };
    std::array::from_fn(|place| {
        let mut times: Vec<_> = (0..5)
            .map(|_| cost_ns(view, &FORMS[place], &server))
            .collect();
        [0, 1].map(|of| {
            times.sort_by(|one, other| one[of].total_cmp(&other[of]));
            times[times.len() / 2][of]
        })
    })
}

fn cost_ns(view: &View, form: &Form, server: &ServerInfo) -> [f64; 2] {
    let selection = Selection {
        filter: form.is_filtered.then(|| "/".to_owned()),
        per_core: form.per_core,
        charts: form.charts,
        ..Selection::default()
    };
    let begin_ns = cpu_ns();
    let (mut slice_ns, mut longest_ns) = (begin_ns, 0);
    let mut writing = Writing::new(form.format, view, &selection, server, view.merged_at_ns);
    while writing.write_next() {
        let took_ns = cpu_ns() - slice_ns;
        if took_ns >= SLICE_NS {
            longest_ns = took_ns.max(longest_ns);
            slice_ns = cpu_ns();
        }
    }
    black_box(writing.finish());
    let end_ns = cpu_ns();
    longest_ns = longest_ns.max(end_ns - slice_ns);
    [end_ns - begin_ns, longest_ns].map(|ns| ns as f64)
}
