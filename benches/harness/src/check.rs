//! Whether a server answers a case correctly, tried before anything is timed.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::cases::Case;

/// How long one read or write may take.
const LIMIT: Duration = Duration::from_secs(2);

/// An answer that has come wholly.
struct Response {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Asks as the case's clients do, and tells what is wrong with the answers.
pub fn check(address: SocketAddr, case: Case) -> Result<()> {
    let stream = TcpStream::connect_timeout(&address, LIMIT).context("no connection")?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = &stream;

    let connection = if case.closes() {
        "Connection: close\r\n"
    } else {
        ""
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {address}\r\n{connection}\r\n",
        case.path()
    );
    let batch = request.repeat(case.pipelined());
    let batches = if case.closes() { 1 } else { 2 };
    for _ in 0..batches {
        writer.write_all(batch.as_bytes()).context("cannot send")?;
        for _ in 0..case.pipelined() {
            let response = Response::read(&mut reader)?;
            ensure!(response.status == 200, "status {}", response.status);
            ensure!(response.body == case.body(), "wrong body");
            // RFC 9112 §9.6: the answer announces the close; if it does not, a client asks again on
            // a connection that is ending.
            let says_close = response
                .field("connection")
                .is_some_and(|value| value == "close");
            ensure!(
                says_close || !case.closes(),
                "does not say `Connection: close`"
            );
            ensure!(
                !says_close || case.closes(),
                "closes a connection that should stay"
            );
        }
    }
    if case.closes() {
        ensure_closed(&mut reader)?;
    }
    Ok(())
}

fn ensure_closed(reader: &mut impl Read) -> Result<()> {
    match reader.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => bail!("bytes after the answer"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("left open despite `close`"),
        Err(error) => Err(error).context("not closed in order"),
    }
}

impl Response {
    fn read(reader: &mut impl BufRead) -> Result<Response> {
        let status_line = read_line(reader)?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("bad status line {status_line:?}"))?;
        let mut fields = Vec::new();
        loop {
            let line = read_line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').context("bad field line")?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_ascii_lowercase()));
        }
        let mut response = Response {
            status,
            fields,
            body: Vec::new(),
        };
        let length = response
            .field("content-length")
            .context("no content-length")?;
        response.body = vec![0; length.parse().context("bad content-length")?];
        reader
            .read_exact(&mut response.body)
            .context("short body")?;
        Ok(response)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line).context("no answer")?;
    let line = line
        .strip_suffix("\r\n")
        .context("the connection ended within the head")?;
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_answers_one_after_the_other() {
        let mut input: &[u8] =
            b"HTTP/1.1 200 OK\r\nContent-LENGTH: 2\r\nConnection: Close\r\n\r\nhiHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
        let first = Response::read(&mut input).unwrap();
        assert_eq!((first.status, first.body.as_slice()), (200, &b"hi"[..]));
        assert_eq!(first.field("connection"), Some("close"));
        assert_eq!(Response::read(&mut input).unwrap().status, 404);
        assert!(Response::read(&mut input).is_err());
    }

    #[test]
    fn refuses_what_cannot_be_checked() {
        let inputs = [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Le",
        ];
        for input in inputs {
            assert!(Response::read(&mut input.as_bytes()).is_err(), "{input:?}");
        }
    }
}
