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

#[cfg(test)]
mod tests {
    use crate::month::{Month, compute, figures};
    use crate::publish::Publisher;
    use crate::publish::tests::{DEFINITION, catalogue, clock_at, evidence, ms};
    use crate::sign::tests::key;
    use crate::store::{Source, Store};

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    #[test]
    fn published_figures_stand_and_others_are_computed() {
        let dir = tempfile::tempdir().unwrap();
        let now = "2026-11-20T09:00:00Z";
        let store = Store::open(dir.path(), clock_at(now)).unwrap();
        let down = ["2026-09-14T00:00:00Z", "2026-10-14T00:00:00Z", "2026-10-14T01:00:00Z"];
        let records = evidence("2026-08-31T23:00:00Z", "2026-11-20T00:00:00Z", &down);
        store.ingest(records, Source::Import).unwrap();
        let catalogue = catalogue();
        let publisher = Publisher {
            store: &store,
            catalogue: &catalogue,
            definition: DEFINITION,
            demo: false,
            key: key(),
        };
        publisher.publish(month("2026-10"), "A. Manager", None, ms(now)).unwrap();
        // what arrives later does not touch what was published
        let late = ["2026-09-20T00:00:00Z", "2026-10-20T00:00:00Z"];
        let mut records = evidence("2026-09-20T00:00:00Z", "2026-09-20T01:00:00Z", &late);
        records.extend(evidence("2026-10-20T00:00:00Z", "2026-10-20T01:00:00Z", &late));
        for record in &mut records {
            if let mailward_evidence::Record::Outcome(outcome) = record {
                outcome.revision = 1;
            }
        }
        store.ingest(records, Source::Import).unwrap();

        let report = compute(&store, &catalogue, month("2026-11"), ms(now)).unwrap();
        let level = &report.levels[0];
        let told: Vec<_> = level
            .trend
            .iter()
            .map(|point| (point.month.as_str(), point.shown.as_str(), point.met, point.edition))
            .collect();
        // September: 2 of 720 h; October: 2 of 745 h were published, and 3 are known now
        assert_eq!(
            told,
            [
                ("2026-09", "99.722", Some(true), None),
                ("2026-10", "99.731", Some(true), Some(1)),
                ("2026-11", "100.000", Some(true), None),
            ]
        );
        assert_eq!(level.change.as_deref(), Some("+0.268"));

        // the first month with evidence has none before it
        let first = compute(&store, &catalogue, month("2026-09"), ms(now)).unwrap();
        assert_eq!((first.levels[0].trend.len(), &first.levels[0].change), (0, &None));
        // October follows September, and as it is known now
        let october = compute(&store, &catalogue, month("2026-10"), ms(now)).unwrap();
        assert_eq!(october.levels[0].trend.len(), 2);
        assert_eq!(october.levels[0].trend[1].shown, "99.597");
        assert_eq!(october.levels[0].change.as_deref(), Some("-0.124"));
        let alone = figures(&store, &catalogue, month("2026-10"), ms(now)).unwrap();
        assert_eq!(alone.levels[0].trend, []);
    }

    #[test]
    fn a_level_that_measures_something_else_today_is_computed() {
        let dir = tempfile::tempdir().unwrap();
        let now = "2026-11-20T09:00:00Z";
        let store = Store::open(dir.path(), clock_at(now)).unwrap();
        let down = ["2026-10-14T00:00:00Z"];
        let records = evidence("2026-09-30T23:00:00Z", "2026-11-20T00:00:00Z", &down);
        store.ingest(records, Source::Import).unwrap();
        let before = catalogue();
        let publisher = Publisher {
            store: &store,
            catalogue: &before,
            definition: DEFINITION,
            demo: false,
            key: key(),
        };
        publisher.publish(month("2026-10"), "A. Manager", None, ms(now)).unwrap();
        let text = DEFINITION.replace("measure = \"availability\"", "measure = \"success\"");
        let today = mailward_catalogue::parse("probes.toml", &text).catalogue.unwrap();
        let report = compute(&store, &today, month("2026-11"), ms(now)).unwrap();
        let october = &report.levels[0].trend[0];
        // 744 of 745 runs
        assert_eq!((october.shown.as_str(), october.edition), ("99.865", None));
    }
}
