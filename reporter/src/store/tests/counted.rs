//! Counters of runs: over days, zones and edges, for ever, and for stores that had none.

use super::*;
use crate::interval::{Set, Span as Time};
use crate::segment::RunCounts;
use crate::store::{RunsOf, schema};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Four days of a run each ten minutes: each 7th down, each 5th slower than four seconds, each
/// 11th a re-probe, each 13th one that could not tell.
fn runs() -> Vec<Outcome> {
    (0..4 * 144)
        .map(|i| {
            let verdict = match i {
                i if i % 13 == 0 => Verdict::Unknown,
                i if i % 7 == 0 => Verdict::Down,
                _ => Verdict::Up,
            };
            let mut o = outcome("a", "p", i * 10 * MINUTE, verdict);
            o.took_ms = (i % 3 > 0).then_some(if i % 5 == 0 { 4000.1 } else { 4000.0 });
            o.attempt = u32::from(i % 11 == 0);
            o
        })
        .collect()
}

fn naive(counted: &Set, within_ms: Option<f64>) -> RunCounts {
    let mut sum = RunCounts::default();
    for run in runs().iter().filter(|o| o.attempt == 0 && counted.contains(o.due.ms())) {
        let in_time = run.took_ms.zip(within_ms).is_some_and(|(took, within)| took <= within);
        match run.verdict {
            Verdict::Up | Verdict::Degraded => {
                sum.good += 1;
                sum.good_in_time += u64::from(in_time);
            }
            Verdict::Down => {
                sum.down += 1;
                sum.down_in_time += u64::from(in_time);
            }
            Verdict::Unknown => {}
        }
    }
    sum
}

fn count(store: &Store, counted: &Set, within_ms: Option<f64>) -> Result<RunCounts, StoreError> {
    let probes = [ProbeId::new("p").unwrap()];
    let asked = RunsOf { probes: &probes, counted, within_ms };
    store.count_runs(&[asked]).map(|answers| answers[0][0])
}

/// Sets of time, each with whether counters alone can say what was in it.
fn sets() -> Vec<(Set, bool)> {
    let set = |spans: &[(i64, i64)]| Set::of(spans.iter().map(|(a, b)| Time::new(*a, *b)));
    let nights = |from: i64, to: i64| {
        Set::of((0..4).map(|day| Time::new(day * 24 * HOUR + from, day * 24 * HOUR + to)))
    };
    vec![
        (set(&[(0, 4 * 24 * HOUR)]), true),
        (set(&[(-HOUR, LATER)]), true),
        (set(&[(23 * HOUR, 71 * HOUR)]), true),
        (set(&[(24 * HOUR, 24 * HOUR)]), true),
        (nights(7 * HOUR + 30 * MINUTE, 22 * HOUR), true),
        (nights(7 * HOUR + 15 * MINUTE, 22 * HOUR), false),
        (set(&[(1, 4 * 24 * HOUR)]), false),
        (set(&[(HOUR, 2 * HOUR), (2 * HOUR + 20 * MINUTE, 3 * HOUR)]), false),
    ]
}

#[test]
fn runs_are_counted_in_any_time_and_for_ever_where_no_edge_cuts() {
    let home = home(SMALL);
    let limits = [(None, true), (Some(4000.0), true), (Some(4000.05), false)];
    home.store.ingest(runs().into_iter().map(Record::Outcome).collect(), Source::Import).unwrap();
    for settled in [false, true] {
        if settled {
            home.store.settle().unwrap();
        }
        for (set, _) in sets() {
            for (within_ms, _) in limits {
                let counted = count(&home.store, &set, within_ms).unwrap();
                assert_eq!(counted, naive(&set, within_ms), "{set:?} {within_ms:?}");
            }
        }
    }
    assert!(home.store.forget_raw(LATER, 0).unwrap() > 560);
    for (set, whole) in sets() {
        for (within_ms, edge) in limits {
            let counted = count(&home.store, &set, within_ms);
            match counted {
                Ok(counted) => assert_eq!(counted, naive(&set, within_ms), "{set:?} {within_ms:?}"),
                Err(error) => {
                    assert!(matches!(error, StoreError::RawGone { .. }), "{error}");
                    assert!(!(whole && edge), "{set:?} {within_ms:?}");
                }
            }
        }
    }
}

#[test]
fn a_store_without_counters_is_given_them() {
    let home = home(SMALL);
    home.store.ingest(runs().into_iter().map(Record::Outcome).collect(), Source::Import).unwrap();
    home.store.settle().unwrap();
    let conn = rusqlite::Connection::open(home.dir.path().join(schema::FILE)).unwrap();
    conn.execute("DELETE FROM counted", []).unwrap();
    let all = Set::of([Time::new(0, LATER)]);
    assert_eq!(count(&home.store, &all, None).unwrap(), RunCounts::default());
    crate::store::counts::fill(&conn).unwrap();
    assert_eq!(count(&home.store, &all, Some(4000.0)).unwrap(), naive(&all, Some(4000.0)));
}
