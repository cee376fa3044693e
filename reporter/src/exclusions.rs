//! Which exclusions count for a component in a month, and why others do not (rule 9). Pure: it
//! knows no states and no service hours.

use jiff::tz::TimeZone;
use mailward_catalogue::Maintenance;
use mailward_evidence::{Exclusion, ExclusionClass};

use crate::clock::{Month, duration_ms};
use crate::interval::{Set, Span};
use crate::report::model::{Ms, RejectedExclusion};
use crate::segment::SeenExclusion;

/// What was ruled about the exclusions of one component in one month.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruling {
    /// Time that is excluded.
    pub excluded: Set,
    /// Exclusions of which all or a part does not count, by start, then id.
    pub rejected: Vec<RejectedExclusion>,
    /// Ids of the exclusions of which at least a part counts.
    pub accepted: Vec<Box<str>>,
    /// What of each accepted one counts: of planned work, beside what was excluded already.
    pub granted: Vec<(Box<str>, Set)>,
}

/// Rules on the exclusions of `component` that touch `period`: a month, up to now where it still
/// runs. Approvals given after `now_ms` do not exist.
#[must_use]
pub fn rule(
    component: &str,
    exclusions: &[SeenExclusion],
    maintenance: &Maintenance,
    period: Span,
    now_ms: i64,
) -> Ruling {
    let mut own: Vec<&Exclusion> = exclusions
        .iter()
        .map(|seen| &seen.exclusion)
        .filter(|e| !e.cancelled && e.components.iter().any(|c| c.as_str() == component))
        .filter(|e| !span_of(e).clip(period).is_empty())
        .collect();
    own.sort_by(|a, b| (a.from, &a.id).cmp(&(b.from, &b.id)));
    let mut bench = Bench { maintenance, period, now_ms, used_ms: 0, ruling: Ruling::default() };
    let of = |class| own.iter().filter(move |e| e.class == class);
    for exclusion in of(ExclusionClass::ThirdParty) {
        bench.third_party(exclusion);
    }
    for exclusion in of(ExclusionClass::Maintenance) {
        bench.maintenance(exclusion);
    }
    let order = |id: &str| own.iter().position(|e| &*e.id == id);
    bench.ruling.rejected.sort_by_key(|rejected| order(&rejected.id));
    bench.ruling.accepted.sort_by_key(|id| order(id));
    bench.ruling.granted.sort_by_key(|(id, _)| order(id));
    bench.ruling
}

/// Excluded time of `component` in a window of any length, each month under its own cap.
#[must_use]
pub fn excluded_over(
    component: &str,
    exclusions: &[SeenExclusion],
    maintenance: &Maintenance,
    zone: &TimeZone,
    window: Span,
    now_ms: i64,
) -> Set {
    let months = Month::meeting(window, zone).map(|month| {
        let span = month.span(zone);
        let period = Span::new(span.from_ms, span.to_ms.min(now_ms));
        rule(component, exclusions, maintenance, period, now_ms).excluded
    });
    months.fold(Set::new(), |all, month| all.union(&month)).clip(window)
}

fn span_of(exclusion: &Exclusion) -> Span {
    Span::new(exclusion.from.ms(), exclusion.to.ms())
}

struct Bench<'a> {
    maintenance: &'a Maintenance,
    period: Span,
    now_ms: i64,
    /// Time taken from the cap.
    used_ms: i64,
    ruling: Ruling,
}

impl Bench<'_> {
    fn third_party(&mut self, exclusion: &Exclusion) {
        if self.approved_ms(exclusion).is_none() {
            return self.reject(exclusion, "approval", None);
        }
        self.accept(exclusion, &Set::from(span_of(exclusion).clip(self.period)));
    }

    fn maintenance(&mut self, exclusion: &Exclusion) {
        let from_ms = exclusion.from.ms();
        if self.approved_ms(exclusion).is_none_or(|at_ms| at_ms > from_ms) {
            return self.reject(exclusion, "approval", None);
        }
        let given_ms = exclusion.announced.map(|at| from_ms - at.ms());
        let needed_ms = self.maintenance.notice.map_or(0, duration_ms);
        if given_ms.is_none_or(|given_ms| given_ms < needed_ms) {
            return self.reject(exclusion, "notice", Some((given_ms, needed_ms)));
        }
        let asked = Set::from(span_of(exclusion).clip(self.period));
        let new = asked.subtract(&self.ruling.excluded);
        let cap_ms = self.maintenance.cap_per_month.map_or(i64::MAX, duration_ms);
        let left_ms = cap_ms - self.used_ms;
        if new.len_ms() > left_ms {
            self.reject(exclusion, "cap", Some((Some(left_ms), new.len_ms())));
            if left_ms == 0 && new == asked {
                return;
            }
        }
        let granted = new.first_ms(left_ms);
        self.used_ms += granted.len_ms();
        self.accept(exclusion, &granted);
    }

    /// When it was approved by somebody who is named, as far as that is known by now.
    fn approved_ms(&self, exclusion: &Exclusion) -> Option<i64> {
        exclusion.by.as_deref().filter(|by| !by.trim().is_empty())?;
        exclusion.approved.map(|at| at.ms()).filter(|at_ms| *at_ms <= self.now_ms)
    }

    fn accept(&mut self, exclusion: &Exclusion, granted: &Set) {
        self.ruling.excluded = self.ruling.excluded.union(granted);
        self.ruling.accepted.push(exclusion.id.clone());
        self.ruling.granted.push((exclusion.id.clone(), granted.clone()));
    }

    fn reject(
        &mut self,
        exclusion: &Exclusion,
        reason: &str,
        times_ms: Option<(Option<i64>, i64)>,
    ) {
        self.ruling.rejected.push(RejectedExclusion {
            id: exclusion.id.to_string(),
            reason: reason.to_owned(),
            given_s: times_ms.and_then(|(given_ms, _)| given_ms).map(Ms),
            needed_s: times_ms.map(|(_, needed_ms)| Ms(needed_ms)),
        });
    }
}

