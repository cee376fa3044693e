//! The report's model: `report.json` is this, serialised. Renderers read it and do no
//! arithmetic. Instants are milliseconds inside and RFC 3339 on the wire.

mod beside;
mod derived;
mod edition;
mod incident;

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::brand::Brand;

pub use beside::{CreditTier, Credits, Overall, Part, ServiceWide, TrendMonth};
pub use edition::{Changes, DefinitionChange, LevelChange, Stated};
pub use incident::Incident;

/// A month's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The service's name.
    pub service: String,
    /// The month, `2026-10`.
    pub month: String,
    /// The zone it is reckoned in.
    pub zone: String,
    /// The edition; `None` for a draft.
    pub edition: Option<u32>,
    /// The edition it replaces.
    pub supersedes: Option<u32>,
    /// Whether the month is still running.
    pub to_date: bool,
    /// The instant up to which evidence counts.
    pub as_of: At,
    /// The month as instants; it ends at `as_of` while it runs.
    pub period: Period,
    /// The figures, in the order of probes.toml.
    pub levels: Vec<LevelFigure>,
    /// The service as a whole, around the clock.
    #[serde(default, skip_serializing_if = "ServiceWide::is_empty")]
    pub service_wide: ServiceWide,
    /// The rows, in the order of probes.toml, with their days.
    pub components: Vec<ComponentMonth>,
    /// Exclusions that touch the month, counted or not.
    pub exclusions: Vec<ExclusionEntry>,
    /// Incidents that were declared, as long as they were said to be and as measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// How the figures came about.
    pub method: Method,
    /// Made by `--demo`: page and PDF say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub demo: bool,
    /// Who published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_by: Option<String>,
    /// Who approved it; none where it was published by the calendar, as was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<At>,
    /// Why this edition replaces the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition_reason: Option<String>,
    /// What this edition changes against the one it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// How the definition changed from the month's beginning until this report was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definition_changes: Vec<DefinitionChange>,
    /// Whose name, logo and colours it bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Arc<Brand>>,
}

impl Report {
    /// The report without what is for operators only: service credits and names of agents.
    #[must_use]
    pub fn for_the_public(mut self) -> Self {
        for level in &mut self.levels {
            level.credits = None;
            if let Some(grounds) = &mut level.grounds {
                grounds.for_the_public();
            }
        }
        self
    }
}

/// An instant in milliseconds; RFC 3339 in UTC on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub i64);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match mailward_evidence::Instant::from_ms(self.0) {
            Some(at) => at.serialize(serializer),
            None => Err(serde::ser::Error::custom("instant out of range")),
        }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        mailward_evidence::Instant::deserialize(deserializer).map(|at| Self(at.ms()))
    }
}

/// Milliseconds; seconds with up to three decimals on the wire (a whole number where it is one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ms(pub i64);

impl Serialize for Ms {
    #[allow(clippy::cast_precision_loss, reason = "a month in milliseconds is exact in f64")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1000 == 0 {
            serializer.serialize_i64(self.0 / 1000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1000.0)
        }
    }
}

impl<'de> Deserialize<'de> for Ms {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[allow(clippy::cast_possible_truncation, reason = "bounded by what was serialised")]
        f64::deserialize(deserializer).map(|s| Self((s * 1000.0).round() as i64))
    }
}

/// The month as instants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// Its first instant.
    pub from: At,
    /// The first instant after it.
    pub to: At,
    /// Its length.
    pub seconds: Ms,
}

/// The figure of one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelFigure {
    /// The level's id.
    pub id: String,
    /// The component it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Availability of the whole service: `users` or `composite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// How deep its checks go, as in "to the inbox"; absent where no check is behind it, or
    /// those of several components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probed: Option<String>,
    /// What it measures, with the figures of that measure.
    #[serde(flatten)]
    pub figure: Figure,
    /// Whether the promise was kept; null where it cannot be said.
    pub met: Option<bool>,
    /// Service credits, for operators; a public report has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credits>,
    /// Percentage points more than the month before, cut off towards zero: `+0.012`, `-1.250`,
    /// `0.000`; null where either has no share.
    #[serde(default)]
    pub change: Option<String>,
    /// The same for time on blocklists, as a length of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_s: Option<Ms>,
    /// Up to twelve months before and this one, oldest first. Months in which there was nothing
    /// to measure are absent; empty where no earlier month is known.
    #[serde(default)]
    pub trend: Vec<TrendMonth>,
    /// What made the figure: the way from it to the records. Not every report is asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grounds: Option<Box<super::grounds::Grounds>>,
}

/// The figures of a measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "measure", rename_all = "snake_case")]
pub enum Figure {
    /// Availability.
    Availability(Box<Availability>),
    /// Success.
    Success(Share),
    /// Response time.
    ResponseTime(Share),
    /// Delivery time.
    DeliveryTime(DeliveryTime),
    /// Resolution.
    Resolution(Resolution),
    /// Listing.
    Listing(ListingTime),
    /// Ratio.
    Ratio(Share),
}

