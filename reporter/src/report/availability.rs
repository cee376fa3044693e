//! The figure of an availability level (rules 6, 7, 9 and 10), as the report states it.

use mailward_catalogue::{Level, Percent, UnknownPolicy};

use super::model::{At, Availability, Figure, Ms, Outage};
use super::{Case, ReportError, Row};
use crate::availability::exact::{Ratio, shown_or_na};
use crate::availability::{Account, Extent};
use crate::clock;

pub(super) fn figure(
    case: &Case<'_>,
    level: &Level,
    target: Percent,
) -> Result<(Figure, Option<bool>), ReportError> {
    let row = case.row(level)?;
    let account = case.account(level)?;
    let whole = case.hours(level, row.component.since, case.whole)?;
    let sums = account.sums(whole.len_ms());
    let judged = sums.judge(target, level.unknown, level.min_coverage);
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
        blips: row.timeline.blips(),
        unknown_policy: policy_word(level.unknown).to_owned(),
        outages: outages(case, row, &account),
        rejected_exclusions: row.ruling.rejected.clone(),
    };
    Ok((Figure::Availability(Box::new(figure)), judged.met))
}

fn outages(case: &Case<'_>, row: &Row<'_>, account: &Account) -> Vec<Outage> {
    account.outages().map(|extent| outage(case, row, extent)).collect()
}

fn outage(case: &Case<'_>, row: &Row<'_>, extent: Extent) -> Outage {
    let causes = row.timeline.down_causes(extent.span);
    let mut reasons: Vec<String> = Vec::new();
    for reason in causes.iter().filter_map(|cause| cause.reason.as_ref()) {
        if !reasons.iter().any(|seen| seen == reason.as_str()) {
            reasons.push(reason.to_string());
        }
    }
    let down_in_it = |id: &str| causes.iter().any(|cause| cause.probe.as_str() == id);
    let probes = row.timeline.probes.iter().map(|probe| probe.probe.as_str());
    Outage {
        from: At(extent.span.from_ms),
        to: At(extent.span.to_ms),
        down_s: Ms(extent.span.len_ms()),
        at_least_s: Ms(extent.at_least_ms),
        at_most_s: Ms(extent.at_most_ms),
        still_open: extent.span.to_ms == case.now_ms,
        reasons,
        probes: probes.filter(|id| down_in_it(id)).map(str::to_owned).collect(),
    }
}

const fn policy_word(policy: UnknownPolicy) -> &'static str {
    match policy {
        UnknownPolicy::Exclude => "exclude",
        UnknownPolicy::Up => "up",
        UnknownPolicy::Down => "down",
    }
}
