//! A connection that nobody shares: for commands that wait, and for subscriptions.
//!
//! It has no task. Whoever uses it drives it meanwhile, so that nothing is read that nobody waits for:
//! messages for a subscriber that is slow wait with the server, which has bounds of its own for them.

use super::connect::{Driver, connect};
use super::link::unanswered;
use super::options::Options;
use crate::app::Time;
use crate::limits::PUBLISHED;
use crate::ring::Ring;
use futures_lite::future::or;
use redis::aio::{ConnectionLike, MultiplexedConnection, SendError};
use redis::{
    AsyncConnectionConfig, Cmd, Msg, Pipeline, ProtocolVersion, PushInfo, RedisFuture, RedisResult,
    ToRedisArgs, Value,
};
use send_wrapper::SendWrapper;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// A connection of its own, from [`Redis::dedicated`](super::Redis::dedicated). It is closed when it is
/// dropped: with the handler whose peer leaves, if that holds it.
///
/// Commands are those of `redis::AsyncCommands` and `AsyncTypedCommands`, as on a
/// [`Redis`](super::Redis). It speaks RESP3, so the server is Redis 6 or later. It is not made again when
/// it breaks: everything fails then, as it does once a command was not answered in its time.
///
/// ```no_run
/// use corelane::app::{Sse, SseEvent};
/// use corelane::redis::Redis;
/// use corelane::{Error, Request, Result};
/// use futures_lite::stream;
/// use std::time::Duration;
///
/// /// What is published from now on, as server-sent events.
/// async fn news(req: Request) -> Result<Sse> {
///     let mut redis = req.state::<Redis>().dedicated(Duration::from_secs(5)).await?;
///     redis.subscribe(&["news", "sports"]).await?;
///     let events = stream::try_unfold(redis, async |mut redis| {
///         let message = redis.next_message().await?;
///         let event = SseEvent::data(&message.get_payload::<String>()?);
///         Ok::<_, Error>(Some((event.event(message.get_channel_name()), redis)))
///     });
///     Ok(Sse::from_results(events).keep_alive(&req.time(), Duration::from_secs(15)))
/// }
/// ```
pub struct Dedicated(SendWrapper<Own>);

struct Own {
    connection: MultiplexedConnection,
    /// `None` once the connection is over.
    driver: Option<Driver>,
    inbox: Rc<Inbox>,
    time: Time,
    limit: Duration,
}

/// Messages that came while the connection was driven.
#[derive(Default)]
struct Inbox {
    messages: RefCell<VecDeque<Msg>>,
    /// There were more than there is room for.
    is_over: Cell<bool>,
}

impl Dedicated {
    pub(super) async fn connect(
        ring: &Ring,
        time: &Time,
        options: &Options,
        limit: Duration,
    ) -> RedisResult<Dedicated> {
        let inbox = Rc::new(Inbox::default());
        let pushed = SendWrapper::new(Rc::clone(&inbox));
        let config =
            AsyncConnectionConfig::new().set_push_sender(move |info: PushInfo| pushed.put(info));
        let login = options.login.clone().set_protocol(ProtocolVersion::RESP3);
        let made = connect(ring, time, options, &login, config).await;
        let (connection, driver) = made.map_err(|reason| reason.to_error())?;
        Ok(Dedicated(SendWrapper::new(Own {
            connection,
            driver: Some(driver),
            inbox,
            time: time.clone(),
            limit,
        })))
    }

    /// Subscribes to one channel or several.
    ///
    /// # Errors
    /// The server refuses it or does not answer in time, or the connection is over.
    pub async fn subscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
        let mut connection = self.0.connection.clone();
        self.0.ask(connection.subscribe(channels)).await
    }

    /// Subscribes to all channels whose names fit one of the patterns.
    ///
    /// # Errors
    /// Those of [`Dedicated::subscribe`].
    pub async fn psubscribe(&mut self, patterns: impl ToRedisArgs) -> RedisResult<()> {
        let mut connection = self.0.connection.clone();
        self.0.ask(connection.psubscribe(patterns)).await
    }

    /// Ends subscriptions to channels. Messages that came before are still read.
    ///
    /// # Errors
    /// Those of [`Dedicated::subscribe`].
    pub async fn unsubscribe(&mut self, channels: impl ToRedisArgs) -> RedisResult<()> {
        let mut connection = self.0.connection.clone();
        self.0.ask(connection.unsubscribe(channels)).await
    }

    /// Ends subscriptions to patterns. Messages that came before are still read.
    ///
    /// # Errors
    /// Those of [`Dedicated::subscribe`].
    pub async fn punsubscribe(&mut self, patterns: impl ToRedisArgs) -> RedisResult<()> {
        let mut connection = self.0.connection.clone();
        self.0.ask(connection.punsubscribe(patterns)).await
    }

    /// The next message of the subscriptions, however long it takes to come. Dropping the wait loses none.
    ///
    /// In silence the server is asked each time that the limit of a command has passed whether it is still
    /// there.
    ///
    /// # Errors
    /// The connection is over: it broke, the server did not say that it is there, or more than
    /// [`PUBLISHED`] messages came at once.
    pub async fn next_message(&mut self) -> RedisResult<Msg> {
        self.0.next_message().await
    }
}

