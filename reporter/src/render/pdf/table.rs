//! Tables: hairlines between rows only, figures to the right, heads repeated on every page,
//! rows kept whole unless one is longer than a page.

use super::sheet::{Align, BOTTOM, MARGIN, RULE, SECONDARY, Sheet, Style, TEXT, WIDTH};
use super::signs;
use crate::render::words::Standing;

/// Between a cell's text and the next column.
const GUTTER: f32 = 3.0;
/// Above and below a row's text.
const PAD: f32 = 0.65;
/// From a sign to its word.
const SIGN: f32 = 5.0;
/// A row with more lines goes on below as another row, so that it fits any page.
const MAX_LINES: usize = 48;

/// A column; the widths of a table add up to the page's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) width: f32,
    pub(super) align: Align,
}

/// A column with text.
pub(super) const fn left(head: &'static str, width: f32) -> Column {
    Column { head, width, align: Align::Left }
}

/// A column with figures.
pub(super) const fn right(head: &'static str, width: f32) -> Column {
    Column { head, width, align: Align::Right }
}

/// A cell: paragraphs, each in its style, and the sign of a standing before them.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    paragraphs: Vec<(Style, String)>,
    sign: Option<Standing>,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self::default().and(Style::BODY, text)
    }

    pub(super) fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.paragraphs.push((style, text.into()));
        self
    }

    /// A figure in small print.
    pub(super) fn figure(text: impl Into<String>) -> Self {
        Self::default().and(Style::FIGURE, text)
    }

    /// A second line in small print; nothing for an empty text.
    pub(super) fn small(self, text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { self } else { self.and(Style::SMALL, text) }
    }

    pub(super) fn signed(mut self, standing: Standing) -> Self {
        self.sign = Some(standing);
        self
    }

    fn indent(&self) -> f32 {
        if self.sign.is_some() { SIGN } else { 0.0 }
    }

    fn lines(&self, sheet: &Sheet<'_>, width: f32) -> Vec<(Style, String)> {
        let width = width - self.indent();
        let wrapped = |(style, text): &(Style, String)| {
            let lines = sheet.wrap(*style, text, width);
            lines.into_iter().map(|line| (*style, line)).collect::<Vec<_>>()
        };
        self.paragraphs.iter().flat_map(wrapped).collect()
    }
}

/// Draws a table at the cursor.
pub(super) fn table(sheet: &mut Sheet<'_>, columns: &[Column], rows: &[Vec<Cell>]) {
    let height = head_height(sheet, columns);
    sheet.need(height + 2.0 * Style::BODY.line_mm);
    head(sheet, columns);
    for row in rows {
        let cells: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                row.get(i).map(|c| c.lines(sheet, inner(columns, i, column))).unwrap_or_default()
            })
            .collect();
        let most = cells.iter().map(Vec::len).max().unwrap_or(0);
        let mut from = 0;
        while from < most {
            let part: Vec<&[(Style, String)]> = cells
                .iter()
                .map(|lines| &lines[from.min(lines.len())..(from + MAX_LINES).min(lines.len())])
                .collect();
            let height = part.iter().map(|lines| tall(lines)).fold(0.0, f32::max) + 2.0 * PAD;
            if sheet.y + height > BOTTOM {
                sheet.turn();
                head(sheet, columns);
            }
            draw_row(sheet, columns, row, &part, from == 0);
            from += MAX_LINES;
            sheet.y += height;
        }
        sheet.rule(0.4, RULE);
    }
}

fn tall(lines: &[(Style, String)]) -> f32 {
    lines.iter().map(|(style, _)| style.line_mm).sum()
}

/// The width a cell's text may take.
fn inner(columns: &[Column], i: usize, column: &Column) -> f32 {
    if i + 1 == columns.len() { column.width } else { column.width - GUTTER }
}

fn draw_row(
    sheet: &mut Sheet<'_>,
    columns: &[Column],
    row: &[Cell],
    part: &[&[(Style, String)]],
    first: bool,
) {
    let mut x = MARGIN;
    for (i, (column, lines)) in columns.iter().zip(part).enumerate() {
        let edge = x + inner(columns, i, column);
        let indent = row.get(i).map_or(0.0, Cell::indent);
        let mut top = sheet.y + PAD;
        if first && let Some(standing) = row.get(i).and_then(|cell| cell.sign) {
            signs::draw(sheet, x + 1.7, top + 2.0, standing);
        }
        for (style, line) in *lines {
            sheet.text_in((x + indent, edge), top, column.align, *style, line);
            top += style.line_mm;
        }
        x += column.width;
    }
}

fn head_lines(sheet: &Sheet<'_>, columns: &[Column]) -> Vec<Vec<String>> {
    let lines = |(i, column): (usize, &Column)| {
        sheet.wrap(Style::SMALL_STRONG, column.head, inner(columns, i, column))
    };
    columns.iter().enumerate().map(lines).collect()
}

fn head_height(sheet: &Sheet<'_>, columns: &[Column]) -> f32 {
    let most = head_lines(sheet, columns).iter().map(Vec::len).max().unwrap_or(1);
    #[allow(clippy::cast_precision_loss, reason = "a head has a few lines")]
    let most = most as f32;
    most * Style::SMALL.line_mm + 2.0 * PAD
}

fn head(sheet: &mut Sheet<'_>, columns: &[Column]) {
    let height = head_height(sheet, columns);
    let bottom = sheet.y + height;
    let mut x = MARGIN;
    for (i, (column, lines)) in columns.iter().zip(head_lines(sheet, columns)).enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "a head has a few lines")]
        let mut top = bottom - PAD - lines.len() as f32 * Style::SMALL.line_mm;
        let edge = x + inner(columns, i, column);
        for line in lines {
            let style = Style::SMALL_STRONG.coloured(SECONDARY);
            sheet.text_in((x, edge), top, column.align, style, &line);
            top += style.line_mm;
        }
        x += column.width;
    }
    sheet.y = bottom;
    sheet.rule(0.8, TEXT);
    debug_assert!((columns.iter().map(|c| c.width).sum::<f32>() - WIDTH).abs() < 0.01);
}
