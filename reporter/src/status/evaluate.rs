//! From evidence to the rows of the page, and to what operators see of agents. Pure: evidence
//! and an instant in, a model out.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use mailward_catalogue::{Catalogue, Component};
use mailward_evidence::ExclusionClass;

use super::history::{History, history};
use super::{MonthShare, Planned, Row, STRIP_DAYS, live};
use crate::clock;
use crate::exclusions::excluded_over;
use crate::interval::{Set, Span};
use crate::report::model::{Figure, Report};
use crate::segment::Evidence;
use crate::timeline::{self, ComponentTimeline, Index, Voice};

/// What evidence says at an instant.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The rows, in the order of probes.toml.
    pub rows: Vec<Row>,
    /// For operators: the measured state of each row.
    pub measured: Vec<Measured>,
    /// For operators: what each agent says with each probe it is due to run.
    pub voices: Vec<AgentVoice>,
    /// For operators: addresses that stand on a list by what is said now, with the list.
    pub listed: BTreeSet<(String, String)>,
    /// Planned work that is under way or to come, soonest first.
    pub maintenance: Vec<Planned>,
    /// The due of the latest outcome.
    pub last_evidence_ms: Option<i64>,
}

/// The measured state of a row, as its figures have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The component.
    pub component: String,
    /// Its severity.
    pub severity: String,
    /// Up or down; `None` while unknown.
    pub up: Option<bool>,
}

/// What an agent says with a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentVoice {
    /// The agent.
    pub agent: String,
    /// Its site.
    pub site: String,
    /// The probe.
    pub probe: String,
    /// The probe's component.
    pub component: String,
    /// What it says.
    pub voice: Voice,
}

/// The window of the strips: [`STRIP_DAYS`] local days up to now.
#[must_use]
pub fn window(now_ms: i64, zone: &TimeZone) -> Span {
    let today = clock::date_of(now_ms, zone);
    let back = i64::try_from(STRIP_DAYS).unwrap_or(i64::MAX) - 1;
    let first = today.checked_sub(jiff::Span::new().days(back)).unwrap_or(today);
    Span::new(clock::day_start_ms(first, zone), now_ms)
}

/// Evaluates the rows over the window of the strips, which `evidence` must cover. `so_far` is
/// the running month's report, where there is one.
#[must_use]
pub fn evaluate(
    catalogue: &Catalogue,
    evidence: &Evidence,
    so_far: Option<&Report>,
    now_ms: i64,
) -> Evaluation {
    let zone = &catalogue.service.zone;
    let window = window(now_ms, zone);
    let index = Index::new(evidence, window, now_ms);
    let mut evaluation = Evaluation {
        last_evidence_ms: last_evidence(evidence),
        maintenance: planned(catalogue, evidence, now_ms),
        listed: listed(catalogue, evidence, now_ms),
        ..Evaluation::default()
    };
    for component in &catalogue.components {
        let timeline = index.component(catalogue, component);
        let excluded = excluded(catalogue, component, evidence, window, now_ms);
        let under_way = work_under_way(component, evidence, &excluded, now_ms);
        let (now, sites) = live::now(&timeline, component.rule, under_way);
        let past = history(&timeline, &excluded, component.since, zone);
        evaluation.measured.push(Measured {
            component: component.id.clone(),
            severity: component.severity.clone(),
            up: match timeline.at(now_ms - 1).map(|step| step.state) {
                Some(timeline::State::Up) => Some(true),
                Some(timeline::State::Down) => Some(false),
                Some(timeline::State::Unknown) | None => None,
            },
        });
        evaluation.voices.extend(voices(&timeline, &component.id, now_ms - 1));
        evaluation.rows.push(Row {
            id: component.id.clone(),
            name: component.name.clone(),
            group: component.group.clone(),
            description: component.description.clone(),
            probed: catalogue.depths(&component.id, |_| true).join(" and "),
            now,
            sites,
            days: past.days,
            month: so_far.and_then(|report| share(report, &component.id)),
            outages: past.outages,
            stretches: past.stretches,
        });
    }
    evaluation
}

/// The history of one row over any window of the past; `None` where there is no such row.
#[must_use]
pub fn past(
    catalogue: &Catalogue,
    id: &str,
    evidence: &Evidence,
    window: Span,
    now_ms: i64,
) -> Option<History> {
    let component = catalogue.component(id)?;
    let timeline = timeline::component(catalogue, component, evidence, window, now_ms);
    let excluded = excluded(catalogue, component, evidence, window, now_ms);
    Some(history(&timeline, &excluded, component.since, &catalogue.service.zone))
}

