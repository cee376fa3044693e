//! A brand on pages: its logo in a box, its colours as custom properties that never touch the
//! colours of states, its words. How the PDF bears it is the PDF's business.

use std::fmt::Write as _;

use mailward_catalogue::Colour;

use crate::brand::Brand;

/// The box of a logo on a page, in CSS pixels.
const BOX: (f32, f32) = (240.0, 48.0);
/// What links stand on where a reader prefers dark pages: the lighter of the two grounds.
const DARK: Colour = Colour { red: 0x22, green: 0x27, blue: 0x2a };

/// A brand as templates show it.
#[derive(Clone, Debug)]
pub(crate) struct Badge {
    pub(crate) organisation: String,
    pub(crate) footer: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) logo: Option<LogoView>,
}

/// A logo as templates show it.
#[derive(Clone, Debug)]
pub(crate) struct LogoView {
    pub(crate) src: String,
    /// In CSS pixels.
    pub(crate) width: u32,
    /// In CSS pixels.
    pub(crate) height: u32,
}

impl Badge {
    /// `src` is where the logo is found, or the logo itself.
    pub(crate) fn new(brand: &Brand, src: Option<String>) -> Self {
        let logo = brand.logo.as_ref().zip(src).map(|(logo, src)| {
            let (width, height) = logo.within(BOX);
            LogoView { src, width: whole(width), height: whole(height) }
        });
        Self {
            organisation: brand.organisation.clone(),
            footer: brand.footer.clone(),
            url: brand.url.clone(),
            logo,
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "at most the box")]
#[allow(clippy::cast_sign_loss, reason = "lengths are positive")]
fn whole(length: f32) -> u32 {
    length.round().max(1.0) as u32
}

/// The style sheet of branded pages: the usual one, and the brand's colours for heads, links and
/// bands.
#[must_use]
pub fn style(usual: &str, brand: &Brand) -> String {
    let mut style = usual.trim_end().to_owned();
    style.push('\n');
    if let Some(colour) = brand.colour {
        let (colour, light) = (colour.0, lightened(colour.0));
        let _ = write!(
            style,
            ":root{{--link:{colour};--bar:{colour}}}\n\
             @media (prefers-color-scheme:dark){{:root{{--link:{light};--bar:{colour}}}}}\n",
        );
    }
    if let Some(accent) = brand.accent {
        let _ = writeln!(style, ":root{{--accent:{}}}", accent.0);
    }
    style
}

/// The colour with as much white as text in it needs on a dark page (WCAG 2.2, 1.4.3).
fn lightened(colour: Colour) -> Colour {
    let with = |white: u32| {
        let mix = |part: u8| {
            let mixed = (u32::from(part) * (20 - white) + 255 * white) / 20;
            u8::try_from(mixed).unwrap_or(255)
        };
        Colour { red: mix(colour.red), green: mix(colour.green), blue: mix(colour.blue) }
    };
    (0..=20).map(with).find(|mixed| mixed.contrast(DARK) >= 4.5).unwrap_or(Colour::WHITE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::tests::fernhill;

    #[test]
    fn colours_are_of_heads_and_never_of_states() {
        let style = style("a{}\n", &fernhill());
        insta::assert_snapshot!(style, @r"
        a{}
        :root{--link:#1f3a6e;--bar:#1f3a6e}
        @media (prefers-color-scheme:dark){:root{--link:#8392af;--bar:#1f3a6e}}
        :root{--accent:#00857c}
        ");
        for state in ["--up", "--slow", "--down", "--excluded", "--unknown"] {
            assert!(!style.contains(state), "{style}");
        }
    }

    #[test]
    fn links_can_be_read_on_dark_pages() {
        for text in ["#000000", "#1f3a6e", "#005eb8", "#8a1538", "#767676", "#ff0000"] {
            let light = lightened(Colour::parse(text).unwrap());
            assert!(light.contrast(DARK) >= 4.5, "{text}: {light}");
        }
    }
}
