use super::*;
use crate::cli::top::state::Stats;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

fn latency(count: u64, p99_ns: u64) -> Value {
    json!({
        "count": count, "min_ns": 1_000, "mean_ns": 20_000, "p50_ns": 15_000, "p90_ns": 40_000,
        "p99_ns": p99_ns, "p99_9_ns": 2 * p99_ns, "p99_99_ns": 3 * p99_ns, "max_ns": 4 * p99_ns,
        "overflow": 0,
    })
}

fn with(mut value: Value, others: Value) -> Value {
    let fields = others.as_object().expect("an object").clone();
    value.as_object_mut().expect("an object").extend(fields);
    value
}

/// What a server with so many cores and routes says, the last core of which is far slower than the others.
fn figures(cores: usize, routes: usize, started_at: &str) -> Value {
    let core = |core: usize| {
        let p99_ns = if core + 1 == cores { 900_000 } else { 90_000 };
        with(
            latency(1_000, p99_ns),
            json!({
                "core": core, "requests_total": 1_000, "connections_active": 3, "accept_queue": 0,
                "accept_queue_limit": 4_096, "busy_ratio": 0.125, "loop_lag": latency(50, 10_000),
                "stalls_total": 0, "snapshot_age_ms": 10,
            }),
        )
    };
    let route = |route: usize| {
        with(
            latency(1_000 - route as u64, 50_000 * (route as u64 + 1)),
            json!({"route": format!("/route/{route}"), "method": "GET", "status": {"2xx": 1}}),
        )
    };
    json!({
        "server": {
            "name": "corelane", "version": "1.2.3", "pid": 77, "started_at": started_at,
            "uptime_seconds": 200.5, "cores": cores,
        },
        "window": {"name": "10s", "seconds": 10.0},
        "requests": {"total": 123_456, "per_second": 12_345.0, "mean_per_second": 11_111.0, "in_flight": 7},
        "latency": latency(123_456, 100_000),
        "stages": {
            "queue": latency(1, 1_000), "head": latency(1, 2_000),
            "handler": latency(1, 3_000), "write": latency(1, 4_000),
        },
        "status": {"2xx": 99, "5xx": 1, "codes": {"200": 99, "503": 1}},
        "routes": (0..routes).map(route).collect::<Vec<_>>(),
        "connections": {"accepted_total": 20, "active": 6, "idle": 4, "closed": {}},
        "file_cache": {"hits": 3, "misses": 1, "hit_ratio": 0.75, "entries": 1, "bytes": 500},
        "stalls": [
            {"core": 1, "at": "2026-01-02T03:04:05Z", "held_ns": 300_000_000, "run_delay_ns": 149_999_999},
            {
                "core": 0, "at": "2026-01-02T03:04:06Z", "held_ns": 400_000_000,
                "route": "/slow", "method": "POST",
            },
        ],
        "cores": (0..cores).map(core).collect::<Vec<_>>(),
    })
}

fn stats(cores: usize, routes: usize, started_at: &str) -> Stats {
    serde_json::from_value(figures(cores, routes, started_at)).expect("what is shown")
}

fn told(cores: usize, routes: usize, started_at: &str) -> Box<ByWindow> {
    Box::new([(); Window::ALL.len()].map(|()| stats(cores, routes, started_at)))
}

fn state(cores: usize, routes: usize) -> State {
    let mut state = State::new("http://a:1".into());
    state.hear(Ok(told(cores, routes, "then")));
    state
}

fn drawn(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("cells");
    terminal
        .draw(|frame| screen::draw(state, frame.area(), frame.buffer_mut()))
        .expect("drawn");
    text(terminal.backend().buffer())
}

#[test]
fn everything_is_on_a_screen_of_80_by_24() {
    let shown = drawn(&state(2, 3), 80, 24);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 24);
    for expected in [
        "corelane 1.2.3 http://a:1  pid 77, 2 cores, up 3 min 20 s",
        "12,345 requests/s  7 in flight  123,456 in all",
        "▸10s",
        "handler  3.00 µs  12.0 µs",
        "status  200 99.0 %  503 1.0 %",
        "connections  6 open, 4 idle, 20 accepted  accept queue 0 of 8,192  cache 75 %",
        " 0",
        "!1",
        "12.5 %",
        " GET /route/2",
        " POST /slow               0    400 ms  2026-01-02T03:04:06Z",
        " no handler by itself     1    300 ms  2026-01-02T03:04:05Z",
        "q quit",
    ] {
        assert!(shown.contains(expected), "{expected}:\n{shown}");
    }
    // Nothing is cut off at the right.
    assert!(lines.iter().all(|line| line.chars().count() <= 80));
    let cores = lines.iter().find(|line| line.contains("lag p99"));
    assert!(cores.is_some_and(|line| line.ends_with("queue")), "{shown}");
}

