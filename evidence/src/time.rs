//! Instants as evidence carries them: RFC 3339 on the wire, nanoseconds for identity,
//! whole milliseconds (cut off, not rounded) for arithmetic.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant. Two spellings of the same instant (`Z` or an offset) are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Timestamp);

impl Instant {
    /// Wraps a timestamp.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(at)
    }

    /// The instant `ms` milliseconds after the Unix epoch, or `None` outside of what a
    /// calendar can hold (years -9999 to 9999).
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        Timestamp::from_millisecond(ms).ok().map(Self)
    }

    /// The instant `ns` nanoseconds after the Unix epoch.
    #[must_use]
    pub fn from_ns(ns: i64) -> Self {
        // every i64 of nanoseconds (years 1677 to 2262) is inside jiff's range
        Self(Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// The instant `seconds` after the Unix epoch, or the nearest one that evidence is accepted
    /// with: for what others say, such as a certificate that never expires.
    #[must_use]
    pub fn nearest_s(seconds: i64) -> Self {
        Self::from_ns(seconds.saturating_mul(1_000_000_000))
    }

    /// Milliseconds since the Unix epoch, finer parts cut off (towards the past).
    #[must_use]
    pub fn ms(self) -> i64 {
        // as_nanosecond fits i128; div_euclid floors, so that an instant before 1970 is cut
        // in the same direction as one after it
        i64::try_from(self.0.as_nanosecond().div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }

    /// Nanoseconds since the Unix epoch. Evidence is only accepted from 1678 to 2261
    /// (see [`Instant::parse`]), where this is exact.
    #[must_use]
    pub fn ns(self) -> i64 {
        i64::try_from(self.0.as_nanosecond()).unwrap_or(if self.0 < Timestamp::UNIX_EPOCH {
            i64::MIN
        } else {
            i64::MAX
        })
    }

    /// The timestamp inside.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Reads an RFC 3339 instant; the offset is mandatory.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected an instant as 2019-02-01T00:00:00Z, got {:?}", cut(text));
        if text.len() > 64 {
            return Err(expected());
        }
        let at: Timestamp = text.parse().map_err(|_| expected())?;
        if i64::try_from(at.as_nanosecond()).is_err() {
            return Err(format!("expected an instant between 1678 and 2261, got {text:?}"));
        }
        Ok(Self(at))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Instant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instant as 2019-02-01T00:00:00Z")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Instant, E> {
                Instant::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_of_time_can_always_be_carried() {
        for (seconds, expect) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_790_000_000, "2026-09-21T14:13:20Z"),
            // 31 December 9999, as a certificate that never expires has it
            (253_402_300_799, "2262-04-11T23:47:16.854775807Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
            (-11_676_096_000, "1677-09-21T00:12:43.145224192Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        ] {
            let at = Instant::nearest_s(seconds);
            assert_eq!(at.to_string(), expect, "{seconds}");
            assert_eq!(Instant::parse(&at.to_string()), Ok(at), "{seconds}");
        }
    }
}
