//! Counters of runs by half an hour, stream and day: how many were good, how many down, and how
//! long they took. They cost what time passed, not what was measured, and outlive raw outcomes.

use std::collections::BTreeMap;

use mailward_evidence::Verdict;
use rusqlite::{Connection, OptionalExtension};

use super::bytes::{Broken, Reader, put_bytes, put_uint};
use super::codec::{Key, Packed};
use super::error::StoreError;
use super::head::{Head, StreamInfo};
use super::histogram::Histogram;
use super::raw::{Raw, current};
use super::run::Want;

/// The length of what is counted together: zones, service hours and windows mostly begin there.
pub(super) const PART_MS: i64 = 1_800_000;
/// Parts of a day.
pub(super) const PARTS: i64 = 48;

/// Runs of one kind: those with a duration, and those without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) untimed: u64,
    pub(super) took: Histogram,
}

impl Timed {
    pub(super) fn count(&self) -> u64 {
        self.untimed + self.took.count()
    }

    fn is_empty(&self) -> bool {
        self.untimed == 0 && self.took.is_empty()
    }

    fn change(&mut self, took_ms: Option<f64>, add: bool) {
        match (took_ms, add) {
            (Some(ms), true) => self.took.add(ms),
            (Some(ms), false) => self.took.remove(ms),
            (None, true) => self.untimed += 1,
            (None, false) => self.untimed = self.untimed.saturating_sub(1),
        }
    }
}

/// Which of the counters a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Scheduled, and up or degraded.
    Good,
    /// Scheduled, and down.
    Down,
    /// A re-probe that found it up or degraded.
    Again,
}

const fn kind(outcome: &Packed) -> Option<Kind> {
    match (outcome.verdict, outcome.key.attempt) {
        (Verdict::Up | Verdict::Degraded, 0) => Some(Kind::Good),
        (Verdict::Up | Verdict::Degraded, _) => Some(Kind::Again),
        (Verdict::Down, 0) => Some(Kind::Down),
        _ => None,
    }
}

/// The counters of some time. Runs that could not tell are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts([Timed; 3]);

impl Counts {
    /// Scheduled runs that were up or degraded.
    pub(super) const fn good(&self) -> &Timed {
        &self.0[Kind::Good as usize]
    }

    /// Scheduled runs that were down.
    pub(super) const fn down(&self) -> &Timed {
        &self.0[Kind::Down as usize]
    }

    /// How long all up and degraded runs took, re-probes among them.
    pub(super) fn took(&self) -> Histogram {
        let mut took = self.good().took.clone();
        took.merge(&self.0[Kind::Again as usize].took);
        took
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(Timed::is_empty)
    }

    fn change(&mut self, change: &Change) {
        self.0[change.kind as usize].change(change.took_ms, change.add);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let held = self.0.iter().enumerate().filter(|(_, timed)| !timed.is_empty());
        out.push(held.clone().fold(0, |bits, (i, _)| bits | 1 << i));
        for (_, timed) in held {
            put_uint(out, timed.untimed);
            timed.took.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Broken> {
        let held = reader.byte()?;
        let mut counts = Self::default();
        for (i, timed) in counts.0.iter_mut().enumerate() {
            if held & (1 << i) != 0 {
                timed.untimed = reader.uint()?;
                timed.took = Histogram::decode(reader)?;
            }
        }
        Ok(counts)
    }
}

/// One run that comes into the counters, or goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    kind: Kind,
    took_ms: Option<f64>,
    add: bool,
}

/// Changes to the counters of a stream, by the number of the part since the epoch.
pub(super) type Changes = BTreeMap<i64, Vec<Change>>;

fn collect(changes: &mut Changes, outcome: &Packed, add: bool) {
    if let Some(kind) = kind(outcome) {
        let part = outcome.key.due_ms().div_euclid(PART_MS);
        changes.entry(part).or_default().push(Change { kind, took_ms: outcome.took_ms, add });
    }
}

/// How `fresh` (in order, new to the blocks) changes the counters of its stream.
pub(super) fn changes(
    raw: &mut Raw<'_>,
    info: &StreamInfo,
    fresh: &[Packed],
) -> Result<Changes, StoreError> {
    let mut changes = Changes::new();
    for outcome in current(fresh) {
        if info.last_ns.is_some_and(|last| outcome.key.due_ns <= last)
            && let Some(superseded) = raw.versions(outcome.key)?.last()
        {
            collect(&mut changes, superseded, false);
        }
        collect(&mut changes, outcome, true);
    }
    Ok(changes)
}

/// The counters of one stream on one day of UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Day {
    /// All of the day.
    pub(super) total: Counts,
    /// By the number of the part within the day; none is empty.
    pub(super) parts: BTreeMap<u8, Counts>,
}