impl Figure {
    /// The word of its measure in probes.toml.
    #[must_use]
    pub const fn measure(&self) -> &'static str {
        match self {
            Self::Availability(_) => "availability",
            Self::Success(_) => "success",
            Self::ResponseTime(_) => "response_time",
            Self::DeliveryTime(_) => "delivery_time",
            Self::Resolution(_) => "resolution",
            Self::Listing(_) => "listing",
            Self::Ratio(_) => "ratio",
        }
    }
}

/// Availability of a component, or of the service, in the level's hours. Weighted by users, times
/// are those of the mean user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Availability {
    /// The hours as probes.toml names them.
    pub hours: String,
    /// The promise, in per cent, as short as it is exact.
    pub target_pct: String,
    /// Service time S.
    pub service_s: Ms,
    /// Excluded X.
    pub excluded_s: Ms,
    /// Down D.
    pub down_s: Ms,
    /// Unknown U.
    pub unknown_s: Ms,
    /// Degraded: part of up, beside it.
    pub degraded_s: Ms,
    /// The figure, nearest double; null where nothing was measured.
    pub availability_pct: Option<f64>,
    /// The figure with three places, cut off; `n/a` where nothing was measured.
    pub availability_shown: String,
    /// The least it can have been.
    pub low_pct: Option<f64>,
    /// The most it can have been.
    pub high_pct: Option<f64>,
    /// Whether `met` holds for every reading of the evidence.
    pub provable: bool,
    /// Share of countable time with evidence.
    pub coverage_pct: Option<f64>,
    /// Downtime allowed, of the whole month.
    pub budget_s: BudgetMs,
    /// What is left of it; negative when overspent.
    pub budget_left_s: BudgetMs,
    /// Failures too short to count.
    pub blips: u64,
    /// What becomes of unknown time: exclude, up or down.
    pub unknown_policy: String,
    /// Under exclude: the least coverage for a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_coverage_pct: Option<String>,
    /// How often it failed: outages that count, those that only service hours or an exclusion
    /// interrupt as one.
    #[serde(default)]
    pub failures: u64,
    /// Mean time to restore: D ÷ failures, cut off; null without any.
    #[serde(default)]
    pub mttr_s: Option<Ms>,
    /// Mean time between failures: time known to be up ÷ failures, cut off; null without any.
    #[serde(default)]
    pub mtbf_s: Option<Ms>,
    /// Unknown time in these hours by reason, longest first; time with two reasons under both.
    #[serde(default)]
    pub unknown_by_reason: Vec<(String, Ms)>,
    /// The components of a figure of the whole service, each by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Maximal intervals that count as D.
    pub outages: Vec<Outage>,
    /// Maintenance and third-party exclusions of the component that do not count.
    pub rejected_exclusions: Vec<RejectedExclusion>,
}

/// A budget: exact to the millisecond, cut off; seconds on the wire.
pub type BudgetMs = Ms;

/// A maximal interval that counts as down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// Its beginning.
    pub from: At,
    /// Its end.
    pub to: At,
    /// Its length.
    pub down_s: Ms,
    /// Length in the shortest timeline.
    pub at_least_s: Ms,
    /// Length in the longest timeline.
    pub at_most_s: Ms,
    /// Whether it goes on at `as_of`.
    pub still_open: bool,
    /// Reasons seen in it, longest first.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Probes that were down in it.
    #[serde(default)]
    pub probes: Vec<String>,
    /// Of a figure of the whole service: the components that were down in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
}

/// An exclusion that does not count, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedExclusion {
    /// The exclusion.
    pub id: String,
    /// approval, notice or cap.
    pub reason: String,
    /// Notice given, or time left under the cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_s: Option<Ms>,
    /// Notice needed, or time asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_s: Option<Ms>,
}

/// A share: success, response time, ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many were good.
    pub good: u64,
    /// Of how many.
    pub total: u64,
    /// The share; null of none.
    pub ratio_pct: Option<f64>,
    /// The share with three places, cut off; `n/a` of none.
    pub ratio_shown: String,
    /// The promise.
    pub target_pct: String,
    /// Within which time (response time).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_s: Option<Ms>,
}

/// How fast mail was delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryTime {
    /// Mails sent.
    pub sent: u64,
    /// Delivered in time to count.
    pub delivered: u64,
    /// Lost.
    pub lost: u64,
    /// Median; null beyond `lost_after`.
    pub p50_s: Option<Ms>,
    /// 90th percentile.
    pub p90_s: Option<Ms>,
    /// 95th percentile.
    pub p95_s: Option<Ms>,
    /// 99th percentile.
    pub p99_s: Option<Ms>,
    /// Share of sent that took at most `within_s`; null of none.
    pub within_pct: Option<f64>,
    /// The time promised.
    pub within_s: Ms,
    /// The promise.
    pub target_pct: String,
}

