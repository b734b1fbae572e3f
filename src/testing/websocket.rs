//! WebSockets for tests, as a client has them: tungstenite's, over a [`TestClient`]'s connection.

use super::{RequestBuilder, TestClient, TestResponse};
use crate::ws::{CloseFrame, Message};
use bytes::Buf as _;
use http::StatusCode;
use std::fmt;
use std::io::{self, Read, Write};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{self, Role};
use tungstenite::{Error, Message as Said};

/// Pings without a message between them after which a test waits for what does not come. In memory
/// time passes as fast as it is waited for.
const PINGS: usize = 100;

/// A WebSocket that a test has with an app, from [`RequestBuilder::websocket`].
///
/// ```
/// use corelane::testing::TestClient;
/// use corelane::ws::WebSocket;
/// use corelane::{App, Request};
///
/// let app = App::new().get("/echo", async |req: Request| {
///     WebSocket::upgrade(&req).on_upgrade(async |socket| {
///         while let Some(Ok(message)) = socket.recv().await {
///             if socket.send(message).await.is_err() {
///                 return;
///             }
///         }
///     })
/// });
/// let mut client = TestClient::new(app);
/// let mut socket = client.get("/echo").websocket();
/// socket.send("Hello");
/// assert_eq!(socket.recv().unwrap().as_text(), Some("Hello"));
/// socket.close(1000, "");
/// assert_eq!(socket.recv(), None);
/// ```
pub struct TestWebSocket<'a> {
    socket: protocol::WebSocket<Peer<'a>>,
    response: TestResponse,
    said: Option<CloseFrame>,
}

impl<'a> RequestBuilder<'a> {
    /// Sends the request as the handshake of a WebSocket, which is the client's connection as long as
    /// the test has it.
    ///
    /// # Panics
    /// If it is not answered with 101; [`RequestBuilder::try_websocket`] says so instead.
    #[track_caller]
    pub fn websocket(self) -> TestWebSocket<'a> {
        match self.try_websocket() {
            Ok(socket) => socket,
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    /// [`RequestBuilder::websocket`] that says what is wrong.
    ///
    /// # Errors
    /// `InvalidData` if the answer is no 101 that fits, and those of [`RequestBuilder::try_send`].
    pub fn try_websocket(self) -> io::Result<TestWebSocket<'a>> {
        let key = generate_key();
        let handshake = self
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        let (client, response) = handshake.exchange()?;
        let expected = derive_accept_key(key.as_bytes());
        let is_accepted = response.status() == StatusCode::SWITCHING_PROTOCOLS
            && response.header("sec-websocket-accept") == Some(&expected);
        if !is_accepted {
            let what = format!("the handshake was answered with {response:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(TestWebSocket {
            socket: protocol::WebSocket::from_raw_socket(Peer(client), Role::Client, None),
            response,
            said: None,
        })
    }
}

impl TestWebSocket<'_> {
    /// The response that made it a WebSocket.
    pub fn response(&self) -> &TestResponse {
        &self.response
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.response.header("sec-websocket-protocol")
    }

    /// Sends a message.
    ///
    /// # Panics
    /// If the connection is gone.
    #[track_caller]
    pub fn send(&mut self, message: impl Into<Message>) {
        let said = match message.into() {
            Message::Text(text) => Said::text(text.to_string()),
            Message::Binary(bytes) => Said::Binary(bytes),
        };
        if let Err(error) = self.socket.send(said) {
            panic!("the message cannot be sent: {error}");
        }
    }

    /// The next message; `None` when the app has closed the socket. Pings are answered.
    ///
    /// # Panics
    /// If none comes, or the connection ends in another way: [`TestWebSocket::try_recv`] says so
    /// instead.
    #[track_caller]
    pub fn recv(&mut self) -> Option<Message> {
        match self.try_recv() {
            Ok(message) => message,
            Err(error) => panic!("no message: {error}"),
        }
    }

    /// The next message; `None` when the app has closed the socket.
    ///
    /// # Errors
    /// `TimedOut` if none comes, `UnexpectedEof` if the connection ends without a Close,
    /// `InvalidData` if the app breaks the protocol, and those of a socket.
    pub fn try_recv(&mut self) -> io::Result<Option<Message>> {
        for _ in 0..PINGS {
            match self.socket.read() {
                Ok(Said::Text(text)) => return Ok(Some(text.as_str().into())),
                Ok(Said::Binary(bytes)) => return Ok(Some(bytes.into())),
                Ok(Said::Close(frame)) => {
                    self.said = frame.map(|frame| CloseFrame {
                        code: frame.code.into(),
                        reason: frame.reason.as_str().into(),
                    });
                    // What remains is the end of the connection.
                    let _ = self.socket.flush();
                    return Ok(None);
                }
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(None),
                Err(Error::Io(error)) => return Err(error),
                Err(Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                )) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Begins to close the socket; what the app still sends is received.
    pub fn close(&mut self, code: u16, reason: &str) {
        let frame = protocol::CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        // One that is closed already stays so.
        let _ = self.socket.close(Some(frame));
    }

    /// What the app gave as its reason for the end, once it has, if it gave any.
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.said.as_ref()
    }
}

impl fmt::Debug for TestWebSocket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWebSocket")
            .field("response", &self.response)
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}

/// The connection of a client, whose WebSocket is its last use.
struct Peer<'a>(&'a mut TestClient);

impl Read for Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let client = &mut *self.0;
        if let Some(conversation) = client.conversation() {
            // Others may have done what concerns it.
            conversation.deliver(&[]);
        }
        if client.received.is_empty() && !client.receive(&mut client.budget())? {
            return Ok(0);
        }
        let bytes = client.received.len().min(buffer.len());
        client.received.copy_to_slice(&mut buffer[..bytes]);
        Ok(bytes)
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.deliver(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
