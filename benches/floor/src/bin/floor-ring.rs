//! The floor over io_uring: multishot accept and receive, provided buffers, one enter for each turn.
//! Linux 6.1 or newer.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use floor::answer::{Answers, Next, Unanswered};
use floor::buffers::Buffers;
use floor::{OUTPUT_LIMIT, listen_from_args};
use io_uring::squeue::Flags;
use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown};
use slab::Slab;

const SUBMISSIONS: u32 = 4096;
const COMPLETIONS: u32 = 16384;

/// Receive or send, cancel and close: no connection needs more at once.
const ENTRIES_PER_ADVANCE: usize = 3;

fn main() -> io::Result<()> {
    Server::new(listen_from_args()?)?.run()
}

struct Server {
    ring: IoUring,
    buffers: Buffers,
    listener: TcpListener,
    connections: Slab<Connection>,
    answers: Answers,
}

/// A connection stays in the slab until every operation on it has ended, so a late completion
/// never meets another connection, and `sending` stays where the kernel reads it.
struct Connection {
    socket: RawFd,
    unanswered: Unanswered,
    /// Answers that wait for the send in flight to end.
    queued: Vec<u8>,
    /// What the send in flight carries; empty when there is none, untouched while there is one.
    sending: Vec<u8>,
    next: Next,
    receiving: bool,
    close_submitted: bool,
    /// Operations whose last completion has not come.
    in_flight: u32,
}

