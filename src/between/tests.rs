//! Cores that send to each other, without a server: on one thread, where each step is looked at, and
//! on threads of their own.

use super::*;
use crate::limits::{MESSAGES_AT_ONCE, SEND_TIMEOUT};
use futures_lite::future::{block_on, or, poll_once, zip};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// A time that passes when the test says so. Whoever waits for it is polled by the test.
#[derive(Clone, Default)]
struct Clock(Rc<Cell<u64>>);

impl Host for Clock {
    fn now_ns(&self) -> u64 {
        self.0.get()
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let clock = self.clone();
        Box::pin(poll_fn(move |_| match clock.now_ns() >= at_ns {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }
}

/// The cores of a server, all on this thread.
fn cores<const N: usize>(clock: &Clock) -> [Core; N] {
    cores_of(&Arc::new(Exchange::new(N)), clock)
}

fn cores_of<const N: usize>(exchange: &Arc<Exchange>, clock: &Clock) -> [Core; N] {
    std::array::from_fn(|index| Core::new(index, Arc::clone(exchange), clock.clone()))
}

/// Has every core answer its bell.
fn answer(cores: &[Core]) {
    for core in cores {
        core.still();
        core.answer();
    }
}

/// What `future` comes to, polled once.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    block_on(poll_once(future))
}

async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    zip(one, other).await;
}

fn reason<M>(outcome: Result<(), SendError<M>>) -> Option<Undelivered> {
    outcome.err().map(|error| error.reason)
}

#[test]
fn every_core_reaches_every_core_and_itself() {
    let cores = cores::<3>(&Clock::default());
    let mut ends: Vec<_> = cores.iter().map(Core::lanes::<(usize, u32)>).collect();
    for (from, (lanes, _)) in ends.iter().enumerate() {
        for to in 0..3 {
            (0..2).for_each(|n| lanes.try_send(to, (from, n)).unwrap());
        }
        assert_eq!((lanes.here(), lanes.cores()), (from, 3));
    }
    for (_, mailbox) in &mut ends {
        let mut received: Vec<_> =
            std::iter::from_fn(|| now(mailbox.recv_from()).flatten()).collect();
        assert!(received.iter().all(|(core, (from, _))| core == from));
        received.sort_by_key(|(core, _)| *core);
        let expected = (0..6).map(|n| (n / 2, (n / 2, n as u32 % 2)));
        assert!(received.into_iter().eq(expected));
        assert_eq!(mailbox.try_recv(), None);
    }
}

#[test]
fn lanes_meet_by_type_and_order() {
    let [here, there] = cores(&Clock::default());
    let ((words, _), (first, _), (second, _)) = (
        here.lanes::<String>(),
        here.lanes::<u8>(),
        here.lanes::<u8>(),
    );
    let ((_, mut ones), (_, mut twos), (_, mut texts)) = (
        there.lanes::<u8>(),
        there.lanes::<u8>(),
        there.lanes::<String>(),
    );
    words.try_send(1, "a".to_owned()).unwrap();
    first.try_send(1, 1).unwrap();
    second.try_send(1, 2).unwrap();
    assert_eq!((ones.try_recv(), ones.try_recv()), (Some(1), None));
    assert_eq!((twos.try_recv(), twos.try_recv()), (Some(2), None));
    assert_eq!(texts.try_recv().as_deref(), Some("a"));
}

#[test]
#[should_panic = "lanes for 2 messages meet lanes for 3"]
fn cores_that_disagree_do_not_start() {
    let [here, there] = cores(&Clock::default());
    let _ends = (here.lanes_for::<u8>(3), there.lanes_for::<u8>(2));
}

#[test]
fn a_full_lane_says_so_and_sending_waits_in_line() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    for to in [0, 1] {
        let [(lanes, own), (_, other)] = [0, 1].map(|n| cores[n].lanes_for::<u32>(4));
        let mut mailbox = [own, other].into_iter().nth(to).unwrap();
        (0..4).for_each(|n| lanes.try_send(to, n).unwrap());
        let refused = lanes.try_send(to, 4).unwrap_err();
        assert_eq!((refused.reason, refused.message), (Undelivered::Full, 4));
        let (mut fourth, mut fifth) = (pin!(lanes.send(to, 4)), pin!(lanes.send(to, 5)));
        assert_eq!(now(&mut fourth), None);
        assert_eq!(now(&mut fifth), None);
        assert_eq!((mailbox.try_recv(), mailbox.try_recv()), (Some(0), Some(1)));
        answer(&cores);
        // There is room, for those who wait.
        assert_eq!(reason(lanes.try_send(to, 9)), Some(Undelivered::Full));
        assert_eq!(now(&mut fifth), None);
        assert_eq!(now(&mut fourth), Some(Ok(())));
        assert_eq!(now(&mut fifth), Some(Ok(())));
        assert_eq!(reason(lanes.try_send(to, 9)), Some(Undelivered::Full));
        let rest: Vec<_> = std::iter::from_fn(|| mailbox.try_recv()).collect();
        assert_eq!(rest, [2, 3, 4, 5]);
        assert_eq!(lanes.try_send(to, 6), Ok(()));
    }
}

