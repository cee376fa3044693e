//! The thread that owns the outbox: it gathers records into one synced write, hands batches to
//! delivery and takes acknowledgements. What is in the batches, and how they travel, is left to
//! others.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use mailward_evidence::{Clock, Record, Stopwatch, wire};
use tokio::sync::{oneshot, watch};

use super::{Batch, Outbox, Stats};
use crate::causes::causes;

/// How long the first record of a write waits for others.
const GATHER: Duration = Duration::from_millis(200);
/// How long a write that failed is left alone before it is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How often the limits are looked at when nothing happens.
const IDLE: Duration = Duration::from_secs(10);
/// The most commands that wait for the thread.
const QUEUE: usize = 64;
/// The most records that wait for the thread to look at them.
const INBOX_RECORDS: usize = 8192;
/// After so many records more, the thread is woken again.
const WAKE_EVERY: usize = 1024;
/// The most bytes and records of one write.
const WRITE_BYTES: usize = 1 << 20;
const WRITE_RECORDS: usize = 4096;
/// The most bytes of records that wait in memory while the disk refuses them.
const PENDING_BYTES: usize = 8 << 20;

/// Records on their way to the thread. It is woken for the first and then finds them all, since
/// waking it for each would cost more than the record.
type Inbox = Arc<Mutex<Vec<Box<[u8]>>>>;

enum Command {
    Arrived,
    Read { max_records: usize, max_bytes: usize, reply: oneshot::Sender<Batch> },
    Acknowledge { through: u64, reply: oneshot::Sender<()> },
    Flush { reply: oneshot::Sender<bool> },
    Close,
}

/// The way to the outbox. Cloned freely; none of its calls blocks.
#[derive(Clone, Debug)]
pub struct OutboxHandle {
    commands: SyncSender<Command>,
    inbox: Inbox,
    written: watch::Receiver<u64>,
    stats: watch::Receiver<Stats>,
    lost: Arc<AtomicU64>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Arrived => "Arrived",
            Self::Read { .. } => "Read",
            Self::Acknowledge { .. } => "Acknowledge",
            Self::Flush { .. } => "Flush",
            Self::Close => "Close",
        })
    }
}

/// The thread is gone: it was closed, or it died.
#[derive(Debug, thiserror::Error)]
#[error("the outbox is closed")]
pub struct Closed;

/// What was kept may not be on disk.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The thread is gone.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The disk refuses; the records wait in memory.
    #[error("the disk does not take what was kept")]
    Refused,
}

impl OutboxHandle {
    /// Takes a record in; it is on disk within about 200 ms, unless the disk refuses. Records
    /// that find neither disk nor memory are counted in [`OutboxHandle::lost`] and logged.
    pub fn keep(&self, record: &Record) {
        let mut line = Vec::with_capacity(512);
        wire::encode_line(record, &mut line);
        line.pop();
        let waiting = {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            if inbox.len() >= INBOX_RECORDS {
                drop(inbox);
                return self.count_lost("the disk does not keep up");
            }
            inbox.push(line.into_boxed_slice());
            inbox.len()
        };
        if waiting % WAKE_EVERY == 1
            && let Err(TrySendError::Disconnected(_)) = self.commands.try_send(Command::Arrived)
        {
            self.count_lost("the outbox is closed");
        }
    }

    fn count_lost(&self, why: &'static str) {
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        if lost.is_power_of_two() {
            tracing::error!(records = lost, why, "records were lost before they could be kept");
        }
    }

    /// Records that could not be kept, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The oldest records that have not left; see [`Outbox::read`].
    ///
    /// # Errors
    /// When the outbox is closed.
    pub async fn read(&self, max_records: usize, max_bytes: usize) -> Result<Batch, Closed> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Read { max_records, max_bytes, reply }).await?;
        answer.await.map_err(|_| Closed)
    }

    /// Records up to `through` have arrived; see [`Outbox::acknowledge`].
    ///
    /// # Errors
    /// When the outbox is closed.
    pub async fn acknowledge(&self, through: u64) -> Result<(), Closed> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Acknowledge { through, reply }).await?;
        answer.await.map_err(|_| Closed)
    }

    /// Writes what was kept so far without waiting for more; it is on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses it, or the outbox is closed.
    pub async fn flush(&self) -> Result<(), Unwritten> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Flush { reply }).await?;
        if answer.await.map_err(|_| Closed)? { Ok(()) } else { Err(Unwritten::Refused) }
    }

    /// Waits until everything that was written has left.
    pub async fn drained(&self) {
        // if the thread ends, nothing more will leave
        let _ = self.stats.clone().wait_for(|stats| stats.records == 0).await;
    }

    async fn send(&self, mut command: Command) -> Result<(), Closed> {
        loop {
            match self.commands.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Closed),
                Err(TrySendError::Full(back)) => {
                    command = back;
                    tokio::time::sleep(GATHER).await;
                }
            }
        }
    }

    /// Changes with every write: there may be something to read.
    #[must_use]
    pub fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// The latest figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        *self.stats.borrow()
    }
}

