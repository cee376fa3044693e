//! Answers to the arithmetic and the page: evidence of a period, live state, runs and mails.
//! Every answer is read from one snapshot: what stays, and what arrived since.

pub(crate) mod detail;
pub(crate) mod facts;

use std::collections::{HashMap, HashSet};

use mailward_evidence::{AgentName, Instant, ProbeId, SiteName, Verdict};
use rusqlite::Connection;

use super::codec::{self, Key, Packed};
use super::error::StoreError;
use super::head::{Head, StreamInfo};
use super::raw::{Raw, within};
use super::refold::{Change, Segments};
use super::run::Want;
use super::span::Span;
use super::{AgentSeen, LiveStream, Tally, versions};
use crate::segment::{Delivery, Evidence, Run, Stream};

/// An empty range of identities.
const NOTHING: (Key, Key) = (Key::END, Key::FIRST);

/// A snapshot of the store.
pub(super) struct View<'a> {
    pub(super) conn: &'a Connection,
    pub(super) head: Head,
}

impl<'a> View<'a> {
    /// To be made, and used, inside one read transaction. With [`Want::Front`], for everything
    /// but mails and whole outcomes.
    pub(super) fn new(conn: &'a Connection, want: Want) -> Result<Self, StoreError> {
        Ok(Self { conn, head: Head::load(conn, want)? })
    }

    /// Streams in order of agent, then probe.
    pub(super) fn ordered(&self) -> Vec<(i64, &StreamInfo)> {
        let mut streams: Vec<_> = self.head.streams().collect();
        streams.sort_by(|(_, a), (_, b)| (&a.agent, &a.probe).cmp(&(&b.agent, &b.probe)));
        streams
    }

    pub(super) fn of_probes(&self, probes: &[ProbeId]) -> Vec<(i64, &StreamInfo)> {
        let wanted: HashSet<&ProbeId> = probes.iter().collect();
        let mut streams = self.ordered();
        streams.retain(|(_, info)| wanted.contains(&info.probe));
        streams
    }

