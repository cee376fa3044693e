//! What arrived and is not yet in blocks: outcomes of acknowledged bodies, durable as they
//! came, in order by stream. Decides what is new, a duplicate or a conflict.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mailward_evidence::{AgentName, Instant, Outcome, ProbeId};
use rusqlite::Connection;

use super::Accepted;
use super::bytes::{Broken, Reader, put_bytes, put_uint};
use super::changes;
use super::codec::{self, Key, Packed};
use super::error::StoreError;
use super::raw::Raw;
use super::refold::Segments;
use super::run::{self, Want};
use super::words::Words;

/// A stream: one agent looking with one probe.
#[derive(Clone, Debug)]
pub(super) struct StreamInfo {
    pub(super) agent: AgentName,
    pub(super) probe: ProbeId,
    /// Due of the very first outcome that is or was in blocks.
    pub(super) first_ns: Option<i64>,
    /// Due of the last outcome in blocks.
    pub(super) last_ns: Option<i64>,
    /// Raw outcomes due before this are past their retention.
    pub(super) raw_from_ns: i64,
}

/// What the writer knows by heart, and readers load: streams, words, and what arrived.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) words: Words,
    streams: Vec<StreamInfo>,
    index: HashMap<AgentName, HashMap<ProbeId, usize>>,
    /// By stream, in order.
    pub(super) fresh: BTreeMap<i64, Vec<Packed>>,
    pub(super) outcomes: usize,
    /// Bytes of what they carry beside their verdicts and times.
    pub(super) rest_bytes: usize,
}

