//! The handshake (RFC 6455 §4.2): what a request has to say so that its connection becomes a
//! WebSocket, what is answered where it does not, and the switch itself.

use super::serve::{Settings, serve};
use super::socket::WebSocket;
use crate::app::{Request, Response, Time, upgrade};
use crate::http::members;
use crate::limits::{WEBSOCKET_FRAME_BYTES, WEBSOCKET_HEARTBEAT, WEBSOCKET_MESSAGE_BYTES};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ALLOW, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use std::fmt;
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

/// The name of the protocol in Upgrade.
const NAME: &str = "websocket";

/// The only version there is (RFC 6455 §4.1).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// A WebSocket to be made of a request: see [`WebSocket::upgrade`].
#[must_use = "nothing is answered before `on_upgrade`"]
pub struct WebSocketUpgrade<'a> {
    req: &'a Request,
    protocols: Vec<String>,
    origins: Origins,
    settings: Settings,
}

/// Whose pages may open a socket.
#[derive(Debug)]
enum Origins {
    Any,
    Same,
    Listed(Vec<String>),
}

impl<'a> WebSocketUpgrade<'a> {
    pub(super) fn new(req: &'a Request) -> Self {
        Self {
            req,
            protocols: Vec::new(),
            origins: Origins::Any,
            settings: Settings {
                message_bytes: WEBSOCKET_MESSAGE_BYTES,
                frame_bytes: WEBSOCKET_FRAME_BYTES,
                heartbeat: Some(WEBSOCKET_HEARTBEAT),
                protocol: None,
            },
        }
    }

    /// The subprotocols that the server speaks, the one it likes best first: the first of them that
    /// the peer speaks, too, is agreed on. Without one in common the socket has none, and it is the
    /// peer's to end it.
    pub fn protocols<P: Into<String>>(mut self, names: impl IntoIterator<Item = P>) -> Self {
        self.protocols = names.into_iter().map(P::into).collect();
        self
    }

    /// The largest message that is accepted, in bytes, its fragments taken together. Beyond it: 1009,
    /// as soon as that is known. Default: [`WEBSOCKET_MESSAGE_BYTES`].
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.settings.message_bytes = bytes;
        self
    }

    /// The largest frame that is accepted, in bytes of its payload. Beyond it: 1009. Default:
    /// [`WEBSOCKET_FRAME_BYTES`].
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.settings.frame_bytes = bytes;
        self
    }

    /// How often the peer is asked whether it is still there, or `None` for never. One that has sent
    /// nothing when it would be asked again is taken for gone, and its socket ends as `peer_silent`.
    /// The time in which the program takes no messages does not count. Default:
    /// [`WEBSOCKET_HEARTBEAT`].
    ///
    /// Without it a peer whose machine is gone is found out by the kernel
    /// ([`PEER_SILENCE`](crate::limits::PEER_SILENCE)), and one that is there may be silent for ever.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.settings.heartbeat = interval.into();
        self
    }

    /// Lets only pages open the socket that are of the host that the request is for. 403 to others.
    ///
    /// A browser sends its cookies along whichever page opens a socket, and shows the page what
    /// comes: without this, or [`WebSocketUpgrade::origins`], any page that a user visits may talk to
    /// a service with that user's rights. What is no browser sends no Origin and is let in.
    pub fn same_origin(mut self) -> Self {
        self.origins = Origins::Same;
        self
    }

    /// Lets only pages of these origins open the socket, such as `https://example.org`. 403 to others.
    /// What is no browser sends no Origin and is let in.
    pub fn origins<O: Into<String>>(mut self, origins: impl IntoIterator<Item = O>) -> Self {
        self.origins = Origins::Listed(origins.into_iter().map(O::into).collect());
        self
    }

    /// The answer that makes the connection a WebSocket, which `serve` gets. When its future ends the
    /// socket is closed, with 1000 unless it was closed before.
    ///
    /// Where the request is no handshake it says why: 405 for another method than GET, 426 without
    /// `Upgrade: websocket` and for another version, 400 for what is malformed, 403 for an origin that
    /// is not let in. `serve` is then not called.
    pub fn on_upgrade<F>(mut self, serve: impl FnOnce(WebSocket) -> F + 'static) -> Response
    where
        F: Future<Output = ()> + 'static,
    {
        let accept = match self.check() {
            Ok(accept) => accept,
            Err(refusal) => return refusal.into_response(),
        };
        self.settings.protocol = accept.protocol;
        let protocol = self.settings.protocol.as_deref();
        let protocol = protocol.and_then(|name| HeaderValue::from_str(name).ok());
        let (settings, time) = (self.settings, self.req.time());
        let mut response = switch(self.req, settings, time, serve);
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            response.headers.insert(SEC_WEBSOCKET_ACCEPT, accept.key);
            if let Some(protocol) = protocol {
                response.headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
            }
        }
        response
    }

    /// What the handshake is answered with.
    fn check(&self) -> Result<Accept, Refusal> {
        if *self.req.method() != Method::GET {
            let detail = "A WebSocket begins with GET.";
            let allow = (ALLOW, HeaderValue::from_static("GET"));
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(allow));
        }
        // What is not about WebSockets alone is checked by the switch.
        if !self.names_websocket() {
            let detail = "This needs a WebSocket.";
            return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, detail).with(upgrade_field()));
        }
        let version = self.single("sec-websocket-version")?;
        if version != Some(VERSION.as_bytes()) {
            // RFC 6455 §4.2.2, §4.4.
            let detail = "The version of the WebSocket protocol has to be 13.";
            return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, detail)
                .with(upgrade_field())
                .with((SEC_WEBSOCKET_VERSION, VERSION)));
        }
        let key = self.single("sec-websocket-key")?.unwrap_or_default();
        // RFC 6455 §4.2.1: 16 bytes in base64.
        if STANDARD.decode(key).map_or(true, |bytes| bytes.len() != 16) {
            return Err(Refusal::bad("Sec-WebSocket-Key is not 16 bytes in base64."));
        }
        if !self.is_of_origin()? {
            let detail = "Pages of other origins may not open this WebSocket.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
        }
        let protocol = self.choose_protocol()?;
        let key = HeaderValue::try_from(derive_accept_key(key))
            .map_err(|_| Refusal::bad("Sec-WebSocket-Key cannot be answered."))?;
        Ok(Accept { key, protocol })
    }

    fn names_websocket(&self) -> bool {
        let mut names = self.req.head().field_values("upgrade").flat_map(members);
        names.any(|name| name.eq_ignore_ascii_case(NAME.as_bytes()))
    }

    /// The value of a field that may be there once.
    fn single(&self, name: &'static str) -> Result<Option<&'a [u8]>, Refusal> {
        let mut values = self.req.head().field_values(name);
        let value = values.next();
        match values.next() {
            Some(_) => Err(Refusal::bad("A field of the handshake is there twice.")),
            None => Ok(value),
        }
    }

    /// Whether the page that opens the socket may do so.
    fn is_of_origin(&self) -> Result<bool, Refusal> {
        let origin = match self.origins {
            Origins::Any => return Ok(true),
            Origins::Same | Origins::Listed(_) => self.single("origin")?,
        };
        let Some(origin) = origin else {
            return Ok(true);
        };
        let Ok(origin) = std::str::from_utf8(origin) else {
            return Ok(false);
        };
        Ok(match &self.origins {
            Origins::Any => true,
            Origins::Same => is_same(origin, self.req.host().unwrap_or_default()),
            Origins::Listed(origins) => {
                let mut origins = origins.iter();
                origins.any(|listed| listed.eq_ignore_ascii_case(origin))
            }
        })
    }

    /// The subprotocol, by the server's order (RFC 6455 §4.2.2).
    fn choose_protocol(&self) -> Result<Option<String>, Refusal> {
        let mut offered: Vec<&[u8]> = Vec::new();
        let fields = self
            .req
            .head()
            .field_values(SEC_WEBSOCKET_PROTOCOL.as_str());
        for name in fields.flat_map(members) {
            // RFC 6455 §4.1: tokens, each once.
            if HeaderName::from_bytes(name).is_err() || offered.contains(&name) {
                return Err(Refusal::bad("Sec-WebSocket-Protocol is malformed."));
            }
            offered.push(name);
        }
        let mut ours = self.protocols.iter();
        Ok(ours
            .find(|name| offered.contains(&name.as_bytes()))
            .cloned())
    }
}