fn excluded(
    catalogue: &Catalogue,
    component: &Component,
    evidence: &Evidence,
    window: Span,
    now_ms: i64,
) -> Set {
    let zone = &catalogue.service.zone;
    let rules = &catalogue.maintenance;
    excluded_over(&component.id, &evidence.exclusions, rules, zone, window, now_ms)
}

/// Accepted planned work around now. A third-party exclusion is no planned work: what users
/// meet is shown as it is.
fn work_under_way(
    component: &Component,
    evidence: &Evidence,
    excluded: &Set,
    now_ms: i64,
) -> Option<Span> {
    let counted = excluded.around(now_ms - 1)?;
    evidence
        .exclusions
        .iter()
        .map(|seen| &seen.exclusion)
        .filter(|e| e.class == ExclusionClass::Maintenance && !e.cancelled)
        .filter(|e| e.components.iter().any(|c| c.as_str() == component.id))
        .map(|e| Span::new(e.from.ms(), e.to.ms()))
        .find(|span| span.contains(now_ms - 1))
        .map(|span| Span::new(span.from_ms.max(counted.from_ms), span.to_ms))
}

/// Approved work that has not ended: what is not approved is not announced.
fn planned(catalogue: &Catalogue, evidence: &Evidence, now_ms: i64) -> Vec<Planned> {
    let mut planned: Vec<Planned> = evidence
        .exclusions
        .iter()
        .map(|seen| &seen.exclusion)
        .filter(|e| e.class == ExclusionClass::Maintenance && !e.cancelled && e.to.ms() > now_ms)
        .filter(|e| e.by.is_some() && e.approved.is_some_and(|at| at.ms() <= now_ms))
        .map(|e| Planned {
            names: catalogue
                .components
                .iter()
                .filter(|c| e.components.iter().any(|id| id.as_str() == c.id))
                .map(|c| c.name.clone())
                .collect(),
            from_ms: e.from.ms(),
            to_ms: e.to.ms(),
            reason: e.reason.as_deref().map(str::to_owned),
        })
        .filter(|planned| !planned.names.is_empty())
        .collect();
    planned.sort_by_key(|planned| planned.from_ms);
    planned
}

/// Pairs of address and list that any agent's speaking outcome of a declared probe names.
fn listed(catalogue: &Catalogue, evidence: &Evidence, now_ms: i64) -> BTreeSet<(String, String)> {
    let declared = |id: &str| catalogue.probe(id).is_some_and(|p| p.kind.name == "dnsbl");
    let now = Span::new(now_ms - 1, now_ms);
    let streams = evidence.streams.iter().filter(|stream| declared(stream.probe.as_str()));
    let listings = streams
        .flat_map(|stream| timeline::spoken(stream, now, now_ms))
        .filter(|(_, said)| said.contains(now_ms - 1))
        .flat_map(|(segment, _)| &segment.listings);
    listings.map(|l| (l.address.to_string(), l.list.to_string())).collect()
}

fn last_evidence(evidence: &Evidence) -> Option<i64> {
    evidence.streams.iter().filter_map(|s| s.segments.last()).map(|s| s.last_ms).max()
}

fn voices<'a>(
    timeline: &'a ComponentTimeline,
    component: &'a str,
    at_ms: i64,
) -> impl Iterator<Item = AgentVoice> + 'a {
    timeline.probes.iter().flat_map(move |probe| {
        probe.agents.iter().filter_map(move |agent| {
            let (_, site) = agent.stays.iter().find(|(span, _)| span.contains(at_ms))?;
            let piece = agent.pieces.iter().rfind(|p| p.span.contains(at_ms))?;
            Some(AgentVoice {
                agent: agent.agent.as_str().to_owned(),
                site: site.as_str().to_owned(),
                probe: probe.probe.as_str().to_owned(),
                component: component.to_owned(),
                voice: piece.voice,
            })
        })
    })
}

/// The first level of a row that has a share: its availability, if it has one.
fn share(report: &Report, id: &str) -> Option<MonthShare> {
    let levels = || report.levels.iter().filter(|l| l.component.as_deref() == Some(id));
    let availability = levels().find_map(|level| match &level.figure {
        Figure::Availability(a) => Some(MonthShare {
            shown: a.availability_shown.clone(),
            target: a.target_pct.clone(),
            met: level.met,
        }),
        _ => None,
    });
    availability.or_else(|| {
        levels().find_map(|level| match &level.figure {
            Figure::Success(s) => Some(MonthShare {
                shown: s.ratio_shown.clone(),
                target: s.target_pct.clone(),
                met: level.met,
            }),
            _ => None,
        })
    })
}
