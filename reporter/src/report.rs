//! The month's report: one model from which PDF, page, CSV and JSON are rendered. Here evidence
//! and definition are joined into it; pure, so that either side can recompute it.

mod availability;
mod delivery;
pub mod grounds;
mod incidents;
mod ledger;
mod listing;
mod method;
pub mod model;
mod notes;
mod parts;
mod resolution;
mod rows;
pub(crate) mod share;
pub mod trend;

use std::collections::BTreeMap;

use mailward_catalogue::{Catalogue, Component, Credit, Level, Measure, Over, Percent, Probe};

use crate::availability::exact::Ratio;
use crate::availability::{Account, credit};
use crate::clock::{self, Month};
use crate::exclusions::{self, Ruling};
use crate::interval::{Set, Span};
use crate::segment::{Delivery, Evidence, Run};
use crate::timeline::{ComponentTimeline, Index};
use model::{At, CreditTier, Credits, Figure, LevelFigure, Ms, Period, Report, ServiceWide};
use parts::Parts;
use trend::{Point, Value};

/// Why no report could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The month lies in the future.
    #[error("expected a month that has begun, got {month}, of which nothing has passed yet")]
    NotBegun {
        /// The month.
        month: Month,
    },
    /// A level names what the definition does not hold.
    #[error("level {level}: expected {what} of the definition, got {name:?}")]
    Unresolved {
        /// The level.
        level: String,
        /// What kind of thing.
        what: &'static str,
        /// The name it has in the level.
        name: String,
    },
}

/// What of the raw outcomes a report needs beside the segments, by level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tallies {
    /// By the level's id: for every level that counts runs or mails.
    pub by_level: BTreeMap<String, Tally>,
}

/// What a level counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Tally {
    /// Runs of a success or response-time level.
    Runs {
        /// How many were good.
        good: u64,
        /// Of how many.
        total: u64,
    },
    /// Mails of a delivery-time level.
    Deliveries(Vec<Delivery>),
}

/// Makes the report of a month, as known at `now_ms`.
///
/// # Errors
/// When the month has not begun, or the definition does not hold together.
pub fn build(
    catalogue: &Catalogue,
    month: Month,
    evidence: &Evidence,
    tallies: &Tallies,
    now_ms: i64,
) -> Result<Report, ReportError> {
    Case::new(catalogue, month, evidence, now_ms)?.report(tallies)
}

/// A month with its evidence laid out: what every level is judged on.
#[derive(Debug)]
pub struct Case<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) evidence: &'a Evidence,
    pub(crate) month: Month,
    pub(crate) whole: Span,
    pub(crate) period: Span,
    pub(crate) now_ms: i64,
    rows: Vec<Row<'a>>,
}

/// A figure and what it comes to.
struct Judged {
    figure: Figure,
    met: Option<bool>,
    /// The exact share; `None` of nothing, and for time on blocklists.
    share: Option<Ratio>,
    /// The share that brings credits.
    credited: Option<Ratio>,
}

impl Judged {
    /// A share against its target.
    fn share(figure: Figure, share: Option<Ratio>, target: Percent) -> Self {
        let met = share.map(|share| share.reaches(target));
        Self { figure, met, share, credited: share }
    }
}

/// A component's month.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) component: &'a Component,
    pub(crate) timeline: ComponentTimeline,
    pub(crate) ruling: Ruling,
}

impl<'a> Case<'a> {
    /// Lays out the evidence of a month, as known at `now_ms`.
    ///
    /// # Errors
    /// When the month has not begun.
    pub fn new(
        catalogue: &'a Catalogue,
        month: Month,
        evidence: &'a Evidence,
        now_ms: i64,
    ) -> Result<Self, ReportError> {
        let whole = month.span(&catalogue.service.zone);
        let period = period(catalogue, month, now_ms)?;
        let index = Index::new(evidence, period, now_ms);
        let rows = catalogue.components.iter().map(|component| Row {
            component,
            timeline: index.component(catalogue, component),
            ruling: exclusions::rule(
                &component.id,
                &evidence.exclusions,
                &catalogue.maintenance,
                period,
                now_ms,
            ),
        });
        let rows = rows.collect();
        Ok(Self { catalogue, evidence, month, whole, period, now_ms, rows })
    }

