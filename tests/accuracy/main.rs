//! How near a measured outage is to the true one: outages of known length, watched by the agent's
//! own schedule and judged by the reporter from its store. docs/accuracy.md says what comes out,
//! and its table and plot are held to it; `MAILWARD_PLOT=1` writes the plot anew
//! and shows the rows.

#![allow(clippy::print_stdout, reason = "figures and rows are shown to whoever asks for them")]
#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect stops there")]

mod plot;
mod watch;

use watch::{Outage, Seen, Setting, watch};

const OUTAGES: usize = 1000;

/// Long enough to be confirmed whenever they begin; each as (every, retry, timeout, agents).
const SETTINGS: [Setting; 6] = [
    Setting { every_s: 60, retry_s: 15, failing_s: 0, agents: 1 },
    Setting { every_s: 60, retry_s: 15, failing_s: 10, agents: 1 },
    Setting { every_s: 60, retry_s: 10, failing_s: 10, agents: 1 },
    Setting { every_s: 60, retry_s: 60, failing_s: 0, agents: 1 },
    Setting { every_s: 300, retry_s: 75, failing_s: 30, agents: 1 },
    Setting { every_s: 60, retry_s: 15, failing_s: 10, agents: 3 },
];

struct Errors {
    mean_s: f64,
    deviation_s: f64,
    least_s: f64,
    most_s: f64,
}

fn errors(seen: &[Seen]) -> Errors {
    let all: Vec<f64> = seen.iter().map(Seen::error_s).collect();
    let n = all.len() as f64;
    let mean_s = all.iter().sum::<f64>() / n;
    let variance = all.iter().map(|e| (e - mean_s).powi(2)).sum::<f64>() / (n - 1.0);
    Errors {
        mean_s,
        deviation_s: variance.sqrt(),
        least_s: all.iter().copied().fold(f64::INFINITY, f64::min),
        most_s: all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

/// The row of docs/accuracy.md.
fn row(setting: &Setting, errors: &Errors) -> String {
    let fails = match setting.failing_s {
        0 => "at once".to_owned(),
        s => format!("after {s} s"),
    };
    format!(
        "| {} s | {} s | {fails} | {} | {:+.2} s | {:+.2} s | {:.1} s | {:+.1} … {:+.1} s |",
        setting.every_s,
        setting.retry_s,
        setting.agents,
        setting.bias_s(),
        errors.mean_s,
        errors.deviation_s,
        errors.least_s,
        errors.most_s
    )
}

/// Whether the plot is to be written anew, and the rows of the tables to be shown.
fn renewing() -> bool {
    std::env::var_os("MAILWARD_PLOT").is_some()
}

/// docs/accuracy.md holds this row.
fn hold(row: &str) {
    let document = include_str!("../../docs/accuracy.md");
    if renewing() {
        println!("{row}");
    } else {
        assert!(document.contains(row), "docs/accuracy.md does not hold {row}");
    }
}

#[test]
fn the_truth_lies_within_the_bounds_and_the_error_is_what_theory_says() {
    for (seed, setting) in SETTINGS.iter().enumerate() {
        let truth = watch::outages(OUTAGES, setting.lengths_ms(), seed as u64);
        let month = watch(setting, &truth);
        assert_eq!(month.seen.len(), OUTAGES, "{setting:?}: every outage is measured once");
        for seen in &month.seen {
            let Seen { truth, from_ms, to_ms, at_least_ms, at_most_ms } = seen;
            let length = truth.length_ms();
            assert!(
                (*at_least_ms..=*at_most_ms).contains(&length),
                "{setting:?}: {length} ms is not within {at_least_ms} and {at_most_ms}"
            );
            let late = (from_ms - truth.from_ms, to_ms - truth.to_ms);
            assert!(
                (0..=setting.every_s * 1000).contains(&late.0)
                    && (0..=setting.retry_s * 1000).contains(&late.1),
                "{setting:?}: told {late:?} ms late"
            );
        }
        let pct = month.true_pct(&truth);
        let within = month.low_pct <= pct && pct <= month.high_pct;
        assert!(within, "{pct} is not within {} and {}", month.low_pct, month.high_pct);

        let errors = errors(&month.seen);
        // of a mean of a thousand, 99.9 in 100 lie as near as this
        let tolerance_s = 3.29 * errors.deviation_s / (OUTAGES as f64).sqrt();
        let off_s = errors.mean_s - setting.bias_s();
        assert!(off_s.abs() <= tolerance_s, "{setting:?}: {off_s} s off, not {tolerance_s}");
        // one agent: two independent waits, each evenly spread
        if setting.agents == 1 {
            let spread = f64::from(i32::try_from(setting.every_s).unwrap())
                .hypot(f64::from(i32::try_from(setting.retry_s).unwrap()))
                / 12f64.sqrt();
            assert!((errors.deviation_s / spread - 1.0).abs() < 0.1, "{setting:?}: {spread}");
        }
        hold(&row(setting, &errors));
        if seed == 1 {
            plot::hold(setting, &month.seen, &errors);
        }
    }
}

/// Outages too short to be sure of are not counted as often as theory says, and no bound knows
/// of them.
#[test]
fn short_outages_are_told_as_often_as_theory_says() {
    let setting = SETTINGS[1];
    let confirm = 2;
    for (seed, length_s) in [10, 15, 30, 45, 60, 75, 90].into_iter().enumerate() {
        let truth = watch::outages(OUTAGES, (length_s * 1000, length_s * 1000), 77 + seed as u64);
        let month = watch(&setting, &truth);
        let share = month.seen.len() as f64 / OUTAGES as f64;
        let sure_s = length_s - (confirm - 1) * setting.retry_s;
        let theory = (sure_s as f64 / setting.every_s as f64).clamp(0.0, 1.0);
        let tolerance = 3.29 * (theory * (1.0 - theory) / OUTAGES as f64).sqrt();
        assert!((share - theory).abs() <= tolerance, "{length_s} s: {share}, not {theory}");
        let row = format!("| {length_s} s | {:.1} % | {:.1} % |", theory * 100.0, share * 100.0);
        hold(&row);
        for seen in &month.seen {
            let length = seen.truth.length_ms();
            assert!(seen.at_least_ms <= length && length <= seen.at_most_ms);
        }
    }
}

impl Outage {
    const fn length_ms(&self) -> i64 {
        self.to_ms - self.from_ms
    }
}
