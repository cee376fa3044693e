//! A month under other readings of its definition, for a terminal and as `what-if.json`: does
//! "met" survive every one of them?

use crate::language::english;
use crate::render::columns::{Cell, Emphasis, clean, indented, paint, painted};
use crate::render::words;
use crate::what_if::{Cell as Judged, Tested, Tried, WhatIf};

/// The bytes of `what-if.json`: indented, with a line feed at the end.
///
/// # Errors
/// When it holds an instant that no calendar can hold.
pub fn json(tried: &WhatIf) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(tried).map(|text| text + "\n")
}

/// A row for each reading and a column for each level where that fits into `width`, else a list
/// for each level.
#[must_use]
pub fn table(tried: &WhatIf, colour: bool, width: usize) -> String {
    let service = paint(&clean(&tried.service), Emphasis::Bold, colour);
    let to_date = if tried.to_date { ", month to date" } else { "" };
    let month = english().month_name(&tried.month);
    let mut text = format!(
        "{service} · {month} ({}){to_date} · the same evidence under other rules, one change at a \
         time\n\n",
        tried.zone
    );
    let wide = whole(tried, false);
    if wide.lines().all(|line| line.chars().count() <= width) {
        text.push_str(&whole(tried, colour));
    } else {
        for (which, level) in tried.levels.iter().enumerate() {
            text.push_str(&one(tried, which, level, colour));
        }
    }
    text.push_str(&notes(tried));
    text
}

/// All levels in one table.
fn whole(tried: &WhatIf, colour: bool) -> String {
    let mut head: Vec<Cell> = vec![("reading".to_owned(), None)];
    head.extend(tried.levels.iter().map(|level| (clean(&level.id), None)));
    let mut target: Vec<Cell> = vec![("target".to_owned(), None)];
    target.extend(tried.levels.iter().map(|level| (format!("{} %  ", level.target_pct), None)));
    let mut rows = vec![head, target];
    for reading in &tried.readings {
        let mut row: Vec<Cell> = vec![(name(reading), None)];
        let cells = tried.levels.iter().zip(&reading.cells);
        row.extend(cells.map(|(level, cell)| judged(level, cell)));
        rows.push(row);
    }
    let mut last: Vec<Cell> = vec![("same in every reading?".to_owned(), None)];
    last.extend(tried.levels.iter().map(|level| (survives(level), emphasis(level.survives))));
    rows.push(last);
    let right: Vec<usize> = (1..=tried.levels.len()).collect();
    painted(&rows, &right, colour)
}

/// One level as a list.
fn one(tried: &WhatIf, which: usize, level: &Tested, colour: bool) -> String {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for reading in &tried.readings {
        if let Some(cell) = reading.cells.get(which) {
            rows.push(vec![(name(reading), None), judged(level, cell)]);
        }
    }
    let last = vec![
        ("same in every reading?".to_owned(), None),
        (survives(level), emphasis(level.survives)),
    ];
    rows.push(last);
    let title = paint(&clean(&level.id), Emphasis::Bold, colour);
    let list = indented(&painted(&rows, &[1], colour), 2);
    format!("{title} · target {} %\n{list}\n", level.target_pct)
}

fn name(reading: &Tried) -> String {
    let words = clean(&reading.words);
    if reading.as_defined && reading.id != "as-defined" {
        format!("{words} (as defined)")
    } else {
        words
    }
}

/// The figure with its sign, which stands out where the verdict is another than as defined.
fn judged(level: &Tested, cell: &Judged) -> Cell {
    let sign = match (cell.met, cell.pct) {
        (Some(true), _) => '✓',
        (Some(false), _) => '✗',
        (None, Some(_)) => '?',
        (None, None) => '–',
    };
    let doubt = if cell.met.is_some() && cell.provable == Some(false) { '±' } else { ' ' };
    let emphasis = (cell.met != level.met).then_some(match cell.met {
        Some(false) => Emphasis::Bad,
        Some(true) => Emphasis::Good,
        None => Emphasis::Doubt,
    });
    (format!("{} {sign}{doubt}", cell.shown), emphasis)
}

fn survives(level: &Tested) -> String {
    let verdict = match level.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "not judged",
    };
    match level.differs_in.len() {
        0 => format!("yes, {verdict}"),
        1 => "no, 1 differs".to_owned(),
        n => format!("no, {n} differ"),
    }
}

const fn emphasis(survives: bool) -> Option<Emphasis> {
    if survives { None } else { Some(Emphasis::Doubt) }
}

/// What the signs mean, what is not in the table, and the answer in a sentence.
fn notes(tried: &WhatIf) -> String {
    let mut text = String::from(
        "\n✓ met  ✗ missed  ± not provable either way  ? not enough evidence  – nothing to \
         measure\n",
    );
    if !tried.unaffected.is_empty() {
        let ids: Vec<String> = tried.unaffected.iter().map(|id| clean(id)).collect();
        let (verb, list) =
            (if ids.len() == 1 { "rests" } else { "rest" }, english().and_list(&ids));
        text.push_str(&format!("{list} {verb} on none of these rules.\n"));
    }
    if tried.untried_exclusions > 0 {
        let more = words::counted(tried.untried_exclusions, "exclusion");
        text.push_str(&format!("{more} more that count were not taken away one by one.\n"));
    }
    text.push_str(&answer(tried));
    text.push('\n');
    text
}

fn answer(tried: &WhatIf) -> String {
    let total = tried.levels.len();
    let firm = tried.levels.iter().filter(|level| level.survives).count();
    if total == 0 {
        return "No level rests on these rules.".to_owned();
    }
    if firm == total {
        return "Every verdict is the same in every reading.".to_owned();
    }
    let depend = tried.levels.iter().filter(|level| !level.survives).map(|level| {
        let named: Vec<String> = tried
            .readings
            .iter()
            .filter(|reading| level.differs_in.contains(&reading.id))
            .map(|reading| clean(&reading.words))
            .collect();
        format!("{} would be another under {}", clean(&level.id), english().and_list(&named))
    });
    let depend: Vec<String> = depend.collect();
    format!("{firm} of {total} verdicts are the same in every reading; {}.", depend.join("; "))
}

#[cfg(test)]
mod tests;
