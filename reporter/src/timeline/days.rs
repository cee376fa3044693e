//! Day strips: how much of each local day a component was what, around the clock.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ComponentTimeline;
use crate::clock;
use crate::interval::{Set, Span};
use crate::report::model::{Day, Ms};

/// One entry for each local date from `first` until before `end`. Time that the timeline's
/// window does not hold, and time still to come, is in no part of a day. `since` is the first
/// date with service hours.
#[must_use]
pub fn days(
    timeline: &ComponentTimeline,
    excluded: &Set,
    since: Option<Date>,
    zone: &TimeZone,
    first: Date,
    end: Date,
) -> Vec<Day> {
    let window = Set::from(timeline.window);
    let before = match since {
        Some(since) => window.clip(Span::new(i64::MIN, clock::day_start_ms(since, zone))),
        None => Set::new(),
    };
    let served = window.subtract(&before);
    let excluded = served.intersect(excluded);
    let counted = served.subtract(&excluded);
    let down = counted.intersect(&timeline.down());
    let unknown = counted.intersect(&timeline.unknown());
    let degraded = counted.intersect(&timeline.degraded());
    clock::days(first, end, zone)
        .map(|(date, day)| {
            let part = |set: &Set| set.len_within_ms(day);
            let up = part(&counted) - part(&down) - part(&unknown) - part(&degraded);
            Day {
                date,
                up_s: Ms(up),
                degraded_s: Ms(part(&degraded)),
                down_s: Ms(part(&down)),
                excluded_s: Ms(part(&excluded)),
                unknown_s: Ms(part(&unknown)),
                outside_s: Ms(part(&before)),
            }
        })
        .collect()
}
