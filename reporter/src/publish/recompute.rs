//! Judges an edition again from nothing but itself: its definition, its evidence and its
//! tallies, at the instant it was made. Neither store nor clock is asked.

use std::sync::Arc;

use mailward_catalogue::Catalogue;

use super::canonical::{self, UnpackError};
use super::figures::differing;
use crate::clock::{Month, MonthError};
use crate::language::{Language, english};
use crate::report::model::{LevelChange, Report};
use crate::report::{self, ReportError, Tallies};
use crate::segment::Evidence;
use crate::store::NewEdition;

/// Why an edition cannot be judged again.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// Its month is no month.
    #[error("read the edition's month")]
    Month(#[source] MonthError),
    /// This program does not accept its definition.
    #[error("read the edition's definition: {0}")]
    Definition(String),
    /// Its evidence cannot be read.
    #[error("read the edition's evidence")]
    Evidence(#[source] UnpackError),
    /// Its report cannot be read.
    #[error("read the edition's report")]
    Report(#[source] serde_json::Error),
    /// Its parts do not go together.
    #[error("judge the edition's evidence")]
    Judge(#[source] ReportError),
}

/// What an edition holds, read back.
#[derive(Debug)]
pub struct Parts {
    /// The month.
    pub month: Month,
    /// The definition it was judged by.
    pub catalogue: Catalogue,
    /// The evidence.
    pub evidence: Evidence,
    /// What its levels counted of runs and mails.
    pub tallies: Tallies,
    /// The report as it was published.
    pub report: Report,
}

impl Parts {
    /// Reads an edition's parts back.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn of(edition: &NewEdition) -> Result<Self, RecomputeError> {
        let (evidence, tallies) =
            canonical::unpack(&edition.segments).map_err(RecomputeError::Evidence)?;
        Ok(Self {
            month: edition.month.parse().map_err(RecomputeError::Month)?,
            catalogue: definition(&edition.definition_toml)?,
            evidence,
            tallies,
            report: serde_json::from_str(&edition.report_json).map_err(RecomputeError::Report)?,
        })
    }

    /// The report that follows from them as known at `as_of_ms`.
    ///
    /// # Errors
    /// When they do not go together.
    pub fn judge(&self, as_of_ms: i64) -> Result<Report, RecomputeError> {
        report::build(&self.catalogue, self.month, &self.evidence, &self.tallies, as_of_ms)
            .map_err(RecomputeError::Judge)
    }
}

/// A definition that was kept.
pub(super) fn definition(text: &str) -> Result<Catalogue, RecomputeError> {
    let parsed = mailward_catalogue::parse("definition", text);
    let fault = parsed.faults.first().map(ToString::to_string).unwrap_or_default();
    parsed.catalogue.ok_or(RecomputeError::Definition(fault))
}

/// The language that an edition was published in; English where this program does not accept its
/// definition any more.
#[must_use]
pub fn language(definition_toml: &str) -> Arc<Language> {
    definition(definition_toml).map_or_else(|_| english().clone(), |own| Language::of(&own))
}

/// The report of an edition's month, from nothing but the edition. Levels, rows and exclusions
/// are judged anew; what an edition takes from earlier ones (the trend) is not in it.
///
/// # Errors
/// When a part cannot be read, or the parts do not go together.
pub fn recompute(edition: &NewEdition) -> Result<Report, RecomputeError> {
    Parts::of(edition)?.judge(edition.as_of_ms)
}

/// Levels whose published figure does not follow from the edition's own evidence: none, unless
/// somebody altered a part of it or another program reckons otherwise.
///
/// # Errors
/// As [`recompute`].
pub fn unfounded(edition: &NewEdition) -> Result<Vec<LevelChange>, RecomputeError> {
    let parts = Parts::of(edition)?;
    Ok(differing(&parts.report, &parts.judge(edition.as_of_ms)?))
}
