//! A month at a glance: the verdict in three sentences, what the edition is, a component's days in
//! words, and where whoever doubts it finds the evidence.

use mailward_evidence::wire::VERSION;

use crate::render::history;
use crate::render::words::{self, Local, Standing};
use crate::report::model::{ComponentMonth, Day, Figure, LevelFigure, Ms, Outage, Report};

/// How many levels a sentence names before it counts the rest.
const NAMED: usize = 4;

/// The verdict, which levels do not stand well, and the longest outage.
pub(crate) fn verdict(report: &Report) -> Vec<String> {
    let mut said = vec![words::verdict(report)];
    said.extend(grounds(report));
    said
}

/// What the verdict rests on, in sentences, and the service as a whole.
pub(crate) fn findings(report: &Report) -> Vec<String> {
    grounds(report).into_iter().chain(history::whole(report)).collect()
}

fn grounds(report: &Report) -> Vec<String> {
    let groups = [
        (Standing::Missed, "Missed"),
        (Standing::NotProvable { as_measured: true }, "Not provable either way"),
        (Standing::NotEnough, "Not enough evidence"),
    ];
    let named = groups.iter().filter_map(|(wanted, word)| {
        let same = |s: Standing| std::mem::discriminant(&s) == std::mem::discriminant(wanted);
        let levels: Vec<String> = words::standing(report, same)
            .map(|l| format!("{} ({})", words::subject(report, l), lower(&words::measure(l))))
            .collect();
        match levels.len() {
            0 => None,
            n if n <= NAMED + 1 => Some(format!("{word}: {}.", levels.join("; "))),
            n => Some(format!(
                "{word}: {}; and {} more.",
                levels.get(..NAMED)?.join("; "),
                n - NAMED
            )),
        }
    });
    let mut said: Vec<String> = named.collect();
    if let Some((level, outage)) = longest(report) {
        let verb = if outage.still_open { "had lasted" } else { "lasted" };
        said.push(format!(
            "The longest outage was of {}: it began on {} and {verb} {}.",
            words::subject(report, level),
            Local::new(&report.zone).short(outage.from),
            words::length(outage.down_s),
        ));
    } else if report.levels.iter().any(super::measured) {
        said.push("No outage counted against any level.".to_owned());
    }
    said
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn longest(report: &Report) -> Option<(&LevelFigure, &Outage)> {
    // an outage of the whole service is one of its components
    let single =
        report.levels.iter().any(|level| level.component.is_some() && super::measured(level));
    let levels = report.levels.iter().filter(|level| !single || level.component.is_some());
    let outages = levels.flat_map(|level| match &level.figure {
        Figure::Availability(a) => a.outages.iter().map(|o| (level, o)).collect(),
        _ => Vec::new(),
    });
    // of equal ones the first stands
    outages.fold(None, |best: Option<(&LevelFigure, &Outage)>, next| match best {
        Some(best) if best.1.down_s >= next.1.down_s => Some(best),
        _ => Some(next),
    })
}

/// Facts about the edition, each a word and what it says.
pub(crate) fn facts(report: &Report, digest: &str) -> Vec<(&'static str, String)> {
    let local = Local::new(&report.zone);
    let edition = match (report.edition, report.supersedes) {
        (Some(n), Some(old)) => format!("{n}, replaces edition {old}"),
        (Some(n), None) => n.to_string(),
        (None, _) => "draft, not published".to_owned(),
    };
    let unit = if report.to_date { "figures end at" } else { "as known at" };
    let mut facts = vec![("Edition", edition)];
    facts.push(("Evidence", format!("{unit} {}", local.full(report.as_of))));
    let issued = report.published_at.map_or("not yet".to_owned(), |at| local.full(at));
    facts.push(("Issued", issued));
    let rules = format!("Mailward {}, evidence form {VERSION}", report.method.program);
    facts.push(("Rules", rules));
    let approved = match (&report.approved_by, &report.published_by) {
        (Some(by), _) => by.clone(),
        (None, Some(by)) => format!("nobody; published by {by}"),
        (None, None) => "nobody yet".to_owned(),
    };
    facts.push(("Approved by", approved));
    facts.push(("Digest", format!("sha256 {}", digest.get(..12).unwrap_or(digest))));
    facts
}

/// What a reader must know before the figures: why the edition was made, and what is no more
/// than a demonstration.
pub(crate) fn provisos(report: &Report) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(reason) = &report.edition_reason {
        let old = report.supersedes.map(|old| format!(" replaces edition {old}"));
        said.push(format!("This edition{} because: {reason}", old.unwrap_or_default()));
    }
    if report.to_date {
        said.push("The month is still running.".to_owned());
    }
    if report.demo {
        said.push("This report is a demonstration: no such service exists.".to_owned());
    }
    said
}

/// A component's month in words: which days were not all working, and how long.
pub(crate) fn days(component: &ComponentMonth) -> String {
    type Time = fn(&Day) -> Ms;
    let kinds: [(&str, Time); 4] = [
        ("not working", |day| day.down_s),
        ("slow", |day| day.degraded_s),
        ("agreed not to count", |day| day.excluded_s),
        ("no data", |day| day.unknown_s),
    ];
    let told = kinds.iter().filter_map(|(word, time)| {
        let days: Vec<String> = component
            .days
            .iter()
            .filter(|day| time(day).0 > 0)
            .map(|day| format!("{} {}", day.date.strftime("%-d %b"), words::length(time(day))))
            .collect();
        (!days.is_empty()).then(|| format!("{word} on {}", words::and_list(&days)))
    });
    let told: Vec<String> = told.collect();
    let worked = component.days.iter().any(|day| day.up_s.0 > 0);
    match (told.is_empty(), worked) {
        (true, true) => format!("{}: working on every day.", component.name),
        (true, false) => format!("{}: no day has been seen.", component.name),
        (false, true) => format!("{}: {}; else working.", component.name, told.join("; ")),
        (false, false) => format!("{}: {}.", component.name, told.join("; ")),
    }
}

/// Where the evidence is, and how to verify what is said.
pub(crate) fn whereabouts(report: &Report, digest: &str) -> Vec<String> {
    let month = &report.month;
    let all = match report.edition {
        Some(_) => format!(
            " All editions of this month stay at /performance/{month} on the service's status page."
        ),
        None => String::new(),
    };
    let zone_data = match report.method.zone_data.as_str() {
        "" => String::new(),
        version => format!(" with time-zone data {version}"),
    };
    vec![
        format!(
            "This report as numbers is report.json; outages.csv and daily.csv stand beside it.{all} \
             Its SHA-256, of which the foot of each page shows the beginning, is {digest}."
        ),
        format!(
            "Anyone with the evidence can do the reckoning again: import the records into an empty \
             store with “mailward import”, then run “mailward report --month {month}” with the \
             definition that the edition holds. “mailward verify” does both for a published edition. \
             The rules of the reckoning are in docs/rules.md of the program, and what an auditor \
             needs in docs/verify.md."
        ),
        format!("Made by Mailward {}{zone_data}.", report.method.program),
    ]
}
