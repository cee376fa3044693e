//! The layer that draws: pages of marks in millimetres from the top left corner, a cursor
//! that flows down and turns the page, and text that wraps. It knows nothing of reports.

use super::font::{Faces, PT_PER_MM, Weight};

/// A4, portrait.
pub(super) const PAGE_WIDTH: f32 = 210.0;
pub(super) const PAGE_HEIGHT: f32 = 297.0;
/// On all four sides; nothing is drawn outside.
pub(super) const MARGIN: f32 = 18.0;
/// What is left between the margins.
pub(super) const WIDTH: f32 = PAGE_WIDTH - 2.0 * MARGIN;
/// The distance of two lines of body text.
pub(super) const LINE: f32 = 4.0;
/// Where the running text ends; the foot stands between here and the margin.
pub(super) const BOTTOM: f32 = PAGE_HEIGHT - MARGIN - 8.0;

/// A colour, as red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

pub(super) const TEXT: Colour = Colour(0x0b, 0x0c, 0x0c);
pub(super) const SECONDARY: Colour = Colour(0x50, 0x5a, 0x5f);
pub(super) const RULE: Colour = Colour(0xb1, 0xb4, 0xb6);
pub(super) const ACCENT: Colour = Colour(0x1d, 0x70, 0xb8);
pub(super) const UP: Colour = Colour(0x00, 0x70, 0x3c);
pub(super) const DEGRADED: Colour = Colour(0xb5, 0x88, 0x40);
pub(super) const DOWN: Colour = Colour(0xd4, 0x35, 0x1c);
pub(super) const EXCLUDED: Colour = Colour(0x56, 0x94, 0xca);
/// Outlines of what is unknown: dark enough to be seen (3:1 on white).
pub(super) const UNKNOWN: Colour = Colour(0x76, 0x7c, 0x80);
pub(super) const WHITE: Colour = Colour(0xff, 0xff, 0xff);

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) weight: Weight,
    pub(super) size_pt: f32,
    /// Distance of its lines in millimetres.
    pub(super) line_mm: f32,
    pub(super) colour: Colour,
}

impl Style {
    pub(super) const BODY: Self =
        Self { weight: Weight::Regular, size_pt: 9.5, line_mm: LINE, colour: TEXT };
    pub(super) const STRONG: Self = Self { weight: Weight::Semibold, ..Self::BODY };
    pub(super) const SMALL: Self =
        Self { weight: Weight::Regular, size_pt: 8.0, line_mm: 3.5, colour: SECONDARY };
    pub(super) const SMALL_STRONG: Self = Self { weight: Weight::Semibold, ..Self::SMALL };
    pub(super) const HEADING: Self =
        Self { weight: Weight::Semibold, size_pt: 12.0, line_mm: 5.2, colour: TEXT };
    /// Small print that is read as a figure, so not in the secondary colour.
    pub(super) const FIGURE: Self = Self { colour: TEXT, ..Self::SMALL };
    pub(super) const FIGURE_STRONG: Self = Self { weight: Weight::Semibold, ..Self::FIGURE };
    pub(super) const LEAD: Self = Self { weight: Weight::Regular, ..Self::HEADING };
    pub(super) const TITLE: Self =
        Self { weight: Weight::Semibold, size_pt: 18.0, line_mm: 8.0, colour: TEXT };

    pub(super) const fn coloured(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// From the top of a line down to its baseline.
    fn ascent_mm(self) -> f32 {
        // the capitals' height is 0.714 of the size; the rest of the line is shared out evenly
        let capitals = 0.714 * self.size_pt / PT_PER_MM;
        (self.line_mm - capitals) / 2.0 + capitals
    }
}

/// Something drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A line of drawable text; `y` is its baseline.
    Text { x: f32, y: f32, style: Style, text: String },
    /// A straight stroke.
    Stroke { from: (f32, f32), to: (f32, f32), width_pt: f32, colour: Colour },
    /// A closed shape, filled.
    Fill { points: Vec<(f32, f32)>, colour: Colour },
    /// A closed shape, outlined.
    Outline { points: Vec<(f32, f32)>, width_pt: f32, colour: Colour },
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) marks: Vec<Mark>,
}

/// The pages so far and where the next thing goes.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) faces: &'a Faces,
    pub(super) pages: Vec<Page>,
    /// Headings and the pages they stand on, from 1, for the outline.
    pub(super) headings: Vec<(String, usize)>,
    /// The cursor, from the top of the page.
    pub(super) y: f32,
}

