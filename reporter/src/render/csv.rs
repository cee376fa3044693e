//! `outages.csv` and `daily.csv`: RFC 4180 with CR LF, UTF-8, and no cell that a spreadsheet
//! would take for a formula.

use std::fmt::Write as _;

use crate::render::words::{self, Local};
use crate::report::model::{Figure, Report};

/// Every interval that counts as down, a line per level and outage.
#[must_use]
pub fn outages(report: &Report) -> String {
    let local = Local::new(&report.zone);
    let mut table = Table::new(&[
        "service",
        "month",
        "edition",
        "level",
        "component",
        "component_name",
        "from",
        "to",
        "from_local",
        "to_local",
        "down_s",
        "at_least_s",
        "at_most_s",
        "still_open",
        "reasons",
    ]);
    for level in &report.levels {
        let Figure::Availability(figure) = &level.figure else { continue };
        let component = level.component.as_deref().unwrap_or_default();
        for outage in &figure.outages {
            let reasons: Vec<_> = outage.reasons.iter().map(|r| words::plain_reason(r)).collect();
            table
                .head_cells(report)
                .text(&level.id)
                .text(component)
                .text(words::component_name(report, component))
                .plain(&words::iso(outage.from))
                .plain(&words::iso(outage.to))
                .plain(&local.sortable(outage.from))
                .plain(&local.sortable(outage.to))
                .plain(&words::seconds(outage.down_s))
                .plain(&words::seconds(outage.at_least_s))
                .plain(&words::seconds(outage.at_most_s))
                .plain(if outage.still_open { "true" } else { "false" })
                .text(&reasons.join("; "))
                .end();
        }
    }
    table.text
}

/// What each component did on each local day, around the clock.
#[must_use]
pub fn daily(report: &Report) -> String {
    let mut table = Table::new(&[
        "service",
        "month",
        "edition",
        "component",
        "component_name",
        "group",
        "date",
        "up_s",
        "degraded_s",
        "down_s",
        "excluded_s",
        "unknown_s",
        "outside_s",
    ]);
    for component in &report.components {
        for day in &component.days {
            table
                .head_cells(report)
                .text(&component.id)
                .text(&component.name)
                .text(&component.group)
                .plain(&day.date.to_string());
            let parts = [
                day.up_s,
                day.degraded_s,
                day.down_s,
                day.excluded_s,
                day.unknown_s,
                day.outside_s,
            ];
            for part in parts {
                table.plain(&words::seconds(part));
            }
            table.end();
        }
    }
    table.text
}

struct Table {
    text: String,
    at_start: bool,
}

impl Table {
    fn new(heads: &[&str]) -> Self {
        let mut table = Self { text: String::new(), at_start: true };
        for head in heads {
            table.plain(head);
        }
        table.end();
        table
    }

    fn head_cells(&mut self, report: &Report) -> &mut Self {
        let edition = report.edition.map(|n| n.to_string()).unwrap_or_default();
        self.text(&report.service).plain(&report.month).plain(&edition)
    }

    /// A cell whose text this program made itself: numbers, instants, words of its own.
    fn plain(&mut self, cell: &str) -> &mut Self {
        if !self.at_start {
            self.text.push(',');
        }
        self.at_start = false;
        if cell.contains(['"', ',', '\r', '\n']) {
            let _ = write!(self.text, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            self.text.push_str(cell);
        }
        self
    }

    /// A cell whose text somebody else wrote.
    fn text(&mut self, cell: &str) -> &mut Self {
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            self.plain(&format!("'{cell}"))
        } else {
            self.plain(cell)
        }
    }

    fn end(&mut self) {
        self.text.push_str("\r\n");
        self.at_start = true;
    }
}