impl Head {
    /// Reads all of it; of what arrived, as much as is wanted.
    pub(super) fn load(conn: &Connection, want: Want) -> Result<Self, StoreError> {
        let mut head = Self { words: Words::load(conn)?, ..Self::default() };
        head.load_streams(conn)?;
        let failed = StoreError::sql("read what arrived");
        let mut rows =
            conn.prepare_cached("SELECT run FROM arrival ORDER BY id").map_err(&failed)?;
        let mut rows = rows.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let run = row.get_ref(0).and_then(|v| Ok(v.as_blob()?)).map_err(&failed)?;
            head.read_arrival(run, want)
                .map_err(|broken| StoreError::Damaged(format!("arrived outcomes: {broken}")))?;
        }
        for entries in head.fresh.values_mut() {
            in_order(entries);
        }
        Ok(head)
    }

    fn load_streams(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let failed = StoreError::sql("read the streams");
        let mut rows = conn
            .prepare_cached(
                "SELECT id, agent, probe, first_due_ns, last_due_ns, raw_from_ns FROM stream \
                 ORDER BY id",
            )
            .map_err(&failed)?;
        let mut rows = rows.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let id: i64 = row.get(0).map_err(&failed)?;
            let name = |i| row.get::<_, String>(i).map_err(&failed);
            let bad = |_| StoreError::Damaged(format!("stream {id} has no proper name"));
            let info = StreamInfo {
                agent: AgentName::new(&name(1)?).map_err(bad)?,
                probe: ProbeId::new(&name(2)?).map_err(bad)?,
                first_ns: row.get(3).map_err(&failed)?,
                last_ns: row.get(4).map_err(&failed)?,
                raw_from_ns: row.get(5).map_err(&failed)?,
            };
            if self.add_stream(info) != id {
                return Err(StoreError::Damaged(format!("stream {id} stands out of order")));
            }
        }
        Ok(())
    }

    fn add_stream(&mut self, info: StreamInfo) -> i64 {
        let of_agent = self.index.entry(info.agent.clone()).or_default();
        of_agent.insert(info.probe.clone(), self.streams.len());
        self.streams.push(info);
        self.streams.len() as i64
    }

    /// All streams with their numbers.
    pub(super) fn streams(&self) -> impl Iterator<Item = (i64, &StreamInfo)> {
        self.streams.iter().enumerate().map(|(i, info)| (i as i64 + 1, info))
    }

    pub(super) fn stream(&self, id: i64) -> Result<&StreamInfo, StoreError> {
        usize::try_from(id - 1)
            .ok()
            .and_then(|i| self.streams.get(i))
            .ok_or_else(|| StoreError::Damaged(format!("stream {id} is named and not there")))
    }

    pub(super) fn stream_mut(&mut self, id: i64) -> Option<&mut StreamInfo> {
        usize::try_from(id - 1).ok().and_then(|i| self.streams.get_mut(i))
    }

    /// What arrived for a stream, in order.
    pub(super) fn fresh(&self, stream: i64) -> &[Packed] {
        self.fresh.get(&stream).map_or(&[], Vec::as_slice)
    }

    fn stream_of(
        &mut self,
        conn: &Connection,
        agent: &AgentName,
        probe: &ProbeId,
    ) -> Result<i64, StoreError> {
        if let Some(index) = self.index.get(agent).and_then(|probes| probes.get(probe)) {
            return Ok(*index as i64 + 1);
        }
        let id = self.add_stream(StreamInfo {
            agent: agent.clone(),
            probe: probe.clone(),
            first_ns: None,
            last_ns: None,
            raw_from_ns: i64::MIN,
        });
        let failed = StoreError::sql("write a stream");
        let mut insert = conn
            .prepare_cached("INSERT INTO stream (id, agent, probe) VALUES (?1, ?2, ?3)")
            .map_err(&failed)?;
        insert.execute((id, agent.as_str(), probe.as_str())).map_err(&failed)?;
        Ok(id)
    }

    fn read_arrival(&mut self, run: &[u8], want: Want) -> Result<(), Broken> {
        let mut reader = Reader(run);
        while !reader.0.is_empty() {
            let stream = i64::try_from(reader.uint()?).map_err(|_| Broken("a stream"))?;
            let entries = self.fresh.entry(stream).or_default();
            let before = entries.len();
            run::decode(reader.bytes()?, &self.words, want, entries)?;
            self.outcomes += entries.len() - before;
            self.rest_bytes += rest_bytes(&entries[before..]);
        }
        Ok(())
    }

    /// Takes in the outcomes of one body. What is new is written as an arrival, and the days it
    /// was due on are told; where this fails, the head no longer matches the database and is to
    /// be loaded anew.
    pub(super) fn take(
        &mut self,
        conn: &Connection,
        outcomes: &[Outcome],
        touched: &mut BTreeSet<i64>,
    ) -> Result<Accepted, StoreError> {
        let mut by_stream: BTreeMap<i64, Vec<Packed>> = BTreeMap::new();
        for outcome in outcomes {
            let stream = self.stream_of(conn, &outcome.agent, &outcome.probe)?;
            by_stream.entry(stream).or_default().push(codec::pack(outcome, &mut self.words));
        }
        self.words.save(conn)?;
        let mut counted = Accepted::default();
        let mut arrival = Vec::with_capacity(outcomes.len() * 64);
        let mut arrived = 0;
        for (stream, mut entries) in by_stream {
            // by identity alone and stable: of two that contradict, the first still comes first
            if !entries.is_sorted_by_key(|e| e.key) {
                entries.sort_by_key(|e| e.key);
            }
            let new = self.sift(conn, stream, entries, &mut counted)?;
            if new.is_empty() {
                continue;
            }
            put_uint(&mut arrival, stream.cast_unsigned());
            put_bytes(&mut arrival, &run::encode(&new, &self.words, None));
            arrived += new.len();
            self.rest_bytes += rest_bytes(&new);
            touched.extend(new.iter().map(|e| changes::day_of(e.key.due_ms())));
            let fresh = self.fresh.entry(stream).or_default();
            fresh.extend(new);
            in_order(fresh);
        }
        self.outcomes += arrived;
        if arrived > 0 {
            let failed = StoreError::sql("write what arrived");
            let mut insert = conn
                .prepare_cached("INSERT INTO arrival (outcomes, run) VALUES (?1, ?2)")
                .map_err(&failed)?;
            insert.execute((arrived as i64, arrival)).map_err(&failed)?;
        }
        Ok(counted)
    }

    /// Of a stream's outcomes (in order of identity, then arrival), those to keep.
    fn sift(
        &self,
        conn: &Connection,
        stream: i64,
        entries: Vec<Packed>,
        counted: &mut Accepted,
    ) -> Result<Vec<Packed>, StoreError> {
        let info = self.stream(stream)?;
        let fresh = self.fresh(stream);
        let mut raw = Raw::new(conn, &self.words, stream);
        let mut new: Vec<Packed> = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.key.due_ns < info.raw_from_ns {
                self.judge_late(conn, stream, info, &entry, counted)?;
                continue;
            }
            let mut highest = None;
            let mut equal = false;
            let mut see = |known: &Packed| {
                highest = highest.max(Some(known.revision));
                equal = equal || same(known, &entry, info, &self.words);
            };
            new.iter().rev().take_while(|e| e.key == entry.key).for_each(&mut see);
            if fresh.last().is_some_and(|last| entry.key <= last.key) {
                let from = fresh.partition_point(|e| e.key < entry.key);
                fresh[from..].iter().take_while(|e| e.key == entry.key).for_each(&mut see);
            }
            if info.last_ns.is_some_and(|last| entry.key.due_ns <= last) {
                raw.versions(entry.key)?.iter().for_each(&mut see);
            }
            if equal {
                counted.duplicates += 1;
            } else if highest.is_none_or(|revision| entry.revision > revision) {
                counted.accepted += 1;
                new.push(entry);
            } else {
                counted.conflicts += 1;
                warn_conflict(info, &entry, "it differs from what is stored; the first stays");
            }
        }
        new.sort_by_key(Packed::order);
        Ok(new)
    }

    /// An outcome whose raw neighbours are past their retention cannot be compared with them:
    /// it is a duplicate if the segments say the same of its time, and a conflict if not.
    fn judge_late(
        &self,
        conn: &Connection,
        stream: i64,
        info: &StreamInfo,
        entry: &Packed,
        counted: &mut Accepted,
    ) -> Result<(), StoreError> {
        let around = Segments { conn, stream }.before(entry.key.next())?;
        if around.is_some_and(|s| {
            entry.key <= s.last && s.verdict == entry.verdict && s.reason == entry.reason
        }) {
            counted.duplicates += 1;
        } else {
            counted.conflicts += 1;
            warn_conflict(info, entry, "the outcomes of its time are past their retention");
        }
        Ok(())
    }
}

fn rest_bytes(entries: &[Packed]) -> usize {
    entries.iter().map(|entry| entry.rest.len()).sum()
}

fn in_order(entries: &mut [Packed]) {
    if !entries.is_sorted_by_key(Packed::order) {
        entries.sort_by_key(Packed::order);
    }
}

/// Whether two versions of an outcome are the same record.
fn same(a: &Packed, b: &Packed, info: &StreamInfo, words: &Words) -> bool {
    if a == b {
        return true;
    }
    let whole = |packed| codec::unpack(packed, &info.agent, &info.probe, words);
    a.order() == b.order() && matches!((whole(a), whole(b)), (Ok(a), Ok(b)) if a == b)
}

fn warn_conflict(info: &StreamInfo, entry: &Packed, why: &str) {
    let Key { due_ns, attempt } = entry.key;
    tracing::warn!(
        agent = %info.agent,
        probe = %info.probe,
        due = %Instant::from_ns(due_ns),
        attempt,
        revision = entry.revision,
        "conflicting outcome not taken: {why}"
    );
}
