//! The layer that draws: pages of marks in millimetres from the top left corner, a cursor that
//! flows down and turns the page, and to which part of the structure each mark belongs. It knows
//! nothing of reports.

use super::font::{Faces, PT_PER_MM};
use super::structure::{Figure, Kid, ROOT, Role, Tree};
use super::style::{BOTTOM, Colour, LINE, MARGIN, Style, Theme, WIDTH};
use super::wrap;
use crate::brand::Logo;
use crate::language::Language;

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
    /// A circle, outlined.
    Circle { centre: (f32, f32), radius: f32, width_pt: f32, colour: Colour },
    /// The logo, filling a frame of its own proportions: left, top, right and bottom.
    Logo { frame: [f32; 4] },
}

/// Whose a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Part of what the report says.
    Run(usize),
    /// Rules and signs that say nothing of their own.
    Layout,
    /// What stands at the foot of every page.
    Foot,
    /// A table's head, repeated on another page.
    Repeated,
}

/// One page: its marks, each with whose it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) marks: Vec<(Mark, Owner)>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(String),
    /// A heading, by its place in [`Sheet::headings`].
    Heading(usize),
    /// A part of the appendix, by its number from 0.
    Appendix(usize),
}

/// A rectangle that can be followed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    pub(super) page: usize,
    pub(super) node: usize,
    /// Left, top, right and bottom in millimetres from the page's top left corner.
    pub(super) frame: [f32; 4],
    pub(super) target: Target,
    /// What it is, in words.
    pub(super) says: String,
}

/// A heading, for bookmarks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heading {
    pub(super) text: String,
    /// From 0.
    pub(super) page: usize,
    /// From the top of the page, in millimetres.
    pub(super) top: f32,
}

/// The pages so far and where the next thing goes.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    pub(super) faces: &'a Faces,
    /// The language of what is drawn.
    pub(super) say: &'a Language,
    pub(super) pages: Vec<Page>,
    pub(super) tree: Tree,
    pub(super) links: Vec<Link>,
    pub(super) headings: Vec<Heading>,
    /// The heading of each part of the appendix.
    pub(super) appendices: Vec<usize>,
    /// The cursor, from the top of the page.
    pub(super) y: f32,
    /// The part of the structure that is being drawn.
    place: usize,
    /// Whose marks are that belong to no part.
    beside: Owner,
    /// What page 1 keeps free at its end.
    pub(super) reserved: f32,
    pub(super) theme: Theme,
    /// What [`Mark::Logo`] draws.
    pub(super) logo: Option<&'a Logo>,
}

