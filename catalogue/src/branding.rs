//! `[branding]`: whose name, sign and colours page, report and mail bear, and whether texts in
//! those colours can be read (WCAG 2.2). The logo's file is read by the reporter.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::key::{Key, Shape};
use crate::section::{Form, Section};

/// `[branding]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branding {
    /// Who answers for the service.
    pub organisation: String,
    /// The file of its logo: PNG or SVG.
    pub logo: Option<PathBuf>,
    /// What that file held, once somebody who shows it has read it: the definition's own reading
    /// does not.
    pub logo_bytes: Option<Arc<[u8]>>,
    /// The colour of heads, headings and links; white text stands on it.
    pub colour: Option<Colour>,
    /// The colour of bands and rules.
    pub accent: Option<Colour>,
    /// A line at the foot of every page.
    pub footer: Option<String>,
    /// Where the organisation is found.
    pub url: Option<String>,
}

/// A colour of the sRGB space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

impl Colour {
    /// White: paper, and text on the brand's colour.
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255 };

    /// The colour that `#rrggbb` is, in capitals or not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self { red: part(0)?, green: part(2)?, blue: part(4)? })
    }

    /// How well two colours stand out from each other, from 1 to 21 (WCAG 2.2, "contrast ratio").
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(self.red) + 0.7152 * part(self.green) + 0.0722 * part(self.blue)
    }
}

impl fmt::Display for Colour {
    /// `#rrggbb`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// The most characters of the organisation's name.
const MAX_ORGANISATION: usize = 80;
/// The most characters of the footer: one line of A4.
const MAX_FOOTER: usize = 120;

/// `[branding]`
pub static BRANDING: Section = Section {
    name: "branding",
    form: Form::Table,
    about: "whose name, logo and colours page, report and mail bear",
    keys: &[
        Key::required(
            "organisation",
            Shape::Line(MAX_ORGANISATION),
            "who answers for the service, as readers know it",
        ),
        Key::optional("logo", Shape::Path, "PNG or SVG file of its logo, made for white paper"),
        Key::optional(
            "colour",
            Shape::Colour,
            "of heads, headings and links: at least 4.5:1 against white, since it is text on white \
             and has white text on it",
        ),
        Key::optional("accent", Shape::Colour, "of bands and rules: at least 3:1 against white"),
        Key::optional("footer", Shape::Line(MAX_FOOTER), "a line at the foot of every page"),
        Key::optional("url", Shape::Url, "where the organisation is found"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        let check = |one: &str, expect: f64| {
            let contrast = Colour::parse(one).unwrap().contrast(Colour::WHITE);
            assert!((contrast - expect).abs() < 0.005, "{one}: {contrast}");
        };
        // by the WebAIM contrast checker
        check("#000000", 21.0);
        check("#ffffff", 1.0);
        check("#767676", 4.54);
        check("#777777", 4.48);
        check("#0000ff", 8.592);
        check("#FF0000", 3.998);
    }

    #[test]
    fn what_is_no_colour_is_none() {
        for text in
            ["", "#", "#fff", "005eb8", "#005eb", "#005eb8f", "#00g0b8", "#+05eb8", "#é5eb8"]
        {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
        assert_eq!(Colour::parse("#005Eb8").map(|c| c.to_string()), Some("#005eb8".to_owned()));
    }
}
