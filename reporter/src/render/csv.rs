//! `outages.csv` and `daily.csv` (and, in `levels`, `levels.csv` and `months.csv`): RFC 4180 with
//! CR LF, UTF-8, and no cell that a spreadsheet would take for a formula.

mod levels;

use std::fmt::Write as _;

pub use levels::{levels, months};

use crate::language::english;
use crate::render::unfolded;
use crate::render::words;
use crate::report::grounds::{Interval, Said};
use crate::report::model::{At, Figure, LevelFigure, Outage, Report};

/// Every interval that counts as down, a line per level and outage.
#[must_use]
pub fn outages(report: &Report) -> String {
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
        "rule",
        "why",
        "probes",
        "sites",
        "failed_outcomes",
        "first_due",
        "last_due",
    ]);
    for level in &report.levels {
        let Figure::Availability(figure) = &level.figure else { continue };
        for outage in &figure.outages {
            let reasons: Vec<_> = outage.reasons.iter().map(|r| english().reason(r)).collect();
            table
                .head_cells(report)
                .text(&level.id)
                .text(&components(level, outage).join("; "))
                .text(&names(report, level, outage))
                .plain(&words::iso(outage.from))
                .plain(&words::iso(outage.to))
                .plain(&words::sortable(&report.zone, outage.from))
                .plain(&words::sortable(&report.zone, outage.to))
                .plain(&words::seconds(outage.down_s))
                .plain(&words::seconds(outage.at_least_s))
                .plain(&words::seconds(outage.at_most_s))
                .plain(if outage.still_open { "true" } else { "false" })
                .text(&reasons.join("; "));
            behind(&mut table, unfolded::in_level(level.grounds.as_deref(), outage));
            table.end();
        }
    }
    table.text
}

/// The component that was down; of a figure of the whole service, those that were.
fn components<'a>(level: &'a LevelFigure, outage: &'a Outage) -> Vec<&'a str> {
    match &level.component {
        Some(id) => vec![id],
        None => outage.components.iter().map(String::as_str).collect(),
    }
}

fn names(report: &Report, level: &LevelFigure, outage: &Outage) -> String {
    let ids = components(level, outage);
    let names: Vec<_> = ids.into_iter().map(|id| words::component_name(report, id)).collect();
    names.join("; ")
}

/// What an outage rests on: the rule, probes and sites, and the failed outcomes.
fn behind(table: &mut Table, interval: Option<&Interval>) {
    let Some(interval) = interval else {
        for _ in 0..7 {
            table.plain("");
        }
        return;
    };
    let each_once = |names: Vec<&str>| {
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        seen.join("; ")
    };
    let sites = || interval.probes.iter().flat_map(|probe| &probe.sites);
    let failed = || sites().flat_map(|s| &s.records).filter(|r| r.said == Said::Down);
    let due = |at: Option<At>| at.map_or_else(String::new, words::iso);
    table
        .plain(&interval.rule.to_string())
        .text(&interval.why)
        .text(&each_once(interval.probes.iter().map(|probe| probe.probe.as_str()).collect()))
        .text(&each_once(sites().map(|site| site.site.as_str()).collect()))
        .plain(&failed().map(|record| record.outcomes).sum::<u64>().to_string())
        .plain(&due(failed().filter_map(|record| record.first_due).min()))
        .plain(&due(failed().filter_map(|record| record.last_due).max()));
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

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::fixture;

    /// Reads RFC 4180 as a strict reader does: CR LF after every record, quotes where needed.
    pub(in crate::render) fn read(text: &str) -> Vec<Vec<String>> {
        let mut records = Vec::new();
        let mut record = Vec::new();
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            let mut cell = String::new();
            if chars.next_if_eq(&'"').is_some() {
                loop {
                    match chars.next().expect("a closing quote") {
                        '"' if chars.next_if_eq(&'"').is_some() => cell.push('"'),
                        '"' => break,
                        c => cell.push(c),
                    }
                }
            } else {
                while let Some(c) = chars.next_if(|c| !matches!(c, ',' | '\r' | '\n')) {
                    assert_ne!(c, '"', "a quote in a cell without quotes");
                    cell.push(c);
                }
            }
            record.push(cell);
            match chars.next() {
                Some(',') => {}
                Some('\r') => {
                    assert_eq!(chars.next(), Some('\n'));
                    records.push(std::mem::take(&mut record));
                }
                other => panic!("expected a comma or CR LF, got {other:?}"),
            }
        }
        records
    }

    #[test]
    fn outages_are_a_line_each() {
        let text = outages(&fixture::october());
        let lines: Vec<&str> = text.split_terminator("\r\n").collect();
        insta::assert_snapshot!(lines[..2].join("\n"), @r#"
        service,month,edition,level,component,component_name,from,to,from_local,to_local,down_s,at_least_s,at_most_s,still_open,reasons,rule,why,probes,sites,failed_outcomes,first_due,last_due
        NHSmail,2026-10,2,portal-availability,portal,Portal,2026-10-14T00:10:00Z,2026-10-14T04:10:00Z,2026-10-14 01:10:00+01:00,2026-10-14 05:10:00+01:00,14400,14340,14700,false,the connection was refused; no answer came in time,,,,,,,
        "#);
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn days_are_a_line_each_and_add_up() {
        let records = read(&daily(&fixture::october()));
        assert_eq!(records.len(), 1 + 7 * 31);
        let sums: Vec<f64> = records[1..]
            .iter()
            .map(|record| record[7..].iter().map(|s| s.parse::<f64>().unwrap()).sum())
            .collect();
        let long_days = sums.iter().filter(|sum| **sum == 90_000.0).count();
        assert_eq!(long_days, 7, "the clock change makes one day of each row 25 h long");
        assert!(sums.iter().all(|sum| *sum == 86_400.0 || *sum == 90_000.0));
    }

    #[test]
    fn no_cell_is_a_formula() {
        let check = |name: &str, expect: &str| {
            let mut report = fixture::october();
            report.components[0].name = name.to_owned();
            assert_eq!(read(&daily(&report))[1][4], expect);
        };
        check("=1+1", "'=1+1");
        check("+44", "'+44");
        check("-1", "'-1");
        check("@SUM(A1)", "'@SUM(A1)");
        check("\t=1", "'\t=1");
        check("\r=1", "'\r=1");
        check("Portal, \"old\"", "Portal, \"old\"");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(name in "\\PC{0,20}[\"\r\n,;=+@-]{0,6}\\PC{0,20}") {
            let mut report = fixture::october();
            report.components[0].name = name.clone();
            let records = read(&daily(&report));
            prop_assert!(records.iter().all(|record| record.len() == records[0].len()));
            let cell = &records[1][4];
            let guarded = format!("'{name}");
            prop_assert!(*cell == name || *cell == guarded);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
