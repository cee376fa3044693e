//! How fast mail was, for every level that promises it, with its course over the months.

use super::months;
use super::{Cell, Row, Section, Table, Tone, figures, text};
use crate::language::Language;
use crate::render::{history, words};
use crate::report::model::{DeliveryTime, Figure, LevelFigure, Ms, Report};

/// The section; nothing where no level is about it.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Option<Section<'r>> {
    let of = |level: &'r LevelFigure| match &level.figure {
        Figure::DeliveryTime(time) => Some((level, time)),
        _ => None,
    };
    let all: Vec<_> = report.levels.iter().filter_map(of).collect();
    if all.is_empty() {
        return None;
    }
    let courses = history::courses(report);
    let course_of = |level: &LevelFigure| courses.iter().find(|course| course.level.id == level.id);
    let drawn = all.iter().any(|(level, _)| course_of(level).is_some());
    let heads = &say.column;
    let mut columns = vec![text(heads.component())];
    if drawn {
        columns.push(months::column(report, say));
    }
    columns.extend([
        figures(heads.in_time()),
        figures(heads.half()),
        figures(heads.nearly_all(say.percent("95"))),
        figures(heads.nearly_all(say.percent("99"))),
        figures(heads.sent()),
        figures(heads.lost()),
    ]);
    let row = |(level, time): &(&'r LevelFigure, &'r DeliveryTime)| {
        let promise = format!("{}, {}", say.measure(level), say.target(level));
        let mut cells = vec![Cell::new(words::subject(report, level)).small(promise)];
        if drawn {
            let course = course_of(level);
            cells.push(course.map_or_else(Cell::default, |c| months::chart(report, c, say)));
        }
        cells.push(Cell::default().and(Tone::FigureStrong, say.result(level)));
        cells.extend([time.p50_s, time.p95_s, time.p99_s].map(|at| percentile(time, at, say)));
        cells.extend([time.sent, time.lost].map(|n| Cell::figure(say.count(n))));
        Row::new(time.p95_s.map_or(i64::MAX, |time| time.0), cells)
    };
    let table = Table {
        caption: say.report.delivery_caption().to_owned(),
        columns,
        rows: all.iter().map(row).collect(),
        limit: 12,
        shown: say.report.the_slowest().to_owned(),
    };
    Some(Section { table: Some(table), ..Section::new("delivery", say.report.delivery()) })
}

fn percentile<'r>(time: &DeliveryTime, at: Option<Ms>, say: &Language) -> Cell<'r> {
    match (time.sent, at) {
        (0, _) => Cell::maybe(None),
        (_, Some(at)) => Cell::figure(say.length(at)),
        (_, None) => Cell::figure(say.report.not_at_all()),
    }
}
