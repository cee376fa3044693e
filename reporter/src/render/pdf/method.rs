//! How the figures came about, so that a reader who doubts them can do them again: rules in
//! sentences, the checks, where the evidence is.

use std::collections::BTreeMap;

use super::sheet::{Sheet, Style};
use super::table::{Cell, left, right, table};
use crate::render::words;
use crate::report::model::{Figure, Report};

/// Draws the method.
pub(super) fn method(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.heading("How these figures were made", 24.0);
    for text in sentences(report) {
        sheet.paragraph(Style::BODY, &text);
        sheet.gap(1.2);
    }
    probes(sheet, report);
    sheet.heading("Where to get the evidence", 16.0);
    for text in whereabouts(report) {
        sheet.paragraph(Style::BODY, &text);
        sheet.gap(1.2);
    }
}

fn sentences(report: &Report) -> Vec<String> {
    let mut all = vec![
        "Availability is 1 − D ÷ (S − X − U). S is the time in service hours, X of it was agreed \
         not to count, D counted as not working, U is time for which there is no evidence. All \
         are whole milliseconds."
            .to_owned(),
        unknown_policy(report),
        format!(
            "The month runs from {} to {} in the zone {}.",
            super::local(report).full(report.period.from),
            super::local(report).full(report.period.to),
            report.zone
        ),
        "Shown percentages are cut off after three places, never rounded up. Whether a target is \
         met is decided on exact whole numbers, not on what is shown."
            .to_owned(),
        "A check looks now and then, so an outage has no sharp edges. The figure is therefore \
         worked out twice more: with every outage as short and as long as the evidence allows. \
         “At least” and “at most” in the scorecard are these. Where the target lies between them, \
         the level is not provable either way."
            .to_owned(),
        "A failure counts as an outage only when the number of checks shown below fail one after \
         the other, and then from the first of them on. Fewer are blips: counted, and not \
         downtime. Time that counts as slow is part of the time that works."
            .to_owned(),
        sites(report),
    ];
    all.retain(|text| !text.is_empty());
    all
}

/// What becomes of time without evidence, by what the levels of this report say.
fn unknown_policy(report: &Report) -> String {
    let mut said = BTreeMap::new();
    for level in &report.levels {
        if let Figure::Availability(a) = &level.figure {
            said.entry(a.unknown_policy.as_str()).or_insert_with(Vec::new).push(format!(
                "{} ({})",
                words::subject(report, level),
                words::measure(level)
            ));
        }
    }
    let rule = |policy: &str| match policy {
        "exclude" => {
            "leaves the reckoning; with too little evidence a level is neither met nor missed"
        }
        "up" => "counts as working",
        "down" => "counts as not working",
        _ => "is treated as the definition says",
    };
    match said.len() {
        0 => String::new(),
        1 => said.keys().map(|policy| format!("Time without evidence {}.", rule(policy))).collect(),
        _ => said
            .iter()
            .map(|(policy, levels)| {
                format!("Time without evidence {} for {}.", rule(policy), words::and_list(levels))
            })
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// From how many places the service was watched. Agents' names are for operators alone.
fn sites(report: &Report) -> String {
    let mut at: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, site) in &report.method.agents {
        *at.entry(site).or_default() += 1;
    }
    if at.is_empty() {
        return "No agent was at work in this month.".to_owned();
    }
    let places: Vec<String> = at
        .iter()
        .map(|(site, n)| {
            let agents = words::counted(*n, "agent");
            if site.is_empty() {
                format!("{agents} at a site without a name")
            } else {
                format!("{agents} at the site {site}")
            }
        })
        .collect();
    format!("The service was watched by {}.", words::and_list(&places))
}

fn probes(sheet: &mut Sheet<'_>, report: &Report) {
    if report.method.probes.is_empty() {
        return;
    }
    sheet.gap(2.0);
    let columns = [
        left("Component", 52.0),
        left("Check", 46.0),
        left("Kind", 26.0),
        left("How often", 26.0),
        right("Failures that count", 24.0),
    ];
    let rows: Vec<_> = report
        .method
        .probes
        .iter()
        .map(|probe| {
            let count = if probe.advisory {
                Cell::new("none").small("told only")
            } else {
                Cell::new(probe.confirm.to_string())
            };
            vec![
                Cell::new(words::component_name(report, &probe.component)),
                Cell::new(probe.id.as_str()),
                Cell::new(probe.kind.as_str()),
                Cell::new(probe.every.as_str()),
                count,
            ]
        })
        .collect();
    table(sheet, &columns, &rows);
}

fn whereabouts(report: &Report) -> Vec<String> {
    let month = &report.month;
    let json = match report.edition {
        Some(_) => format!(
            "This report as numbers is report.json; the digest at the foot of each page is the \
             beginning of its SHA-256. Beside it stand outages.csv and daily.csv. All editions of \
             this month stay at /performance/{month} on the service's status page."
        ),
        None => "This report as numbers is report.json; the digest at the foot of each page is \
                 the beginning of its SHA-256. Beside it stand outages.csv and daily.csv."
            .to_owned(),
    };
    let zone_data = match report.method.zone_data.as_str() {
        "" => String::new(),
        version => format!(" with time-zone data {version}"),
    };
    vec![
        json,
        format!(
            "Anyone with the evidence can do the reckoning again: import the records into an empty \
             store with “mailward import”, then run “mailward report --month {month}” with the \
             definition that the edition holds."
        ),
        format!("Made by Mailward {}{zone_data}.", report.method.program),
    ]
}
