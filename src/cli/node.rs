//! Other servers, as the commands that ask them for their statistics see them: an address, and an answer
//! within a time. It does not know what the answer says.

use crate::config::raw::Written;
use crate::config::{Mistake, duration};
use crate::failure::Failure;
use crate::limits::{NODE_ANSWER_BYTES, NODE_PATIENCE};
use http::Uri;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// A server, by where its statistics are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// As it was written, but for who asks: a password is for nobody to read.
    shown: String,
    /// Without a query.
    url: String,
    location: Location,
}

/// What is the same however it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Location {
    /// In lower case.
    host: String,
    port: u16,
    path: String,
}

/// Where statistics are, if the address does not say.
const PATH: &str = "/stats";

/// Where scrapers look for the same.
const METRICS: &str = "/metrics";

/// The port of HTTP (RFC 9110 §4.2.1), if the address has none.
const PORT: u16 = 80;

/// How long it may take to answer, if nothing else is asked for.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Node {
    /// Reads `http://HOST[:PORT][/PATH]`. Without a path it is that of `/stats`.
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        let shown = without_userinfo(text);
        let mistake = |what: &str, mend: &str| Mistake {
            what: format!("'{shown}' {what}"),
            mend: mend.into(),
        };
        let example = "write one such as http://127.0.0.1:8080";
        let uri: Uri = text
            .parse()
            .map_err(|error| mistake(&format!("is not a URL: {error}"), example))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                let mend = "write http://, and leave TLS to a tunnel if the way is not safe";
                return Err(mistake("is https, which is not spoken here", mend));
            }
            _ => return Err(mistake("does not begin with http://", example)),
        }
        let Some(authority) = uri.authority() else {
            return Err(mistake("has no host", example));
        };
        if uri.query().is_some() {
            return Err(mistake("has a query", "leave it out"));
        }
        let path = match uri.path() {
            "" | "/" => PATH,
            path => path,
        };
        Ok(Self {
            url: format!("http://{authority}{path}"),
            location: Location {
                host: authority.host().to_ascii_lowercase(),
                port: authority.port_u16().unwrap_or(PORT),
                path: path.into(),
            },
            shown,
        })
    }

    /// Reads the same, where it is not one of `others`: what a node told would count twice.
    pub(super) fn parse_another(text: &str, others: &[Node]) -> Result<Self, Mistake> {
        let node = Self::parse(text)?;
        if others.iter().any(|other| other.location == node.location) {
            return Err(Mistake {
                what: format!("'{node}' is there twice"),
                mend: "write each node once: its requests would be counted twice".into(),
            });
        }
        Ok(node)
    }

    /// Its address, as it was written, without who asks.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether `other` is at an address of this one, as names are resolved now, and is asked for the same.
    pub(super) fn is_at_address_of(&self, other: &Node) -> bool {
        self.location.resource() == other.location.resource()
            && self.location.port == other.location.port
            && self.location.addresses().any(|own| {
                let mut others = other.location.addresses();
                others.any(|other| other == own)
            })
    }

    /// A failure of this node.
    pub(super) fn failure(&self, what: impl fmt::Display, mend: &str) -> Failure {
        Failure::run(format!("{self}: {what}"), mend)
    }
}

impl Location {
    /// What is asked for: the statistics have two paths.
    fn resource(&self) -> &str {
        if self.path == METRICS {
            PATH
        } else {
            &self.path
        }
    }

    /// Where it leads to; nowhere if that cannot be found out.
    fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        // IPv6 is in brackets in a URL.
        let host = self.host.trim_matches(['[', ']']);
        let found = (host, self.port).to_socket_addrs();
        found.into_iter().flatten()
    }
}

/// `url` without what stands between its scheme and an `@`. It need not be one: of what cannot be read nothing
/// is shown that may be a password.
fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{scheme}…@{rest}"),
        None => url.into(),
    }
}

/// Asks nodes, and keeps connections to them for the next question.
#[derive(Debug)]
pub(super) struct Asker {
    agent: ureq::Agent,
    timeout: Duration,
}

impl Asker {
    /// An answer may take so long.
    pub(super) fn new(timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        Self {
            agent: ureq::Agent::new_with_config(config),
            timeout,
        }
    }

    /// What `node` answers to a GET with `query`, if that is 200.
    ///
    /// # Errors
    /// A failure that names the node, where it cannot be reached, has not answered in time, or answers
    /// something else.
    pub(super) fn ask(&self, node: &Node, query: &str) -> Result<Vec<u8>, Failure> {
        let timeout = self.timeout;
        let unreached = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => node.failure(
                format_args!("no answer within {timeout:?}"),
                "see that it runs and is not overloaded, or give a longer --timeout",
            ),
            error => node.failure(error, "see that it runs, and that this is its address"),
        };
        let url = format!("{}?{query}", node.url);
        let mut response = self.agent.get(url).call().map_err(unreached)?;
        if response.status() != http::StatusCode::OK {
            return Err(node.failure(
                format_args!("it answers {}", response.status()),
                "see that this is its address, and that its --stats-allow has this machine's",
            ));
        }
        let body = response.body_mut().with_config();
        body.limit(NODE_ANSWER_BYTES)
            .read_to_vec()
            .map_err(unreached)
    }
}

