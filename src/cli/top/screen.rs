//! What `top` shows: a state in, the cells of a terminal out. It fits 80 × 24, and uses what more there
//! is for more rows.

use super::state::{Core, Order, Route, SHOWN, Stall, State, Stats, Table, outliers};
use crate::cli::table::aligned;
use crate::stats::{LatencySummary, Window, human};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, Widget};

/// Lines that the stalls take at most, with their heading.
const STALL_LINES: usize = 3;

/// Lines beside the tables: title, requests and their chart, windows, status, connections, keys.
const FIXED_LINES: u16 = 1 + 1 + CHART_LINES + WINDOW_LINES + 1 + 1 + 1;
const CHART_LINES: u16 = 2;
const WINDOW_LINES: u16 = 1 + SHOWN.len() as u16;

/// Characters of a name that are shown, whatever is cut off at the right for it.
const LEAST_NAME: usize = 12;

const HEADING: Style = Style::new().add_modifier(Modifier::BOLD);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
const MARKED: Style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);

/// Draws `state` on `area` of `cells`.
pub(super) fn draw(state: &State, area: Rect, cells: &mut Buffer) {
    let [title, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    draw_title(state, title, cells);
    let (Some(told), Some(figures)) = (&state.told, state.figures()) else {
        let [rest, keys] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(rest);
        let why = state.waiting.as_deref().unwrap_or_default();
        Paragraph::new(format!("\n{why}")).render(rest, cells);
        draw_keys(keys, cells);
        return;
    };
    let width = area.width;
    let (cores, routes) = (core_lines(state, figures, width), route_lines(state, width));
    let stalls = stall_lines(&figures.stalls, width);
    let tables = area.height.saturating_sub(FIXED_LINES);
    let stall_lines = (stalls.len().min(STALL_LINES) as u16).min(tables);
    // What the routes do not need is the cores', and they have half of it in any case.
    let tables = tables - stall_lines;
    let spared = tables.saturating_sub(routes.len() as u16);
    let core_lines = (cores.len() as u16).min((tables / 2).max(spared));
    let [
        requests,
        chart,
        windows,
        status,
        connections,
        core_area,
        route_area,
        stall_area,
        keys,
    ] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(CHART_LINES),
        Constraint::Length(WINDOW_LINES),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(core_lines),
        Constraint::Min(0),
        Constraint::Length(stall_lines),
        Constraint::Length(1),
    ])
    .areas(rest);
    draw_requests(state, &told[SHOWN[0]], requests, cells);
    let skipped = state.rates.len().saturating_sub(usize::from(chart.width));
    let rates = state.rates.iter().skip(skipped).copied();
    Sparkline::default().data(rates).render(chart, cells);
    let [left, right] =
        Layout::horizontal([Constraint::Length(54), Constraint::Min(0)]).areas(windows);
    Paragraph::new(window_lines(state, told)).render(left, cells);
    Paragraph::new(stage_lines(figures)).render(right, cells);
    Paragraph::new(status_line(figures)).render(status, cells);
    Paragraph::new(connection_line(figures)).render(connections, cells);
    Paragraph::new(scrolled(cores, state.cores_above)).render(core_area, cells);
    Paragraph::new(scrolled(routes, state.routes_above)).render(route_area, cells);
    Paragraph::new(stalls).render(stall_area, cells);
    draw_keys(keys, cells);
}

/// How many lines there are if nothing is cut off.
pub(super) fn lines(state: &State) -> u16 {
    let tables = state.figures().map_or(1, |figures| {
        let stalls = stall_lines(&figures.stalls, u16::MAX)
            .len()
            .min(STALL_LINES);
        2 + figures.cores.len() + figures.routes.len() + stalls
    });
    FIXED_LINES + tables as u16
}

fn draw_title(state: &State, area: Rect, cells: &mut Buffer) {
    let is_waiting = state.waiting.is_some() && state.told.is_some();
    let note = match (is_waiting, state.is_paused) {
        (true, _) => state.waiting.clone().unwrap_or_default(),
        (false, true) => "paused".to_owned(),
        (false, false) => String::new(),
    };
    let mut title = vec![Span::raw("corelane")];
    if let Some(figures) = state.figures() {
        let server = &figures.server;
        let up = human::told("span", &server.uptime_seconds.into());
        title = vec![Span::raw(format!(
            "corelane {} {}  pid {}, {} cores, up {up}",
            server.version, state.url, server.pid, server.cores,
        ))];
    }
    if !note.is_empty() {
        title.insert(0, Span::styled(format!("{note}  "), MARKED));
    }
    let style = Style::new().add_modifier(Modifier::REVERSED);
    Paragraph::new(Line::from(title))
        .style(style)
        .render(area, cells);
}

