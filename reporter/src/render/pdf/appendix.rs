//! What stands at the end because it is too long for where it belongs, and the sentences that
//! lead there.

use super::sheet::{Sheet, Target};
use super::structure::Role;
use super::style::{MARGIN, Style, WIDTH};
use crate::language::Language;

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
        say: &Language,
        title: &str,
        whole: impl FnOnce(&mut Sheet<'_>, &str) + 'r,
    ) -> (String, Target) {
        let name = say.report.appendix(letter(self.parts.len()));
        self.parts.push((title.to_owned(), Box::new(whole)));
        (name, Target::Appendix(self.parts.len() - 1))
    }

    /// Draws all parts.
    pub(super) fn draw(self, sheet: &mut Sheet<'_>) {
        for (part, (title, whole)) in self.parts.into_iter().enumerate() {
            sheet.appendices.push(sheet.headings.len());
            whole(sheet, &sheet.say.report.appendix_title(letter(part), title));
        }
    }
}

/// Writes a sentence that leads to an appendix.
pub(super) fn lead(sheet: &mut Sheet<'_>, (sentence, name, target): (&str, &str, &Target)) {
    sheet.need(Style::SMALL.line_mm);
    let top = sheet.y;
    sheet.within(Role::Paragraph, |sheet| {
        let sentence = format!("{sentence} ");
        sheet.text_at(MARGIN, top, Style::SMALL, &sentence);
        let left = MARGIN + sheet.width_of(Style::SMALL, &sentence) + 0.8;
        let text = (Style::SMALL, name);
        sheet.within(Role::Link, |sheet| {
            let edges = (left, MARGIN + WIDTH);
            sheet.link_in(edges, top, super::Align::Left, text, (target, name));
        });
    });
    sheet.y += Style::SMALL.line_mm;
}
