//! A calendar month, as people name it, and its instants in a zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::day_start_ms;
use crate::interval::Span;

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

/// Why a text does not name a month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a month as 2026-10, from 1900-01 to 2200-12, got {0:?}")]
pub struct MonthError(String);

impl Month {
    /// The month of this year and number, 1 to 12; years 1900 to 2200.
    #[must_use]
    pub fn new(year: i16, month: i8) -> Option<Self> {
        ((1900..=2200).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    /// The month in which an instant lies.
    #[must_use]
    pub fn of(at_ms: i64, zone: &TimeZone) -> Self {
        Self::of_date(super::date_of(at_ms, zone))
    }

    /// The month of a date.
    #[must_use]
    pub fn of_date(date: Date) -> Self {
        Self { year: date.year(), month: date.month() }
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> i16 {
        self.year
    }

    /// Its number in the year, 1 to 12.
    #[must_use]
    pub const fn number(self) -> i8 {
        self.month
    }

    /// Its first date.
    #[must_use]
    pub const fn first_date(self) -> Date {
        Date::constant(self.year, self.month, 1)
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    /// The month before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        if self.month == 1 {
            Self { year: self.year - 1, month: 12 }
        } else {
            Self { year: self.year, month: self.month - 1 }
        }
    }

    /// Its instants: between the first instants of its first date and of the next month's.
    #[must_use]
    pub fn span(self, zone: &TimeZone) -> Span {
        Span::new(
            day_start_ms(self.first_date(), zone),
            day_start_ms(self.next().first_date(), zone),
        )
    }

    /// The months that share an instant with `span`, in order.
    pub fn meeting(span: Span, zone: &TimeZone) -> impl Iterator<Item = Self> + use<> {
        let last = Self::of(span.to_ms.max(span.from_ms + 1) - 1, zone);
        let first = Self::of(span.from_ms, zone);
        std::iter::successors(Some(first), |month| Some(month.next()))
            .take_while(move |month| *month <= last)
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let wrong = || MonthError(text.chars().take(32).collect());
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(wrong());
        }
        let (Ok(year), Ok(month)) = (year.parse(), month.parse()) else { return Err(wrong()) };
        Self::new(year, month).ok_or_else(wrong)
    }
}

impl fmt::Display for Month {
    /// `2026-10`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::Month;

    #[test]
    fn reads_what_it_writes() {
        for text in ["1900-01", "2026-10", "2200-12"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for text in ["", "2026", "2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "+026-10"] {
            let error = text.parse::<Month>().unwrap_err().to_string();
            assert!(error.contains("2026-10, from") && error.contains(&format!("{text:?}")));
        }
    }

    #[test]
    fn months_follow_each_other() {
        let december: Month = "2025-12".parse().unwrap();
        assert_eq!(december.next().to_string(), "2026-01");
        assert_eq!(december.next().previous(), december);
    }
}
