//! CPU time per request of the core that serves it: the same answer behind the only route of an app,
//! and behind a route with three parameters among a hundred.
//!
//! Server and client are this process. The client has 64 connections, gives each its requests and
//! then takes all answers; what is compared is the CPU time of the server's thread alone. With
//! `routing --only APP REQUESTS` there are no sockets: app number APP, from 0, answers that many
//! pipelined requests in memory, for a profiler that counts instructions.

use corelane::cores::CoreSelection;
use corelane::testing::Conversation;
use corelane::{App, Request, Server};
use std::error::Error;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{env, fs};

/// That of the program `corelane`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Open connections.
const CONNECTIONS: usize = 64;

/// The path that is asked for, whichever route it has.
const PATH: &str = "/users/12/posts/345/comments/6789";

async fn hello(_req: Request) -> &'static str {
    "Hello, World!"
}

/// What an app is called in the table, and how it is made.
type Named = (&'static str, fn() -> App);

/// The apps, the first of which the others are compared with.
const APPS: [Named; 4] = [
    ("one route", || App::new().get(PATH, hello)),
    (
        "one route with 3 parameters",
        || with_parameters(App::new()),
    ),
    ("100 routes", || hundred().get(PATH, hello)),
    ("100 routes, 3 parameters", || with_parameters(hundred())),
];

fn with_parameters(app: App) -> App {
    app.get("/users/{user}/posts/{post}/comments/{comment}", hello)
}

/// 99 routes as an API has them, many of which begin like the one that is asked for.
fn hundred() -> App {
    (0..33).fold(App::new(), |app, number| {
        let (list, one) = (format!("/users/{{user}}/things{number}"), "{thing}");
        app.get(&list, hello)
            .get(&format!("{list}/{one}"), hello)
            .get(&format!("/pages/page{number}"), hello)
    })
}

/// CPU time in µs per request, with `pipelined` requests in one write.
fn measure(app: fn() -> App, pipelined: usize, seconds: u64) -> Result<f64> {
    let one = CoreSelection::Count(1.try_into()?);
    let server = Server::bind("127.0.0.1:0").cores(one);
    let server = server
        .start(move |_| app())
        .map_err(|error| error.to_string())?;
    let mut client = Client::connect(server.addresses()[0], pipelined)?;
    client.load(Duration::from_millis(300))?;
    let before = shard_ns()?;
    let requests = client.load(Duration::from_secs(seconds))?;
    let spent_ns = shard_ns()? - before;
    drop(client);
    server.stop().map_err(|error| error.to_string())?;
    Ok(spent_ns as f64 / 1e3 / requests as f64)
}

/// How long the server's thread has run, in nanoseconds.
fn shard_ns() -> Result<u64> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim_end() == "shard-0" {
            let schedstat = fs::read_to_string(task.join("schedstat"))?;
            let ran = schedstat.split(' ').next().unwrap_or_default();
            return Ok(ran.parse()?);
        }
    }
    Err("there is no shard".into())
}

/// How many requests are in one write where they are pipelined.
const PIPELINED: usize = 16;

/// Has `app` answer `requests` requests in memory.
fn answer(app: fn() -> App, requests: usize) -> Result<()> {
    let mut peer = Conversation::new(app()).map_err(|error| error.to_string())?;
    let delivery = request().repeat(PIPELINED);
    for _ in 0..requests / PIPELINED {
        peer.deliver(delivery.as_bytes());
        if !peer.take_sent().ends_with(b"\r\n\r\nHello, World!") {
            return Err("the app answers something else".into());
        }
    }
    Ok(())
}

fn request() -> String {
    format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n")
}

struct Client {
    connections: Vec<TcpStream>,
    requests: Vec<u8>,
    /// Room for the answers to one write, which are all alike but for their dates.
    answers: Vec<u8>,
    pipelined: usize,
}

impl Client {
    fn connect(address: SocketAddr, pipelined: usize) -> Result<Client> {
        let request = request();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = TcpStream::connect(address)?;
            connection.set_nodelay(true)?;
            connection.set_read_timeout(Some(Duration::from_secs(10)))?;
            connections.push(connection);
        }
        let mut answer = [0; 1024];
        connections[0].write_all(request.as_bytes())?;
        let length = loop {
            match connections[0].read(&mut answer) {
                // With a timeout a read is not begun again after a pause of the whole machine.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if !answer[..length].ends_with(b"\r\n\r\nHello, World!") {
            return Err("the server answers something else".into());
        }
        Ok(Client {
            connections,
            requests: request.repeat(pipelined).into_bytes(),
            answers: vec![0; length * pipelined],
            pipelined,
        })
    }

    /// Asks for `time`; returns how often.
    fn load(&mut self, time: Duration) -> Result<usize> {
        let end = Instant::now() + time;
        let mut requests = 0;
        while Instant::now() < end {
            for connection in &mut self.connections {
                connection.write_all(&self.requests)?;
            }
            for connection in &mut self.connections {
                connection.read_exact(&mut self.answers)?;
            }
            requests += CONNECTIONS * self.pipelined;
        }
        Ok(requests)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<()> {
    let mut given = env::args().skip(1).peekable();
    if given.next_if_eq("--only").is_some() {
        let mut given = given.map(|argument| argument.parse::<usize>());
        let (app, requests) = (given.next().transpose()?, given.next().transpose()?);
        let app = app.and_then(|number| APPS.get(number));
        let (_, app) = app.ok_or("usage: routing --only APP REQUESTS")?;
        return answer(*app, requests.unwrap_or(100_000));
    }
    let mut given = given.map(|argument| argument.parse::<u64>());
    let rounds = given.next().transpose()?.unwrap_or(9);
    let seconds = given.next().transpose()?.unwrap_or(2);
    for pipelined in [1, PIPELINED] {
        // Alternating, so that what else the machine does meets all of them.
        let mut measured = [const { Vec::new() }; APPS.len()];
        for _ in 0..rounds {
            for ((_, app), measured) in APPS.iter().zip(&mut measured) {
                measured.push(measure(*app, pipelined, seconds)?);
            }
        }
        println!(
            "| {pipelined} at a time | CPU per request | against the first, in the same round |"
        );
        println!("|---|--:|--:|");
        for ((name, _), one) in APPS.iter().zip(&measured) {
            let against = one.iter().zip(&measured[0]).map(|(one, first)| one / first);
            let against = 100.0 * (median(against.collect()) - 1.0);
            println!(
                "| {name} | {:.3} µs | {against:+.1} % |",
                median(one.clone())
            );
        }
        println!();
    }
    Ok(())
}