    pub(super) fn raw(&self, stream: i64) -> Raw<'_> {
        Raw::new(self.conn, &self.head.words, stream)
    }

    /// Everything that a period is judged by.
    pub(super) fn evidence(
        &self,
        from_ms: i64,
        to_ms: i64,
        now_ms: i64,
    ) -> Result<Evidence, StoreError> {
        self.evidence_with(now_ms, |id, info| {
            let reader = StreamReader::new(self, id, info, now_ms)?;
            reader.between(Key::at_ms(from_ms), Key::at_ms(to_ms))
        })
    }

    /// Evidence with the segments that `spans` gives for each stream.
    pub(super) fn evidence_with(
        &self,
        now_ms: i64,
        spans: impl Fn(i64, &StreamInfo) -> Result<Vec<Span>, StoreError>,
    ) -> Result<Evidence, StoreError> {
        let mut streams = Vec::new();
        for (id, info) in self.ordered() {
            let Some(first_due_ms) = self.first_due_ms(id, info, now_ms) else { continue };
            streams.push(Stream {
                agent: info.agent.clone(),
                probe: info.probe.clone(),
                first_due_ms,
                segments: spans(id, info)?.into_iter().map(Span::into_segment).collect(),
            });
        }
        Ok(Evidence {
            streams,
            rosters: versions::rosters(self.conn, now_ms)?,
            exclusions: versions::exclusions(self.conn, now_ms)?,
            tickets: versions::tickets(self.conn, now_ms)?,
            counts: versions::counts(self.conn, now_ms)?,
        })
    }

    /// Due of the stream's first outcome, if that is before `now`.
    pub(super) fn first_due_ms(&self, id: i64, info: &StreamInfo, now_ms: i64) -> Option<i64> {
        let fresh = self.head.fresh(id).first().map(|e| e.key.due_ns);
        let first_ns = info.first_ns.into_iter().chain(fresh).min()?;
        Some(first_ns.div_euclid(1_000_000)).filter(|first_ms| *first_ms < now_ms)
    }

    /// What each agent last saw with each probe.
    pub(super) fn live(&self, now_ms: i64) -> Result<Vec<LiveStream>, StoreError> {
        let mut sites: HashMap<AgentName, SiteName> = HashMap::new();
        for roster in versions::rosters(self.conn, now_ms)? {
            sites.insert(roster.agent, roster.site);
        }
        let mut live = Vec::new();
        for (id, info) in self.ordered() {
            if self.first_due_ms(id, info, now_ms).is_none() {
                continue;
            }
            if let Some(tail) = StreamReader::new(self, id, info, now_ms)?.tail()? {
                live.push(LiveStream {
                    agent: info.agent.clone(),
                    site: sites.get(&info.agent).cloned().unwrap_or_else(SiteName::unnamed),
                    probe: info.probe.clone(),
                    tail: tail.into_segment(),
                });
            }
        }
        Ok(live)
    }

    /// Scheduled runs of the probes.
    pub(super) fn runs(
        &self,
        (from_ms, to_ms): (i64, i64),
        probes: &[ProbeId],
        each: &mut dyn FnMut(&AgentName, &ProbeId, Run),
    ) -> Result<(), StoreError> {
        let range = (Key::at_ms(from_ms), Key::at_ms(to_ms));
        for (id, info) in self.of_probes(probes) {
            if range.0.due_ns < info.raw_from_ns && info.first_ns < Some(info.raw_from_ns) {
                return Err(raw_gone(info));
            }
            let fresh = self.head.fresh(id);
            self.raw(id).merged(fresh, range, (Want::Front, false), &mut |outcome| {
                if outcome.key.attempt == 0 {
                    let run = Run {
                        due_ms: outcome.key.due_ms(),
                        took_ms: outcome.took_ms,
                        verdict: outcome.verdict,
                    };
                    each(&info.agent, &info.probe, run);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn kept_deliveries(
        &self,
        stream: i64,
        from_ns: i64,
        to_ns: i64,
        out: &mut Vec<Delivery>,
    ) -> Result<(), StoreError> {
        let failed = StoreError::sql("read deliveries");
        let mut select = self
            .conn
            .prepare_cached(
                "SELECT due_ns, delivery_ms FROM delivery \
                 WHERE stream = ?1 AND due_ns >= ?2 AND due_ns < ?3",
            )
            .map_err(&failed)?;
        let mut rows = select.query((stream, from_ns, to_ns)).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            out.push(Delivery {
                due_ms: row.get::<_, i64>(0).map_err(&failed)?.div_euclid(1_000_000),
                delivery_ms: row.get(1).map_err(&failed)?,
            });
        }
        Ok(())
    }

    /// Hands over every version of every outcome due in the range.
    pub(super) fn outcomes(
        &self,
        (from, to): (Key, Key),
        each: &mut dyn FnMut(mailward_evidence::Outcome) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for (id, info) in self.ordered() {
            let fresh = self.head.fresh(id);
            self.raw(id).merged(fresh, (from, to), (Want::All, true), &mut |packed| {
                let outcome = codec::unpack(packed, &info.agent, &info.probe, &self.head.words);
                each(outcome.map_err(|b| StoreError::Damaged(format!("an outcome: {b}")))?)
            })?;
        }
        Ok(())
    }
}

pub(super) fn raw_gone(info: &StreamInfo) -> StoreError {
    StoreError::RawGone {
        agent: info.agent.to_string(),
        probe: info.probe.to_string(),
        before: Instant::from_ns(info.raw_from_ns).to_string(),
    }
}

/// Whether an outcome counts as a mail sent (rule 11), and how long it took; `None` is lost.
pub(super) fn sent(outcome: &Packed) -> Result<Option<Option<i64>>, StoreError> {
    match outcome.verdict {
        Verdict::Unknown => Ok(None),
        Verdict::Down => Ok(Some(None)),
        Verdict::Up | Verdict::Degraded => {
            let delivery_s = codec::delivery_s(outcome)
                .map_err(|b| StoreError::Damaged(format!("an outcome: {b}")))?;
            Ok(delivery_s.map(|s| Some(mailward_evidence::outcome::seconds_to_ms(s))))
        }
    }
}

/// Segments of one stream as they are at an instant: those on disk, changed by what arrived.
struct StreamReader<'a> {
    view: &'a View<'a>,
    id: i64,
    info: &'a StreamInfo,
    fresh: &'a [Packed],
    change: Option<Change>,
    now: Key,
}

impl<'a> StreamReader<'a> {
    fn new(
        view: &'a View<'a>,
        id: i64,
        info: &'a StreamInfo,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let now = Key::at_ms(now_ms);
        let fresh = within(view.head.fresh(id), Key::FIRST, now);
        let segments = Segments { conn: view.conn, stream: id };
        let change = segments.with(&mut view.raw(id), fresh)?;
        Ok(Self { view, id, info, fresh, change, now })
    }

    fn segments(&self) -> Segments<'_> {
        Segments { conn: self.view.conn, stream: self.id }
    }

    fn changed(&self) -> &[Span] {
        self.change.as_ref().map_or(&[], |change| &change.spans)
    }

    /// Where segments on disk begin that the change replaces.
    fn replaced(&self) -> (Key, Key) {
        self.change.as_ref().map_or(NOTHING, |change| (change.from, change.to))
    }

    /// From the last up or degraded segment before `from` to the first at or after `to`.
    fn between(&self, from: Key, to: Key) -> Result<Vec<Span>, StoreError> {
        let from = from.min(self.now);
        let skip = self.replaced();
        let good = || self.changed().iter().filter(|s| s.is_good()).map(|s| s.first);
        let start = self
            .segments()
            .good(from, false, skip)?
            .into_iter()
            .chain(good().filter(|first| *first < from))
            .max();
        let end = self
            .segments()
            .good(to, true, skip)?
            .into_iter()
            .chain(good().filter(|first| *first >= to))
            .min();
        let (lo, hi) = (start.unwrap_or(Key::FIRST), end.unwrap_or(Key::END));
        let mut spans = self.segments().between(lo, hi)?;
        spans.retain(|span| !(skip.0 <= span.first && span.first <= skip.1));
        spans.extend(self.changed().iter().filter(|s| lo <= s.first && s.first <= hi).cloned());
        spans.sort_by_key(|span| span.first);
        spans.retain(|span| span.first < self.now);
        if let Some(last) = spans.pop() {
            spans.extend(self.cut(last)?);
        }
        Ok(spans)
    }

    /// The last segment.
    fn tail(&self) -> Result<Option<Span>, StoreError> {
        let skip = self.replaced();
        let stored = self
            .segments()
            .before(self.now)?
            .filter(|span| !(skip.0 <= span.first && span.first <= skip.1));
        let changed = self.changed().iter().rfind(|span| span.first < self.now).cloned();
        let last = stored.into_iter().chain(changed).max_by_key(|span| span.first);
        last.map_or(Ok(None), |span| self.cut(span))
    }

    /// Of a segment that begins before now, what was due before now.
    fn cut(&self, span: Span) -> Result<Option<Span>, StoreError> {
        if span.last < self.now {
            return Ok(Some(span));
        }
        if self.now.due_ns < self.info.raw_from_ns {
            return Err(raw_gone(self.info));
        }
        // what lies at or after now is on disk alone: no fresh outcome of there was taken
        let mut raw = self.view.raw(self.id);
        let gone = raw.count(self.now, span.last.next())?;
        let stored = raw.before(self.now)?;
        let last = stored
            .iter()
            .chain(self.fresh.last())
            .filter(|outcome| outcome.key >= span.first)
            .max_by_key(|outcome| outcome.order())
            .cloned();
        Ok(last.map(|last| Span {
            last: last.key,
            next_due_ms: last.next_due_ms,
            count: span.count.saturating_sub(gone),
            ..span
        }))
    }
}

/// When each agent last delivered.
pub(super) fn agents_seen(conn: &Connection) -> Result<Vec<AgentSeen>, StoreError> {
    let failed = StoreError::sql("read when agents were seen");
    let mut select = conn
        .prepare_cached("SELECT agent, last_seen_ms, skew_ms FROM seen ORDER BY agent")
        .map_err(&failed)?;
    let mut rows = select.query([]).map_err(&failed)?;
    let mut seen = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let name: String = row.get(0).map_err(&failed)?;
        seen.push(AgentSeen {
            agent: AgentName::new(&name)
                .map_err(|_| StoreError::Damaged("an agent has no proper name".to_owned()))?,
            last_seen_ms: row.get(1).map_err(&failed)?,
            skew_ms: row.get(2).map_err(&failed)?,
        });
    }
    Ok(seen)
}

/// How many records came.
pub(super) fn tallies(conn: &Connection) -> Result<Vec<Tally>, StoreError> {
    let failed = StoreError::sql("read how many records came");
    let mut select = conn
        .prepare_cached(
            "SELECT agent, kind, accepted, duplicates, conflicts FROM tally ORDER BY agent, kind",
        )
        .map_err(&failed)?;
    let mut rows = select.query([]).map_err(&failed)?;
    let mut tallies = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let count = |i| row.get::<_, i64>(i).map(i64::cast_unsigned).map_err(&failed);
        let kind: String = row.get(1).map_err(&failed)?;
        let kinds = ["outcome", "roster", "exclusion", "ticket", "count"];
        let Some(kind) = kinds.into_iter().find(|known| **known == kind) else { continue };
        tallies.push(Tally {
            agent: row.get(0).map_err(&failed)?,
            kind,
            counted: super::Accepted {
                accepted: count(2)?,
                duplicates: count(3)?,
                conflicts: count(4)?,
            },
        });
    }
    Ok(tallies)
}