    /// The report.
    ///
    /// # Errors
    /// When the definition does not hold together, or a tally is missing.
    pub fn report(&self, tallies: &Tallies) -> Result<Report, ReportError> {
        let levels = self.catalogue.levels.iter().map(|level| self.level(level, tallies));
        Ok(Report {
            service: self.catalogue.service.name.clone(),
            month: self.month.to_string(),
            zone: self.catalogue.service.zone_name.clone(),
            edition: None,
            supersedes: None,
            to_date: self.now_ms < self.whole.to_ms,
            as_of: At(self.now_ms),
            period: Period {
                from: At(self.period.from_ms),
                to: At(self.period.to_ms),
                seconds: Ms(self.period.len_ms()),
            },
            levels: levels.collect::<Result<_, _>>()?,
            service_wide: self.service_wide(),
            components: self.rows.iter().map(|row| rows::component_month(self, row)).collect(),
            exclusions: ledger::entries(self)?,
            incidents: incidents::incidents(self),
            method: method::method(self),
            demo: false,
            published_by: None,
            approved_by: None,
            published_at: None,
            edition_reason: None,
            changes: None,
            definition_changes: Vec::new(),
            brand: None,
        })
    }

    /// When runs count for a level: in its hours, outside exclusions (rule 15).
    ///
    /// # Errors
    /// When the level names what the definition does not hold.
    pub fn counted(&self, level: &Level) -> Result<Set, ReportError> {
        let row = self.row(level)?;
        let hours = self.hours(level, row.component.since, self.period)?;
        Ok(hours.subtract(&row.ruling.excluded))
    }

    /// The time that a level of availability counts: a component's, that of several as one, or,
    /// where users weigh them, of each component by itself.
    ///
    /// # Errors
    /// When the level names what the definition does not hold.
    pub fn accounts(&self, level: &Level) -> Result<Vec<Account>, ReportError> {
        Ok(Parts::of_level(self, level)?.accounts())
    }

    /// The components that a level of availability rests on, each with its own time.
    ///
    /// # Errors
    /// When the level names what the definition does not hold.
    pub(crate) fn accounts_by_row(
        &self,
        level: &Level,
    ) -> Result<Vec<(&Row<'a>, Account)>, ReportError> {
        Ok(Parts::of_level(self, level)?.by_row())
    }

    /// Whether at least a part of an exclusion counts for some component.
    pub(crate) fn is_accepted(&self, exclusion: &str) -> bool {
        self.rows.iter().any(|row| row.ruling.accepted.iter().any(|id| **id == *exclusion))
    }

    /// The month's instants, up to now where it still runs.
    #[must_use]
    pub const fn period(&self) -> Span {
        self.period
    }

    /// What a level comes to, without what lies behind it; `None` where nothing was seen.
    ///
    /// # Errors
    /// As for [`Case::report`].
    pub fn point(&self, level: &Level, tallies: &Tallies) -> Result<Option<Point>, ReportError> {
        if let Measure::Availability { target } = &level.measure {
            let judged = availability::judge(self, level, *target)?;
            let seen = judged.coverage.is_some_and(|coverage| coverage.parts().0 > 0);
            let share = judged.availability.filter(|_| seen).map(Value::Share);
            return Ok(share.map(|share| Point::computed(self.month, share, judged.met)));
        }
        let judged = self.judge(level, tallies)?;
        let value = match (&judged.figure, judged.share) {
            (_, Some(share)) => Some(Value::Share(share)),
            (Figure::Listing(time), None) if time.observed_s.0 > 0 => {
                Some(Value::ExposedMs(time.exposed_s.0))
            }
            _ => None,
        };
        Ok(value.map(|value| Point::computed(self.month, value, judged.met)))
    }

    fn judge(&self, level: &Level, tallies: &Tallies) -> Result<Judged, ReportError> {
        let tally = || {
            tallies.by_level.get(&level.id).ok_or_else(|| ReportError::Unresolved {
                level: level.id.clone(),
                what: "a tally beside the evidence",
                name: level.measure.word().to_owned(),
            })
        };
        Ok(match &level.measure {
            Measure::Availability { target } => availability::figure(self, level, *target)?,
            Measure::Success { target } => share::of_runs(tally()?, *target, None),
            Measure::ResponseTime { target, within } => {
                share::of_runs(tally()?, *target, Some(*within))
            }
            Measure::DeliveryTime { target, within, lost_after } => {
                delivery::figure(tally()?, *target, *within, *lost_after)
            }
            Measure::Resolution { .. } => resolution::figure(self, level)?,
            Measure::Listing { target } => listing::figure(self, level, *target)?,
            Measure::Ratio { target, series } => share::of_counts(self, series, *target),
        })
    }

