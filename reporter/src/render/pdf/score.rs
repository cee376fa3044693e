//! The scorecard: every level with its target, its result and the least and most it can have
//! been, time not working, what is left of the budget, the change, and the verdict.

use super::sheet::Sheet;
use super::style::{SECONDARY, Style};
use super::table::{Cell, Row, Table, left, right};
use crate::render::history;
use crate::render::words::{self, Standing};
use crate::report::model::{Availability, Figure, LevelFigure, Report};

/// The table of these levels.
pub(super) fn table<'r>(
    sheet: &Sheet<'_>,
    report: &'r Report,
    levels: &[&'r LevelFigure],
) -> Table<'r> {
    let columns = vec![
        left("Service level"),
        right("Target"),
        right("Result"),
        right("Not working"),
        right("Budget left"),
        right("Change"),
        left("Verdict"),
    ];
    let mut rows: Vec<Row<'r>> = Vec::new();
    for (i, level) in levels.iter().enumerate() {
        let of = |i: usize| levels.get(i).map(|level| &level.component);
        let first = i.checked_sub(1).and_then(of) != Some(&level.component);
        let row = Row::from(cells(report, level, first));
        let together = of(i + 1) == Some(&level.component);
        rows.push(if together { row.open() } else { row });
    }
    let month = words::month_name(&report.month);
    Table::new(sheet, format!("The service levels in {month}"), columns, rows)
}

/// A level's row; the first of a component's names it.
fn cells<'r>(report: &Report, level: &LevelFigure, first: bool) -> Vec<Cell<'r>> {
    let standing = Standing::of(level);
    let name = if first { words::subject(report, level) } else { "" };
    let measure = match words::detail(level).as_str() {
        "" => words::measure(level),
        detail => format!("{}, {detail}", words::measure(level)),
    };
    let subject = Cell::default().and(Style::STRONG, name).and(Style::FIGURE, measure);
    let style = if standing == Standing::Missed { Style::STRONG } else { Style::BODY };
    let result = Cell::default().and(style, words::result(level));
    let (result, down, budget_left) = match &level.figure {
        Figure::Availability(a) => (
            result.small(bounds(a)),
            Cell::figure(words::length(a.down_s)),
            Cell::figure(words::length_cut(a.budget_left_s)),
        ),
        _ => (result, dash(), dash()),
    };
    let change = history::change(level);
    // what is long stands in two lines, so that the column stays narrow
    let (word, rest) = match (standing.remark(), standing.word()) {
        (Some(remark), _) => ("Not provable", remark),
        (None, "Not enough evidence") => ("Not enough", "evidence"),
        (None, word) => (word, ""),
    };
    let verdict = Cell::default().and(Style::STRONG, word).small(rest).signed(standing);
    vec![
        subject,
        Cell::figure(words::target(level)),
        result,
        down,
        budget_left,
        if change == "–" { dash() } else { Cell::figure(change) },
        verdict,
    ]
}

fn dash<'r>() -> Cell<'r> {
    Cell::default().and(Style::FIGURE.coloured(SECONDARY), "–")
}

/// The least and the most it can have been; nothing where the evidence leaves no room.
fn bounds(a: &Availability) -> String {
    let (Some(low), Some(high)) = (a.low_pct, a.high_pct) else { return String::new() };
    let (low, high) = (words::cut_pct(low), words::cut_pct(high));
    if low == high && low == a.availability_shown {
        String::new()
    } else {
        format!("{low}–{high}")
    }
}
