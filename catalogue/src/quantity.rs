//! Quantities as people write them: exact percentages and durations.

use std::fmt;

/// An exact percentage: `"99.9%"` is 99.9. Compared as integers, never as floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u64);

impl Percent {
    /// How many units make 100 %.
    pub const WHOLE: u64 = 10_000_000_000;

    /// From units of 10⁻⁸ per cent; `None` above 100 %.
    #[must_use]
    pub const fn from_units(units: u64) -> Option<Self> {
        if units <= Self::WHOLE {
            Some(Self(units))
        } else {
            None
        }
    }

    /// In units of 10⁻⁸ per cent: [`Percent::WHOLE`] is 100 %.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Percent {
    /// The number without the sign, as short as it is exact: `99.9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100_000_000, self.0 % 100_000_000);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{part:08}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}
