//! How the figures came about, so that a reader who doubts them can do them again: rules in
//! sentences, the checks, where the evidence is and how to verify it.

use super::appendix::{Appendix, Rows, Section};
use super::sheet::Sheet;
use super::style::Style;
use super::table::{Cell, Row, Table, left, right};
use crate::render::{story, words};
use crate::report::model::{MethodProbe, Report};

/// Draws the method.
pub(super) fn method<'r>(
    sheet: &mut Sheet<'_>,
    report: &'r Report,
    digest: &str,
    appendix: &mut Appendix<'r>,
) {
    sections(sheet, "How these figures were made", &story::method(report));
    probes(sheet, report, appendix);
    sections(
        sheet,
        "Where to get the evidence, and how to verify it",
        &story::whereabouts(report, digest),
    );
}

/// A heading and paragraphs with a little room between.
fn sections(sheet: &mut Sheet<'_>, title: &str, paragraphs: &[String]) {
    let first = paragraphs.first().map_or(0.0, |text| sheet.height_of(Style::BODY, text));
    sheet.heading(title, first);
    for text in paragraphs {
        sheet.paragraph(Style::BODY, text);
        sheet.gap(1.2);
    }
}

fn probes<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    if report.method.probes.is_empty() {
        return;
    }
    let section = Section { shown: "the first", ..Section::new("What was checked") };
    let rows = Rows {
        items: report.method.probes.iter().collect(),
        limit: 30,
        weight: |_| 0,
        table: Box::new(move |sheet, probes| {
            let columns = vec![
                left("Component"),
                left("Check"),
                left("Kind"),
                left("How often"),
                right("Failures that count"),
            ];
            let rows = probes.iter().map(|probe| Row::from(cells(report, probe))).collect();
            Table::new(sheet, "The checks that the figures rest on", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

fn cells<'r>(report: &Report, probe: &MethodProbe) -> Vec<Cell<'r>> {
    let count = if probe.advisory {
        Cell::new("none").small("told only")
    } else {
        Cell::new(probe.confirm.to_string())
    };
    vec![
        Cell::new(words::component_name(report, &probe.component)),
        Cell::new(probe.id.as_str()),
        Cell::new(probe.kind.as_str()),
        Cell::new(probe.every.as_str()),
        count,
    ]
}