#[test]
fn a_machine_that_took_the_cpu_away_is_named() {
    for (run_delay_ns, by) in [
        (Some(150_000_000), " the machine  "),
        (Some(149_999_999), " no handler by itself  "),
        (None, " no handler by itself  "),
    ] {
        let mut stats = stats(1, 1, "then");
        stats.stalls.truncate(1);
        stats.stalls[0].run_delay_ns = run_delay_ns;
        let mut state = State::new("http://a:1".into());
        state.hear(Ok(Box::new(
            [(); Window::ALL.len()].map(|()| stats.clone()),
        )));
        let shown = drawn(&state, 80, 24);
        assert!(shown.contains(by), "{by}:\n{shown}");
    }
}

#[test]
fn what_an_older_server_does_not_tell_is_not_missed() {
    let mut told = figures(1, 1, "then");
    let requests = told["requests"].as_object_mut().expect("an object");
    assert!(requests.remove("mean_per_second").is_some());
    let latency = told["latency"].as_object_mut().expect("an object");
    assert!(latency.remove("overflow").is_some());
    let stats: Stats = serde_json::from_value(told).expect("what is shown");
    let mut state = State::new("http://a:1".into());
    state.hear(Ok(Box::new(
        [(); Window::ALL.len()].map(|()| stats.clone()),
    )));
    let shown = drawn(&state, 100, 30);
    let window = shown.lines().find(|line| line.contains("▸10s"));
    assert!(
        window.is_some_and(|line| line.contains("12,345")),
        "{shown}"
    );
}

#[test]
fn many_cores_and_routes_can_be_scrolled() {
    let mut state = state(64, 64);
    let count = |shown: &str, text: &str| shown.lines().filter(|line| line.contains(text)).count();
    let shown = drawn(&state, 80, 24);
    assert!(count(&shown, "GET /route/") >= 3, "{shown}");
    assert!(count(&shown, "12.5 %") >= 3, "{shown}");
    assert!(shown.contains(" GET /route/0"));
    for _ in 0..100 {
        state.press(Key::Down);
    }
    let shown = drawn(&state, 80, 24);
    assert!(shown.contains(" GET /route/63"), "{shown}");
    assert_eq!(count(&shown, "GET /route/"), 1);
    state.press(Key::Up);
    assert!(drawn(&state, 80, 24).contains(" GET /route/62"));
    state.press(Key::Other);
    for _ in 0..63 {
        state.press(Key::Down);
    }
    assert!(drawn(&state, 80, 24).contains("\n!63"));
    // With room for all, all are there.
    let whole = self::state(64, 64);
    let shown = drawn(&whole, 100, screen::lines(&whole));
    assert_eq!(count(&shown, "GET /route/"), 64);
    assert_eq!(count(&shown, "12.5 %"), 64);
    assert!(shown.ends_with("cores/routes\n"));
}

#[test]
fn no_size_makes_it_panic() {
    for (cores, routes) in [(1, 0), (2, 3), (64, 64)] {
        let state = state(cores, routes);
        let empty = State::new("http://a:1".into());
        for (width, height) in [
            (0, 0),
            (1, 1),
            (3, 2),
            (10, 9),
            (80, 12),
            (20, 60),
            (512, 3),
        ] {
            drawn(&state, width, height);
            drawn(&empty, width, height);
        }
    }
}

#[test]
fn keys() {
    let mut state = state(2, 3);
    let first = |state: &State| {
        let shown = drawn(state, 80, 24);
        let mut routes = shown.lines().filter(|line| line.contains("GET "));
        routes
            .next()
            .expect("a route")
            .split_whitespace()
            .nth(1)
            .map(str::to_owned)
    };
    assert_eq!(first(&state).as_deref(), Some("/route/0"));
    state.press(Key::Sort);
    assert_eq!(first(&state).as_deref(), Some("/route/2"));
    assert!(drawn(&state, 80, 24).contains("▾p99"));
    for (key, window) in [
        (Key::Shorter, "▸1s"),
        (Key::Shorter, "▸1s"),
        (Key::Longer, "▸10s"),
        (Key::Longer, "▸60s"),
        (Key::Longer, "▸total"),
        (Key::Longer, "▸total"),
    ] {
        state.press(key);
        assert!(drawn(&state, 80, 24).contains(window), "{window}");
    }
    let press = |code| {
        let event = Event::Key(event::KeyEvent::from(code));
        asked(&event)
    };
    assert_eq!(press(KeyCode::Char('q')), Some(Asked::End));
    assert_eq!(press(KeyCode::Char('s')), Some(Asked::Key(Key::Sort)));
    assert_eq!(press(KeyCode::Char('c')), None);
    let control = event::KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(asked(&Event::Key(control)), Some(Asked::End));
    assert_eq!(asked(&Event::Resize(80, 24)), Some(Asked::Redraw));
}

#[test]
fn a_pause_keeps_what_is_shown() {
    let mut state = state(2, 3);
    state.press(Key::Pause);
    let before = drawn(&state, 80, 24);
    assert!(before.starts_with("paused  corelane"));
    state.hear(Ok(told(3, 1, "then")));
    state.hear(Err("http://a:1: gone".into()));
    assert_eq!(drawn(&state, 80, 24), before);
    state.press(Key::Pause);
    state.hear(Ok(told(3, 1, "then")));
    assert!(drawn(&state, 80, 24).contains("3 cores"));
}

