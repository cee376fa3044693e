//! The months before: a row per level, its course drawn and its last two figures told.

use super::{Cell, Column, Drawn, Holds, Row, Section, Table, Tone, figures, text};
use crate::language::{Language, Moment};
use crate::render::history::{self, Course};
use crate::render::words::{self, Standing};
use crate::report::model::{LevelFigure, Report, TrendMonth};

/// The section; nothing where no earlier month is known.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Option<Section<'r>> {
    let courses = history::courses(report);
    if courses.is_empty() {
        return None;
    }
    let heads = &say.column;
    let columns = vec![
        text(heads.level()),
        column(report, say),
        figures(heads.last_month()),
        figures(heads.this_month()),
        figures(heads.change()),
    ];
    let row = |course: &Course<'r>| {
        let level = course.level;
        let mut back = course.months.iter().rev();
        let (this, last) = (back.next().copied().flatten(), back.next().copied().flatten());
        let shown = |point: Option<&TrendMonth>| point.map(|point| history::shown(point, say));
        let this = shown(this).unwrap_or_else(|| "–".to_owned());
        Row::new(
            weight(level),
            vec![
                name(report, level, say),
                chart(report, course, say),
                Cell::maybe(shown(last)),
                Cell::default().and(Tone::FigureStrong, this),
                Cell::maybe(history::change(level, say)),
            ],
        )
    };
    let table = Table {
        caption: say.report.months_caption().to_owned(),
        columns,
        rows: courses.iter().map(row).collect(),
        limit: 14,
        shown: say.report.the_worst().to_owned(),
    };
    Some(Section {
        table: Some(table),
        note: format!("{} {}", say.report.months_note(), history::sources(report, say)),
        ..Section::new("course", say.report.months())
    })
}

/// Those that missed, then those that went for the worse.
fn weight(level: &LevelFigure) -> i64 {
    2 * i64::from(Standing::of(level) == Standing::Missed) + i64::from(level.is_worse())
}

fn name<'r>(report: &Report, level: &LevelFigure, say: &Language) -> Cell<'r> {
    let small = format!("{}, {}", say.measure(level), say.target(level));
    Cell::new(words::subject(report, level)).small(small)
}

/// The column of drawn courses.
pub(super) fn column(report: &Report, say: &Language) -> Column {
    let months = history::months(report);
    let name = |month: &crate::clock::Month| say.date(Moment::month_of_year, month.first_date());
    let head = match (months.first(), months.last()) {
        (Some(first), Some(last)) => say.report.months_span(name(first), name(last)),
        _ => say.column.months().to_owned(),
    };
    Column { head, holds: Holds::Months }
}

/// A course as it is drawn.
pub(super) fn chart<'r>(report: &Report, course: &Course<'r>, say: &Language) -> Cell<'r> {
    Cell::drawn(Drawn::Months(course.clone()), history::told(report, course, say))
}

/// Each month's figure of each course, the newest first; months of which nothing is told are
/// left out.
pub(super) fn in_figures<'r>(report: &'r Report, say: &Language) -> Option<Table<'r>> {
    let (months, courses) = (history::months(report), history::courses(report));
    let is_told = |i: &usize| courses.iter().any(|course| course.months[*i].is_some());
    let told: Vec<usize> = (0..months.len()).rev().filter(is_told).collect();
    if told.is_empty() {
        return None;
    }
    let mut columns = vec![text(say.column.level())];
    let name = |i: &usize| say.date(Moment::month_short_of_year, months[*i].first_date());
    columns.extend(told.iter().map(|i| figures(name(i))));
    let row = |course: &Course<'r>| {
        let mut cells = vec![name_of(report, course, say)];
        cells.extend(told.iter().map(|i| month(course.months[*i], say)));
        Row::new(0, cells)
    };
    let rows = courses.iter().map(row).collect();
    Some(Table { caption: say.report.months_each().to_owned(), columns, rows, ..Table::default() })
}

fn name_of<'r>(report: &Report, course: &Course<'_>, say: &Language) -> Cell<'r> {
    name(report, course.level, say)
}

/// A month's figure with its verdict's sign.
fn month<'r>(point: Option<&TrendMonth>, say: &Language) -> Cell<'r> {
    let Some(point) = point else { return Cell::default() };
    let standing = match point.met {
        Some(true) => Standing::Met,
        Some(false) => Standing::Missed,
        None => Standing::NotEnough,
    };
    Cell::figure(history::shown(point, say)).signed(standing)
}
