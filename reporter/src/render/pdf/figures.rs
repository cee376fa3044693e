//! What lies behind the levels that are not about availability: how fast mail was, how tickets
//! were resolved, and which addresses stood on which lists.

use super::appendix::{Appendix, Rows, Section};
use super::sheet::Sheet;
use super::style::Style;
use super::table::{Cell, Row, Table, left, right};
use super::{course, local};
use crate::render::history;
use crate::render::words::{self, Standing};
use crate::report::model::{
    DeliveryTime, Figure, LevelFigure, ListedTime, ListingSpan, Ms, Report, TicketFigure,
};

/// Draws what the report has of them.
pub(super) fn figures<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    deliveries(sheet, report, appendix);
    for level in &report.levels {
        match &level.figure {
            Figure::Resolution(_) => tickets(sheet, report, level, appendix),
            Figure::Listing(_) => listings(sheet, report, level, appendix),
            _ => {}
        }
    }
}

/// How fast mail was, for every level that promises it.
fn deliveries<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    let of = |level: &'r LevelFigure| match &level.figure {
        Figure::DeliveryTime(time) => Some((level, time)),
        _ => None,
    };
    let all: Vec<_> = report.levels.iter().filter_map(of).collect();
    if all.is_empty() {
        return;
    }
    let section = Section { shown: "those that were slowest", ..Section::new("How fast mail was") };
    let rows = Rows {
        items: all,
        limit: 12,
        weight: |(_, time)| time.p95_s.map_or(i64::MAX, |time| time.0),
        table: Box::new(move |sheet, all| delivery_table(sheet, report, all)),
    };
    appendix.section(sheet, section, rows);
}

fn delivery_table<'r>(
    sheet: &Sheet<'_>,
    report: &'r Report,
    all: &[&(&'r LevelFigure, &'r DeliveryTime)],
) -> Table<'r> {
    let courses = history::courses(report);
    let course_of = |level: &LevelFigure| courses.iter().find(|course| course.level.id == level.id);
    let drawn = all.iter().any(|(level, _)| course_of(level).is_some());
    let mut columns = vec![left("Component")];
    if drawn {
        columns.push(course::column(report));
    }
    for head in ["In time", "Half within", "95 % within", "99 % within", "Sent", "Lost"] {
        columns.push(right(head));
    }
    let row = |(level, time): &&(&'r LevelFigure, &'r DeliveryTime)| {
        let promise = format!("{}, {}", words::measure(level), words::target(level));
        let mut cells = vec![Cell::new(words::subject(report, level)).small(promise)];
        if drawn {
            let chart = course_of(level).map(|course| course::chart(report, course));
            cells.push(chart.map_or_else(Cell::default, Cell::chart_of));
        }
        let percentile = |at: Option<Ms>| match (time.sent, at) {
            (0, _) => Cell::figure("–"),
            (_, Some(at)) => Cell::figure(words::length(at)),
            (_, None) => Cell::figure("not at all"),
        };
        cells.extend([
            Cell::default().and(Style::FIGURE_STRONG, words::result(level)),
            percentile(time.p50_s),
            percentile(time.p95_s),
            percentile(time.p99_s),
            Cell::figure(words::thousands(time.sent)),
            Cell::figure(words::thousands(time.lost)),
        ]);
        Row::from(cells)
    };
    let rows = all.iter().map(row).collect();
    Table::new(sheet, "Delivery times by direction", columns, rows)
}

fn tickets<'r>(
    sheet: &mut Sheet<'_>,
    report: &'r Report,
    level: &'r LevelFigure,
    appendix: &mut Appendix<'r>,
) {
    let Figure::Resolution(figure) = &level.figure else { return };
    let all: Vec<&TicketFigure> = figure.tickets.iter().chain(&figure.open).collect();
    if all.is_empty() {
        return;
    }
    let section = Section {
        shown: "those that missed, then those that took longest",
        ..Section::new(format!("Tickets of severity {}", figure.severity))
    };
    let rows = Rows {
        items: all,
        limit: 12,
        weight: |ticket| {
            let missed = if ticket.met == Some(false) { i64::MAX / 2 } else { 0 };
            missed.saturating_add(ticket.used_s.0)
        },
        table: Box::new(move |sheet, tickets| {
            let columns = vec![
                left("Ticket"),
                left("Verdict"),
                left("Target passes"),
                right("Time used"),
                right("Paused"),
            ];
            let rows = tickets.iter().map(|ticket| ticket_row(report, ticket).into()).collect();
            Table::new(sheet, "Tickets and how long they took", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

fn ticket_row<'r>(report: &Report, ticket: &TicketFigure) -> Vec<Cell<'r>> {
    let word = |word: &str| Cell::default().and(Style::STRONG, word);
    let due = ticket.due.map_or("–".to_owned(), |at| local(report).short(at));
    let verdict = match ticket.met {
        Some(true) => word("Met").signed(Standing::Met),
        Some(false) => word("Missed").signed(Standing::Missed),
        None => word("Still open").signed(Standing::Nothing),
    };
    let ignored = ticket.ignored.iter().map(String::as_str);
    vec![
        ignored.fold(Cell::new(ticket.id.as_str()), Cell::small),
        verdict,
        Cell::new(due),
        Cell::new(words::length(ticket.used_s)),
        Cell::new(words::length(ticket.paused_s)),
    ]
}

fn listings<'r>(
    sheet: &mut Sheet<'_>,
    report: &'r Report,
    level: &'r LevelFigure,
    appendix: &mut Appendix<'r>,
) {
    let Figure::Listing(figure) = &level.figure else { return };
    let times = |listing: &'r ListingSpan| listing.times.iter().map(move |time| (listing, time));
    let all: Vec<(&ListingSpan, &ListedTime)> = figure.listings.iter().flat_map(times).collect();
    if all.is_empty() {
        return;
    }
    let intro = format!(
        "Some address was on a list for {} of {} in which lists could be asked; added up over \
         addresses and lists, {}.",
        words::length(figure.exposed_s),
        words::length(figure.observed_s),
        words::length(figure.list_s),
    );
    let section = Section {
        intro: vec![intro],
        shown: "the longest",
        ..Section::new(format!("Blocklists: {}", words::subject(report, level)))
    };
    let rows = Rows {
        items: all,
        limit: 12,
        weight: |(_, time)| time.to.0 - time.from.0,
        table: Box::new(move |sheet, all| {
            let columns = vec![
                left("Address and list"),
                left("First seen"),
                left("Until"),
                left("What its codes mean"),
            ];
            let row = |(listing, time): &&(&ListingSpan, &ListedTime)| {
                listing_row(report, listing, time).into()
            };
            let rows = all.iter().map(row).collect();
            Table::new(sheet, "Addresses on blocklists", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

/// A row for each time an address was on a list.
fn listing_row<'r>(report: &Report, listing: &ListingSpan, time: &ListedTime) -> Vec<Cell<'r>> {
    let local = local(report);
    let until = if time.still_open { "still listed at " } else { "" };
    vec![
        Cell::new(listing.address.as_str()).small(listing.list.as_str()),
        Cell::figure(local.short(time.from)),
        Cell::figure(format!("{until}{}", local.until(time.from, time.to))),
        Cell::default()
            .small(listing.codes.join(", "))
            .small(listing.means.as_str())
            .address(&listing.removal),
    ]
}
