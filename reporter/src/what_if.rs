//! What a month would have been under other readings of its definition, one change at a time:
//! other `confirm`, other quorum, another policy for unknown time, and without each exclusion
//! that counts. One reading of the evidence, many judgements; each is that of a full report.

mod reading;

use std::collections::BTreeSet;

use mailward_catalogue::{Catalogue, Level, Measure};
use serde::Serialize;

pub use reading::{Change, Reading};

use crate::month::{self, Basis, ComputeError, Month};
use crate::report::model::{At, Figure, LevelFigure};
use crate::report::{Case, ReportError, Tallies, period};
use crate::segment::Evidence;
use crate::store::Store;

/// The most exclusions that are taken away, one at a time.
const MAX_EXCLUSIONS: usize = 200;

/// A month under other readings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIf {
    /// The service's name.
    pub service: String,
    /// The month, `2026-10`.
    pub month: String,
    /// The zone it is reckoned in.
    pub zone: String,
    /// The instant up to which evidence counts.
    pub as_of: At,
    /// Whether the month is still running.
    pub to_date: bool,
    /// The levels that another reading can change, in the order of probes.toml.
    pub levels: Vec<Tested>,
    /// The readings; the first is the definition as it is.
    pub readings: Vec<Tried>,
    /// Levels that no such reading can change: they rest on records alone.
    pub unaffected: Vec<String>,
    /// Exclusions that count and were not taken away, because there are too many.
    pub untried_exclusions: u64,
}

/// A level, and whether its verdict holds whatever is read into the definition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// Its id.
    pub id: String,
    /// What it measures.
    pub measure: String,
    /// The promise, in per cent.
    pub target_pct: String,
    /// Whether it was met, by the definition as it is.
    pub met: Option<bool>,
    /// Whether that is so in every reading.
    pub survives: bool,
    /// The readings in which it is not so, by id.
    pub differs_in: Vec<String>,
}

/// A reading and what it makes of the levels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// Its id: `as-defined`, `confirm-3`, `quorum-all`, `unknown-down`, `without-MW-7`.
    pub id: String,
    /// What it changes, in plain words.
    pub words: String,
    /// Whether it changes nothing, because the definition says so already.
    pub as_defined: bool,
    /// For each level.
    pub cells: Vec<Cell>,
}

/// What a reading makes of a level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// The level.
    pub level: String,
    /// The figure, nearest double; null where nothing was measured.
    pub pct: Option<f64>,
    /// The figure with three places, cut off; `n/a` where nothing was measured.
    pub shown: String,
    /// Whether the promise is kept; null where it cannot be said.
    pub met: Option<bool>,
    /// Whether `met` holds however the evidence is read (availability).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provable: Option<bool>,
}

/// Judges a month under all readings, as known at `now_ms`. Blocks on the store.
///
/// # Errors
/// When the month has not begun, the store cannot be read, or the definition does not hold
/// together.
pub fn compute(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
) -> Result<WhatIf, ComputeError> {
    let period = period(catalogue, month, now_ms)?;
    let evidence = store
        .evidence(period.from_ms, period.to_ms, now_ms)
        .map_err(|source| ComputeError::Store { month, source })?;
    judge(catalogue, month, &evidence, now_ms, &mut |case| month::tallies(store, case, Basis::Kept))
}

