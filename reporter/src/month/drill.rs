//! Fetches what the grounds of a month's figures need of the raw outcomes, and has them made.
//! Only what failed is read, so that it costs what changed and not what was measured.

use mailward_catalogue::{Level, Measure};
use mailward_evidence::{AgentName, ProbeId, Verdict};

use super::tally::mail_probes;
use super::{ComputeError, Detail};
use crate::explain::{self, Finder, Limits, Raw, Runs};
use crate::interval::{Set, Span};
use crate::report::model::{Figure, Report};
use crate::report::{Case, limit_ms};
use crate::store::{RunsOf, Store, StoreError, Wanted};

/// Gives the levels of a report their grounds.
pub(super) fn into(
    store: &Store,
    case: &Case<'_>,
    report: &mut Report,
    detail: Detail<'_>,
) -> Result<(), ComputeError> {
    if detail == Detail::Figures {
        return Ok(());
    }
    let finder = Finder::new(&case.evidence.streams, case.now_ms);
    for (level, figure) in case.catalogue.levels.iter().zip(&mut report.levels) {
        let all = detail == Detail::Level(&level.id);
        let limits = if all { Limits::ALL } else { Limits::REPORT };
        let raw = raw(store, case, &finder, (level, &figure.figure), limits)?;
        let grounds = explain::grounds(case, level, figure, raw, limits)?;
        figure.grounds = Some(Box::new(grounds));
    }
    Ok(())
}

fn raw(
    store: &Store,
    case: &Case<'_>,
    finder: &Finder<'_>,
    (level, figure): (&Level, &Figure),
    limits: Limits,
) -> Result<Raw, ComputeError> {
    let failed = |source| ComputeError::Store { month: case.month, source };
    let read = match &level.measure {
        Measure::Success { .. } | Measure::ResponseTime { .. } => {
            let mut runs = Runs::new(level.clone(), case.counted(level)?, limits);
            let not_good = match figure {
                Figure::Success(share) | Figure::ResponseTime(share) => share.total - share.good,
                _ => 0,
            };
            take_runs(store, case, finder, level, (limits, not_good), &mut runs)
                .map(|()| Raw::Runs(runs))
        }
        Measure::DeliveryTime { .. } => {
            let (probes, period) = (mail_probes(case.catalogue, level), case.period);
            store.mails(period.from_ms, period.to_ms, &probes).map(Raw::Mails)
        }
        _ => return Ok(Raw::None),
    };
    match read {
        Err(gone @ StoreError::RawGone { .. }) => Ok(Raw::Gone(gone.to_string())),
        read => read.map_err(failed),
    }
}

/// Reads the runs of a level that may not be good.
fn take_runs(
    store: &Store,
    case: &Case<'_>,
    finder: &Finder<'_>,
    level: &Level,
    (limits, not_good): (Limits, u64),
    runs: &mut Runs,
) -> Result<(), StoreError> {
    let component = level.component.as_deref().unwrap_or_default();
    let probes: Vec<_> = case.catalogue.probes_of(component).collect();
    let wanted = match &level.measure {
        Measure::ResponseTime { within, .. } => {
            let ids: Vec<ProbeId> =
                probes.iter().filter_map(|p| ProbeId::new(&p.id).ok()).collect();
            let within_ms = Some(limit_ms(*within));
            store.late_runs(&RunsOf { probes: &ids, counted: runs.counted(), within_ms })?
        }
        _ => failures(case, component),
    };
    let whole = matches!(level.measure, Measure::Success { .. });
    let (wanted, cut_ms, beyond) = earliest(wanted, case.period, limits, whole);
    if beyond > 0 {
        runs.leave_out(beyond, not_good);
    }
    let mut last: Option<(AgentName, ProbeId, i64)> = None;
    store.for_each_run_of(&wanted, &mut |stretch, run| {
        let this = (stretch.agent.clone(), stretch.probe.clone(), stretch.first_ms);
        if last.as_ref() != Some(&this) {
            if matches!(level.measure, Measure::ResponseTime { .. }) {
                runs.interrupt(cut_ms);
            }
            last = Some(this);
        }
        if let Some(probe) = probes.iter().find(|probe| probe.id == stretch.probe.as_str()) {
            runs.take(finder, (&stretch.agent, &stretch.probe), probe, &run);
        }
    })?;
    if !whole {
        runs.interrupt(cut_ms);
    }
    Ok(())
}

/// What a stretch of runs is reckoned at where it is decided how many are read.
const PIECE_MS: i64 = 1_800_000;

/// The stretches that begin earliest, no more of them than the entries that are listed may be
/// found in; where the last of them are cut (those of `whole` are not); and how many stretches
/// that leaves out or cuts. So a report reads what it lists, however much failed.
fn earliest(
    mut wanted: Vec<Wanted>,
    period: Span,
    limits: Limits,
    whole: bool,
) -> (Vec<Wanted>, i64, u64) {
    let most = i64::try_from(limits.entries.saturating_mul(4)).unwrap_or(i64::MAX);
    let pieces = |until_ms: i64| {
        let piece = |w: &Wanted| (until_ms.min(w.last_ms + 1) - w.first_ms).max(0);
        wanted.iter().fold(0i64, |sum, w| sum.saturating_add((piece(w) + PIECE_MS - 1) / PIECE_MS))
    };
    let (mut cut_ms, mut beyond_ms) = (period.from_ms, period.to_ms + 1);
    if pieces(period.to_ms) <= most {
        return (wanted, i64::MAX, 0);
    }
    while beyond_ms - cut_ms > 1 {
        let middle_ms = cut_ms + (beyond_ms - cut_ms) / 2;
        if pieces(middle_ms) <= most {
            cut_ms = middle_ms;
        } else {
            beyond_ms = middle_ms;
        }
    }
    let left_out = |w: &&Wanted| w.first_ms >= cut_ms || (!whole && w.last_ms >= cut_ms);
    let beyond = wanted.iter().filter(left_out).count() as u64;
    wanted.retain(|w| w.first_ms < cut_ms);
    if !whole {
        wanted.iter_mut().for_each(|w| w.last_ms = w.last_ms.min(cut_ms - 1));
    }
    (wanted, if whole { i64::MAX } else { cut_ms }, beyond)
}

/// Where a component's probes saw failures in the period.
fn failures(case: &Case<'_>, component: &str) -> Vec<Wanted> {
    let own = |id: &str| case.catalogue.probe(id).is_some_and(|p| p.component == component);
    let streams = case.evidence.streams.iter().filter(|stream| own(stream.probe.as_str()));
    let mut wanted = Vec::new();
    for stream in streams {
        let down = stream.segments.iter().filter(|s| s.verdict == Verdict::Down);
        // a union, because segments may meet in one due
        let dues = Set::of(down.map(|s| Span::new(s.first_ms, s.last_ms + 1).clip(case.period)));
        wanted.extend(dues.spans().iter().map(|span| Wanted {
            agent: stream.agent.clone(),
            probe: stream.probe.clone(),
            first_ms: span.from_ms,
            last_ms: span.to_ms - 1,
        }));
    }
    wanted
}
