//! What is measured: questions and messages from core 0 to core 1.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Result, anyhow};
use corelane::Shard;
use corelane::between::{Lanes, Mailbox, Sharded};
use futures_lite::future::yield_now;
use rustix::time::{ClockId, clock_gettime};

/// How many questions are open at once in the rows for that.
const OPEN: [usize; 2] = [16, 256];

/// How many messages are sent before other tasks have their turn.
const BATCHES: [u32; 4] = [1, 16, 64, 256];

/// What was measured in one way.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Wall time for each.
    pub(crate) wall: Duration,
    /// CPU time of the process for each.
    pub(crate) cpu: Duration,
    /// Of single round trips, where there are any.
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
}

/// A message of the lanes: a number, or the end of a row, to be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Number(u32),
    End,
}

type Ends = (Lanes<Message>, Mailbox<Message>);

/// A handler on each core that answers at once.
pub(crate) fn sharded(shard: &Shard) -> Sharded<u64, u64> {
    let total = RefCell::new(0_u64);
    shard.sharded(move |question: u64| {
        let mut total = total.borrow_mut();
        *total = total.wrapping_add(question);
        std::future::ready(*total)
    })
}

/// The lanes for messages without an answer.
pub(crate) fn lanes(shard: &Shard) -> Ends {
    shard.lanes()
}

/// Takes messages, and sends the end of each row back.
pub(crate) async fn count((lanes, mut mailbox): Ends) {
    while let Some((from, message)) = mailbox.recv_from().await {
        if message == Message::End {
            // A server that ends needs no answer.
            let _ = lanes.send(from, message).await;
        }
    }
}

/// All rows, so often.
pub(crate) async fn measure(
    count: u32,
    rounds: u32,
    sharded: Sharded<u64, u64>,
    (lanes, mut mailbox): Ends,
) -> Result<Vec<Vec<Row>>> {
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let mut rows = vec![ask_one_by_one("question, own core", &sharded, 0, count).await?];
        rows.push(ask_one_by_one("question, other core", &sharded, 1, count).await?);
        for open in OPEN {
            rows.push(ask_at_once(&sharded, open, count).await?);
        }
        for batch in BATCHES {
            rows.push(send(&lanes, &mut mailbox, batch, count).await?);
        }
        measured.push(rows);
    }
    Ok(measured)
}

async fn ask_one_by_one(
    name: &str,
    sharded: &Sharded<u64, u64>,
    core: usize,
    count: u32,
) -> Result<Row> {
    let mut trips = Vec::with_capacity(count as usize);
    let began = Clocks::now();
    let mut last = began.wall;
    for n in 0..count {
        sharded.ask_at(core, n.into()).await?;
        let now = monotonic();
        trips.push(now - last);
        last = now;
    }
    let mut row = began.row(format!("{name}, one at a time"), count);
    trips.sort_unstable();
    row.p50 = Some(trips[trips.len() / 2]);
    row.p99 = Some(trips[trips.len() * 99 / 100]);
    Ok(row)
}

/// Asks with so many questions open.
async fn ask_at_once(sharded: &Sharded<u64, u64>, open: usize, count: u32) -> Result<Row> {
    let each = count / open as u32;
    let began = Clocks::now();
    let asking: Vec<_> = (0..open)
        .map(|_| {
            let sharded = sharded.clone();
            glommio::spawn_local(async move {
                for n in 0..each {
                    sharded.ask_at(1, n.into()).await?;
                }
                Ok::<_, corelane::between::CallError>(())
            })
        })
        .collect();
    for asker in asking {
        asker.await?;
    }
    Ok(began.row(
        format!("question, other core, {open} open"),
        each * open as u32,
    ))
}

/// Sends numbers, so many in a batch, until the other core has taken the last.
async fn send(
    lanes: &Lanes<Message>,
    mailbox: &mut Mailbox<Message>,
    batch: u32,
    count: u32,
) -> Result<Row> {
    let began = Clocks::now();
    for n in 0..count {
        put(lanes, Message::Number(n)).await?;
        if n % batch == batch - 1 {
            yield_now().await;
        }
    }
    put(lanes, Message::End).await?;
    let end = mailbox.recv().await;
    end.filter(|end| *end == Message::End)
        .ok_or_else(|| anyhow!("the end did not come back"))?;
    Ok(began.row(format!("message, other core, {batch} at once"), count))
}

/// Sends a message to the other core.
async fn put(lanes: &Lanes<Message>, message: Message) -> Result<()> {
    let sent = lanes.send(1, message).await;
    sent.map_err(|unsent| unsent.reason.into())
}

/// The clocks at the begin of a row.
struct Clocks {
    wall: Duration,
    cpu: Duration,
}

impl Clocks {
    fn now() -> Self {
        Self {
            wall: monotonic(),
            cpu: read(ClockId::ProcessCPUTime),
        }
    }

    fn row(&self, name: String, count: u32) -> Row {
        let now = Self::now();
        Row {
            name,
            wall: (now.wall - self.wall) / count,
            cpu: (now.cpu - self.cpu) / count,
            p50: None,
            p99: None,
        }
    }
}

fn monotonic() -> Duration {
    read(ClockId::Monotonic)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
