//! How words are joined to sentences, and how what was said in English when a report was made is
//! said again in another language.

use mailward_evidence::Reason;

use super::{Language, Texts, english};
use crate::publish::CALENDAR;

/// A section of texts from which whole sentences that a report keeps were made.
pub(super) trait Restate {
    /// The text that was made of one of `english`, made of the same one here.
    /// `inner` says again what a hole was filled with.
    fn restated(
        &self,
        english: &Self,
        text: &str,
        inner: &dyn Fn(&str) -> String,
    ) -> Option<String>;
}

impl Language {
    /// `a`, `a and b`, `a, b and c`.
    #[must_use]
    pub fn and_list<T: AsRef<str>>(&self, parts: &[T]) -> String {
        match parts {
            [] => String::new(),
            [one] => one.as_ref().to_owned(),
            [head @ .., last] => {
                let head: Vec<&str> = head.iter().map(AsRef::as_ref).collect();
                self.list.and(head.join(", "), last.as_ref())
            }
        }
    }

    /// A phrase at the beginning of a sentence or of a cell.
    pub(crate) fn opening(text: &str) -> String {
        let mut chars = text.chars();
        chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
    }

    /// A phrase inside a sentence: with a small letter, where the language has it so.
    pub(crate) fn within(&self, text: &str) -> String {
        if !self.lower_within {
            return text.to_owned();
        }
        let mut chars = text.chars();
        chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
    }

    /// A reason on the wire in plain words.
    pub(crate) fn reason(&self, label: &str) -> String {
        let own = self.reasons.get(label).cloned();
        own.unwrap_or_else(|| Reason::parse(label).plain().to_owned())
    }

    /// Why something is not as it should be, as the status has it: in plain English words.
    pub(crate) fn why<'a>(&'a self, plain: &'a str) -> &'a str {
        let reason = Reason::KNOWN.iter().find(|reason| reason.plain() == plain);
        match reason.and_then(|reason| self.reasons.get(reason.label())) {
            Some(own) => own,
            None if plain == english().status.spared() => self.status.spared(),
            None => plain,
        }
    }

    /// Why there was no evidence, in plain words.
    pub(crate) fn unknown_reason(&self, label: &str) -> String {
        match label {
            "silent" => self.unseen.silent().to_owned(),
            "unwatched" => self.unseen.unwatched().to_owned(),
            other => self.reason(other),
        }
    }

    /// Who published, as it is shown.
    pub(crate) fn publisher(&self, by: &str) -> String {
        if by == CALENDAR { self.provenance.calendar().to_owned() } else { by.to_owned() }
    }

    /// How deep checks go, as reports and the status have it.
    pub(crate) fn depth(&self, english_words: &str) -> String {
        let parts: Vec<String> = english_words
            .split(" and ")
            .map(|part| self.restated(|texts| &texts.depth, part))
            .collect();
        self.and_list(&parts)
    }

    /// A sentence that a report keeps in English, in this language; as it is where it was made
    /// of no text that this program knows.
    fn restated<S: Restate>(&self, section: impl Fn(&Texts) -> &S, text: &str) -> String {
        let inner = |value: &str| self.value(value);
        let again = section(&self.texts).restated(section(&english().texts), text, &inner);
        again.unwrap_or_else(|| text.to_owned())
    }

    /// A length of time or a percentage that stands in a sentence.
    fn value(&self, text: &str) -> String {
        if let Some(number) = text.strip_suffix(" %") {
            return self.percent(number);
        }
        let keep = |number: &str| number.to_owned();
        let again = self.unit.restated(&english().unit, text, &keep);
        again.unwrap_or_else(|| text.to_owned())
    }

    /// What is noted about evidence that counts for nothing.
    pub(crate) fn note(&self, text: &str) -> String {
        self.restated(|texts| &texts.note, text)
    }

    /// How a definition or the evidence changed.
    pub(crate) fn change(&self, text: &str) -> String {
        self.restated(|texts| &texts.change, text)
    }

    /// Why a ticket's event was ignored.
    pub(crate) fn ignored(&self, text: &str) -> String {
        self.restated(|texts| &texts.ignored, text)
    }

    /// The rules of planned work, how often a check runs, how many agents there were.
    pub(crate) fn rule(&self, text: &str) -> String {
        self.restated(|texts| &texts.rules, text)
    }
}
