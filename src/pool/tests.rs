//! Pools in memory: connections that are numbers, and a time that passes when it is told to.

use super::*;
use crate::app::Timer;
use futures_lite::future::{block_on, poll_once, yield_now};
use http::StatusCode;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

const SECOND: Duration = Duration::from_secs(1);

/// A time that is told to pass. Nobody is woken by it: tests poll what they wait for.
#[derive(Clone, Default)]
struct Clock(Rc<Cell<Duration>>);

impl Clock {
    fn pass(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}

impl Timer for Clock {
    fn now_ns(&self) -> u64 {
        self.0.get().as_nanos() as u64
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let clock = self.clone();
        Box::pin(poll_fn(move |_| match clock.now_ns() >= at_ns {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }
}

/// The server, as the tests set it up.
#[derive(Default)]
struct Server {
    made: Cell<u32>,
    /// Connections that it has forgotten.
    forgotten: RefCell<Vec<u32>>,
    /// Refuses connections.
    down: Cell<bool>,
    /// Answers nothing.
    silent: Cell<bool>,
    checks: Cell<u32>,
    /// Places of those that are being closed, if closing takes its time.
    closing: RefCell<Vec<Place>>,
    closes_slowly: Cell<bool>,
}

struct Numbers(Rc<Server>);

struct Number {
    number: u32,
    broken: Cell<bool>,
}

impl Manager for Numbers {
    type Connection = Number;

    async fn connect(&self) -> Result<Number, Box<dyn StdError + Send + Sync>> {
        // Never in the same poll, as with a server.
        yield_now().await;
        if self.0.silent.get() {
            std::future::pending::<()>().await;
        }
        if self.0.down.get() {
            return Err("nobody is there".into());
        }
        self.0.made.set(self.0.made.get() + 1);
        Ok(Number {
            number: self.0.made.get(),
            broken: Cell::new(false),
        })
    }

    fn is_fit(&self, connection: &Number) -> bool {
        !connection.broken.get()
    }

    async fn check(&self, connection: &Number) -> bool {
        self.0.checks.set(self.0.checks.get() + 1);
        if self.0.silent.get() {
            std::future::pending::<()>().await;
        }
        !self.0.forgotten.borrow().contains(&connection.number)
    }

    fn discard(&self, _: Number, place: Place) {
        if self.0.closes_slowly.get() {
            self.0.closing.borrow_mut().push(place);
        }
    }
}

fn pool(options: PoolOptions) -> (Pool<Numbers>, Clock, Rc<Server>) {
    let (clock, server) = (Clock::default(), Rc::new(Server::default()));
    let time = Time::new(clock.clone());
    (
        Pool::new(Numbers(Rc::clone(&server)), time, options),
        clock,
        server,
    )
}

fn of_size(size: usize) -> (Pool<Numbers>, Clock, Rc<Server>) {
    pool(PoolOptions {
        size,
        ..PoolOptions::default()
    })
}

fn lend(pool: &Pool<Numbers>) -> Pooled<Numbers> {
    block_on(pool.get()).unwrap()
}

/// What went wrong, by name.
fn failure(error: &Error) -> String {
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error.public_message(), "");
    let source = error.source().unwrap().downcast_ref::<PoolError>();
    format!("{:?}", source.unwrap())
        .split([' ', '('])
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn as_many_as_its_size_and_no_more() {
    const SIZE: usize = 3;
    let (pool, clock, _) = of_size(SIZE);
    let mut lent: Vec<_> = (0..SIZE).map(|_| lend(&pool)).collect();
    assert_eq!(pool.status().lent, SIZE);
    let mut one_more = Box::pin(pool.get());
    assert!(block_on(poll_once(&mut one_more)).is_none());
    assert_eq!(pool.status().waiting, 1);
    // Just before its time is over it would still get one; then no more.
    clock.pass(POOL_WAIT - Duration::from_nanos(1));
    assert!(block_on(poll_once(&mut one_more)).is_none());
    clock.pass(Duration::from_nanos(1));
    let error = block_on(poll_once(&mut one_more)).unwrap().unwrap_err();
    assert_eq!(failure(&error), "Exhausted");
    assert_eq!(
        error.to_string(),
        "all 3 connections of the core were in use for 5s"
    );
    drop(one_more);
    assert_eq!(pool.status().waiting, 0);
    assert_eq!(pool.status().exhausted_total, 1);
    // One that comes back is lent again, and no new one is made.
    let back = lent.pop().unwrap();
    let number = back.number;
    drop(back);
    assert_eq!(lend(&pool).number, number);
    assert_eq!(pool.status().made_total, SIZE as u64);
}

#[test]
fn those_who_waited_longest_come_first() {
    let (pool, _, _) = of_size(1);
    let lent = lend(&pool);
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(pool.get())).collect();
    for turn in &mut waiting {
        assert!(block_on(poll_once(turn)).is_none());
    }
    drop(lent);
    // It is the first one's, though nobody has polled it; not even who comes by now gets it.
    let mut late = pin!(pool.get());
    assert!(block_on(poll_once(&mut late)).is_none());
    assert!(block_on(poll_once(&mut waiting[1])).is_none());
    let first = block_on(poll_once(&mut waiting[0])).unwrap().unwrap();
    assert!(block_on(poll_once(&mut waiting[1])).is_none());
    drop(first);
    assert!(block_on(poll_once(&mut waiting[2])).is_none());
    let second = block_on(poll_once(&mut waiting[1])).unwrap().unwrap();
    drop(second);
    let third = block_on(poll_once(&mut waiting[2])).unwrap().unwrap();
    drop(third);
    assert!(block_on(poll_once(&mut late)).unwrap().is_ok());
    assert_eq!(pool.status().made_total, 1);
}

#[test]
fn who_stops_waiting_loses_nothing() {
    let (pool, _, server) = of_size(1);
    // Dropped while it connects.
    let mut connecting = Box::pin(pool.get());
    assert!(block_on(poll_once(&mut connecting)).is_none());
    assert_eq!(pool.status().lent, 1);
    drop(connecting);
    assert_eq!(pool.status().lent, 0);
    // Dropped in line, and dropped when it was given its turn and did not know.
    let lent = lend(&pool);
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(pool.get())).collect();
    for turn in &mut waiting {
        assert!(block_on(poll_once(turn)).is_none());
    }
    drop(waiting.remove(1));
    drop(lent);
    drop(waiting.remove(0));
    assert!(block_on(poll_once(&mut waiting[0])).unwrap().is_ok());
    drop(waiting);
    let status = pool.status();
    assert_eq!((status.lent, status.resting, status.waiting), (0, 1, 0));
    assert_eq!(server.made.get(), 1);
}

#[test]
fn what_is_broken_is_not_lent_again() {
    let (pool, _, _) = of_size(2);
    let lent = lend(&pool);
    lent.broken.set(true);
    drop(lent);
    assert_eq!(pool.status().resting, 0);
    // One that breaks while it rests, under another that does not.
    let (older, newer) = (lend(&pool), lend(&pool));
    let (number, other) = (older.number, newer.number);
    drop(older);
    drop(newer);
    let newest = lend(&pool);
    assert_eq!(newest.number, other);
    newest.discard();
    let resting = pool.0.resting.borrow();
    assert_eq!(resting[0].made.connection.number, number);
    resting[0].made.connection.broken.set(true);
    drop(resting);
    assert_eq!(lend(&pool).number, 4);
    assert_eq!(pool.status().discarded_total, 3);
}

#[test]
fn one_that_rested_for_long_is_checked_with_the_server() {
    let (pool, clock, server) = of_size(1);
    drop(lend(&pool));
    clock.pass(POOL_CHECK - Duration::from_nanos(1));
    drop(lend(&pool));
    assert_eq!(server.checks.get(), 0);
    clock.pass(POOL_CHECK);
    assert_eq!(lend(&pool).number, 1);
    assert_eq!(server.checks.get(), 1);
    clock.pass(POOL_CHECK);
    server.forgotten.borrow_mut().push(1);
    assert_eq!(lend(&pool).number, 2);
    // A server that does not say is not waited for longer than for anything else.
    clock.pass(POOL_CHECK);
    server.silent.set(true);
    let mut silent = Box::pin(pool.get());
    assert!(block_on(poll_once(&mut silent)).is_none());
    clock.pass(POOL_WAIT);
    let error = block_on(poll_once(&mut silent)).unwrap().unwrap_err();
    assert_eq!(failure(&error), "TimedOut");
    let status = pool.status();
    assert_eq!((status.lent, status.resting), (0, 0));
    assert_eq!(status.discarded_total, 2);
    // Nor is one lent whose check nobody waited for.
    server.silent.set(false);
    drop(lend(&pool));
    clock.pass(POOL_CHECK);
    server.silent.set(true);
    let mut given_up = Box::pin(pool.get());
    assert!(block_on(poll_once(&mut given_up)).is_none());
    drop(given_up);
    let status = pool.status();
    assert_eq!((status.lent, status.resting), (0, 0));
    assert_eq!(status.discarded_total, 3);
}

#[test]
fn what_is_unused_or_old_is_closed() {
    let (pool, clock, _) = pool(PoolOptions {
        size: 2,
        idle_timeout: 10 * SECOND,
        lifetime: 15 * SECOND,
        ..PoolOptions::default()
    });
    let (first, second) = (lend(&pool), lend(&pool));
    drop(first);
    clock.pass(SECOND);
    drop(second);
    clock.pass(8 * SECOND);
    pool.tidy();
    assert_eq!(pool.status().resting, 2);
    // Ten seconds for the first, nine for the second.
    clock.pass(SECOND);
    pool.tidy();
    assert_eq!(pool.status().resting, 1);
    // The second is used, but comes to be fifteen seconds old.
    let second = lend(&pool);
    assert_eq!(second.number, 2);
    clock.pass(5 * SECOND);
    drop(second);
    assert_eq!(pool.status().resting, 0);
    assert_eq!(pool.status().discarded_total, 2);
    // One second less, and it would rest; then it is old where it rests.
    let third = lend(&pool);
    clock.pass(14 * SECOND);
    drop(third);
    assert_eq!(pool.status().resting, 1);
    clock.pass(SECOND);
    pool.tidy();
    assert_eq!(pool.status().resting, 0);
}

#[test]
fn one_that_is_old_is_found_wherever_it_rests() {
    for tidies in [true, false] {
        let (pool, clock, _) = pool(PoolOptions {
            size: 2,
            lifetime: 15 * SECOND,
            ..PoolOptions::default()
        });
        let old = lend(&pool);
        clock.pass(10 * SECOND);
        // The younger one has rested longer.
        drop(lend(&pool));
        drop(old);
        clock.pass(5 * SECOND);
        if tidies {
            pool.tidy();
            assert_eq!(pool.status().resting, 1);
        }
        assert_eq!(lend(&pool).number, 2);
        let status = pool.status();
        assert_eq!((status.resting, status.discarded_total), (1, 1));
        assert_eq!(status.made_total, 2);
    }
}

#[test]
fn a_server_that_is_not_there_is_told_and_forgiven() {
    let (pool, clock, server) = of_size(1);
    server.down.set(true);
    let error = block_on(pool.get()).unwrap_err();
    assert_eq!(failure(&error), "Connect");
    assert_eq!(
        format!("{error:?}"),
        "a connection could not be made: nobody is there"
    );
    server.silent.set(true);
    let mut silent = Box::pin(pool.get());
    assert!(block_on(poll_once(&mut silent)).is_none());
    clock.pass(POOL_WAIT);
    let error = block_on(poll_once(&mut silent)).unwrap().unwrap_err();
    assert_eq!(failure(&error), "TimedOut");
    drop(silent);
    server.down.set(false);
    server.silent.set(false);
    assert_eq!(lend(&pool).number, 1);
    assert_eq!(pool.status().failed_total, 2);
}

#[test]
fn one_that_is_being_closed_still_has_its_place() {
    let (pool, _, server) = of_size(1);
    server.closes_slowly.set(true);
    lend(&pool).discard();
    let mut next = pin!(pool.get());
    assert!(block_on(poll_once(&mut next)).is_none());
    assert_eq!(pool.status().waiting, 1);
    server.closing.borrow_mut().clear();
    assert_eq!(block_on(next).unwrap().number, 2);
}

#[test]
fn a_pool_that_closes_waits_for_what_it_has_lent() {
    let (pool, _, server) = of_size(2);
    let (lent, resting) = (lend(&pool), lend(&pool));
    drop(resting);
    server.closes_slowly.set(true);
    let mut closing = pin!(pool.close());
    assert!(block_on(poll_once(&mut closing)).is_none());
    assert_eq!(pool.status().resting, 0);
    let error = block_on(pool.get()).unwrap_err();
    assert_eq!(failure(&error), "Closed");
    drop(lent);
    assert!(block_on(poll_once(&mut closing)).is_none());
    server.closing.borrow_mut().clear();
    block_on(closing);
    assert_eq!(pool.status().discarded_total, 2);
}

#[test]
fn who_waits_when_it_closes_is_told() {
    let (pool, _, _) = of_size(1);
    let lent = lend(&pool);
    let (mut first, mut second) = (Box::pin(pool.get()), Box::pin(pool.get()));
    assert!(block_on(poll_once(&mut first)).is_none());
    assert!(block_on(poll_once(&mut second)).is_none());
    drop(lent);
    let mut closing = pin!(pool.close());
    assert!(block_on(poll_once(&mut closing)).is_none());
    let error = block_on(poll_once(&mut second)).unwrap().unwrap_err();
    assert_eq!(failure(&error), "Closed");
    // The first had its turn already; if it goes, what it was promised is closed as well.
    drop(first);
    block_on(closing);
    assert_eq!(pool.status().discarded_total, 1);
}

#[test]
fn a_thousand_in_line_for_two() {
    let (pool, _, server) = of_size(2);
    let users = (0..1000).map(|number| {
        let pool = pool.clone();
        async move {
            for _ in 0..number % 3 {
                yield_now().await;
            }
            let lent = pool.get().await.unwrap();
            yield_now().await;
            lent.broken.set(number % 10 == 0);
        }
    });
    let mut users: Vec<_> = users.map(Box::pin).collect();
    while !users.is_empty() {
        users.retain_mut(|user| block_on(poll_once(user)).is_none());
        assert!(pool.status().lent <= 2);
    }
    let status = pool.status();
    assert_eq!((status.lent, status.waiting), (0, 0));
    assert_eq!((status.lent_total, status.exhausted_total), (1000, 0));
    assert_eq!(
        u64::from(server.made.get()),
        status.discarded_total + status.resting as u64
    );
}
