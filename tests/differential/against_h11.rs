//! h11's side: a process that reads messages with it (`read_with_h11.py`).

use super::reading::{Request, collapse_lengths};
use super::support::outside::python;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

/// The version whose differences are explained.
const REQUIREMENTS: &str = include_str!("requirements.txt");

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/differential/read_with_h11.py"
);

/// The running script, and what hands the messages to it.
pub(crate) struct H11 {
    process: Child,
    answers: Lines<BufReader<ChildStdout>>,
    messages: JoinHandle<std::io::Result<()>>,
}

impl H11 {
    /// Starts reading `messages`; says so and returns none where h11 is not to be had.
    pub(crate) fn start(messages: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Option<Self> {
        let python = python("h11", REQUIREMENTS)?;
        let started = Command::new(&python)
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = started.expect("the script starts");
        let mut input = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let messages = thread::spawn(move || {
            for message in messages {
                input.write_all(&(message.len() as u32).to_be_bytes())?;
                input.write_all(&message)?;
            }
            Ok(())
        });
        Some(Self {
            process,
            answers,
            messages,
        })
    }

    /// What h11 read out of the next message.
    pub(crate) fn read(&mut self) -> Vec<Request> {
        let line = self
            .answers
            .next()
            .expect("an answer to each message")
            .expect("text");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        let requests = answer.as_array().expect("a list of requests");
        requests.iter().map(request).collect()
    }

    /// Waits for the script's end.
    pub(crate) fn finish(mut self) {
        let handed = self.messages.join().expect("no panic");
        handed.expect("the script takes every message");
        assert!(self.answers.next().is_none(), "more answers than messages");
        assert!(self.process.wait().expect("a status").success());
    }
}

fn request(told: &Value) -> Request {
    let fields = told["fields"].as_array().expect("a list of fields");
    Request {
        method: octets(&told["method"]),
        target: octets(&told["target"]),
        minor: match octets(&told["version"])[..] {
            [b'1', b'.', minor @ b'0'..=b'9'] => minor - b'0',
            // No other is one of HTTP/1, and none of them is read by ours.
            _ => u8::MAX,
        },
        fields: fields
            .iter()
            .map(|field| (octets(&field[0]), octets(&field[1])))
            .collect(),
        body: octets(&told["body"]),
        persists: told["persists"].as_bool().expect("true or false"),
    }
}

/// The octets that the script wrote down as the first 256 characters.
fn octets(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("text");
    text.chars()
        .map(|character| u8::try_from(character).expect("an octet"))
        .collect()
}

/// `request` of ours, as h11 tells of it: the coding in small letters (RFC 9112 §7 has them be the
/// same).
pub(crate) fn retold(mut request: Request) -> Request {
    collapse_lengths(&mut request.fields);
    for (name, value) in &mut request.fields {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            value.make_ascii_lowercase();
        }
    }
    request
}