impl Own {
    /// Does `work` on the connection, within the time for a command.
    async fn ask<T>(&mut self, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let driven = or(work, drive(&mut self.driver));
        match self.time.limit(self.limit, driven).await {
            Ok(answer) => answer,
            Err(_) => {
                self.driver = None;
                Err(unanswered(self.limit))
            }
        }
    }

    async fn next_message(&mut self) -> RedisResult<Msg> {
        loop {
            if let Some(message) = self.inbox.messages.borrow_mut().pop_front() {
                return Ok(message);
            }
            if self.inbox.is_over.get() {
                self.driver = None;
                return Err(over("more was published than was read"));
            }
            let coming = or(drive(&mut self.driver), self.inbox.filled());
            match self.time.limit(self.limit, coming).await {
                Ok(come) => come?,
                Err(_) => {
                    let mut connection = self.connection.clone();
                    let ping = async move {
                        let ping = redis::cmd("PING");
                        ping.query_async::<()>(&mut connection).await
                    };
                    self.ask(ping).await?;
                }
            }
        }
    }
}

impl Inbox {
    fn put(&self, info: PushInfo) -> Result<(), SendError> {
        let Some(message) = Msg::from_push_info(info) else {
            return Ok(());
        };
        let mut messages = self.messages.borrow_mut();
        if self.is_over.get() || messages.len() == PUBLISHED {
            self.is_over.set(true);
            return Err(SendError);
        }
        messages.push_back(message);
        Ok(())
    }

    /// Waits for a message, in the task that also drives the connection: nobody else puts any there.
    async fn filled(&self) -> RedisResult<()> {
        poll_fn(|_| match self.messages.borrow().is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        })
        .await
    }
}

/// Drives the connection to its end, which is an error for whoever waits.
async fn drive<T>(driver: &mut Option<Driver>) -> RedisResult<T> {
    if let Some(driving) = driver {
        driving.await;
        *driver = None;
    }
    Err(over("the connection is over"))
}

fn over(why: &'static str) -> redis::RedisError {
    io::Error::new(io::ErrorKind::NotConnected, why).into()
}

impl ConnectionLike for Dedicated {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let mut connection = self.0.connection.clone();
        let asking = async move { connection.req_packed_command(command).await };
        Box::pin(SendWrapper::new(self.0.ask(asking)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let mut connection = self.0.connection.clone();
        let asking = async move {
            let asked = connection.req_packed_commands(pipeline, offset, count);
            asked.await
        };
        Box::pin(SendWrapper::new(self.0.ask(asking)))
    }

    fn get_db(&self) -> i64 {
        self.0.connection.get_db()
    }
}

impl fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dedicated").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::PushKind;

    #[test]
    fn an_inbox_has_room_for_so_many_messages() {
        let inbox = Inbox::default();
        let info = |kind| PushInfo {
            kind,
            data: vec![Value::SimpleString("a".to_owned()), Value::Int(1)],
        };
        for _ in 0..PUBLISHED {
            assert!(inbox.put(info(PushKind::Message)).is_ok());
        }
        // It is no message.
        assert!(inbox.put(info(PushKind::Subscribe)).is_ok());
        assert!(!inbox.is_over.get());
        assert!(inbox.put(info(PushKind::Message)).is_err());
        assert!(inbox.is_over.get());
        // What there is no room for stays away, lest one be missing in between.
        inbox.messages.borrow_mut().pop_front();
        assert!(inbox.put(info(PushKind::Message)).is_err());
        assert_eq!(inbox.messages.borrow().len(), PUBLISHED - 1);
    }
}
