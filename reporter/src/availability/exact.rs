//! Exact shares: compared as integers, shown cut off, written as the nearest double (rule 7).

use mailward_catalogue::Percent;

/// A share of a whole that is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    good: i128,
    whole: i128,
}

impl Ratio {
    /// `good` of `whole`; `None` where the whole is nothing.
    #[must_use]
    pub const fn new(good: i128, whole: i128) -> Option<Self> {
        if whole > 0 { Some(Self { good, whole }) } else { None }
    }

    /// What is left of `whole` without `bad`.
    #[must_use]
    pub fn without(bad: i64, whole: i64) -> Option<Self> {
        Self::new(i128::from(whole) - i128::from(bad), i128::from(whole))
    }

    /// Whether it is at least the target.
    #[must_use]
    pub fn reaches(self, target: Percent) -> bool {
        self.good * i128::from(Percent::WHOLE) >= i128::from(target.units()) * self.whole
    }

    /// In per cent, as the nearest double.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        reason = "exact below 2^53, which a month and any honest count stay under, so that the \
                  division rounds once"
    )]
    pub fn pct(self) -> f64 {
        (self.good * 100) as f64 / self.whole as f64
    }

    /// In per cent with three places, cut off.
    #[must_use]
    pub fn shown(self) -> String {
        let thousandths = (self.good * 100_000).div_euclid(self.whole);
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    }
}

/// How much of `whole_ms` may be bad under a target, cut off to the millisecond.
#[must_use]
pub fn allowance_ms(whole_ms: i64, target: Percent) -> i64 {
    let share = i128::from(Percent::WHOLE - target.units());
    let exact = (i128::from(whole_ms) * share).div_euclid(i128::from(Percent::WHOLE));
    i64::try_from(exact).unwrap_or(i64::MAX)
}

/// A share with three places, cut off; `n/a` of nothing.
#[must_use]
pub fn shown_or_na(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| "n/a".to_owned(), Ratio::shown)
}

#[cfg(test)]
mod tests {
    use mailward_catalogue::Percent;

    use super::{Ratio, allowance_ms};

    #[test]
    fn shown_is_cut_off() {
        let check = |good, whole, shown: &str| {
            assert_eq!(Ratio::new(good, whole).unwrap().shown(), shown, "{good} of {whole}");
        };
        check(999_999, 1_000_000, "99.999");
        check(9_999_999, 10_000_000, "99.999");
        check(1, 1, "100.000");
        check(0, 7, "0.000");
        check(2, 3, "66.666");
        check(998_999, 1_000_000, "99.899");
    }

    #[test]
    fn a_target_is_compared_exactly() {
        let target = Percent::from_units(9_990_000_000).unwrap();
        assert!(Ratio::new(999, 1000).unwrap().reaches(target));
        assert!(!Ratio::new(9_989_999_999_999, 10_000_000_000_000).unwrap().reaches(target));
        assert_eq!(allowance_ms(2_419_200_000, target), 2_419_200);
        assert_eq!(allowance_ms(1_999, target), 1);
    }
}
