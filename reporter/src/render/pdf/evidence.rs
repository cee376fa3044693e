//! What the verdicts rest on: outages, time agreed not to count, time without evidence, and
//! what lies behind the levels that are not about availability.

use super::local;
use super::sheet::{Sheet, Style};
use super::table::{Cell, left, right, table};
use crate::render::words::{self, Standing};
use crate::render::{history, story};
use crate::report::model::{
    ExclusionEntry, Figure, ListedTime, ListingSpan, Ms, Report, TicketFigure,
};

/// Draws all of it; a table without rows is a sentence that says so, or nothing where the
/// report has no such level.
pub(super) fn evidence(sheet: &mut Sheet<'_>, report: &Report) {
    outages(sheet, report);
    failing(sheet, report);
    exclusions(sheet, report);
    without_evidence(sheet, report);
    deliveries(sheet, report);
    tickets(sheet, report);
    listings(sheet, report);
}

fn outages(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.heading("Outages", 16.0);
    let all = story::outages(report);
    if all.is_empty() {
        sheet.paragraph(Style::BODY, story::no_outages(report));
        return;
    }
    let columns = [
        left("Component", 38.0),
        left("When", 42.0),
        right("Length", 19.0),
        right("At least", 19.0),
        right("At most", 19.0),
        left("What our checks saw", 37.0),
    ];
    let rows: Vec<_> = all.iter().map(|counted| outage_row(report, counted)).collect();
    table(sheet, &columns, &rows);
    sheet.y += 1.0;
    sheet.paragraph(
        Style::SMALL,
        "An outage begins with the first failed check and ends with the first that succeeds. It \
         lasted at least from the first failed check to the last, and at most from the last \
         successful check before it to the first after it.",
    );
}

fn outage_row(report: &Report, counted: &story::Counted<'_>) -> Vec<Cell> {
    let local = local(report);
    let outage = counted.outage;
    let until = if outage.still_open {
        format!("still open at {}", local.until(outage.from, outage.to))
    } else {
        format!("to {}", local.until(outage.from, outage.to))
    };
    vec![
        Cell::new(counted.subject).small(counted.note()),
        Cell::new(local.short(outage.from)).small(until),
        Cell::default().and(Style::FIGURE_STRONG, words::length(outage.down_s)),
        Cell::figure(words::length(outage.at_least_s)),
        Cell::figure(words::length(outage.at_most_s)),
        Cell::default().small(story::saw(outage)),
    ]
}

fn failing(sheet: &mut Sheet<'_>, report: &Report) {
    let all = history::failing(report);
    if all.is_empty() {
        return;
    }
    sheet.heading("How often, and for how long", 16.0);
    let columns = [
        left("Service level", 78.0),
        right("Failures", 20.0),
        right("Mean time to restore", 36.0),
        right("Mean time between failures", 40.0),
    ];
    let row = |failing: &history::Failing<'_>| {
        vec![
            Cell::new(words::subject(report, failing.level)).small(words::measure(failing.level)),
            Cell::new(failing.failures.to_string()),
            Cell::new(words::length_cut(failing.to_restore)),
            Cell::new(words::length_cut(failing.between)),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table(sheet, &columns, &rows);
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
        left("Which", 41.0),
        left("Components", 43.0),
        left("When", 43.0),
        left("Does it count?", 47.0),
    ];
    let rows: Vec<_> = report.exclusions.iter().map(|entry| exclusion(report, entry)).collect();
    table(sheet, &columns, &rows);
}

fn exclusion(report: &Report, entry: &ExclusionEntry) -> Vec<Cell> {
    let local = local(report);
    let decision = story::decision(report, entry);
    let style = if decision.counts == "Yes" { Style::BODY } else { Style::STRONG };
    let mut verdict = Cell::default().and(style, decision.counts);
    for line in decision.why {
        verdict = verdict.small(line);
    }
    vec![
        Cell::new(entry.id.as_str())
            .small(story::class(entry))
            .small(entry.reason.as_deref().unwrap_or_default()),
        Cell::new(story::components(report, entry)),
        Cell::new(local.short(entry.from))
            .small(format!("to {}", local.until(entry.from, entry.to))),
        verdict,
    ]
}

