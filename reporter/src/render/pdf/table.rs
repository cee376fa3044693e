//! Tables: columns as wide as what stands in them, hairlines between rows only, figures to the
//! right, heads repeated on every page and never parted from their rows, rows kept whole unless
//! one is longer than a page.

mod cell;
mod widths;

use super::sheet::{Align, Owner, Sheet, tall};
use super::signs;
use super::structure::{Role, Scope};
use super::style::{LINE, MARGIN, RULE, SECONDARY, Style, TEXT, WIDTH};
use super::wrap;
pub(super) use cell::{Cell, Chart};
use cell::{Line, SIGN};
use widths::Wish;

/// Between a cell's text and the next column.
const GUTTER: f32 = 2.6;
/// Above and below a row's text.
const PAD: f32 = 0.65;
/// A row with more lines goes on below as another row, so that it fits any page.
const MAX_LINES: usize = 40;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Breadth {
    /// Text, which may wrap.
    Text,
    /// Figures, which do not.
    Figures,
    /// A drawing of this width.
    Drawing(f32),
}

/// Draws above a column of drawings, from its left edge and the foot of the head.
type Axis<'r> = Box<dyn Fn(&mut Sheet<'_>, f32, f32) + 'r>;

/// A column.
pub(super) struct Column<'r> {
    head: String,
    align: Align,
    breadth: Breadth,
    axis: Option<Axis<'r>>,
}

/// A column with text.
pub(super) fn left<'r>(head: impl Into<String>) -> Column<'r> {
    Column { head: head.into(), align: Align::Left, breadth: Breadth::Text, axis: None }
}

/// A column with figures.
pub(super) fn right<'r>(head: impl Into<String>) -> Column<'r> {
    Column { head: head.into(), align: Align::Right, breadth: Breadth::Figures, axis: None }
}

/// A column with drawings, whose head is an axis; `head` is what the axis is read as.
pub(super) fn drawn<'r>(
    head: impl Into<String>,
    width: f32,
    axis: impl Fn(&mut Sheet<'_>, f32, f32) + 'r,
) -> Column<'r> {
    let breadth = Breadth::Drawing(width);
    Column { head: head.into(), align: Align::Left, breadth, axis: Some(Box::new(axis)) }
}

/// A row: its cells, and whether a hairline closes it.
pub(super) struct Row<'r> {
    cells: Vec<Cell<'r>>,
    ruled: bool,
}

impl<'r> From<Vec<Cell<'r>>> for Row<'r> {
    fn from(cells: Vec<Cell<'r>>) -> Self {
        Self { cells, ruled: true }
    }
}

impl Row<'_> {
    /// A row that belongs together with the next.
    pub(super) const fn open(mut self) -> Self {
        self.ruled = false;
        self
    }
}

/// A table with its columns measured, ready to be drawn.
pub(super) struct Table<'r> {
    summary: String,
    columns: Vec<Column<'r>>,
    rows: Vec<Row<'r>>,
    /// Left and right edge of each column's text.
    edges: Vec<(f32, f32)>,
    heads: Vec<Vec<String>>,
    head_mm: f32,
    /// The lines of each row's cells.
    lines: Vec<Vec<Vec<Line>>>,
    heights: Vec<f32>,
}

impl<'r> Table<'r> {
    /// Measures a table; `summary` says what it is a table of.
    pub(super) fn new(
        sheet: &Sheet<'_>,
        summary: impl Into<String>,
        columns: Vec<Column<'r>>,
        rows: Vec<Row<'r>>,
    ) -> Self {
        let edges = edges(&widths_of(sheet, &columns, &rows));
        let head = |(column, edges): (&Column<'_>, &(f32, f32))| match column.axis {
            Some(_) => Vec::new(),
            None => sheet.wrap(Style::SMALL_STRONG, &column.head, edges.1 - edges.0),
        };
        let heads: Vec<_> = columns.iter().zip(&edges).map(head).collect();
        let most = heads.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let cells = |row: &Row<'r>| -> Vec<Vec<Line>> {
            let lines =
                |(cell, edges): (&Cell<'_>, &(f32, f32))| cell.lines(sheet, edges.1 - edges.0);
            row.cells.iter().zip(&edges).map(lines).collect()
        };
        let lines: Vec<_> = rows.iter().map(cells).collect();
        let heights = rows.iter().zip(&lines).map(|(row, lines)| {
            let drawings = row.cells.iter().map(Cell::drawing_mm).fold(0.0, f32::max);
            let lowered = |own: &Vec<Line>| lowering(lines, own) + tall_of(own);
            lines.iter().map(lowered).fold(drawings, f32::max) + 2.0 * PAD
        });
        Self {
            summary: summary.into(),
            heights: heights.collect(),
            head_mm: tall(Style::SMALL, most) + 2.0 * PAD,
            columns,
            rows,
            edges,
            heads,
            lines,
        }
    }

