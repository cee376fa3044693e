//! Random months: the reporter's figures against the naive ones. `MAILWARD_WORLDS` sets how
//! many are tried (256 if unset); a world that failed is kept by its seed in `KEPT`.

use std::collections::BTreeMap;

use mailward_reporter::clock::Month;
use mailward_reporter::report::model::{Availability, Figure, Report};
use mailward_reporter::report::{Case, Tallies, Tally, judge_run};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::draw;
use crate::made;
use crate::naive::{Answer, Naive, Saw};
use crate::world::World;

/// Seeds of worlds that once failed, or that hold something rare.
const KEPT: [u64; 4] = [0, 1, 2, 3];

pub(crate) fn report(world: &World) -> Report {
    let catalogue = made::catalogue(world);
    let month: Month = world.month.parse().unwrap();
    let period = mailward_reporter::report::period(&catalogue, month, world.now).unwrap();
    let period = (period.from_ms, period.to_ms);
    let evidence = made::evidence(world, period);
    let case = Case::new(&catalogue, month, &evidence, world.now).unwrap();
    let mut tallies = Tallies { by_level: BTreeMap::new() };
    for id in ["success", "response"] {
        let level = catalogue.level(id).unwrap();
        let counted = case.counted(level).unwrap();
        let (mut good, mut total) = (0, 0);
        for (probe, run) in made::runs(world, period) {
            let verdict = judge_run(&level.measure, &catalogue.probes[probe], &run);
            if let Some(verdict) = verdict.filter(|_| counted.contains(run.due_ms)) {
                total += 1;
                good += u64::from(verdict);
            }
        }
        tallies.by_level.insert(id.to_owned(), Tally::Runs { good, total });
    }
    case.report(&tallies).unwrap()
}

fn near(got: Option<f64>, expect: Option<f64>) -> bool {
    match (got, expect) {
        (Some(got), Some(expect)) => (got - expect).abs() < 1e-9,
        (got, expect) => got == expect,
    }
}

fn availability(report: &Report) -> &Availability {
    match &report.levels[0].figure {
        Figure::Availability(figure) => figure,
        other => panic!("expected availability, got {other:?}"),
    }
}

fn check(seed: u64) -> Saw {
    let world = draw::world(seed);
    let report = report(&world);
    let naive = Naive::new(&world);
    let answer = naive.answer();
    let context = format!("seed {seed}: {world:#?}");
    check_sums(&report, &answer, &context);
    check_verdicts(&report, &naive, &answer, &context);
    check_days(&report, &answer, &context);
    check_counts(&report, &answer, &context);
    answer.saw
}

fn check_sums(report: &Report, answer: &Answer, context: &str) {
    let figure = availability(report);
    let sums = [
        ("from", report.period.from.0, answer.from),
        ("to", report.period.to.0, answer.to),
        ("S", figure.service_s.0, answer.s),
        ("X", figure.excluded_s.0, answer.x),
        ("D", figure.down_s.0, answer.d),
        ("U", figure.unknown_s.0, answer.u),
        ("degraded", figure.degraded_s.0, answer.degraded),
    ];
    for (name, got, expect) in sums {
        assert_eq!(got, expect, "{name}; {context}");
    }
    assert_eq!(figure.blips, answer.blips, "blips; {context}");
    let outages: Vec<(i64, i64, i64, i64)> =
        figure.outages.iter().map(|o| (o.from.0, o.to.0, o.at_least_s.0, o.at_most_s.0)).collect();
    assert_eq!(outages, answer.outages, "outages; {context}");
    for outage in &figure.outages {
        assert_eq!(outage.still_open, outage.to == report.as_of, "still open; {context}");
    }
    let mut rejected: Vec<(String, String)> = figure
        .rejected_exclusions
        .iter()
        .map(|rejected| (rejected.id.clone(), rejected.reason.clone()))
        .collect();
    let mut expect: Vec<(String, String)> = answer
        .rejected
        .iter()
        .map(|(id, reason)| (format!("MW-{id:02}"), (*reason).to_owned()))
        .collect();
    rejected.sort();
    expect.sort();
    assert_eq!(rejected, expect, "rejected; {context}");
}

