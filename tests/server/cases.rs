//! A request as bytes and what it is answered, and the deliveries in which every such case is
//! tried. There are no tests here.

use super::app::Served;
use super::support::Client;
use super::support::client::{Broken, Response};
use corelane::http::Refusal;

/// A request and what is answered.
pub(crate) struct Case {
    /// What the case is about, where the bytes do not say it.
    title: &'static str,
    pub(crate) request: &'static [u8],
    answers: &'static [Answer],
    refusal: Option<Refusal>,
    /// What becomes of the connection.
    pub(crate) fate: Fate,
    /// Fields that the last response must have (`name: value`), or must not (`!name`).
    fields: &'static [&'static str],
}

/// Status and content of a response.
pub(crate) type Answer = (u16, &'static str);

/// What becomes of a connection after a case.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// It goes on.
    Stays,
    /// It ends, and the last response says so.
    Closes,
    /// It ends, which the last response could not know.
    Breaks,
}

pub(crate) const STAYS: Fate = Fate::Stays;
pub(crate) const CLOSES: Fate = Fate::Closes;
pub(crate) const BREAKS: Fate = Fate::Breaks;

/// A request that is answered once.
pub(crate) const fn case(
    request: &'static [u8],
    fate: Fate,
    answer: &'static [Answer; 1],
    fields: &'static [&'static str],
) -> Case {
    Case {
        title: "",
        request,
        answers: answer,
        refusal: None,
        fate,
        fields,
    }
}

/// A request that is refused, for this reason.
pub(crate) const fn refused(request: &'static [u8], refusal: Refusal) -> Case {
    Case {
        title: "",
        request,
        answers: &[],
        refusal: Some(refusal),
        fate: CLOSES,
        fields: &[],
    }
}

/// Bytes that are these requests, and nothing else.
pub(crate) const fn read(request: &'static [u8], fate: Fate, answers: &'static [Answer]) -> Case {
    Case {
        title: "",
        request,
        answers,
        refusal: None,
        fate,
        fields: &[],
    }
}

const GOOD: &[u8] = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n";

fn assert_good(client: &mut Client, place: &str) {
    let response = client.try_response(false);
    let response = response.unwrap_or_else(|broken| panic!("{place}: {broken:?}"));
    assert_eq!(
        (response.status, response.text()),
        (200, "Hello, good"),
        "{place}"
    );
}

impl Case {
    /// The same under a name.
    pub(crate) const fn titled(self, title: &'static str) -> Case {
        Case { title, ..self }
    }

    fn name(&self) -> String {
        format!("{} {}", self.title, self.request.escape_ascii())
    }

    /// Whether the last response has no content because of the method.
    fn is_head(&self) -> bool {
        let start = self.request.strip_prefix(b"\r\n").unwrap_or(self.request);
        start.starts_with(b"HEAD ")
    }

    /// Takes the responses from `client` and holds them against what is expected.
    fn assert_answered(&self, client: &mut Client, delivery: &str) {
        let name = format!("{delivery}: {}", self.name());
        let refusal = self.refusal.map(|refusal| {
            let content = format!("{refusal}\n");
            (refusal.status.as_u16(), content)
        });
        let expected = self.answers.iter().map(|&(status, text)| (status, text));
        let expected = expected.chain(refusal.iter().map(|(status, text)| (*status, &**text)));
        let count = self.answers.len() + usize::from(self.refusal.is_some());
        for (index, (status, text)) in expected.enumerate() {
            let response = client.try_response(self.is_head());
            let response = response.unwrap_or_else(|broken| panic!("{name}: {broken:?}"));
            assert_eq!(response.status, status, "{name}: {response:?}");
            let text = if self.is_head() { "" } else { text };
            assert_eq!(response.text(), text, "{name}");
            let is_last = index + 1 == count;
            assert_general_fields(&response, &name);
            assert_eq!(
                response.closes(),
                is_last && self.fate == CLOSES,
                "{name}: {response:?}"
            );
            if is_last {
                self.assert_fields(&response, &name);
            }
        }
    }

    fn assert_fields(&self, response: &Response, name: &str) {
        for field in self.fields {
            match field.split_once(": ") {
                Some((field, value)) => {
                    assert_eq!(response.field(field), Some(value), "{name}: {response:?}");
                }
                None => assert_eq!(response.field(&field[1..]), None, "{name}: {response:?}"),
            }
        }
    }

    /// After the responses the connection is what the case says.
    fn assert_fate(&self, client: &mut Client, delivery: &str) {
        let name = format!("{delivery}: {}", self.name());
        if self.fate == STAYS {
            client.send(GOOD);
            assert_good(client, &name);
        } else {
            assert_eq!(client.rest(), Broken::Closed(Vec::new()), "{name}");
        }
    }
}

/// What every response has: RFC 9110 §6.6.1.
fn assert_general_fields(response: &Response, name: &str) {
    let date = response.field("date");
    let date = date.unwrap_or_else(|| panic!("{name}: no Date"));
    httpdate::parse_http_date(date).unwrap_or_else(|error| panic!("{name}: {date}: {error}"));
    assert!(date.ends_with(" GMT") && date.len() == 29, "{name}: {date}");
}

/// Tries every case whole, each byte apart, and between two good requests in one write.
pub(crate) fn assert_all(cases: &[Case]) {
    let served = Served::new();
    for case in cases {
        whole(&served, case);
        bytewise(&served, case);
        between(&served, case);
    }
}

/// Tries every case in two pieces, cut everywhere: for what is read beyond the head, whose every cut
/// the parser's own tests try.
pub(crate) fn assert_all_cut(cases: &[Case]) {
    let served = Served::new();
    let mut good = Client::connect(served.address);
    for case in cases {
        for cut in 1..case.request.len() {
            let (first, second) = case.request.split_at(cut);
            let mut client = Client::connect(served.address);
            client.send(first);
            // Every fourth time the server has had time to look at the first piece alone.
            if cut % 4 == 0 {
                good.assert_alive();
            }
            // A refusal may be out, and the connection gone, before all is sent.
            let sent = client.try_send(second);
            assert!(sent.is_ok() || case.fate != STAYS, "{cut}: {}", case.name());
            case.assert_answered(&mut client, "cut");
        }
    }
}

fn whole(served: &Served, case: &Case) {
    let mut client = Client::connect(served.address);
    client.send(case.request);
    case.assert_answered(&mut client, "whole");
    case.assert_fate(&mut client, "whole");
}

fn bytewise(served: &Served, case: &Case) {
    let mut client = Client::connect(served.address);
    client.send_bytewise(case.request);
    case.assert_answered(&mut client, "byte by byte");
    case.assert_fate(&mut client, "byte by byte");
}

/// What follows a case that ends the connection is never taken for a request.
fn between(served: &Served, case: &Case) {
    let mut client = Client::connect(served.address);
    client.send([GOOD, case.request, GOOD].concat());
    assert_good(&mut client, "ahead");
    case.assert_answered(&mut client, "between good requests");
    if case.fate == STAYS {
        assert_good(&mut client, &case.name());
    }
    case.assert_fate(&mut client, "between good requests");
}

/// Tries all cases that leave the connection open on one connection, in one write.
pub(crate) fn assert_all_in_a_row(cases: &[&Case]) {
    let served = Served::new();
    let all: Vec<_> = cases.iter().map(|case| case.request).collect();
    let mut client = Client::connect(served.address);
    client.send(all.concat());
    for case in cases {
        case.assert_answered(&mut client, "in a row");
    }
    client.assert_alive();
}
