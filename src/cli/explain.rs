//! `corelane explain`: what `serve` with the same options would answer to a request, and why. It
//! listens on nothing.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use http::Method;
use serde_json::json;

use super::args::AskedArgs;
use crate::app::{App, Body, Request, Response};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::explain::Point;
use crate::files::{Files, Policy};
use crate::http::{ErrorForm, HeadParser, Refusal, RequestHead};
use crate::limits::Limits;
use crate::preflight;
use crate::printable::Printable;
use crate::ring::{self, Ring, RingOptions};
use crate::shard::reserved;

/// Explains the answer to `asked`, on standard output, whatever it is.
///
/// # Errors
/// If the folder is not there, `asked` is more than one request, or a ring cannot be set up.
pub(super) fn run(asked: AskedArgs, config: Config) -> Result<(), Failure> {
    preflight::folder(&config.root)?;
    let is_json = asked.json;
    let line = format!("{} {}", asked.method, Printable::new(&asked.path));
    let explained = match asked.head(&config.limits)? {
        Ok(head) => {
            let explained = ring::run(None, RingOptions::default(), |ring| async move {
                explain(&ring, &config, head).await
            });
            explained.map_err(|error| {
                Failure::run(
                    error.to_string(),
                    "run `corelane doctor` to see what is missing",
                )
            })??
        }
        Err(refusal) => refused(refusal),
    };
    let text = match is_json {
        true => as_json(&explained),
        false => as_text(&line, &explained),
    };
    // Whoever closed standard output wants no more of it.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// A response, and what decided about it.
struct Explained {
    points: Vec<Point>,
    response: Response,
    /// Whether that is all of it.
    is_whole: bool,
}

impl AskedArgs {
    /// The request that is asked about, or why a server refuses it before it looks for anything.
    fn head(&self, limits: &Limits) -> Result<Result<RequestHead, Refusal>, Failure> {
        let (method, path) = (&self.method, &self.path);
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        let is_host = |line: &String| line.to_ascii_lowercase().starts_with("host:");
        if !self.header.iter().any(is_host) {
            text += "Host: localhost\r\n";
        }
        for line in &self.header {
            text += &format!("{line}\r\n");
        }
        text += "\r\n";
        match HeadParser::default().parse(text.as_bytes(), &limits.head) {
            Ok(Some((head, bytes))) if bytes == text.len() => Ok(Ok(head)),
            Ok(_) => Err(Failure::operator(
                "what is asked is not one request",
                "write --header 'NAME: VALUE' without line ends",
            )),
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

/// What becomes of a request that is none.
fn refused(refusal: Refusal) -> Explained {
    let mut response = Response::error(refusal.status, refusal.detail);
    response.explain(|| None);
    Explained {
        points: vec![("refused", format!("it is no request: {}", refusal.detail))],
        response,
        is_whole: true,
    }
}

async fn explain(ring: &Ring, config: &Config, head: RequestHead) -> Result<Explained, Failure> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    if let Some(own) = reserved::explained(&config.stats, &head, peer) {
        let mut response = own.response;
        response.explain(|| Some(ErrorForm::preferred(head.field_values("accept"))));
        let mut points = vec![("server", format!("answers itself: {}", own.what))];
        if !own.is_whole {
            let what = "made when they are asked for, with fields and a length of their own";
            points.push(("statistics", what.to_owned()));
        }
        return Ok(Explained {
            points,
            response,
            is_whole: own.is_whole,
        });
    }
    let policy: Policy = config.files.clone();
    let files = Files::open(ring, &config.root, policy).map_err(|error| {
        let what = format!(
            "the folder {} cannot be opened: {error}",
            config.root.display()
        );
        Failure::operator(what, "make it readable for this user, or name another")
    })?;
    let files = files
        .request_line_bytes(config.limits.head.request_line_bytes)
        .explaining();
    let router = App::new()
        .mount_to_read("/", files.clone())
        .build()
        .map_err(|error| Failure::run(error.to_string(), "report it"))?;
    let is_read = matches!(*head.method(), Method::GET | Method::HEAD);
    let response = router.respond(Request::new(head, Body::Empty, peer)).await;
    let mut points = files.explained();
    if !is_read {
        points.push(("method", "only GET and HEAD are served".to_owned()));
    }
    Ok(Explained {
        points,
        response,
        is_whole: true,
    })
}

/// The fields of the response, with its length.
fn fields(explained: &Explained) -> Vec<(String, String)> {
    let response = &explained.response;
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    };
    let mut fields: Vec<_> = response.headers.iter().map(field).collect();
    let has_content = explained.is_whole && !matches!(response.status.as_u16(), 204 | 304);
    let length = response.body.length().filter(|_| has_content);
    fields.extend(length.map(|length| ("content-length".to_owned(), length.to_string())));
    fields
}

fn as_text(line: &str, explained: &Explained) -> String {
    let mut text = format!("{line}\n\n");
    for (about, what) in &explained.points {
        text += &format!("{about:<14}{what}\n");
    }
    text += &format!("\n{}\n", explained.response.status);
    for (name, value) in fields(explained) {
        text += &format!("{name}: {value}\n");
    }
    text
}

fn as_json(explained: &Explained) -> String {
    let point = |(about, what): &Point| json!({ "about": about, "what": what });
    let field = |(name, value): (String, String)| json!([name, value]);
    let told = json!({
        "status": explained.response.status.as_u16(),
        "fields": fields(explained).into_iter().map(field).collect::<Vec<_>>(),
        "points": explained.points.iter().map(point).collect::<Vec<_>>(),
    });
    format!("{told}\n")
}
