//! When a server asks to be asked again: `Retry-After` (RFC 9110 section 10.2.3). Whether anybody
//! waits is left to others.

use std::time::Duration;

use jiff::Timestamp;

/// The longest that a server can send anybody away.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Reads `Retry-After`, seconds or a date, as the time from `now`; an hour at most.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// `until`, while it lies ahead of `now`. What lies further ahead than any server can ask for,
/// another clock has said.
#[must_use]
pub fn ahead(until: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let left = Duration::try_from(until.duration_since(now)).ok()?;
    (!left.is_zero() && left <= MAX_RETRY_AFTER).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(retry_after(text, now), expect.map(Duration::from_secs), "{text}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Sun, 22 Nov 2026 10:01:30 GMT", Some(90));
        check("Sun, 22 Nov 2026 09:00:00 GMT", Some(0));
        check("99999999999", Some(3600));
        check("soon", None);
        check("-5", None);
    }
}
