//! The store's one narrow face: it speaks evidence and intervals, never SQL. Behind it stands
//! SQLite, with one writer thread that commits many bodies at once. It knows no percentages
//! and no definition of a service.

mod agents;
mod blocks;
mod bytes;
mod changes;
mod codec;
mod columns;
pub(crate) mod copy;
mod counts;
mod editions;
mod error;
mod flush;
mod front;
mod head;
mod histogram;
mod leases;
mod letters;
mod notices;
mod raw;
mod read;
mod recount;
mod refold;
mod retention;
mod run;
mod runs;
mod schema;
mod shape;
mod span;
#[cfg(test)]
mod tests;
mod types;
mod versions;
mod words;
mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use mailward_evidence::{AgentName, Clock, Outcome, ProbeId, Record, wire};
use rusqlite::Connection;

pub use error::StoreError;
pub use histogram::Histogram;
pub use types::{
    Accepted, Addressee, AgentSeen, ChannelCounts, EditionHead, EnrolledAgent, HourHistogram,
    LetterState, LiveStream, NewEdition, NewLetter, RunsOf, Seal, Source, Tally,
};

use crate::segment::{Delivery, Evidence, Run, RunCounts};
use codec::Key;
use read::View;
pub(crate) use read::detail::Wanted;
pub(crate) use read::facts::LastFact;
use run::Want;
use writer::{Answer, Body, Limits, Part, Turn, Work, Writer};

