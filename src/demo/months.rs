//! Which months the demonstration tells of, and civil times inside them as instants.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// What part a month has in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// The latest month with a clock change, where it is none of the others.
    ClockChange,
    /// The first of the three: planned work that overruns.
    Planned,
    /// The second: a night outage and a blacklisting.
    Night,
    /// The third: a bit of everything.
    Busy,
    /// The one that still runs.
    Current,
}

/// A month of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    pub(crate) role: Role,
    /// Its first day.
    pub(crate) first: Date,
    /// Its first instant.
    pub(crate) from_ms: i64,
    /// The first instant after it, or the end of the story.
    pub(crate) to_ms: i64,
}

impl Month {
    /// The word for it, `2026-10`.
    pub(crate) fn label(&self) -> String {
        format!("{:04}-{:02}", self.first.year(), self.first.month())
    }

    /// Whether it is over.
    pub(crate) const fn is_complete(&self) -> bool {
        !matches!(self.role, Role::Current)
    }

    /// The instant of a local time on a day of the month.
    pub(crate) fn at(&self, zone: &TimeZone, day: i8, hour: i8, minute: i8) -> Result<i64> {
        let date = Date::new(self.first.year(), self.first.month(), day)?;
        instant(zone, date, hour, minute)
    }

    /// The day of the month that is the `nth` of its weekdays.
    pub(crate) fn nth(&self, nth: i8, weekday: Weekday) -> Result<i8> {
        Ok(self.first.nth_weekday_of_month(nth, weekday)?.day())
    }
}

fn instant(zone: &TimeZone, date: Date, hour: i8, minute: i8) -> Result<i64> {
    let at = date.at(hour, minute, 0, 0).to_zoned(zone.clone())?;
    Ok(at.timestamp().as_millisecond())
}

/// The first instant of a local date (RFC 5545 has no word for a midnight that does not exist;
/// jiff goes to the first instant after it).
fn first_instant(zone: &TimeZone, date: Date) -> Result<i64> {
    Ok(date.to_zoned(zone.clone())?.timestamp().as_millisecond())
}

/// The three months before the one that holds `now`, that one up to `now`, and the latest month
/// with a clock change if it lies before them. In order of time.
pub(crate) fn months(now: Timestamp, zone: &TimeZone) -> Result<Vec<Month>> {
    let this = now.to_zoned(zone.clone()).date().first_of_month();
    let mut months = Vec::new();
    let roles = [Role::Planned, Role::Night, Role::Busy, Role::Current];
    for (back, role) in [3, 2, 1, 0].into_iter().zip(roles) {
        let first = months_before(this, back)?;
        months.push(month(role, first, zone, now)?);
    }
    if let Some(change) = latest_change(now, zone) {
        let first = change.to_zoned(zone.clone()).date().first_of_month();
        let year_ago = months_before(this, 14)?;
        if first < months[0].first && first > year_ago {
            months.insert(0, month(Role::ClockChange, first, zone, now)?);
        }
    }
    Ok(months)
}

fn months_before(first: Date, back: i32) -> Result<Date> {
    let span = jiff::Span::new().try_months(back)?;
    first.checked_sub(span).with_context(|| format!("{back} months before {first}"))
}

fn month(role: Role, first: Date, zone: &TimeZone, now: Timestamp) -> Result<Month> {
    let next = first.last_of_month().tomorrow()?;
    let to_ms = first_instant(zone, next)?.min(now.as_millisecond());
    Ok(Month { role, first, from_ms: first_instant(zone, first)?, to_ms })
}

/// The latest instant before `now` at which the zone's offset changed.
pub(crate) fn latest_change(now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    // a few transitions only rename the zone; a bound keeps a strange zone from costing time
    zone.preceding(now).take(8).map(|transition| transition.timestamp()).find(|at| {
        let before = *at - jiff::SignedDuration::from_secs(1);
        zone.to_offset(before) != zone.to_offset(*at)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn london() -> TimeZone {
        TimeZone::get("Europe/London").expect("a zone")
    }

    #[test]
    fn three_months_the_current_one_and_the_last_clock_change() {
        let check = |zone: &TimeZone, now: &str, expect: &[&str]| {
            let months = months(now.parse().expect("an instant"), zone).expect("months");
            let labels: Vec<_> = months.iter().map(Month::label).collect();
            assert_eq!(labels, expect, "{now}");
            for pair in months.windows(2) {
                assert!(pair[0].from_ms < pair[0].to_ms && pair[0].to_ms <= pair[1].from_ms);
            }
        };
        let london = london();
        let four = ["2026-08", "2026-09", "2026-10", "2026-11"];
        check(&london, "2026-11-22T14:00:00Z", &four);
        let five = ["2026-03", "2026-05", "2026-06", "2026-07", "2026-08"];
        check(&london, "2026-08-10T00:00:00Z", &five);
        // half past midnight on 1 August in London is still July in UTC
        check(&london, "2026-07-31T23:30:00Z", &five);
        check(&TimeZone::UTC, "2026-11-22T14:00:00Z", &four);
        // the change of this month lies ahead
        let october = ["2026-03", "2026-07", "2026-08", "2026-09", "2026-10"];
        check(&london, "2026-10-02T00:00:00Z", &october);
    }

    #[test]
    fn a_month_with_a_clock_change_has_an_hour_more_or_less() {
        let months = months("2026-11-22T14:00:00Z".parse().expect("an instant"), &london());
        let october = months.expect("months")[2];
        assert_eq!(october.to_ms - october.from_ms, (31 * 24 + 1) * 3_600_000);
    }
}
