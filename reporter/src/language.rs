//! The words, numbers and dates that readers see: one file of texts for each language, read as a
//! whole and checked, and typed access to each text. English is shipped; a definition may bring
//! texts of its own. What programs read (JSON, CSV, metrics, API) never comes through here.

mod dates;
mod name;
mod numbers;
mod plural;
mod read;
mod sentences;
mod template;
#[cfg(test)]
pub(crate) mod tests;
mod texts;

use std::sync::{Arc, LazyLock};

use mailward_catalogue::{Catalogue, Fault, Wording};

pub(crate) use dates::{Local, Moment};
pub(crate) use numbers::decimal_seconds;
use read::Reader;
pub(crate) use texts::Texts;

/// The English texts, as they are shipped.
const ENGLISH: &str = include_str!("language/en.toml");

/// A language: its texts, and how it writes numbers, lengths of time and dates.
#[derive(Clone, Debug)]
pub struct Language {
    tag: String,
    /// Whether a phrase begins with a small letter inside a sentence.
    lower_within: bool,
    months: Vec<String>,
    months_short: Vec<String>,
    days: Vec<String>,
    days_short: Vec<String>,
    dates: dates::Patterns,
    reasons: std::collections::BTreeMap<String, String>,
    texts: Texts,
}

impl std::ops::Deref for Language {
    type Target = Texts;

    fn deref(&self) -> &Texts {
        &self.texts
    }
}

/// The language that is shipped, and in which everything is said that is kept.
///
/// # Panics
/// Never in a program whose tests have passed: its own file is read there as a whole.
#[must_use]
pub fn english() -> &'static Arc<Language> {
    static SHIPPED: LazyLock<Arc<Language>> = LazyLock::new(|| {
        let (wording, _) = mailward_catalogue::read::wording("en.toml", ENGLISH);
        Arc::new(Language::read(&wording, None).0)
    });
    &SHIPPED
}

impl Language {
    /// The language that a definition asks for: its own texts, English where it has none.
    #[must_use]
    pub fn of(catalogue: &Catalogue) -> Arc<Self> {
        match &catalogue.report.language {
            Some(own) => Arc::new(Self::read(own, Some(english())).0),
            None => english().clone(),
        }
    }

    /// What is wrong with the texts that a definition brings.
    #[must_use]
    pub fn faults(catalogue: &Catalogue) -> Vec<Fault> {
        let own = catalogue.report.language.as_ref();
        own.map_or_else(Vec::new, |own| Self::read(own, Some(english())).1)
    }

    /// Reads the texts of a language; what is absent or wrong in it is taken from `base`.
    fn read(wording: &Wording, base: Option<&Self>) -> (Self, Vec<Fault>) {
        let mut reader = Reader::new(wording, base);
        let language = Self {
            tag: reader.tag(),
            lower_within: reader.flag("language.lower_within"),
            months: reader.list("date.months", 12, base.map(|b| &b.months)),
            months_short: reader.list("date.months_short", 12, base.map(|b| &b.months_short)),
            days: reader.list("date.days", 7, base.map(|b| &b.days)),
            days_short: reader.list("date.days_short", 7, base.map(|b| &b.days_short)),
            dates: dates::Patterns::read(&mut reader, base.map(|b| &b.dates)),
            reasons: reader.reasons(base.map(|b| &b.reasons)),
            texts: Texts::read(&mut reader, base.map(|b| &b.texts)),
        };
        (language, reader.finish())
    }

    /// Its tag (BCP 47), for whoever reads aloud.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}