fn draw_keys(area: Rect, cells: &mut Buffer) {
    let keys = "q quit  p pause  s sort routes  ←→ window  ↑↓ scroll  tab cores/routes";
    Paragraph::new(Line::styled(keys, FAINT)).render(area, cells);
}

fn draw_requests(state: &State, second: &Stats, area: Rect, cells: &mut Buffer) {
    let most = state.rates.iter().max().copied().unwrap_or(0);
    let line = Line::from(vec![
        Span::styled(
            format!("{} requests/s", rate(second.requests.per_second)),
            HEADING,
        ),
        Span::raw(format!(
            "  {} in flight  {} in all  most in a second {}",
            human::count(second.requests.in_flight as f64),
            human::count(state.told.as_ref().map_or(0, |told| told[0].requests.total) as f64),
            human::count(most as f64),
        )),
    ]);
    Paragraph::new(line).render(area, cells);
}

fn rate(per_second: f64) -> String {
    human::told("rate", &per_second.into())
}

/// A time of `summary`, if it has any.
fn time(summary: &LatencySummary, ns: u64) -> String {
    match summary.count {
        0 => human::NONE.to_owned(),
        _ => human::time(ns as f64),
    }
}

/// The lines of a table, its heading set off. Names in the first column that leave no room for the figures
/// are cut.
fn table<const N: usize>(
    width: u16,
    heading: [&str; N],
    rows: Vec<[String; N]>,
) -> Vec<Line<'static>> {
    let mut all = vec![heading.map(str::to_owned)];
    all.extend(rows);
    let widest = |column: usize| all.iter().map(|row| row[column].chars().count()).max();
    let figures: usize = (1..N).filter_map(widest).map(|figure| 2 + figure).sum();
    let room = usize::from(width).saturating_sub(figures);
    for row in &mut all[1..] {
        row[0] = cut(&row[0], room.max(LEAST_NAME));
    }
    let mut lines: Vec<_> = aligned(&all).into_iter().map(Line::from).collect();
    lines[0] = std::mem::take(&mut lines[0]).style(HEADING);
    lines
}

/// `name` without its middle, if it has more characters than there is room for.
fn cut(name: &str, room: usize) -> String {
    let characters: Vec<_> = name.chars().collect();
    if characters.len() <= room {
        return name.to_owned();
    }
    let begin = room / 2;
    let end = characters.len() - (room - begin - 1);
    let [begin, end] = [&characters[..begin], &characters[end..]].map(String::from_iter);
    format!("{begin}…{end}")
}

/// A table without the first `above` of its rows.
fn scrolled(mut lines: Vec<Line<'static>>, above: usize) -> Vec<Line<'static>> {
    lines.drain(1..1 + above.min(lines.len() - 1));
    lines
}

fn window_lines(state: &State, told: &[Stats; Window::ALL.len()]) -> Vec<Line<'static>> {
    let rows = SHOWN.map(|window| {
        let Stats {
            requests, latency, ..
        } = &told[window];
        let mark = if window == state.window() { "▸" } else { " " };
        [
            format!("{mark}{}", Window::ALL[window].name()),
            rate(requests.mean_per_second.unwrap_or(requests.per_second)),
            time(latency, latency.p50_ns),
            time(latency, latency.p99_ns),
            time(latency, latency.p99_9_ns),
            time(latency, latency.max_ns),
        ]
    });
    let heading = [" window", "/s", "p50", "p99", "p99.9", "max"];
    table(u16::MAX, heading, rows.into())
}

fn stage_lines(figures: &Stats) -> Vec<Line<'static>> {
    let stages = &figures.stages;
    let rows = [
        ("queue", &stages.queue),
        ("head", &stages.head),
        ("handler", &stages.handler),
        ("write", &stages.write),
    ]
    .map(|(name, stage)| {
        [
            name.to_owned(),
            time(stage, stage.p99_ns),
            time(stage, stage.max_ns),
        ]
    });
    table(u16::MAX, ["stage", "p99", "max"], rows.into())
}

