//! Which exclusions count (rule 9), stretch by stretch.

use std::collections::BTreeSet;

use super::{Branch, Naive, Slip};
use crate::world::Excluded;

/// What is excluded, as stretches that do not overlap, and what was refused.
#[derive(Debug, Default)]
pub(super) struct Ruled {
    pub(super) out: Vec<(i64, i64)>,
    pub(super) refused: Vec<(usize, &'static str)>,
    used: i64,
}

impl Ruled {
    pub(super) fn holds(&self, at: i64) -> bool {
        self.out.iter().any(|(from, to)| *from <= at && at < *to)
    }
}

impl Naive<'_> {
    pub(super) fn excluded(
        &self,
        (from, to): (i64, i64),
        in_hours: &dyn Fn(i64) -> bool,
        edges: &BTreeSet<i64>,
    ) -> Ruled {
        let mut ruled = Ruled::default();
        let touches = |e: &&Excluded| {
            let so = e.from < to && e.to > from;
            self.saws.if_so(so && !e.ours, Branch::Foreign);
            self.saws.if_so(so && e.cancelled, Branch::Cancelled);
            so && (e.ours || self.slip == Slip::ForeignCounts)
                && (!e.cancelled || self.slip == Slip::CancelledCounts)
        };
        let mut all: Vec<&Excluded> = self.arrivals.exclusions.clone();
        all.sort_by_key(|e| match self.slip {
            Slip::OrderOfIds => (0, e.id),
            _ => (e.from, e.id),
        });
        for e in all.iter().copied().filter(touches) {
            self.saws.if_so(e.from < from || e.to > to, Branch::OverEdge);
            if e.third_party {
                self.third_party(e, (from, to), &mut ruled);
            }
        }
        for e in all.iter().copied().filter(touches).filter(|e| !e.third_party) {
            if let Some(reason) = self.refusal(e) {
                ruled.refused.push((e.id, reason));
            } else {
                self.plan(e, (from, to), in_hours, edges, &mut ruled);
            }
        }
        ruled.refused.sort_by_key(|(id, reason)| (*id, *reason));
        ruled
    }

    fn approved(&self, e: &Excluded) -> Option<i64> {
        let to_come = e.approved.is_some_and(|at| at > self.world.now);
        self.saws.if_so(to_come, Branch::ApprovalToCome);
        let known = e.approved.filter(|_| !to_come || self.slip == Slip::ApprovalToCome);
        known.filter(|_| e.by || self.slip == Slip::ApprovalUnnamed)
    }

    fn third_party(&self, e: &Excluded, (from, to): (i64, i64), ruled: &mut Ruled) {
        if self.approved(e).is_none() {
            self.saws.tick(Branch::RefusedApproval);
            return ruled.refused.push((e.id, "approval"));
        }
        self.saws.tick(Branch::ThirdParty);
        let (start, end) = (e.from.max(from), e.to.min(to));
        let meets = |(a, b): &(i64, i64)| *a < end && *b > start;
        self.saws.if_so(ruled.out.iter().any(meets), Branch::Overlap);
        ruled.out.push((start, end));
    }

    fn refusal(&self, e: &Excluded) -> Option<&'static str> {
        let in_time = |at: i64| at <= e.from || self.slip == Slip::ApprovalLate;
        if !self.approved(e).is_some_and(in_time) {
            self.saws.tick(Branch::RefusedApproval);
            return Some("approval");
        }
        let latest = e.from - self.world.notice_ms.unwrap_or(0);
        self.saws.if_so(e.announced == Some(latest), Branch::NoticeExact);
        let announced = e.announced.is_some_and(|at| match self.slip {
            Slip::NoticeForgotten => true,
            Slip::NoticeAbove => at < latest,
            _ => at <= latest,
        });
        if !announced {
            self.saws.tick(Branch::RefusedNotice);
            return Some("notice");
        }
        None
    }

    /// Takes a window piece by piece, as long as the cap lasts.
    fn plan(
        &self,
        e: &Excluded,
        (from, to): (i64, i64),
        in_hours: &dyn Fn(i64) -> bool,
        edges: &BTreeSet<i64>,
        ruled: &mut Ruled,
    ) {
        let (start, end) = (e.from.max(from), e.to.min(to));
        if self.slip == Slip::CapUnclipped {
            ruled.used += (e.to - e.from) - (end - start);
        }
        let mut cuts: BTreeSet<i64> = edges.range(start..end).copied().collect();
        cuts.extend(
            ruled.out.iter().flat_map(|(a, b)| [*a, *b]).filter(|at| start < *at && *at < end),
        );
        cuts.extend([start, end]);
        let cuts: Vec<i64> = cuts.into_iter().collect();
        let cap = self.world.cap_ms.unwrap_or(i64::MAX / 2);
        let fresh = |at: i64| !ruled.holds(at);
        let wanted: i64 = cuts.windows(2).filter(|w| fresh(w[0])).map(|w| w[1] - w[0]).sum();
        self.saws.if_so(wanted < end - start, Branch::Overlap);
        let all_or_nothing = self.slip == Slip::CapAsWhole && ruled.used + wanted > cap;
        let (mut granted, mut refused) = (false, false);
        for piece in cuts.windows(2) {
            let (a, b) = (piece[0], piece[1]);
            if ruled.holds(a) {
                ruled.used += if self.slip == Slip::CapTwice { b - a } else { 0 };
                continue;
            }
            let counts = self.slip != Slip::CapInHours || in_hours(a);
            let left = if counts { (cap - ruled.used).max(0) } else { b - a };
            let taken = if all_or_nothing { 0 } else { (b - a).min(left) };
            refused |= taken < b - a;
            granted |= taken > 0;
            ruled.used += if counts { taken } else { 0 };
            if taken > 0 {
                ruled.out.push((a, a + taken));
            }
        }
        self.saws.if_so(granted && refused, Branch::SplitCap);
        if refused {
            self.saws.tick(Branch::RefusedCap);
            ruled.refused.push((e.id, "cap"));
        }
    }
}
