//! How the figures came about, as a reader of the report needs it: who measured what, how
//! often, and what was left out. Names of agents stay out.

use std::collections::{BTreeMap, BTreeSet};

use mailward_catalogue::{Catalogue, Effect, Level, Maintenance, Measure, Probe, Schedule};

use super::model::{Method, MethodProbe};
use super::{Case, notes};
use crate::clock::duration_ms;
use crate::language::english;

pub(super) fn method(case: &Case<'_>) -> Method {
    Method {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        zone_data: String::new(),
        agents: agents(case),
        probes: case.catalogue.probes.iter().map(method_probe).collect(),
        maintenance: maintenance_words(&case.catalogue.maintenance),
        notes: notes::notes(case),
    }
}

/// How many agents stood at each site in the period.
fn agents(case: &Case<'_>) -> Vec<(String, String)> {
    let mut sites: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let agents = case.rows.iter().flat_map(|row| &row.timeline.probes).flat_map(|p| &p.agents);
    for agent in agents {
        for (_, site) in &agent.stays {
            sites.entry(site.as_str()).or_default().insert(agent.agent.as_str());
        }
    }
    let words = |n: usize| english().rules.agents(n);
    sites.into_iter().map(|(site, agents)| (words(agents.len()), site.to_owned())).collect()
}

fn method_probe(probe: &Probe) -> MethodProbe {
    MethodProbe {
        id: probe.id.clone(),
        component: probe.component.clone(),
        kind: probe.kind.name.to_owned(),
        every: match &probe.schedule {
            Schedule::Every(every) => english().rules.every(span_words(duration_ms(*every))),
            Schedule::Cron(cron) => english().rules.cron(cron),
        },
        confirm: probe.confirm,
        advisory: probe.effect == Effect::Advisory,
    }
}

/// How deep the checks behind a level go.
pub(super) fn probed(catalogue: &Catalogue, level: &Level) -> Option<String> {
    let component = level.component.as_deref()?;
    let depths = match level.measure {
        Measure::Availability { .. } | Measure::Success { .. } | Measure::ResponseTime { .. } => {
            catalogue.depths(component, |_| true)
        }
        Measure::DeliveryTime { .. } => catalogue.depths(component, |p| p.kind.name == "mail"),
        Measure::Listing { .. } => catalogue.depths(component, |p| p.kind.name == "dnsbl"),
        Measure::Resolution { .. } | Measure::Ratio { .. } => Vec::new(),
    };
    (!depths.is_empty()).then(|| depths.join(" and "))
}

fn maintenance_words(rules: &Maintenance) -> String {
    let words = |time: Option<std::time::Duration>| time.map(|time| span_words(duration_ms(time)));
    let text = &english().rules;
    match (words(rules.cap_per_month), words(rules.notice)) {
        (None, None) => text.no_cap().to_owned(),
        (None, Some(notice)) => text.no_cap_notice(notice),
        (Some(cap), None) => text.cap(cap),
        (Some(cap), Some(notice)) => text.cap_notice(cap, notice),
    }
}

/// A length of time in its largest whole unit: `5 d`, `4 h`, `60 s`.
fn span_words(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let fits = UNITS.iter().find(|(unit, _)| ms >= *unit && ms % unit == 0);
    match fits {
        Some((unit, word)) => format!("{} {word}", ms / unit),
        None => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::span_words;

    #[test]
    fn lengths_stand_in_their_largest_whole_unit() {
        for (ms, words) in [
            (432_000_000, "5 d"),
            (14_400_000, "4 h"),
            (5_400_000, "90 min"),
            (61_000, "61 s"),
            (1500, "1500 ms"),
        ] {
            assert_eq!(span_words(ms), words);
        }
    }
}
