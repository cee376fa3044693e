//! Texts that depend on a number: which form a language takes for which whole number, after the
//! plural rules of the Unicode CLDR for cardinals, for the families of rules named here.

use std::fmt::Display;

use super::numbers::grouped;
use super::template::Template;

/// A form, as CLDR names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Zero,
    One,
    Two,
    Few,
    Many,
    Other,
}

impl Form {
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Zero, "zero"),
        (Self::One, "one"),
        (Self::Two, "two"),
        (Self::Few, "few"),
        (Self::Many, "many"),
        (Self::Other, "other"),
    ];
}

/// A family of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// One form for all: Japanese, Chinese, Vietnamese …
    Same,
    /// 1 apart: English, German, Dutch, Spanish, Greek, Italian, Swedish …
    One,
    /// 0 and 1 apart: French, Portuguese of Brazil.
    ZeroOne,
    /// 1, 2 to 4, others: Czech, Slovak.
    Czech,
    /// Polish.
    Polish,
    /// Russian, Ukrainian, Belarusian, and Serbian as far as whole numbers go.
    Russian,
    /// Welsh.
    Welsh,
    /// Irish.
    Irish,
    /// Gaelic of Scotland.
    Gaelic,
}

impl Rule {
    /// The families by name.
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::Same, "same"),
        (Self::One, "one"),
        (Self::ZeroOne, "zero-one"),
        (Self::Czech, "czech"),
        (Self::Polish, "polish"),
        (Self::Russian, "russian"),
        (Self::Welsh, "welsh"),
        (Self::Irish, "irish"),
        (Self::Gaelic, "gaelic"),
    ];

    /// The form for a number.
    pub(super) const fn form(self, n: u64) -> Form {
        let (ten, hundred) = (n % 10, n % 100);
        let teen = hundred >= 11 && hundred <= 14;
        match (self, n) {
            (Self::Same, _) => Form::Other,
            (Self::One | Self::Czech | Self::Polish, 1) | (Self::ZeroOne, 0 | 1) => Form::One,
            (Self::Czech, 2..=4) => Form::Few,
            (Self::Polish | Self::Russian, _) if ten >= 2 && ten <= 4 && !teen => Form::Few,
            (Self::Russian, _) if ten == 1 && !teen => Form::One,
            (Self::Polish | Self::Russian, _) => Form::Many,
            (Self::Welsh, 0) => Form::Zero,
            (Self::Welsh | Self::Irish, 1) | (Self::Gaelic, 1 | 11) => Form::One,
            (Self::Welsh | Self::Irish, 2) | (Self::Gaelic, 2 | 12) => Form::Two,
            (Self::Welsh, 3) | (Self::Irish, 3..=6) | (Self::Gaelic, 3..=10 | 13..=19) => Form::Few,
            (Self::Welsh, 6) | (Self::Irish, 7..=10) => Form::Many,
            _ => Form::Other,
        }
    }
}

/// A text with a number as its first hole.
#[derive(Clone, Debug)]
pub(crate) struct Plural {
    pub(super) rule: Rule,
    /// Those that differ from the last one.
    pub(super) forms: Vec<(Form, Template)>,
    /// For all numbers that have none of their own.
    pub(super) other: Template,
    /// What stands between groups of three digits.
    pub(super) group: String,
}

impl Plural {
    fn of(&self, n: u64) -> &Template {
        let wanted = self.rule.form(n);
        let own = self.forms.iter().find(|(form, _)| *form == wanted);
        own.map_or(&self.other, |(_, text)| text)
    }

    /// The text for this number, its other holes filled.
    pub(crate) fn fill(&self, n: u64, values: &[&dyn Display]) -> String {
        let number = grouped(n, &self.group);
        let mut all: Vec<&dyn Display> = vec![&number];
        all.extend_from_slice(values);
        self.of(n).fill(&all)
    }

    /// The number and the rest of what its holes were filled with, where `text` was made of it.
    pub(super) fn filled_with(&self, text: &str, holes: usize) -> Option<(u64, Vec<String>)> {
        let number = |values: &[String]| {
            let digits = values.first()?.replace(self.group.as_str(), "");
            digits.parse().ok()
        };
        let mut all = self.forms.iter().map(|(_, text)| text).chain([&self.other]);
        all.find_map(|form| {
            let values = form.filled_with(text, holes)?;
            // a form without a number stands for the one number it is used for
            let n = match number(&values) {
                Some(n) => n,
                None => (0..8).find(|n| self.of(*n) == form)?,
            };
            Some((n, values.into_iter().skip(1).collect()))
        })
    }

    pub(super) fn len(&self) -> usize {
        let all = self.forms.iter().map(|(_, text)| text).chain([&self.other]);
        all.map(Template::len).max().unwrap_or(0)
    }
}
