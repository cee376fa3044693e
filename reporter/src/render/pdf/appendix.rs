//! Sections whose table may be long: the report shows the rows that matter most and says so, and
//! an appendix at the end holds them all.

use super::sheet::{Sheet, Target};
use super::structure::Role;
use super::style::{MARGIN, Style, WIDTH};
use super::table::Table;
use crate::render::words;

/// What a section says around its table.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    pub(super) title: String,
    /// Paragraphs before the table.
    pub(super) intro: Vec<String>,
    /// What is to be known to read the table; it stays with the last rows.
    pub(super) note: String,
    /// Which rows are shown where not all are: `the longest`.
    pub(super) shown: &'static str,
}

impl Section {
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
}

/// Makes a table of some items.
type Tabulate<'r, T> = Box<dyn Fn(&Sheet<'_>, &[&T]) -> Table<'r> + 'r>;

/// Rows of a table and how they become one.
pub(super) struct Rows<'r, T> {
    pub(super) items: Vec<T>,
    /// How many of them stand in the body at most.
    pub(super) limit: usize,
    /// Which matter most.
    pub(super) weight: fn(&T) -> i64,
    pub(super) table: Tabulate<'r, T>,
}

/// Draws a whole table under its title.
type Whole<'r> = Box<dyn FnOnce(&mut Sheet<'_>, &str) + 'r>;

/// What stands at the end.
#[derive(Default)]
pub(super) struct Appendix<'r> {
    parts: Vec<(String, Whole<'r>)>,
}

/// `A`, `B` … `Z`, then `27` and on.
fn letter(part: usize) -> String {
    match u8::try_from(part) {
        Ok(n @ 0..26) => char::from(b'A' + n).to_string(),
        _ => (part + 1).to_string(),
    }
}

impl<'r> Appendix<'r> {
    /// A part to come; gives what it will be called and where a link to it leads.
    pub(super) fn add(
        &mut self,
        title: &str,
        whole: impl FnOnce(&mut Sheet<'_>, &str) + 'r,
    ) -> (String, Target) {
        let name = format!("appendix {}", letter(self.parts.len()));
        self.parts.push((title.to_owned(), Box::new(whole)));
        (name, Target::Appendix(self.parts.len() - 1))
    }

    /// Draws all parts.
    pub(super) fn draw(self, sheet: &mut Sheet<'_>) {
        for (part, (title, whole)) in self.parts.into_iter().enumerate() {
            sheet.appendices.push(sheet.headings.len());
            whole(sheet, &format!("Appendix {}: {title}", letter(part)));
        }
    }

    /// Draws a section with the rows that matter most, and puts all of them into the appendix
    /// where those are not all.
    pub(super) fn section<T: 'r>(
        &mut self,
        sheet: &mut Sheet<'_>,
        section: Section,
        rows: Rows<'r, T>,
    ) {
        let Rows { items, limit, weight, table } = rows;
        if items.len() <= limit {
            let all: Vec<&T> = items.iter().collect();
            let table = table(sheet, &all);
            framed(sheet, &section, &table, None);
            return;
        }
        let picked = most_important(&items, limit, weight);
        let short = table(sheet, &picked);
        let sentence = format!(
            "{} of {}, {}. All stand in ",
            limit,
            words::thousands(items.len() as u64),
            section.shown
        );
        let (note, title) = (section.note.clone(), section.title.clone());
        let (name, target) = self.add(&title, move |sheet, title| {
            let all: Vec<&T> = items.iter().collect();
            let table = table(sheet, &all);
            let whole = Section { title: title.to_owned(), note, ..Section::default() };
            framed(sheet, &whole, &table, None);
        });
        framed(sheet, &section, &short, Some((&sentence, &name, &target)));
    }
}

/// The items of most weight, in the order they came in.
pub(super) fn most_important<T>(items: &[T], limit: usize, weight: impl Fn(&T) -> i64) -> Vec<&T> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(items.get(*i).map(&weight)));
    order.truncate(limit);
    order.sort_unstable();
    order.into_iter().filter_map(|i| items.get(i)).collect()
}

/// A sentence that leads to an appendix: what comes before, the appendix's name, and its place.
type Elsewhere<'t> = (&'t str, &'t str, &'t Target);

/// A section's heading, words and table, none of which parts from the next.
fn framed(
    sheet: &mut Sheet<'_>,
    section: &Section,
    table: &Table<'_>,
    rest: Option<Elsewhere<'_>>,
) {
    let intro: f32 = section.intro.iter().map(|text| sheet.height_of(Style::BODY, text)).sum();
    sheet.heading(&section.title, intro + 1.5 + table.opening_mm());
    for text in &section.intro {
        sheet.paragraph(Style::BODY, text);
    }
    if !section.intro.is_empty() {
        sheet.gap(1.2);
    }
    let elsewhere = if rest.is_some() { Style::SMALL.line_mm } else { 0.0 };
    let tail = 0.8 + elsewhere + sheet.height_of(Style::SMALL, &section.note);
    table.draw(sheet, tail);
    sheet.y += 0.8;
    if let Some(rest) = rest {
        lead(sheet, rest);
    }
    sheet.paragraph(Style::SMALL, &section.note);
}

/// Writes a sentence that leads to an appendix.
pub(super) fn lead(sheet: &mut Sheet<'_>, (sentence, name, target): Elsewhere<'_>) {
    sheet.need(Style::SMALL.line_mm);
    let top = sheet.y;
    sheet.within(Role::Paragraph, |sheet| {
        sheet.text_at(MARGIN, top, Style::SMALL, sentence);
        let left = MARGIN + sheet.width_of(Style::SMALL, sentence) + 0.8;
        let text = (Style::SMALL, name);
        sheet.within(Role::Link, |sheet| {
            let edges = (left, MARGIN + WIDTH);
            sheet.link_in(edges, top, super::Align::Left, text, (target, name));
        });
    });
    sheet.y += Style::SMALL.line_mm;
}