#[cfg(test)]
mod tests {
    use mailward_catalogue::Maintenance;
    use mailward_evidence::{Exclusion, ExclusionClass, Extra, Instant};

    use super::{Ruling, rule};
    use crate::interval::{Set, Span};
    use crate::segment::SeenExclusion;

    const HOUR: i64 = 3_600_000;

    fn at(hour: i64) -> Instant {
        Instant::from_ms(hour * HOUR).unwrap()
    }

    fn window(id: &str, class: ExclusionClass, hours: (i64, i64)) -> Exclusion {
        Exclusion {
            id: id.into(),
            class,
            components: vec!["owa".parse().unwrap()],
            from: at(hours.0),
            to: at(hours.1),
            announced: Some(at(hours.0 - 24)),
            approved: Some(at(hours.0)),
            by: Some("the service manager".into()),
            reason: None,
            cancelled: false,
            extra: Extra::default(),
        }
    }

    fn planned(id: &str, hours: (i64, i64)) -> Exclusion {
        window(id, ExclusionClass::Maintenance, hours)
    }

    fn judge(exclusions: Vec<Exclusion>, cap_h: Option<i64>) -> Ruling {
        let seen: Vec<SeenExclusion> = exclusions
            .into_iter()
            .map(|exclusion| SeenExclusion { exclusion, first_seen_ms: 0 })
            .collect();
        let hours = |h: i64| std::time::Duration::from_secs(u64::try_from(h).unwrap() * 3600);
        let rules = Maintenance { cap_per_month: cap_h.map(hours), notice: Some(hours(24)) };
        rule("owa", &seen, &rules, Span::new(100 * HOUR, 200 * HOUR), 200 * HOUR)
    }

    fn check(ruling: &Ruling, excluded: &[(i64, i64)], rejected: &[(&str, &str)]) {
        let excluded: Set =
            excluded.iter().map(|(from, to)| Span::new(from * HOUR, to * HOUR)).collect();
        assert_eq!(ruling.excluded, excluded);
        let got: Vec<(&str, &str)> =
            ruling.rejected.iter().map(|r| (r.id.as_str(), r.reason.as_str())).collect();
        assert_eq!(got, rejected);
    }

    #[test]
    fn the_window_that_crosses_the_cap_is_split() {
        let ruling = judge(
            vec![planned("b", (110, 113)), planned("a", (105, 107)), planned("c", (120, 121))],
            Some(4),
        );
        check(&ruling, &[(105, 107), (110, 112)], &[("b", "cap"), ("c", "cap")]);
        assert_eq!(ruling.accepted, vec!["a".into(), Box::<str>::from("b")]);
        let (given, needed) = (ruling.rejected[0].given_s, ruling.rejected[0].needed_s);
        assert_eq!((given.unwrap().0, needed.unwrap().0), (2 * HOUR, 3 * HOUR));
    }

    #[test]
    fn excluded_time_is_not_taken_from_the_cap_twice() {
        let third = window("t", ExclusionClass::ThirdParty, (106, 110));
        let ruling =
            judge(vec![planned("a", (105, 112)), third, planned("b", (105, 106))], Some(3));
        check(&ruling, &[(105, 112)], &[]);
    }

    #[test]
    fn the_month_clips_before_the_cap_is_counted() {
        check(&judge(vec![planned("a", (90, 103))], Some(3)), &[(100, 103)], &[]);
        check(&judge(vec![planned("a", (90, 100)), planned("b", (200, 201))], Some(0)), &[], &[]);
    }

    #[test]
    fn the_first_fault_that_fits_is_named() {
        let mut late = planned("late", (110, 111));
        late.approved = Some(at(111));
        late.announced = None;
        let mut unnamed = planned("unnamed", (112, 113));
        unnamed.by = Some(" ".into());
        let mut just = planned("just", (114, 115));
        just.announced = Some(at(90));
        let mut hasty = planned("hasty", (120, 121));
        hasty.announced = Some(at(97));
        let mut foreign = planned("foreign", (116, 117));
        foreign.components = vec!["portal".parse().unwrap()];
        let mut silent = planned("silent", (118, 119));
        silent.announced = None;
        let rejected = [
            ("late", "approval"),
            ("unnamed", "approval"),
            ("silent", "notice"),
            ("hasty", "notice"),
        ];
        let ruling = judge(vec![late, unnamed, just, foreign, hasty, silent], None);
        check(&ruling, &[(114, 115)], &rejected);
        assert_eq!(ruling.rejected[2].given_s, None);
        assert_eq!(ruling.rejected[3].given_s.map(|ms| ms.0), Some(23 * HOUR));
    }

    #[test]
    fn a_third_party_may_be_declared_afterwards_but_not_after_now() {
        let mut cable = window("cable", ExclusionClass::ThirdParty, (110, 120));
        cable.announced = None;
        cable.approved = Some(at(200));
        check(&judge(vec![cable.clone()], Some(0)), &[(110, 120)], &[]);
        cable.approved = Some(at(201));
        check(&judge(vec![cable.clone()], Some(0)), &[], &[("cable", "approval")]);
        cable.approved = None;
        check(&judge(vec![cable], Some(0)), &[], &[("cable", "approval")]);
    }
}
