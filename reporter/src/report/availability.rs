//! The figure of an availability level (rules 6, 7, 9 and 10), and of the service as a whole, as
//! the report states them. What time a figure is made of is `parts`'.

use mailward_catalogue::{Level, Percent, UnknownPolicy};

use super::model::{Availability, Figure, Ms, Overall};
use super::parts::{Parts, Whole};
use super::{Case, Judged, ReportError};
use crate::availability::Judgement;
use crate::availability::exact::{Ratio, shown_or_na};
use crate::clock;

pub(super) fn figure(
    case: &Case<'_>,
    level: &Level,
    target: Percent,
) -> Result<Judged, ReportError> {
    let parts = Parts::of_level(case, level)?;
    let judged = parts.weighed().judge(target, level.unknown, level.min_coverage);
    let whole = Whole::of(&parts);
    let sums = whole.sums;
    let figure = Availability {
        hours: clock::hours_label(&level.hours).into_owned(),
        target_pct: target.to_string(),
        service_s: Ms(sums.service_ms),
        excluded_s: Ms(sums.excluded_ms),
        down_s: Ms(sums.down_ms),
        unknown_s: Ms(sums.unknown_ms),
        degraded_s: Ms(sums.degraded_ms),
        availability_pct: judged.availability.map(Ratio::pct),
        availability_shown: shown_or_na(judged.availability),
        low_pct: judged.low.map(Ratio::pct),
        high_pct: judged.high.map(Ratio::pct),
        provable: judged.provable,
        coverage_pct: judged.coverage.map(Ratio::pct),
        budget_s: Ms(judged.budget_ms),
        budget_left_s: Ms(judged.budget_left_ms),
        blips: parts.blips(),
        unknown_policy: policy_word(level.unknown).to_owned(),
        min_coverage_pct: (level.unknown == UnknownPolicy::Exclude)
            .then(|| level.min_coverage.to_string()),
        failures: whole.failures,
        mttr_s: whole.mttr_s,
        mtbf_s: whole.mtbf_s,
        unknown_by_reason: parts.unknown_by_reason(),
        parts: whole.parts,
        outages: parts.outages(case.now_ms),
        rejected_exclusions: parts.rejected(),
    };
    Ok(judged_as(Figure::Availability(Box::new(figure)), judged))
}

/// What a level comes to, without its drill-down.
pub(super) fn judge(
    case: &Case<'_>,
    level: &Level,
    target: Percent,
) -> Result<Judgement, ReportError> {
    let parts = Parts::of_level(case, level)?;
    Ok(parts.weighed().judge(target, level.unknown, level.min_coverage))
}

/// Thin evidence brings the credit that is certain: that of the most it can have been.
fn judged_as(figure: Figure, judged: Judgement) -> Judged {
    let credited = if judged.thin { judged.high } else { judged.availability };
    Judged { figure, met: judged.met, share: judged.availability, credited }
}

/// The service as a whole, around the clock, without a promise.
pub(super) fn overall(parts: &Parts<'_, '_>) -> Overall {
    let none = Percent::NOTHING;
    let judged = parts.weighed().judge(none, UnknownPolicy::Exclude, none);
    let Whole { sums, failures, mttr_s, mtbf_s, parts } = Whole::of(parts);
    Overall {
        service_s: Ms(sums.service_ms),
        excluded_s: Ms(sums.excluded_ms),
        down_s: Ms(sums.down_ms),
        unknown_s: Ms(sums.unknown_ms),
        availability_pct: judged.availability.map(Ratio::pct),
        availability_shown: shown_or_na(judged.availability),
        low_pct: judged.low.map(Ratio::pct),
        high_pct: judged.high.map(Ratio::pct),
        coverage_pct: judged.coverage.map(Ratio::pct),
        failures,
        mttr_s,
        mtbf_s,
        parts,
    }
}

const fn policy_word(policy: UnknownPolicy) -> &'static str {
    match policy {
        UnknownPolicy::Exclude => "exclude",
        UnknownPolicy::Up => "up",
        UnknownPolicy::Down => "down",
    }
}
