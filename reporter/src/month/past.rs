//! The months before a report's own, for its trend: the figure that was published where there is
//! one, else computed from the evidence by today's definition. Arithmetic is the report's.

use std::collections::{BTreeMap, BTreeSet};

use mailward_catalogue::{Catalogue, Level, Measure};

use super::{Basis, ComputeError, Month, tallies_of};
use crate::report::model::{LevelFigure, Report};
use crate::report::trend::{self, MONTHS_BACK, Point};
use crate::report::{Case, period};
use crate::segment::Evidence;
use crate::store::{Store, StoreError};

/// States on each level of a case's report how it went in the months before.
pub(super) fn state(
    store: &Store,
    case: &Case<'_>,
    report: &mut Report,
) -> Result<(), ComputeError> {
    let Case { catalogue, month, now_ms, .. } = *case;
    let begins_ms = begins_ms(case.evidence);
    let months = std::iter::successors(Some(month.previous()), |month| Some(month.previous()));
    let mut earlier: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for past in months.take(MONTHS_BACK) {
        let mut points = published(store, catalogue, past)?;
        let lacks = |level: &&Level| !points.contains_key(&level.id);
        let lacking: Vec<&Level> = catalogue.levels.iter().filter(lacks).collect();
        let holds =
            begins_ms.is_some_and(|from_ms| from_ms < past.span(&catalogue.service.zone).to_ms);
        if !lacking.is_empty() && holds {
            points.extend(computed(store, catalogue, past, now_ms, &lacking)?);
        }
        for (level, point) in points {
            if let Some(point) = point {
                earlier.entry(level).or_default().push(point);
            }
        }
    }
    for level in &mut report.levels {
        let mut points = earlier.remove(&level.id).unwrap_or_default();
        points.reverse();
        trend::state(level, month, points);
    }
    Ok(())
}

/// When the first of all outcomes, tickets and counts lies; none before it.
fn begins_ms(evidence: &Evidence) -> Option<i64> {
    let outcomes = evidence.streams.iter().map(|stream| stream.first_due_ms);
    let tickets = evidence.tickets.iter().map(|ticket| ticket.opened.ms());
    let counts = evidence.counts.iter().map(|count| count.from.ms());
    outcomes.chain(tickets).chain(counts).min()
}

/// What the latest edition of a month states of the levels that still measure the same; nothing
/// to measure is a statement as well.
fn published(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
) -> Result<BTreeMap<String, Option<Point>>, ComputeError> {
    let failed = |source| ComputeError::Store { month, source };
    let Some((edition, text)) = store.latest_report(&month.to_string()).map_err(failed)? else {
        return Ok(BTreeMap::new());
    };
    let report: Report = match serde_json::from_str(&text) {
        Ok(report) => report,
        Err(error) => {
            tracing::warn!(%month, edition, %error, "read a published report for the trend");
            return Ok(BTreeMap::new());
        }
    };
    let same = |level: &&LevelFigure| {
        let today = catalogue.levels.iter().find(|today| today.id == level.id);
        today.is_some_and(|today| today.measure.word() == level.figure.measure())
    };
    let stated = report.levels.iter().filter(same);
    Ok(stated.map(|level| (level.id.clone(), Point::stated(month, level, Some(edition)))).collect())
}

/// What levels come to in a month by today's definition; nothing where there was no evidence.
fn computed(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
    levels: &[&Level],
) -> Result<BTreeMap<String, Option<Point>>, ComputeError> {
    let failed = |source| ComputeError::Store { month, source };
    let span = period(catalogue, month, now_ms)?;
    let evidence = store.evidence(span.from_ms, span.to_ms, now_ms).map_err(failed)?;
    let case = Case::new(catalogue, month, &evidence, now_ms)?;
    let mut wanted: BTreeSet<&str> = levels.iter().map(|level| level.id.as_str()).collect();
    let tallies = match tallies_of(store, &case, Basis::Kept, &wanted) {
        Err(ComputeError::Store { source: StoreError::RawGone { .. }, .. }) => {
            // what counts single runs can no longer be said; the rest can
            let gone = levels.iter().filter(|level| counts_runs(&level.measure));
            for level in gone {
                wanted.remove(level.id.as_str());
            }
            tallies_of(store, &case, Basis::Kept, &wanted)?
        }
        other => other?,
    };
    let mut points = BTreeMap::new();
    for level in levels.iter().filter(|level| wanted.contains(level.id.as_str())) {
        points.insert(level.id.clone(), case.point(level, &tallies)?);
    }
    Ok(points)
}

/// Whether a measure counts single runs, which have a retention.
const fn counts_runs(measure: &Measure) -> bool {
    matches!(measure, Measure::Success { .. } | Measure::ResponseTime { .. })
}
