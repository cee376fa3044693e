//! `report.pdf`: a month's report on A4, drawn by hand so that page 1 answers alone and the
//! rest is evidence. The same report gives the same bytes.

mod course;
mod edition;
mod evidence;
mod font;
mod front;
mod method;
mod sheet;
mod signs;
mod strips;
mod table;
mod write;

use crate::render::words::{self, Local};
use crate::report::model::{At, Report};

use font::Faces;
use sheet::{Align, BOTTOM, MARGIN, Sheet, Style, WIDTH};
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

fn draw(report: &Report, digest: &str) -> Result<Sheet<'static>, PdfError> {
    let mut sheet = Sheet::new(Faces::shipped()?);
    front::front(&mut sheet, report);
    sheet.heading("The month day by day", 12.0);
    strips::strips(&mut sheet, report);
    edition::changes(&mut sheet, report);
    course::course(&mut sheet, report);
    evidence::evidence(&mut sheet, report);
    method::method(&mut sheet, report);
    feet(&mut sheet, report, digest);
    Ok(sheet)
}

fn imprint(report: &Report, digest: &str) -> Imprint {
    let month = words::month_name(&report.month);
    let made = report.published_at.unwrap_or(report.as_of);
    Imprint {
        title: format!("{}: service levels in {month}", report.service),
        author: report.published_by.clone().unwrap_or_default(),
        subject: words::edition(report),
        producer: format!("Mailward {}", report.method.program),
        created: pdf_date(made),
        digest: digest.to_owned(),
    }
}

/// A date as PDF has it (ISO 32000-1, 7.9.4).
fn pdf_date(at: At) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(instant) => instant.strftime("D:%Y%m%d%H%M%SZ").to_string(),
        Err(_) => "D:19700101000000Z".to_owned(),
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
        let number = format!("page {} of {pages}", i + 1);
        let edges = (MARGIN, MARGIN + WIDTH);
        sheet.text_in(edges, top, Align::Right, style, &number);
        let room = WIDTH
            - sheet.width_of(style, &number)
            - sheet.width_of(style, &what)
            - sheet.width_of(style, demo)
            - 10.0;
        let service = sheet.shortened(style, &report.service, room);
        sheet.text_at(MARGIN, top, style, &format!("{demo}{service} · {what}"));
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
