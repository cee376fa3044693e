//! The one thread that writes. It takes all work that waits, does each piece under a savepoint
//! of its own, commits once (one fsync), and only then answers them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use mailward_evidence::{Clock, Outcome, Record};
use rusqlite::Connection;

use super::blocks::{Blocks, Sizes};
use super::error::StoreError;
use super::flush::flush;
use super::head::Head;
use super::run::Want;
use super::{Accepted, Source, changes, versions};

/// Pieces of work that may wait; beyond, callers are told to come back.
const QUEUE: usize = 256;
/// Records of one commit; more wait for the next.
const BATCH_RECORDS: usize = 200_000;

/// Sizes that tests make small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Outcomes in a block.
    pub(super) block: Sizes,
    /// Outcomes that may have arrived before they are moved to blocks.
    pub(super) head: usize,
    /// The same, for each stream that they belong to.
    pub(super) head_per_stream: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { block: Sizes { small: 512, large: 4096 }, head: 40_000, head_per_stream: 32 }
    }
}

/// The longest the head gets, however many streams there are: readers go through all of it.
const MAX_HEAD: usize = 400_000;
/// The most bytes that they carry: what failed checks met can be kilobytes each.
const MAX_HEAD_BYTES: usize = 32 << 20;

/// A body of records and where it came from.
pub(super) struct Body {
    pub(super) records: Vec<Record>,
    pub(super) source: Source,
    pub(super) skew_ms: Option<i64>,
}

/// A part of an import that is atomic as a whole.
pub(super) enum Part {
    Records(Vec<Record>),
    End,
}

type Call = Box<dyn FnOnce(&mut Turn<'_, '_>) -> Result<Accepted, StoreError> + Send>;

pub(super) enum Work {
    Body(Body),
    Call(Call),
    /// Parts until `End`; where they stop before it, nothing of them is kept.
    Import(Receiver<Part>),
}

pub(super) type Answer = Box<dyn FnOnce(Result<Accepted, StoreError>) + Send>;

/// The writing side: send work, get an answer once it is durable.
pub(super) struct Writer {
    queue: Option<SyncSender<(Work, Answer)>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let head = Head::load(&conn, Want::All)?;
        let (queue, work) = sync_channel(QUEUE);
        let mut desk =
            Desk { seen_version: None, head: Some(head), compressor: compressor(), limits };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || desk.serve(&conn, &*clock, &work))
            .map_err(|_| StoreError::Closed)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands work over, waiting for room.
    pub(super) fn send(&self, work: Work, answer: Answer) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send((work, answer)).map_err(|_| StoreError::Closed)
    }

    /// Hands work over if there is room.
    pub(super) fn try_send(&self, work: Work, answer: Answer) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.try_send((work, answer)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // a writer that panicked has answered nobody; there is nothing left to tell here
            let _ = thread.join();
        }
    }
}

fn compressor() -> Option<zstd::bulk::Compressor<'static>> {
    let mut compressor = zstd::bulk::Compressor::new(1).ok()?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).ok()?;
    Some(compressor)
}

struct Desk {
    /// What SQLite's `data_version` was when the head was last known to be right.
    seen_version: Option<i64>,
    /// `None` after a failure: to be loaded anew.
    head: Option<Head>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    limits: Limits,
}

/// What a piece of work may use: the transaction it runs in, and the head.
pub(super) struct Turn<'a, 'z> {
    pub(super) conn: &'a Connection,
    pub(super) head: &'a mut Head,
    pub(super) now_ms: i64,
    compressor: Option<&'a mut zstd::bulk::Compressor<'z>>,
    limits: Limits,
}