fn check_verdicts(report: &Report, naive: &Naive<'_>, answer: &Answer, context: &str) {
    let figure = availability(report);
    let judged = naive.judge(answer);
    let shares = [
        ("availability", figure.availability_pct, judged.availability),
        ("low", figure.low_pct, judged.low),
        ("high", figure.high_pct, judged.high),
        ("coverage", figure.coverage_pct, judged.coverage),
    ];
    for (name, got, expect) in shares {
        assert!(near(got, expect), "{name}: got {got:?}, expected {expect:?}; {context}");
    }
    assert_eq!(report.levels[0].met, judged.met, "met; {context}");
    assert_eq!(figure.provable, judged.provable, "provable; {context}");
    let budget_s = figure.budget_s.0 as f64 / 1000.0;
    assert!((budget_s - judged.budget_s).abs() < 0.002, "budget; {context}");
    let left_s = figure.budget_left_s.0 as f64 / 1000.0;
    assert!((left_s - (judged.budget_s - judged.bad_s)).abs() < 0.002, "left; {context}");
    match judged.availability {
        None => assert_eq!(figure.availability_shown, "n/a", "{context}"),
        Some(pct) => {
            let shown: f64 = figure.availability_shown.parse().unwrap();
            assert!(shown <= pct + 1e-9 && pct - shown < 0.001 + 1e-9, "shown; {context}");
        }
    }
}

fn check_days(report: &Report, answer: &Answer, context: &str) {
    let days = &report.components[0].days;
    assert_eq!(days.len(), answer.days.len(), "days; {context}");
    for day in days {
        let parts =
            [day.up_s, day.degraded_s, day.down_s, day.excluded_s, day.unknown_s, day.outside_s];
        assert_eq!(parts.map(|ms| ms.0), answer.days[&day.date], "{}; {context}", day.date);
    }
}

fn check_counts(report: &Report, answer: &Answer, context: &str) {
    for (level, expect) in [(1, answer.success), (2, answer.response)] {
        match &report.levels[level].figure {
            Figure::Success(share) | Figure::ResponseTime(share) => {
                assert_eq!((share.good, share.total), expect, "share; {context}");
            }
            other => panic!("expected a share, got {other:?}"),
        }
    }
    match &report.levels[3].figure {
        Figure::Listing(time) => {
            assert_eq!(
                (time.exposed_s.0, time.list_s.0),
                (answer.exposed, answer.listed),
                "listing; {context}"
            );
        }
        other => panic!("expected listing, got {other:?}"),
    }
    assert_eq!(report.levels[3].met, Some(answer.exposed <= 36_000_000), "{context}");
    let json = serde_json::to_string(report).unwrap();
    let back: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json, "round trip; {context}");
}

#[test]
fn kept_worlds_agree() {
    for seed in KEPT {
        check(seed);
    }
}

#[test]
fn random_worlds_agree() {
    let cases = std::env::var("MAILWARD_WORLDS").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&any::<u64>(), |seed| {
            check(seed);
            Ok(())
        })
        .unwrap();
}

/// The drawing is only worth its name if the hard things come up.
#[test]
fn random_worlds_hold_what_is_hard() {
    let saw: Vec<Saw> = (1000..1080).map(check).collect();
    let count = |what: fn(&Saw) -> bool| saw.iter().filter(|s| what(s)).count();
    for (name, seen) in [
        ("lost quorum", count(|s| s.quorum_lost)),
        ("roster change", count(|s| s.roster_change)),
        ("split cap", count(|s| s.split_cap)),
        ("clock change", count(|s| s.clock_change)),
        ("outage", count(|s| s.outage)),
        ("outage carried in", count(|s| s.carried_in)),
        ("bounds apart", count(|s| s.unproven)),
    ] {
        assert!(seen >= 2, "{name}: seen in {seen} of {} worlds", saw.len());
    }
}