/// What a completion completes; with the slab key it makes the user data.
#[derive(Clone, Copy)]
enum Operation {
    Accept,
    Receive,
    Send,
    Cancel,
    Close,
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Server> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        let buffers = Buffers::register(&ring)?;
        let (connections, answers) = (Slab::new(), Answers::new());
        Ok(Server {
            ring,
            buffers,
            listener,
            connections,
            answers,
        })
    }

    fn run(mut self) -> io::Result<()> {
        self.accept()?;
        let mut completions = Vec::with_capacity(COMPLETIONS as usize);
        loop {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            completions.extend(self.ring.completion());
            for completion in completions.drain(..) {
                self.complete(&completion)?;
            }
            self.buffers.publish();
        }
    }

    fn complete(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        let (operation, key) = Operation::of(completion.user_data());
        let result = outcome(completion.result());
        let ended = !cqueue::more(completion.flags());
        if let Operation::Accept = operation {
            self.accepted(result)?;
            return if ended { self.accept() } else { Ok(()) };
        }
        let connection = &mut self.connections[key];
        connection.in_flight -= u32::from(ended);
        match operation {
            Operation::Receive => {
                connection.receiving = !ended;
                if let Some(id) = cqueue::buffer_select(completion.flags()) {
                    let received = self.buffers.filled(id, result.unwrap_or(0));
                    connection.received(received, &self.answers);
                    self.buffers.give_back(id);
                }
                // Out of buffers, it only has to be started again.
                if !matches!(result, Ok(1..) | Err(Errno::NOBUFS)) {
                    connection.next = Next::Close;
                }
            }
            Operation::Send => connection.sent(result),
            Operation::Accept | Operation::Cancel | Operation::Close => {}
        }
        self.advance(key)
    }

    fn accept(&mut self) -> io::Result<()> {
        self.reserve(1)?;
        let accept = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd()))
            .build()
            .user_data(Operation::Accept.user_data(0));
        // SAFETY: the entry points at nothing.
        unsafe { self.ring.submission().push(&accept) }.expect("room was reserved");
        Ok(())
    }

    fn accepted(&mut self, result: Result<usize, Errno>) -> io::Result<()> {
        match result {
            Ok(socket) => {
                let key = self.connections.insert(Connection::new(socket as RawFd));
                self.advance(key)
            }
            Err(Errno::CONNABORTED) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Submits what a connection needs now, or forgets it when nothing of it is left.
    fn advance(&mut self, key: usize) -> io::Result<()> {
        self.reserve(ENTRIES_PER_ADVANCE)?;
        let connection = &mut self.connections[key];
        if connection.close_submitted {
            if connection.in_flight == 0 {
                self.connections.remove(key);
            }
            return Ok(());
        }
        let mut submissions = self.ring.submission();
        let mut push = |operation: Operation, entry: squeue::Entry| {
            connection.in_flight += 1;
            let entry = entry.user_data(operation.user_data(key));
            // SAFETY: what an entry points at is `sending`, which stays as it is until the send's
            // completion, and is freed with the connection, when no operation is in flight.
            unsafe { submissions.push(&entry) }.expect("room was reserved");
        };
        let socket = Fd(connection.socket);
        let closes = connection.next == Next::Close;
        if !closes && !connection.receiving {
            connection.receiving = true;
            push(
                Operation::Receive,
                opcode::RecvMulti::new(socket, Buffers::GROUP).build(),
            );
        }
        if !connection.sending.is_empty() {
            // Its completion comes back here.
            return Ok(());
        }
        if !connection.queued.is_empty() {
            std::mem::swap(&mut connection.sending, &mut connection.queued);
            let output = &connection.sending;
            let send = opcode::Send::new(socket, output.as_ptr(), output.len() as u32)
                .flags(RecvFlags::WAITALL.bits() as i32)
                .build();
            push(
                Operation::Send,
                if closes {
                    send.flags(Flags::IO_HARDLINK)
                } else {
                    send
                },
            );
        }
        if closes {
            // A hard link goes on when the entry before it fails: the socket is closed in any case.
            // The receive in flight would keep it open, so it is cancelled first.
            connection.close_submitted = true;
            if connection.receiving {
                let cancel = opcode::AsyncCancel::new(Operation::Receive.user_data(key)).build();
                push(Operation::Cancel, cancel.flags(Flags::IO_HARDLINK));
            }
            push(Operation::Close, opcode::Close::new(socket).build());
        }
        Ok(())
    }

    /// Makes room for `count` entries, so that a chain of linked ones is not torn apart.
    fn reserve(&mut self, count: usize) -> io::Result<()> {
        let submissions = self.ring.submission();
        let room = submissions.capacity() - submissions.len();
        drop(submissions);
        if room < count {
            self.ring.submit()?;
        }
        Ok(())
    }
}

impl Connection {
    fn new(socket: RawFd) -> Connection {
        Connection {
            socket,
            unanswered: Unanswered::default(),
            queued: Vec::new(),
            sending: Vec::new(),
            next: Next::Keep,
            receiving: false,
            close_submitted: false,
            in_flight: 0,
        }
    }

    fn received(&mut self, bytes: &[u8], answers: &Answers) {
        if self.next == Next::Close {
            return;
        }
        self.next = answers.answer(&mut self.unanswered, bytes, &mut self.queued);
        if self.queued.len() > OUTPUT_LIMIT {
            self.give_up();
        }
    }

    fn sent(&mut self, result: Result<usize, Errno>) {
        // With WAITALL the kernel itself goes on after a short send.
        if result != Ok(self.sending.len()) {
            self.next = Next::Close;
            self.queued.clear();
        }
        self.sending.clear();
    }

    /// Makes the send to a peer that does not read fail, so that its connection ends.
    fn give_up(&mut self) {
        self.next = Next::Close;
        self.queued.clear();
        // SAFETY: the socket is open: no close is submitted while requests are still answered.
        let socket = unsafe { BorrowedFd::borrow_raw(self.socket) };
        // It fails only when the peer is gone, and then the send fails as well.
        let _ = rustix::net::shutdown(socket, Shutdown::Both);
    }
}

impl Operation {
    const ALL: [Operation; 5] = [
        Operation::Accept,
        Operation::Receive,
        Operation::Send,
        Operation::Cancel,
        Operation::Close,
    ];

    fn user_data(self, key: usize) -> u64 {
        (key as u64) << 3 | self as u64
    }

    fn of(user_data: u64) -> (Operation, usize) {
        (
            Operation::ALL[(user_data & 7) as usize],
            (user_data >> 3) as usize,
        )
    }
}

/// A completion's result: a count or descriptor, or the negated error number.
fn outcome(result: i32) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::from_raw_os_error(-result))
}