    /// How tall the head and the first rows are, which do not part.
    pub(super) fn opening_mm(&self) -> f32 {
        let rows: f32 = self.heights.iter().take(2).sum();
        self.head_mm + rows.min(12.0 * LINE)
    }

    /// How tall it is as a whole.
    pub(super) fn height_mm(&self) -> f32 {
        self.head_mm + self.heights.iter().sum::<f32>()
    }

    /// How many of its rows fit into this much.
    pub(super) fn rows_in(&self, mut room: f32) -> usize {
        room -= self.head_mm;
        let fits = |height: &&f32| {
            room -= **height;
            room >= 0.0
        };
        self.heights.iter().take_while(fits).count()
    }

    /// Draws it at the cursor; `tail` millimetres of what follows stay with its last row.
    pub(super) fn draw(&self, sheet: &mut Sheet<'_>, tail: f32) {
        sheet.need(self.opening_mm());
        sheet.within(Role::Table(self.summary.clone()), |sheet| {
            sheet.within(Role::Row, |sheet| self.head(sheet, true));
            for row in 0..self.rows.len() {
                sheet.within(Role::Row, |sheet| self.row(sheet, row, tail));
            }
        });
    }

    fn row(&self, sheet: &mut Sheet<'_>, row: usize, tail: f32) {
        let height = self.heights[row];
        let left = self.rows.len() - row;
        // the last row is not alone on its page
        let wanted = match left {
            1 => height + tail,
            2 if row > 0 => height + self.heights[row + 1] + tail,
            _ => height,
        };
        let page = super::style::BOTTOM - MARGIN - self.head_mm;
        let wanted = if wanted <= page { wanted } else { height };
        if sheet.room() < wanted && !(row == 0 && height > page) {
            self.turn(sheet);
        }
        if height <= page {
            self.part(sheet, row, (0, usize::MAX));
            sheet.y += height;
        } else {
            self.parts(sheet, row);
        }
        if self.rows[row].ruled || left == 1 {
            sheet.rule(0.4, RULE);
        }
    }

    /// A row that is longer than a page.
    fn parts(&self, sheet: &mut Sheet<'_>, row: usize) {
        let most = self.lines[row].iter().map(Vec::len).max().unwrap_or(0);
        let mut from = 0;
        while from < most {
            let cut = |lines: &Vec<Line>| {
                tall_of(&lines[from.min(lines.len())..(from + MAX_LINES).min(lines.len())])
            };
            let height = self.lines[row].iter().map(cut).fold(0.0, f32::max) + 2.0 * PAD;
            if sheet.room() < height {
                self.turn(sheet);
            }
            self.part(sheet, row, (from, from + MAX_LINES));
            from += MAX_LINES;
            sheet.y += height;
        }
    }

    /// A row or two need no heads of their own: they would be more heads than cells.
    fn has_row_heads(&self) -> bool {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        rows + columns <= rows * columns.saturating_sub(1)
    }

    fn turn(&self, sheet: &mut Sheet<'_>) {
        sheet.turn();
        sheet.beside(Owner::Repeated, |sheet| self.head(sheet, false));
    }