#[test]
fn who_waits_for_room_is_woken_by_it() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let (lanes, _own) = cores[0].lanes_for::<u32>(1);
    let (_, mut mailbox) = cores[1].lanes_for::<u32>(1);
    // None of this is polled but when it was woken.
    let sending = async {
        for n in 0..100 {
            lanes.send(1, n).await.unwrap();
        }
    };
    let receiving = async {
        for n in 0..100 {
            assert_eq!(mailbox.recv().await, Some(n));
        }
    };
    let bells = poll_fn(|cx| {
        cores
            .iter()
            .for_each(|core| core.connect(cx.waker().clone()));
        answer(&cores);
        Poll::Pending
    });
    block_on(or(async { both(sending, receiving).await }, bells));
}

#[test]
fn waiting_for_room_has_an_end() {
    let clock = Clock::default();
    let [here, there] = cores(&clock);
    let (lanes, _own) = here.lanes_for::<u32>(1);
    let (_, _mailbox) = there.lanes_for::<u32>(1);
    lanes.try_send(1, 0).unwrap();
    let mut late = pin!(lanes.send(1, 1));
    assert_eq!(now(&mut late), None);
    clock.0.set(SEND_TIMEOUT.as_nanos() as u64 - 1);
    assert_eq!(now(&mut late), None);
    clock.0.set(SEND_TIMEOUT.as_nanos() as u64);
    let refused = now(&mut late).unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.message), (Undelivered::Full, 1));
}

#[test]
fn a_send_that_is_dropped_makes_way() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let (lanes, _own) = cores[0].lanes_for::<u32>(1);
    let (_, mut mailbox) = cores[1].lanes_for::<u32>(1);
    lanes.try_send(1, 0).unwrap();
    let mut second = Box::pin(lanes.send(1, 1));
    let mut third = pin!(lanes.send(1, 2));
    assert!(now(&mut second).is_none() && now(&mut third).is_none());
    drop(second);
    assert_eq!(mailbox.try_recv(), Some(0));
    assert_eq!(now(&mut third), Some(Ok(())));
    assert_eq!(mailbox.try_recv(), Some(2));
    assert_eq!(lanes.try_send(1, 3), Ok(()));
}

#[test]
fn who_sends_where_nobody_receives_is_told() {
    let clock = Clock::default();
    let exchange = Arc::new(Exchange::new(4));
    let cores = cores_of::<4>(&exchange, &clock);
    let [(lanes, own), (_, dropped), (_, _gone)] = [0, 1, 2].map(|n| cores[n].lanes_for::<u32>(1));
    lanes.try_send(1, 0).unwrap();
    let mut waits = pin!(lanes.send(1, 1));
    assert_eq!(now(&mut waits), None);
    drop(dropped);
    answer(&cores);
    assert_eq!(reason(now(&mut waits).unwrap()), Some(Undelivered::Gone));
    exchange.leave(2);
    exchange.seal(3);
    drop(own);
    for to in [0, 1, 2, 3, 4, usize::MAX] {
        assert_eq!(
            reason(lanes.try_send(to, 1)),
            Some(Undelivered::Gone),
            "{to}"
        );
        let sent = now(lanes.send(to, 1)).unwrap();
        assert_eq!(reason(sent), Some(Undelivered::Gone), "{to}");
    }
    // One that was sealed before anybody asked is no other.
    let (lanes, _own) = cores[0].lanes::<u64>();
    assert_eq!(reason(lanes.try_send(3, 1)), Some(Undelivered::Gone));
}

#[test]
fn a_broadcast_reaches_all_cores_or_names_those_that_it_missed() {
    let clock = Clock::default();
    let cores = cores::<3>(&clock);
    let mut ends: Vec<_> = cores.iter().map(|core| core.lanes_for::<u32>(1)).collect();
    let lanes = ends[1].0.clone();
    assert_eq!(lanes.try_broadcast(1), Ok(()));
    assert!(
        ends[..2]
            .iter_mut()
            .all(|(_, mailbox)| mailbox.try_recv() == Some(1))
    );
    let missed = |reason| {
        Err(BroadcastError {
            missed: vec![(2, reason)],
        })
    };
    assert_eq!(lanes.try_broadcast(2), missed(Undelivered::Full));
    assert!(
        ends[..2]
            .iter_mut()
            .all(|(_, mailbox)| mailbox.try_recv() == Some(2))
    );
    let mut waits = pin!(lanes.broadcast(3));
    assert_eq!(now(&mut waits), None);
    // The others have it already.
    assert!(
        ends[..2]
            .iter_mut()
            .all(|(_, mailbox)| mailbox.try_recv() == Some(3))
    );
    assert_eq!(ends[2].1.try_recv(), Some(1));
    assert_eq!(now(&mut waits), Some(Ok(())));
    let mut late = pin!(lanes.broadcast(4));
    assert_eq!(now(&mut late), None);
    clock.0.set(SEND_TIMEOUT.as_nanos() as u64);
    assert_eq!(now(&mut late), Some(missed(Undelivered::Full)));
    drop(ends.pop());
    assert!(
        ends.iter_mut()
            .all(|(_, mailbox)| mailbox.try_recv() == Some(4))
    );
    assert_eq!(now(lanes.broadcast(5)), Some(missed(Undelivered::Gone)));
}

