//! The front: which service, which month, which edition; the verdict in sentences; the
//! scorecard of all levels.

use super::local;
use super::sheet::{ACCENT, Align, MARGIN, Mark, SECONDARY, Sheet, Style, TEXT, WIDTH, corners};
use super::table::{Cell, left, right, table};
use crate::render::words::{self, Standing};
use crate::report::model::{Figure, LevelFigure, Outage, Report};

/// Draws the head, the verdict and the scorecard.
pub(super) fn front(sheet: &mut Sheet<'_>, report: &Report) {
    head(sheet, report);
    verdict(sheet, report);
    sheet.heading("Scorecard", 20.0);
    if report.levels.is_empty() {
        sheet.paragraph(Style::BODY, "The definition promises no service level.");
    } else {
        scorecard(sheet, report);
    }
}

fn head(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.rect(MARGIN, MARGIN, WIDTH, 1.2, ACCENT);
    sheet.y = MARGIN + 4.0;
    let top = sheet.y;
    sheet.text_at(MARGIN, top, Style::BODY.coloured(SECONDARY), "Service levels");
    badges(sheet, report, top);
    sheet.y += 5.5;
    sheet.headings.push((report.service.clone(), 1));
    sheet.paragraph(Style::TITLE, &report.service);
    let month = format!("{}, {}", words::month_name(&report.month), report.zone);
    sheet.paragraph(Style::LEAD, &month);
    sheet.y += 0.8;
    sheet.paragraph(Style::SMALL, &provenance(report));
}

/// What must not be overlooked, in boxes at the top right.
fn badges(sheet: &mut Sheet<'_>, report: &Report, top: f32) {
    let mut edge = MARGIN + WIDTH;
    let wanted = [
        (report.to_date, "MONTH TO DATE"),
        (report.edition.is_none(), "DRAFT"),
        (report.demo, "DEMO"),
    ];
    for (_, word) in wanted.iter().filter(|(shown, _)| *shown) {
        let style = Style::SMALL_STRONG.coloured(TEXT);
        let width = sheet.width_of(style, word) + 4.0;
        let points = corners(edge - width, top - 0.6, width, 5.0);
        sheet.draw(Mark::Outline { points, width_pt: 1.0, colour: TEXT });
        sheet.text_in((edge - width, edge - 2.0), top + 0.1, Align::Right, style, word);
        edge -= width + 2.0;
    }
}

/// Which edition, by whom, when, on what evidence.
fn provenance(report: &Report) -> String {
    let local = local(report);
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
    match (&report.published_by, report.published_at) {
        (Some(by), Some(at)) => {
            text.push_str(&format!(" Published by {by} on {}.", local.full(at)));
        }
        (Some(by), None) => text.push_str(&format!(" Published by {by}.")),
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

fn verdict(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.y += 3.5;
    sheet.paragraph(Style::HEADING, &words::verdict(report));
    sheet.y += 0.5;
    for (wanted, words) in [
        (Standing::Missed, "Missed"),
        (Standing::NotProvable { as_measured: true }, "Not provable either way"),
        (Standing::NotEnough, "Not enough evidence"),
    ] {
        let same = move |s: Standing| std::mem::discriminant(&s) == std::mem::discriminant(&wanted);
        let named: Vec<String> = words::standing(report, same)
            .map(|l| format!("{} ({})", words::subject(report, l), lower(&words::measure(l))))
            .collect();
        if !named.is_empty() {
            sheet.paragraph(Style::BODY, &format!("{words}: {}.", named.join("; ")));
        }
    }
    if let Some((level, outage)) = longest(report) {
        let local = local(report);
        let verb = if outage.still_open { "had lasted" } else { "lasted" };
        sheet.paragraph(
            Style::BODY,
            &format!(
                "The longest outage was of {}: it began on {} and {verb} {}.",
                words::subject(report, level),
                local.short(outage.from),
                words::length(outage.down_s),
            ),
        );
    } else if report
        .levels
        .iter()
        .any(|l| matches!(&l.figure, Figure::Availability(a) if a.availability_pct.is_some()))
    {
        sheet.paragraph(Style::BODY, "No outage counted against any level.");
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn longest(report: &Report) -> Option<(&LevelFigure, &Outage)> {
    let outages = report.levels.iter().flat_map(|level| match &level.figure {
        Figure::Availability(a) => a.outages.iter().map(|o| (level, o)).collect(),
        _ => Vec::new(),
    });
    // of equal ones the first stands
    outages.fold(None, |best: Option<(&LevelFigure, &Outage)>, next| match best {
        Some(best) if best.1.down_s >= next.1.down_s => Some(best),
        _ => Some(next),
    })
}

fn scorecard(sheet: &mut Sheet<'_>, report: &Report) {
    let columns = [
        left("Service level", 53.0),
        right("Target", 18.0),
        right("Result", 20.0),
        right("At least, at most", 19.0),
        right("Not working", 16.0),
        right("Still allowed", 17.0),
        left("Verdict", 31.0),
    ];
    let rows: Vec<_> = report.levels.iter().map(|level| row(report, level)).collect();
    table(sheet, &columns, &rows);
}

fn row(report: &Report, level: &LevelFigure) -> Vec<Cell> {
    let standing = Standing::of(level);
    let name = Cell::new(words::subject(report, level)).small(format!(
        "{}: {}",
        words::measure(level),
        words::detail(level)
    ));
    let (promise, condition) = words::target(level);
    let result = Cell::default().and(
        if standing == Standing::Missed { Style::STRONG } else { Style::BODY },
        words::result(level),
    );
    let dash = || Cell::default().and(Style::BODY.coloured(SECONDARY), "–");
    let (bounds, down, left_over) = match &level.figure {
        Figure::Availability(a) => (
            match (a.low_pct, a.high_pct) {
                (Some(low), Some(high)) => Cell::default()
                    .small(format!("{} %", words::cut_pct(low)))
                    .small(format!("{} %", words::cut_pct(high))),
                _ => dash(),
            },
            Cell::default().and(SMALL_TEXT, words::length(a.down_s)),
            Cell::default().and(SMALL_TEXT, words::length(a.budget_left_s)),
        ),
        _ => (dash(), dash(), dash()),
    };
    let verdict = Cell::default()
        .and(Style::STRONG, standing.word())
        .small(standing.remark().unwrap_or_default())
        .signed(standing);
    vec![name, Cell::new(promise).small(condition), result, bounds, down, left_over, verdict]
}

/// Small print that is read as a figure, so not in the secondary colour.
const SMALL_TEXT: Style = Style::SMALL.coloured(TEXT);
