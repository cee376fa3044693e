//! How often levels of availability failed, and for how long in the mean.

use super::{Cell, Row, Section, Table, figures, text};
use crate::language::Language;
use crate::render::words;
use crate::report::model::{Figure, LevelFigure, Report};

/// The section; nothing where no level failed.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Option<Section<'r>> {
    let rows: Vec<Row<'r>> =
        report.levels.iter().filter_map(|level| row(report, level, say)).collect();
    if rows.is_empty() {
        return None;
    }
    let heads = &say.column;
    let columns = vec![
        text(heads.level()),
        figures(heads.failures()),
        figures(heads.to_restore()),
        figures(heads.between()),
    ];
    let table = Table {
        caption: say.report.failures_caption().to_owned(),
        columns,
        rows,
        limit: 12,
        shown: say.report.the_most_often().to_owned(),
    };
    Some(Section { table: Some(table), ..Section::new("failures", say.report.failures()) })
}

fn row<'r>(report: &Report, level: &LevelFigure, say: &Language) -> Option<Row<'r>> {
    let Figure::Availability(a) = &level.figure else { return None };
    let (to_restore, between) = (a.mttr_s?, a.mtbf_s?);
    let cells = vec![
        Cell::new(words::subject(report, level)).small(say.measure(level)),
        Cell::new(say.count(a.failures)),
        Cell::new(say.length_cut(to_restore)),
        Cell::new(say.length_cut(between)),
    ];
    Some(Row::new(i64::try_from(a.failures).unwrap_or(i64::MAX), cells))
}
