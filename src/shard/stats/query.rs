//! What a request for statistics asks for, in its query and its Accept fields.

use crate::http::preferred_type;
use crate::shard::reserved;
use crate::stats::{Format, Selection, Window};

/// Where scrapers look for the statistics.
const METRICS: &[u8] = reserved::METRICS.as_bytes();

/// The media types that ask for each format, in the order of [`Format::ALL`].
const OFFERS: [&[&str]; Format::ALL.len()] = [
    &["application/json"],
    &["text/plain"],
    &["application/openmetrics-text"],
    &["application/vnd.google.protobuf"],
    // These have no media type of their own: they are asked for by name.
    &[],
    &[],
    &["text/event-stream"],
    &["text/html"],
];

/// What a request for statistics asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Whether all cores are to be looked at first.
    pub(super) fresh: bool,
    /// Whether the answer is compressed with gzip.
    pub(super) is_gzipped: bool,
    pub(super) format: Format,
    pub(super) selection: Selection,
}

impl Query {
    /// Reads `fresh=0|1`, `format=NAME`, `window=total|1s|10s|60s`, `filter=TEXT`, `per_core=0|1` and
    /// `charts=0|1`, each once at most. A name that it does not know is a mistake that would otherwise be taken for an
    /// answer; but for one that begins with `_`, as those do that are there to get past a cache. Without a format it is the
    /// one that `accept`, the values of all Accept fields, prefer of those for this path.
    ///
    /// # Errors
    /// What is wrong with the query, and what is right.
    pub(super) fn parse<'a>(
        path: &[u8],
        query: &str,
        accept: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
            .map_err(|error| format!("the query cannot be read: {error}"))?;
        let mut selection = Selection::default();
        let (mut fresh, mut format) = (false, None);
        let mut given = [false; NAMES.len()];
        for (name, value) in pairs {
            if name.starts_with('_') {
                continue;
            }
            let Some(place) = NAMES.iter().position(|known| *known == name) else {
                let known = NAMES.join(", ");
                return Err(format!("{name:?} is not known here: {known} are"));
            };
            if std::mem::replace(&mut given[place], true) {
                return Err(format!("{name} is given twice: give it once"));
            }
            match &*name {
                "format" => format = Some(named(&name, &value, Format::ALL, Format::name)?),
                "window" => selection.window = named(&name, &value, Window::ALL, Window::name)?,
                "per_core" => selection.per_core = flag(&name, &value)?,
                "charts" => selection.charts = flag(&name, &value)?,
                "fresh" => fresh = flag(&name, &value)?,
                _ => selection.filter = Some(value),
            }
        }
        let format = format.unwrap_or_else(|| preferred(path, accept));
        if selection.window != Window::Total && !format.has_windows() {
            let name = format.name();
            return Err(format!("{name} counts since the start: leave out window"));
        }
        if selection.filter.is_some() && !format.has_routes() {
            let name = format.name();
            return Err(format!(
                "{name} is of all routes: leave out filter, or ask for json"
            ));
        }
        if selection.charts && !format.has_charts() {
            let name = format.name();
            return Err(format!(
                "{name} has no charts: leave out charts, or ask for json"
            ));
        }
        if fresh && format == Format::Sse {
            return Err("sse tells of each second when it ends: leave out fresh".to_owned());
        }
        Ok(Self {
            fresh,
            is_gzipped: false,
            format,
            selection,
        })
    }
}

/// What a query is made of.
const NAMES: [&str; 6] = ["format", "window", "filter", "per_core", "charts", "fresh"];

/// The format that `accept` prefers. Whoever wants none that there is gets the usual one.
fn preferred<'a>(path: &[u8], accept: impl Iterator<Item = &'a [u8]>) -> Format {
    let (mut offers, mut usual) = (OFFERS, Format::Json);
    if path == METRICS {
        // A scraper that takes anything means what scrapers take, and so does who looks at it with a browser.
        for (offer, format) in offers.iter_mut().zip(Format::ALL) {
            if matches!(format, Format::Json | Format::Sse | Format::Html) {
                *offer = &[];
            }
        }
        usual = Format::Prometheus;
    }
    preferred_type(accept, &offers).map_or(usual, |place| Format::ALL[place])
}

