//! The two faces of the report: how wide a text is, what can be drawn, and the subset of
//! glyphs that goes into the file. It knows nothing of pages.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use allsorts::binary::read::ReadScope;
use allsorts::font_data::FontData;
use allsorts::subset::{CmapTarget, SubsetProfile, subset};
use printpdf::ParsedFont;

use super::PdfError;

/// Stands for a character that the faces do not have.
const MISSING: char = '\u{fffd}';

/// Points in a millimetre.
pub(super) const PT_PER_MM: f32 = 72.0 / 25.4;

/// The weight of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Regular,
    Semibold,
}

/// One face as it was shipped.
#[derive(Debug)]
pub(super) struct Face {
    bytes: &'static [u8],
    /// The name in the PDF.
    name: &'static str,
    parsed: ParsedFont,
}

/// Both faces.
#[derive(Debug)]
pub(super) struct Faces {
    regular: Face,
    semibold: Face,
}

impl Faces {
    /// The shipped faces, read once.
    pub(super) fn shipped() -> Result<&'static Self, PdfError> {
        static FACES: OnceLock<Option<Faces>> = OnceLock::new();
        let read = || {
            Some(Faces {
                regular: Face::read(
                    include_bytes!("../../../assets/fonts/OpenSans-Regular.ttf"),
                    "OpenSans-Regular",
                )?,
                semibold: Face::read(
                    include_bytes!("../../../assets/fonts/OpenSans-Semibold.ttf"),
                    "OpenSans-Semibold",
                )?,
            })
        };
        FACES.get_or_init(read).as_ref().ok_or(PdfError::Font)
    }

    /// The face of this weight.
    pub(super) fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Semibold => &self.semibold,
        }
    }
}

impl Face {
    fn read(bytes: &'static [u8], name: &'static str) -> Option<Self> {
        let parsed = ParsedFont::from_bytes(bytes, 0, &mut Vec::new())?;
        Some(Self { bytes, name, parsed })
    }

    fn glyph(&self, c: char) -> Option<u16> {
        self.parsed.lookup_glyph_index(u32::from(c)).filter(|&gid| gid != 0)
    }

    /// The text as it can be drawn: white space and control characters become single blanks,
    /// characters the face does not have become one sign for all of them.
    pub(super) fn drawable(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_control() || c.is_whitespace() {
                // a non-breaking space is drawn as a blank too, but wrapping respects it
                out.push(if c == '\u{a0}' { c } else { ' ' });
            } else if self.glyph(c).is_some() {
                out.push(c);
            } else {
                out.push(MISSING);
            }
        }
        out
    }

    /// How wide a character is, in thousandths of the size. Cut off as the widths in the file
    /// are, so that what is measured is what a viewer draws.
    fn advance(&self, c: char) -> u32 {
        let width = self.glyph(c).and_then(|gid| self.parsed.get_glyph_width(gid)).unwrap_or(0);
        u32::from(width) * 1000 / u32::from(self.parsed.units_per_em.max(1))
    }

    /// How wide a drawable text is at this size, in millimetres.
    #[allow(clippy::cast_precision_loss, reason = "a line of text is far below 2^24 units")]
    pub(super) fn width_mm(&self, text: &str, size_pt: f32) -> f32 {
        let units: u32 = text.chars().map(|c| self.advance(c)).sum();
        units as f32 / 1000.0 * size_pt / PT_PER_MM
    }

    /// A font with these characters only, for embedding. Glyphs are numbered in the order of
    /// the characters, so that equal sets give equal bytes.
    pub(super) fn subset(&self, used: &BTreeSet<char>) -> Result<ParsedFont, PdfError> {
        let mut old = vec![0u16];
        let mut glyph_of = std::collections::BTreeMap::new();
        let mut widths = std::collections::BTreeMap::new();
        for &c in used {
            let Some(gid) = self.glyph(c) else { continue };
            let place = old.iter().position(|&known| known == gid).unwrap_or_else(|| {
                old.push(gid);
                old.len() - 1
            });
            let new = u16::try_from(place).map_err(|_| PdfError::Font)?;
            glyph_of.insert(u32::from(c), new);
            widths.insert(new, self.parsed.get_glyph_width(gid).unwrap_or(0));
        }
        let file = ReadScope::new(self.bytes).read::<FontData<'_>>().map_err(|_| PdfError::Font)?;
        let tables = file.table_provider(0).map_err(|_| PdfError::Font)?;
        let program = subset(&tables, &old, &SubsetProfile::Pdf, CmapTarget::Unrestricted)
            .map_err(|_| PdfError::Font)?;
        let mut font = ParsedFont::with_glyph_data(
            program,
            0,
            Some(format!("{}+{}", tag(used), self.name)),
            glyph_of,
            widths,
            self.parsed.units_per_em,
            self.parsed.font_metrics.clone(),
        );
        font.pdf_font_metrics = self.parsed.pdf_font_metrics.clone();
        Ok(font)
    }
}

/// Six capitals that mark a subset (ISO 32000-1, 9.6.4), from the characters in it.
fn tag(used: &BTreeSet<char>) -> String {
    let sum = used
        .iter()
        .fold(0u64, |sum, &c| sum.wrapping_mul(1_000_003).wrapping_add(u64::from(u32::from(c))));
    (0..6u32)
        .map(|i| char::from(b'A' + u8::try_from(sum / 26u64.pow(i) % 26).unwrap_or(0)))
        .collect()
}
