//! Questions and answers between cores.

use super::*;
use crate::flag::Flag;
use crate::limits::{ASK_TIMEOUT, QUESTIONS};
use http::StatusCode;
use std::task::{Context, Waker};
use std::time::Duration;

/// Runs what the cores have to run, until nothing happens any more.
fn run(cores: &[Core], jobs: &mut [Job]) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..8 {
        answer(cores);
        for job in &mut *jobs {
            // One that is done is not polled again: those of these tests go on.
            assert!(job.as_mut().poll(&mut cx).is_pending());
        }
    }
}

fn jobs(cores: &[Core]) -> Vec<Job> {
    cores.iter().flat_map(Core::take_jobs).collect()
}

/// Handlers of two cores that answer with their number and the question, and those who ask them.
fn echoes(cores: &[Core; 2]) -> [Sharded<u32, (usize, u32)>; 2] {
    [0, 1].map(|core| cores[core].sharded(move |question| async move { (core, question) }))
}

#[test]
fn a_question_goes_to_the_home_of_its_key() {
    let cores = cores::<2>(&Clock::default());
    let ends = echoes(&cores);
    let mut jobs = jobs(&cores);
    for (here, sharded) in ends.iter().enumerate() {
        for key in 0..20 {
            let home = home(&key, 2);
            assert_eq!(sharded.home(&key), home);
            let mut ask = pin!(sharded.ask(&key, key));
            // At home it is answered at once.
            let answer = now(&mut ask);
            assert_eq!(answer.is_some(), here == home);
            if answer.is_none() {
                run(&cores, &mut jobs);
                assert_eq!(now(&mut ask), Some(Ok((home, key))));
            }
        }
        let there = 1 - here;
        let mut ask = pin!(sharded.ask_at(there, 5));
        assert_eq!(now(&mut ask), None);
        run(&cores, &mut jobs);
        assert_eq!(now(&mut ask), Some(Ok((there, 5))));
        let nowhere = now(sharded.ask_at(2, 5));
        assert_eq!(
            nowhere,
            Some(Err(CallError::Undelivered(Undelivered::Gone)))
        );
    }
}

#[test]
fn handlers_that_wait_are_answered_when_they_are_done() {
    let cores = cores::<2>(&Clock::default());
    let gates: [Rc<Flag>; 3] = Default::default();
    let opened = gates.clone();
    let (sharded, _there) = (
        cores[0].sharded(|_: usize| async { 0 }),
        cores[1].sharded(move |question: usize| {
            let gate = Rc::clone(&gates[question]);
            async move {
                gate.wait().await;
                question
            }
        }),
    );
    let mut jobs = jobs(&cores);
    let mut asks: Vec<_> = (0..3).map(|n| Box::pin(sharded.ask_at(1, n))).collect();
    assert!(asks.iter_mut().all(|ask| now(ask).is_none()));
    for n in [1, 0, 2] {
        run(&cores, &mut jobs);
        assert_eq!(now(&mut asks[n]), None);
        opened[n].raise();
        run(&cores, &mut jobs);
        assert_eq!(now(&mut asks[n]), Some(Ok(n)));
    }
}

#[test]
fn answers_that_are_late_are_not_waited_for() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let running = Rc::new(());
    let ends = [0, 1].map(|core| {
        let running = Rc::clone(&running);
        cores[core].sharded(move |_: ()| {
            let running = Rc::clone(&running);
            async move {
                std::future::pending::<()>().await;
                drop(running);
            }
        })
    });
    let idle = Rc::strong_count(&running);
    let mut jobs = jobs(&cores);
    let shorter = Duration::from_secs(1);
    for (to, limit) in [
        (1, ASK_TIMEOUT),
        (0, ASK_TIMEOUT),
        (1, shorter),
        (0, shorter),
    ] {
        let asker = ends[0].within(limit);
        let until_ns = clock.now_ns() + limit.as_nanos() as u64;
        let mut ask = pin!(asker.ask_at(to, ()));
        assert_eq!(now(&mut ask), None);
        run(&cores, &mut jobs);
        assert_eq!(Rc::strong_count(&running), idle + 1);
        clock.set(until_ns - 1);
        run(&cores, &mut jobs);
        assert_eq!(now(&mut ask), None);
        clock.set(until_ns);
        assert_eq!(now(&mut ask), Some(Err(CallError::TimedOut)));
        // So is the handler, wherever it is.
        run(&cores, &mut jobs);
        assert_eq!(Rc::strong_count(&running), idle);
    }
}