/// How fast tickets were resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// The severity.
    pub severity: String,
    /// Tickets that belong to the month.
    pub tickets: Vec<TicketFigure>,
    /// Open tickets whose target has not passed.
    #[serde(default)]
    pub open: Vec<TicketFigure>,
    /// Share within the target; null of none.
    pub within_pct: Option<f64>,
    /// The promise.
    pub target_pct: String,
}

/// One ticket's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketFigure {
    /// The ticket.
    pub id: String,
    /// When the target passes if the clock runs on from its last start.
    pub due: Option<At>,
    /// Time on the clock.
    pub used_s: Ms,
    /// In-hours time paused.
    pub paused_s: Ms,
    /// Whether the target was kept; null while open and not yet due.
    pub met: Option<bool>,
    /// Events that were ignored, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// Time on blocklists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListingTime {
    /// Union over addresses and lists.
    pub exposed_s: Ms,
    /// Sum over addresses and lists.
    pub list_s: Ms,
    /// Time in which a list could be asked: what exposure is known of.
    #[serde(default)]
    pub observed_s: Ms,
    /// The promise: at most this long.
    pub target_s: Ms,
    /// Each address on each list.
    #[serde(default)]
    pub listings: Vec<ListingSpan>,
}

/// One address on one list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListingSpan {
    /// The address or domain.
    pub address: String,
    /// The list.
    pub list: String,
    /// How long in the month.
    pub listed_s: Ms,
    /// The codes that were answered.
    #[serde(default)]
    pub codes: Vec<String>,
    /// What they mean, where the list is a well-known one; else empty.
    #[serde(default)]
    pub means: String,
    /// Where to ask for removal, where that is known; else empty.
    #[serde(default)]
    pub removal: String,
    /// When it was listed, in order of time.
    #[serde(default)]
    pub times: Vec<ListedTime>,
}

/// A time without a gap in which an address stood on a list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListedTime {
    /// When it was first seen, also where that is before the month.
    pub from: At,
    /// Until when it was seen.
    pub to: At,
    /// Whether it goes on at the end of the month, or at `as_of`.
    pub still_open: bool,
}

/// A row's month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentMonth {
    /// The component.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The heading it stands under.
    pub group: String,
    /// One entry a local day of the month, also those still to come (all zero).
    pub days: Vec<Day>,
    /// Unknown time by reason, longest first; time with two reasons stands under both. Silence
    /// is `silent`, and `unwatched` is time with too few agents on the roster to say.
    #[serde(default)]
    pub unknown_by_reason: Vec<(String, Ms)>,
}

/// A local day of a component, around the clock. The parts add up to its length so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// The local date.
    pub date: jiff::civil::Date,
    /// Up and not degraded.
    pub up_s: Ms,
    /// Up and degraded.
    pub degraded_s: Ms,
    /// Down.
    pub down_s: Ms,
    /// Excluded.
    pub excluded_s: Ms,
    /// Unknown.
    pub unknown_s: Ms,
    /// Before `since`: no service.
    pub outside_s: Ms,
}

/// An exclusion in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExclusionEntry {
    /// Its id.
    pub id: String,
    /// maintenance or third-party.
    pub class: String,
    /// The components.
    pub components: Vec<String>,
    /// Its beginning.
    pub from: At,
    /// Its end.
    pub to: At,
    /// When it was announced.
    pub announced: Option<At>,
    /// When it was approved.
    pub approved: Option<At>,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether any of it counts.
    pub accepted: bool,
    /// Announced before the store first saw it.
    pub claimed: bool,
    /// What levels of its components would have come to without it; empty where none of it
    /// counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Without>,
}

/// A level of availability as it would be had an exclusion not been granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// The level.
    pub level: String,
    /// Its figure with three places, cut off; `n/a` where nothing is left.
    pub shown: String,
    /// Whether the promise would have been kept.
    pub met: Option<bool>,
}

/// How the figures came about, as sentences and versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Version of mailward.
    pub program: String,
    /// Version of the time-zone data, where it is known.
    pub zone_data: String,
    /// How many agents, in words, and the site they stood at in the month. Their names are for
    /// operators only and stay out of a report that everybody may read.
    pub agents: Vec<(String, String)>,
    /// Probes: id, component, kind, interval, confirm, effect – as a reader needs them.
    pub probes: Vec<MethodProbe>,
    /// Cap and notice of maintenance, in words.
    pub maintenance: String,
    /// What else a reader must know, as sentences: evidence that counts for nothing.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One probe in the method box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodProbe {
    /// Its id.
    pub id: String,
    /// Its component.
    pub component: String,
    /// Its kind.
    pub kind: String,
    /// Its interval or cron, in words.
    pub every: String,
    /// Consecutive failures before it counts.
    pub confirm: u32,
    /// Whether its failures are downtime.
    pub advisory: bool,
}
