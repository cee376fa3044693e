//! Civil time: months, days and service hours as intervals. Zones come in as arguments; what
//! the intervals are used for is left to others.

mod hours;
mod month;
pub mod ticket;

pub(crate) use hours::local_ms;
pub use hours::{hours_label, service_hours};
pub use month::{Month, MonthError};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::interval::Span;

/// The first instant of a local date, in milliseconds. A date that the zone skips altogether
/// begins with the one after it.
#[must_use]
pub fn day_start_ms(date: Date, zone: &TimeZone) -> i64 {
    let midnight = zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
    let skipped = matches!(midnight.offset(), jiff::tz::AmbiguousOffset::Gap { .. });
    let Ok(at) = midnight.compatible() else {
        // the outermost days of the calendar cannot be told in every zone; no evidence lies there
        return if date.year() < 0 { i64::MIN / 4 } else { i64::MAX / 4 };
    };
    if skipped {
        // the day begins where the clocks change, which may lie before midnight's stand-in
        let after = jiff::Timestamp::from_nanosecond(at.as_nanosecond() + 1).unwrap_or(at);
        if let Some(change) = zone.preceding(after).next() {
            return change.timestamp().as_millisecond();
        }
    }
    at.as_millisecond()
}

/// The local dates from `first` until before `end`, each with its instants.
pub fn days(first: Date, end: Date, zone: &TimeZone) -> impl Iterator<Item = (Date, Span)> + use<> {
    let zone = zone.clone();
    std::iter::successors(Some(first), |date| date.tomorrow().ok())
        .take_while(move |date| *date < end)
        .map(move |date| {
            let from_ms = day_start_ms(date, &zone);
            let to_ms = date.tomorrow().map_or(from_ms, |next| day_start_ms(next, &zone));
            (date, Span::new(from_ms, to_ms))
        })
}

/// The local date of an instant.
#[must_use]
pub fn date_of(at_ms: i64, zone: &TimeZone) -> Date {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(if at_ms < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    at.to_zoned(zone.clone()).date()
}

/// A duration of a definition in milliseconds.
#[must_use]
pub fn duration_ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