impl Turn<'_, '_> {
    /// Takes a body in.
    pub(super) fn take(&mut self, body: Body) -> Result<Accepted, StoreError> {
        let agent = match &body.source {
            Source::Agent(name) => name.as_str(),
            Source::Import => "",
        };
        let mut tallies: BTreeMap<&'static str, Accepted> = BTreeMap::new();
        let mut touched = BTreeSet::new();
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(body.records.len());
        for record in body.records {
            if let Record::Outcome(outcome) = record {
                outcomes.push(outcome);
                continue;
            }
            let tally = tallies.entry(record.kind()).or_default();
            if let Some(from_ms) = versions::put(self.conn, record, self.now_ms)? {
                tally.accepted += 1;
                touched.insert(changes::day_of(from_ms));
            } else {
                tally.duplicates += 1;
            }
        }
        if !outcomes.is_empty() {
            tallies.insert("outcome", self.head.take(self.conn, &outcomes, &mut touched)?);
        }
        changes::note(self.conn, &touched)?;
        let mut total = Accepted::default();
        for (kind, counted) in tallies {
            total.add(counted);
            self.tally(agent, kind, counted)?;
        }
        if let Source::Agent(_) = body.source {
            self.seen(agent, body.skew_ms)?;
        }
        Ok(total)
    }

    fn tally(&self, agent: &str, kind: &str, counted: Accepted) -> Result<(), StoreError> {
        let failed = StoreError::sql("count records");
        let mut upsert = self
            .conn
            .prepare_cached(
                "INSERT INTO tally (agent, kind, accepted, duplicates, conflicts) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
                 accepted = accepted + ?3, duplicates = duplicates + ?4, \
                 conflicts = conflicts + ?5",
            )
            .map_err(&failed)?;
        let Accepted { accepted, duplicates, conflicts } = counted;
        let counts = [accepted, duplicates, conflicts].map(u64::cast_signed);
        upsert.execute((agent, kind, counts[0], counts[1], counts[2])).map(drop).map_err(&failed)
    }

    fn seen(&self, agent: &str, skew_ms: Option<i64>) -> Result<(), StoreError> {
        let failed = StoreError::sql("note that an agent was seen");
        let mut upsert = self
            .conn
            .prepare_cached(
                "INSERT INTO seen (agent, last_seen_ms, skew_ms) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET last_seen_ms = ?2, skew_ms = coalesce(?3, skew_ms)",
            )
            .map_err(&failed)?;
        upsert.execute((agent, self.now_ms, skew_ms)).map(drop).map_err(&failed)
    }

    /// Moves all that arrived to where it stays.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        flush(self.conn, self.head, self.compressor.as_deref_mut(), self.limits.block)
    }

    /// Moves all that arrived, and joins small blocks.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        let streams: Vec<i64> = self.head.streams().map(|(stream, _)| stream).collect();
        let mut blocks = Blocks {
            conn: self.conn,
            words: &self.head.words,
            compressor: self.compressor.as_deref_mut(),
            sizes: self.limits.block,
        };
        streams.into_iter().try_for_each(|stream| blocks.compact(stream))
    }

    fn is_full(&self) -> bool {
        let wanted = self.head.fresh.len() * self.limits.head_per_stream;
        let most = wanted.clamp(self.limits.head, MAX_HEAD.max(self.limits.head));
        self.head.outcomes >= most || self.head.rest_bytes >= MAX_HEAD_BYTES
    }
}

