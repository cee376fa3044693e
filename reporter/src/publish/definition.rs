//! How two definitions differ, in words for everybody: terms of levels and rules of judging are
//! shown, and what may name a host or an account is only said to have changed.

use std::collections::BTreeMap;

use crate::language::english;

use mailward_catalogue::quantity::show_duration;
use mailward_catalogue::{
    Catalogue, Component, Effect, Level, LevelHours, Measure, Need, Probe, Schedule, UnknownPolicy,
};

/// The terms of one thing: what each is called, and how it reads.
type Terms = BTreeMap<&'static str, String>;

/// A sentence for each difference that a figure may rest on.
#[must_use]
pub fn changes(before: &Catalogue, after: &Catalogue) -> Vec<String> {
    let text = &english().change;
    let mut said = Vec::new();
    let zones = [&before.service.zone_name, &after.service.zone_name];
    if zones[0] != zones[1] {
        said.push(text.zone(zones[1], zones[0]));
    }
    let of = |catalogue: &Catalogue| {
        let components = catalogue.components.iter().map(|c| (c.id.clone(), component(c)));
        let probes = catalogue.probes.iter().map(|p| (p.id.clone(), probe(p)));
        let levels = catalogue.levels.iter().map(|l| (l.id.clone(), level(l)));
        [components.collect(), probes.collect(), levels.collect::<Vec<_>>()]
    };
    for ((kind, before), after) in Kind::ALL.into_iter().zip(of(before)).zip(of(after)) {
        compare(kind, &before, &after, &mut said);
    }
    settings(before, after, &mut said);
    hours(before, after, &mut said);
    let maintenance = |catalogue: &Catalogue| {
        let told = |what: Option<std::time::Duration>| {
            what.map_or_else(|| "none".to_owned(), show_duration)
        };
        Terms::from([
            ("cap a month", told(catalogue.maintenance.cap_per_month)),
            ("notice", told(catalogue.maintenance.notice)),
        ])
    };
    let told = |name: &str, now: &str, was: &str| text.maintenance(name, now, was);
    terms(&maintenance(before), &maintenance(after), told, &mut said);
    said
}

fn compare(
    kind: Kind,
    before: &[(String, Terms)],
    after: &[(String, Terms)],
    said: &mut Vec<String>,
) {
    for (id, now) in after {
        match before.iter().find(|(other, _)| other == id) {
            Some((_, was)) => {
                terms(was, now, |name, now, was| kind.differs([id, name, now, was]), said);
            }
            None => said.push(kind.is_new(id)),
        }
    }
    for (id, _) in before.iter().filter(|(id, _)| !after.iter().any(|(other, _)| other == id)) {
        said.push(kind.is_gone(id));
    }
}

/// A thing with terms.
#[derive(Clone, Copy)]
enum Kind {
    Component,
    Check,
    Level,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Component, Self::Check, Self::Level];

    fn is_new(self, id: &str) -> String {
        let text = &english().change;
        match self {
            Self::Component => text.new_component(id),
            Self::Check => text.new_check(id),
            Self::Level => text.new_level(id),
        }
    }

    fn is_gone(self, id: &str) -> String {
        let text = &english().change;
        match self {
            Self::Component => text.gone_component(id),
            Self::Check => text.gone_check(id),
            Self::Level => text.gone_level(id),
        }
    }

    fn differs(self, [id, name, now, was]: [&str; 4]) -> String {
        let text = &english().change;
        match self {
            Self::Component => text.component(id, name, now, was),
            Self::Check => text.check(id, name, now, was),
            Self::Level => text.level(id, name, now, was),
        }
    }
}

fn terms(
    before: &Terms,
    after: &Terms,
    told: impl Fn(&str, &str, &str) -> String,
    said: &mut Vec<String>,
) {
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let none = || "none".to_owned();
        let was = before.get(name).cloned().unwrap_or_else(none);
        let now = after.get(name).cloned().unwrap_or_else(none);
        if was != now {
            said.push(told(name, &now, &was));
        }
    }
}

fn component(component: &Component) -> Terms {
    let mut terms = Terms::from([
        ("rule", need(component.rule)),
        ("quorum", need(component.quorum)),
        ("site_rule", need(component.site_rule)),
    ]);
    if let Some(users) = component.users {
        terms.insert("users", users.to_string());
    }
    if let Some(since) = component.since {
        terms.insert("since", since.to_string());
    }
    terms
}

