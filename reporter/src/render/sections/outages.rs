//! The outages that count against any level, in order of time.

use super::{Cell, Row, Section, Table, Tone, figures, text};
use crate::language::{Language, Local};
use crate::render::story::{self, Counted};
use crate::render::unfolded;
use crate::report::model::Report;

/// The section; a sentence where there was none.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Section<'r> {
    let section = Section::new("outages", say.report.outages());
    let all = story::outages(report);
    if all.is_empty() {
        let measured = report.levels.iter().any(story::measured);
        let text = if measured { say.report.no_outages() } else { say.report.nothing_measured() };
        return Section { intro: vec![text.to_owned()], ..section };
    }
    let heads = &say.column;
    let columns = vec![
        text(heads.component()),
        text(heads.when()),
        figures(heads.length()),
        figures(heads.at_least()),
        figures(heads.at_most()),
        text(heads.saw()),
    ];
    let table = Table {
        caption: say.report.outages_caption().to_owned(),
        columns,
        rows: all.iter().map(|counted| row(report, counted, say)).collect(),
        limit: 12,
        shown: say.report.the_longest().to_owned(),
    };
    Section { table: Some(table), note: say.report.outages_note().to_owned(), ..section }
}

fn row<'r>(report: &Report, counted: &Counted<'_>, say: &Language) -> Row<'r> {
    let local = Local::new(say, &report.zone);
    let outage = counted.outage;
    let until = local.until(outage.from, outage.to);
    let until =
        if outage.still_open { say.time.still_open_at(until) } else { say.time.until(until) };
    let behind = unfolded::interval(report, counted.component, outage)
        .map(|interval| unfolded::lines(report, interval))
        .unwrap_or_default();
    let saw = Cell { behind, ..Cell::default().small(story::saw(outage, say)) };
    let cells = vec![
        Cell::new(counted.subject).small(counted.note(say)),
        Cell::new(local.short(outage.from)).at(outage.from).small(until).at(outage.to),
        Cell::default().and(Tone::FigureStrong, say.length(outage.down_s)),
        Cell::figure(say.length(outage.at_least_s)),
        Cell::figure(say.length(outage.at_most_s)),
        saw,
    ];
    Row::new(outage.down_s.0, cells)
}
