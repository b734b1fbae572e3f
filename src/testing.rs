//! An app served in memory: bytes and time in, bytes out.
//!
//! A [`Conversation`] is one connection to an [`App`](crate::App) as a peer sees it, without
//! sockets, threads or clocks. What answers is the code that serves sockets. Time passes only when it
//! is told to, so deadlines are tested without waiting for them, and every run is like the one
//! before.
//!
//! ```
//! use corelane::testing::Conversation;
//! use corelane::{App, Request};
//!
//! let app = App::new().get("/", |_req: Request| async { "Hello" });
//! let mut peer = Conversation::new(app).unwrap();
//! peer.deliver(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
//! assert!(peer.take_sent().starts_with(b"HTTP/1.1 200 OK\r\n"));
//! ```
//!
//! Handlers run whenever something was delivered or time has passed, until they wait for something
//! else. Folders ([`App::files`](crate::App::files),
//! [`Folder`](crate::app::Folder)) and `/stats` need a core, and are not there.
//!
//! A [`Cluster`] has several cores, for apps whose cores have to do with each other.
//!
//! A [`TestClient`] speaks HTTP for the test: over a conversation, or to a server by its address. What is
//! streamed without an end, such as server-sent events, it reads piece by piece ([`TestStream`]).

#[cfg(test)]
mod accuracy;
mod budget;
mod client;
mod clock;
mod cluster;
mod conversation;
mod cookies;
mod cores;
mod line;
mod request;
mod response;
mod stream;
#[cfg(feature = "websocket")]
mod websocket;

pub use self::client::TestClient;
pub use self::cluster::Cluster;
pub use self::conversation::Conversation;
pub use self::request::RequestBuilder;
pub use self::response::TestResponse;
pub use self::stream::TestStream;
#[cfg(feature = "websocket")]
pub use self::websocket::TestWebSocket;
