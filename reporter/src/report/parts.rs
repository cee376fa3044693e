//! The time that a level of availability is made of: of one component, of several weighted by
//! their users, or of several as one that is down while any of them is. Sums are `availability`'s.

use std::cmp::Reverse;

use jiff::civil::Date;
use mailward_catalogue::{Effect, Level, LevelHours, Over};

use super::model::{self, At, Ms, Outage, RejectedExclusion};
use super::{Case, ReportError, Row, named_hours, rows};
use crate::availability::exact::share_of;
use crate::availability::whole::{Weighed, composite};
use crate::availability::{Account, Extent, Sums, failures};
use crate::clock;
use crate::interval::{Set, Span};

/// Components, each with its time as it counts.
pub(super) struct Parts<'c, 'a> {
    over: Option<Over>,
    each: Vec<Part<'c, 'a>>,
    /// All as one component, for [`Over::Composite`].
    one: Option<(Account, Sums)>,
}

struct Part<'c, 'a> {
    row: &'c Row<'a>,
    users: u64,
    account: Account,
    sums: Sums,
}

/// What a figure states of its parts together.
pub(super) struct Whole {
    /// Its sums; the mean user's where it is weighted.
    pub(super) sums: Sums,
    pub(super) failures: u64,
    pub(super) mttr_s: Option<Ms>,
    pub(super) mtbf_s: Option<Ms>,
    /// Each component by itself; empty for a figure of one component.
    pub(super) parts: Vec<model::Part>,
}

impl<'c, 'a> Parts<'c, 'a> {
    /// What a level is made of.
    pub(super) fn of_level(case: &'c Case<'a>, level: &Level) -> Result<Self, ReportError> {
        let named = named_hours(case.catalogue, level)?;
        let zone = &case.catalogue.service.zone;
        let hours = |since, window| clock::service_hours(&level.hours, named, zone, since, window);
        Ok(match level.over {
            None => Self::of(case, None, vec![case.row(level)?], &hours),
            Some(over) => Self::of(case, Some(over), case.over(over), &hours),
        })
    }

    /// What the whole service is made of, around the clock.
    pub(super) fn of_service(case: &'c Case<'a>, over: Over) -> Self {
        let zone = &case.catalogue.service.zone;
        let hours =
            |since, window| clock::service_hours(&LevelHours::Always, None, zone, since, window);
        Self::of(case, Some(over), case.over(over), &hours)
    }

    fn of(
        case: &Case<'_>,
        over: Option<Over>,
        rows: Vec<&'c Row<'a>>,
        hours: &dyn Fn(Option<Date>, Span) -> Set,
    ) -> Self {
        let mut whole_hours = Vec::new();
        let mut each = Vec::with_capacity(rows.len());
        for row in rows {
            let since = row.component.since;
            let whole = hours(since, case.whole);
            let account =
                Account::new(&row.timeline, hours(since, case.period), &row.ruling.excluded);
            let sums = account.sums(whole.len_ms());
            let users = match over {
                Some(Over::Users) => row.component.users.unwrap_or(0),
                _ => 1,
            };
            each.push(Part { row, users, account, sums });
            whole_hours.extend(whole.spans().iter().copied());
        }
        let one = (over == Some(Over::Composite)).then(|| {
            let accounts: Vec<&Account> = each.iter().map(|part| &part.account).collect();
            let account = composite(&accounts);
            let sums = account.sums(Set::of(whole_hours).len_ms());
            (account, sums)
        });
        Self { over, each, one }
    }

    /// The sums by which a figure is judged.
    pub(super) fn weighed(&self) -> Weighed {
        match &self.one {
            Some((_, sums)) => Weighed::of(&[(1, *sums)]),
            None => Weighed::of(&self.each.iter().map(|p| (p.users, p.sums)).collect::<Vec<_>>()),
        }
    }

    /// Its accounts: one for each component that counts by itself, or that of all as one.
    pub(super) fn accounts(self) -> Vec<Account> {
        match self.one {
            Some((account, _)) => vec![account],
            None => self.each.into_iter().map(|part| part.account).collect(),
        }
    }