#[test]
fn closed_cores_take_what_is_on_its_way_and_end() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let [(here, mut own), (there, mut mailbox)] = [0, 1].map(|n| cores[n].lanes_for::<u32>(1));
    here.try_send(1, 1).unwrap();
    let mut waits = pin!(here.send(1, 2));
    assert_eq!(now(&mut waits), None);
    cores[0].close();
    assert_eq!(
        reason(now(&mut waits).unwrap()),
        Some(Undelivered::Draining)
    );
    assert_eq!(reason(here.try_send(1, 2)), Some(Undelivered::Draining));
    assert_eq!(reason(here.try_send(0, 2)), Some(Undelivered::Draining));
    // The other has not closed: it is still received from.
    let (mut ends, mut other_ends) = (pin!(cores[0].finished()), pin!(cores[1].finished()));
    assert_eq!(now(&mut ends), None);
    there.try_send(0, 3).unwrap();
    cores[1].close();
    assert_eq!(now(&mut ends), None);
    assert_eq!(now(own.recv()), Some(Some(3)));
    // It was received, and not seen to.
    assert_eq!(now(&mut ends), None);
    assert_eq!(now(own.recv()), Some(None));
    assert_eq!(now(&mut ends), Some(()));
    assert_eq!((now(&mut other_ends), cores[1].unread()), (None, 1));
    assert_eq!(now(mailbox.recv()), Some(Some(1)));
    drop(mailbox);
    assert_eq!(now(&mut other_ends), Some(()));
}

#[test]
fn who_waits_for_the_end_is_woken_by_it() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let [(_, mut own), (lanes, _other)] = [0, 1].map(|n| cores[n].lanes::<u32>());
    lanes.try_send(0, 1).unwrap();
    cores.iter().for_each(Core::close);
    let reading = async {
        assert_eq!(own.recv().await, Some(1));
        assert_eq!(own.recv().await, None);
    };
    block_on(zip(cores[0].finished(), reading));
}

#[test]
fn other_tasks_get_their_turn_between_messages() {
    let cores = cores::<1>(&Clock::default());
    let (lanes, mut mailbox) = cores[0].lanes::<usize>();
    let messages = 2 * MESSAGES_AT_ONCE + 1;
    (0..messages).for_each(|n| lanes.try_send(0, n).unwrap());
    let mut received = 0;
    let mut turns = 0;
    while received < messages {
        while now(mailbox.recv()).is_some() {
            received += 1;
        }
        turns += 1;
        assert_eq!(received, (turns * MESSAGES_AT_ONCE).min(messages));
    }
}

#[test]
fn what_is_not_received_is_freed() {
    let cores = cores::<2>(&Clock::default());
    let message = Arc::new(());
    let ends: Vec<_> = cores.iter().map(Core::lanes::<Arc<()>>).collect();
    ends[0].0.try_broadcast(Arc::clone(&message)).unwrap();
    assert_eq!(Arc::strong_count(&message), 3);
    drop((ends, cores));
    assert_eq!(Arc::strong_count(&message), 1);
}

/// Each of three threads is a core, which sends to the others and receives from them, and sleeps when
/// it has nothing to do.
#[test]
fn messages_between_threads_arrive_in_order() {
    const CORES: usize = 3;
    const EACH: usize = 20_000;
    let exchange = Arc::new(Exchange::new(CORES));
    let core = |index| {
        let exchange = Arc::clone(&exchange);
        move || {
            let core = Core::new(index, exchange, Clock::default());
            let (lanes, mut mailbox) = core.lanes_for::<usize>(64);
            let sending = async {
                for n in 0..EACH {
                    for to in (0..CORES).filter(|to| *to != index) {
                        lanes.send(to, n).await.unwrap();
                    }
                }
                core.close();
            };
            let receiving = async {
                let mut received = [0; CORES];
                while let Some((from, n)) = mailbox.recv_from().await {
                    assert_eq!(n, received[from]);
                    received[from] += 1;
                }
                received[index] = EACH;
                assert_eq!(received, [EACH; CORES]);
            };
            let bell = poll_fn(|cx| {
                core.connect(cx.waker().clone());
                core.still();
                core.answer();
                Poll::Pending
            });
            block_on(or(async { both(sending, receiving).await }, bell));
        }
    };
    let threads: Vec<_> = (0..CORES).map(|n| std::thread::spawn(core(n))).collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}
