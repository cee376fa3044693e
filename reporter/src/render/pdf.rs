//! `report.pdf`: a month's report on A4, drawn by hand so that page 1 answers alone, the rest is
//! evidence, and an appendix takes what is too long. It is tagged for screen readers (PDF/UA-1),
//! made to last (PDF/A-2a), and the same report gives the same bytes.

mod appendix;
mod contents;
mod course;
mod font;
mod front;
mod section;
mod sheet;
mod signs;
mod strips;
mod structure;
mod style;
mod table;
mod wrap;
mod write;

use crate::language::Language;
use crate::render::{sections, story};
use crate::report::model::Report;

use appendix::Appendix;
use font::Faces;
use sheet::{Align, Owner, Sheet};
use style::{BOTTOM, MARGIN, Style, Theme, WIDTH};
use write::Imprint;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// A face that was shipped with the program cannot be read or subset.
    #[error("a font of this program cannot be read")]
    Font,
    /// The report has no JSON, so no digest.
    #[error("serialise the report for its digest")]
    Json(#[source] serde_json::Error),
    /// The library made a file without a catalogue.
    #[error("expected a catalogue in the drawn pdf, got none")]
    Incomplete,
    /// The library that writes the file refused.
    #[error("write the pdf")]
    Write(#[source] std::io::Error),
}

/// Renders a report.
///
/// # Errors
/// When the report holds an instant that no calendar can hold, or the shipped fonts are damaged.
pub fn render(report: &Report, say: &Language) -> Result<Vec<u8>, PdfError> {
    let json = super::json::render(report).map_err(PdfError::Json)?;
    let digest = super::json::digest(&json);
    let sheet = draw(report, &digest, say)?;
    write::bytes(&sheet, &imprint(report, &digest, say))
}

fn draw<'r>(report: &'r Report, digest: &str, say: &'r Language) -> Result<Sheet<'r>, PdfError> {
    let mut sheet = Sheet::new(Faces::shipped()?, say);
    if let Some(brand) = &report.brand {
        sheet.theme = Theme::of(brand);
        sheet.logo = brand.logo.as_ref();
    }
    let mut appendix = Appendix::default();
    sheet.reserved = contents::RESERVED;
    front::front(&mut sheet, report, digest, &mut appendix);
    let list = contents::place(&mut sheet);
    for section in sections::all(report, digest, say) {
        section::section(&mut sheet, report, section, &mut appendix);
    }
    appendix.draw(&mut sheet);
    contents::fill(&mut sheet, list);
    feet(&mut sheet, report, digest);
    Ok(sheet)
}

/// What the document is called.
fn title(report: &Report, say: &Language) -> String {
    say.report.document(&report.service, say.month_name(&report.month))
}

fn imprint(report: &Report, digest: &str, say: &Language) -> Imprint {
    let made = report.published_at.unwrap_or(report.as_of);
    let created = match jiff::Timestamp::from_millisecond(made.0) {
        Ok(instant) => instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "1970-01-01T00:00:00Z".to_owned(),
    };
    let organisation = report.brand.as_ref().map(|brand| &brand.organisation);
    let by = report.published_by.as_deref().map(|by| say.publisher(by));
    Imprint {
        title: title(report, say),
        language: say.tag().to_owned(),
        author: by.or_else(|| organisation.cloned()).unwrap_or_default(),
        publisher: organisation.cloned().unwrap_or_default(),
        subject: story::edition(report, say),
        producer: format!("Mailward {}", report.method.program),
        created,
        digest: digest.to_owned(),
    }
}

/// At the foot of every page: what this is, by which bytes, and how far one has read.
fn feet(sheet: &mut Sheet<'_>, report: &Report, digest: &str) {
    let style = Style::SMALL;
    let say = sheet.say;
    let demo = if report.demo { format!("{} · ", say.badge.demo()) } else { String::new() };
    let what = format!(
        "{} · {} · sha256 {}",
        say.month_name(&report.month),
        story::edition(report, say),
        digest.get(..12).unwrap_or(digest),
    );
    let pages = sheet.pages.len();
    let top = BOTTOM + 4.3;
    let mut turned = std::mem::take(&mut sheet.pages);
    for (i, page) in turned.iter_mut().enumerate() {
        // draw on a page of its own, then add what was drawn to the page it belongs to
        sheet.pages = vec![std::mem::take(page)];
        sheet.beside(Owner::Foot, |sheet| {
            if let Some(footer) = report.brand.as_ref().and_then(|brand| brand.footer.as_ref()) {
                let footer = sheet.shortened(style, footer, WIDTH);
                sheet.text_at(MARGIN, BOTTOM + 0.8, style, &footer);
            }
            let number = say.report.page(i + 1, pages);
            let edges = (MARGIN, MARGIN + WIDTH);
            sheet.text_in(edges, top, Align::Right, style, &number);
            let room = WIDTH
                - sheet.width_of(style, &number)
                - sheet.width_of(style, &format!("{demo} · {what}"))
                - 6.0;
            let service = sheet.shortened(style, &report.service, room);
            sheet.text_at(MARGIN, top, style, &format!("{demo}{service} · {what}"));
        });
        if let Some(drawn) = sheet.pages.pop() {
            *page = drawn;
        }
    }
    sheet.pages = turned;
}

/// Whether both faces have a character: what they lack is drawn as one sign for all.
pub(crate) fn draws(c: char) -> bool {
    Faces::shipped().is_ok_and(|faces| faces.draw(c))
}

#[cfg(test)]
mod tests;
