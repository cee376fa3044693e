//! Tickets of each severity that a level is about: their targets, and the time on their clocks.

use super::{Cell, Row, Section, Table, figures, text};
use crate::language::{Language, Local};
use crate::render::words::Standing;
use crate::report::model::{Figure, LevelFigure, Report, Resolution, TicketFigure};

/// A section for each such level that has tickets.
pub(super) fn sections<'r>(report: &'r Report, say: &Language) -> Vec<Section<'r>> {
    let of = |level: &'r LevelFigure| match &level.figure {
        Figure::Resolution(figure) => section(report, level, figure, say),
        _ => None,
    };
    report.levels.iter().filter_map(of).collect()
}

fn section<'r>(
    report: &Report,
    level: &LevelFigure,
    figure: &Resolution,
    say: &Language,
) -> Option<Section<'r>> {
    let all = figure.tickets.iter().chain(&figure.open);
    let rows: Vec<Row<'r>> = all.map(|ticket| row(report, ticket, say)).collect();
    if rows.is_empty() {
        return None;
    }
    let heads = &say.column;
    let columns = vec![
        text(heads.ticket()),
        text(heads.verdict()),
        text(heads.passes()),
        figures(heads.used()),
        figures(heads.paused()),
    ];
    let table = Table {
        caption: say.report.tickets_caption().to_owned(),
        columns,
        rows,
        limit: 12,
        shown: say.report.the_missed().to_owned(),
    };
    let title = say.report.tickets(&figure.severity);
    let section = Section::new(format!("tickets-{}", level.id), title);
    Some(Section { table: Some(table), ..section })
}

fn row<'r>(report: &Report, ticket: &TicketFigure, say: &Language) -> Row<'r> {
    let word = |word: &str| Cell::default().strong(word);
    let due = ticket.due.map(|at| (Local::new(say, &report.zone).short(at), at));
    let due = due.map_or_else(|| Cell::maybe(None), |(shown, at)| Cell::new(shown).at(at));
    let verdict = match ticket.met {
        Some(true) => word(say.standing.met()).signed(Standing::Met),
        Some(false) => word(say.standing.missed()).signed(Standing::Missed),
        None => word(say.report.open()).signed(Standing::Nothing),
    };
    let ignored = ticket.ignored.iter().map(|event| say.ignored(event));
    let missed = if ticket.met == Some(false) { i64::MAX / 2 } else { 0 };
    let cells = vec![
        ignored.fold(Cell::new(ticket.id.as_str()), Cell::small),
        verdict,
        due,
        Cell::new(say.length(ticket.used_s)),
        Cell::new(say.length(ticket.paused_s)),
    ];
    Row::new(missed.saturating_add(ticket.used_s.0), cells)
}
