//! A section of the report on the sheet: its heading, sentences and table. Of a long table the
//! rows that matter most are shown, and an appendix holds them all.

use super::appendix::{Appendix, lead};
use super::sheet::{Sheet, Target};
use super::style::{SECONDARY, Style};
use super::table::{self, Cell, Chart, Table, drawn, left, right};
use super::{course, strips};
use crate::render::sections::{self, Drawn, Holds, Line, Row, Section, Tone};
use crate::report::model::Report;

/// Between the paragraphs of a section without a table.
const BETWEEN: f32 = 1.2;

/// The rows of most weight, in the order they came in.
pub(super) fn most_important<'s, 'r>(rows: &'s [Row<'r>], limit: usize) -> Vec<&'s Row<'r>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(rows.get(*i).map(|row| row.weight)));
    order.truncate(limit);
    order.sort_unstable();
    order.into_iter().filter_map(|i| rows.get(i)).collect()
}

/// A table with these rows of it.
pub(super) fn table<'r>(
    sheet: &Sheet<'_>,
    report: &'r Report,
    whole: &sections::Table<'r>,
    rows: &[&Row<'r>],
) -> Table<'r> {
    let columns = whole.columns.iter().map(|column| {
        let head = column.head.clone();
        match column.holds {
            Holds::Text => left(head),
            Holds::Figures => right(head),
            Holds::Days => drawn(head, strips::WIDTH, move |sheet, x, foot| {
                strips::axis(sheet, report, (x, foot));
            }),
            Holds::Months => drawn(head, course::width(report), move |sheet, x, foot| {
                course::axis(sheet, report, (x, foot));
            }),
        }
    });
    let row = |row: &&Row<'r>| {
        let cells: Vec<Cell<'r>> = row.cells.iter().map(cell).collect();
        let made = table::Row::from(cells);
        if row.open { made.open() } else { made }
    };
    let made = rows.iter().map(row).collect();
    Table::new(sheet, whole.caption.clone(), columns.collect(), made)
}

fn cell<'r>(cell: &sections::Cell<'r>) -> Cell<'r> {
    let made = match &cell.chart {
        Some(chart) => Cell::chart_of(draw(chart)),
        None => Cell::default(),
    };
    let made = cell.lines.iter().fold(made, line).unshown(&cell.unshown);
    match cell.sign {
        Some(standing) => made.signed(standing),
        None => made,
    }
}

fn line<'r>(cell: Cell<'r>, line: &Line) -> Cell<'r> {
    let text = line.text.as_str();
    let style = match line.tone {
        Tone::Plain => Style::BODY,
        Tone::Strong => Style::STRONG,
        Tone::Figure => Style::FIGURE,
        Tone::FigureStrong => Style::FIGURE_STRONG,
        Tone::Small => Style::SMALL,
        Tone::Faint => Style::FIGURE.coloured(SECONDARY),
        Tone::Address => return cell.address(text),
    };
    cell.and(style, text)
}

fn draw<'r>(chart: &sections::Chart<'r>) -> Chart<'r> {
    match &chart.drawn {
        Drawn::Days(component) => strips::chart(component, chart.says.clone()),
        Drawn::Months(course) => course::chart(course.clone(), chart.says.clone()),
    }
}

/// Draws a section; what is too long goes to the appendix.
pub(super) fn section<'r>(
    sheet: &mut Sheet<'_>,
    report: &'r Report,
    section: Section<'r>,
    appendix: &mut Appendix<'r>,
) {
    let Section { title, intro, table: whole, note, after, .. } = section;
    let Some(whole) = whole else { return plain(sheet, &title, &intro) };
    let all: Vec<&Row<'r>> = whole.rows.iter().collect();
    if all.len() <= whole.limit {
        let table = table(sheet, report, &whole, &all);
        framed(sheet, (&title, &intro, &note), &table, None);
    } else {
        let picked = most_important(&whole.rows, whole.limit);
        let short = table(sheet, report, &whole, &picked);
        let say = sheet.say;
        let total = say.count(all.len() as u64);
        let sentence = say.report.some(whole.limit, total, &whole.shown);
        let (name, target) = {
            let note = note.clone();
            appendix.add(say, &title, move |sheet, title| {
                let all: Vec<&Row<'r>> = whole.rows.iter().collect();
                let table = table(sheet, report, &whole, &all);
                framed(sheet, (title, &[], &note), &table, None);
            })
        };
        framed(sheet, (&title, &intro, &note), &short, Some((&sentence, &name, &target)));
    }
    for text in &after {
        sheet.paragraph(Style::BODY, text);
    }
}

/// A section that has nothing to list.
fn plain(sheet: &mut Sheet<'_>, title: &str, paragraphs: &[String]) {
    let first = paragraphs.first().map_or(0.0, |text| sheet.height_of(Style::BODY, text));
    sheet.heading(title, first.min(40.0));
    for (i, text) in paragraphs.iter().enumerate() {
        if i > 0 {
            sheet.gap(BETWEEN);
        }
        sheet.paragraph(Style::BODY, text);
    }
}

/// A sentence that leads to an appendix: what comes before, the appendix's name, and its place.
type Elsewhere<'t> = (&'t str, &'t str, &'t Target);

/// A section's heading, words and table, none of which parts from the next.
fn framed(
    sheet: &mut Sheet<'_>,
    (title, intro, note): (&str, &[String], &str),
    table: &Table<'_>,
    rest: Option<Elsewhere<'_>>,
) {
    let height: f32 = intro.iter().map(|text| sheet.height_of(Style::BODY, text)).sum();
    sheet.heading(title, height + 1.5 + table.opening_mm());
    for text in intro {
        sheet.paragraph(Style::BODY, text);
    }
    if !intro.is_empty() {
        sheet.gap(1.2);
    }
    let elsewhere = if rest.is_some() { Style::SMALL.line_mm } else { 0.0 };
    let tail = 0.8 + elsewhere + sheet.height_of(Style::SMALL, note);
    table.draw(sheet, tail);
    sheet.y += 0.8;
    if let Some(rest) = rest {
        lead(sheet, rest);
    }
    sheet.paragraph(Style::SMALL, note);
}