fn need(need: Need) -> String {
    match need {
        Need::Any => "any".to_owned(),
        Need::All => "all".to_owned(),
        Need::Majority => "majority".to_owned(),
        Need::AtLeast(n) => n.to_string(),
    }
}

fn probe(probe: &Probe) -> Terms {
    let every = match &probe.schedule {
        Schedule::Every(every) => show_duration(*every),
        Schedule::Cron(cron) => cron.clone(),
    };
    let effect = match probe.effect {
        Effect::Availability => "availability",
        Effect::Advisory => "advisory",
    };
    let mut terms = Terms::from([
        ("component", probe.component.clone()),
        ("kind", probe.kind.name.to_owned()),
        ("interval", every),
        ("confirm", probe.confirm.to_string()),
        ("effect", effect.to_owned()),
        ("timeout", show_duration(probe.timeout)),
    ]);
    if let Some(slow) = probe.slow {
        terms.insert("slow", show_duration(slow));
    }
    terms
}

fn level(level: &Level) -> Terms {
    let mut terms = Terms::from([
        ("measure", level.measure.word().to_owned()),
        (
            "hours",
            match &level.hours {
                LevelHours::Always => "24x7".to_owned(),
                LevelHours::Named(name) => name.clone(),
                LevelHours::Not(name) => format!("not {name}"),
            },
        ),
    ]);
    if let Some(component) = &level.component {
        terms.insert("component", component.clone());
    }
    if let Some(over) = level.over {
        terms.insert("over", over.word().to_owned());
    }
    let mut share = |target: mailward_catalogue::Percent| {
        terms.insert("target", format!("{target} %"));
    };
    match &level.measure {
        Measure::Availability { target }
        | Measure::Success { target }
        | Measure::ResponseTime { target, .. }
        | Measure::DeliveryTime { target, .. }
        | Measure::Resolution { target, .. }
        | Measure::Ratio { target, .. } => share(*target),
        Measure::Listing { target } => {
            terms.insert("target", show_duration(*target));
        }
    }
    match &level.measure {
        Measure::Availability { .. } => {
            let unknown = match level.unknown {
                UnknownPolicy::Exclude => "exclude",
                UnknownPolicy::Up => "up",
                UnknownPolicy::Down => "down",
            };
            terms.insert("unknown", unknown.to_owned());
            terms.insert("min_coverage", format!("{} %", level.min_coverage));
        }
        Measure::ResponseTime { within, .. } => {
            terms.insert("within", show_duration(*within));
        }
        Measure::DeliveryTime { within, lost_after, .. } => {
            terms.insert("within", show_duration(*within));
            terms.insert("lost_after", show_duration(*lost_after));
        }
        Measure::Resolution { severity, within, reopen_within, .. } => {
            terms.insert("severity", severity.clone());
            terms.insert("within", show_duration(*within));
            if let Some(limit) = reopen_within {
                terms.insert("reopen_within", show_duration(*limit));
            }
        }
        Measure::Ratio { series, .. } => {
            terms.insert("series", series.clone());
        }
        Measure::Success { .. } | Measure::Listing { .. } => {}
    }
    terms
}

/// What a probe asks may name hosts and accounts: that it changed is said, and not how.
fn settings(before: &Catalogue, after: &Catalogue, said: &mut Vec<String>) {
    let text = &english().change;
    for probe in &after.probes {
        let Some(was) = before.probe(&probe.id) else { continue };
        if (&was.settings, &was.credentials) != (&probe.settings, &probe.credentials) {
            said.push(text.asks(&probe.id));
        }
        if was.sites != probe.sites {
            said.push(text.sites(&probe.id));
        }
    }
}

fn hours(before: &Catalogue, after: &Catalogue, said: &mut Vec<String>) {
    let text = &english().change;
    for hours in &after.hours {
        match before.hours_named(&hours.name) {
            None => said.push(text.hours_new(&hours.name)),
            Some(was) if was != hours => {
                let name = &hours.name;
                said.push(match (was.weekly == hours.weekly, was.holidays == hours.holidays) {
                    (true, _) => text.hours_holidays(name),
                    (false, true) => text.hours_times(name),
                    (false, false) => text.hours_both(name),
                });
            }
            Some(_) => {}
        }
    }
    for gone in before.hours.iter().filter(|h| after.hours_named(&h.name).is_none()) {
        said.push(text.hours_gone(&gone.name));
    }
}
