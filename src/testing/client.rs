//! A client for tests: one connection, one request at a time, in memory or over a socket. It is
//! strict where a test wants to know, and no client for anything else.

use super::budget::Budget;
use super::cookies::Jar;
use super::response::{Content, TestResponse, ended, read_head};
use super::{Conversation, RequestBuilder};
use crate::app::{App, AppError};
use crate::limits::Limits;
use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::SET_COOKIE;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime};

/// How long a server at an address may be silent before the test fails.
const SILENCE: Duration = Duration::from_secs(30);

/// Sends requests to an [`App`] and reads the responses.
///
/// The same test runs in memory, where it needs no ports and no waiting, and over a socket:
///
/// ```
/// use corelane::testing::TestClient;
/// use corelane::{App, Request, Server};
///
/// fn app() -> App {
///     App::new().post("/{name}", |mut req: Request| async move {
///         let greeting = req.text().await?;
///         Ok::<_, corelane::Error>(format!("{greeting}, {}", req.param("name")))
///     })
/// }
///
/// fn greets(client: &mut TestClient) {
///     let answer = client.post("/Ada").header("accept", "text/plain").body("Hello").send();
///     assert_eq!((answer.status().as_u16(), answer.text()), (200, "Hello, Ada"));
/// }
///
/// greets(&mut TestClient::new(app()));
/// let server = Server::bind("127.0.0.1:0").start(|_shard| app()).unwrap();
/// greets(&mut TestClient::connect(server.addresses()[0]));
/// server.stop().unwrap();
/// ```
///
/// The connection is kept for the next request, and made anew when the server has closed it.
/// In memory the handlers' waits ([`Request::time`](crate::Request::time)) are over at once: the
/// client lets their time pass. What waits for something else (a file, a socket, a glommio timer)
/// needs a core, and a server.
///
/// A response is read to its end, within bounds that only an endless one meets: 64 MiB, and in memory
/// 30 days of its time or 100,000 waits, over a socket 5 minutes. Server-sent events and the like are
/// read piece by piece: [`RequestBuilder::send_streaming`].
///
/// Cookies are kept and sent back as browsers do it (RFC 6265bis §5), each for its host and path and
/// until it expires, in the time of the conversation; `Secure` ones, too, as to `localhost`. What the
/// test says itself in a Cookie field goes instead.
#[derive(Debug)]
pub struct TestClient {
    way: Way,
    /// What was received and belongs to no response yet.
    pub(super) received: BytesMut,
    /// The server has said that nothing more is answered on this connection.
    is_over: bool,
    /// `None` if none are kept.
    cookies: Option<Jar>,
}

#[derive(Debug)]
enum Way {
    Memory(Box<Conversation>),
    Socket(SocketAddr, TcpStream),
}

/// Defines the methods that begin a request of one HTTP method.
macro_rules! methods {
    ($($name:ident = $method:ident;)*) => {$(
        #[doc = concat!("Begins a ", stringify!($method), " request for `target`: a path and a query.")]
        pub fn $name<'a>(&'a mut self, target: &str) -> RequestBuilder<'a> {
            self.request(Method::$method, target)
        }
    )*};
}

impl TestClient {
    /// A client of `app`, in memory.
    ///
    /// # Panics
    /// If the app does not fit together or cannot start; [`TestClient::try_new`] does not.
    #[track_caller]
    pub fn new(app: App) -> TestClient {
        match TestClient::try_new(app, Limits::default()) {
            Ok(client) => client,
            Err(error) => panic!("{error}"),
        }
    }

    /// A client of `app` that keeps `limits`, in memory.
    ///
    /// # Errors
    /// The problems of the app, or why its [start](App::on_start) failed.
    pub fn try_new(app: App, limits: Limits) -> Result<TestClient, AppError> {
        Ok(TestClient::of(Conversation::with_limits(app, limits)?))
    }

    pub(super) fn of(mut conversation: Conversation) -> TestClient {
        conversation.be_read();
        TestClient {
            way: Way::Memory(Box::new(conversation)),
            received: BytesMut::new(),
            is_over: false,
            cookies: Some(Jar::default()),
        }
    }

    /// A client of the server at `address`.
    ///
    /// # Panics
    /// If nobody listens there.
    #[track_caller]
    pub fn connect(address: impl ToSocketAddrs) -> TestClient {
        let connected = address.to_socket_addrs().and_then(|mut addresses| {
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            Ok((address, open(address)?))
        });
        match connected {
            Ok((address, stream)) => TestClient {
                way: Way::Socket(address, stream),
                received: BytesMut::new(),
                is_over: false,
                cookies: Some(Jar::default()),
            },
            Err(error) => panic!("cannot connect: {error}"),
        }
    }

    /// This client, but without cookies: it forgets those that it has, and keeps no more.
    #[must_use]
    pub fn without_cookies(mut self) -> TestClient {
        self.cookies = None;
        self
    }

    /// Forgets all cookies, as another browser would not know them.
    pub fn clear_cookies(&mut self) {
        self.cookies = self.cookies.is_some().then(Jar::default);
    }

