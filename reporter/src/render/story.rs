//! What a month's report says in sentences, whatever it is rendered to: where it comes from,
//! what stands out, which outages and exclusions count, and how the figures were made.

mod summary;

use std::collections::BTreeMap;

use crate::render::words::{self, Local};
use crate::report::model::{
    Availability, ExclusionEntry, Figure, LevelFigure, Outage, RejectedExclusion, Report, Without,
};

pub(crate) use summary::{days, facts, findings, provisos, verdict, whereabouts};

/// What must not be overlooked, each in a word or three.
pub(crate) fn badges(report: &Report) -> Vec<&'static str> {
    let all = [
        (report.to_date, "MONTH TO DATE"),
        (report.edition.is_none(), "DRAFT"),
        (report.demo, "DEMO"),
    ];
    all.into_iter().filter(|(shown, _)| *shown).map(|(_, word)| word).collect()
}

/// Which edition, by whom, when, on what evidence.
pub(crate) fn provenance(report: &Report) -> String {
    let local = Local::new(&report.zone);
    let mut text = match report.edition {
        Some(n) => format!("Edition {n}"),
        None => "Draft, not published".to_owned(),
    };
    if let Some(old) = report.supersedes {
        text.push_str(&format!(", replaces edition {old}"));
    }
    if let Some(reason) = &report.edition_reason {
        text.push_str(&format!(" because: {reason}"));
    }
    text.push('.');
    let issued = match &report.approved_by {
        Some(_) => "Issued and approved by",
        None => "Published by",
    };
    match (&report.published_by, report.published_at) {
        (Some(by), Some(at)) => {
            text.push_str(&format!(" {issued} {by} on {}.", local.full(at)));
        }
        (Some(by), None) => text.push_str(&format!(" {issued} {by}.")),
        (None, Some(at)) => text.push_str(&format!(" Published on {}.", local.full(at))),
        (None, None) => {}
    }
    let covers = if report.to_date {
        format!(" The month is still running; figures end at {}.", local.full(report.as_of))
    } else {
        format!(" Evidence as known at {}.", local.full(report.as_of))
    };
    text.push_str(&covers);
    if report.demo {
        text.push_str(" This report is a demonstration: no such service exists.");
    }
    text
}

fn measured(level: &LevelFigure) -> bool {
    matches!(&level.figure, Figure::Availability(a) if a.availability_pct.is_some())
}

fn availability(report: &Report) -> impl Iterator<Item = (&LevelFigure, &Availability)> {
    report.levels.iter().filter_map(|level| match &level.figure {
        Figure::Availability(figure) => Some((level, &**figure)),
        _ => None,
    })
}

/// An outage and the levels it counts against.
pub(crate) struct Counted<'a> {
    /// Its component's name; the service's where it is of the whole.
    pub(crate) subject: &'a str,
    /// Its component's id; empty where they are several.
    pub(crate) component: &'a str,
    /// The components in it, where they are several.
    among: String,
    pub(crate) outage: &'a Outage,
    levels: Vec<String>,
}

impl Counted<'_> {
    /// Which levels it counts against, where it does not count around the clock.
    pub(crate) fn note(&self) -> String {
        let whole = self.levels.iter().any(|level| level == "Availability");
        if !self.among.is_empty() {
            return format!("{}: {}", self.levels.join("; "), self.among);
        }
        if whole { String::new() } else { self.levels.join("; ") }
    }
}

/// Outages of all levels; one that counts in full against several levels of a component is one
/// row.
pub(crate) fn outages(report: &Report) -> Vec<Counted<'_>> {
    let mut all: Vec<Counted<'_>> = Vec::new();
    for (level, figure) in availability(report) {
        for outage in &figure.outages {
            let name = words::measure(level);
            let component = match (level.component.as_deref(), outage.components.as_slice()) {
                (Some(id), _) => id,
                (None, [only]) => only,
                (None, _) => "",
            };
            let known = all.iter_mut().find(|c| c.component == component && same(c.outage, outage));
            if let Some(known) = known {
                known.levels.push(name);
                continue;
            }
            let named = |id| words::component_name(report, id);
            let (subject, among) = match component {
                "" => {
                    let several: Vec<&str> = outage.components.iter().map(|id| named(id)).collect();
                    (report.service.as_str(), several.join(", "))
                }
                id => (named(id), String::new()),
            };
            all.push(Counted { subject, component, among, outage, levels: vec![name] });
        }
    }
    all.sort_by_key(|c| (c.outage.from, c.outage.to));
    all
}

