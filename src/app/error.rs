//! The one error type of the library, told apart by who is to blame.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

use http::StatusCode;

use super::body::BodyError;
use super::plan::AppError;
use crate::between::{BroadcastError, CallError, SendError, Undelivered};
use crate::http::Refusal;
use crate::pool::PoolError;

/// What the library's functions and users' handlers return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Something that went wrong: in a handler, with a peer, or when the server was started.
///
/// Any error becomes one by `?`, as a failure of the handler: it is answered with 500, and its
/// text goes to the log alone. What the peer may read is said with [`Error::new`]. For that `?`
/// to exist, this type is not itself a `std::error::Error`; it turns into a
/// `Box<dyn std::error::Error + Send + Sync>` with its texts. It stays on its core, so what it is
/// made of needs neither `Send` nor `Sync`.
///
/// `Display` is the outermost message; `Debug`, which `main` prints, adds the causes after it.
pub struct Error(Box<Inner>);

type Source = Box<dyn StdError>;

struct Inner {
    blame: Blame,
    status: StatusCode,
    /// Empty if only the source has something to say.
    message: Cow<'static, str>,
    source: Option<Source>,
}

/// Who is to blame for an [`Error`], and so who has to hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The peer asked for what cannot be: it gets a 4xx status and the reason.
    Peer,
    /// The connection broke: there is nobody to answer.
    Wire,
    /// The handler failed: the peer gets a 5xx status, the log the reason.
    Handler,
    /// Whoever started the server: the arguments, the configuration or the machine must change.
    Operator,
}

impl Error {
    /// An error that is answered with `status` and `message`; the peer reads both.
    ///
    /// The peer is to blame, unless the status is 5xx: then the handler is.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Error {
        let blame = if status.is_server_error() {
            Blame::Handler
        } else {
            Blame::Peer
        };
        Error::build(blame, status, message.into(), None)
    }

    /// An error of whoever started the server: `message` says in one line what is wrong and how
    /// to mend it. No peer reads it.
    pub fn operator(message: impl Into<Cow<'static, str>>) -> Error {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Error::build(Blame::Operator, status, message.into(), None)
    }

    /// This error with `source` as its cause, which no peer reads.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let source: Source = source.into();
        self.0.source = Some(source);
        self
    }

    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        self.0.blame
    }

    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What the peer may read besides the status; may be empty.
    pub fn public_message(&self) -> &str {
        match self.0.blame {
            Blame::Peer | Blame::Handler => &self.0.message,
            Blame::Wire | Blame::Operator => "",
        }
    }

    /// The cause, if there is one.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }

    /// What comes after the message.
    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.message.is_empty() {
            // The source is the message, so its own cause is next.
            true => self.source().and_then(StdError::source),
            false => self.source(),
        }
    }

    #[cold]
    fn build(
        blame: Blame,
        status: StatusCode,
        message: Cow<'static, str>,
        source: Option<Source>,
    ) -> Error {
        Error(Box::new(Inner {
            blame,
            status,
            message,
            source,
        }))
    }

    fn refused(refusal: Refusal) -> Error {
        Error::build(Blame::Peer, refusal.status, refusal.detail.into(), None)
    }
}

/// Whether it is a Redis that is away or does not answer: its crate has one error for everything.
#[cfg(feature = "redis")]
fn is_of_the_connection(error: &dyn Any) -> bool {
    let error = error.downcast_ref::<redis::RedisError>();
    error.is_some_and(redis::RedisError::is_io_error)
}

#[cfg(not(feature = "redis"))]
fn is_of_the_connection(_: &dyn Any) -> bool {
    false
}

/// Whether it is of PostgreSQL, and of text with a character that it does not keep, as NUL. No other
/// check of text finds it, and who sent the text is to blame.
#[cfg(feature = "postgres")]
fn is_of_the_text(error: &dyn Any) -> bool {
    use tokio_postgres::error::SqlState;
    let codes = [
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        SqlState::UNTRANSLATABLE_CHARACTER,
    ];
    let error = error.downcast_ref::<tokio_postgres::Error>();
    let code = error.and_then(tokio_postgres::Error::code);
    code.is_some_and(|code| codes.contains(code))
}