impl fmt::Debug for WebSocketUpgrade<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("protocols", &self.protocols)
            .field("origins", &self.origins)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn switch<F>(
    req: &Request,
    settings: Settings,
    time: Time,
    handle: impl FnOnce(WebSocket) -> F + 'static,
) -> Response
where
    F: Future<Output = ()> + 'static,
{
    upgrade(req, NAME, move |stream| {
        serve(stream, settings, time, handle)
    })
}

/// What a handshake is answered with.
#[derive(Debug)]
struct Accept {
    key: HeaderValue,
    protocol: Option<String>,
}

/// Why there is no WebSocket.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    detail: &'static str,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, detail: &'static str) -> Self {
        let fields = Vec::new();
        Self {
            status,
            detail,
            fields,
        }
    }

    fn bad(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    fn with(mut self, field: (HeaderName, HeaderValue)) -> Self {
        self.fields.push(field);
        self
    }

    fn into_response(self) -> Response {
        let mut response = Response::error(self.status, self.detail);
        for (name, value) in self.fields {
            response.headers.append(name, value);
        }
        response
    }
}

/// RFC 9110 §15.5.22: a 426 names the protocol that is required.
fn upgrade_field() -> (HeaderName, HeaderValue) {
    (UPGRADE, HeaderValue::from_static(NAME))
}

/// Whether `origin` is one of the host that a request is for. Which scheme that is reached by is not
/// known here, where TLS may end before, so each stands for its own port.
fn is_same(origin: &str, host: &str) -> bool {
    let (authority, port) = match origin.split_once("://") {
        Some(("https", authority)) => (authority, ":443"),
        Some(("http", authority)) => (authority, ":80"),
        _ => return false,
    };
    let bare = host.strip_suffix(port).unwrap_or(host);
    !authority.is_empty() && authority.eq_ignore_ascii_case(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_and_hosts() {
        let table = [
            ("https://example.org", "example.org", true),
            ("https://Example.org", "example.ORG", true),
            ("https://example.org", "example.org:443", true),
            ("http://example.org", "example.org:80", true),
            ("http://example.org:8080", "example.org:8080", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("https://example.org", "example.org:80", false),
            ("https://example.org", "example.org:8443", false),
            ("https://example.org.evil.test", "example.org", false),
            ("https://evil.test", "example.org", false),
            ("null", "example.org", false),
            ("", "example.org", false),
            ("https://", "", false),
            ("file://", "example.org", false),
        ];
        for (origin, host, same) in table {
            assert_eq!(is_same(origin, host), same, "{origin} {host}");
        }
    }
}
