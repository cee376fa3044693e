//! What the verdicts rest on: outages, time agreed not to count, time without evidence, and
//! what lies behind the levels that are not about availability.

use super::local;
use super::sheet::{Sheet, Style};
use super::table::{Cell, left, right, table};
use crate::render::words;
use crate::report::model::{
    Availability, ExclusionEntry, Figure, LevelFigure, Outage, RejectedExclusion, Report,
    TicketFigure,
};

/// Draws all of it; a table without rows is a sentence that says so, or nothing where the
/// report has no such level.
pub(super) fn evidence(sheet: &mut Sheet<'_>, report: &Report) {
    outages(sheet, report);
    exclusions(sheet, report);
    without_evidence(sheet, report);
    tickets(sheet, report);
    listings(sheet, report);
}

fn availability(report: &Report) -> impl Iterator<Item = (&LevelFigure, &Availability)> {
    report.levels.iter().filter_map(|level| match &level.figure {
        Figure::Availability(figure) => Some((level, &**figure)),
        _ => None,
    })
}

/// An outage and the levels it counts against.
struct Counted<'a> {
    component: &'a str,
    outage: &'a Outage,
    levels: Vec<String>,
}

/// Outages of all levels; one that counts in full against several levels of a component is one
/// row.
fn collected(report: &Report) -> Vec<Counted<'_>> {
    let mut all: Vec<Counted<'_>> = Vec::new();
    for (level, figure) in availability(report) {
        let component = level.component.as_deref().unwrap_or_default();
        for outage in &figure.outages {
            let name = words::measure(level);
            match all.iter_mut().find(|c| c.component == component && c.outage == outage) {
                Some(known) => known.levels.push(name),
                None => all.push(Counted { component, outage, levels: vec![name] }),
            }
        }
    }
    all.sort_by_key(|c| (c.outage.from, c.outage.to));
    all
}

fn outages(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.heading("Outages", 16.0);
    let all = collected(report);
    if all.is_empty() {
        let measured = availability(report).any(|(_, a)| a.availability_pct.is_some());
        let text = if measured {
            "None was confirmed in this month."
        } else {
            "No availability was measured in this month."
        };
        sheet.paragraph(Style::BODY, text);
        return;
    }
    let local = local(report);
    let columns = [
        left("Component", 39.0),
        left("From", 33.0),
        left("To", 33.0),
        right("Length", 24.0),
        left("What our checks saw", 45.0),
    ];
    let rows: Vec<_> = all
        .iter()
        .map(|counted| {
            let outage = counted.outage;
            let whole = counted.levels.iter().any(|level| level == "Availability");
            let note = if whole { String::new() } else { counted.levels.join("; ") };
            let until = if outage.still_open {
                Cell::new("still open").small(format!("at {}", local.short(outage.to)))
            } else {
                Cell::new(local.short(outage.to))
            };
            vec![
                Cell::new(words::component_name(report, counted.component)).small(note),
                Cell::new(local.short(outage.from)),
                until,
                Cell::new(words::length(outage.down_s))
                    .small(format!("at least {}", words::length(outage.at_least_s)))
                    .small(format!("at most {}", words::length(outage.at_most_s))),
                Cell::default().small(reasons(&outage.reasons)),
            ]
        })
        .collect();
    table(sheet, &columns, &rows);
    sheet.y += 1.0;
    sheet.paragraph(
        Style::SMALL,
        "An outage begins with the first failed check and ends with the first that succeeds. It \
         lasted at least from the first failed check to the last, and at most from the last \
         successful check before it to the first after it.",
    );
}

