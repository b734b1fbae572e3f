//! WebSockets (RFC 6455), behind the feature `websocket`.
//!
//! ```
//! use corelane::ws::WebSocket;
//! use corelane::{App, Request, Response};
//!
//! async fn echo(req: Request) -> Response {
//!     WebSocket::upgrade(&req).same_origin().on_upgrade(async |socket| {
//!         while let Some(Ok(message)) = socket.recv().await {
//!             if socket.send(message).await.is_err() {
//!                 return;
//!             }
//!         }
//!     })
//! }
//!
//! let app = App::new().get("/echo", echo);
//! ```
//!
//! Everything takes `&self`, so a socket is sent to while it is received from, without a lock and
//! without halves: by a future beside the one that receives, or by another task that has a clone.
//!
//! ```
//! # use corelane::ws::{Message, WebSocket};
//! # use futures_lite::{Stream, StreamExt, future};
//! async fn relay(socket: WebSocket, mut news: impl Stream<Item = Message> + Unpin) {
//!     let told = async {
//!         while let Some(message) = news.next().await {
//!             if socket.send(message).await.is_err() {
//!                 return;
//!             }
//!         }
//!     };
//!     let heard = async { while let Some(Ok(_)) = socket.recv().await {} };
//!     future::or(told, heard).await;
//! }
//! ```
//!
//! # What is seen to
//!
//! - Pings are answered, and the peer is pinged ([`WebSocketUpgrade::heartbeat`]): neither is told.
//! - A peer that breaks the protocol is closed with 1002, one whose text is not UTF-8 with 1007, one
//!   whose message is too large with 1009, as soon as that is known.
//! - When a shutdown begins the peer is told with 1001, and [`WebSocket::recv`] returns `None`; a
//!   function that goes on is dropped after [`SWITCHED_GRACE`](crate::limits::SWITCHED_GRACE), as it
//!   is when the peer has left.
//! - A function that panics has the socket closed with 1011.
//! - A peer that does not read has sends wait, and is closed by the deadlines of responses. One whose
//!   messages are not taken waits itself.
//! - A socket that waits holds no buffer of its core.
//!
//! The headers of frames are read and written by tungstenite. Messages are put together here and not
//! by its `WebSocketContext`, which keeps its receive buffer, as large as the largest message, while
//! a socket waits, and refuses a frame only when it has come whole. `tests/fuzzing` holds the two
//! against each other. There is no permessage-deflate (RFC 7692): tungstenite 0.30 has none, and none
//! is agreed on with peers that offer it.

mod handshake;
mod message;
mod reader;
mod serve;
mod socket;
mod state;

pub use self::handshake::WebSocketUpgrade;
pub use self::message::{CloseFrame, Message, Text, code};
pub use self::socket::WebSocket;

/// Why there is nothing more to receive from a WebSocket, or to send to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// It was closed, by either side.
    #[error("the WebSocket is closed")]
    Closed,
    /// The peer has still to read what was sent before: only [`WebSocket::try_send`] does not wait.
    #[error("the WebSocket's peer has not read what was sent before")]
    Full,
    /// The connection ended without a Close.
    #[error("the WebSocket's peer is gone without closing it")]
    Disconnected,
    /// The peer, asked whether it is still there, sent nothing in time.
    #[error("the WebSocket's peer fell silent")]
    PeerSilent,
    /// The peer broke the protocol, or sent more than is accepted, and was closed with `code`.
    #[error("the WebSocket's peer was closed with {code}: {detail}")]
    Refused {
        /// The code.
        code: u16,
        /// What it did.
        detail: &'static str,
    },
}
