//! `report.pdf`: a month's report on A4, drawn by hand so that page 1 answers alone, the rest is
//! evidence, and an appendix takes what is too long. It is tagged for screen readers (PDF/UA-1),
//! made to last (PDF/A-2a), and the same report gives the same bytes.

mod appendix;
mod contents;
mod course;
mod edition;
mod evidence;
mod figures;
mod font;
mod front;
mod method;
mod score;
mod sheet;
mod signs;
mod strips;
mod structure;
mod style;
mod table;
mod wrap;
mod write;

use crate::render::words::{self, Local};
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
pub fn render(report: &Report) -> Result<Vec<u8>, PdfError> {
    let json = super::json::render(report).map_err(PdfError::Json)?;
    let digest = super::json::digest(&json);
    let sheet = draw(report, &digest)?;
    write::bytes(&sheet, &imprint(report, &digest))
}

fn draw<'r>(report: &'r Report, digest: &str) -> Result<Sheet<'r>, PdfError> {
    let mut sheet = Sheet::new(Faces::shipped()?);
    if let Some(brand) = &report.brand {
        sheet.theme = Theme::of(brand);
        sheet.logo = brand.logo.as_ref();
    }
    let mut appendix = Appendix::default();
    sheet.reserved = contents::RESERVED;
    front::front(&mut sheet, report, digest, &mut appendix);
    let list = contents::place(&mut sheet);
    edition::changes(&mut sheet, report, &mut appendix);
    course::course(&mut sheet, report, &mut appendix);
    evidence::evidence(&mut sheet, report, &mut appendix);
    figures::figures(&mut sheet, report, &mut appendix);
    method::method(&mut sheet, report, digest, &mut appendix);
    appendix.draw(&mut sheet);
    contents::fill(&mut sheet, list);
    feet(&mut sheet, report, digest);
    Ok(sheet)
}

/// What the document is called.
fn title(report: &Report) -> String {
    format!("{}: Performance Summary, {}", report.service, words::month_name(&report.month))
}

fn imprint(report: &Report, digest: &str) -> Imprint {
    let made = report.published_at.unwrap_or(report.as_of);
    let created = match jiff::Timestamp::from_millisecond(made.0) {
        Ok(instant) => instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => "1970-01-01T00:00:00Z".to_owned(),
    };
    let organisation = report.brand.as_ref().map(|brand| &brand.organisation);
    Imprint {
        title: title(report),
        author: report.published_by.as_ref().or(organisation).cloned().unwrap_or_default(),
        publisher: organisation.cloned().unwrap_or_default(),
        subject: words::edition(report),
        producer: format!("Mailward {}", report.method.program),
        created,
        digest: digest.to_owned(),
    }
}

/// At the foot of every page: what this is, by which bytes, and how far one has read.
fn feet(sheet: &mut Sheet<'_>, report: &Report, digest: &str) {
    let style = Style::SMALL;
    let demo = if report.demo { "DEMO · " } else { "" };
    let what = format!(
        "{} · {} · sha256 {}",
        words::month_name(&report.month),
        words::edition(report),
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
            let number = format!("page {} of {pages}", i + 1);
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

/// Local times of a report.
fn local(report: &Report) -> Local {
    Local::new(&report.zone)
}

#[cfg(test)]
mod tests;