#[cfg(not(feature = "postgres"))]
fn is_of_the_text(_: &dyn Any) -> bool {
    false
}

/// What `error` says. Of PostgreSQL's, the DETAIL is left out: it quotes what is in the database.
#[cfg(feature = "postgres")]
fn words(error: &(dyn StdError + 'static)) -> String {
    let Some(error) = error.downcast_ref::<tokio_postgres::error::DbError>() else {
        return error.to_string();
    };
    let (severity, message, code) = (error.severity(), error.message(), error.code().code());
    format!("{severity}: {message} (SQLSTATE {code})")
}

#[cfg(not(feature = "postgres"))]
fn words(error: &(dyn StdError + 'static)) -> String {
    error.to_string()
}

/// Any error is the handler's failure, except those of this library that know better.
impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        let any: &dyn Any = &error;
        if let Some(refusal) = any.downcast_ref::<Refusal>() {
            return Error::refused(*refusal);
        }
        // Code that reads a body as a reader meets its error inside of another.
        let inside = any.downcast_ref().and_then(io::Error::get_ref);
        let inside = inside.and_then(|inside| inside.downcast_ref());
        if let Some(status) = between_cores(any) {
            return Error::build(
                Blame::Handler,
                status,
                Cow::Borrowed(""),
                Some(error.into()),
            );
        }
        let (blame, status) = match any.downcast_ref::<BodyError>().or(inside) {
            Some(BodyError::Refused(refusal)) => return Error::refused(*refusal),
            Some(BodyError::TimedOut) => (Blame::Peer, StatusCode::REQUEST_TIMEOUT),
            Some(BodyError::Disconnected) => (Blame::Wire, StatusCode::BAD_REQUEST),
            Some(BodyError::Io(error)) if error.kind() == io::ErrorKind::ResourceBusy => {
                (Blame::Handler, StatusCode::SERVICE_UNAVAILABLE)
            }
            _ if is_of_the_text(any) => (Blame::Peer, StatusCode::BAD_REQUEST),
            _ if is_of_the_connection(any) || any.is::<PoolError>() => {
                (Blame::Handler, StatusCode::SERVICE_UNAVAILABLE)
            }
            _ if any.is::<AppError>() => (Blame::Operator, StatusCode::INTERNAL_SERVER_ERROR),
            _ => (Blame::Handler, StatusCode::INTERNAL_SERVER_ERROR),
        };
        Error::build(blame, status, Cow::Borrowed(""), Some(error.into()))
    }
}