impl Desk {
    fn serve(&mut self, conn: &Connection, clock: &dyn Clock, queue: &Receiver<(Work, Answer)>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            let mut records = 0;
            while records < BATCH_RECORDS {
                let Ok(next) = queue.try_recv() else { break };
                if let Work::Body(body) = &next.0 {
                    records += body.records.len();
                }
                batch.push(next);
            }
            self.commit(conn, clock.now().as_millisecond(), batch);
            self.flush_if_full(conn, clock.now().as_millisecond());
        }
    }

    /// One transaction for the whole batch; every answer comes after its commit.
    fn commit(&mut self, conn: &Connection, now_ms: i64, batch: Vec<(Work, Answer)>) {
        let mut answers = Vec::with_capacity(batch.len());
        let mut batch = batch.into_iter();
        let done = self.in_transaction(conn, |desk| {
            for (work, answer) in batch.by_ref() {
                let result = desk.under_savepoint(conn, now_ms, work);
                match result {
                    // a full disk may undo the whole transaction: then nothing of the batch holds
                    Err(error) if conn.is_autocommit() => {
                        answers.push((answer, Err(error.again())));
                        return Err(error);
                    }
                    result => answers.push((answer, result)),
                }
            }
            Ok(())
        });
        match done {
            Ok(()) => answers.into_iter().for_each(|(answer, result)| answer(result)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "commit failed");
                let waiting = answers.into_iter().map(|(answer, _)| answer);
                waiting.chain(batch.map(|(_, answer)| answer)).for_each(|a| a(Err(error.again())));
            }
        }
    }

    fn flush_if_full(&mut self, conn: &Connection, now_ms: i64) {
        let full = match self.head.as_mut() {
            Some(head) => {
                Self::turn(conn, head, now_ms, &mut self.compressor, self.limits).is_full()
            }
            None => false,
        };
        if !full {
            return;
        }
        let done = self.in_transaction(conn, |desk| {
            let head = desk.head.as_mut().ok_or(StoreError::Closed)?;
            Self::turn(conn, head, now_ms, &mut desk.compressor, desk.limits).flush()
        });
        if let Err(error) = done {
            // what arrived stays where it is, durable, and the next body tries again
            tracing::error!(error = &error as &dyn std::error::Error, "moving outcomes failed");
            self.head = None;
        }
    }

    fn turn<'a>(
        conn: &'a Connection,
        head: &'a mut Head,
        now_ms: i64,
        compressor: &'a mut Option<zstd::bulk::Compressor<'static>>,
        limits: Limits,
    ) -> Turn<'a, 'static> {
        Turn { conn, head, now_ms, compressor: compressor.as_mut(), limits }
    }

    fn in_transaction(
        &mut self,
        conn: &Connection,
        work: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        conn.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::sql("begin to write"))?;
        let done = self
            .refresh(conn)
            .and_then(|()| work(self))
            .and_then(|()| conn.execute_batch("COMMIT").map_err(StoreError::sql("commit")));
        if done.is_err() {
            self.head = None;
            if !conn.is_autocommit()
                && let Err(error) = conn.execute_batch("ROLLBACK")
            {
                tracing::error!(error = &error as &dyn std::error::Error, "rollback failed");
            }
        }
        done
    }

    /// Loads the head anew where another process has written, or work has failed half-way.
    fn refresh(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let version = conn
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(StoreError::sql("look for writes of others"))?;
        if self.head.is_none() || self.seen_version != Some(version) {
            self.head = Some(Head::load(conn, Want::All)?);
            self.seen_version = Some(version);
        }
        Ok(())
    }

    fn under_savepoint(
        &mut self,
        conn: &Connection,
        now_ms: i64,
        work: Work,
    ) -> Result<Accepted, StoreError> {
        let failed = StoreError::sql("set a savepoint");
        if self.head.is_none() {
            self.head = Some(Head::load(conn, Want::All)?);
        }
        let head = self.head.as_mut().ok_or(StoreError::Closed)?;
        conn.execute_batch("SAVEPOINT work").map_err(&failed)?;
        let mut turn = Self::turn(conn, head, now_ms, &mut self.compressor, self.limits);
        let done = match work {
            Work::Body(body) => turn.take(body),
            Work::Call(call) => call(&mut turn),
            Work::Import(parts) => import(&mut turn, &parts),
        };
        if done.is_err() {
            self.head = None;
            if conn.is_autocommit() {
                return done;
            }
            conn.execute_batch("ROLLBACK TO work").map_err(&failed)?;
        }
        conn.execute_batch("RELEASE work").map_err(&failed)?;
        done
    }
}

fn import(turn: &mut Turn<'_, '_>, parts: &Receiver<Part>) -> Result<Accepted, StoreError> {
    let mut total = Accepted::default();
    loop {
        match parts.recv() {
            Ok(Part::Records(records)) => {
                let body = Body { records, source: Source::Import, skew_ms: None };
                total.add(turn.take(body)?);
                if turn.is_full() {
                    turn.flush()?;
                }
            }
            Ok(Part::End) => {
                turn.settle()?;
                return Ok(total);
            }
            Err(_) => return Err(StoreError::Abandoned),
        }
    }
}
