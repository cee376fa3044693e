//! Page 1: which service, which month, which edition; the verdict in sentences; the scorecard and
//! the month's strips, as much of them as there is room for.

use super::appendix::{Appendix, lead};
use super::section::{self, most_important};
use super::sheet::{Align, Mark, Owner, Sheet, Target, corners, tall};
use super::strips;
use super::structure::Role;
use super::style::{MARGIN, SECONDARY, Style, TEXT, WIDTH};
use super::table::Table;
use crate::brand::Brand;
use crate::language::Language;
use crate::render::sections::{Table as Whole, scorecard, strips, strips_note};
use crate::render::story;
use crate::render::words::Standing;
use crate::report::model::{ComponentMonth, LevelFigure, Report};

/// Draws page 1.
pub(super) fn front<'r>(
    sheet: &mut Sheet<'_>,
    report: &'r Report,
    digest: &str,
    appendix: &mut Appendix<'r>,
) {
    head(sheet, report, digest);
    verdict(sheet, report);
    let say = sheet.say;
    let (levels, rows) = whole(report, say);
    let all = section::table(sheet, report, &levels, &levels.rows.iter().collect::<Vec<_>>());
    let days = section::table(sheet, report, &rows, &rows.rows.iter().collect::<Vec<_>>());
    let note = strips_note(report, say);
    let room = sheet.room() - around(sheet, report, &note);
    let fits = all.height_mm() + days.height_mm() <= room;
    sheet.heading(say.report.scorecard(), all.opening_mm());
    if levels.rows.is_empty() {
        sheet.paragraph(Style::BODY, say.report.promises_none());
    } else if fits {
        all.draw(sheet, 0.0);
    } else {
        // a third of the page is the strips', unless they need less
        let strips = days.height_mm().min(room / 3.0);
        some_levels(sheet, (report, levels), room - strips, appendix);
    }
    if let Some(whole) = story::whole(report, say) {
        sheet.y += 0.8;
        sheet.paragraph(Style::SMALL, &whole);
    }
    sheet.heading(say.report.days(), strips::LEGEND + days.opening_mm());
    if report.components.iter().all(|component| component.days.is_empty()) {
        sheet.paragraph(Style::BODY, say.report.no_day());
        return;
    }
    strips::legend(sheet);
    let tail = 0.8 + sheet.height_of(Style::SMALL, &note);
    if fits || days.height_mm() + tail <= sheet.room() {
        days.draw(sheet, tail);
        sheet.y += 0.8;
    } else {
        some_rows(sheet, (report, rows), tail, appendix);
    }
    sheet.paragraph(Style::SMALL, &note);
}

/// The scorecard of all levels, and the strips of all components.
fn whole<'r>(report: &'r Report, say: &Language) -> (Whole<'r>, Whole<'r>) {
    let levels: Vec<&LevelFigure> = report.levels.iter().collect();
    let rows: Vec<&ComponentMonth> = report.components.iter().collect();
    (scorecard(report, &levels, say), strips(report, &rows, say))
}

/// What stands around scorecard and strips: headings, legend, notes.
fn around(sheet: &Sheet<'_>, report: &Report, note: &str) -> f32 {
    let whole = story::whole(report, sheet.say);
    let notes = whole.map_or(0.0, |text| sheet.height_of(Style::SMALL, &text));
    2.0 * 11.2 + strips::LEGEND + notes + sheet.height_of(Style::SMALL, note) + 2.0
}

