//! How long runs took, as counts in buckets whose upper edges are the numbers of two digits
//! (4 s, 2.5 s, 60 s), so that a limit of two digits is counted exactly. Counts of hours and
//! agents can be added up, and an outcome that is superseded can be taken out again.

use super::bytes::{Broken, Reader, put_int, put_uint};

/// Counts of durations, in buckets at most a tenth wide. A bucket holds its upper edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and how many, in order of bucket, none of them zero.
    buckets: Vec<(u16, u64)>,
    /// Microseconds, so that taking out is exact.
    sum_us: i64,
}

/// Up to here, buckets are 0.1 ms wide.
const LINEAR: u16 = 100;
/// Buckets from ten to 99 of each power of ten.
const DECADE: u16 = 90;
const POWERS: [f64; 14] =
    [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13];
/// The last bucket; holds whatever is longer as well (31,000 years).
const LAST: u16 = LINEAR + DECADE * POWERS.len() as u16 - 1;

/// The longest duration in milliseconds that a bucket holds: the double nearest to it.
fn edge_ms(bucket: u16) -> f64 {
    if bucket < LINEAR {
        return f64::from(bucket) / 10.0;
    }
    let above = bucket.min(LAST) - LINEAR;
    f64::from(10 + above % DECADE) * POWERS[usize::from(above / DECADE)]
}

/// The bucket of a duration: the first whose edge it does not exceed.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a first guess: whole numbers of two digits, saturating"
)]
fn bucket(ms: f64) -> u16 {
    let mut guess = if ms <= 10.0 {
        ((ms * 10.0).ceil() as u16).min(LINEAR)
    } else {
        let power = POWERS.iter().position(|p| ms <= 99.0 * p).unwrap_or(POWERS.len() - 1);
        let digits = ((ms / POWERS[power]).ceil() as u16).clamp(10, 99);
        LINEAR + DECADE * power as u16 + digits - 10
    };
    while guess < LAST && edge_ms(guess) < ms {
        guess += 1;
    }
    while guess > 0 && edge_ms(guess - 1) >= ms {
        guess -= 1;
    }
    guess
}

#[allow(clippy::cast_possible_truncation, reason = "saturates; the wire allows ten years")]
fn us(ms: f64) -> i64 {
    (ms * 1000.0) as i64
}

impl Histogram {
    /// Counts a run.
    pub fn add(&mut self, ms: f64) {
        self.sum_us = self.sum_us.saturating_add(us(ms));
        let bucket = bucket(ms);
        match self.buckets.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(i) => self.buckets[i].1 += 1,
            Err(i) => self.buckets.insert(i, (bucket, 1)),
        }
    }

    /// Takes out a run that was counted.
    pub(super) fn remove(&mut self, ms: f64) {
        let bucket = bucket(ms);
        if let Ok(i) = self.buckets.binary_search_by_key(&bucket, |(b, _)| *b) {
            self.sum_us = self.sum_us.saturating_sub(us(ms));
            self.buckets[i].1 -= 1;
            if self.buckets[i].1 == 0 {
                self.buckets.remove(i);
            }
        }
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        for (bucket, count) in &other.buckets {
            match self.buckets.binary_search_by_key(bucket, |(b, _)| *b) {
                Ok(i) => self.buckets[i].1 += count,
                Err(i) => self.buckets.insert(i, (*bucket, *count)),
            }
        }
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// How many runs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Their sum in milliseconds, each cut to a microsecond.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a sum for averages")]
    pub fn sum_ms(&self) -> f64 {
        self.sum_us as f64 / 1000.0
    }

    /// How many took at most `ms`, counting only buckets that lie below it as a whole: exact
    /// for numbers of two digits.
    #[must_use]
    pub fn at_most_ms(&self, ms: f64) -> u64 {
        self.buckets.iter().take_while(|(b, _)| edge_ms(*b) <= ms).map(|(_, n)| n).sum()
    }

    /// How many took at most `ms`; `None` where a bucket that holds runs lies on both sides.
    pub(super) fn exactly_at_most_ms(&self, ms: f64) -> Option<u64> {
        let across = bucket(ms);
        let parted = edge_ms(across) > ms || across == LAST;
        let parted = parted && self.buckets.binary_search_by_key(&across, |(b, _)| *b).is_ok();
        (!parted).then(|| self.at_most_ms(ms))
    }

    /// Appends the counts as bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_uint(out, self.buckets.len() as u64);
        if self.buckets.is_empty() {
            return;
        }
        put_int(out, self.sum_us);
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            put_uint(out, u64::from(bucket - before));
            put_uint(out, *count);
            before = *bucket;
        }
    }

    /// Reads counts that were encoded.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Broken> {
        let len = reader.len()?;
        if len == 0 {
            return Ok(Self::default());
        }
        if len > usize::from(LAST) + 1 {
            return Err(Broken("as many buckets as there are"));
        }
        let mut histogram = Self { sum_us: reader.int()?, buckets: Vec::with_capacity(len) };
        let mut bucket = 0u16;
        for _ in 0..len {
            let step = u16::try_from(reader.uint()?).map_err(|_| Broken("a bucket"))?;
            bucket = bucket.checked_add(step).ok_or(Broken("a bucket"))?;
            histogram.buckets.push((bucket, reader.uint()?));
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edges_lie_within_a_tenth_and_belong_to_their_bucket() {
        for tenths in (0..2000u32).chain((1..30).map(|power| 3 << power)) {
            let ms = f64::from(tenths) / 10.0;
            let edge = edge_ms(bucket(ms));
            assert!(edge >= ms && edge <= ms * 1.1 + 0.1000001, "{ms} at most {edge}");
        }
        for number in 0..=LAST {
            let edge = edge_ms(number);
            assert_eq!(bucket(edge), number, "{edge}");
            let above = f64::from_bits(edge.to_bits() + 1);
            assert_eq!(bucket(above), (number + 1).min(LAST), "{above}");
        }
        assert_eq!(bucket(f64::MAX), LAST);
        assert_eq!(bucket(-1.0), 0);
    }

    #[test]
    fn a_limit_between_edges_is_exact_where_nothing_lies_around_it() {
        let mut took = Histogram::default();
        [0.05, 3.7, 400.0, 401.0, 1250.0, 4000.0, 4000.1].iter().for_each(|ms| took.add(*ms));
        let asked = [(400.0, Some(3)), (4000.0, Some(6)), (4050.0, None), (4100.0, Some(7))];
        for (ms, expect) in
            asked.into_iter().chain([(1250.0, None), (405.0, None), (2525.0, Some(5))])
        {
            assert_eq!(took.exactly_at_most_ms(ms), expect, "{ms}");
        }
    }

    proptest! {
        #[test]
        fn merging_is_adding(
            a in proptest::collection::vec(0.0..1e6f64, 0..50),
            b in proptest::collection::vec(0.0..1e6f64, 0..50),
        ) {
            let of = |values: &[f64]| {
                let mut h = Histogram::default();
                values.iter().for_each(|v| h.add(*v));
                h
            };
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let mut all = of(&[a.clone(), b.clone()].concat());
            prop_assert_eq!(&merged, &all);
            let mut bytes = Vec::new();
            all.encode(&mut bytes);
            prop_assert_eq!(Histogram::decode(&mut Reader(&bytes)), Ok(all.clone()));
            b.iter().for_each(|v| all.remove(*v));
            prop_assert_eq!(all, of(&a));
        }
    }
}
