//! The scorecard: every level with its target, its result and the least and most it can have
//! been, time not working, what is left of the budget, the change, and the verdict.

use super::{Cell, Row, Table, Tone, figures, text};
use crate::language::Language;
use crate::render::history;
use crate::render::words::{self, Standing};
use crate::report::model::{Availability, Figure, LevelFigure, Report};

/// The table of these levels.
pub(crate) fn scorecard<'r>(
    report: &'r Report,
    levels: &[&'r LevelFigure],
    say: &Language,
) -> Table<'r> {
    let heads = &say.column;
    let columns = vec![
        text(heads.level()),
        figures(heads.target()),
        figures(heads.result()),
        figures(heads.down()),
        figures(heads.budget_left()),
        figures(heads.change()),
        text(heads.verdict()),
    ];
    let mut rows = Vec::new();
    for (i, level) in levels.iter().enumerate() {
        let of = |i: usize| levels.get(i).map(|level| &level.component);
        let first = i.checked_sub(1).and_then(of) != Some(&level.component);
        let open = of(i + 1) == Some(&level.component);
        let weight = Standing::of(level).weight();
        let cells = cells(report, level, first, say);
        rows.push(Row { id: format!("level-{}", level.id), cells, weight, open });
    }
    let month = say.month_name(&report.month);
    Table { caption: say.report.scorecard_caption(month), columns, rows, ..Table::default() }
}

/// A level's row; the first of a component's shows its name.
fn cells<'r>(report: &Report, level: &LevelFigure, first: bool, say: &Language) -> Vec<Cell<'r>> {
    let standing = Standing::of(level);
    let name = words::subject(report, level);
    let mut subject = Cell::default();
    if first {
        subject = subject.strong(name);
    } else {
        name.clone_into(&mut subject.unshown);
    }
    let subject = subject.and(Tone::Figure, say.measure_and_detail(level));
    let tone = if standing == Standing::Missed { Tone::Strong } else { Tone::Plain };
    let result = Cell::default().and(tone, say.result(level));
    let (result, down, budget_left) = match &level.figure {
        Figure::Availability(a) => (
            result.small(bounds(a, say)),
            Some(say.length(a.down_s)),
            Some(say.length_cut(a.budget_left_s)),
        ),
        _ => (result, None, None),
    };
    let (word, rest) = in_two(standing, say);
    let verdict = Cell::default().strong(word).small(rest).signed(standing);
    vec![
        subject,
        Cell::figure(say.target(level)),
        result,
        Cell::maybe(down),
        Cell::maybe(budget_left),
        Cell::maybe(history::change(level, say)),
        verdict,
    ]
}

/// A verdict in two lines where it is long, so that the column stays narrow.
fn in_two(standing: Standing, say: &Language) -> (&str, &str) {
    let text = &say.standing;
    match (say.remark(standing), standing) {
        (Some(remark), _) => (text.short_not_provable(), remark),
        (None, Standing::NotEnough) => (text.short_not_enough(), text.short_evidence()),
        (None, standing) => (say.standing(standing), ""),
    }
}

/// The least and the most it can have been; nothing where the evidence leaves no room.
fn bounds(a: &Availability, say: &Language) -> String {
    let (Some(low), Some(high)) = (a.low_pct, a.high_pct) else { return String::new() };
    let (low, high) = (words::cut_pct(low), words::cut_pct(high));
    if low == high && low == a.availability_shown {
        String::new()
    } else {
        format!("{}–{}", say.figure(&low), say.figure(&high))
    }
}
