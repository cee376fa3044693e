//! How long delivery waits: full jitter, so that agents that lost a reporter together do not
//! come back together.

use std::time::Duration;

/// The times that delivery keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a small body waits for more records.
    pub linger: Duration,
    /// The most that is waited after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The most that is ever waited without being asked to.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(1),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

impl Pace {
    /// After so many failures in a row: anything up to a bound that doubles.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        self.most(failures).mul_f64(chance())
    }

    /// What the reporter asked for, and a little more, so that not all come at once.
    #[must_use]
    pub fn at_least(&self, asked: Duration, failures: u32) -> Duration {
        asked + self.most(failures).min(asked / 2 + self.first).mul_f64(chance())
    }

    /// Where only a person can help: between half and all of the longest wait.
    #[must_use]
    pub fn slowly(&self) -> Duration {
        self.longest.mul_f64(0.5 + chance() / 2.0)
    }

    fn most(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(16);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    // without a source of chance, the middle is as good as any
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit() {
        let pace = Pace::default();
        for (failures, most_s) in [(1, 1), (2, 2), (4, 8), (7, 60), (u32::MAX, 60)] {
            assert_eq!(pace.most(failures), Duration::from_secs(most_s), "{failures}");
            assert!(pace.wait(failures) <= Duration::from_secs(most_s));
        }
        let asked = Duration::from_secs(30);
        for failures in [1, 5, 50] {
            let wait = pace.at_least(asked, failures);
            assert!((asked..=Duration::from_secs(46)).contains(&wait), "{wait:?}");
        }
        assert!((30..=60).contains(&pace.slowly().as_secs()));
    }

    #[test]
    fn waits_are_spread() {
        let pace = Pace::default();
        let waits: std::collections::BTreeSet<Duration> = (0..32).map(|_| pace.wait(9)).collect();
        assert!(waits.len() > 16, "{waits:?}");
    }
}
