//! What else is in the report and on which page, at the end of page 1; filled in last, since only
//! then the pages are known.

use super::sheet::{Align, Sheet, Target};
use super::structure::Role;
use super::style::{BOTTOM, MARGIN, Style, WIDTH};

/// What page 1 keeps free for it.
pub(super) const RESERVED: f32 = 2.0 * STYLE.line_mm + 2.0;

const STYLE: Style = Style::SMALL;

/// Between two entries.
const BETWEEN: f32 = 5.0;

/// Where it belongs in the order of reading.
pub(super) fn place(sheet: &mut Sheet<'_>) -> usize {
    sheet.node(Role::Contents)
}

/// Writes as many entries as there is room for; the bookmarks have all of them.
pub(super) fn fill(sheet: &mut Sheet<'_>, node: usize) {
    let later = sheet.headings.iter().enumerate().filter(|(_, heading)| heading.page > 0);
    let entries: Vec<(usize, String)> =
        later.map(|(i, heading)| (i, format!("{} {}", heading.text, heading.page + 1))).collect();
    if entries.is_empty() {
        return;
    }
    let rest = sheet.pages.split_off(1);
    let (mut x, mut top) = (MARGIN, BOTTOM - RESERVED + 2.0);
    sheet.at(node, |sheet| {
        for (heading, text) in &entries {
            let width = sheet.width_of(STYLE, text);
            if x > MARGIN && x + width > MARGIN + WIDTH {
                (x, top) = (MARGIN, top + STYLE.line_mm);
            }
            if top + STYLE.line_mm > BOTTOM + 0.1 || width > WIDTH {
                break;
            }
            entry(sheet, *heading, text, (x, top));
            x += width + BETWEEN;
        }
    });
    sheet.pages.extend(rest);
}

fn entry(sheet: &mut Sheet<'_>, heading: usize, text: &str, (x, top): (f32, f32)) {
    sheet.within(Role::Entry, |sheet| {
        sheet.within(Role::Reference, |sheet| {
            sheet.within(Role::Link, |sheet| {
                let target = Target::Heading(heading);
                let edges = (x, MARGIN + WIDTH);
                sheet.link_in(edges, top, Align::Left, (STYLE, text), (&target, text));
            });
        });
    });
}