fn without_evidence(sheet: &mut Sheet<'_>, report: &Report) {
    let rows: Vec<_> = report
        .components
        .iter()
        .flat_map(|component| {
            component.unknown_by_reason.iter().filter(|(_, time)| time.0 > 0).map(|(why, time)| {
                vec![
                    Cell::new(component.name.as_str()),
                    Cell::new(words::unknown_reason(why)),
                    Cell::new(words::length(*time)),
                ]
            })
        })
        .collect();
    sheet.heading("Time without evidence", 16.0);
    if rows.is_empty() {
        let text = if report.components.is_empty() {
            "No component was watched."
        } else {
            "There was none: the checks could tell at all times."
        };
        sheet.paragraph(Style::BODY, text);
        return;
    }
    let columns = [left("Component", 53.0), left("Why", 87.0), right("How long", 34.0)];
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
            left("Ticket", 53.0),
            left("Verdict", 31.0),
            left("Target passes", 40.0),
            right("Time used", 26.0),
            right("Paused", 24.0),
        ];
        let word = |word: &str| Cell::default().and(Style::STRONG, word);
        let row = |ticket: &TicketFigure| {
            let due = ticket.due.map_or("–".to_owned(), |at| local.short(at));
            let verdict = match ticket.met {
                Some(true) => word("Met").signed(Standing::Met),
                Some(false) => word("Missed").signed(Standing::Missed),
                None => word("Still open").signed(Standing::Nothing),
            };
            let mut id = Cell::new(ticket.id.as_str());
            for ignored in &ticket.ignored {
                id = id.small(ignored.as_str());
            }
            vec![
                id,
                verdict,
                Cell::new(due),
                Cell::new(words::length(ticket.used_s)),
                Cell::new(words::length(ticket.paused_s)),
            ]
        };
        let rows: Vec<_> = figure.tickets.iter().chain(&figure.open).map(row).collect();
        table(sheet, &columns, &rows);
    }
}

/// How fast mail was, for every level that promises it.
fn deliveries(sheet: &mut Sheet<'_>, report: &Report) {
    let mut rows = Vec::new();
    for level in &report.levels {
        let Figure::DeliveryTime(d) = &level.figure else { continue };
        let percentile = |time: Option<Ms>| {
            Cell::new(time.map_or_else(|| "not at all".to_owned(), words::length))
        };
        let percentiles = if d.sent == 0 {
            [(); 4].map(|()| Cell::new("–"))
        } else {
            [d.p50_s, d.p90_s, d.p95_s, d.p99_s].map(percentile)
        };
        let [p50, p90, p95, p99] = percentiles;
        rows.push(vec![
            Cell::new(words::subject(report, level)),
            Cell::new(words::thousands(d.sent)),
            Cell::new(words::thousands(d.lost)),
            p50,
            p90,
            p95,
            p99,
        ]);
    }
    if rows.is_empty() {
        return;
    }
    sheet.heading("How fast mail was", 16.0);
    let columns = [
        left("Component", 53.0),
        right("Sent", 17.0),
        right("Lost", 14.0),
        right("Half within", 22.5),
        right("90 % within", 22.5),
        right("95 % within", 22.5),
        right("99 % within", 22.5),
    ];
    table(sheet, &columns, &rows);
}

fn listings(sheet: &mut Sheet<'_>, report: &Report) {
    for level in &report.levels {
        let Figure::Listing(figure) = &level.figure else { continue };
        if figure.listings.is_empty() {
            continue;
        }
        let name = format!("Blocklists: {}", words::subject(report, level));
        sheet.heading(&name, 16.0);
        let columns = [
            left("Address and list", 56.0),
            left("First seen", 34.0),
            left("Until", 34.0),
            left("What its codes mean", 50.0),
        ];
        let rows: Vec<_> =
            figure.listings.iter().flat_map(|listing| listing_rows(report, listing)).collect();
        table(sheet, &columns, &rows);
    }
}

/// A row for each time an address was on a list.
fn listing_rows(report: &Report, listing: &ListingSpan) -> Vec<Vec<Cell>> {
    let local = local(report);
    let codes = listing.codes.join(", ");
    let row = |time: &ListedTime| {
        let until = if time.still_open { "still listed at " } else { "" };
        vec![
            Cell::new(listing.address.as_str()).small(listing.list.as_str()),
            Cell::default().small(local.short(time.from)),
            Cell::default().small(format!("{until}{}", local.until(time.from, time.to))),
            Cell::default()
                .small(codes.as_str())
                .small(listing.means.as_str())
                .small(listing.removal.as_str()),
        ]
    };
    listing.times.iter().map(row).collect()
}