    /// Some lines of a row's cells.
    fn part(&self, sheet: &mut Sheet<'_>, row: usize, (from, to): (usize, usize)) {
        for (i, cell) in self.rows[row].cells.iter().enumerate() {
            let role = if i == 0 && self.has_row_heads() {
                Role::HeadCell(Scope::Row, cell.spoken())
            } else {
                Role::Cell
            };
            let lines = &self.lines[row][i];
            let lowering = if from == 0 { lowering(&self.lines[row], lines) } else { 0.0 };
            let lines = &lines[from.min(lines.len())..to.min(lines.len())];
            sheet.within(role, |sheet| {
                let (left, right) = self.edges[i];
                let top = sheet.y + PAD;
                if from == 0 {
                    if let Some(standing) = cell.sign() {
                        sheet.beside(Owner::Layout, |sheet| {
                            signs::draw(sheet, left + 1.7, top + 2.0, standing);
                        });
                    }
                    if let Some(chart) = cell.chart() {
                        chart.draw(sheet, left, sheet.y, self.heights[row]);
                    }
                }
                let indent = if cell.sign().is_some() { SIGN } else { 0.0 };
                cell::text(
                    sheet,
                    (left + indent, right),
                    self.columns[i].align,
                    lines,
                    top + lowering,
                );
            });
        }
    }

    fn head(&self, sheet: &mut Sheet<'_>, first: bool) {
        let bottom = sheet.y + self.head_mm;
        for (i, column) in self.columns.iter().enumerate() {
            let draw = |sheet: &mut Sheet<'_>| {
                let lines = &self.heads[i];
                let mut top = bottom - PAD - tall(Style::SMALL, lines.len());
                for line in lines {
                    let style = Style::SMALL_STRONG.coloured(SECONDARY);
                    sheet.text_in(self.edges[i], top, column.align, style, line);
                    top += style.line_mm;
                }
                if let Some(axis) = &column.axis {
                    let (left, right) = self.edges[i];
                    let drawn = |sheet: &mut Sheet<'_>| axis(sheet, left, bottom - PAD);
                    if first {
                        let frame = [left, sheet.y, right, bottom];
                        sheet.figure(column.head.clone(), frame, drawn);
                    } else {
                        drawn(sheet);
                    }
                }
            };
            if first {
                sheet.within(Role::HeadCell(Scope::Column, String::new()), draw);
            } else {
                draw(sheet);
            }
        }
        sheet.y = bottom;
        sheet.rule(0.8, TEXT);
    }
}

/// By how much a cell of a row is lowered, so that all first lines stand on one.
fn lowering(row: &[Vec<Line>], own: &[Line]) -> f32 {
    let ascent = |lines: &[Line]| lines.first().map_or(0.0, |line| line.style.ascent_mm());
    let lowest = row.iter().map(|lines| ascent(lines)).fold(0.0, f32::max);
    if own.is_empty() { 0.0 } else { lowest - ascent(own) }
}

fn tall_of(lines: &[Line]) -> f32 {
    lines.iter().map(|line| line.style.line_mm).sum()
}

fn widths_of(sheet: &Sheet<'_>, columns: &[Column<'_>], rows: &[Row<'_>]) -> Vec<f32> {
    let wish = |(i, column): (usize, &Column<'_>)| {
        if let Breadth::Drawing(width) = column.breadth {
            return Wish { least: width, most: width, yields: false };
        }
        let style = Style::SMALL_STRONG;
        let figures = column.breadth == Breadth::Figures;
        let word = wrap::widest_word(sheet.faces, style, &column.head);
        let whole = if figures { word } else { sheet.width_of(style, &column.head) };
        let mut wish = Wish { least: word, most: whole, yields: !figures };
        for cell in rows.iter().filter_map(|row| row.cells.get(i)) {
            let (least, most) = cell.widths(sheet);
            // a figure as long as this is no figure, and wraps like text
            let least = if figures && most < 48.0 { most } else { least };
            wish.least = wish.least.max(least);
            wish.most = wish.most.max(most);
        }
        // a rounding's worth, so that what was measured also fits
        Wish { least: wish.least + 0.05, most: wish.most + 0.05, ..wish }
    };
    let wishes: Vec<Wish> = columns.iter().enumerate().map(wish).collect();
    #[allow(clippy::cast_precision_loss, reason = "a table has a few columns")]
    let gutters = GUTTER * columns.len().saturating_sub(1) as f32;
    widths::widths(&wishes, WIDTH - gutters)
}

fn edges(widths: &[f32]) -> Vec<(f32, f32)> {
    let mut x = MARGIN;
    let edge = |width: &f32| {
        let edges = (x, x + width);
        x = edges.1 + GUTTER;
        edges
    };
    widths.iter().map(edge).collect()
}
