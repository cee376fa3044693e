//! Whose name, logo and colours page, report and mail bear, as it is frozen with every edition.
//! The logo is read once, from a file that nobody vouches for, and kept as what is drawn of it.

use mailward_catalogue::{Branding, Colour};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod file;
mod outline;
mod pixels;
mod vector;

pub use file::LogoError;
pub use outline::{Outline, OutlineError, Point, Step};
pub use pixels::Pixels;
pub use vector::{Shape, Vector};

/// Whose name, logo and colours page, report and mail bear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brand {
    /// Who answers for the service.
    pub organisation: String,
    /// The colour of heads, headings and links; white text stands on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<Tone>,
    /// The colour of bands and rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<Tone>,
    /// A line at the foot of every page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// Where the organisation is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

/// A colour, `#rrggbb` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone(pub Colour);

impl Serialize for Tone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = Colour::parse(&text).map(Self);
        read.ok_or_else(|| de::Error::custom(format!("expected #rrggbb, got {text:?}")))
    }
}

/// A logo as it is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logo {
    /// Filled shapes, from an SVG.
    Vector(Vector),
    /// Pixels on white, from a PNG.
    Pixels(Pixels),
}

impl Logo {
    /// How wide and high it is; only the ratio means something.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        match self {
            Self::Vector(vector) => (vector.width, vector.height),
            Self::Pixels(pixels) => (pixels.width, pixels.height),
        }
    }

    /// Width and height of it inside a box, neither cut nor out of shape.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
    pub fn within(&self, (width, height): (f32, f32)) -> (f32, f32) {
        let (own_width, own_height) = self.size();
        let (own_width, own_height) = (own_width.max(1) as f32, own_height.max(1) as f32);
        let by = (width / own_width).min(height / own_height);
        (own_width * by, own_height * by)
    }

    /// Media type and bytes of a file that shows it: made anew, so that nothing of the file that
    /// was read is in it.
    #[must_use]
    pub fn file(&self) -> (&'static str, Vec<u8>) {
        match self {
            Self::Vector(vector) => ("image/svg+xml", vector.svg().into_bytes()),
            Self::Pixels(pixels) => ("image/png", pixels.png.0.clone()),
        }
    }
}

/// Reads the file of the logo that a definition names, and leaves its bytes there: from then on
/// the file may change or go.
///
/// # Errors
/// When it cannot be read, or is not what a logo may be.
pub fn read_logo(branding: &mut Branding) -> Result<(), LogoError> {
    if let Some(path) = &branding.logo {
        branding.logo_bytes = Some(file::read(path)?.into());
    }
    Ok(())
}

impl Brand {
    /// The brand that a definition names, with the logo that [`read_logo`] left there.
    #[must_use]
    pub fn of(branding: &Branding) -> Self {
        let logo = branding.logo_bytes.as_deref().map(file::logo).transpose();
        let logo = logo.unwrap_or_else(|unfit| {
            // whoever left it there has drawn it before
            tracing::error!(%unfit, "the logo is left out");
            None
        });
        Self {
            organisation: branding.organisation.clone(),
            colour: branding.colour.map(Tone),
            accent: branding.accent.map(Tone),
            footer: branding.footer.clone(),
            url: branding.url.clone(),
            logo,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