#[test]
fn a_server_that_is_gone_is_waited_for() {
    let mut state = State::new("http://a:1".into());
    assert!(drawn(&state, 80, 24).contains("waiting for http://a:1"));
    state.hear(Err("http://a:1: Connection refused".into()));
    assert!(drawn(&state, 80, 24).contains("waiting for http://a:1: Connection refused"));
    state.hear(Ok(told(2, 3, "then")));
    state.hear(Ok(told(2, 3, "then")));
    assert_eq!(state.rates.len(), 2);
    state.hear(Err("http://a:1: Connection refused".into()));
    let shown = drawn(&state, 120, 24);
    assert!(shown.starts_with("waiting for http://a:1: Connection refused  corelane"));
    assert!(shown.contains("12,345 requests/s"));
    // The one that comes is another: its rates begin anew.
    state.hear(Ok(told(2, 3, "now")));
    assert_eq!(state.rates.len(), 1);
    assert!(!drawn(&state, 80, 24).contains("waiting"));
    for _ in 0..2 * state::RATES {
        state.hear(Ok(told(1, 1, "now")));
    }
    assert_eq!(state.rates.len(), state::RATES);
}

#[test]
fn seconds_before_the_first_answer_are_shown() {
    let with_charts = |rates: &[f64]| {
        let seconds = rates
            .iter()
            .map(|rate| json!({"second": 1, "per_second": rate}));
        let seconds: Vec<_> = seconds.collect();
        let figures = with(
            figures(1, 1, "then"),
            json!({"charts": {"windows": [], "seconds": seconds}}),
        );
        let mut told = told(1, 1, "then");
        told[1] = serde_json::from_value(figures).expect("what is shown");
        told
    };
    let mut state = State::new("http://a:1".into());
    state.hear(Ok(with_charts(&[1.4, 20_000.0])));
    assert_eq!(state.rates, [1, 20_000]);
    assert!(drawn(&state, 80, 24).contains("most in a second 20,000"));
    state.hear(Ok(told(1, 1, "then")));
    assert_eq!(state.rates, [1, 20_000, 12_345]);
    // Behind a break they are there again, those that were missed among them.
    state.hear(Err("http://a:1: gone".into()));
    state.hear(Ok(with_charts(&[20_000.0, 12_345.0, 3.0, 4.0])));
    assert_eq!(state.rates, [20_000, 12_345, 3, 4]);
}

#[test]
fn names_of_others_do_not_reach_the_terminal_as_they_are() {
    let mut told = told(1, 1, "then");
    for stats in told.iter_mut() {
        stats.routes[0].route = "/\u{1b}[2J\n\u{7}x".into();
    }
    let mut state = State::new("http://a:1".into());
    state.hear(Ok(told));
    let shown = drawn(&state, 80, 24);
    assert!(shown.contains(" GET /[2Jx"), "{shown}");
}

#[test]
fn long_names_leave_room_for_the_figures() {
    let mut told = told(1, 2, "then");
    let long = format!("/a{}/z", "/ü".repeat(100));
    for stats in told.iter_mut() {
        stats.routes[0].route.clone_from(&long);
        stats.stalls[0].route = Some(long.clone());
        stats.stalls[0].method = Some("GET".into());
    }
    let mut state = State::new("http://a:1".into());
    state.hear(Ok(told));
    for width in [80, 100] {
        let shown = drawn(&state, width, 24);
        let named: Vec<_> = shown.lines().filter(|line| line.contains("…")).collect();
        assert_eq!(named.len(), 2, "{shown}");
        for line in named {
            assert!(
                line.starts_with(" GET /a/ü/") && line.contains("/ü/z "),
                "{line}"
            );
            assert_eq!(line.chars().count(), usize::from(width), "{line}");
        }
        assert!(shown.contains(" GET /route/1 "), "{shown}");
    }
}

#[test]
fn outliers_lie_far_from_the_others() {
    let marks = |change: fn(&mut state::Core)| {
        let mut cores = stats(4, 0, "then").cores;
        cores[3] = cores[2].clone();
        change(&mut cores[1]);
        state::outliers(&cores)
    };
    let (none, second) = ([false; 4], [false, true, false, false]);
    assert_eq!(marks(|_| {}), none);
    assert_eq!(marks(|core| core.accept_queue_ratio = Some(0.5)), none);
    assert_eq!(marks(|core| core.accept_queue_ratio = Some(0.51)), second);
    assert_eq!(marks(|core| core.latency.p99_ns *= 2), none);
    assert_eq!(
        marks(|core| core.latency.p99_ns = 2 * core.latency.p99_ns + 1),
        second
    );
    assert_eq!(marks(|core| core.requests_total = 2_001), second);
    assert_eq!(marks(|core| core.loop_lag.p99_ns = 1_000_000), none);
    assert_eq!(marks(|core| core.loop_lag.p99_ns = 1_000_001), second);
    assert_eq!(marks(|core| core.snapshot_age_ms = 3_001), second);
    // One core alone has no others.
    assert_eq!(state::outliers(&stats(1, 0, "then").cores), [false]);
}
