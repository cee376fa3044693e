//! Service hours as declared: local wall-clock spans on weekdays, and holidays.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

/// `[hours.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Its name.
    pub name: String,
    /// Spans that start on a Monday, a Tuesday, … (index: Monday is 0).
    pub weekly: [Vec<Span>; 7],
    /// Local dates on which no span starts.
    pub holidays: BTreeSet<Date>,
}

impl Hours {
    /// The spans that start on this weekday.
    #[must_use]
    pub fn on(&self, weekday: Weekday) -> &[Span] {
        &self.weekly[usize::from(weekday.to_monday_zero_offset().unsigned_abs())]
    }
}

/// Whether spans of a week leave no minute of it out.
pub(crate) fn cover_all(weekly: &[Vec<Span>; 7]) -> bool {
    const DAY: usize = 1440;
    let mut open = vec![false; 7 * DAY];
    for (day, spans) in weekly.iter().enumerate() {
        for span in spans {
            for minute in span.from_min..span.to_min {
                open[(day * DAY + usize::from(minute)) % (7 * DAY)] = true;
            }
        }
    }
    open.into_iter().all(|minute| minute)
}

/// A span of local wall-clock time that belongs to the day it starts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Minutes after local midnight, 0 to 1439.
    pub from_min: u16,
    /// Minutes after the same midnight, above `from_min` and at most 2880: past 1440 it ends
    /// on the next day. `"22:00-06:00"` is 1320 to 1800; `"00:00-24:00"` is 0 to 1440.
    pub to_min: u16,
}
