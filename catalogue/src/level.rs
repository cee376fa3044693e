//! Service levels: what was promised, and how it is measured.

use std::time::Duration;

use crate::quantity::Percent;

/// `[[level]]`
#[derive(Clone, Debug)]
pub struct Level {
    /// Its id.
    pub id: String,
    /// The component it is about; `None` for a level of the whole service.
    pub component: Option<String>,
    /// How the components make one figure, where availability of the whole service is measured.
    pub over: Option<Over>,
    /// What is measured, with the keys of that measure.
    pub measure: Measure,
    /// The hours in which it is measured.
    pub hours: LevelHours,
    /// What becomes of unknown time (availability).
    pub unknown: UnknownPolicy,
    /// Under [`UnknownPolicy::Exclude`]: the least evidence for a verdict (availability).
    pub min_coverage: Percent,
    /// Service credits by tiers, worst last: thresholds fall, credits rise.
    pub credits: Vec<Credit>,
}

/// What a level measures.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Share of service time that is not downtime.
    Availability {
        /// At least this share.
        target: Percent,
    },
    /// Share of scheduled runs that were not down.
    Success {
        /// At least this share.
        target: Percent,
    },
    /// Share of scheduled runs that answered within a time.
    ResponseTime {
        /// At least this share.
        target: Percent,
        /// The time.
        within: Duration,
    },
    /// Share of sent mail that arrived within a time.
    DeliveryTime {
        /// At least this share.
        target: Percent,
        /// The time.
        within: Duration,
        /// Later than this is lost.
        lost_after: Duration,
    },
    /// Share of tickets resolved within a time.
    Resolution {
        /// At least this share.
        target: Percent,
        /// The severity of the tickets.
        severity: String,
        /// The time, in the level's hours.
        within: Duration,
        /// A re-open later than this after the resolution is ignored; `None`: no limit.
        reopen_within: Option<Duration>,
    },
    /// Time on any blocklist.
    Listing {
        /// At most this long in the month.
        target: Duration,
    },
    /// A share from imported counts.
    Ratio {
        /// At least this share.
        target: Percent,
        /// Which counts.
        series: String,
    },
}

impl Measure {
    /// The word in probes.toml.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Availability { .. } => "availability",
            Self::Success { .. } => "success",
            Self::ResponseTime { .. } => "response_time",
            Self::DeliveryTime { .. } => "delivery_time",
            Self::Resolution { .. } => "resolution",
            Self::Listing { .. } => "listing",
            Self::Ratio { .. } => "ratio",
        }
    }
}

/// The hours of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LevelHours {
    /// Always.
    Always,
    /// The hours of this name.
    Named(String),
    /// Their complement.
    Not(String),
}

/// How the components make one figure of the whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Weighted by the users of the components that declare some.
    Users,
    /// As one component that is down while any of them is.
    Composite,
}

impl Over {
    /// The word in probes.toml.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Composite => "composite",
        }
    }
}

/// What becomes of unknown time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// It leaves the denominator.
    Exclude,
    /// It counts as up.
    Up,
    /// It counts as down.
    Down,
}

/// A tier of service credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Strictly below this …
    pub below: Percent,
    /// … this share of the fee is due.
    pub credit: Percent,
}