#[test]
fn a_question_that_comes_too_late_is_not_begun() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let (sharded, _there) = (
        cores[0].sharded(|_: ()| async {}),
        cores[1].sharded(|_: ()| async { panic!("nobody waits for it") }),
    );
    let mut jobs = jobs(&cores);
    let mut ask = pin!(sharded.ask_at(1, ()));
    assert_eq!(now(&mut ask), None);
    clock.set(ASK_TIMEOUT.as_nanos() as u64);
    run(&cores, &mut jobs);
    assert_eq!(now(&mut ask), Some(Err(CallError::TimedOut)));
    let nobody = sharded.within(Duration::ZERO);
    assert_eq!(now(nobody.ask_at(0, ())), Some(Err(CallError::TimedOut)));
}

#[test]
fn so_many_questions_are_open_and_no_more() {
    let clock = Clock::default();
    let cores = cores::<2>(&clock);
    let asked = Rc::new(Cell::new(0));
    let counts = Rc::clone(&asked);
    let (sharded, _there) = (
        cores[0].sharded(|question: usize| async move { question }),
        cores[1].sharded(move |question: usize| {
            counts.set(counts.get() + 1);
            async move { question }
        }),
    );
    let mut jobs = jobs(&cores);
    let mut asks: Vec<_> = (0..=QUESTIONS)
        .map(|n| Box::pin(sharded.ask_at(1, n)))
        .collect();
    assert!(asks.iter_mut().all(|ask| now(ask).is_none()));
    (0..QUESTIONS / 8).for_each(|_| run(&cores, &mut jobs));
    assert_eq!(asked.get(), QUESTIONS);
    let mut last = asks.pop().expect("one more than may be");
    assert_eq!(now(&mut last), None);
    assert_eq!(now(&mut asks[0]), Some(Ok(0)));
    assert_eq!(now(&mut last), None);
    run(&cores, &mut jobs);
    assert_eq!(now(&mut last), Some(Ok(QUESTIONS)));
    for (n, ask) in asks.iter_mut().enumerate().skip(1) {
        assert_eq!(now(ask), Some(Ok(n)));
    }
    // Where none is answered, a question that cannot be asked has its end, too.
    let mut asks: Vec<_> = (0..=QUESTIONS)
        .map(|n| Box::pin(sharded.ask_at(1, n)))
        .collect();
    assert!(asks.iter_mut().all(|ask| now(ask).is_none()));
    clock.set(ASK_TIMEOUT.as_nanos() as u64);
    let mut last = asks.pop().expect("one more than may be");
    let full = CallError::Undelivered(Undelivered::Full);
    assert_eq!(now(&mut last), Some(Err(full)));
}

#[test]
fn an_answer_that_nobody_waits_for_is_dropped() {
    let cores = cores::<2>(&Clock::default());
    let answers = Arc::new(());
    let given = Arc::clone(&answers);
    let (sharded, _there) = (
        cores[0].sharded(|_: u32| async { Arc::new(()) }),
        cores[1].sharded(move |_: u32| std::future::ready(Arc::clone(&given))),
    );
    let mut jobs = jobs(&cores);
    // Before it is answered, and after; so often that none would be left if one was not given back.
    for n in 0..=QUESTIONS {
        let mut ask = Box::pin(sharded.ask_at(1, 0));
        assert!(now(&mut ask).is_none());
        if n % 2 == 0 {
            run(&cores, &mut jobs);
            assert_eq!(Arc::strong_count(&answers), 3);
        }
        drop(ask);
        run(&cores, &mut jobs);
        assert_eq!(Arc::strong_count(&answers), 2);
    }
    let mut ask = pin!(sharded.ask_at(1, 0));
    assert!(now(&mut ask).is_none());
    run(&cores, &mut jobs);
    assert!(now(&mut ask).is_some());
}

