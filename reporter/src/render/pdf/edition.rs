//! What the edition changes against the one before, with both figures, and how the definition
//! changed within the month.

use super::appendix::{Appendix, Rows, Section};
use super::evidence::plain;
use super::sheet::Sheet;
use super::style::Style;
use super::table::{Cell, Row, Table, left};
use crate::render::edition;
use crate::report::model::Report;

/// Draws it, where there is anything to tell.
pub(super) fn changes<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    if let Some(changed) = edition::changed(report) {
        let sentences: Vec<&str> = changed.sentences.iter().map(String::as_str).collect();
        if changed.rows.is_empty() {
            plain(sheet, "What this edition changes", &sentences);
        } else {
            let section =
                Section { shown: "the first", ..Section::new("What this edition changes") };
            appendix.section(sheet, section, rows(changed.rows));
            for sentence in sentences {
                sheet.paragraph(Style::BODY, sentence);
            }
        }
    }
    let definition = edition::definition_changes(report);
    if !definition.is_empty() {
        let sentences: Vec<&str> = definition.iter().map(String::as_str).collect();
        plain(sheet, "Changes of what was promised and how it is judged", &sentences);
    }
}

/// A level, its figure before and now, each with what stands below it.
type Change = (String, [String; 2], [String; 2]);

fn rows<'r>(changes: Vec<Change>) -> Rows<'r, Change> {
    Rows {
        items: changes,
        limit: 14,
        weight: |_| 0,
        table: Box::new(move |sheet, changes| {
            let columns =
                vec![left("Service level"), left("In the edition before"), left("In this edition")];
            let row = |(name, before, after): &&Change| {
                let cell = |[shown, small]: &[String; 2]| {
                    Cell::default().and(Style::FIGURE, shown.as_str()).small(small.as_str())
                };
                Row::from(vec![Cell::new(name.as_str()), cell(before), cell(after)])
            };
            let rows = changes.iter().map(row).collect();
            Table::new(sheet, "Figures that differ from the edition before", columns, rows)
        }),
    }
}
