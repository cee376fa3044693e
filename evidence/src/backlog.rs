//! What an agent tells of its outbox with each delivery, as a header: nobody has to reach an
//! agent to learn what waits there. What is done about it is left to others.

use std::fmt;

/// The header of a delivery that bears it.
pub const HEADER: &str = "mailward-backlog";
/// The longest text that is read.
const MAX_BYTES: usize = 256;

/// What waits at an agent, and what it has lost. As text it is a dictionary of integers
/// (RFC 9651, section 3.2): `records=12, oldest_ms=3250, dropped=0, missed=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records that have not been delivered, those of this delivery among them.
    pub records: u64,
    /// How long the oldest of them has waited, in milliseconds.
    pub oldest_ms: u64,
    /// Records that were lost before they could be delivered, since the agent started.
    pub dropped: u64,
    /// Scheduled runs that were not made because their time had passed, since the agent started.
    pub missed: u64,
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, oldest_ms, dropped, missed } = self;
        write!(f, "records={records}, oldest_ms={oldest_ms}, dropped={dropped}, missed={missed}")
    }
}

impl Backlog {
    /// Reads the header; what it does not name is 0, and names that are not known are passed
    /// over. `None` where it is no such text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut told = Self::default();
        for member in text.split(',') {
            let (name, value) = member.trim().split_once('=')?;
            let value = value.parse().ok()?;
            match name {
                "records" => told.records = value,
                "oldest_ms" => told.oldest_ms = value,
                "dropped" => told.dropped = value,
                "missed" => told.missed = value,
                _ => {}
            }
        }
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Option<[u64; 4]>) {
        let expect = expect.map(|[records, oldest_ms, dropped, missed]| Backlog {
            records,
            oldest_ms,
            dropped,
            missed,
        });
        assert_eq!(Backlog::parse(text), expect, "{text:?}");
    }

    #[test]
    fn only_a_dictionary_of_numbers_is_read() {
        check("records=12, oldest_ms=3250, dropped=1, missed=2", Some([12, 3250, 1, 2]));
        check("records=12,later=7", Some([12, 0, 0, 0]));
        check("", None);
        check("records", None);
        check("records=-1", None);
        check("records=1.5", None);
        check("records=99999999999999999999", None);
        check(&format!("records=1{}", " ".repeat(300)), None);
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_is_read(parts: [u64; 4]) {
            let [records, oldest_ms, dropped, missed] = parts;
            let told = Backlog { records, oldest_ms, dropped, missed };
            prop_assert_eq!(Backlog::parse(&told.to_string()), Some(told));
        }

        #[test]
        fn no_text_is_a_surprise(text in ".{0,300}") {
            let _ = Backlog::parse(&text);
        }
    }
}
