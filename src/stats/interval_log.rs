//! An HdrHistogram interval log, as the readers of that format expect it: each second that is kept as an interval
//! of its own, and those of each core, tagged, over all of the window.
//!
//! Intervals without a tag are behind one another and add up to the latencies of the window: since the start the
//! first of them is what came before the seconds that are kept, and the last what came in the one that has not ended,
//! if something did. Their times are from the log's base time on, and
//! their maxima are in milliseconds, as other writers have them.

use super::distribution::Distribution;
use super::hdr::Encoder;
use super::json::Selection;
use super::rfc3339::rfc3339;
use super::seconds::SecondFigures;
use super::view::{View, Window};
use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// One interval after the other.
pub(super) struct IntervalLog<'a> {
    view: &'a View,
    window: Window,
    encoder: Encoder,
    /// The seconds of the window that are kept, the oldest first.
    seconds: Vec<&'a SecondFigures>,
    /// What the window has besides, found out before it is written.
    rest: Distribution,
    /// When the log begins, since 1970.
    base: Duration,
    part: Part,
    log: Vec<u8>,
}

/// What is written next.
enum Part {
    /// The head and the rest of the window, when the seconds from this one on have been taken out of that.
    Rest(usize),
    Second(usize),
    /// What came after them.
    Open,
    Core(usize),
}

/// Seconds that are taken out of the rest at a time.
const AT_A_TIME: usize = 2;

/// Nanoseconds of a millisecond, in which maxima are.
const MAX_DIVISOR: f64 = 1e6;

const WRITES: &str = "a vector takes all that is written";

impl<'a> IntervalLog<'a> {
    pub(super) fn new(view: &'a View, selection: &Selection) -> Self {
        let window = selection.window;
        let kept = match window {
            Window::Total => Window::MOST_SECONDS,
            moving => moving.seconds(),
        };
        let end = view.calendar.time_of(view.merged_at_ns);
        let end = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        let span = Duration::from_nanos(view.window(window).span_ns);
        let seconds = view.last_seconds(kept);
        let begun = match (window, seconds.first()) {
            // The window has ended before the view was merged.
            (Window::Second | Window::TenSeconds | Window::Minute, Some(first)) => first.begun(),
            _ => end.saturating_sub(span),
        };
        let mut rest = view.latency(window).clone();
        if window == Window::Total {
            rest.take_out(&view.open);
        }
        Self {
            view,
            window,
            encoder: Encoder::new(),
            seconds,
            rest,
            base: begun,
            part: Part::Rest(0),
            log: Vec::new(),
        }
    }

    /// Writes the next interval, or does some of the work for it; `false` when there is none.
    pub(super) fn next(&mut self) -> bool {
        match self.part {
            Part::Rest(done) if done < self.seconds.len() => {
                let next = self.seconds.len().min(done + AT_A_TIME);
                for second in &self.seconds[done..next] {
                    self.rest.take_out(&second.latencies);
                }
                self.part = Part::Rest(next);
            }
            Part::Rest(_) if self.window != Window::Total => {
                self.write_head();
                self.part = Part::Second(0);
            }
            Part::Rest(_) => {
                if let Some(encoded) = self.encoder.encode_next(&self.rest) {
                    self.write_head();
                    let rest = std::mem::replace(&mut self.rest, Distribution::new());
                    let first = self.seconds.first();
                    let end = first.map_or(self.base, |first| first.begun());
                    let length = end.saturating_sub(self.base);
                    self.write("", self.base, length, &rest, &encoded);
                    self.part = Part::Second(0);
                }
            }
            Part::Second(number) => match self.seconds.get(number).copied() {
                Some(second) => {
                    let latency = &second.latencies;
                    if let Some(encoded) = self.encoder.encode_next(latency) {
                        let length = Duration::from_nanos(second.span_ns);
                        self.write("", second.begun(), length, latency, &encoded);
                        self.part = Part::Second(number + 1);
                    }
                }
                None => self.part = Part::Open,
            },
            Part::Open if self.window != Window::Total || self.view.open.count() == 0 => {
                self.part = Part::Core(0);
            }
            Part::Open => {
                let open = &self.view.open;
                if let Some(encoded) = self.encoder.encode_next(open) {
                    let last = self.seconds.last();
                    let begun = last.map_or(self.base, |last| last.ended());
                    let length = (self.base + self.span()).saturating_sub(begun);
                    self.write("", begun, length, open, &encoded);
                    self.part = Part::Core(0);
                }
            }
            Part::Core(place) => {
                let Some(core) = self.view.cores.get(place) else {
                    return false;
                };
                let latency = self.view.core_latency(self.window, place);
                if let Some(encoded) = self.encoder.encode_next(latency) {
                    let tag = format!("Tag=core-{},", core.core);
                    self.write(&tag, self.base, self.span(), latency, &encoded);
                    self.part = Part::Core(place + 1);
                }
            }
        }
        true
    }

    /// What can be taken out of it between two intervals.
    pub(super) fn written(&mut self) -> &mut Vec<u8> {
        &mut self.log
    }

    fn span(&self) -> Duration {
        Duration::from_nanos(self.view.window(self.window).span_ns)
    }

    fn write_head(&mut self) {
        let (base, begun) = (self.base.as_secs_f64(), rfc3339(UNIX_EPOCH + self.base));
        write!(
            self.log,
            "#[Histogram log format version 1.3]\n\
             #[StartTime: {base:.3} (seconds since epoch), {begun}]\n\
             #[BaseTime: {base:.3} (seconds since epoch)]\n\
             #[MaxValueDivisor: {MAX_DIVISOR:.3}]\n\
             \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
        )
        .expect(WRITES);
    }

    /// Writes an interval from `begun` on, with a tag or none.
    fn write(
        &mut self,
        tag: &str,
        begun: Duration,
        length: Duration,
        latency: &Distribution,
        encoded: &str,
    ) {
        let from = begun.saturating_sub(self.base).as_secs_f64();
        let length = length.as_secs_f64();
        let longest = latency.buckets().last().map_or(0, |(highest, _)| highest);
        let longest = longest as f64 / MAX_DIVISOR;
        writeln!(
            self.log,
            "{tag}{from:.3},{length:.3},{longest:.3},{encoded}"
        )
        .expect(WRITES);
    }
}
