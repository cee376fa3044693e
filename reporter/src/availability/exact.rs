//! Exact shares: compared as integers, shown cut off, written as the nearest double (rule 7).

use std::cmp::Ordering;

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

    /// The exact parts: how much is good, of how much.
    #[must_use]
    pub const fn parts(self) -> (i128, i128) {
        (self.good, self.whole)
    }

    /// In per cent, as the nearest double.
    #[must_use]
    pub fn pct(self) -> f64 {
        nearest(self.good * 100, self.whole)
    }

    /// By how much it lies above another share, in thousandths of a percentage point, cut off
    /// towards zero.
    #[must_use]
    pub fn thousandths_above(self, other: Self) -> i64 {
        const UNIT: i128 = 100_000;
        let (own, own_rest) = (self.good * UNIT / self.whole, self.good * UNIT % self.whole);
        let (its, its_rest) = (other.good * UNIT / other.whole, other.good * UNIT % other.whole);
        let above = compare((own_rest, self.whole), (its_rest, other.whole));
        let whole = own - its;
        // what the rests add lies strictly between -1 and 1
        let cut = match above {
            Ordering::Less if whole > 0 => whole - 1,
            Ordering::Greater if whole < 0 => whole + 1,
            _ => whole,
        };
        i64::try_from(cut).unwrap_or(i64::MAX)
    }

    /// In per cent with three places, cut off.
    #[must_use]
    pub fn shown(self) -> String {
        let thousandths = (self.good * 100_000).div_euclid(self.whole);
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    }
}

/// Compares two fractions, neither below zero, without multiplying them out.
fn compare(mut left: (i128, i128), mut right: (i128, i128)) -> Ordering {
    loop {
        let (of_left, of_right) = (left.0 / left.1, right.0 / right.1);
        if of_left != of_right {
            return of_left.cmp(&of_right);
        }
        let (left_rest, right_rest) = (left.0 % left.1, right.0 % right.1);
        if left_rest == 0 || right_rest == 0 {
            return left_rest.cmp(&right_rest);
        }
        // a fraction is the smaller, the larger its inverse
        (left, right) = ((right.1, right_rest), (left.1, left_rest));
    }
}

/// The double nearest to a fraction of positive whole; ties go to the even one.
#[allow(
    clippy::cast_precision_loss,
    reason = "numbers below 2^53 are doubles, so that a division rounds once; above, 64 bits of \
              the quotient and one for the rest are rounded once, and scaling by 2 is exact"
)]
fn nearest(part: i128, whole: i128) -> f64 {
    const EXACT: i128 = 1 << 53;
    if part.abs() <= EXACT && whole <= EXACT {
        return part as f64 / whole as f64;
    }
    let (of, whole) = (part.unsigned_abs(), whole.unsigned_abs());
    let (mut quotient, mut rest, mut scale) = (of / whole, of % whole, 1.0);
    while quotient < 1 << 63 && rest > 0 && scale < 1e300 {
        rest *= 2;
        quotient = quotient * 2 + u128::from(rest >= whole);
        rest %= whole;
        scale *= 2.0;
    }
    let size = (quotient | u128::from(rest > 0)) as f64 / scale;
    if part < 0 { -size } else { size }
}

/// How much of `whole` may be bad under a target, and how much of that is left after `bad`: for
/// each of `heads` that share in it, cut off to the millisecond.
#[must_use]
pub fn allowance(whole: i128, bad: i128, target: Percent, heads: i128) -> (i64, i64) {
    let unit = i128::from(Percent::WHOLE);
    let allowed = whole * i128::from(Percent::WHOLE - target.units());
    (share_of(allowed, heads * unit), share_of(allowed - bad * unit, heads * unit))
}

/// What each of `heads` has of a sum, cut off; nothing of nobody.
#[must_use]
pub fn share_of(sum: i128, heads: i128) -> i64 {
    if heads == 0 {
        return 0;
    }
    i64::try_from(sum.div_euclid(heads)).unwrap_or(i64::MAX)
}

/// A share with three places, cut off; `n/a` of nothing.
#[must_use]
pub fn shown_or_na(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| "n/a".to_owned(), Ratio::shown)
}

#[cfg(test)]
mod tests {
    use mailward_catalogue::Percent;
    use proptest::prelude::*;

    use super::{Ratio, allowance, nearest};

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
        assert_eq!(allowance(2_419_200_000, 3_600_000, target, 1), (2_419_200, -1_180_800));
        assert_eq!(allowance(1_999, 0, target, 1), (1, 1));
        assert_eq!(allowance(3 * 1_999, 3, target, 3), (1, 0));
    }

    proptest! {
        #[test]
        fn a_change_is_cut_towards_zero(
            a in (0i128..=5000, 1i128..=5000), b in (0i128..=5000, 1i128..=5000), by in 1i128..1 << 60
        ) {
            let ratio = |(good, whole): (i128, i128)| Ratio::new(good.min(whole) * by, whole * by);
            let (ra, rb) = (ratio(a).unwrap(), ratio(b).unwrap());
            let (ga, gb) = (a.0.min(a.1), b.0.min(b.1));
            let expect = (ga * b.1 - gb * a.1) * 100_000 / (a.1 * b.1);
            prop_assert_eq!(i128::from(ra.thousandths_above(rb)), expect);
        }

        #[test]
        fn nearest_rounds_once(part in 0i64..1 << 53, whole in 1i64..1 << 53, by in 1i128..1 << 60) {
            // the same fraction, written so large that a plain division would round twice
            let plain = part as f64 / whole as f64;
            let large = nearest(i128::from(part) * by, i128::from(whole) * by);
            prop_assert!((plain - large).abs() == 0.0, "{plain} {large}");
            prop_assert!((nearest(-i128::from(part) * by, i128::from(whole) * by) + plain).abs() == 0.0);
        }
    }
}