impl Day {
    /// Carries changes out that lie on this day.
    pub(super) fn change(&mut self, part: i64, changes: &[Change]) {
        let number = part.rem_euclid(PARTS) as u8;
        let counts = self.parts.entry(number).or_default();
        for change in changes {
            counts.change(change);
            self.total.change(change);
        }
        if counts.is_empty() {
            self.parts.remove(&number);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (mut out, mut total) = (Vec::with_capacity(2048), Vec::with_capacity(256));
        self.total.encode(&mut total);
        put_bytes(&mut out, &total);
        for (number, counts) in &self.parts {
            out.push(*number);
            counts.encode(&mut out);
        }
        out
    }
}

fn damaged(broken: Broken) -> StoreError {
    StoreError::Damaged(format!("counters: {broken}"))
}

/// The counters of one stream and day as they are on disk.
pub(super) struct Stored(Vec<u8>);

impl Stored {
    /// `None` where there are none.
    pub(super) fn read(
        conn: &Connection,
        stream: i64,
        day: i64,
    ) -> Result<Option<Self>, StoreError> {
        let failed = StoreError::sql("read counters");
        let mut select = conn
            .prepare_cached("SELECT counts FROM counted WHERE day = ?1 AND stream = ?2")
            .map_err(&failed)?;
        let bytes = select.query_row((day, stream), |row| row.get(0)).optional();
        Ok(bytes.map_err(&failed)?.map(Self))
    }

    /// The counters of the whole day, without opening its parts.
    pub(super) fn total(&self) -> Result<Counts, StoreError> {
        let total = Reader(&self.0).bytes().map_err(damaged)?;
        Counts::decode(&mut Reader(total)).map_err(damaged)
    }

    /// All of it.
    pub(super) fn open(&self) -> Result<Day, StoreError> {
        let read = || {
            let mut reader = Reader(&self.0);
            let total = Counts::decode(&mut Reader(reader.bytes()?))?;
            let mut parts = BTreeMap::new();
            while !reader.0.is_empty() {
                parts.insert(reader.byte()?, Counts::decode(&mut reader)?);
            }
            Ok(Day { total, parts })
        };
        read().map_err(damaged)
    }
}

/// Carries changes out on disk.
pub(super) fn write(conn: &Connection, stream: i64, changes: &Changes) -> Result<(), StoreError> {
    let failed = StoreError::sql("write counters");
    let mut replace = conn
        .prepare_cached("INSERT OR REPLACE INTO counted (day, stream, counts) VALUES (?1, ?2, ?3)")
        .map_err(&failed)?;
    let mut changes = changes.iter().peekable();
    while let Some((part, first)) = changes.next() {
        let day = part.div_euclid(PARTS);
        let mut counts =
            Stored::read(conn, stream, day)?.map_or(Ok(Day::default()), |s| s.open())?;
        counts.change(*part, first);
        while let Some((part, more)) = changes.next_if(|(part, _)| part.div_euclid(PARTS) == day) {
            counts.change(*part, more);
        }
        replace.execute((day, stream, counts.encode())).map_err(&failed)?;
    }
    Ok(())
}

/// Counts all raw outcomes in blocks: for a store that had no counters. Where they are past
/// their retention there will be none.
pub(super) fn fill(conn: &Connection) -> Result<(), StoreError> {
    let head = Head::load(conn, Want::Front)?;
    for (stream, _) in head.streams() {
        let mut counted = Changes::new();
        let all = (Key::FIRST, Key::END);
        Raw::new(conn, &head.words, stream).merged(&[], all, (Want::Front, false), &mut |o| {
            collect(&mut counted, o, true);
            Ok(())
        })?;
        write(conn, stream, &counted)?;
    }
    Ok(())
}
