//! Run-length segments as the store keeps them, and the one rule by which two of them that
//! follow each other are one. Folding outcomes, in whatever pieces, gives the same spans.

use mailward_evidence::{Listing, Reason, Verdict};

use super::bytes::Broken;
use super::codec::{self, Key, Packed};
use crate::segment::Segment;

/// A maximal run of outcomes with equal verdict, reason and listings and no gap by rule 2.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) first: Key,
    pub(super) last: Key,
    pub(super) next_due_ms: u64,
    pub(super) count: u64,
    pub(super) verdict: Verdict,
    pub(super) reason: Option<Reason>,
    pub(super) listings: Vec<Listing>,
}

impl Span {
    fn of(packed: &Packed) -> Result<Self, Broken> {
        Ok(Self {
            first: packed.key,
            last: packed.key,
            next_due_ms: packed.next_due_ms,
            count: 1,
            verdict: packed.verdict,
            reason: packed.reason.clone(),
            listings: codec::listings(packed)?,
        })
    }

    /// Whether an outcome due then comes too late for this span to speak until then (rule 2).
    fn gap_before(&self, due_ms: i64) -> bool {
        let patience = i64::try_from(self.next_due_ms.saturating_mul(3)).unwrap_or(i64::MAX);
        due_ms > self.last.due_ms().saturating_add(patience)
    }

    fn joins(&self, next: &Self) -> bool {
        self.verdict == next.verdict
            && self.reason == next.reason
            && self.listings == next.listings
            && !self.gap_before(next.first.due_ms())
    }

    /// Whether it says that the service answered.
    pub(super) const fn is_good(&self) -> bool {
        matches!(self.verdict, Verdict::Up | Verdict::Degraded)
    }

    /// As the arithmetic wants it.
    pub(super) fn into_segment(self) -> Segment {
        Segment {
            first_ms: self.first.due_ms(),
            last_ms: self.last.due_ms(),
            next_due_ms: i64::try_from(self.next_due_ms).unwrap_or(i64::MAX),
            count: self.count,
            verdict: self.verdict,
            reason: self.reason,
            listings: self.listings,
        }
    }
}

/// Appends a span that follows all of `spans`, joining it to the last where they are one.
pub(super) fn push(spans: &mut Vec<Span>, next: Span) {
    match spans.last_mut() {
        Some(last) if last.joins(&next) => {
            last.last = next.last;
            last.next_due_ms = next.next_due_ms;
            last.count += next.count;
        }
        _ => spans.push(next),
    }
}

/// Appends the outcome that follows all of `spans`.
pub(super) fn push_outcome(spans: &mut Vec<Span>, next: &Packed) -> Result<(), Broken> {
    match spans.last_mut() {
        // the common case, without making a span first
        Some(last)
            if last.verdict == next.verdict
                && last.reason == next.reason
                && last.listings.is_empty()
                && !next.listed
                && !last.gap_before(next.key.due_ms()) =>
        {
            last.last = next.key;
            last.next_due_ms = next.next_due_ms;
            last.count += 1;
        }
        _ => push(spans, Span::of(next)?),
    }
    Ok(())
}
