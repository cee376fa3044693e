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

/// Latin, Greek and Cyrillic letters lie below; their widths are looked up once.
const COMMON: u32 = 0x530;

/// The most that a face holds, unpacked.
const MAX_FACE_BYTES: usize = 1 << 20;

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
    bytes: Vec<u8>,
    /// The name in the PDF.
    name: &'static str,
    parsed: ParsedFont,
    /// How wide the characters below [`COMMON`] are, in thousandths of the size.
    advances: Vec<u32>,
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
                    include_bytes!("../../../assets/fonts/OpenSans-Regular.ttf.zst"),
                    "OpenSans-Regular",
                )?,
                semibold: Face::read(
                    include_bytes!("../../../assets/fonts/OpenSans-Semibold.ttf.zst"),
                    "OpenSans-Semibold",
                )?,
            })
        };
        FACES.get_or_init(read).as_ref().ok_or(PdfError::Font)
    }

    /// Whether both have a character.
    pub(super) fn draw(&self, c: char) -> bool {
        let has = |face: &Face| c == ' ' || face.glyph(c).is_some() && !is_hidden(c);
        has(&self.regular) && has(&self.semibold)
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
    fn read(packed: &[u8], name: &'static str) -> Option<Self> {
        let bytes = zstd::bulk::decompress(packed, MAX_FACE_BYTES).ok()?;
        let parsed = ParsedFont::from_bytes(&bytes, 0, &mut Vec::new())?;
        let common = (0..COMMON).map(|c| char::from_u32(c).unwrap_or(' '));
        let advances = common.map(|c| Self::measure(&parsed, c)).collect();
        Some(Self { bytes, name, parsed, advances })
    }

    fn glyph(&self, c: char) -> Option<u16> {
        self.parsed.lookup_glyph_index(u32::from(c)).filter(|&gid| gid != 0)
    }

    /// The text as it can be drawn: white space and control characters become single blanks,
    /// characters the face does not have become one sign for all of them, and so do those that
    /// draw nothing or have no meaning of their own, since they could hide what a name says.
    pub(super) fn drawable(&self, text: &str) -> String {
        let drawn = |c: char| {
            if c.is_control() || c.is_whitespace() {
                ' '
            } else if self.glyph(c).is_some() && !is_hidden(c) {
                c
            } else {
                MISSING
            }
        };
        text.chars().map(drawn).collect()
    }

    /// How wide a character is, in thousandths of the size.
    fn advance(&self, c: char) -> u32 {
        let known = self.advances.get(c as usize).copied();
        known.unwrap_or_else(|| Self::measure(&self.parsed, c))
    }

    /// Cut off as the widths in the file are, so that what is measured is what a viewer draws.
    fn measure(parsed: &ParsedFont, c: char) -> u32 {
        // what holds words together is drawn as a blank
        let c = if c == '\u{a0}' { ' ' } else { c };
        let gid = parsed.lookup_glyph_index(u32::from(c)).filter(|&gid| gid != 0);
        let width = gid.and_then(|gid| parsed.get_glyph_width(gid)).unwrap_or(0);
        u32::from(width) * 1000 / u32::from(parsed.units_per_em.max(1))
    }

    /// How wide a drawable character is at this size, in millimetres.
    pub(super) fn width_of(&self, c: char, size_pt: f32) -> f32 {
        self.scaled(self.advance(c), size_pt)
    }

    #[allow(clippy::cast_precision_loss, reason = "a line of text is far below 2^24 units")]
    fn scaled(&self, units: u32, size_pt: f32) -> f32 {
        units as f32 / 1000.0 * size_pt / PT_PER_MM
    }

    /// How wide a drawable text is at this size, in millimetres.
    pub(super) fn width_mm(&self, text: &str, size_pt: f32) -> f32 {
        self.scaled(text.chars().map(|c| self.advance(c)).sum(), size_pt)
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
        let file =
            ReadScope::new(&self.bytes).read::<FontData<'_>>().map_err(|_| PdfError::Font)?;
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

/// Whether a character is drawn as nothing, turns the order of others, or belongs to nobody:
/// soft hyphens, joiners, marks of direction, the byte order mark, private letters.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{10ffff}'
    )
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
