//! The floor over epoll: edge-triggered, one receive and one send for each batch of requests.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};

use floor::answer::{Answers, Next, Unanswered};
use floor::{OUTPUT_LIMIT, listen_from_args};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use slab::Slab;

/// The event data of the listener; connections have their slab key.
const LISTENER: u64 = u64::MAX;

/// How many events one wait returns at most.
const EVENTS: usize = 512;

/// The size of the one receive buffer.
const RECEIVE_BYTES: usize = 64 * 1024;

fn main() -> io::Result<()> {
    Server::new(listen_from_args()?)?.run()
}

struct Server {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Slab<Connection>,
    answers: Answers,
    receive_buffer: Vec<u8>,
}

struct Connection {
    socket: OwnedFd,
    unanswered: Unanswered,
    /// Answers that the socket has not taken yet; nearly always empty between events.
    output: Vec<u8>,
    next: Next,
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Server> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        Ok(Server {
            epoll,
            listener,
            connections: Slab::new(),
            answers: Answers::new(),
            receive_buffer: vec![0; RECEIVE_BYTES],
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept_all()?,
                    // One wait reports a descriptor once, so this connection is still there.
                    key => self.serve(key as usize, event.flags),
                }
            }
        }
    }

    fn accept_all(&mut self) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            let socket = match rustix::net::accept_with(&self.listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let entry = self.connections.vacant_entry();
            let data = EventData::new_u64(entry.key() as u64);
            // The peer's half-close is watched for, because a short receive leaves it unread.
            let interest = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, data, interest)?;
            entry.insert(Connection::new(socket));
        }
    }

    /// Does what an event allows, and drops the connection, closing its socket, when it is over.
    fn serve(&mut self, key: usize, flags: EventFlags) {
        let connection = &mut self.connections[key];
        let waited_to_write = !connection.output.is_empty();
        let alive = connection
            .receive_all(&mut self.receive_buffer, &self.answers, flags)
            .and_then(|()| connection.send());
        let waits_to_write = !connection.output.is_empty();
        let over = connection.next == Next::Close && !waits_to_write;
        if alive.is_err() || over || connection.output.len() > OUTPUT_LIMIT {
            self.connections.remove(key);
        } else if waits_to_write && !waited_to_write {
            self.watch_for_room(key);
        }
    }

    /// From the first short send on, a connection also hears when its socket takes more.
    fn watch_for_room(&mut self, key: usize) {
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let data = EventData::new_u64(key as u64);
        let socket = self.connections[key].socket.as_fd();
        if epoll::modify(&self.epoll, socket, data, interest).is_err() {
            self.connections.remove(key);
        }
    }
}

impl Connection {
    fn new(socket: OwnedFd) -> Connection {
        let (unanswered, output) = Default::default();
        Connection {
            socket,
            unanswered,
            output,
            next: Next::Keep,
        }
    }

    /// Receives until the socket is empty and answers what came.
    fn receive_all(
        &mut self,
        buffer: &mut [u8],
        answers: &Answers,
        flags: EventFlags,
    ) -> Result<(), Errno> {
        while self.next == Next::Keep {
            let length = match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => {
                    self.next = Next::Close;
                    return Ok(());
                }
                Ok((length, _)) => length,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            };
            self.next = answers.answer(&mut self.unanswered, &buffer[..length], &mut self.output);
            // epoll(7): a receive shorter than the buffer emptied the socket, but for an end of
            // stream, which the flags tell.
            if length < buffer.len() && !flags.intersects(EventFlags::RDHUP | EventFlags::HUP) {
                return Ok(());
            }
            if self.output.len() > OUTPUT_LIMIT {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends as much as the socket takes.
    fn send(&mut self) -> Result<(), Errno> {
        let mut sent = 0;
        while sent < self.output.len() {
            match rustix::net::send(&self.socket, &self.output[sent..], SendFlags::NOSIGNAL) {
                Ok(length) => sent += length,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error),
            }
        }
        if sent == self.output.len() {
            self.output.clear();
        } else {
            self.output.drain(..sent);
        }
        Ok(())
    }
}
