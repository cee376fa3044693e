//! What the report states beside the figures of rule 6: service credits, the service as a
//! whole, and how a figure went over the months.

use serde::{Deserialize, Serialize};

use super::Ms;

/// Service credits of a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    /// What was agreed, the mildest first.
    pub tiers: Vec<CreditTier>,
    /// What falls due, in per cent: `0` where no tier is reached, null where the level is
    /// neither met nor missed or had nothing to measure.
    pub due_pct: Option<String>,
}

/// A tier of service credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditTier {
    /// Strictly below this share, in per cent …
    pub below_pct: String,
    /// … this share of the fee is due, in per cent.
    pub credit_pct: String,
}

/// The service as a whole, around the clock, unknown time left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceWide {
    /// Weighted by the users of the components that declare some. Times are the mean user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Overall>,
    /// As one component that is down while any of its components is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composite: Option<Overall>,
}

impl ServiceWide {
    /// Whether there is no such figure.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.users.is_none() && self.composite.is_none()
    }
}

/// Availability of the whole service, without a promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overall {
    /// Service time S.
    pub service_s: Ms,
    /// Excluded X.
    pub excluded_s: Ms,
    /// Down D.
    pub down_s: Ms,
    /// Unknown U.
    pub unknown_s: Ms,
    /// The figure, nearest double; null where nothing was measured.
    pub availability_pct: Option<f64>,
    /// The figure with three places, cut off; `n/a` where nothing was measured.
    pub availability_shown: String,
    /// The least it can have been.
    pub low_pct: Option<f64>,
    /// The most it can have been.
    pub high_pct: Option<f64>,
    /// Share of countable time with evidence.
    pub coverage_pct: Option<f64>,
    /// How often it failed.
    pub failures: u64,
    /// Mean time to restore; null without a failure.
    pub mttr_s: Option<Ms>,
    /// Mean time between failures; null without a failure.
    pub mtbf_s: Option<Ms>,
    /// The components it is made of, each by itself.
    pub parts: Vec<Part>,
}

/// One component of a figure of the whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The component.
    pub component: String,
    /// Its users, where they weigh it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Its S.
    pub service_s: Ms,
    /// Its X.
    pub excluded_s: Ms,
    /// Its D.
    pub down_s: Ms,
    /// Its U.
    pub unknown_s: Ms,
}

/// A level's figure in one month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrendMonth {
    /// The month, `2026-09`.
    pub month: String,
    /// The share, nearest double; null for time on blocklists.
    pub pct: Option<f64>,
    /// The share with three places, cut off, or the time on blocklists in seconds.
    pub shown: String,
    /// Time on blocklists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed_s: Option<Ms>,
    /// Whether the promise was kept; null where it cannot be said.
    pub met: Option<bool>,
    /// The edition that states it; null where it was computed for this report, from the
    /// evidence and by the definition that the report was made with.
    pub edition: Option<u32>,
}

impl TrendMonth {
    /// What the month fell short of, in per cent; of time on blocklists, in milliseconds.
    #[must_use]
    pub fn shortfall(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a month in milliseconds is exact")]
        let exposed = self.exposed_s.map(|time| time.0 as f64);
        exposed.unwrap_or_else(|| self.pct.map_or(0.0, |pct| 100.0 - pct))
    }
}
