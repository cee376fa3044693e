//! Paper, colours and type of the report: the one place where a size or a colour is a number.

use super::font::{PT_PER_MM, Weight};
use crate::brand::{Brand, Tone};

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
pub(super) const UP: Colour = Colour(0x00, 0x70, 0x3c);
pub(super) const DEGRADED: Colour = Colour(0xb5, 0x88, 0x40);
pub(super) const DOWN: Colour = Colour(0xd4, 0x35, 0x1c);
pub(super) const EXCLUDED: Colour = Colour(0x56, 0x94, 0xca);
/// Outlines of what is unknown: dark enough to be seen (3:1 on white).
pub(super) const UNKNOWN: Colour = Colour(0x76, 0x7c, 0x80);
pub(super) const WHITE: Colour = Colour(0xff, 0xff, 0xff);

/// The colours that a brand may choose; those of states are never among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Theme {
    /// Of title and headings.
    pub(super) head: Colour,
    /// Of what can be followed.
    pub(super) link: Colour,
    /// Of the band above the title.
    pub(super) accent: Colour,
}

impl Theme {
    /// Where nobody chose.
    pub(super) const PLAIN: Self =
        Self { head: TEXT, link: Colour(0x1d, 0x70, 0xb8), accent: Colour(0x1d, 0x70, 0xb8) };

    /// The colours of a brand; each that it leaves open is the usual one.
    pub(super) fn of(brand: &Brand) -> Self {
        let own = |tone: Tone| Colour(tone.0.red, tone.0.green, tone.0.blue);
        let colour = brand.colour.map(own);
        Self {
            head: colour.unwrap_or(Self::PLAIN.head),
            link: colour.unwrap_or(Self::PLAIN.link),
            accent: brand.accent.map(own).or(colour).unwrap_or(Self::PLAIN.accent),
        }
    }
}

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
    pub(super) fn ascent_mm(self) -> f32 {
        // the capitals' height is 0.714 of the size; the rest of the line is shared out evenly
        let capitals = 0.714 * self.size_pt / PT_PER_MM;
        (self.line_mm - capitals) / 2.0 + capitals
    }
}
