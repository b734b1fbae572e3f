//! `corelane explain`: what `serve` with the same options would answer to a request, and why. It
//! listens on nothing.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use http::Method;
use serde_json::json;

use super::args::AskedArgs;
use crate::app::{Answer, App, Body, Handler, Request, Response};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::explain::Point;
use crate::files::{Files, Policy};
use crate::http::{ErrorForm, HeadParser, RequestHead};
use crate::limits::Limits;
use crate::preflight;
use crate::ring::{self, Ring, RingOptions};
use crate::shard::reserved;

/// Explains the answer to `asked`, on standard output.
///
/// # Errors
/// If the folder is not there, `asked` is no request, or a ring cannot be set up.
pub(super) fn run(asked: AskedArgs, config: Config) -> Result<(), Failure> {
    preflight::folder(&config.root)?;
    let head = asked.head(&config.limits)?;
    let is_json = asked.json;
    let line = format!("{} {}", head.method(), head.target());
    let explained = ring::run(None, RingOptions::default(), |ring| async move {
        explain(&ring, &config, head).await
    });
    let (points, response) = explained.map_err(|error| {
        Failure::run(
            error.to_string(),
            "run `corelane doctor` to see what is missing",
        )
    })??;
    let text = match is_json {
        true => as_json(&points, &response),
        false => as_text(&line, &points, &response),
    };
    // Whoever closed standard output wants no more of it.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

impl AskedArgs {
    fn head(&self, limits: &Limits) -> Result<RequestHead, Failure> {
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
            Ok(Some((head, bytes))) if bytes == text.len() => Ok(head),
            Ok(_) => Err(Failure::operator(
                "what is asked is not one request",
                "write --header 'NAME: VALUE' without line ends",
            )),
            Err(refusal) => Err(Failure::operator(
                format!("a server refuses this request: {refusal}"),
                "write a path such as /a%20b.html and --header 'NAME: VALUE'",
            )),
        }
    }
}

/// Files that tell what they do about a request before they do it.
struct Explaining {
    files: Files,
    told: Rc<RefCell<Vec<Point>>>,
}

impl Handler for Explaining {
    fn call(&self, request: Request) -> Answer {
        let (files, told) = (self.files.clone(), Rc::clone(&self.told));
        Answer::pending(async move {
            let points = files.explain(&request).await;
            told.replace(points);
            files.call(request).await
        })
    }
}

async fn explain(
    ring: &Ring,
    config: &Config,
    head: RequestHead,
) -> Result<(Vec<Point>, Response), Failure> {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    if let Some((what, mut response)) = reserved::explained(&config.stats, &head, peer) {
        response.explain(|| Some(ErrorForm::preferred(head.field_values("accept"))));
        return Ok((
            vec![("server", format!("answers itself: {what}"))],
            response,
        ));
    }
    let policy: Policy = config.files.clone();
    let files = Files::open(ring, &config.root, policy).map_err(|error| {
        let what = format!(
            "the folder {} cannot be opened: {error}",
            config.root.display()
        );
        Failure::operator(what, "make it readable for this user, or name another")
    })?;
    let files = files.request_line_bytes(config.limits.head.request_line_bytes);
    let told = Rc::new(RefCell::new(Vec::new()));
    let explaining = Explaining {
        files,
        told: Rc::clone(&told),
    };
    let router = App::new()
        .mount_to_read("/", explaining)
        .build()
        .map_err(|error| Failure::run(error.to_string(), "report it"))?;
    let is_read = matches!(*head.method(), Method::GET | Method::HEAD);
    let response = router.respond(Request::new(head, Body::Empty, peer)).await;
    let mut points = told.take();
    if !is_read {
        points.push(("method", "only GET and HEAD are served".to_owned()));
    }
    Ok((points, response))
}

/// The fields of `response`, with its length.
fn fields(response: &Response) -> Vec<(String, String)> {
    let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    };
    let mut fields: Vec<_> = response.headers.iter().map(field).collect();
    let has_content = !matches!(response.status.as_u16(), 204 | 304);
    let length = response.body.length().filter(|_| has_content);
    fields.extend(length.map(|length| ("content-length".to_owned(), length.to_string())));
    fields
}

fn as_text(line: &str, points: &[Point], response: &Response) -> String {
    let mut text = format!("{line}\n\n");
    for (about, what) in points {
        text += &format!("{about:<14}{what}\n");
    }
    text += &format!("\n{}\n", response.status);
    for (name, value) in fields(response) {
        text += &format!("{name}: {value}\n");
    }
    text
}

fn as_json(points: &[Point], response: &Response) -> String {
    let point = |(about, what): &Point| json!({ "about": about, "what": what });
    let field = |(name, value): (String, String)| json!([name, value]);
    let told = json!({
        "status": response.status.as_u16(),
        "fields": fields(response).into_iter().map(field).collect::<Vec<_>>(),
        "points": points.iter().map(point).collect::<Vec<_>>(),
    });
    format!("{told}\n")
}