/// Where a text stands between two edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(faces: &'a Faces, say: &'a Language) -> Self {
        Self {
            faces,
            say,
            pages: vec![Page::default()],
            tree: Tree::default(),
            links: Vec::new(),
            headings: Vec::new(),
            appendices: Vec::new(),
            y: MARGIN,
            place: ROOT,
            beside: Owner::Layout,
            reserved: 0.0,
            theme: Theme::PLAIN,
            logo: None,
        }
    }

    /// The page that is being drawn, from 0.
    pub(super) fn page(&self) -> usize {
        self.pages.len().saturating_sub(1)
    }

    /// Starts a page.
    pub(super) fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = MARGIN;
    }

    /// Where this page's text ends.
    pub(super) fn bottom(&self) -> f32 {
        if self.page() == 0 { BOTTOM - self.reserved } else { BOTTOM }
    }

    /// Room left on this page.
    pub(super) fn room(&self) -> f32 {
        self.bottom() - self.y
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

    /// Draws what belongs to a new part of the structure.
    pub(super) fn within<R>(&mut self, role: Role, draw: impl FnOnce(&mut Self) -> R) -> R {
        let node = self.tree.add(self.place, role);
        self.at(node, draw)
    }

    /// Draws what belongs to this part of the structure.
    pub(super) fn at<R>(&mut self, node: usize, draw: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.place, node);
        let result = draw(self);
        self.place = before;
        result
    }

    /// Draws what says nothing of its own.
    pub(super) fn beside<R>(&mut self, owner: Owner, draw: impl FnOnce(&mut Self) -> R) -> R {
        let before = std::mem::replace(&mut self.beside, owner);
        let result = self.at(ROOT, draw);
        self.beside = before;
        result
    }

    /// Draws a figure, which is told in words to those who do not see it.
    pub(super) fn figure(&mut self, alt: String, frame: [f32; 4], draw: impl FnOnce(&mut Self)) {
        self.within(Role::Figure(Figure { alt, frame }), draw);
    }

    /// A new part of the structure inside the one that is being drawn, to be drawn later.
    pub(super) fn node(&mut self, role: Role) -> usize {
        self.tree.add(self.place, role)
    }

    pub(super) fn draw(&mut self, mark: Mark) {
        let page = self.page();
        let owner = if self.place == ROOT { self.beside } else { self.run(page) };
        if let Some(page) = self.pages.last_mut() {
            page.marks.push((mark, owner));
        }
    }

    /// The run that the next mark on this page belongs to.
    fn run(&mut self, page: usize) -> Owner {
        let last = self.pages.last().and_then(|page| page.marks.last());
        match last {
            Some((_, Owner::Run(run)))
                if self.tree.runs.get(*run).is_some_and(|run| run.node == self.place) =>
            {
                Owner::Run(*run)
            }
            _ => Owner::Run(self.tree.run(self.place, page)),
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

    /// [`Sheet::text_in`] that leads somewhere.
    pub(super) fn link_in(
        &mut self,
        edges: (f32, f32),
        top: f32,
        align: Align,
        (style, text): (Style, &str),
        (target, says): (&Target, &str),
    ) {
        let style = style.coloured(self.theme.link);
        let width = self.width_of(style, text);
        let left = if align == Align::Left { edges.0 } else { edges.1 - width };
        self.text_at(left, top, style, text);
        self.links.push(Link {
            page: self.page(),
            node: self.place,
            frame: [left, top, left + width, top + style.line_mm],
            target: target.clone(),
            says: says.to_owned(),
        });
        self.tree.adopt(self.place, Kid::Annotation(self.links.len() - 1));
    }

    pub(super) fn width_of(&self, style: Style, text: &str) -> f32 {
        wrap::width(self.faces, style, text)
    }

    /// A horizontal hairline across the page at the cursor.
    pub(super) fn rule(&mut self, width_pt: f32, colour: Colour) {
        let y = self.y;
        let mark = Mark::Stroke { from: (MARGIN, y), to: (MARGIN + WIDTH, y), width_pt, colour };
        self.beside(Owner::Layout, |sheet| sheet.draw(mark));
    }

    pub(super) fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.draw(Mark::Fill { points: corners(x, y, width, height), colour });
    }

    /// Text between the margins, wrapped, at the cursor; it flows over pages and leaves no line
    /// alone on either.
    pub(super) fn paragraph(&mut self, style: Style, text: &str) {
        self.paragraph_in(style, text, WIDTH);
    }

    /// [`Sheet::paragraph`] that leaves room at the right.
    pub(super) fn paragraph_in(&mut self, style: Style, text: &str, width: f32) {
        let lines = self.wrap(style, text, width);
        if !lines.is_empty() {
            self.within(Role::Paragraph, |sheet| sheet.flow(style, &lines));
        }
    }

    fn flow(&mut self, style: Style, lines: &[String]) {
        let last = lines.len().saturating_sub(1);
        for (i, line) in lines.iter().enumerate() {
            // of four lines or more two stay together at either end
            let together = match (i, last) {
                (0, ..=2) => last + 1,
                (0, _) => 2,
                _ if i + 1 == last => 2,
                _ => 1,
            };
            self.need(tall(style, together));
            let top = self.y;
            self.text_at(MARGIN, top, style, line);
            self.y += style.line_mm;
        }
    }

    /// How tall a paragraph is between the margins.
    pub(super) fn height_of(&self, style: Style, text: &str) -> f32 {
        tall(style, self.wrap(style, text, WIDTH).len())
    }

    /// A heading with a gap around it; it stays with `company` millimetres of what follows.
    pub(super) fn heading(&mut self, text: &str, company: f32) {
        let lines = self.wrap(Style::HEADING, text, WIDTH);
        let own = tall(Style::HEADING, lines.len());
        self.need(1.3 * LINE + own + 0.8 + company);
        self.gap(1.3 * LINE);
        self.mark_heading(text);
        self.within(Role::Heading(2), |sheet| {
            let style = Style::HEADING.coloured(sheet.theme.head);
            sheet.flow(style, &lines);
        });
        self.y += 0.8;
    }

    /// Notes that what is drawn next is a heading.
    pub(super) fn mark_heading(&mut self, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.headings.push(Heading { text, page: self.page(), top: self.y });
    }

    pub(super) fn wrap(&self, style: Style, text: &str, width: f32) -> Vec<String> {
        wrap::lines(self.faces, style, text, width)
    }

    /// A text shortened with an ellipsis where it is wider than `width`.
    pub(super) fn shortened(&self, style: Style, text: &str, width: f32) -> String {
        wrap::shortened(self.faces, style, text, width)
    }
}

/// How tall that many lines are.
#[allow(clippy::cast_precision_loss, reason = "a text has far fewer than 2^24 lines")]
pub(super) fn tall(style: Style, lines: usize) -> f32 {
    lines as f32 * style.line_mm
}

/// The corners of a rectangle.
pub(super) fn corners(x: f32, y: f32, width: f32, height: f32) -> Vec<(f32, f32)> {
    vec![(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
}

/// The sines of the first 8 of 32 steps around a circle. They are written out because the
/// last digit of a computed sine is not the same on every machine, and the file's bytes are.
const SINES: [f32; 9] = [
    0.0,
    0.195_090_32,
    0.382_683_43,
    0.555_570_24,
    0.707_106_77,
    0.831_469_6,
    0.923_879_5,
    0.980_785_3,
    1.0,
];

/// Part of a circle of 32 steps, clockwise from the top.
pub(super) fn arc(cx: f32, cy: f32, radius: f32, from: u8, to: u8) -> Vec<(f32, f32)> {
    let sine = |step: u8| {
        let step = usize::from(step % 32);
        let (sign, step) = if step > 16 { (-1.0, step - 16) } else { (1.0, step) };
        sign * SINES[if step > 8 { 16 - step } else { step }]
    };
    (from..=to).map(|step| (cx + radius * sine(step), cy - radius * sine(step + 8))).collect()
}

/// Millimetres as points from the bottom of the page, to a hundredth: finer than any printer.
pub(super) fn points(mm: f32) -> f32 {
    (mm * PT_PER_MM * 100.0).round() / 100.0
}
