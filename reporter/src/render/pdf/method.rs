//! How the figures came about, so that a reader who doubts them can do them again: rules in
//! sentences, the checks, where the evidence is.

use super::sheet::{Sheet, Style};
use super::table::{Cell, left, right, table};
use crate::render::{story, words};
use crate::report::model::Report;

/// Draws the method.
pub(super) fn method(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.heading("How these figures were made", 24.0);
    for text in story::method(report) {
        sheet.paragraph(Style::BODY, &text);
        sheet.gap(1.2);
    }
    probes(sheet, report);
    sheet.heading("Where to get the evidence", 16.0);
    for text in whereabouts(report) {
        sheet.paragraph(Style::BODY, &text);
        sheet.gap(1.2);
    }
}

fn probes(sheet: &mut Sheet<'_>, report: &Report) {
    if report.method.probes.is_empty() {
        return;
    }
    sheet.gap(2.0);
    let columns = [
        left("Component", 53.0),
        left("Check", 41.0),
        left("Kind", 34.0),
        left("How often", 24.0),
        right("Failures that count", 22.0),
    ];
    let rows: Vec<_> = report
        .method
        .probes
        .iter()
        .map(|probe| {
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
        })
        .collect();
    table(sheet, &columns, &rows);
}

fn whereabouts(report: &Report) -> Vec<String> {
    let month = &report.month;
    let json = match report.edition {
        Some(_) => format!(
            "This report as numbers is report.json; the digest at the foot of each page is the \
             beginning of its SHA-256. Beside it stand outages.csv and daily.csv. All editions of \
             this month stay at /performance/{month} on the service's status page."
        ),
        None => "This report as numbers is report.json; the digest at the foot of each page is \
                 the beginning of its SHA-256. Beside it stand outages.csv and daily.csv."
            .to_owned(),
    };
    let zone_data = match report.method.zone_data.as_str() {
        "" => String::new(),
        version => format!(" with time-zone data {version}"),
    };
    vec![
        json,
        format!(
            "Anyone with the evidence can do the reckoning again: import the records into an empty \
             store with “mailward import”, then run “mailward report --month {month}” with the \
             definition that the edition holds. The rules of the reckoning are in docs/rules.md of \
             the program."
        ),
        format!("Made by Mailward {}{zone_data}.", report.method.program),
    ]
}
