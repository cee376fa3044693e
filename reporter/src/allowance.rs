//! How often somebody may do something: so many times at once, and so many a second after that.
//! Memory is bounded: of those who are too many to remember, whoever used least is forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What each of many may still do. Times are readings of the monotonic clock.
#[derive(Debug)]
pub(crate) struct Allowances<K> {
    burst: f64,
    per_s: f64,
    /// The most that are remembered.
    most: usize,
    held: Mutex<HashMap<K, Held>>,
}

/// What is left of a burst, and when that was reckoned.
#[derive(Clone, Copy, Debug)]
struct Held {
    left: f64,
    at: Duration,
}

impl<K: Eq + Hash + Clone> Allowances<K> {
    /// `burst` times at once, `per_s` a second after that, for at most `most` of them.
    pub(crate) fn new(burst: f64, per_s: f64, most: usize) -> Self {
        Self { burst, per_s, most, held: Mutex::default() }
    }

    /// Takes one, if there is one.
    ///
    /// # Errors
    /// Gives after how long there will be one.
    pub(crate) fn take(&self, of: &K, now: Duration) -> Result<(), Duration> {
        let mut held = self.held();
        if !held.contains_key(of) && held.len() >= self.most {
            self.forget_one(&mut held, now);
        }
        let fresh = Held { left: self.burst, at: now };
        let entry = held.entry(of.clone()).or_insert(fresh);
        entry.left = self.left(*entry, now);
        entry.at = now;
        if entry.left < 1.0 {
            return Err(self.until_one(entry.left));
        }
        entry.left -= 1.0;
        Ok(())
    }

    /// Whether there is one, without taking it.
    ///
    /// # Errors
    /// As [`Allowances::take`].
    pub(crate) fn look(&self, of: &K, now: Duration) -> Result<(), Duration> {
        let left = self.held().get(of).map_or(self.burst, |entry| self.left(*entry, now));
        if left < 1.0 { Err(self.until_one(left)) } else { Ok(()) }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<K, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self, held: Held, now: Duration) -> f64 {
        let passed_s = now.saturating_sub(held.at).as_secs_f64();
        (held.left + passed_s * self.per_s).min(self.burst)
    }

    fn until_one(&self, left: f64) -> Duration {
        Duration::from_secs_f64(((1.0 - left) / self.per_s).clamp(0.0, 3600.0))
    }

    /// Forgets those who have all they may have; where nobody has, whoever has most.
    fn forget_one(&self, held: &mut HashMap<K, Held>, now: Duration) {
        held.retain(|_, entry| self.left(*entry, now) < self.burst);
        if held.len() < self.most {
            return;
        }
        let most = held.iter().max_by(|a, b| {
            let of = |entry: &Held| self.left(*entry, now);
            of(a.1).total_cmp(&of(b.1))
        });
        if let Some(key) = most.map(|(key, _)| key.clone()) {
            held.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_and_then_a_rate() {
        let allowances = Allowances::new(3.0, 0.5, 10);
        for _ in 0..3 {
            assert_eq!(allowances.take(&"a", s(0)), Ok(()));
        }
        assert_eq!(allowances.take(&"a", s(0)), Err(s(2)));
        assert_eq!(allowances.look(&"a", s(1)), Err(s(1)));
        assert_eq!(allowances.take(&"b", s(1)), Ok(()), "others have their own");
        assert_eq!(allowances.look(&"a", s(2)), Ok(()));
        assert_eq!(allowances.take(&"a", s(2)), Ok(()));
        assert_eq!(allowances.take(&"a", s(2)), Err(s(2)));
        assert_eq!(allowances.take(&"a", s(1)), Err(s(2)), "a clock that stands gives nothing");
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_remembered() {
        let allowances = Allowances::new(3.0, 0.001, 4);
        for _ in 0..3 {
            allowances.take(&0, s(0)).unwrap();
        }
        for key in 1..1000 {
            allowances.take(&key, s(1)).unwrap();
            assert!(allowances.held().len() <= 4);
        }
        assert!(allowances.look(&0, s(1)).is_err());
    }
}