/// The value of an option that was given, by its name; what is wrong with it is added to `faults`.
pub(super) fn prove<T>(
    name: &str,
    text: Option<String>,
    faults: &mut Vec<Failure>,
    parse: impl Fn(&str) -> Result<T, Mistake>,
) -> Option<T> {
    let text = text?;
    let fault = |mistake| Written::argument(name, text.clone()).fault(mistake);
    parse(&text)
        .map_err(|mistake| faults.push(fault(mistake)))
        .ok()
}

/// How long a node may take to answer: `--timeout`.
pub(super) fn prove_timeout(text: Option<String>, faults: &mut Vec<Failure>) -> Duration {
    let parse = |text: &str| match duration::parse(text, NODE_PATIENCE)? {
        Duration::ZERO => Err(Mistake {
            what: format!("'{text}' is no time to answer in"),
            mend: "write one such as 500ms".into(),
        }),
        timeout => Ok(timeout),
    };
    prove("--timeout", text, faults, parse).unwrap_or(TIMEOUT)
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_there_once_however_it_is_written() {
        let first = [Node::parse("http://a.example").expect("a node")];
        for same in [
            "http://a.example/",
            "http://a.example:80",
            "http://A.Example",
            "http://a.EXAMPLE:80/stats",
        ] {
            let mistake = Node::parse_another(same, &first).expect_err(same);
            assert_eq!(mistake.what, format!("'{same}' is there twice"));
        }
        for other in [
            "http://b.example",
            "http://a.example:8080",
            "http://a.example/Stats",
        ] {
            assert!(Node::parse_another(other, &first).is_ok(), "{other}");
        }
    }

    #[test]
    fn a_node_that_resolves_to_the_same_is_known() {
        let node = |text| Node::parse(text).expect(text);
        let first = node("http://127.0.0.1:8080");
        for same in ["http://127.1:8080", "http://127.0.0.1:8080/metrics"] {
            assert!(first.is_at_address_of(&node(same)), "{same}");
        }
        for other in [
            "http://127.0.0.2:8080",
            "http://127.0.0.1:8081",
            "http://127.0.0.1:8080/b/stats",
            "http://nobody.invalid:8080",
        ] {
            assert!(!first.is_at_address_of(&node(other)), "{other}");
        }
        let six = node("http://[::1]:8080");
        assert!(six.is_at_address_of(&node("http://[0:0::1]:8080/metrics")));
    }

    #[test]
    fn who_asks_is_not_shown() {
        for (text, shown) in [
            ("http://me:secret@a:80/stats", "http://…@a:80/stats"),
            ("http://secret@a", "http://…@a"),
            ("http://a/b", "http://a/b"),
        ] {
            let node = Node::parse(text).expect(text);
            assert_eq!((node.shown(), &*node.to_string()), (shown, shown));
            let failure = node.failure("gone", "mend").to_string();
            assert!(!failure.contains("secret"), "{failure}");
        }
        for text in [
            "https://me:secret@a",
            "me:secret@a",
            "http://me:se/cr?et@a:secret@b",
            "http://me:secret@a/?secrets",
            "http://me:secret@ a",
            "http://me:secret@",
        ] {
            let mistake = Node::parse(text).expect_err(text);
            assert!(mistake.what.contains('…'), "{}", mistake.what);
            assert!(!mistake.what.contains("secret@"), "{}", mistake.what);
        }
        let first = [Node::parse("http://me:secret@a").expect("a node")];
        let mistake = Node::parse_another("http://me:secret@A", &first).expect_err("twice");
        assert_eq!(mistake.what, "'http://…@A' is there twice");
    }

    #[test]
    fn addresses() {
        for (text, url) in [
            ("http://a", "http://a/stats"),
            ("http://a:80/", "http://a:80/stats"),
            ("http://[::1]:8080", "http://[::1]:8080/stats"),
            ("http://a/internal/stats", "http://a/internal/stats"),
        ] {
            let node = Node::parse(text).expect(text);
            assert_eq!((&*node.url, node.to_string()), (url, text.to_owned()));
        }
        for (text, what) in [
            (
                "https://a",
                "'https://a' is https, which is not spoken here",
            ),
            ("a:8080", "'a:8080' does not begin with http://"),
            ("ftp://a", "'ftp://a' does not begin with http://"),
            ("/stats", "'/stats' does not begin with http://"),
            ("http://a/?fresh=1", "'http://a/?fresh=1' has a query"),
            ("http:// a", "'http:// a' is not a URL: "),
            ("", "'' is not a URL: "),
        ] {
            let mistake = Node::parse(text).expect_err(text);
            assert!(mistake.what.starts_with(what), "{}", mistake.what);
        }
    }
}
