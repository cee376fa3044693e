//! How long runs took, as counts in log-linear buckets at most 1/16 wide. Counts of hours and
//! agents can be added up, and an outcome that is superseded can be taken out again.

use super::bytes::{Broken, Reader, put_int, put_uint};

/// Counts of durations; exact to 0.1 ms up to 3.2 ms, then to 1/16.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and how many, in order of bucket, none of them zero.
    buckets: Vec<(u16, u64)>,
    /// Microseconds, so that taking out is exact.
    sum_us: i64,
}

/// The bucket of a duration, in units of 0.1 ms: one a unit up to 32, then 16 an octave.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates: negative times count as 0, and the last bucket is below 1000"
)]
fn bucket(ms: f64) -> u16 {
    let units = (ms * 10.0) as u64;
    if units < 32 {
        return units as u16;
    }
    let shift = units.ilog2() - 4;
    (shift as u16) * 16 + (units >> shift) as u16
}

/// The first duration in milliseconds beyond a bucket.
#[allow(clippy::cast_precision_loss, reason = "an edge needs no more than 5 bits")]
fn edge_ms(bucket: u16) -> f64 {
    let units = match bucket {
        0..32 => u128::from(bucket) + 1,
        _ => (u128::from(bucket % 16) + 17) << (bucket / 16 - 1).min(100),
    };
    units as f64 / 10.0
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

    /// The duration in milliseconds that the share `q` (0 to 1) of runs stayed below: the upper
    /// edge of the bucket that holds the nearest rank. `None` of no runs.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank between 1 and the count"
    )]
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        self.buckets.iter().find_map(|(bucket, n)| {
            seen += n;
            (seen >= rank).then(|| edge_ms(*bucket))
        })
    }

    /// How many took at most `ms`, counting only buckets that lie below it as a whole.
    #[must_use]
    pub fn at_most_ms(&self, ms: f64) -> u64 {
        self.buckets.iter().take_while(|(b, _)| edge_ms(*b) <= ms).map(|(_, n)| n).sum()
    }

    /// The counts as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.buckets.len() * 3 + 10);
        put_int(&mut out, self.sum_us);
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            put_uint(&mut out, u64::from(bucket - before));
            put_uint(&mut out, *count);
            before = *bucket;
        }
        out
    }

    /// The counts that were encoded.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        let mut reader = Reader(bytes);
        let mut histogram = Self { sum_us: reader.int()?, buckets: Vec::new() };
        let mut bucket = 0u16;
        while !reader.0.is_empty() {
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
    fn edges_lie_within_a_sixteenth() {
        for tenths in (0..2000u32).chain((1..30).map(|power| 3 << power)) {
            let ms = f64::from(tenths) / 10.0;
            let edge = edge_ms(bucket(ms));
            assert!(edge > ms && edge <= ms * (1.0 + 1.0 / 16.0) + 0.1000001, "{ms} below {edge}");
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
            prop_assert_eq!(Histogram::decode(&all.encode()), Ok(all.clone()));
            b.iter().for_each(|v| all.remove(*v));
            prop_assert_eq!(all, of(&a));
        }
    }
}