/// The thread; [`Keeper::close`] writes what it still has.
#[derive(Debug)]
pub struct Keeper {
    commands: SyncSender<Command>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(outbox: Outbox, clock: Arc<dyn Clock>) -> std::io::Result<(Self, OutboxHandle)> {
        let (commands, receiver) = sync_channel(QUEUE);
        let (written_to, written) = watch::channel(0);
        let (stats_to, stats) = watch::channel(outbox.stats());
        let lost = Arc::new(AtomicU64::new(0));
        let inbox = Inbox::default();
        let handle = OutboxHandle {
            commands: commands.clone(),
            inbox: Arc::clone(&inbox),
            written,
            stats,
            lost,
        };
        let mut shelf = Shelf {
            outbox,
            clock,
            inbox,
            pending: VecDeque::new(),
            pending_bytes: 0,
            failing: None,
            written: written_to,
            stats: stats_to,
            lost: Arc::clone(&handle.lost),
        };
        let thread = std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || shelf.serve(&receiver))?;
        Ok((Self { commands, thread }, handle))
    }

    /// Writes what is left and ends the thread.
    pub fn close(self) {
        // a full queue is emptied by the thread; if the thread is gone there is nothing to close
        if self.commands.send(Command::Close).is_ok() && self.thread.join().is_err() {
            tracing::error!("the outbox thread panicked");
        }
    }
}

struct Shelf {
    outbox: Outbox,
    clock: Arc<dyn Clock>,
    inbox: Inbox,
    pending: VecDeque<Box<[u8]>>,
    pending_bytes: usize,
    /// Since when the disk refuses.
    failing: Option<Stopwatch>,
    written: watch::Sender<u64>,
    stats: watch::Sender<Stats>,
    lost: Arc<AtomicU64>,
}

