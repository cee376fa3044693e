//! The front: which service, which month, which edition; the verdict in sentences; the
//! scorecard of all levels.

use super::sheet::{ACCENT, Align, MARGIN, Mark, SECONDARY, Sheet, Style, TEXT, WIDTH, corners};
use super::table::{Cell, left, right, table};
use crate::render::story;
use crate::render::words::{self, Standing};
use crate::report::model::{Availability, Figure, LevelFigure, Report};

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
    sheet.y = MARGIN + 3.5;
    let top = sheet.y + 1.6;
    let taken = badges(sheet, report, top);
    sheet.headings.push((report.service.clone(), 1));
    sheet.paragraph_in(Style::TITLE, &report.service, WIDTH - taken);
    let month = format!("Service levels in {}, {}", words::month_name(&report.month), report.zone);
    sheet.paragraph(Style::LEAD, &month);
    sheet.y += 0.8;
    sheet.paragraph(Style::SMALL, &story::provenance(report));
}

/// What must not be overlooked, in boxes at the top right; how much room they take.
fn badges(sheet: &mut Sheet<'_>, report: &Report, top: f32) -> f32 {
    let mut edge = MARGIN + WIDTH;
    for word in story::badges(report) {
        let style = Style::SMALL_STRONG.coloured(TEXT);
        let width = sheet.width_of(style, word) + 4.0;
        let points = corners(edge - width, top - 0.6, width, 5.0);
        sheet.draw(Mark::Outline { points, width_pt: 1.0, colour: TEXT });
        sheet.text_in((edge - width, edge - 2.0), top + 0.1, Align::Right, style, word);
        edge -= width + 2.0;
    }
    MARGIN + WIDTH - edge
}

fn verdict(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.y += 3.0;
    sheet.paragraph(Style::HEADING, &words::verdict(report));
    sheet.y += 0.5;
    for sentence in story::findings(report) {
        sheet.paragraph(Style::BODY, &sentence);
    }
}

fn scorecard(sheet: &mut Sheet<'_>, report: &Report) {
    let columns = [
        left("Service level", 52.5),
        right("Target", 15.5),
        right("Result", 19.5),
        right("Between", 16.5),
        right("Not working", 20.0),
        right("Budget left", 21.0),
        left("Verdict", 29.0),
    ];
    let mut before = None;
    let mut rows = Vec::new();
    for level in &report.levels {
        rows.push(row(report, level, before != Some(&level.component)));
        before = Some(&level.component);
    }
    table(sheet, &columns, &rows);
}

/// A level's row; the first of a component's names it.
fn row(report: &Report, level: &LevelFigure, first: bool) -> Vec<Cell> {
    let standing = Standing::of(level);
    let subject = if first { Cell::new(words::subject(report, level)) } else { Cell::default() };
    let measure = match words::detail(level).as_str() {
        "" => words::measure(level),
        detail => format!("{}, {detail}", words::measure(level)),
    };
    let result = Cell::default().and(
        if standing == Standing::Missed { Style::STRONG } else { Style::BODY },
        words::result(level),
    );
    let dash = || Cell::default().and(Style::BODY.coloured(SECONDARY), "–");
    let (bounds, down, budget_left) = match &level.figure {
        Figure::Availability(a) => (
            bounds(a),
            Cell::figure(words::length(a.down_s)),
            Cell::figure(words::length_cut(a.budget_left_s)),
        ),
        _ => (dash(), dash(), dash()),
    };
    let verdict = Cell::default()
        .and(Style::STRONG, standing.word())
        .small(standing.remark().unwrap_or_default())
        .signed(standing);
    let target = Cell::new(words::target(level));
    vec![subject.small(measure), target, result, bounds, down, budget_left, verdict]
}

/// The least and the most it can have been; once, where the evidence leaves no room.
fn bounds(a: &Availability) -> Cell {
    match (a.low_pct, a.high_pct) {
        (Some(low), Some(high)) => {
            let (low, high) = (words::cut_pct(low), words::cut_pct(high));
            let cell = Cell::figure(format!("{low} %"));
            if low == high { cell } else { cell.and(Style::FIGURE, format!("{high} %")) }
        }
        _ => Cell::default().and(Style::BODY.coloured(SECONDARY), "–"),
    }
}
