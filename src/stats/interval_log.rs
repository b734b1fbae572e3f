//! An HdrHistogram interval log, as the readers of that format expect it: each second that is kept as an interval
//! of its own, and those of each core, tagged, over all of the window.
//!
//! Intervals without a tag are behind one another and add up to the latencies of the window: since the start the
//! first of them is what came before the seconds that are kept, and the last what came in the one that has not ended,
//! if something did. Their times are from the log's base time on, and
//! their maxima are in milliseconds, as other writers have them.

use super::distribution::Distribution;
use super::hdr::encode;
use super::json::Selection;
use super::rfc3339::rfc3339;
use super::seconds::SecondFigures;
use super::view::{View, Window};
use hdrhistogram::serialization::V2DeflateSerializer;
use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// One interval after the other, because each takes some 100 µs to deflate.
pub(super) struct IntervalLog<'a> {
    view: &'a View,
    window: Window,
    serializer: V2DeflateSerializer,
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
const AT_A_TIME: usize = 8;

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
            serializer: V2DeflateSerializer::new(),
            seconds,
            rest,
            base: begun,
            part: Part::Rest(0),
            log: Vec::new(),
        }
    }

    /// Writes the next interval, or finds out more of it; `false` when there is none.
    pub(super) fn next(&mut self) -> bool {
        match self.part {
            Part::Rest(done) if done < self.seconds.len() => {
                let next = self.seconds.len().min(done + AT_A_TIME);
                for second in &self.seconds[done..next] {
                    self.rest.take_out(&second.latencies);
                }
                self.part = Part::Rest(next);
            }
            Part::Rest(_) => {
                self.write_head();
                if self.window == Window::Total {
                    let rest = std::mem::replace(&mut self.rest, Distribution::new());
                    let first = self.seconds.first();
                    let end = first.map_or(self.base, |first| first.begun());
                    self.write("", self.base, end.saturating_sub(self.base), &rest);
                }
                self.part = Part::Second(0);
            }
            Part::Second(number) => match self.seconds.get(number).copied() {
                Some(second) => {
                    let length = Duration::from_nanos(second.span_ns);
                    self.write("", second.begun(), length, &second.latencies);
                    self.part = Part::Second(number + 1);
                }
                None => self.part = Part::Open,
            },
            Part::Open => {
                let open = &self.view.open;
                if self.window == Window::Total && open.count() > 0 {
                    let last = self.seconds.last();
                    let begun = last.map_or(self.base, |last| last.ended());
                    let length = (self.base + self.span()).saturating_sub(begun);
                    self.write("", begun, length, open);
                }
                self.part = Part::Core(0);
            }
            Part::Core(place) => {
                let Some(core) = self.view.cores.get(place) else {
                    return false;
                };
                let tag = format!("Tag=core-{},", core.core);
                let latency = self.view.core_latency(self.window, place);
                self.write(&tag, self.base, self.span(), latency);
                self.part = Part::Core(place + 1);
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
    fn write(&mut self, tag: &str, begun: Duration, length: Duration, latency: &Distribution) {
        let from = begun.saturating_sub(self.base).as_secs_f64();
        let length = length.as_secs_f64();
        let longest = latency.buckets().last().map_or(0, |(highest, _)| highest);
        let longest = longest as f64 / MAX_DIVISOR;
        let encoded = encode(&mut self.serializer, latency);
        writeln!(
            self.log,
            "{tag}{from:.3},{length:.3},{longest:.3},{encoded}"
        )
        .expect(WRITES);
    }
}
