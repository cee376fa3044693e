//! What a month's report says in sentences, whatever it is rendered to: where it comes from,
//! what stands out, which outages and exclusions count, and how the figures were made.

mod method;
mod summary;

use crate::language::{Language, Local};
use crate::render::words;
use crate::report::model::{
    Availability, ExclusionEntry, Figure, LevelFigure, Outage, RejectedExclusion, Report, Without,
};

pub(crate) use method::{method, whereabouts};
pub(crate) use summary::{days, facts, findings, provisos, verdict, whole};

/// What must not be overlooked, each in a word or three.
pub(crate) fn badges<'l>(report: &Report, say: &'l Language) -> Vec<&'l str> {
    let all = [
        (report.to_date, say.badge.to_date()),
        (report.edition.is_none(), say.badge.draft()),
        (report.demo, say.badge.demo()),
    ];
    all.into_iter().filter(|(shown, _)| *shown).map(|(_, word)| word).collect()
}

/// What the report is called where it stands alone.
pub(crate) fn title(report: &Report, say: &Language) -> String {
    say.report.title(&report.service, say.month_name(&report.month))
}

/// Which edition this is, in words: `Edition 2`, `Draft`, with `to date` while the month runs.
pub(crate) fn edition(report: &Report, say: &Language) -> String {
    let edition = match report.edition {
        Some(n) => say.provenance.edition(n),
        None => say.provenance.draft().to_owned(),
    };
    if report.to_date { say.provenance.to_date(edition) } else { edition }
}

/// Which edition, by whom, when, on what evidence.
pub(crate) fn provenance(report: &Report, say: &Language) -> String {
    let local = Local::new(say, &report.zone);
    let text = &say.provenance;
    let what = match (report.edition, report.supersedes) {
        (Some(n), Some(old)) => text.replaces(n, old),
        (Some(n), None) => text.edition(n),
        (None, _) => text.unpublished().to_owned(),
    };
    let mut said = vec![match &report.edition_reason {
        Some(reason) => text.because(what, reason),
        None => text.sentence(what),
    }];
    let by = report.published_by.as_deref().map(|by| say.publisher(by));
    let at = report.published_at.map(|at| local.full(at));
    said.extend(match (by, at, report.approved_by.is_some()) {
        (Some(by), Some(at), true) => Some(text.approved(by, at)),
        (Some(by), Some(at), false) => Some(text.published(by, at)),
        (Some(by), None, true) => Some(text.approved_by(by)),
        (Some(by), None, false) => Some(text.published_by(by)),
        (None, Some(at), _) => Some(text.published_on(at)),
        (None, None, _) => None,
    });
    let as_of = local.full(report.as_of);
    said.push(if report.to_date { text.running(as_of) } else { text.known(as_of) });
    if report.demo {
        said.push(text.demonstration().to_owned());
    }
    said.join(" ")
}

/// Whether availability was measured at all.
pub(crate) fn measured(level: &LevelFigure) -> bool {
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
    levels: Vec<&'a LevelFigure>,
}

impl Counted<'_> {
    /// Which levels it counts against, where it does not count around the clock.
    pub(crate) fn note(&self, say: &Language) -> String {
        let names: Vec<String> = self.levels.iter().map(|level| say.measure(level)).collect();
        if !self.among.is_empty() {
            return say.list.headed(names.join("; "), &self.among);
        }
        let around_the_clock = |level: &&LevelFigure| {
            level.over.is_none()
                && matches!(&level.figure, Figure::Availability(a) if a.hours == "24x7")
        };
        let whole = self.levels.iter().any(around_the_clock);
        if whole { String::new() } else { names.join("; ") }
    }
}

/// Outages of all levels; one that counts in full against several levels of a component is one
/// row.
pub(crate) fn outages(report: &Report) -> Vec<Counted<'_>> {
    let mut all: Vec<Counted<'_>> = Vec::new();
    for (level, figure) in availability(report) {
        for outage in &figure.outages {
            let component = match (level.component.as_deref(), outage.components.as_slice()) {
                (Some(id), _) => id,
                (None, [only]) => only,
                (None, _) => "",
            };
            let known = all.iter_mut().find(|c| c.component == component && same(c.outage, outage));
            if let Some(known) = known {
                known.levels.push(level);
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
            all.push(Counted { subject, component, among, outage, levels: vec![level] });
        }
    }
    all.sort_by_key(|c| (c.outage.from, c.outage.to));
    all
}

