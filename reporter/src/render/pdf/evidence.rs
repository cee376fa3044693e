//! What the verdicts rest on: outages, incidents that were declared, time agreed not to count, and
//! time without evidence.

use super::appendix::{Appendix, Rows, Section};
use super::local;
use super::sheet::Sheet;
use super::style::Style;
use super::table::{Cell, Row, Table, left, right};
use crate::render::story::Counted;
use crate::render::words;
use crate::render::{history, story};
use crate::report::model::{ExclusionEntry, Incident, Report};

/// Draws all of it; a table without rows is a sentence that says so.
pub(super) fn evidence<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    outages(sheet, report, appendix);
    incidents(sheet, report, appendix);
    failing(sheet, report, appendix);
    exclusions(sheet, report, appendix);
    without_evidence(sheet, report, appendix);
}

/// A section that has nothing to list.
pub(super) fn plain(sheet: &mut Sheet<'_>, title: &str, sentences: &[&str]) {
    let height: f32 = sentences.iter().map(|text| sheet.height_of(Style::BODY, text)).sum();
    sheet.heading(title, height.min(40.0));
    for text in sentences {
        sheet.paragraph(Style::BODY, text);
    }
}

fn outages<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    let all = story::outages(report);
    if all.is_empty() {
        plain(sheet, "Outages", &[story::no_outages(report)]);
        return;
    }
    let section = Section {
        note:
            "An outage begins with the first failed check and ends with the first that succeeds. \
               It lasted at least from the first failed check to the last, and at most from the \
               last successful check before it to the first after it."
                .to_owned(),
        shown: "the longest",
        ..Section::new("Outages")
    };
    let rows = Rows {
        items: all,
        limit: 12,
        weight: |counted| counted.outage.down_s.0,
        table: Box::new(move |sheet, outages| {
            let columns = vec![
                left("Component"),
                left("When"),
                right("Length"),
                right("At least"),
                right("At most"),
                left("What our checks saw"),
            ];
            let rows = outages.iter().map(|counted| outage_row(report, counted).into()).collect();
            Table::new(sheet, "The outages of the month", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

fn outage_row<'r>(report: &Report, counted: &Counted<'_>) -> Vec<Cell<'r>> {
    let local = local(report);
    let outage = counted.outage;
    let until = if outage.still_open {
        format!("still open at {}", local.until(outage.from, outage.to))
    } else {
        format!("to {}", local.until(outage.from, outage.to))
    };
    vec![
        Cell::new(counted.subject).small(counted.note()),
        Cell::new(local.short(outage.from)).small(until),
        Cell::default().and(Style::FIGURE_STRONG, words::length(outage.down_s)),
        Cell::figure(words::length(outage.at_least_s)),
        Cell::figure(words::length(outage.at_most_s)),
        Cell::default().small(story::saw(outage)),
    ]
}

fn failing<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    let all = history::failing(report);
    if all.is_empty() {
        return;
    }
    let section = Section {
        shown: "those that failed most often",
        ..Section::new("How often, and for how long")
    };
    let rows = Rows {
        items: all,
        limit: 12,
        weight: |failing| i64::try_from(failing.failures).unwrap_or(i64::MAX),
        table: Box::new(move |sheet, all| {
            let columns = vec![
                left("Service level"),
                right("Failures"),
                right("Mean time to restore"),
                right("Mean time between failures"),
            ];
            let row = |failing: &&history::Failing<'_>| {
                let level = failing.level;
                Row::from(vec![
                    Cell::new(words::subject(report, level)).small(words::measure(level)),
                    Cell::new(words::thousands(failing.failures)),
                    Cell::new(words::length_cut(failing.to_restore)),
                    Cell::new(words::length_cut(failing.between)),
                ])
            };
            let rows = all.iter().map(row).collect();
            Table::new(sheet, "How often service levels failed", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

fn exclusions<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    let rule = report.method.maintenance.as_str();
    if report.exclusions.is_empty() {
        let nothing = "Nothing was asked to be left out of this month.";
        plain(sheet, "Time agreed not to count", &[rule, nothing]);
        return;
    }
    let section = Section {
        intro: vec![rule.to_owned()],
        shown: "the longest",
        ..Section::new("Time agreed not to count")
    };
    let rows = Rows {
        items: report.exclusions.iter().collect(),
        limit: 10,
        weight: |entry| entry.to.0 - entry.from.0,
        table: Box::new(move |sheet, entries| exclusion_table(sheet, report, entries)),
    };
    appendix.section(sheet, section, rows);
}

fn exclusion_table<'r>(
    sheet: &Sheet<'_>,
    report: &'r Report,
    entries: &[&&'r ExclusionEntry],
) -> Table<'r> {
    let told = entries.iter().any(|entry| !entry.without.is_empty());
    let mut columns = vec![left("Which"), left("When, and for what"), left("Does it count?")];
    if told {
        columns.push(left("Results without it"));
    }
    let row = |entry: &&&'r ExclusionEntry| {
        let mut cells = exclusion(report, entry);
        if told {
            let without = story::without(report, entry).into_iter();
            cells.push(without.fold(Cell::default(), Cell::small));
        }
        Row::from(cells)
    };
    let rows = entries.iter().map(row).collect();
    Table::new(sheet, "Time that was asked to be left out", columns, rows)
}

fn exclusion<'r>(report: &Report, entry: &ExclusionEntry) -> Vec<Cell<'r>> {
    let local = local(report);
    let decision = story::decision(report, entry);
    let style = if decision.counts == "Yes" { Style::BODY } else { Style::STRONG };
    let verdict = Cell::default().and(style, decision.counts);
    let until = format!("to {}", local.until(entry.from, entry.to));
    vec![
        Cell::new(entry.id.as_str())
            .small(story::class(entry))
            .small(entry.reason.as_deref().unwrap_or_default()),
        Cell::new(local.short(entry.from)).small(until).small(story::components(report, entry)),
        decision.why.into_iter().fold(verdict, Cell::small),
    ]
}

fn without_evidence<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    let of = |component: &'r crate::report::model::ComponentMonth| {
        let own = component.unknown_by_reason.iter().filter(|(_, time)| time.0 > 0);
        own.map(move |(why, time)| (component.name.as_str(), why.as_str(), *time))
    };
    let all: Vec<_> = report.components.iter().flat_map(of).collect();
    if all.is_empty() {
        let text = if report.components.is_empty() {
            "No component was watched."
        } else {
            "There was none: the checks could tell at all times."
        };
        plain(sheet, "Time without evidence", &[text]);
        return;
    }
    let section = Section { shown: "the longest", ..Section::new("Time without evidence") };
    let rows = Rows {
        items: all,
        limit: 14,
        weight: |(_, _, time)| time.0,
        table: Box::new(move |sheet, all| {
            let columns = vec![left("Component"), left("Why"), right("How long")];
            let row = |(name, why, time): &&(&str, &str, crate::report::model::Ms)| {
                Row::from(vec![
                    Cell::new(*name),
                    Cell::new(words::unknown_reason(why)),
                    Cell::new(words::length(*time)),
                ])
            };
            let rows = all.iter().map(row).collect();
            Table::new(sheet, "Time without evidence, by reason", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

fn incidents<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    if report.incidents.is_empty() {
        return;
    }
    let section = Section {
        note:
            "Declared is from the ticket's opening to its last resolution, by the clock; measured \
               is how long the outages lasted in this month that touch it."
                .to_owned(),
        shown: "the longest as measured",
        ..Section::new("High-severity incidents")
    };
    let rows = Rows {
        items: report.incidents.iter().collect(),
        limit: 12,
        weight: |incident| incident.measured_s.map_or(0, |time| time.0),
        table: Box::new(move |sheet, all| {
            let columns = vec![
                left("Incident"),
                left("Component"),
                left("Opened, resolved"),
                right("Declared"),
                right("Measured"),
            ];
            let rows = all.iter().map(|incident| incident_row(report, incident).into()).collect();
            Table::new(sheet, "Incidents, declared and measured", columns, rows)
        }),
    };
    appendix.section(sheet, section, rows);
}

fn incident_row<'r>(report: &Report, incident: &Incident) -> Vec<Cell<'r>> {
    let local = local(report);
    let resolved = incident
        .resolved
        .map_or("still open".to_owned(), |at| format!("to {}", local.until(incident.opened, at)));
    let subject = incident.component.as_deref();
    let subject = subject.map_or(report.service.as_str(), |id| words::component_name(report, id));
    vec![
        Cell::new(incident.id.as_str()).small(format!("severity {}", incident.severity)),
        Cell::new(subject),
        Cell::new(local.short(incident.opened)).small(resolved),
        Cell::figure(words::length_cut(incident.declared_s)),
        Cell::figure(incident.measured_s.map_or("–".to_owned(), words::length)),
    ]
}
