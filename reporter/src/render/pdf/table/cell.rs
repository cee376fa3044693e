//! What stands in a table's cell: paragraphs, each in its style, perhaps with a link, the sign of
//! a standing before them, or a drawing.

use crate::render::pdf::sheet::{Align, Sheet, Target};
use crate::render::pdf::structure::Role;
use crate::render::pdf::style::Style;
use crate::render::pdf::wrap;
use crate::render::words::Standing;

/// From a sign to its word.
pub(super) const SIGN: f32 = 5.0;

/// Draws into a frame: left edge, top, height.
type Draw<'r> = Box<dyn Fn(&mut Sheet<'_>, f32, f32, f32) + 'r>;

/// A drawing in a cell, with what it says in words.
pub(in crate::render::pdf) struct Chart<'r> {
    pub(in crate::render::pdf) alt: String,
    pub(in crate::render::pdf) width: f32,
    pub(in crate::render::pdf) height: f32,
    pub(in crate::render::pdf) draw: Draw<'r>,
}

impl Chart<'_> {
    /// Draws it in the middle of a row.
    pub(super) fn draw(&self, sheet: &mut Sheet<'_>, left: f32, top: f32, row: f32) {
        let top = top + (row - self.height) / 2.0;
        let frame = [left, top, left + self.width, top + self.height];
        sheet.figure(self.alt.clone(), frame, |sheet| (self.draw)(sheet, left, top, self.height));
    }
}

struct Paragraph {
    style: Style,
    text: String,
    target: Option<Target>,
}

/// A cell.
#[derive(Default)]
pub(in crate::render::pdf) struct Cell<'r> {
    paragraphs: Vec<Paragraph>,
    sign: Option<Standing>,
    chart: Option<Chart<'r>>,
    unshown: String,
}

/// A line of a cell.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) style: Style,
    text: String,
    /// Which of the cell's paragraphs it is of.
    paragraph: usize,
    /// Where it leads, and the whole text that leads there.
    target: Option<(Target, String)>,
    /// Whether its paragraph is the only one.
    alone: bool,
}

impl<'r> Cell<'r> {
    /// Another paragraph; nothing for an empty text.
    pub(in crate::render::pdf) fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.paragraphs.push(Paragraph { style, text, target: None });
        }
        self
    }

    /// A line in small print that leads to the address it names.
    pub(in crate::render::pdf) fn address(mut self, address: &str) -> Self {
        let followed = address.starts_with("https://") || address.starts_with("http://");
        if !followed || !address.is_ascii() {
            return self.and(Style::SMALL, address);
        }
        let target = Some(Target::Address(address.to_owned()));
        let style = Style::SMALL;
        self.paragraphs.push(Paragraph { style, text: address.to_owned(), target });
        self
    }

    /// What it is about, where it does not show it.
    pub(in crate::render::pdf) fn unshown(mut self, text: &str) -> Self {
        text.clone_into(&mut self.unshown);
        self
    }

    /// What is said in place of what it shows; empty where it shows all.
    pub(super) fn spoken(&self) -> String {
        if self.unshown.is_empty() {
            return String::new();
        }
        let shown = self.paragraphs.iter().map(|paragraph| paragraph.text.as_str());
        let all: Vec<&str> = std::iter::once(self.unshown.as_str()).chain(shown).collect();
        all.join(", ")
    }

    pub(in crate::render::pdf) fn signed(mut self, standing: Standing) -> Self {
        self.sign = Some(standing);
        self
    }

    pub(in crate::render::pdf) fn chart_of(chart: Chart<'r>) -> Self {
        Self { chart: Some(chart), ..Self::default() }
    }

    pub(super) const fn sign(&self) -> Option<Standing> {
        self.sign
    }

    pub(super) const fn chart(&self) -> Option<&Chart<'r>> {
        self.chart.as_ref()
    }

    pub(super) fn drawing_mm(&self) -> f32 {
        self.chart.as_ref().map_or(0.0, |chart| chart.height)
    }

    fn indent(&self) -> f32 {
        if self.sign.is_some() { SIGN } else { 0.0 }
    }

    /// The least and the most it would take.
    pub(super) fn widths(&self, sheet: &Sheet<'_>) -> (f32, f32) {
        let measured = |paragraph: &Paragraph| {
            let Paragraph { style, text, .. } = paragraph;
            (wrap::widest_word(sheet.faces, *style, text), sheet.width_of(*style, text))
        };
        let (least, most) = self
            .paragraphs
            .iter()
            .map(measured)
            .fold((0.0, 0.0), |all: (f32, f32), one| (all.0.max(one.0), all.1.max(one.1)));
        (least + self.indent(), most + self.indent())
    }

    pub(super) fn lines(&self, sheet: &Sheet<'_>, width: f32) -> Vec<Line> {
        let width = (width - self.indent()).max(1.0);
        let alone = self.paragraphs.len() == 1;
        let wrapped = |(number, paragraph): (usize, &Paragraph)| {
            let Paragraph { style, text, target } = paragraph;
            let lines = sheet.wrap(*style, text, width).into_iter().map(|line| Line {
                style: *style,
                text: line,
                paragraph: number,
                target: target.clone().map(|target| (target, text.clone())),
                alone,
            });
            lines.collect::<Vec<_>>()
        };
        self.paragraphs.iter().enumerate().flat_map(wrapped).collect()
    }
}

/// Draws the lines of a cell.
pub(super) fn text(
    sheet: &mut Sheet<'_>,
    edges: (f32, f32),
    align: Align,
    lines: &[Line],
    mut top: f32,
) {
    for lines in lines.chunk_by(|one, next| one.paragraph == next.paragraph) {
        let mut draw = |sheet: &mut Sheet<'_>| {
            for line in lines {
                match &line.target {
                    None => sheet.text_in(edges, top, align, line.style, &line.text),
                    Some((target, says)) => {
                        let text = (line.style, line.text.as_str());
                        sheet.link_in(edges, top, align, text, (target, says));
                    }
                }
                top += line.style.line_mm;
            }
        };
        match lines.first() {
            Some(Line { target: Some(_), .. }) => sheet.within(Role::Link, draw),
            Some(Line { alone: true, .. }) | None => draw(sheet),
            Some(_) => sheet.within(Role::Paragraph, draw),
        }
    }
}
