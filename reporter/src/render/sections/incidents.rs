//! Incidents of a high severity, as long as they were said to be and as measured.

use super::{Cell, Row, Section, Table, figures, text};
use crate::language::{Language, Local};
use crate::render::words;
use crate::report::model::{Incident, Report};

/// The section; a sentence where there was none.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Section<'r> {
    let section = Section::new("incidents", say.report.incidents());
    if report.incidents.is_empty() {
        return Section { intro: vec![say.report.no_incidents().to_owned()], ..section };
    }
    let heads = &say.column;
    let columns = vec![
        text(heads.incident()),
        text(heads.component()),
        text(heads.opened()),
        figures(heads.declared()),
        figures(heads.measured()),
    ];
    let table = Table {
        caption: say.report.incidents_caption().to_owned(),
        columns,
        rows: report.incidents.iter().map(|incident| row(report, incident, say)).collect(),
        limit: 12,
        shown: say.report.the_longest_measured().to_owned(),
    };
    Section { table: Some(table), note: say.report.incidents_note().to_owned(), ..section }
}

fn row<'r>(report: &Report, incident: &Incident, say: &Language) -> Row<'r> {
    let local = Local::new(say, &report.zone);
    let opened = Cell::new(local.short(incident.opened)).at(incident.opened);
    let opened = match incident.resolved {
        Some(at) => opened.small(say.time.until(local.until(incident.opened, at))).at(at),
        None => opened.small(say.time.still_open()),
    };
    let subject = incident.component.as_deref();
    let subject = subject.map_or(report.service.as_str(), |id| words::component_name(report, id));
    let cells = vec![
        Cell::new(incident.id.as_str()).small(say.report.severity(&incident.severity)),
        Cell::new(subject),
        opened,
        Cell::figure(say.length_cut(incident.declared_s)),
        Cell::maybe(incident.measured_s.map(|time| say.length(time))),
    ];
    Row::new(incident.measured_s.map_or(0, |time| time.0), cells)
}
