//! What is seen of a core from outside of it, and so is right while the core is held. It looks at nothing itself.

/// A core at one moment. What the kernel does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// Its connections that wait to be accepted.
    pub accept_queue: Option<AcceptQueue>,
    /// For how long its thread could have run since it began, and no CPU was free for it or allowed to it, in
    /// nanoseconds.
    pub run_delay_ns: Option<u64>,
}

/// The connections of one core that wait to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptQueue {
    /// Those that wait, on all its listening sockets.
    pub waiting: u32,
    /// How many may.
    pub limit: u32,
    /// Both of the socket that has the least room left, for its size.
    fullest: (u32, u32),
}

impl AcceptQueue {
    /// That of a core with listening sockets on each of which so many wait, and may wait.
    pub fn of(sockets: impl IntoIterator<Item = (u32, u32)>) -> AcceptQueue {
        let none = AcceptQueue {
            waiting: 0,
            limit: 0,
            fullest: (0, 0),
        };
        sockets.into_iter().fold(none, |queue, (waiting, limit)| {
            let socket = (waiting, limit);
            AcceptQueue {
                waiting: queue.waiting + waiting,
                limit: queue.limit + limit,
                fullest: match share(socket) > share(queue.fullest) {
                    true => socket,
                    false => queue.fullest,
                },
            }
        })
    }

    /// How full the fullest of the sockets is: 1 where one more connection is dropped, or a little more.
    pub(super) fn ratio(&self) -> f64 {
        share(self.fullest)
    }
}

/// What share of those that may wait does.
fn share((waiting, limit): (u32, u32)) -> f64 {
    f64::from(waiting) / f64::from(limit.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_socket_is_not_hidden_by_an_empty_one() {
        for (sockets, waiting, limit, ratio) in [
            (&[][..], 0, 0, 0.0),
            (&[(0, 4_096)], 0, 4_096, 0.0),
            (&[(1_024, 4_096)], 1_024, 4_096, 0.25),
            (&[(0, 4_096), (4_096, 4_096)], 4_096, 8_192, 1.0),
            (&[(100, 128), (1_000, 4_096)], 1_100, 4_224, 100.0 / 128.0),
            // Linux lets one more wait than it says.
            (&[(129, 128), (0, 128)], 129, 256, 129.0 / 128.0),
        ] {
            let queue = AcceptQueue::of(sockets.iter().copied());
            assert_eq!(
                (queue.waiting, queue.limit),
                (waiting, limit),
                "{sockets:?}"
            );
            assert_eq!(queue.ratio(), ratio, "{sockets:?}");
        }
    }
}