/// The store. Clones share one writer; all methods but `ingest_told` block.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    clock: Arc<dyn Clock>,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
    /// A connection that only watches for commits, what it saw last, and how many changes.
    watch: Mutex<(Connection, i64, u64)>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.inner.data_dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `data_dir`, making or migrating it.
    ///
    /// # Errors
    /// When the directory cannot be written, the file is no store, damaged, from a newer
    /// version, or held by another process.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_with(data_dir, clock, Limits::default())
    }

    fn open_with(
        data_dir: &Path,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let conn = schema::open(data_dir, clock.now().as_millisecond())?;
        let watch = schema::open_reader(data_dir)?;
        let inner = Inner {
            data_dir: data_dir.to_owned(),
            writer: Writer::start(conn, clock.clone(), limits)?,
            clock,
            readers: Mutex::new(Vec::new()),
            watch: Mutex::new((watch, 0, 0)),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether a directory holds a store. Nothing is opened or made.
    #[must_use]
    pub fn is_in(data_dir: &Path) -> bool {
        data_dir.join(schema::FILE).is_file()
    }

    /// The directory it is in.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }

    /// The clock the store reads.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Whether the store can be written now: there is room for a body, and the writer gets the
    /// lock. Changes nothing, so that no cache has to notice.
    ///
    /// # Errors
    /// When it cannot.
    pub fn probe_writable(&self) -> Result<(), StoreError> {
        schema::check_room(&self.inner.data_dir)?;
        self.call(|_| Ok(Accepted::default())).map(drop)
    }

    /// Stores records: all or none of them, durable when this returns.
    ///
    /// # Errors
    /// When the store cannot be written; then nothing of them is kept.
    pub fn ingest(&self, records: Vec<Record>, source: Source) -> Result<Accepted, StoreError> {
        self.work(Work::Body(Body { records, source, skew_ms: None }))
    }

    /// [`Store::ingest`] for callers that must not block, with how far the sender's clock is ahead.
    ///
    /// # Errors
    /// As [`Store::ingest`], and when too much waits to be written already.
    pub(crate) async fn ingest_told(
        &self,
        records: Vec<Record>,
        source: Source,
        skew_ms: Option<i64>,
    ) -> Result<Accepted, StoreError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let work = Work::Body(Body { records, source, skew_ms });
        // a caller that went away needs no answer; what it sent is stored all the same
        self.inner.writer.try_send(work, Box::new(move |result| drop(answer.send(result))))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Stores records that come in parts, all or none of them; the store is locked for writing
    /// from the first part to the last.
    ///
    /// # Errors
    /// Those of `next`, and when the store cannot be written; then nothing is kept.
    pub(crate) fn import<E: From<StoreError>>(
        &self,
        next: &mut dyn FnMut() -> Result<Option<Vec<Record>>, E>,
    ) -> Result<Accepted, E> {
        let (parts, received) = sync_channel(4);
        let (answer, answered) = sync_channel(1);
        let answer: Answer = Box::new(move |result| drop(answer.send(result)));
        self.inner.writer.send(Work::Import(received), answer)?;
        while let Some(records) = next()? {
            if parts.send(Part::Records(records)).is_err() {
                break; // the writer has given up; its answer says why
            }
        }
        drop(parts.send(Part::End));
        Ok(answered.recv().unwrap_or(Err(StoreError::Closed))?)
    }

    fn work(&self, work: Work) -> Result<Accepted, StoreError> {
        let (answer, answered) = sync_channel(1);
        self.inner.writer.send(work, Box::new(move |result| drop(answer.send(result))))?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn call(
        &self,
        call: impl FnOnce(&mut Turn<'_, '_>) -> Result<Accepted, StoreError> + Send + 'static,
    ) -> Result<Accepted, StoreError> {
        self.work(Work::Call(Box::new(call)))
    }

    /// Reads in one snapshot.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let readers = || self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = readers().pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => schema::open_reader(&self.inner.data_dir)?,
        };
        let snapshot = conn.transaction().map_err(StoreError::sql("begin to read"))?;
        let result = work(&snapshot)?;
        snapshot.finish().map_err(StoreError::sql("end reading"))?;
        readers().push(conn);
        Ok(result)
    }

    /// What the period is judged by. Outcomes due, rosters and tickets opened at or after
    /// `now_ms` do not exist, nor do counts that end and approvals given after it.
    ///
    /// # Errors
    /// When the store cannot be read, or `now_ms` lies before what raw outcomes are kept.
    pub fn evidence(&self, from_ms: i64, to_ms: i64, now_ms: i64) -> Result<Evidence, StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.evidence(from_ms, to_ms, now_ms))
    }

    /// The same evidence as [`Store::evidence`] gives, folded anew from raw outcomes and not from
    /// segments: the other way to the same figures. Of the segments at its ends it gives only
    /// what the period needs: from the last up or degraded outcome before it on, and to the
    /// first one at or after its end.
    ///
    /// # Errors
    /// When the store cannot be read, or outcomes that are needed are past their retention.
    pub fn evidence_from_raw(
        &self,
        from_ms: i64,
        to_ms: i64,
        now_ms: i64,
    ) -> Result<Evidence, StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.evidence_from_raw(from_ms, to_ms, now_ms))
    }

    /// Hands over every current outcome with attempt 0 of the probes, due in the range.
    ///
    /// # Errors
    /// When the store cannot be read, or outcomes of the range are past their retention.
    pub fn for_each_run(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
        each: &mut dyn FnMut(&AgentName, &ProbeId, Run),
    ) -> Result<(), StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.runs((from_ms, to_ms), probes, each))
    }

    /// Mails sent by the probes, due in the range, in order of due (rule 11).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn deliveries(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
    ) -> Result<Vec<Delivery>, StoreError> {
        let mails = self.mails(from_ms, to_ms, probes)?;
        Ok(mails.into_iter().map(|(_, _, delivery)| delivery).collect())
    }

    /// [`Store::deliveries`] with who sent them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn mails(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
    ) -> Result<Vec<(AgentName, ProbeId, Delivery)>, StoreError> {
        self.read(|conn| View::new(conn, Want::All)?.mails((from_ms, to_ms), probes))
    }

    /// Hands over every current outcome with attempt 0 due in any of the stretches, which are in
    /// order of agent, probe and due.
    ///
    /// # Errors
    /// When the store cannot be read, or outcomes of a stretch are past their retention.
    pub(crate) fn for_each_run_of(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Wanted, Run),
    ) -> Result<(), StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.runs_of(wanted, each))
    }

    /// Stretches in which runs that a question names may have been late; those between them
    /// were not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn late_runs(&self, of: &RunsOf<'_>) -> Result<Vec<Wanted>, StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.late_runs(of))
    }

    /// How many scheduled runs of the probes of each question were due in the time it names, and
    /// how they went: from counters, and from raw outcomes only where its edges or its limit cut
    /// through what is counted together. Answers stand in the order of the questions, with one
    /// entry for each of their probes.
    ///
    /// # Errors
    /// When the store cannot be read, or needs outcomes that are past their retention.
    pub fn count_runs(&self, asked: &[RunsOf<'_>]) -> Result<Vec<Vec<RunCounts>>, StoreError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|conn| {
            let view = View::new(conn, Want::Front)?;
            asked.iter().map(|of| view.count_runs(of)).collect()
        })
    }

    /// How long up and degraded runs of the probes took, for hours that begin in the range.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn histograms(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
    ) -> Result<Vec<HourHistogram>, StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.histograms((from_ms, to_ms), probes))
    }

    /// What each agent last saw with each probe, in order of agent, then probe; outcomes due at
    /// or after `now_ms` do not exist.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_outcomes(&self, now_ms: i64) -> Result<Vec<LiveStream>, StoreError> {
        self.read(|conn| View::new(conn, Want::Front)?.live(now_ms))
    }

    /// The last value of a fact in what each agent saw with each probe, looked for in outcomes due
    /// after the instant that `looked_ns` gives, or, where it gives none, in the latest ones.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn last_facts(
        &self,
        fact: &str,
        looked_ns: &dyn Fn(&AgentName, &ProbeId) -> Option<i64>,
        now_ms: i64,
    ) -> Result<Vec<LastFact>, StoreError> {
        self.read(|conn| View::new(conn, Want::All)?.last_facts(fact, looked_ns, now_ms))
    }

    /// When each agent last delivered.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn agents_seen(&self) -> Result<Vec<AgentSeen>, StoreError> {
        self.read(read::agents_seen)
    }

    /// How many records came, by agent and kind.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tallies(&self) -> Result<Vec<Tally>, StoreError> {
        self.read(read::tallies)
    }

    /// A number that grows when anything was committed, by this process or another.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn generation(&self) -> Result<u64, StoreError> {
        let mut watch = self.inner.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let version = watch
            .0
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(StoreError::sql("look for commits"))?;
        if watch.1 != version {
            watch.1 = version;
            watch.2 += 1;
        }
        Ok(watch.2)
    }

    /// Hands over the runs due in the range that were not up, with all that was kept of them, by
    /// agent and probe. What is past the retention of raw outcomes is not there any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn for_each_failure(
        &self,
        from_ms: i64,
        to_ms: i64,
        wanted: &dyn Fn(&AgentName, &ProbeId) -> bool,
        each: &mut dyn FnMut(Outcome),
    ) -> Result<(), StoreError> {
        self.read(|conn| View::new(conn, Want::All)?.failures((from_ms, to_ms), wanted, each))
    }

    /// Writes evidence as JSON lines: rosters, exclusions, tickets and counts that touch the
    /// range, then outcomes due in it by agent and probe; every version, oldest first.
    /// Returns how many lines.
    ///
    /// # Errors
    /// When the store cannot be read or `out` not be written.
    pub fn export(
        &self,
        from_ms: Option<i64>,
        to_ms: Option<i64>,
        out: &mut dyn Write,
    ) -> Result<u64, StoreError> {
        let range = (from_ms.unwrap_or(i64::MIN), to_ms.unwrap_or(i64::MAX));
        let (mut lines, mut line) = (0, Vec::with_capacity(1024));
        let mut write = |record: &Record| {
            line.clear();
            wire::encode_line(record, &mut line);
            lines += 1;
            out.write_all(&line).map_err(StoreError::Write)
        };
        self.read(|conn| {
            versions::export(conn, range, &mut write)?;
            let keys = (Key::at_ms(range.0), to_ms.map_or(Key::END, Key::at_ms));
            View::new(conn, Want::All)?
                .outcomes(keys, &mut |outcome| write(&Record::Outcome(outcome)))
        })?;
        out.flush().map_err(StoreError::Write)?;
        Ok(lines)
    }

    /// Deletes raw outcomes that are older than `keep_ms`, both at `now_ms` and beside the last
    /// outcome of their agent and probe; whole blocks of them. Segments, counters and delivery
    /// times stay. Returns how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget_raw(&self, now_ms: i64, keep_ms: i64) -> Result<u64, StoreError> {
        self.call(move |turn| retention::forget(turn, now_ms, keep_ms)).map(|done| done.accepted)
    }

    /// Moves what arrived to where it stays, and small blocks to large ones; happens by itself
    /// when enough has arrived.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        self.call(|turn| turn.settle().map(|()| Accepted::default())).map(drop)
    }
}