fn same(one: &Outage, other: &Outage) -> bool {
    let extent = |o: &Outage| (o.from, o.to, o.down_s, o.at_least_s, o.at_most_s);
    extent(one) == extent(other)
}

/// What is said where no outage counts.
pub(crate) fn no_outages(report: &Report) -> &'static str {
    if report.levels.iter().any(measured) {
        "None was confirmed in this month."
    } else {
        "No availability was measured in this month."
    }
}

/// What the checks saw in an outage, in plain words.
pub(crate) fn saw(outage: &Outage) -> String {
    let mut plain: Vec<&str> = Vec::new();
    for reason in &outage.reasons {
        let words = words::plain_reason(reason);
        if !plain.contains(&words) {
            plain.push(words);
        }
    }
    match plain.as_slice() {
        [] => "no reason was recorded".to_owned(),
        several => several.join("; "),
    }
}

/// What kind of time an exclusion is for.
pub(crate) fn class(entry: &ExclusionEntry) -> &str {
    match entry.class.as_str() {
        "third-party" => "third party",
        other => other,
    }
}

/// The names of its components.
pub(crate) fn components(report: &Report, entry: &ExclusionEntry) -> String {
    let names: Vec<_> =
        entry.components.iter().map(|id| words::component_name(report, id)).collect();
    names.join(", ")
}

/// Whether an exclusion counts, and why.
pub(crate) struct Decision {
    /// Yes, In part, No.
    pub(crate) counts: &'static str,
    pub(crate) why: Vec<String>,
}

/// What became of an exclusion.
pub(crate) fn decision(report: &Report, entry: &ExclusionEntry) -> Decision {
    let local = Local::new(&report.zone);
    let approval = match (entry.approved, &entry.by) {
        (Some(at), Some(by)) => format!("approved {} by {by}", local.short(at)),
        (Some(at), None) => format!("approved {}, by nobody named", local.short(at)),
        (None, _) => "not approved".to_owned(),
    };
    let announced = match (entry.announced, entry.claimed) {
        (Some(at), false) => format!("announced {}", local.short(at)),
        (Some(at), true) => format!("announced {}: claimed, not witnessed", local.short(at)),
        (None, _) => "never announced".to_owned(),
    };
    let refused = refusals(report, &entry.id);
    let counts = match (entry.accepted, refused.is_empty()) {
        (true, true) => "Yes",
        (true, false) => "In part",
        (false, _) => "No",
    };
    let mut why = vec![refused, announced, approval];
    why.retain(|line| !line.is_empty());
    Decision { counts, why }
}

/// What levels would have come to without an exclusion, a line each.
pub(crate) fn without(report: &Report, entry: &ExclusionEntry) -> Vec<String> {
    let line = |without: &Without| {
        let level = report.levels.iter().find(|level| level.id == without.level)?;
        let name = format!("{}, {}", words::subject(report, level), words::measure(level));
        let verdict = match without.met {
            Some(true) => ", met",
            Some(false) => ", missed",
            None => "",
        };
        let unit = if without.shown == "n/a" { "" } else { " %" };
        Some(format!("{name}: {}{unit}{verdict}", without.shown))
    };
    entry.without.iter().filter_map(line).collect()
}

/// Why an exclusion does not count, over all levels, each reason once.
fn refusals(report: &Report, id: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    for (_, figure) in availability(report) {
        for rejected in figure.rejected_exclusions.iter().filter(|r| r.id == id) {
            let text = refusal(rejected);
            if !said.contains(&text) {
                said.push(text);
            }
        }
    }
    said.join("; ")
}

