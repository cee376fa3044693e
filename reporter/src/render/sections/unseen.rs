//! Time without evidence, by component and reason.

use super::{Cell, Row, Section, Table, figures, text};
use crate::language::Language;
use crate::report::model::{ComponentMonth, Ms, Report};

/// The section; a sentence where there was none.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Section<'r> {
    let section = Section::new("unseen", say.report.unseen());
    let of = |component: &'r ComponentMonth| {
        let own = component.unknown_by_reason.iter().filter(|(_, time)| time.0 > 0);
        own.map(move |(why, time)| row(component, why, *time, say))
    };
    let rows: Vec<Row<'r>> = report.components.iter().flat_map(of).collect();
    if rows.is_empty() {
        let none = report.components.is_empty();
        let text = if none { say.report.no_component() } else { say.report.all_seen() };
        return Section { intro: vec![text.to_owned()], ..section };
    }
    let heads = &say.column;
    let table = Table {
        caption: say.report.unseen_caption().to_owned(),
        columns: vec![text(heads.component()), text(heads.why()), figures(heads.how_long())],
        rows,
        limit: 14,
        shown: say.report.the_longest().to_owned(),
    };
    Section { table: Some(table), ..section }
}

fn row<'r>(component: &ComponentMonth, why: &str, time: Ms, say: &Language) -> Row<'r> {
    let why = say.unknown_reason(why);
    let cells =
        vec![Cell::new(component.name.as_str()), Cell::new(why), Cell::new(say.length(time))];
    Row::new(time.0, cells)
}
