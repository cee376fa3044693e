//! What made an availability: every stretch of service time that did not count as up, and the
//! blips. Which agents said what in it is `voices`' business.

use mailward_catalogue::{Component, Level, Need};

use super::voices::Witnesses;
use super::{Finder, Limits};
use crate::availability::Account;
use crate::interval::{Set, Span};
use crate::report::grounds::{
    Blip, CountsAs, ExclusionGround, Interval, ProbeGround, SiteGround, TimeGrounds, TimeSum,
};
use crate::report::model::{At, Ms};
use crate::report::{Case, ReportError, Row};
use crate::timeline::{ProbeTimeline, State, within};

pub(super) fn grounds(
    case: &Case<'_>,
    level: &Level,
    limits: Limits,
) -> Result<TimeGrounds, ReportError> {
    let finder = Finder::new(&case.evidence.streams, case.now_ms);
    let mut ledger = Ledger { case, finder, limits, out: TimeGrounds::default() };
    for (row, account) in case.accounts_by_row(level)? {
        let named = level.over.map(|_| row.component.id.as_str());
        ledger.take(row, &account, named);
    }
    Ok(ledger.finish())
}

/// Takes down stretches until the limits are reached, and counts on.
struct Ledger<'a> {
    case: &'a Case<'a>,
    finder: Finder<'a>,
    limits: Limits,
    out: TimeGrounds,
}

impl Ledger<'_> {
    /// A component's stretches and blips; `named` where the level rests on several components.
    fn take(&mut self, row: &Row<'_>, account: &Account, named: Option<&str>) {
        // what is down has the first claim on the space there is
        let parts = [
            (&account.down, CountsAs::Down),
            (&account.excluded, CountsAs::Excluded),
            (&account.unknown, CountsAs::Unknown),
        ];
        for (set, counts_as) in parts {
            for span in set.spans() {
                self.interval(row, *span, counts_as, named);
            }
        }
        let blips = self.blips(row, named);
        self.out.sums.push(TimeSum {
            component: row.component.id.clone(),
            service_s: Ms(account.service.len_ms()),
            excluded_s: Ms(account.excluded.len_ms()),
            down_s: Ms(account.down.len_ms()),
            unknown_s: Ms(account.unknown.len_ms()),
            blips,
        });
    }

    fn finish(mut self) -> TimeGrounds {
        self.out.intervals.sort_by_key(|interval| (interval.from, interval.to));
        self.out.blips.sort_by_key(|blip| blip.first_due);
        self.out
    }

    fn interval(&mut self, row: &Row<'_>, span: Span, counts_as: CountsAs, named: Option<&str>) {
        if self.limits.entries == 0 {
            self.out.left_out.entries += 1;
            return;
        }
        self.limits.entries -= 1;
        let mut interval = Interval {
            from: At(span.from_ms),
            to: At(span.to_ms),
            length_s: Ms(span.len_ms()),
            counts_as,
            component: named.map(str::to_owned),
            rule: if counts_as == CountsAs::Excluded { 9 } else { 5 },
            why: String::new(),
            probes: Vec::new(),
            exclusions: Vec::new(),
        };
        if counts_as == CountsAs::Excluded {
            interval.why = "excluded: agreed not to count".to_owned();
            interval.exclusions = exclusions(row, span);
        } else {
            interval.probes = self.probes(row, span, counts_as);
            interval.why = why(row.component, counts_as, interval.probes.is_empty());
        }
        self.out.intervals.push(interval);
    }

    /// The probes that made a component down or unknown in a stretch.
    fn probes(&mut self, row: &Row<'_>, span: Span, counts_as: CountsAs) -> Vec<ProbeGround> {
        let mut probes = Vec::new();
        for probe in &row.timeline.probes {
            for state in that_make(counts_as) {
                let so = within(&probe.steps, &Set::from(span), |s| s.state == Some(*state));
                if so.is_empty() {
                    continue;
                }
                let was = word(*state);
                probes.push(ProbeGround {
                    probe: probe.probe.to_string(),
                    was,
                    length_s: Ms(so.len_ms()),
                    why: probe_why(row.component, was),
                    sites: self.sites(row.component, probe, &so, was),
                });
            }
        }
        if self.limits.records == 0 && !probes.is_empty() {
            self.out.left_out.unrecorded += 1;
            probes.iter_mut().flat_map(|p| &mut p.sites).for_each(|site| site.records.clear());
        }
        probes
    }

    fn sites(
        &mut self,
        component: &Component,
        probe: &ProbeTimeline,
        so: &Set,
        was: CountsAs,
    ) -> Vec<SiteGround> {
        let mut sites = Vec::new();
        for site in &probe.sites {
            for state in that_make(was) {
                let here = within(&site.steps, so, |step| step.state == Some(*state));
                if here.is_empty() {
                    continue;
                }
                let was = word(*state);
                let witnesses = Witnesses::of(probe, &site.site, &here);
                let records = match self.limits.records {
                    0 => Vec::new(),
                    _ => witnesses.records(&self.finder, &probe.probe),
                };
                self.limits.records = self.limits.records.saturating_sub(records.len());
                sites.push(SiteGround {
                    site: site.site.to_string(),
                    was,
                    length_s: Ms(here.len_ms()),
                    why: witnesses.agreement(component.quorum, was),
                    records,
                });
            }
        }
        sites
    }

    /// Lists the blips of a component, and says how many there were.
    fn blips(&mut self, row: &Row<'_>, named: Option<&str>) -> u64 {
        let mut found = 0;
        for probe in &row.timeline.probes {
            let confirm = self.case.catalogue.probe(probe.probe.as_str()).map_or(1, |p| p.confirm);
            for agent in &probe.agents {
                for first_ms in &agent.blips {
                    found += 1;
                    if self.limits.entries == 0 {
                        self.out.left_out.entries += 1;
                        continue;
                    }
                    self.limits.entries -= 1;
                    let run = self.finder.failures(&agent.agent, &probe.probe, *first_ms);
                    self.out.blips.push(Blip {
                        component: named.map(str::to_owned),
                        probe: probe.probe.to_string(),
                        agent: Some(agent.agent.to_string()),
                        first_due: At(*first_ms),
                        last_due: At(run.last_ms),
                        outcomes: run.outcomes,
                        confirm,
                        reason: run.reason.map(ToString::to_string),
                    });
                }
            }
        }
        found
    }
}