/// Why an exclusion, or a part of it, does not count.
pub(crate) fn refusal(rejected: &RejectedExclusion) -> String {
    let times = match (rejected.given_s, rejected.needed_s) {
        (Some(given), Some(needed)) => Some((words::length(given), words::length(needed))),
        _ => None,
    };
    match (rejected.reason.as_str(), times) {
        ("approval", _) => "not approved in time".to_owned(),
        ("notice", Some((given, needed))) => format!("notice of {given}, {needed} needed"),
        ("notice", None) => "notice was too short".to_owned(),
        ("cap", Some((given, needed))) => {
            format!("{needed} asked for, {given} left under the month's cap")
        }
        ("cap", None) => "the month's cap was used up".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// How the figures came about, in sentences.
pub(crate) fn method(report: &Report) -> Vec<String> {
    let local = Local::new(&report.zone);
    let mut all = vec![
        "S is the time in service hours, X of it was agreed not to count, D counted as not working, \
         U is time for which there is no evidence. All are whole milliseconds."
            .to_owned(),
        reckoning(report),
        format!(
            "The month runs from {} to {} in the zone {}.",
            local.full(report.period.from),
            local.full(report.period.to),
            report.zone
        ),
        "Shown percentages are cut off after three places, never rounded up. Whether a target is \
         met is decided on exact whole numbers, not on what is shown."
            .to_owned(),
        "A check looks now and then, so an outage has no sharp edges. The figure is therefore \
         worked out twice more: with every outage as short and as long as the evidence allows. \
         The scorecard names both. Where the target lies between them, the level is not provable \
         either way."
            .to_owned(),
        "A failure counts as an outage only when as many checks as were agreed fail one after the \
         other, and then from the first of them on. Fewer are blips: counted, and not \
         downtime. Time that counts as slow is part of the time that works."
            .to_owned(),
        sites(report),
    ];
    all.extend(report.method.notes.iter().cloned());
    all.retain(|text| !text.is_empty());
    all
}

/// How deep the checks behind each part go.
pub(crate) fn depths(report: &Report) -> Option<String> {
    let levels = report.levels.iter().filter_map(|level| {
        Some((level.probed.as_deref()?, words::component_name(report, level.component.as_deref()?)))
    });
    words::depths("Checks go ", levels)
}

/// The formula, by what the levels of this report say about time without evidence.
fn reckoning(report: &Report) -> String {
    let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for level in &report.levels {
        if let Figure::Availability(a) = &level.figure {
            let name = format!("{} ({})", words::subject(report, level), words::measure(level));
            said.entry(a.unknown_policy.as_str()).or_default().push(name);
        }
    }
    let formula = |policy: &str| match policy {
        "exclude" => {
            "1 − D ÷ (S − X − U): time without evidence leaves the reckoning, and with too little \
             evidence a level is neither met nor missed"
        }
        "up" => "1 − D ÷ (S − X): time without evidence counts as working",
        "down" => "1 − (D + U) ÷ (S − X): time without evidence counts as not working",
        _ => "reckoned as the definition says",
    };
    let several = said.len() > 1;
    let sentences = said.iter().map(|(policy, levels)| {
        if several {
            format!("Availability of {} is {}.", words::and_list(levels), formula(policy))
        } else {
            format!("Availability is {}.", formula(policy))
        }
    });
    sentences.collect::<Vec<_>>().join(" ")
}

/// From how many places the service was watched. Agents' names are for operators alone.
fn sites(report: &Report) -> String {
    let places: Vec<String> = report
        .method
        .agents
        .iter()
        .map(|(agents, site)| match site.as_str() {
            "" => format!("{agents} at a site without a name"),
            site => format!("{agents} at the site {site}"),
        })
        .collect();
    if places.is_empty() {
        return "No agent was at work in this month.".to_owned();
    }
    format!("The service was watched by {}.", words::and_list(&places))
}