/// The levels that are not plainly met come first where there is no room for all.
fn some_levels<'r>(
    sheet: &mut Sheet<'_>,
    (report, levels): (&'r Report, Whole<'r>),
    room: f32,
    appendix: &mut Appendix<'r>,
) {
    let room = room - 2.0 * Style::SMALL.line_mm;
    let pick = |sheet: &Sheet<'_>, limit: usize| {
        // of rows taken from between others, each names its component
        let mut picked: Vec<&LevelFigure> = report.levels.iter().collect();
        picked.sort_by_key(|level| std::cmp::Reverse(Standing::of(level).weight()));
        picked.truncate(limit);
        let kept: Vec<&LevelFigure> =
            report.levels.iter().filter(|l| picked.iter().any(|p| p.id == l.id)).collect();
        let some = scorecard(report, &kept, sheet.say);
        section::table(sheet, report, &some, &some.rows.iter().collect::<Vec<_>>())
    };
    let (table, shown) = fitting(sheet, levels.rows.len(), room, pick);
    table.draw(sheet, Style::SMALL.line_mm);
    let say = sheet.say;
    let sentence = say.report.levels_some(shown, say.count(levels.rows.len() as u64));
    let (name, target) = appendix.add(say, say.report.all_levels(), move |sheet, title| {
        let table = section::table(sheet, report, &levels, &levels.rows.iter().collect::<Vec<_>>());
        sheet.heading(title, table.opening_mm());
        table.draw(sheet, 0.0);
    });
    elsewhere(sheet, &sentence, &name, &target);
}

/// The components that worked least come first where there is no room for all.
fn some_rows<'r>(
    sheet: &mut Sheet<'_>,
    (report, rows): (&'r Report, Whole<'r>),
    tail: f32,
    appendix: &mut Appendix<'r>,
) {
    let room = sheet.room() - tail - Style::SMALL.line_mm;
    let pick = |sheet: &Sheet<'_>, limit: usize| {
        section::table(sheet, report, &rows, &most_important(&rows.rows, limit))
    };
    let (table, shown) = fitting(sheet, rows.rows.len(), room, pick);
    table.draw(sheet, tail + Style::SMALL.line_mm);
    let say = sheet.say;
    let sentence = say.report.rows_some(shown, say.count(rows.rows.len() as u64));
    let (name, target) = appendix.add(say, say.report.all_rows(), move |sheet, title| {
        let table = section::table(sheet, report, &rows, &rows.rows.iter().collect::<Vec<_>>());
        sheet.heading(title, strips::LEGEND + table.opening_mm());
        strips::legend(sheet);
        table.draw(sheet, 0.0);
    });
    elsewhere(sheet, &sentence, &name, &target);
}

fn elsewhere(sheet: &mut Sheet<'_>, sentence: &str, name: &str, target: &Target) {
    sheet.y += 0.8;
    lead(sheet, (sentence, name, target));
}

/// The table of the most rows that fit into `room`, but of one at least.
fn fitting<'r>(
    sheet: &Sheet<'_>,
    rows: usize,
    room: f32,
    table: impl Fn(&Sheet<'_>, usize) -> Table<'r>,
) -> (Table<'r>, usize) {
    // a row is at least a line high
    let mut limit = table(sheet, rows.min(60)).rows_in(room).max(1);
    loop {
        let picked = table(sheet, limit);
        if limit <= 1 || picked.height_mm() <= room {
            return (picked, limit);
        }
        limit -= 1;
    }
}

fn head(sheet: &mut Sheet<'_>, report: &Report, digest: &str) {
    let accent = sheet.theme.accent;
    sheet.rect(MARGIN, MARGIN, WIDTH, 1.2, accent);
    sheet.y = MARGIN + 3.5;
    let (beside, below) = match &report.brand {
        Some(brand) => sender(sheet, brand),
        None => (0.0, sheet.y),
    };
    let top = sheet.y + 1.6;
    let taken = beside + badges(sheet, report, (MARGIN + WIDTH - beside, top));
    let say = sheet.say;
    sheet.mark_heading(&super::title(report, say));
    let width = WIDTH - taken;
    let mut style = Style::TITLE.coloured(sheet.theme.head);
    let mut lines = sheet.wrap(style, &report.service, width);
    if lines.len() > 2 {
        style = Style::HEADING.coloured(sheet.theme.head);
        lines = sheet.wrap(style, &report.service, width);
    }
    sheet.within(Role::Heading(1), |sheet| {
        for line in &lines {
            let top = sheet.y;
            sheet.text_at(MARGIN, top, style, line);
            sheet.y += style.line_mm;
        }
    });
    let month = say.report.summary(say.month_name(&report.month), &report.zone);
    sheet.paragraph_in(Style::LEAD, &month, WIDTH - beside);
    sheet.y = sheet.y.max(below) + 1.2;
    facts(sheet, &story::facts(report, digest, say));
    for sentence in story::provisos(report, say) {
        sheet.paragraph(Style::SMALL, &sentence);
    }
}