/// Judges evidence under all readings. `tally` counts what a case needs of the raw outcomes; it
/// is asked only where a reading changes which of them count.
///
/// # Errors
/// Those of `tally`, and as [`compute`].
pub fn judge(
    catalogue: &Catalogue,
    month: Month,
    evidence: &Evidence,
    now_ms: i64,
    tally: &mut dyn FnMut(&Case<'_>) -> Result<Tallies, ComputeError>,
) -> Result<WhatIf, ComputeError> {
    let case = Case::new(catalogue, month, evidence, now_ms)?;
    let declared_tallies = tally(&case)?;
    let declared = case.figures(&declared_tallies)?;
    let affected: BTreeSet<&str> =
        catalogue.levels.iter().filter(|l| can_change(l)).map(|l| l.id.as_str()).collect();
    let (mut exclusions, mut untried) = (case.exclusions_that_count(), 0);
    if exclusions.len() > MAX_EXCLUSIONS {
        untried = (exclusions.len() - MAX_EXCLUSIONS) as u64;
        exclusions.truncate(MAX_EXCLUSIONS);
    }
    let cells = |figures: &[LevelFigure]| -> Vec<Cell> {
        figures.iter().filter(|f| affected.contains(f.id.as_str())).map(cell).collect()
    };
    let mut readings = Vec::new();
    for reading in Reading::all(catalogue, &exclusions) {
        let figures = if reading.as_defined {
            declared.clone()
        } else {
            let changed = reading.change.catalogue(catalogue);
            let fewer = reading.change.evidence(evidence);
            let case = Case::new(&changed, month, fewer.as_ref().unwrap_or(evidence), now_ms)?;
            // which runs count depends on hours and exclusions, and on nothing else here
            let recounted = fewer.is_some().then(|| tally(&case)).transpose()?;
            case.figures(recounted.as_ref().unwrap_or(&declared_tallies))?
        };
        readings.push(Tried {
            id: reading.id,
            words: reading.words,
            as_defined: reading.as_defined,
            cells: cells(&figures),
        });
    }
    let levels = catalogue.levels.iter().filter(|l| affected.contains(l.id.as_str()));
    let whole = month.span(&catalogue.service.zone);
    Ok(WhatIf {
        service: catalogue.service.name.clone(),
        month: month.to_string(),
        zone: catalogue.service.zone_name.clone(),
        as_of: At(now_ms),
        to_date: now_ms < whole.to_ms,
        levels: levels.enumerate().map(|(i, level)| tested(level, i, &readings)).collect(),
        unaffected: catalogue
            .levels
            .iter()
            .filter(|l| !affected.contains(l.id.as_str()))
            .map(|l| l.id.clone())
            .collect(),
        readings,
        untried_exclusions: untried,
    })
}

/// Whether one of the readings can change a level's figure.
const fn can_change(level: &Level) -> bool {
    match level.measure {
        Measure::Availability { .. } | Measure::Success { .. } | Measure::ResponseTime { .. } => {
            true
        }
        Measure::DeliveryTime { .. }
        | Measure::Resolution { .. }
        | Measure::Listing { .. }
        | Measure::Ratio { .. } => false,
    }
}

fn cell(figure: &LevelFigure) -> Cell {
    let (pct, shown, provable) = match &figure.figure {
        Figure::Availability(a) => {
            (a.availability_pct, a.availability_shown.clone(), Some(a.provable))
        }
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => {
            (s.ratio_pct, s.ratio_shown.clone(), None)
        }
        Figure::DeliveryTime(_) | Figure::Resolution(_) | Figure::Listing(_) => {
            (None, "n/a".to_owned(), None)
        }
    };
    Cell { level: figure.id.clone(), pct, shown, met: figure.met, provable }
}

fn tested(level: &Level, which: usize, readings: &[Tried]) -> Tested {
    let met = |tried: &Tried| tried.cells.get(which).and_then(|cell| cell.met);
    let declared = readings.first().and_then(met);
    let differs = readings.iter().filter(|tried| met(tried) != declared);
    let differs_in: Vec<String> = differs.map(|tried| tried.id.clone()).collect();
    let target_pct = match level.measure {
        Measure::Availability { target }
        | Measure::Success { target }
        | Measure::ResponseTime { target, .. } => target.to_string(),
        _ => String::new(),
    };
    Tested {
        id: level.id.clone(),
        measure: level.measure.word().to_owned(),
        target_pct,
        met: declared,
        survives: differs_in.is_empty(),
        differs_in,
    }
}

impl Case<'_> {
    /// The exclusions of which at least a part counts for some component, by start, then id.
    fn exclusions_that_count(&self) -> Vec<Box<str>> {
        let mut counts: Vec<_> = self
            .evidence
            .exclusions
            .iter()
            .filter(|seen| self.is_accepted(&seen.exclusion.id))
            .map(|seen| (seen.exclusion.from, seen.exclusion.id.clone()))
            .collect();
        counts.sort();
        counts.into_iter().map(|(_, id)| id).collect()
    }

    /// The figures of all levels, and nothing else of the report.
    fn figures(&self, tallies: &Tallies) -> Result<Vec<LevelFigure>, ReportError> {
        self.catalogue.levels.iter().map(|level| self.level(level, tallies)).collect()
    }
}
