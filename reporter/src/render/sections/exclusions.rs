//! The ledger of time that was asked to be left out: by whom, with which notice, whether it
//! counts, and what levels would have come to without it.

use super::{Cell, Row, Section, Table, Tone, text};
use crate::language::{Language, Local};
use crate::render::story;
use crate::report::model::{ExclusionEntry, Report};

/// The section; a sentence where nothing was asked for.
pub(super) fn section<'r>(report: &'r Report, say: &Language) -> Section<'r> {
    let section = Section::new("exclusions", say.report.exclusions());
    let mut intro = vec![say.rule(&report.method.maintenance)];
    if report.exclusions.is_empty() {
        intro.push(say.report.no_exclusions().to_owned());
        return Section { intro, ..section };
    }
    let heads = &say.column;
    let mut columns = vec![text(heads.which()), text(heads.when_and_what()), text(heads.counts())];
    let told = report.exclusions.iter().any(|entry| !entry.without.is_empty());
    if told {
        columns.push(text(heads.without()));
    }
    let table = Table {
        caption: say.report.exclusions_caption().to_owned(),
        columns,
        rows: report.exclusions.iter().map(|entry| row(report, entry, told, say)).collect(),
        limit: 10,
        shown: say.report.the_longest().to_owned(),
    };
    Section { intro, table: Some(table), ..section }
}

fn row<'r>(report: &Report, entry: &ExclusionEntry, told: bool, say: &Language) -> Row<'r> {
    let local = Local::new(say, &report.zone);
    let decision = story::decision(report, entry, say);
    let tone = if decision.whole { Tone::Plain } else { Tone::Strong };
    let verdict = Cell::default().and(tone, decision.counts);
    let until = say.time.until(local.until(entry.from, entry.to));
    let when = Cell::new(local.short(entry.from)).at(entry.from);
    let mut cells = vec![
        Cell::new(entry.id.as_str())
            .small(story::class(entry, say))
            .small(entry.reason.as_deref().unwrap_or_default()),
        when.small(until).at(entry.to).small(story::components(report, entry)),
        decision.why.into_iter().fold(verdict, Cell::small),
    ];
    if told {
        let without = story::without(report, entry, say).into_iter();
        cells.push(without.fold(Cell::default(), Cell::small));
    }
    Row::new(entry.length().0, cells)
}