    /// The value of the cookie called `name` that it keeps; of several, that which was set first.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.as_ref()?.value(name, self.now())
    }

    methods! {
        get = GET;
        post = POST;
        put = PUT;
        delete = DELETE;
        patch = PATCH;
        head = HEAD;
        options = OPTIONS;
    }

    /// Begins a request of `method` for `target`: a path and a query.
    pub fn request<'a>(&'a mut self, method: Method, target: &str) -> RequestBuilder<'a> {
        RequestBuilder::new(self, method, target)
    }

    /// The conversation that it is in, to let time pass or to be rude; `None` over a socket.
    pub fn conversation(&mut self) -> Option<&mut Conversation> {
        match &mut self.way {
            Way::Memory(conversation) => Some(conversation),
            Way::Socket(..) => None,
        }
    }

    /// The Cookie field of a request to `host` for `target`, if it is to have one.
    pub(super) fn cookie_field(&mut self, host: &str, target: &str) -> Option<String> {
        let now = self.now();
        self.cookies.as_mut()?.field(host, target, now)
    }

    /// Keeps the cookies of `response` to a request to `host` for `target`.
    pub(super) fn keep_cookies(&mut self, host: &str, target: &str, response: &TestResponse) {
        let now = self.now();
        let Some(jar) = &mut self.cookies else { return };
        for (name, value) in response.headers() {
            if name == SET_COOKIE {
                jar.store(value.as_bytes(), host, target, now);
            }
        }
    }

    /// The time by which cookies expire.
    fn now(&self) -> SystemTime {
        match &self.way {
            Way::Memory(conversation) => conversation.wall_clock(),
            Way::Socket(..) => SystemTime::now(),
        }
    }

    /// Sends `message` and reads the response to it, on another connection if need be.
    pub(super) fn exchange(&mut self, message: &[u8], is_head: bool) -> io::Result<TestResponse> {
        let outcome = self.attempt(message, is_head);
        self.is_over |= outcome.is_err();
        outcome
    }

    fn attempt(&mut self, message: &[u8], is_head: bool) -> io::Result<TestResponse> {
        let mut budget = self.budget();
        let (mut response, mut content) = self.begin(message, is_head, &mut budget)?;
        while let Some(piece) = self.next_piece(&mut content, &mut budget)? {
            response.content.extend_from_slice(&piece);
        }
        content.finish(&mut response);
        Ok(response)
    }

    /// Sends `message` and reads the head of the response to it. Without its content the client cannot
    /// go on, but with another connection.
    pub(super) fn begin(
        &mut self,
        message: &[u8],
        is_head: bool,
        budget: &mut Budget,
    ) -> io::Result<(TestResponse, Content)> {
        if self.is_over {
            self.reconnect()?;
        }
        self.is_over = true;
        self.deliver(message)?;
        loop {
            if let Some((response, taken)) = read_head(&self.received)? {
                let _ = self.received.split_to(taken);
                let content = Content::of(&response, is_head)?;
                return Ok((response, content));
            }
            if !self.receive(budget)? {
                return Err(ended());
            }
        }
    }

    /// The next piece of `content`; `None` at its end, which it has seen then.
    pub(super) fn next_piece(
        &mut self,
        content: &mut Content,
        budget: &mut Budget,
    ) -> io::Result<Option<Bytes>> {
        while !content.is_whole() {
            if self.received.is_empty() {
                if !self.receive(budget)? {
                    content.end()?;
                }
                continue;
            }
            let piece = content.take(&mut self.received)?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        self.go_on_behind(content);
        Ok(None)
    }

    /// `content`, which is whole, was the last that was to come.
    pub(super) fn go_on_behind(&mut self, content: &Content) {
        self.is_over = content.is_last();
    }

    /// Closes the connection in the middle of a response.
    pub(super) fn leave(&mut self) {
        self.is_over = true;
        match &mut self.way {
            Way::Memory(conversation) => conversation.close(),
            // One that is gone is left.
            Way::Socket(_, stream) => drop(stream.shutdown(Shutdown::Both)),
        }
    }

    /// What a wait that begins now may come to.
    pub(super) fn budget(&self) -> Budget {
        match &self.way {
            Way::Memory(conversation) => Budget::in_memory(conversation.now()),
            Way::Socket(..) => Budget::over_a_socket(),
        }
    }

    pub(super) fn deliver(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.way {
            Way::Memory(conversation) => conversation.deliver(bytes),
            Way::Socket(_, stream) => stream.write_all(bytes)?,
        }
        Ok(())
    }

    /// Receives more of a response within `budget`; whether there was any, or the connection has ended.
    pub(super) fn receive(&mut self, budget: &mut Budget) -> io::Result<bool> {
        match &mut self.way {
            Way::Memory(conversation) => loop {
                let sent = conversation.take_sent();
                if !sent.is_empty() {
                    budget.received(sent.len())?;
                    self.received.extend_from_slice(&sent);
                    return Ok(true);
                }
                if conversation.is_shut() {
                    return Ok(false);
                }
                if conversation.make_room() {
                    continue;
                }
                budget.waits(conversation.now())?;
                if !conversation.pass_next() {
                    let what = "the handler waits for something that does not come in memory";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
            },
            Way::Socket(_, stream) => {
                let mut buffer = [0; 16 * 1024];
                let bytes = loop {
                    match stream.read(&mut buffer) {
                        // Signals are not the test's business, but a server in its process has some.
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        outcome => break outcome?,
                    }
                };
                budget.received(bytes)?;
                self.received.extend_from_slice(&buffer[..bytes]);
                Ok(bytes > 0)
            }
        }
    }

    /// Another client of the same app, with a connection and cookies of its own. In memory the time
    /// of both is the same.
    ///
    /// # Panics
    /// If nobody listens any more.
    #[must_use]
    #[track_caller]
    pub fn another(&self) -> TestClient {
        match &self.way {
            Way::Memory(conversation) => TestClient::of(conversation.reconnect()),
            Way::Socket(address, _) => TestClient::connect(*address),
        }
    }

    fn reconnect(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Memory(conversation) => {
                **conversation = conversation.reconnect();
                conversation.be_read();
            }
            Way::Socket(address, stream) => *stream = open(*address)?,
        }
        self.received.clear();
        self.is_over = false;
        Ok(())
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
