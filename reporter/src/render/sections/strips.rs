//! The month as strips, a row per component, and the same days as a table of times.

use super::{Cell, Chart, Column, Drawn, Holds, Row, Table, Tone, figures, text};
use crate::language::{Language, Moment};
use crate::render::story;
use crate::report::model::{ComponentMonth, Report};

/// The table of these components' strips.
pub(crate) fn strips<'r>(
    report: &'r Report,
    components: &[&'r ComponentMonth],
    say: &Language,
) -> Table<'r> {
    let month = say.month_name(&report.month);
    let columns = vec![
        text(say.column.component()),
        Column { head: say.column.days(&month), holds: Holds::Days },
        figures(say.column.down()),
    ];
    let row = |component: &&'r ComponentMonth| {
        let chart = Chart { drawn: Drawn::Days(component), says: story::days(component, say) };
        let chart = Cell { chart: Some(chart), ..Cell::default() };
        // what is not seen matters where nothing failed more
        let weight = component.not_working().0.saturating_mul(1000);
        let weight = weight.saturating_add(component.without_evidence().0 / 1000);
        let name = Cell::new(component.name.as_str());
        Row::new(weight, vec![name, chart, total(component, say)])
    };
    let rows = components.iter().map(row).collect();
    Table { caption: say.report.days_caption(month), columns, rows, ..Table::default() }
}

fn total<'r>(component: &ComponentMonth, say: &Language) -> Cell<'r> {
    let total = component.not_working();
    if total.0 > 0 {
        return Cell::default().strong(say.length(total));
    }
    let seen = component.is_seen();
    let word = if seen { say.report.none() } else { say.form.unknown() };
    Cell::default().and(Tone::Faint, word)
}

/// How a strip is read.
pub(crate) fn strips_note(report: &Report, say: &Language) -> String {
    let blank = report.components.iter().flat_map(|c| &c.days).any(|day| day.is_blank());
    match blank {
        true => format!("{} {}", say.report.days_note(), say.report.days_dot()),
        false => say.report.days_note().to_owned(),
    }
}

/// The days on which something was not as it should be.
pub(crate) fn day_by_day<'r>(report: &'r Report, say: &Language) -> Table<'r> {
    let form = |word: &str| figures(Language::opening(word));
    let columns = vec![
        text(say.column.component()),
        text(say.column.day()),
        form(say.form.down()),
        form(say.form.degraded()),
        form(say.form.excluded()),
        form(say.form.unknown()),
    ];
    let mut rows = Vec::new();
    for component in &report.components {
        for day in &component.days {
            let parts = [day.down_s, day.degraded_s, day.excluded_s, day.unknown_s];
            if parts.iter().all(|time| time.0 == 0) {
                continue;
            }
            let told = parts.map(|time| Cell::maybe((time.0 > 0).then(|| say.length(time))));
            let mut cells = vec![
                Cell::new(component.name.as_str()),
                Cell::new(say.date(Moment::day_of_week, day.date)),
            ];
            cells.extend(told);
            rows.push(Row::new(0, cells));
        }
    }
    let caption = say.page.day_by_day_caption().to_owned();
    Table { caption, columns, rows, ..Table::default() }
}
