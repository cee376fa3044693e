//! Occurrences of a cron (with seconds) in the service's zone. The pattern is matched by
//! `croner` against local wall-clock time; which instants those are is reckoned here with jiff.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Transitions of the zone that are looked past for one occurrence (about eight years).
const MAX_TRANSITIONS: usize = 16;

/// Why a text is not a cron.
#[derive(Debug, thiserror::Error)]
#[error("cron {expression:?}: expected six fields, second minute hour day month weekday")]
pub struct CronError {
    /// What was given.
    pub expression: String,
    /// What the parser says.
    #[source]
    pub source: croner::errors::CronError,
}

/// A cron in a zone.
///
/// When a clock change doubles a local time, it occurs twice; when one skips it, it occurs at the
/// instant of the change. So a cron that stands for an interval keeps its interval through both.
#[derive(Clone, Debug)]
pub struct Cron {
    pattern: croner::Cron,
    zone: TimeZone,
}

impl Cron {
    /// Reads a cron with seconds.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(expression: &str, zone: &TimeZone) -> Result<Self, CronError> {
        let pattern = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Required)
            .build()
            .parse(expression)
            .map_err(|source| CronError { expression: expression.to_owned(), source })?;
        Ok(Self { pattern, zone: zone.clone() })
    }

    /// The first occurrence after `after_ms`, in milliseconds since the epoch; `None` where there
    /// is none within the years that are searched.
    #[must_use]
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        let mut from = Timestamp::from_millisecond(after_ms).ok()?;
        let mut inclusive = false;
        for _ in 0..MAX_TRANSITIONS {
            let offset_s = i64::from(self.zone.to_offset(from).seconds());
            let change = self.zone.following(from).next().map(|change| change.timestamp());
            let found_s =
                self.local_after(from.as_millisecond().div_euclid(1000) + offset_s, inclusive)?;
            let Some(change) = change.filter(|change| found_s - offset_s >= change.as_second())
            else {
                return Some((found_s - offset_s) * 1000);
            };
            let skipped_to_s =
                change.as_second() + i64::from(self.zone.to_offset(change).seconds());
            if found_s < skipped_to_s {
                return Some(change.as_second() * 1000);
            }
            from = change;
            inclusive = true;
        }
        None
    }

    /// The next match in local seconds, as if the local calendar were UTC.
    fn local_after(&self, local_s: i64, inclusive: bool) -> Option<i64> {
        let local = chrono::DateTime::from_timestamp(local_s, 0)?;
        let found = self.pattern.find_next_occurrence(&local, inclusive).ok()?;
        Some(found.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cron: &str, zone: &str, after: &str, expect: &[&str]) {
        let zone = TimeZone::get(zone).unwrap();
        let cron = Cron::parse(cron, &zone).unwrap();
        let mut at = after.parse::<Timestamp>().unwrap().as_millisecond();
        let mut got = Vec::new();
        for _ in expect {
            at = cron.next_after(at).unwrap();
            got.push(Timestamp::from_millisecond(at).unwrap().to_string());
        }
        assert_eq!(got, expect);
    }

    #[test]
    fn occurrences() {
        check(
            "0 */5 * * * *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"],
        );
        check("0 */5 * * * *", "UTC", "2025-12-31T23:59:59.999Z", &["2026-01-01T00:00:00Z"]);
        // local seven o'clock, before and after the clocks go forward on 29 March 2026
        check(
            "0 0 7 * * *",
            "Europe/London",
            "2026-03-27T12:00:00Z",
            &["2026-03-28T07:00:00Z", "2026-03-29T06:00:00Z"],
        );
        // a half-hour zone
        check("0 0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", &["2026-01-01T03:30:00Z"]);
    }

    #[test]
    fn clock_changes_leave_no_hole() {
        // forward at 01:00Z: 01:30 local does not exist, so the change itself stands in
        check(
            "0 30 1 * * *",
            "Europe/London",
            "2026-03-28T12:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        );
        check(
            "0 */30 * * * *",
            "Europe/London",
            "2026-03-29T00:00:00Z",
            &["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        );
        // back at 01:00Z on 25 October: the hour from 01:00 to 02:00 local comes twice
        check(
            "0 */30 * * * *",
            "Europe/London",
            "2026-10-25T00:00:00Z",
            &[
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z",
            ],
        );
    }

    #[test]
    fn what_never_comes_is_none() {
        let cron = Cron::parse("0 0 0 30 2 *", &TimeZone::UTC).unwrap();
        assert_eq!(cron.next_after(0), None);
        assert!(Cron::parse("every day", &TimeZone::UTC).is_err());
    }
}