/// The status for an error that another core has a part in.
fn between_cores(error: &dyn Any) -> Option<StatusCode> {
    if error.is::<Undelivered>() || error.is::<BroadcastError>() {
        return Some(StatusCode::SERVICE_UNAVAILABLE);
    }
    Some(match error.downcast_ref()? {
        CallError::Undelivered(_) | CallError::Lost => StatusCode::SERVICE_UNAVAILABLE,
        CallError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        CallError::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

/// Whatever the message was: it is dropped.
impl<M> From<SendError<M>> for Error {
    fn from(error: SendError<M>) -> Error {
        error.reason.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.0.message, &self.0.source) {
            ("", Some(source)) => source.fmt(f),
            ("", None) => self.0.status.fmt(f),
            (message, _) => f.write_str(message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Told::of(self), f)
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(Told::of(&error))
    }
}

/// The texts of an [`Error`] and its causes, where a `std::error::Error` is asked for.
struct Told {
    message: String,
    source: Option<Box<Told>>,
}

impl Told {
    fn of(error: &Error) -> Told {
        Told::caused(error.to_string(), error.cause())
    }

    fn caused(message: String, cause: Option<&(dyn StdError + 'static)>) -> Told {
        let source = cause.map(|cause| Box::new(Told::caused(words(cause), cause.source())));
        Told { message, source }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source:?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Told {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::super::builder::App;
    use super::*;

    /// An error as `?` makes it.
    fn converted<E: Into<Error>>(error: E) -> Error {
        error.into()
    }

    #[test]
    fn errors_and_what_becomes_of_them() {
        let app_error = App::new().get("x", async |_| ()).build().unwrap_err();
        let cases = [
            (
                Error::new(StatusCode::NOT_FOUND, "No."),
                Blame::Peer,
                404,
                "No.",
            ),
            (
                Error::new(StatusCode::BAD_GATEWAY, "Later."),
                Blame::Handler,
                502,
                "Later.",
            ),
            (Error::operator("DIR is missing"), Blame::Operator, 500, ""),
            (converted(io::Error::other("x")), Blame::Handler, 500, ""),
            (
                converted("x".parse::<u8>().unwrap_err()),
                Blame::Handler,
                500,
                "",
            ),
            (converted(app_error), Blame::Operator, 500, ""),
            (
                converted(Refusal::BODY_TOO_LARGE),
                Blame::Peer,
                413,
                Refusal::BODY_TOO_LARGE.detail,
            ),
            (
                converted(BodyError::Refused(Refusal::CHUNK_END)),
                Blame::Peer,
                400,
                Refusal::CHUNK_END.detail,
            ),
            (converted(BodyError::TimedOut), Blame::Peer, 408, ""),
            (converted(BodyError::Disconnected), Blame::Wire, 400, ""),
            (converted(PoolError::Closed), Blame::Handler, 503, ""),
            (
                converted(BodyError::Io(io::ErrorKind::ResourceBusy.into())),
                Blame::Handler,
                503,
                "",
            ),
            (
                converted(BodyError::Io(io::Error::other("x"))),
                Blame::Handler,
                500,
                "",
            ),
        ];
        for (error, blame, status, public) in cases {
            assert_eq!(error.blame(), blame, "{error}");
            assert_eq!(error.status().as_u16(), status, "{error}");
            assert_eq!(error.public_message(), public, "{error}");
        }
    }

    /// Its crate has one error for everything.
    #[cfg(feature = "redis")]
    #[test]
    fn errors_of_redis_are_of_the_connection_or_of_the_handler() {
        use redis::{ErrorKind, RedisError, ServerErrorKind};
        let timed_out = io::Error::from(io::ErrorKind::TimedOut);
        let refused = ErrorKind::Server(ServerErrorKind::ResponseError);
        let cases = [
            (RedisError::from(timed_out), 503),
            (RedisError::from((refused, "WRONGTYPE")), 500),
            (
                RedisError::from((ErrorKind::UnexpectedReturnType, "x")),
                500,
            ),
        ];
        for (error, status) in cases {
            let error = converted(error);
            assert_eq!(error.status().as_u16(), status, "{error}");
            assert_eq!(
                (error.blame(), error.public_message()),
                (Blame::Handler, "")
            );
        }
    }

    #[test]
    fn what_is_not_send_is_an_error_too() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0} went wrong")]
        struct OfOneCore(std::rc::Rc<str>);

        async fn handler() -> Result<()> {
            Err(OfOneCore("everything".into()))?
        }
        let error = futures_lite::future::block_on(handler()).unwrap_err();
        assert_eq!(error.to_string(), "everything went wrong");
        assert!(error.source().unwrap().is::<OfOneCore>());
    }

    #[test]
    fn what_the_operator_reads() {
        let disk = || io::Error::other("disk on fire");
        let cases = [
            (Error::operator("cannot bind"), "cannot bind", "cannot bind"),
            (
                Error::operator("cannot bind").with_source(disk()),
                "cannot bind",
                "cannot bind: disk on fire",
            ),
            (converted(disk()), "disk on fire", "disk on fire"),
            (
                converted(BodyError::Io(disk())),
                "reading the content failed",
                "reading the content failed: disk on fire",
            ),
            (
                Error::operator("outer").with_source(converted(BodyError::Io(disk()))),
                "outer",
                "outer: reading the content failed: disk on fire",
            ),
            (Error::new(StatusCode::GONE, ""), "410 Gone", "410 Gone"),
        ];
        for (error, display, debug) in cases {
            assert_eq!(error.to_string(), display);
            assert_eq!(format!("{error:?}"), debug);
            let boxed: Box<dyn StdError + Send + Sync> = error.into();
            assert_eq!(format!("{boxed} {boxed:?}"), format!("{display} {debug}"));
        }
    }
}
