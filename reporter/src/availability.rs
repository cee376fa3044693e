//! From states to a figure: service time, what is excluded, down and unknown of it, and the
//! share that is left (rules 6, 7 and 10). Integers in, integers out. How several components
//! make one figure is `whole`'s.

pub mod exact;
pub mod whole;

use mailward_catalogue::{Credit, Percent, UnknownPolicy};

use crate::availability::exact::Ratio;
use crate::interval::{Set, Span};
use crate::timeline::ComponentTimeline;

/// Time as a level counts it: every millisecond of a period in the first set that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// In service hours: S.
    pub service: Set,
    /// Of it excluded: X.
    pub excluded: Set,
    /// Of the rest down: D.
    pub down: Set,
    /// Of the rest unknown: U.
    pub unknown: Set,
    /// Of what is up, degraded.
    pub degraded: Set,
    /// D in the shortest reading.
    pub shortest: Set,
    /// D in the longest reading.
    pub longest: Set,
    /// What may have been down: D in the longest reading, and all that is unknown.
    pub doubtful: Set,
}

impl Account {
    /// Counts a component's time. `service` are the level's service hours in the period.
    #[must_use]
    pub fn new(timeline: &ComponentTimeline, service: Set, excluded: &Set) -> Self {
        let excluded = service.intersect(excluded);
        let counted = service.subtract(&excluded);
        let bounds = &timeline.bounds;
        let longest = counted.intersect(&bounds.longest_down);
        let unknown = counted.intersect(&timeline.unknown());
        let doubtful = longest.union(&unknown).union(&counted.intersect(&bounds.longest_unknown));
        Self {
            down: counted.intersect(&timeline.down()),
            degraded: counted.intersect(&timeline.degraded()),
            shortest: counted.intersect(&bounds.shortest_down),
            service,
            excluded,
            unknown,
            longest,
            doubtful,
        }
    }

    /// The integers of it. `whole_service_ms` is S of the whole month, also while it runs.
    #[must_use]
    pub fn sums(&self, whole_service_ms: i64) -> Sums {
        Sums {
            service_ms: self.service.len_ms(),
            whole_service_ms,
            excluded_ms: self.excluded.len_ms(),
            down_ms: self.down.len_ms(),
            unknown_ms: self.unknown.len_ms(),
            degraded_ms: self.degraded.len_ms(),
            shortest_ms: self.shortest.len_ms(),
            doubtful_ms: self.doubtful.len_ms(),
        }
    }

    /// Its outages: the maximal intervals that count as down, in order.
    pub fn outages(&self) -> impl Iterator<Item = Extent> {
        self.down.spans().iter().map(|span| Extent {
            span: *span,
            at_least_ms: self.shortest.len_within_ms(*span),
            at_most_ms: self.longest.around(span.from_ms).map_or(span.len_ms(), Span::len_ms),
        })
    }
}

/// How often something failed: the stretches of being down, whatever the hours, of which a part
/// counts. `down` counts, and lies within `measured`.
#[must_use]
pub fn failures(down: &Set, measured: &Set) -> u64 {
    let counted = |span: &&Span| down.len_within_ms(**span) > 0;
    measured.spans().iter().filter(counted).count() as u64
}

/// How long an outage was, at least and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// As measured.
    pub span: Span,
    /// What the shortest reading has of it, in milliseconds.
    pub at_least_ms: i64,
    /// How long the interval around it is in the longest reading, in milliseconds.
    pub at_most_ms: i64,
}

/// The integers a figure is made of, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// S.
    pub service_ms: i64,
    /// S of the whole month.
    pub whole_service_ms: i64,
    /// X.
    pub excluded_ms: i64,
    /// D.
    pub down_ms: i64,
    /// U.
    pub unknown_ms: i64,
    /// Degraded, a part of up.
    pub degraded_ms: i64,
    /// D of the shortest reading.
    pub shortest_ms: i64,
    /// D of the longest reading, and U of either.
    pub doubtful_ms: i64,
}

/// What a level comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Availability; `None` where nothing is left to measure.
    pub availability: Option<Ratio>,
    /// The least it can have been.
    pub low: Option<Ratio>,
    /// The most it can have been.
    pub high: Option<Ratio>,
    /// Share of countable time that is known.
    pub coverage: Option<Ratio>,
    /// Whether there is less evidence than the least for a verdict.
    pub thin: bool,
    /// Downtime allowed in the month, cut off to the millisecond.
    pub budget_ms: i64,
    /// What is left of it.
    pub budget_left_ms: i64,
    /// Whether the target was reached; `None` where that cannot be said.
    pub met: Option<bool>,
    /// Whether every reading of the evidence gives the same answer.
    pub provable: bool,
}

impl Sums {
    /// Judges by a target. `min_coverage` matters under [`UnknownPolicy::Exclude`] only.
    #[must_use]
    pub fn judge(
        &self,
        target: Percent,
        unknown: UnknownPolicy,
        min_coverage: Percent,
    ) -> Judgement {
        whole::Weighed::of(&[(1, *self)]).judge(target, unknown, min_coverage)
    }
}

/// The service credit that a share brings: that of the worst tier it lies strictly below.
#[must_use]
pub fn credit(share: Ratio, tiers: &[Credit]) -> Option<Percent> {
    tiers
        .iter()
        .filter(|tier| !share.reaches(tier.below))
        .min_by_key(|tier| tier.below)
        .map(|tier| tier.credit)
}

#[cfg(test)]
mod tests {
    use mailward_catalogue::{Credit, Percent};

    use super::{credit, failures};
    use crate::availability::exact::Ratio;
    use crate::interval::{Set, Span};

    #[test]
    fn a_tier_that_is_hit_exactly_is_not_reached() {
        let percent = |text: &str| text.parse::<Percent>().unwrap();
        let tier = |below, credit| Credit { below: percent(below), credit: percent(credit) };
        let tiers = [tier("99.9%", "10%"), tier("99.5%", "25%"), tier("95%", "100%")];
        let check = |good: i128, whole: i128, expect: Option<&str>| {
            let due = credit(Ratio::new(good, whole).unwrap(), &tiers);
            assert_eq!(due, expect.map(percent), "{good} of {whole}");
        };
        check(999, 1000, None);
        check(999_000_000_000_000, 1_000_000_000_000_000, None);
        check(998_999_999_999_999, 1_000_000_000_000_000, Some("10%"));
        check(995, 1000, Some("10%"));
        check(994_999_999_999_999, 1_000_000_000_000_000, Some("25%"));
        check(950, 1000, Some("25%"));
        check(0, 1000, Some("100%"));
    }

    #[test]
    fn what_only_hours_interrupt_is_one_failure() {
        let check = |down: &[(i64, i64)], measured: &[(i64, i64)], expect| {
            let set = |spans: &[(i64, i64)]| -> Set {
                spans.iter().map(|(from, to)| Span::new(*from, *to)).collect()
            };
            assert_eq!(failures(&set(down), &set(measured)), expect, "{down:?} of {measured:?}");
        };
        check(&[], &[], 0);
        check(&[(10, 20)], &[(10, 20)], 1);
        check(&[(10, 20), (30, 40)], &[(10, 40)], 1);
        check(&[(10, 20), (30, 40)], &[(10, 25), (28, 40)], 2);
        check(&[(10, 20)], &[(10, 20), (30, 40)], 1);
    }
}
