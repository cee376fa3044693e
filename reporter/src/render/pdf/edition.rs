//! What the edition changes against the one before, with both figures, and how the definition
//! changed within the month.

use super::sheet::{Sheet, Style};
use super::table::{Cell, left, table};
use crate::render::edition;
use crate::report::model::Report;

/// Draws it, where there is anything to tell.
pub(super) fn changes(sheet: &mut Sheet<'_>, report: &Report) {
    if let Some(changed) = edition::changed(report) {
        sheet.heading("What this edition changes", 16.0);
        if !changed.rows.is_empty() {
            let columns = [
                left("Service level", 74.0),
                left("In the edition before", 50.0),
                left("In this edition", 50.0),
            ];
            let rows = changed.rows.iter().map(|(name, before, after)| {
                let cell = |[shown, small]: &[String; 2]| {
                    Cell::default().and(Style::FIGURE, shown.as_str()).small(small.as_str())
                };
                vec![Cell::new(name.as_str()), cell(before), cell(after)]
            });
            table(sheet, &columns, &rows.collect::<Vec<_>>());
            sheet.gap(1.5);
        }
        for sentence in &changed.sentences {
            sheet.paragraph(Style::BODY, sentence);
        }
    }
    let definition = edition::definition_changes(report);
    if !definition.is_empty() {
        sheet.heading("Changes of what was promised and how it is judged", 16.0);
        for sentence in &definition {
            sheet.paragraph(Style::BODY, sentence);
        }
    }
}
