//! Metrics of the running month, and of the months that are published.

use mailward_catalogue::{Measure, Percent};
use prometheus::proto::{MetricFamily, MetricType};

use super::{Facts, family, gauge, seconds};
use crate::report::model::{Availability, Figure};

pub(super) fn ratios(facts: &Facts<'_>) -> MetricFamily {
    let levels = facts.so_far.map(|r| r.levels.as_slice()).unwrap_or_default();
    let samples = levels.iter().filter_map(|level| match &level.figure {
        Figure::Availability(a) => {
            a.availability_pct.map(|pct| gauge(&[("level", &level.id)], pct / 100.0))
        }
        _ => None,
    });
    family(
        "mailward_availability_ratio",
        "Availability of the running month to date; absent where nothing was measured.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn budgets(facts: &Facts<'_>) -> [MetricFamily; 2] {
    let levels = facts.so_far.map(|r| r.levels.as_slice()).unwrap_or_default();
    let of = |value: fn(&Availability) -> i64| {
        let samples = levels.iter().filter_map(move |level| match &level.figure {
            Figure::Availability(a) => Some(gauge(&[("level", &level.id)], seconds(value(a)))),
            _ => None,
        });
        samples.collect()
    };
    [
        family(
            "mailward_error_budget_seconds",
            "Downtime that the level allows in the whole of the running month.",
            MetricType::GAUGE,
            of(|figure| figure.budget_s.0),
        ),
        family(
            "mailward_error_budget_remaining_seconds",
            "Downtime left in the running month before the level is missed; negative when \
             overspent.",
            MetricType::GAUGE,
            of(|figure| figure.budget_left_s.0),
        ),
    ]
}

pub(super) fn differing(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.months.iter().map(|entry| {
        let differs = f64::from(u8::from(!entry.differs.is_empty()));
        gauge(&[("month", &entry.month)], differs)
    });
    family(
        "mailward_edition_differs",
        "Whether evidence that arrived since changes a figure of the month's latest edition.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn letters(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts
        .letters
        .iter()
        .map(|(state, count)| gauge(&[("state", state.word())], super::count(*count)));
    family(
        "mailward_letters",
        "Letters about published reports, by recipient and how far they have come.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

/// What each level is about, for joins: budgets and ratios bear the level alone.
pub(super) fn levels(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.catalogue().levels.iter().map(|level| {
        let component = level.component.as_deref().unwrap_or_default();
        let measure = level.measure.word();
        gauge(&[("level", &level.id), ("component", component), ("measure", measure)], 1.0)
    });
    family(
        "mailward_level_info",
        "What the level is about; always 1. The component is empty for the service as a whole.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn targets(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.catalogue().levels.iter().filter_map(|level| {
        let target = match &level.measure {
            Measure::Availability { target }
            | Measure::Success { target }
            | Measure::ResponseTime { target, .. }
            | Measure::DeliveryTime { target, .. }
            | Measure::Resolution { target, .. }
            | Measure::Ratio { target, .. } => *target,
            Measure::Listing { .. } => return None,
        };
        let ratio = super::count(target.units()) / super::count(Percent::WHOLE);
        Some(gauge(&[("level", &level.id)], ratio))
    });
    family(
        "mailward_level_target_ratio",
        "The share that the level promises; absent for levels of time on blocklists.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

/// The share of a figure, whatever its measure.
const fn share_pct(figure: &Figure) -> Option<f64> {
    match figure {
        Figure::Availability(a) => a.availability_pct,
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => s.ratio_pct,
        Figure::DeliveryTime(d) => d.within_pct,
        Figure::Resolution(r) => r.within_pct,
        Figure::Listing(_) => None,
    }
}

pub(super) fn shares(facts: &Facts<'_>) -> MetricFamily {
    let levels = facts.so_far.map(|r| r.levels.as_slice()).unwrap_or_default();
    let samples = levels.iter().filter_map(|level| {
        share_pct(&level.figure).map(|pct| gauge(&[("level", &level.id)], pct / 100.0))
    });
    family(
        "mailward_level_ratio",
        "The level's share in the running month to date, by its own measure; absent where nothing \
         was measured.",
        MetricType::GAUGE,
        samples.collect(),
    )
}