/// Who reports, at the top right: the logo, as large as its box allows, and the organisation. How
/// much room that takes, and where it ends. It stands beside the title, which is as high.
fn sender(sheet: &mut Sheet<'_>, brand: &Brand) -> (f32, f32) {
    /// Width and height of the logo's box.
    const BOX: (f32, f32) = (60.0, 9.2);
    let right = MARGIN + WIDTH;
    let (mut top, mut taken) = (sheet.y, 0.0f32);
    if let Some(logo) = sheet.logo {
        let (width, height) = logo.within(BOX);
        let frame = [right - width, top, right, top + height];
        sheet.figure(sheet.say.report.logo(&brand.organisation), frame, |sheet| {
            sheet.draw(Mark::Logo { frame })
        });
        (top, taken) = (top + height + 0.5, width);
    }
    let style = Style::SMALL_STRONG.coloured(sheet.theme.head);
    let lines = sheet.wrap(style, &brand.organisation, BOX.0);
    sheet.within(Role::Paragraph, |sheet| {
        for line in &lines {
            let line = line.trim_end();
            sheet.text_in((MARGIN, right), top, Align::Right, style, line);
            taken = taken.max(sheet.width_of(style, line));
            top += style.line_mm;
        }
    });
    (taken + 4.0, top)
}

/// What must not be overlooked, in boxes at the top right of `edge`; how much room they take.
fn badges(sheet: &mut Sheet<'_>, report: &Report, (right, top): (f32, f32)) -> f32 {
    let mut edge = right;
    for word in story::badges(report, sheet.say) {
        let style = Style::SMALL_STRONG.coloured(TEXT);
        let width = sheet.width_of(style, word) + 4.0;
        let points = corners(edge - width, top - 0.6, width, 5.0);
        let frame = Mark::Outline { points, width_pt: 1.0, colour: TEXT };
        sheet.beside(Owner::Layout, |sheet| sheet.draw(frame));
        sheet.within(Role::Paragraph, |sheet| {
            sheet.text_in((edge - width, edge - 2.0), top + 0.1, Align::Right, style, word);
        });
        edge -= width + 2.0;
    }
    right - edge
}

/// Facts about the edition, in two columns, each a word and what it says.
fn facts(sheet: &mut Sheet<'_>, facts: &[(&str, String)]) {
    const HALF: f32 = WIDTH / 2.0;
    let style = Style::FIGURE;
    let label = facts.iter().map(|(word, _)| sheet.width_of(style, word)).fold(0.0, f32::max) + 3.0;
    sheet.within(Role::List, |sheet| {
        for pair in facts.chunks(2) {
            let top = sheet.y;
            let mut height: f32 = 0.0;
            for (column, (word, says)) in [MARGIN, MARGIN + HALF].iter().zip(pair) {
                let lines = sheet.wrap(style, says, HALF - label - 3.0);
                sheet.within(Role::Item, |sheet| {
                    sheet.within(Role::Label, |sheet| {
                        sheet.text_at(*column, top, style.coloured(SECONDARY), word);
                    });
                    sheet.within(Role::Text, |sheet| {
                        for (i, line) in lines.iter().enumerate() {
                            sheet.text_at(column + label, top + tall(style, i), style, line);
                        }
                    });
                });
                height = height.max(tall(style, lines.len().max(1)));
            }
            sheet.y = top + height;
        }
    });
}

/// The verdict, and what it rests on.
fn verdict(sheet: &mut Sheet<'_>, report: &Report) {
    sheet.y += 3.0;
    let [verdict, rest @ ..] = &story::verdict(report, sheet.say)[..] else { return };
    sheet.paragraph(Style::HEADING, verdict);
    sheet.y += 0.8;
    sheet.paragraph(Style::BODY, &rest.join(" "));
}
