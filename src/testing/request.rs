//! A request of a test's client.

use super::{TestClient, TestResponse, TestStream};
use http::Method;
use serde::Serialize;
use std::io;

/// A request that is being put together; nothing is sent before [`RequestBuilder::send`].
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct RequestBuilder<'a> {
    client: &'a mut TestClient,
    method: Method,
    target: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl<'a> RequestBuilder<'a> {
    pub(super) fn new(client: &'a mut TestClient, method: Method, target: &str) -> Self {
        RequestBuilder {
            client,
            method,
            target: target.to_owned(),
            fields: Vec::new(),
            body: None,
        }
    }

    /// Adds a field, as it is written: a test may send what is not allowed.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let field = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.fields.push(field);
        self
    }

    /// Sends `content` with its length.
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.body = Some(content.into());
        self
    }

    /// Sends `value` as JSON, with its length and its media type.
    ///
    /// # Panics
    /// If it cannot be serialized.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(content) => self
                .header("content-type", "application/json")
                .body(content),
            Err(error) => panic!("this is no JSON: {error}"),
        }
    }

    /// Sends the request and reads the response, to the end of its content.
    ///
    /// # Panics
    /// If there is none, or none that is whole: [`RequestBuilder::try_send`] says so instead.
    #[track_caller]
    pub fn send(self) -> TestResponse {
        let what = format!("{} {}", self.method, self.target);
        match self.try_send() {
            Ok(response) => response,
            Err(error) => panic!("no response to {what}: {error}"),
        }
    }

    /// Sends the request and reads the response, to the end of its content.
    ///
    /// # Errors
    /// `UnexpectedEof` if the connection ended first, `InvalidData` if the response is malformed,
    /// `TimedOut` if the handler waits for something that does not come in memory, `TimedOut` or
    /// `QuotaExceeded` if the response does not end within the bounds of a [`TestClient`], and those of a
    /// socket. The client goes on with another connection then.
    pub fn try_send(self) -> io::Result<TestResponse> {
        self.exchange().map(|(_, response)| response)
    }

    /// Sends the request and reads the head of the response, whose content is then read piece by piece:
    /// server-sent events, and whatever else has no end.
    ///
    /// # Panics
    /// If there is none: [`RequestBuilder::try_send_streaming`] says so instead.
    #[track_caller]
    pub fn send_streaming(self) -> TestStream<'a> {
        let what = format!("{} {}", self.method, self.target);
        match self.try_send_streaming() {
            Ok(stream) => stream,
            Err(error) => panic!("no response to {what}: {error}"),
        }
    }

    /// [`RequestBuilder::send_streaming`] that says what is wrong.
    ///
    /// # Errors
    /// Those of [`RequestBuilder::try_send`].
    pub fn try_send_streaming(mut self) -> io::Result<TestStream<'a>> {
        let message = self.message();
        let mut budget = self.client.budget();
        let is_head = self.method == Method::HEAD;
        let (response, content) = self.client.begin(&message, is_head, &mut budget)?;
        let client = self.keep_cookies(&response);
        Ok(TestStream::new(client, response, content))
    }

    /// Sends the request and reads the response; the client's connection is then the caller's.
    pub(super) fn exchange(mut self) -> io::Result<(&'a mut TestClient, TestResponse)> {
        let message = self.message();
        let is_head = self.method == Method::HEAD;
        let response = self.client.exchange(&message, is_head)?;
        Ok((self.keep_cookies(&response), response))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn host(&self) -> &str {
        self.field("host").unwrap_or("localhost")
    }

    fn keep_cookies(self, response: &TestResponse) -> &'a mut TestClient {
        let host = self.host().to_owned();
        self.client.keep_cookies(&host, &self.target, response);
        self.client
    }

    /// The request as it is sent.
    fn message(&mut self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let host = self.host().to_owned();
        if self.field("host").is_none() {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        if self.field("cookie").is_none()
            && let Some(cookies) = self.client.cookie_field(&host, &self.target)
        {
            head.push_str(&format!("Cookie: {cookies}\r\n"));
        }
        if let Some(body) = &self.body
            && self.field("content-length").is_none()
            && self.field("transfer-encoding").is_none()
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut message = head.into_bytes();
        message.extend_from_slice(self.body.as_deref().unwrap_or_default());
        message
    }
}