    /// Each component with its own time, also where all count as one.
    pub(super) fn by_row(self) -> Vec<(&'c Row<'a>, Account)> {
        self.each.into_iter().map(|part| (part.row, part.account)).collect()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    pub(super) fn blips(&self) -> u64 {
        self.each.iter().map(|part| part.row.timeline.blips()).sum()
    }

    pub(super) fn rejected(&self) -> Vec<RejectedExclusion> {
        let mut rejected: Vec<RejectedExclusion> = Vec::new();
        for refused in self.each.iter().flat_map(|part| &part.row.ruling.rejected) {
            if !rejected.contains(refused) {
                rejected.push(refused.clone());
            }
        }
        rejected
    }

    /// Unknown time by reason, longest first; the mean user's where it is weighted.
    pub(super) fn unknown_by_reason(&self) -> Vec<(String, Ms)> {
        let mut reasons: Vec<(String, i128, Set)> = Vec::new();
        for part in &self.each {
            let unknown = match &self.one {
                Some((all, _)) => part.account.unknown.intersect(&all.unknown),
                None => part.account.unknown.clone(),
            };
            for (word, when) in rows::unknown_reasons(part.row, &unknown) {
                let weighed = i128::from(part.users) * i128::from(when.len_ms());
                match reasons.iter_mut().find(|(seen, ..)| *seen == word) {
                    Some((_, sum, all)) => {
                        *sum += weighed;
                        *all = all.union(&when);
                    }
                    None => reasons.push((word, weighed, when)),
                }
            }
        }
        let users = self.each.iter().map(|part| i128::from(part.users)).sum();
        let length = |sum, when: &Set| match self.one {
            Some(_) => Ms(when.len_ms()),
            None => Ms(share_of(sum, users)),
        };
        let mut reasons: Vec<(String, Ms)> =
            reasons.into_iter().map(|(word, sum, when)| (word, length(sum, &when))).collect();
        reasons.sort_by_key(|(_, ms)| Reverse(*ms));
        reasons
    }

    /// The intervals that count as down, in order; weighted by users, each component's own.
    pub(super) fn outages(&self, now_ms: i64) -> Vec<Outage> {
        if let Some((account, _)) = &self.one {
            let rows: Vec<&Part<'_, '_>> = self.each.iter().collect();
            return account.outages().map(|extent| self.outage(&rows, extent, now_ms)).collect();
        }
        let mut outages: Vec<Outage> = Vec::new();
        for part in &self.each {
            let own = part.account.outages();
            outages.extend(own.map(|extent| self.outage(&[part], extent, now_ms)));
        }
        outages.sort_by_key(|outage| outage.from);
        outages
    }

    fn outage(&self, parts: &[&Part<'_, '_>], extent: Extent, now_ms: i64) -> Outage {
        let down = |part: &&&Part<'_, '_>| part.account.down.len_within_ms(extent.span) > 0;
        let parts: Vec<&&Part<'_, '_>> = parts.iter().filter(down).collect();
        let mut causes: Vec<_> =
            parts.iter().flat_map(|part| part.row.timeline.down_causes(extent.span)).collect();
        // stable, so that equal causes keep the order of probes.toml
        causes.sort_by_key(|cause| Reverse(cause.when.len_ms()));
        let mut reasons: Vec<String> = Vec::new();
        for reason in causes.iter().filter_map(|cause| cause.reason.as_ref()) {
            if !reasons.iter().any(|seen| seen == reason.as_str()) {
                reasons.push(reason.to_string());
            }
        }
        let down_in_it = |id: &str| causes.iter().any(|cause| cause.probe.as_str() == id);
        let probes = parts.iter().flat_map(|part| &part.row.timeline.probes);
        let probes = probes.map(|probe| probe.probe.as_str()).filter(|id| down_in_it(id));
        Outage {
            from: At(extent.span.from_ms),
            to: At(extent.span.to_ms),
            down_s: Ms(extent.span.len_ms()),
            at_least_s: Ms(extent.at_least_ms),
            at_most_s: Ms(extent.at_most_ms),
            still_open: extent.span.to_ms == now_ms,
            reasons,
            probes: probes.map(str::to_owned).collect(),
            components: match self.over {
                Some(_) => parts.iter().map(|part| part.row.component.id.clone()).collect(),
                None => Vec::new(),
            },
        }
    }

    /// How often it failed, how long it was down, and how long it is known to have been up.
    fn spells(&self) -> (u64, i64, i64) {
        let up_ms =
            |sums: &Sums| sums.service_ms - sums.excluded_ms - sums.down_ms - sums.unknown_ms;
        if let Some((account, sums)) = &self.one {
            let down = self.each.iter().flat_map(|part| part.row.timeline.down().spans().to_vec());
            return (failures(&account.down, &down.collect()), sums.down_ms, up_ms(sums));
        }
        self.each.iter().fold((0, 0, 0), |(count, down, up), part| {
            let own = failures(&part.account.down, &part.row.timeline.down());
            (count + own, down + part.sums.down_ms, up + up_ms(&part.sums))
        })
    }
}

impl Whole {
    /// What the parts come to together.
    pub(super) fn of(parts: &Parts<'_, '_>) -> Self {
        let (failures, down_ms, up_ms) = parts.spells();
        let mean =
            |ms: i64| (failures > 0).then(|| Ms(share_of(i128::from(ms), i128::from(failures))));
        let each = |part: &Part<'_, '_>| model::Part {
            component: part.row.component.id.clone(),
            users: (parts.over == Some(Over::Users)).then_some(part.users),
            service_s: Ms(part.sums.service_ms),
            excluded_s: Ms(part.sums.excluded_ms),
            down_s: Ms(part.sums.down_ms),
            unknown_s: Ms(part.sums.unknown_ms),
        };
        Self {
            sums: parts.weighed().mean(),
            failures,
            mttr_s: mean(down_ms),
            mtbf_s: mean(up_ms),
            parts: match parts.over {
                Some(_) => parts.each.iter().map(each).collect(),
                None => Vec::new(),
            },
        }
    }
}

impl<'a> Case<'a> {
    /// The components that a figure of the whole service is made of: those that have users, or
    /// those that can be down at all.
    fn over(&self, over: Over) -> Vec<&Row<'a>> {
        let counts = |row: &&Row<'a>| match over {
            Over::Users => row.component.users.is_some_and(|users| users > 0),
            Over::Composite => self
                .catalogue
                .probes_of(&row.component.id)
                .any(|probe| probe.effect == Effect::Availability),
        };
        self.rows.iter().filter(counts).collect()
    }
}