fn same(one: &Outage, other: &Outage) -> bool {
    let extent = |o: &Outage| (o.from, o.to, o.down_s, o.at_least_s, o.at_most_s);
    extent(one) == extent(other)
}

/// What the checks saw in an outage, in plain words.
pub(crate) fn saw(outage: &Outage, say: &Language) -> String {
    let mut plain: Vec<String> = Vec::new();
    for reason in &outage.reasons {
        let words = say.reason(reason);
        if !plain.contains(&words) {
            plain.push(words);
        }
    }
    match plain.as_slice() {
        [] => say.report.no_reason().to_owned(),
        several => several.join("; "),
    }
}

/// What kind of time an exclusion is for.
pub(crate) fn class<'a>(entry: &'a ExclusionEntry, say: &'a Language) -> &'a str {
    match entry.class.as_str() {
        "third-party" => say.exclusion.third_party(),
        "maintenance" => say.exclusion.maintenance(),
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
    /// Whether all of it does.
    pub(crate) whole: bool,
    /// Yes, In part, No.
    pub(crate) counts: String,
    pub(crate) why: Vec<String>,
}

/// What became of an exclusion.
pub(crate) fn decision(report: &Report, entry: &ExclusionEntry, say: &Language) -> Decision {
    let local = Local::new(say, &report.zone);
    let text = &say.exclusion;
    let approval = match (entry.approved, &entry.by) {
        (Some(at), Some(by)) => text.approved(local.short(at), by),
        (Some(at), None) => text.approved_by_nobody(local.short(at)),
        (None, _) => text.not_approved().to_owned(),
    };
    let announced = match (entry.announced, entry.claimed) {
        (Some(at), false) => text.announced(local.short(at)),
        (Some(at), true) => text.claimed(local.short(at)),
        (None, _) => text.never_announced().to_owned(),
    };
    let refused = refusals(report, &entry.id, say);
    let counts = match (entry.accepted, refused.is_empty()) {
        (true, true) => text.yes(),
        (true, false) => text.in_part(),
        (false, _) => text.no(),
    };
    let whole = entry.accepted && refused.is_empty();
    let mut why = vec![refused, announced, approval];
    why.retain(|line| !line.is_empty());
    Decision { whole, counts: counts.to_owned(), why }
}

/// What levels would have come to without an exclusion, a line each.
pub(crate) fn without(report: &Report, entry: &ExclusionEntry, say: &Language) -> Vec<String> {
    let line = |without: &Without| {
        let level = report.levels.iter().find(|level| level.id == without.level)?;
        let name = say.exclusion.level(words::subject(report, level), say.measure(level));
        let shown = say.share(&without.shown);
        let shown = match without.met {
            Some(true) => say.standing.then_met(shown),
            Some(false) => say.standing.then_missed(shown),
            None => shown,
        };
        Some(say.exclusion.without(name, shown))
    };
    entry.without.iter().filter_map(line).collect()
}

/// Why an exclusion does not count, over all levels, each reason once.
fn refusals(report: &Report, id: &str, say: &Language) -> String {
    let mut said: Vec<String> = Vec::new();
    for (_, figure) in availability(report) {
        for rejected in figure.rejected_exclusions.iter().filter(|r| r.id == id) {
            let text = refusal(rejected, say);
            if !said.contains(&text) {
                said.push(text);
            }
        }
    }
    said.join("; ")
}

/// Why an exclusion, or a part of it, does not count.
pub(crate) fn refusal(rejected: &RejectedExclusion, say: &Language) -> String {
    let text = &say.exclusion;
    let times = match (rejected.given_s, rejected.needed_s) {
        (Some(given), Some(needed)) => Some((say.length(given), say.length(needed))),
        _ => None,
    };
    match (rejected.reason.as_str(), times) {
        ("approval", _) => text.refused_approval().to_owned(),
        ("notice", Some((given, needed))) => text.refused_notice(given, needed),
        ("notice", None) => text.notice_too_short().to_owned(),
        ("cap", Some((given, needed))) => text.refused_cap(needed, given),
        ("cap", None) => text.cap_used_up().to_owned(),
        (other, _) => other.to_owned(),
    }
}