/// The one of `all` that is called `value`.
fn named<T: Copy, const N: usize>(
    what: &str,
    value: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.into_iter().find(|one| name(*one) == value);
    found.ok_or_else(|| format!("{what} is {value:?}: give {}", all.map(name).join(", ")))
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(format!("{name} is {value:?}: give 0 or 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str, query: &str, accept: &str) -> Result<Query, String> {
        Query::parse(path.as_bytes(), query, [accept.as_bytes()].into_iter())
    }

    #[test]
    fn queries() {
        let default = parsed("/stats", "", "").expect("a query");
        assert_eq!(default.format, Format::Json);
        assert_eq!(default.selection, Selection::default());
        let all = "format=json&fresh=1&window=10s&filter=%2Fa+b&per_core=1&charts=1&_=17&_=18";
        let asked = parsed("/stats", all, "text/plain").expect("a query");
        assert_eq!(
            asked,
            Query {
                fresh: true,
                is_gzipped: false,
                format: Format::Json,
                selection: Selection {
                    window: Window::TenSeconds,
                    filter: Some("/a b".into()),
                    per_core: true,
                    charts: true,
                    after: 0,
                },
            }
        );
        for (query, error) in [
            ("fresh=yes", "fresh is \"yes\": give 0 or 1"),
            ("per_core", "per_core is \"\": give 0 or 1"),
            ("charts=2", "charts is \"2\": give 0 or 1"),
            (
                "format=xml",
                "format is \"xml\": give json, prometheus, openmetrics, protobuf, hdr, hlog, sse, html",
            ),
            ("window=2s", "window is \"2s\": give total, 1s, 10s, 60s"),
            ("window=1s&window=1s", "window is given twice: give it once"),
            (
                "filter=a&fresh=1&filter=b",
                "filter is given twice: give it once",
            ),
            (
                "charts=1&format=hdr",
                "hdr has no charts: leave out charts, or ask for json",
            ),
            (
                "window=1s&format=prometheus",
                "prometheus counts since the start: leave out window",
            ),
            (
                "filter=a&format=hdr",
                "hdr is of all routes: leave out filter, or ask for json",
            ),
            (
                "format=hlog&filter=",
                "hlog is of all routes: leave out filter, or ask for json",
            ),
            (
                "fresh=1&windows=1s",
                "\"windows\" is not known here: format, window, filter, per_core, charts, fresh are",
            ),
            (
                "fresh=1&format=sse",
                "sse tells of each second when it ends: leave out fresh",
            ),
        ] {
            assert_eq!(parsed("/stats", query, ""), Err(error.into()), "{query}");
        }
    }

    #[test]
    fn what_a_format_has_anyway_may_be_asked_for() {
        for query in [
            "charts=1&format=html",
            "charts=0&format=hdr",
            "per_core=1&format=json",
            "window=total&format=prometheus",
            "fresh=0&format=sse",
        ] {
            assert!(parsed("/stats", query, "").is_ok(), "{query}");
        }
    }

    #[test]
    fn formats_that_are_accepted() {
        // What Prometheus 2.42 and 3 send, with native histograms and without.
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let classic = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (path, accept, format) in [
            ("/stats", "*/*", Format::Json),
            ("/stats", "image/png", Format::Json),
            ("/stats", "text/plain", Format::Prometheus),
            ("/stats", "text/event-stream", Format::Sse),
            ("/stats", browser, Format::Html),
            ("/metrics", browser, Format::Prometheus),
            ("/metrics", "text/event-stream", Format::Prometheus),
            ("/stats", native, Format::Protobuf),
            ("/stats", classic, Format::OpenMetrics),
            ("/metrics", "", Format::Prometheus),
            ("/metrics", "*/*", Format::Prometheus),
            ("/metrics", "application/json", Format::Prometheus),
            ("/metrics", native, Format::Protobuf),
            ("/metrics", classic, Format::OpenMetrics),
        ] {
            let asked = parsed(path, "", accept).expect("a query");
            assert_eq!(asked.format, format, "{path} {accept}");
        }
    }
}