impl Shelf {
    fn serve(&mut self, commands: &Receiver<Command>) {
        let mut gathering: Option<Stopwatch> = None;
        loop {
            let wait = match (&self.failing, &gathering) {
                (Some(_), _) => RETRY,
                (None, Some(since)) => GATHER.saturating_sub(since.elapsed()),
                (None, None) => IDLE,
            };
            let heard = commands.recv_timeout(wait);
            // what is not urgent stays where it lies, or the next record would wake the thread
            let is_urgent = matches!(
                heard,
                Ok(Command::Flush { .. } | Command::Close) | Err(RecvTimeoutError::Disconnected)
            );
            if is_urgent || self.failing.is_some() || self.arrived() >= WAKE_EVERY {
                self.take_in();
            }
            let over = match heard {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {
                    self.outbox.bound(self.now_ms());
                    false
                }
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if self.pending.is_empty() && self.arrived() == 0 {
                gathering = None;
            } else {
                let since = *gathering.get_or_insert_with(Stopwatch::start);
                let full = self.pending_bytes >= WRITE_BYTES || self.pending.len() >= WRITE_RECORDS;
                let due = match &self.failing {
                    Some(failed) => failed.elapsed() >= RETRY,
                    None => full || since.elapsed() >= GATHER,
                };
                if due || over {
                    self.take_in();
                    self.write();
                    gathering = None;
                }
            }
            if over {
                return;
            }
        }
    }

    /// How many records have arrived since they were taken in last.
    fn arrived(&self) -> usize {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes what has arrived since the last look.
    fn take_in(&mut self) {
        let arrived = {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *inbox)
        };
        self.pending_bytes += arrived.iter().map(|line| line.len()).sum::<usize>();
        self.pending.extend(arrived);
        self.shed();
    }

    /// Does what it is told; whether that was to end.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Arrived => {}
            Command::Read { max_records, max_bytes, reply } => {
                let mut batch = self.outbox.read(max_records, max_bytes);
                if batch.records == 0 && batch.through > 0 {
                    // only damage was left there
                    self.acknowledge(batch.through);
                    batch = self.outbox.read(max_records, max_bytes);
                }
                // the reader may have gone, being stopped
                let _ = reply.send(batch);
            }
            Command::Acknowledge { through, reply } => {
                self.acknowledge(through);
                let _ = reply.send(());
            }
            Command::Flush { reply } => {
                self.write();
                let _ = reply.send(self.pending.is_empty());
            }
            Command::Close => return true,
        }
        false
    }

    fn acknowledge(&mut self, through: u64) {
        if let Err(error) = self.outbox.acknowledge(through) {
            tracing::warn!(
                error = %causes(&error),
                "cannot write down what was delivered; after a restart it would be sent again"
            );
        }
        self.stats.send_replace(self.outbox.stats());
    }

    /// Keeps memory bounded while the disk refuses: the oldest records go first.
    fn shed(&mut self) {
        let mut shed = 0;
        while self.pending_bytes > PENDING_BYTES
            && let Some(line) = self.pending.pop_front()
        {
            self.pending_bytes -= line.len();
            shed += 1;
        }
        if shed > 0 {
            let lost = self.lost.fetch_add(shed, Ordering::Relaxed) + shed;
            tracing::error!(records = lost, "records were lost because the disk refuses them");
        }
    }

    fn write(&mut self) {
        while !self.pending.is_empty() {
            let mut bytes = 0;
            let count = self
                .pending
                .iter()
                .take(WRITE_RECORDS)
                .take_while(|line| {
                    bytes += line.len();
                    bytes <= WRITE_BYTES
                })
                .count()
                .max(1);
            let lines = &self.pending.make_contiguous()[..count];
            match self.outbox.append(lines, self.clock.now().as_millisecond()) {
                Ok(()) => {
                    if self.failing.take().is_some() {
                        tracing::info!("the outbox can be written to again");
                    }
                    let written = self.pending.drain(..count).map(|line| line.len()).sum::<usize>();
                    self.pending_bytes -= written;
                    self.written.send_modify(|number| *number += 1);
                }
                Err(super::OutboxError::LineTooLong(length)) => {
                    // appending checks all lines first; only the one that is too long goes
                    tracing::error!(length, "a record is too long for the outbox and is left out");
                    self.pending.retain(|line| line.len() <= super::MAX_LINE_BYTES);
                    self.pending_bytes = self.pending.iter().map(|line| line.len()).sum();
                    self.lost.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    if self.failing.is_none() {
                        tracing::error!(
                            error = %causes(&error),
                            waiting = self.pending.len(),
                            "cannot write to the outbox; trying again every 2 s"
                        );
                    }
                    self.failing = Some(Stopwatch::start());
                    break;
                }
            }
        }
        self.stats.send_replace(self.outbox.stats());
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use mailward_evidence::{AgentName, ManualClock, Roster, SiteName};

    use super::*;
    use crate::outbox::Limits;

    fn record(at_ms: i64) -> Record {
        Record::Roster(Roster {
            agent: AgentName::new("a").unwrap(),
            site: SiteName::unnamed(),
            at: mailward_evidence::Instant::from_ms(at_ms).unwrap(),
            probes: Vec::new(),
            extra: mailward_evidence::Extra::default(),
        })
    }

    #[tokio::test]
    async fn what_is_kept_can_be_read_and_survives_closing() {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { max_bytes: 1 << 20, max_age: Duration::from_secs(3600) };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let outbox = Outbox::open(directory.path(), limits).unwrap();
        let (keeper, handle) = Keeper::start(outbox, Arc::clone(&clock)).unwrap();
        for at in 0..10 {
            handle.keep(&record(at));
        }
        handle.written().changed().await.unwrap();
        let batch = handle.read(4, 1 << 20).await.unwrap();
        assert_eq!(batch.records, 4);
        handle.acknowledge(batch.through).await.unwrap();
        assert_eq!(handle.stats().records, 6);
        handle.keep(&record(10));
        keeper.close();
        assert!(handle.read(1, 1).await.is_err());

        let mut outbox = Outbox::open(directory.path(), limits).unwrap();
        assert_eq!(outbox.read(100, 1 << 20).records, 7);
        assert_eq!(handle.lost(), 0);
    }
}