fn status_line(figures: &Stats) -> Line<'static> {
    let codes = &figures.status.codes;
    let all: u64 = codes.values().sum();
    let mut line = vec![Span::styled("status", HEADING)];
    for (code, count) in codes {
        let share = *count as f64 / all.max(1) as f64;
        let text = format!("  {code} {}", human::told("share", &share.into()));
        let is_failure = code.starts_with('5');
        line.push(Span::styled(
            text,
            if is_failure { MARKED } else { Style::new() },
        ));
    }
    Line::from(line)
}

fn connection_line(figures: &Stats) -> Line<'static> {
    let sum =
        |of: fn(&Core) -> Option<u64>| figures.cores.iter().filter_map(of).sum::<u64>() as f64;
    let connections = &figures.connections;
    let files = figures.file_cache.as_ref();
    let files = files
        .and_then(|cache| cache.hit_ratio)
        .map(|ratio| format!("  cache {:.0} %", ratio * 100.0));
    Line::from(vec![
        Span::styled("connections", HEADING),
        Span::raw(format!(
            "  {} open, {} idle, {} accepted  accept queue {} of {}{}",
            human::count(connections.active as f64),
            human::count(connections.idle as f64),
            human::count(connections.accepted_total as f64),
            human::count(sum(|core| core.accept_queue)),
            human::count(sum(|core| core.accept_queue_limit)),
            files.unwrap_or_default(),
        )),
    ])
}

fn core_lines(state: &State, figures: &Stats, width: u16) -> Vec<Line<'static>> {
    let marks = outliers(&figures.cores);
    let rows = figures.cores.iter().zip(&marks).map(|(core, is_marked)| {
        let Core {
            latency, loop_lag, ..
        } = core;
        [
            format!("{}{}", if *is_marked { "!" } else { " " }, core.core),
            human::count(core.requests_total as f64),
            time(latency, latency.p99_ns),
            time(latency, latency.max_ns),
            human::told("share", &core.busy_ratio.into()),
            time(loop_lag, loop_lag.p99_ns),
            time(loop_lag, loop_lag.max_ns),
            human::count(core.connections_active as f64),
            human::count(core.stalls_total as f64),
            human::told("count", &core.accept_queue.into()),
        ]
    });
    let name = match state.scrolled {
        Table::Cores => "↕core",
        Table::Routes => " core",
    };
    let heading = [
        name, "requests", "p99", "max", "busy", "lag p99", "lag max", "open", "stalls", "queue",
    ];
    let mut lines = table(width, heading, rows.collect());
    for (line, is_marked) in lines.iter_mut().skip(1).zip(marks) {
        if is_marked {
            *line = std::mem::take(line).style(MARKED);
        }
    }
    lines
}

fn route_lines(state: &State, width: u16) -> Vec<Line<'static>> {
    let row = |route: &&Route| {
        let latency = &route.latency;
        [
            format!(" {} {}", route.method, route.route),
            human::count(latency.count as f64),
            time(latency, latency.p50_ns),
            time(latency, latency.p99_ns),
            time(latency, latency.p99_9_ns),
            time(latency, latency.max_ns),
        ]
    };
    let routes = state.routes();
    let mark = |order| if state.order == order { "▾" } else { "" };
    let requests = format!("{}requests", mark(Order::Requests));
    let p99 = format!("{}p99", mark(Order::P99));
    let longest = format!("{}max", mark(Order::Longest));
    let name = match state.scrolled {
        Table::Cores => " route",
        Table::Routes => "↕route",
    };
    let heading = [name, &requests, "p50", &p99, "p99.9", &longest];
    table(width, heading, routes.iter().map(row).collect())
}

/// The newest first.
fn stall_lines(stalls: &[Stall], width: u16) -> Vec<Line<'static>> {
    let rows = stalls.iter().rev().map(|stall| {
        let by = match (&stall.method, &stall.route) {
            (Some(method), Some(route)) => format!("{method} {route}"),
            _ if stall.run_delay_ns >= Some(stall.held_ns / 2) => "the machine".to_owned(),
            _ => "no handler by itself".to_owned(),
        };
        [
            format!(" {by}"),
            stall.core.to_string(),
            human::time(stall.held_ns as f64),
            stall.at.clone(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Vec::new();
    }
    table(width, [" stall by", "core", "held for", "until"], rows)
}