#[test]
fn a_panic_is_its_questions_alone() {
    let cores = cores::<2>(&Clock::default());
    let ends = [0, 1].map(|core| {
        cores[core].sharded(move |question: u32| {
            assert_ne!(question, 1, "before it waits");
            async move {
                assert_ne!(question, 2, "meanwhile");
                question
            }
        })
    });
    let mut jobs = jobs(&cores);
    for to in [0, 1] {
        for (question, expected) in [
            (1, Err(CallError::Panicked)),
            (2, Err(CallError::Panicked)),
            (3, Ok(3)),
        ] {
            let mut ask = pin!(ends[0].ask_at(to, question));
            let answer = now(&mut ask).or_else(|| {
                run(&cores, &mut jobs);
                now(&mut ask)
            });
            assert_eq!(answer, Some(expected));
        }
    }
}

#[test]
fn questions_end_with_the_core_that_was_asked() {
    let exchange = Arc::new(Exchange::new(2));
    let cores = cores_of::<2>(&exchange, &Clock::default());
    let ends = echoes(&cores);
    let mut jobs = jobs(&cores);
    let mut answered = pin!(ends[0].ask_at(1, 1));
    assert_eq!(now(&mut answered), None);
    run(&cores, &mut jobs);
    let mut lost = pin!(ends[0].ask_at(1, 2));
    assert_eq!(now(&mut lost), None);
    exchange.leave(1);
    run(&cores[..1], &mut jobs[..1]);
    assert_eq!(now(&mut answered), Some(Ok((1, 1))));
    assert_eq!(now(&mut lost), Some(Err(CallError::Lost)));
    let refused = Err(CallError::Undelivered(Undelivered::Gone));
    assert_eq!(now(ends[0].ask_at(1, 3)), Some(refused));
    // Its own state it still has.
    assert_eq!(now(ends[0].ask_at(0, 4)), Some(Ok((0, 4))));
}

#[test]
fn closed_cores_answer_what_was_asked_before() {
    let cores = cores::<2>(&Clock::default());
    let ends = echoes(&cores);
    let mut jobs = jobs(&cores);
    let mut ask = pin!(ends[0].ask_at(1, 1));
    assert_eq!(now(&mut ask), None);
    cores.iter().for_each(Core::close);
    let refused = Err(CallError::Undelivered(Undelivered::Draining));
    assert_eq!(now(ends[0].ask_at(1, 2)), Some(refused));
    let mut other_ends = pin!(cores[1].finished());
    assert_eq!(now(&mut other_ends), None);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(jobs[1].as_mut().poll(&mut cx).is_ready());
    assert_eq!(now(&mut other_ends), Some(()));
    assert!(jobs[0].as_mut().poll(&mut cx).is_ready());
    assert_eq!(now(&mut ask), Some(Ok((1, 1))));
}

#[test]
fn what_a_peer_is_told() {
    let status = |error: CallError| crate::Error::from(error).status();
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    for (error, expected) in [
        (CallError::Undelivered(Undelivered::Full), unavailable),
        (CallError::Undelivered(Undelivered::Draining), unavailable),
        (CallError::Undelivered(Undelivered::Gone), unavailable),
        (CallError::Lost, unavailable),
        (CallError::TimedOut, StatusCode::GATEWAY_TIMEOUT),
        (CallError::Panicked, StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        assert_eq!(status(error), expected, "{error}");
    }
    // A message needs not be what all threads may look at.
    let unsent = SendError {
        reason: Undelivered::Full,
        message: Cell::new(1),
    };
    assert_eq!(crate::Error::from(unsent).status(), unavailable);
    let missed = BroadcastError {
        missed: vec![(1, Undelivered::Full)],
    };
    assert_eq!(crate::Error::from(missed).status(), unavailable);
}
