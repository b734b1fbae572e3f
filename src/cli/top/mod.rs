//! `corelane top`: what a server's `/stats` says, in a terminal, second after second.
//!
//! ```text
//! thread "asks" ──every second, all windows──▶ State ──▶ screen ──▶ terminal
//!                                    keys ───────▲
//! ```
//!
//! A thread asks, so that keys are heard while a server is slow; what it hears goes over a channel. The state
//! and the screen are pure. A server that does not answer is waited for: it may be restarting.
//!
//! The terminal is given back as it was on each way out: `q` and Ctrl-C, SIGTERM, SIGINT and SIGHUP, an error,
//! a panic.

mod screen;
mod state;

use super::args::TopArgs;
use super::node::{Asker, Node, prove, prove_timeout};
use crate::failure::Failure;
use crate::limits::TOP_COLUMNS;
use crate::stats::Window;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use state::{ByWindow, Key, State};
use std::io::{self, IsTerminal, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// How often the server is asked: a window of a second ends so often.
const EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether something was heard, while no key is pressed.
const LOOK: Duration = Duration::from_millis(100);

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Top {
    node: Node,
    is_once: bool,
    timeout: Duration,
}

/// What was told, or why not.
type Heard = Result<Box<ByWindow>, Failure>;

impl Top {
    /// Proves the arguments.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn new(arguments: TopArgs) -> Result<Self, Vec<Failure>> {
        let mut faults = Vec::new();
        let node = prove("URL", Some(arguments.url), &mut faults, Node::parse);
        let timeout = prove_timeout(arguments.timeout, &mut faults);
        match node {
            Some(node) if faults.is_empty() => Ok(Self {
                node,
                is_once: arguments.once,
                timeout,
            }),
            _ => Err(faults),
        }
    }

    /// Shows it until it is told to end, or once.
    ///
    /// # Errors
    /// If standard output is no terminal or fails; once: if the server does not tell.
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.is_once {
            return self.once();
        }
        if !io::stdout().is_terminal() {
            let mend = "run it in one, or give --once";
            return Err(Failure::run("standard output is not a terminal", mend));
        }
        self.watch()
    }

    fn once(self) -> Result<(), Failure> {
        let asker = Asker::new(self.timeout);
        let mut state = State::new(self.node.to_string());
        state.hear(Ok(self.ask(&asker, true)?));
        let area = Rect::new(0, 0, TOP_COLUMNS, screen::lines(&state));
        let mut cells = Buffer::empty(area);
        screen::draw(&state, area, &mut cells);
        // Whoever closed standard output wants to know no more.
        let _ = io::stdout().write_all(text(&cells).as_bytes());
        Ok(())
    }

    /// What the node tells of each window now, and of the last seconds one by one if those are missing.
    fn ask(&self, asker: &Asker, is_first: bool) -> Heard {
        let mend = "see that this is the address of a corelane of the same version";
        let ask = |window: Window| {
            let charts = match window {
                Window::Second if is_first => "&charts=1",
                _ => "",
            };
            let query = format!("format=json&window={}{charts}", window.name());
            let answer = asker.ask(&self.node, &query)?;
            serde_json::from_slice(&answer).map_err(|error| {
                self.node
                    .failure(format_args!("not the statistics: {error}"), mend)
            })
        };
        let [total, second, ten_seconds, minute] = Window::ALL;
        Ok(Box::new([
            ask(total)?,
            ask(second)?,
            ask(ten_seconds)?,
            ask(minute)?,
        ]))
    }

    fn watch(self) -> Result<(), Failure> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&ended)).map_err(|error| unusable(&error))?;
        }
        let mut state = State::new(self.node.to_string());
        let (tell, heard) = channel();
        let (_running, stopped) = channel();
        thread::Builder::new()
            .name("asks".into())
            .spawn(move || self.keep_asking(&tell, &stopped))
            .map_err(|error| Failure::no_thread(&error))?;
        let mut terminal = ratatui::try_init().map_err(|error| unusable(&error))?;
        let shown = show(&mut state, &mut terminal, &heard, &ended);
        // What cannot be given back is gone.
        let _ = ratatui::try_restore();
        shown.map_err(|error| unusable(&error))
    }

    /// Asks until nobody listens, or `stopped` says that nobody will.
    fn keep_asking(&self, tell: &Sender<Heard>, stopped: &Receiver<()>) {
        let asker = Asker::new(self.timeout);
        // Behind a break seconds were missed, too.
        let mut is_first = true;
        loop {
            let heard = self.ask(&asker, is_first);
            is_first = heard.is_err();
            if tell.send(heard).is_err()
                || stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout)
            {
                return;
            }
        }
    }
}

fn unusable(error: &io::Error) -> Failure {
    let what = format!("the terminal cannot be used: {error}");
    Failure::run(what, "run it in another, or give --once")
}

/// Draws what is heard and what keys make of it, until a key or a signal ends it.
fn show(
    state: &mut State,
    terminal: &mut ratatui::DefaultTerminal,
    heard: &Receiver<Heard>,
    ended: &AtomicBool,
) -> io::Result<()> {
    loop {
        terminal.draw(|frame| screen::draw(state, frame.area(), frame.buffer_mut()))?;
        let mut is_news = false;
        while !is_news {
            if ended.load(Ordering::Relaxed) {
                return Ok(());
            }
            is_news = match event::poll(LOOK) {
                Ok(true) => match asked(&event::read()?) {
                    Some(Asked::End) => return Ok(()),
                    Some(Asked::Key(key)) => {
                        state.press(key);
                        true
                    }
                    Some(Asked::Redraw) => true,
                    None => false,
                },
                Ok(false) => false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
                Err(error) => return Err(error),
            };
            loop {
                match heard.try_recv() {
                    Ok(answer) => {
                        state.hear(answer.map_err(|failure| failure.what().to_owned()));
                        is_news = true;
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        return Err(io::Error::other("nobody asks any more"));
                    }
                }
            }
        }
    }
}

/// What somebody at the terminal wants.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Key(Key),
    Redraw,
    End,
}

fn asked(event: &Event) -> Option<Asked> {
    let key = match event {
        Event::Resize(..) => return Some(Asked::Redraw),
        Event::Key(key) if key.kind != KeyEventKind::Release => key,
        _ => return None,
    };
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Asked::End);
    }
    Some(Asked::Key(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return Some(Asked::End),
        KeyCode::Char('p' | ' ') => Key::Pause,
        KeyCode::Char('s') => Key::Sort,
        KeyCode::Left => Key::Shorter,
        KeyCode::Right => Key::Longer,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Tab => Key::Other,
        _ => return None,
    }))
}

/// Cells as lines of text, without what is empty at their ends.
fn text(cells: &Buffer) -> String {
    let mut text = String::new();
    for line in cells.content.chunks(usize::from(cells.area.width.max(1))) {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