/// Which states of its parts make a whole what it is: what is down can also be why too little
/// is known, where several must be.
const fn that_make(counts_as: CountsAs) -> &'static [State] {
    match counts_as {
        CountsAs::Down => &[State::Down],
        CountsAs::Unknown => &[State::Down, State::Unknown],
        CountsAs::Excluded => &[],
    }
}

const fn word(state: State) -> CountsAs {
    match state {
        State::Down => CountsAs::Down,
        State::Up | State::Unknown => CountsAs::Unknown,
    }
}

/// The exclusions that count within a stretch.
fn exclusions(row: &Row<'_>, span: Span) -> Vec<ExclusionGround> {
    let granted = row.ruling.granted.iter().filter_map(|(id, set)| {
        let part = set.clip(span);
        let (first, last) = (part.spans().first()?, part.spans().last()?);
        Some(ExclusionGround {
            id: id.to_string(),
            from: At(first.from_ms),
            to: At(last.to_ms),
            length_s: Ms(part.len_ms()),
        })
    });
    granted.collect()
}

/// Rule 5 as it is set for a component.
fn why(component: &Component, counts_as: CountsAs, nobody: bool) -> String {
    let (need, verb) = match component.rule {
        Need::All => ("all of its probes are".to_owned(), "are"),
        Need::Any | Need::AtLeast(0 | 1) => ("any of its probes is".to_owned(), "is"),
        Need::AtLeast(n) => (format!("at least {n} of its probes are"), "are"),
        Need::Majority => ("most of its probes are".to_owned(), "are"),
    };
    match counts_as {
        CountsAs::Unknown if nobody => {
            "unknown: none of its probes was on an agent's roster".to_owned()
        }
        CountsAs::Unknown => {
            let what = need.strip_suffix(verb).unwrap_or(&need).trim_end().to_owned();
            format!("unknown: there is too little evidence to say whether {what} {verb} down")
        }
        _ => format!("down: {need} down"),
    }
}

/// Rule 4 as it is set for a component's probes.
fn probe_why(component: &Component, was: CountsAs) -> String {
    let sites = match component.site_rule {
        Need::All => "at all of its sites".to_owned(),
        Need::Any | Need::AtLeast(0 | 1) => "at any of its sites".to_owned(),
        Need::AtLeast(n) => format!("at {n} or more of its sites"),
        Need::Majority => "at most of its sites".to_owned(),
    };
    match was {
        CountsAs::Unknown => format!("too little evidence to say whether it is down {sites}"),
        _ => format!("down when it is {sites}"),
    }
}