/// Where a text stands between two edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(faces: &'a Faces) -> Self {
        Self { faces, pages: vec![Page::default()], headings: Vec::new(), y: MARGIN }
    }

    /// Starts a page.
    pub(super) fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = MARGIN;
    }

    /// Room left on this page.
    pub(super) fn room(&self) -> f32 {
        BOTTOM - self.y
    }

    /// Turns the page unless there is this much room, or the page is still blank.
    pub(super) fn need(&mut self, height: f32) {
        if self.room() < height && self.y > MARGIN {
            self.turn();
        }
    }

    /// Leaves a gap, except at the top of a page.
    pub(super) fn gap(&mut self, height: f32) {
        if self.y > MARGIN {
            self.y += height;
        }
    }

    pub(super) fn draw(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.marks.push(mark);
        }
    }

    /// A text on one line whose top is at `top`.
    pub(super) fn text_at(&mut self, x: f32, top: f32, style: Style, text: &str) {
        let text = self.faces.face(style.weight).drawable(text);
        if !text.trim().is_empty() {
            self.draw(Mark::Text { x, y: top + style.ascent_mm(), style, text });
        }
    }

    /// A text on one line between two edges.
    pub(super) fn text_in(
        &mut self,
        (left, right): (f32, f32),
        top: f32,
        align: Align,
        style: Style,
        text: &str,
    ) {
        let x = match align {
            Align::Left => left,
            Align::Right => right - self.width_of(style, text),
        };
        self.text_at(x, top, style, text);
    }

    pub(super) fn width_of(&self, style: Style, text: &str) -> f32 {
        let face = self.faces.face(style.weight);
        face.width_mm(&face.drawable(text), style.size_pt)
    }

    /// A horizontal hairline across the page at the cursor.
    pub(super) fn rule(&mut self, width_pt: f32, colour: Colour) {
        let y = self.y;
        self.draw(Mark::Stroke { from: (MARGIN, y), to: (MARGIN + WIDTH, y), width_pt, colour });
    }

    pub(super) fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.draw(Mark::Fill { points: corners(x, y, width, height), colour });
    }

    /// Text between the margins, wrapped, at the cursor; it flows over pages.
    pub(super) fn paragraph(&mut self, style: Style, text: &str) {
        self.paragraph_in(style, text, WIDTH);
    }

    /// [`Sheet::paragraph`] that leaves room at the right.
    pub(super) fn paragraph_in(&mut self, style: Style, text: &str, width: f32) {
        for line in self.wrap(style, text, width) {
            self.need(style.line_mm);
            let top = self.y;
            self.text_at(MARGIN, top, style, &line);
            self.y += style.line_mm;
        }
    }

    /// A heading with a gap around it; it stays with `company` millimetres of what follows.
    pub(super) fn heading(&mut self, text: &str, company: f32) {
        self.need(1.5 * LINE + Style::HEADING.line_mm + company);
        self.gap(1.4 * LINE);
        self.headings.push((text.to_owned(), self.pages.len()));
        self.paragraph(Style::HEADING, text);
        self.y += 0.8;
    }

    /// Breaks a text into lines no wider than `width`; words wider than that are broken.
    pub(super) fn wrap(&self, style: Style, text: &str, width: f32) -> Vec<String> {
        let face = self.faces.face(style.weight);
        let text = face.drawable(text);
        let fits = |line: &str| face.width_mm(line, style.size_pt) <= width;
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if fits(&joined) {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                line.push(c);
                if !fits(&line) && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, c.to_string()));
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// A text shortened with an ellipsis where it is wider than `width`.
    pub(super) fn shortened(&self, style: Style, text: &str, width: f32) -> String {
        let face = self.faces.face(style.weight);
        let text = face.drawable(text);
        if face.width_mm(&text, style.size_pt) <= width {
            return text;
        }
        let mut short: String = text;
        while !short.is_empty() && face.width_mm(&format!("{short}…"), style.size_pt) > width {
            short.pop();
        }
        format!("{}…", short.trim_end())
    }
}

/// The corners of a rectangle.
pub(super) fn corners(x: f32, y: f32, width: f32, height: f32) -> Vec<(f32, f32)> {
    vec![(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
}

/// A circle, near enough on paper.
pub(super) fn circle(cx: f32, cy: f32, radius: f32) -> Vec<(f32, f32)> {
    arc(cx, cy, radius, 0, 32)
}

/// Part of a circle of 32 steps, clockwise from the top.
pub(super) fn arc(cx: f32, cy: f32, radius: f32, from: u8, to: u8) -> Vec<(f32, f32)> {
    (from..=to)
        .map(|step| {
            let angle = f32::from(step) / 32.0 * std::f32::consts::TAU;
            (cx + radius * angle.sin(), cy - radius * angle.cos())
        })
        .collect()
}
