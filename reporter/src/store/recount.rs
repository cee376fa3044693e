//! Evidence of a period from raw outcomes alone: the other way to the figures that segments
//! give. It reads blocks in order and folds them; it writes nothing and trusts no segment.

use mailward_evidence::Verdict;

use super::bytes::Broken;
use super::codec::{Key, Packed};
use super::error::StoreError;
use super::head::StreamInfo;
use super::raw::Raw;
use super::read::{View, raw_gone};
use super::run::Want;
use super::span::{self, Span};
use crate::segment::Evidence;

impl View<'_> {
    /// Everything that a period is judged by, from raw outcomes.
    pub(super) fn evidence_from_raw(
        &self,
        from_ms: i64,
        to_ms: i64,
        now_ms: i64,
    ) -> Result<Evidence, StoreError> {
        let now = Key::at_ms(now_ms);
        let (from, to) = (Key::at_ms(from_ms).min(now), Key::at_ms(to_ms).min(now));
        self.evidence_with(now_ms, |id, info| {
            let fresh = self.head.fresh(id);
            Recount { raw: self.raw(id), fresh, info }.fold((from, to), now)
        })
    }
}

const fn is_good(outcome: &Packed) -> bool {
    matches!(outcome.verdict, Verdict::Up | Verdict::Degraded)
}

/// The raw outcomes of one stream.
struct Recount<'a> {
    raw: Raw<'a>,
    fresh: &'a [Packed],
    info: &'a StreamInfo,
}

impl Recount<'_> {
    fn each(
        &mut self,
        range: (Key, Key),
        each: &mut dyn FnMut(&Packed) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.raw.merged(self.fresh, range, (Want::Front, false), each)
    }

    /// From the last up or degraded outcome before the period to the first at or after its end.
    fn fold(&mut self, (from, to): (Key, Key), now: Key) -> Result<Vec<Span>, StoreError> {
        let start = match self.last_good(from)? {
            Some(key) => key,
            None if self.info.first_ns.is_some_and(|first| first < self.info.raw_from_ns) => {
                return Err(raw_gone(self.info));
            }
            None => Key::FIRST,
        };
        let mut spans = Vec::new();
        self.each((start, to), &mut |outcome| push(&mut spans, outcome))?;
        let mut lo = to;
        while lo < now {
            // a block at a time, so that no more is read than needed
            let next = self.raw.begins_after(lo.due_ns)?;
            let hi = next.map_or(now, |due_ns| Key { due_ns, attempt: 0 }.min(now));
            let mut ended = false;
            self.each((lo, hi), &mut |outcome| {
                if !ended {
                    ended = is_good(outcome);
                    push(&mut spans, outcome)?;
                }
                Ok(())
            })?;
            if ended {
                break;
            }
            lo = hi;
        }
        Ok(spans)
    }

    /// The last up or degraded outcome before.
    fn last_good(&mut self, before: Key) -> Result<Option<Key>, StoreError> {
        let mut hi = before;
        loop {
            let begins = self.raw.begins_before(hi.due_ns)?;
            let lo = begins.map_or(Key::FIRST, |due_ns| Key { due_ns, attempt: 0 });
            let mut last = None;
            self.each((lo, hi), &mut |outcome| {
                if is_good(outcome) {
                    last = Some(outcome.key);
                }
                Ok(())
            })?;
            if last.is_some() || begins.is_none() {
                return Ok(last);
            }
            hi = lo;
        }
    }
}

fn push(spans: &mut Vec<Span>, outcome: &Packed) -> Result<(), StoreError> {
    let damaged = |broken: Broken| StoreError::Damaged(format!("an outcome: {broken}"));
    span::push_outcome(spans, outcome).map_err(damaged)
}