/// Reasons in plain words, as a sentence.
fn reasons(reasons: &[String]) -> String {
    let mut plain: Vec<&str> = Vec::new();
    for reason in reasons {
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

fn exclusions(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.heading("Time agreed not to count", 16.0);
    sheet.paragraph(Style::BODY, &report.method.maintenance);
    if report.exclusions.is_empty() {
        sheet.paragraph(Style::BODY, "Nothing was asked to be left out of this month.");
        return;
    }
    sheet.y += 1.5;
    let columns = [
        left("Which", 36.0),
        left("Components", 38.0),
        left("From", 33.0),
        left("To", 33.0),
        left("Does it count?", 34.0),
    ];
    let rows: Vec<_> = report.exclusions.iter().map(|entry| exclusion(report, entry)).collect();
    table(sheet, &columns, &rows);
}

fn exclusion(report: &Report, entry: &ExclusionEntry) -> Vec<Cell> {
    let local = local(report);
    let class = match entry.class.as_str() {
        "third-party" => "third party",
        other => other,
    };
    let names: Vec<_> =
        entry.components.iter().map(|id| words::component_name(report, id)).collect();
    let mut told = match entry.announced {
        Some(at) => {
            Cell::new(local.short(entry.from)).small(format!("announced {}", local.short(at)))
        }
        None => Cell::new(local.short(entry.from)).small("never announced"),
    };
    if entry.claimed {
        told = told.small("claimed, not witnessed");
    }
    let approval = match (entry.approved, &entry.by) {
        (Some(at), Some(by)) => format!("approved {} by {by}", local.short(at)),
        (Some(at), None) => format!("approved {}, by nobody named", local.short(at)),
        (None, _) => "not approved".to_owned(),
    };
    let refused = refusals(report, &entry.id);
    let verdict = match (entry.accepted, refused.is_empty()) {
        (true, true) => Cell::new("Yes"),
        (true, false) => Cell::new("In part").small(refused),
        (false, _) => Cell::default().and(Style::STRONG, "No").small(refused),
    };
    vec![
        Cell::new(entry.id.as_str())
            .small(class)
            .small(entry.reason.as_deref().unwrap_or_default()),
        Cell::new(names.join(", ")),
        told,
        Cell::new(local.short(entry.to)).small(approval),
        verdict,
    ]
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

fn refusal(rejected: &RejectedExclusion) -> String {
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

fn without_evidence(sheet: &mut Sheet<'_>, report: &Report) {
    let rows: Vec<_> = report
        .components
        .iter()
        .flat_map(|component| {
            component.unknown_by_reason.iter().filter(|(_, time)| time.0 > 0).map(|(why, time)| {
                vec![
                    Cell::new(component.name.as_str()),
                    Cell::new(words::length(*time)),
                    Cell::new(words::unknown_reason(why)),
                ]
            })
        })
        .collect();
    sheet.heading("Time without evidence", 16.0);
    if rows.is_empty() {
        sheet.paragraph(Style::BODY, "There was none: the checks could tell at all times.");
        return;
    }
    let columns = [left("Component", 56.0), right("How long", 34.0), left("Why", 84.0)];
    table(sheet, &columns, &rows);
}

fn tickets(sheet: &mut Sheet<'_>, report: &Report) {
    let local = local(report);
    for level in &report.levels {
        let Figure::Resolution(figure) = &level.figure else { continue };
        if figure.tickets.is_empty() && figure.open.is_empty() {
            continue;
        }
        sheet.heading(&format!("Tickets of severity {}", figure.severity), 16.0);
        let columns = [
            left("Ticket", 40.0),
            left("Target passes", 40.0),
            right("Time used", 32.0),
            right("Paused", 28.0),
            left("Verdict", 34.0),
        ];
        let row = |ticket: &TicketFigure| {
            let due = ticket.due.map_or("–".to_owned(), |at| local.short(at));
            let verdict = match ticket.met {
                Some(true) => "Met",
                Some(false) => "Missed",
                None => "Still open",
            };
            let mut id = Cell::new(ticket.id.as_str());
            for ignored in &ticket.ignored {
                id = id.small(ignored.as_str());
            }
            vec![
                id,
                Cell::new(due),
                Cell::new(words::length(ticket.used_s)),
                Cell::new(words::length(ticket.paused_s)),
                Cell::default().and(Style::STRONG, verdict),
            ]
        };
        let rows: Vec<_> = figure.tickets.iter().chain(&figure.open).map(row).collect();
        table(sheet, &columns, &rows);
    }
}

fn listings(sheet: &mut Sheet<'_>, report: &Report) {
    for level in &report.levels {
        let Figure::Listing(figure) = &level.figure else { continue };
        if figure.listings.is_empty() {
            continue;
        }
        let name = format!("Blocklists: {}", words::subject(report, level));
        sheet.heading(&name, 16.0);
        let columns = [left("Address", 64.0), left("List", 76.0), right("How long", 34.0)];
        let rows: Vec<_> = figure
            .listings
            .iter()
            .map(|span| {
                vec![
                    Cell::new(span.address.as_str()),
                    Cell::new(span.list.as_str()),
                    Cell::new(words::length(span.listed_s)),
                ]
            })
            .collect();
        table(sheet, &columns, &rows);
    }
}
