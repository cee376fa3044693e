//! Shares: of runs that succeeded or answered in time (rule 15), and of imported counts
//! (rule 14).

use std::time::Duration;

use mailward_catalogue::{Effect, Measure, Percent};
use mailward_evidence::{Count, Verdict};

use super::model::{Figure, Ms, Share};
use super::{Case, Judged, Tally};
use crate::availability::exact::{Ratio, shown_or_na};
use crate::clock::duration_ms;
use crate::segment::Run;

/// How a run counts: not at all, as good, or as not good.
pub(super) fn judge_run(measure: &Measure, effect: Effect, run: &Run) -> Option<bool> {
    let verdict = match run.verdict {
        Verdict::Down if effect == Effect::Advisory => Verdict::Degraded,
        verdict => verdict,
    };
    match (measure, verdict) {
        (Measure::Success { .. }, Verdict::Up | Verdict::Degraded) => Some(true),
        (Measure::Success { .. }, Verdict::Down) => Some(false),
        (Measure::ResponseTime { within, .. }, Verdict::Up | Verdict::Degraded) => {
            Some(run.took_ms.is_some_and(|took_ms| took_ms <= as_ms(*within)))
        }
        _ => None,
    }
}

/// The double nearest to a duration in milliseconds, as `took_ms` is the nearest to its own.
#[allow(clippy::cast_precision_loss, reason = "exact up to a hundred days in nanoseconds")]
pub(super) fn as_ms(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1_000_000.0
}

pub(super) fn of_runs(tally: &Tally, target: Percent, within: Option<Duration>) -> Judged {
    let (good, total) = match tally {
        Tally::Runs { good, total } => (*good, *total),
        Tally::Deliveries(_) => (0, 0),
    };
    let (share, ratio) = share(good, total, target, within);
    let figure = match within {
        Some(_) => Figure::ResponseTime(share),
        None => Figure::Success(share),
    };
    Judged::share(figure, ratio, target)
}

/// The counts of a series that begin in the month and ended by now.
pub(crate) fn counts<'a>(
    case: &'a Case<'_>,
    series: &'a str,
) -> impl Iterator<Item = &'a Count> + 'a {
    case.evidence.counts.iter().filter(move |count| {
        &*count.series == series
            && case.whole.contains(count.from.ms())
            && count.to.ms() <= case.now_ms
    })
}

/// Adds up the counts of a series.
pub(super) fn of_counts(case: &Case<'_>, series: &str, target: Percent) -> Judged {
    let own = counts(case, series);
    let (good, total) = own.fold((0u64, 0u64), |(good, total), count| {
        (good.saturating_add(count.good), total.saturating_add(count.total))
    });
    let (share, ratio) = share(good, total, target, None);
    Judged::share(Figure::Ratio(share), ratio, target)
}

fn share(
    good: u64,
    total: u64,
    target: Percent,
    within: Option<Duration>,
) -> (Share, Option<Ratio>) {
    let ratio = Ratio::new(i128::from(good), i128::from(total));
    let share = Share {
        good,
        total,
        ratio_pct: ratio.map(Ratio::pct),
        ratio_shown: shown_or_na(ratio),
        target_pct: target.to_string(),
        within_s: within.map(|within| Ms(duration_ms(within))),
    };
    (share, ratio)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn a_limit_is_compared_as_it_is_written() {
        for (ms, expect) in [(1001, 1001.0), (4000, 4000.0), (2500, 2500.0), (29, 29.0)] {
            assert!((super::as_ms(Duration::from_millis(ms)) - expect).abs() == 0.0, "{ms}");
        }
    }
}
