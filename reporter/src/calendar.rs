//! Which month is due: the draft when a month is over, the edition on the agreed day. A pure
//! decision over a ledger of what was done, so that nothing is done twice, and nothing is left
//! out after being away. The cron scheduler only wakes it, and its own reckoning of time is not
//! relied on.

mod drafts;
mod wake;

use std::fmt;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use mailward_catalogue::{Publish, Report as ReportRules};

use crate::clock::{Month, date_of, local_ms};

pub use wake::{Calendar, CalendarError, Waking};

/// Something to be done about a month that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Make its draft.
    Draft(Month),
    /// Publish its first edition.
    Publish(Month),
}

impl Task {
    /// The month it is about.
    #[must_use]
    pub const fn month(self) -> Month {
        match self {
            Self::Draft(month) | Self::Publish(month) => month,
        }
    }

    /// The line of the ledger that says it was done.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Draft(month) => format!("draft/{month}"),
            Self::Publish(month) => format!("publish/{month}"),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draft(month) => write!(f, "draft the report of {month}"),
            Self::Publish(month) => write!(f, "publish the report of {month}"),
        }
    }
}

/// What is due at `now_ms`, the oldest month first, a draft before its edition. A month is due
/// for its draft from the first instant of the one after it, and for publishing from `publish_at`
/// on day `publish_on` of the one after it, both local. Months that are late are due
/// until they are done; `done` says what the ledger holds.
#[must_use]
pub fn due(
    now_ms: i64,
    done: &dyn Fn(Task) -> bool,
    rules: &ReportRules,
    zone: &TimeZone,
    first_evidence: Month,
) -> Vec<Task> {
    let mut tasks = Vec::new();
    let running = Month::of(now_ms, zone);
    let mut month = first_evidence;
    while month < running {
        let draft = Task::Draft(month);
        if !done(draft) {
            tasks.push(draft);
        }
        let publish = Task::Publish(month);
        if rules.publish == Publish::Auto
            && now_ms >= publish_at_ms(month, rules, zone)
            && !done(publish)
        {
            tasks.push(publish);
        }
        month = month.next();
    }
    tasks
}

/// When a month is published by itself: at `publish_at` on day `publish_on` of the next one. A
/// time that a clock change doubles is its first occurrence; one that it skips lies as far after
/// the change.
#[must_use]
pub fn publish_at_ms(month: Month, rules: &ReportRules, zone: &TimeZone) -> i64 {
    let first = month.next().first_date();
    let days = i64::from(rules.publish_on.max(1)) - 1;
    let date = first.saturating_add(jiff::Span::new().days(days));
    local_ms(date, minute_of_day(rules.publish_at), zone)
}

/// The date of the digest that was due last: the latest such weekday whose time has come, with
/// the instant at which it came. Digests that were missed before it are not made up for.
#[must_use]
pub fn last_digest(now_ms: i64, day: Weekday, at: Time, zone: &TimeZone) -> Option<(Date, i64)> {
    let mut date = date_of(now_ms, zone);
    // today's time may not have come yet
    for _ in 0..8 {
        let due_ms = local_ms(date, minute_of_day(at), zone);
        if date.weekday() == day && due_ms <= now_ms {
            return Some((date, due_ms));
        }
        date = date.yesterday().ok()?;
    }
    None
}

fn minute_of_day(at: Time) -> u16 {
    u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0)
}

#[cfg(test)]
mod decision_tests;
#[cfg(test)]
mod tests;