    pub(crate) fn level(
        &self,
        level: &Level,
        tallies: &Tallies,
    ) -> Result<LevelFigure, ReportError> {
        let Judged { figure, met, credited, .. } = self.judge(level, tallies)?;
        Ok(LevelFigure {
            id: level.id.clone(),
            component: level.component.clone(),
            over: level.over.map(|over| over.word().to_owned()),
            probed: method::probed(self.catalogue, level),
            figure,
            met,
            credits: credits(&level.credits, met, credited),
            change: None,
            change_s: None,
            trend: Vec::new(),
            grounds: None,
        })
    }

    /// The service as a whole: weighted by users where components declare some, and as one
    /// where there are components that can be down.
    fn service_wide(&self) -> ServiceWide {
        let overall = |over| {
            let parts = Parts::of_service(self, over);
            (!parts.is_empty()).then(|| availability::overall(&parts))
        };
        ServiceWide { users: overall(Over::Users), composite: overall(Over::Composite) }
    }

    pub(crate) fn row(&self, level: &Level) -> Result<&Row<'a>, ReportError> {
        let name = level.component.as_deref().unwrap_or_default();
        self.rows.iter().find(|row| row.component.id == name).ok_or_else(|| {
            ReportError::Unresolved {
                level: level.id.clone(),
                what: "a component",
                name: name.to_owned(),
            }
        })
    }

    pub(crate) fn hours(
        &self,
        level: &Level,
        since: Option<jiff::civil::Date>,
        window: Span,
    ) -> Result<Set, ReportError> {
        let named = named_hours(self.catalogue, level)?;
        let zone = &self.catalogue.service.zone;
        Ok(clock::service_hours(&level.hours, named, zone, since, window))
    }
}

/// What of service credits falls due; that cannot be said where the level is neither met nor
/// missed.
fn credits(tiers: &[Credit], met: Option<bool>, credited: Option<Ratio>) -> Option<Credits> {
    let due = credited.filter(|_| met.is_some()).map(|share| {
        credit(share, tiers).map_or_else(|| "0".to_owned(), |credit| credit.to_string())
    });
    let tier = |tier: &Credit| CreditTier {
        below_pct: tier.below.to_string(),
        credit_pct: tier.credit.to_string(),
    };
    let listed = || Credits { tiers: tiers.iter().map(tier).collect(), due_pct: due };
    (!tiers.is_empty()).then(listed)
}

/// The month's instants, up to now where it still runs.
///
/// # Errors
/// When the month has not begun.
pub fn period(catalogue: &Catalogue, month: Month, now_ms: i64) -> Result<Span, ReportError> {
    let whole = month.span(&catalogue.service.zone);
    if now_ms <= whole.from_ms {
        return Err(ReportError::NotBegun { month });
    }
    Ok(Span::new(whole.from_ms, whole.to_ms.min(now_ms)))
}

fn named_hours<'c>(
    catalogue: &'c Catalogue,
    level: &Level,
) -> Result<Option<&'c mailward_catalogue::Hours>, ReportError> {
    use mailward_catalogue::LevelHours::{Always, Named, Not};
    match &level.hours {
        Always => Ok(None),
        Named(name) | Not(name) => catalogue.hours_named(name).map(Some).ok_or_else(|| {
            ReportError::Unresolved { level: level.id.clone(), what: "hours", name: name.clone() }
        }),
    }
}

/// How a run counts for a level: not at all, as good, or as not good (rule 15).
#[must_use]
pub fn judge_run(measure: &Measure, probe: &Probe, run: &Run) -> Option<bool> {
    share::judge_run(measure, probe.effect, run)
}

/// A limit in milliseconds, as the duration of a run is compared with it.
pub(crate) fn limit_ms(limit: std::time::Duration) -> f64 {
    share::as_ms(limit)
}
