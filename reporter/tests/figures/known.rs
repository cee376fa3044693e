//! Rules in small, by hand: an hour or so of one or two agents, with sums that a reader can
//! follow with a finger. Times are minutes after the first instant of February 2019, in UTC.

use mailward_evidence::Verdict::{self, Degraded, Down, Unknown, Up};
use mailward_reporter::clock::Month;
use mailward_reporter::report::model::{Availability, Figure, Report};
use mailward_reporter::report::{ReportError, Tallies, build, period};
use mailward_reporter::segment::Evidence;
use serde_json::json;

use crate::made;
use crate::world::{ProbeDef, RosterDef, Seen, World};

const MINUTE: i64 = 60_000;
/// 2019-02-01T00:00:00Z.
const START: i64 = 1_548_979_200_000;

/// A month that is `minutes` old; failures count from `confirm` on.
fn world(minutes: i64, confirm: u32) -> World {
    World {
        probes: vec![plain(confirm)],
        ..World::bare("Etc/UTC", "2019-02", START + minutes * MINUTE)
    }
}

fn plain(confirm: u32) -> ProbeDef {
    ProbeDef { confirm, advisory: false, mail: false }
}

/// An agent sees `seen` at the minutes named, each due again after ten.
fn look(world: &mut World, agent: usize, probe: usize, seen: &[(i64, Verdict)]) {
    for (minute, verdict) in seen {
        let due = START + minute * MINUTE;
        world.outcomes.push(Seen::new((agent, probe), due, 10 * MINUTE, *verdict));
    }
}

fn judged(world: &World) -> (Report, Availability) {
    let mut catalogue = made::catalogue(world);
    catalogue.levels.truncate(1);
    let month: Month = world.month.parse().unwrap();
    let span = period(&catalogue, month, world.now).unwrap();
    let evidence = made::evidence(world, (span.from_ms, span.to_ms));
    let report = build(&catalogue, month, &evidence, &Tallies::default(), world.now).unwrap();
    let Figure::Availability(figure) = report.levels[0].figure.clone() else {
        panic!("expected availability")
    };
    (report, *figure)
}

#[derive(Debug, Default, PartialEq)]
struct Minutes {
    down: i64,
    unknown: i64,
    degraded: i64,
    shortest: i64,
    longest: i64,
    blips: u64,
}

fn check(world: &World, expect: &Minutes) {
    let (_, figure) = judged(world);
    let sum = |part: fn(&mailward_reporter::report::model::Outage) -> i64| {
        figure.outages.iter().map(part).sum::<i64>() / MINUTE
    };
    let got = Minutes {
        down: figure.down_s.0 / MINUTE,
        unknown: figure.unknown_s.0 / MINUTE,
        degraded: figure.degraded_s.0 / MINUTE,
        shortest: sum(|outage| outage.at_least_s.0),
        longest: sum(|outage| outage.at_most_s.0),
        blips: figure.blips,
    };
    assert_eq!(&got, expect);
}

#[test]
fn an_outcome_speaks_until_the_next_or_for_its_interval() {
    let mut w = world(100, 1);
    // 0 to 30 exactly three intervals; 30 to 61 one more than that, so 40 to 61 is silent
    look(&mut w, 0, 0, &[(0, Up), (30, Up), (61, Up)]);
    // 61 speaks for ten minutes, and nothing until now
    check(&w, &Minutes { unknown: 21 + 29, ..Minutes::default() });
    w.now = START + 91 * MINUTE;
    check(&w, &Minutes { unknown: 21, ..Minutes::default() });
}

#[test]
fn a_month_begins_with_what_was_said_before_it() {
    let mut w = world(60, 1);
    look(&mut w, 0, 0, &[(-20, Up), (-5, Down), (5, Down), (20, Up), (50, Up)]);
    // the run began before the month: its last failure is at 5
    check(&w, &Minutes { down: 20, shortest: 5, longest: 20, ..Minutes::default() });
    let mut w = world(60, 1);
    look(&mut w, 0, 0, &[(-31, Down), (5, Down), (20, Up), (50, Up)]);
    // what was said 31 minutes before holds for ten only, and the month begins unknown
    check(&w, &Minutes { down: 15, unknown: 5, shortest: 0, longest: 20, ..Minutes::default() });
}

#[test]
fn silence_and_unknown_neither_count_nor_break_a_run() {
    let mut w = world(120, 3);
    look(&mut w, 0, 0, &[(0, Up), (10, Down), (20, Unknown), (30, Down), (70, Down), (80, Up)]);
    // 10-20 and 30-40 and 70-80 down; 20-30 unknown, 40-70 silent, and 90-120 by rule 2
    check(
        &w,
        &Minutes { down: 30, unknown: 40 + 30, shortest: 20, longest: 0, ..Minutes::default() }
            .with_longest(&[80, 80, 80]),
    );
}

impl Minutes {
    /// Each outage is told with the whole interval around it in the longest reading.
    fn with_longest(mut self, each: &[i64]) -> Self {
        self.longest = each.iter().sum();
        self
    }
}

#[test]
fn fewer_failures_than_confirm_are_a_blip_and_speak_up() {
    let mut w = world(60, 3);
    look(&mut w, 0, 0, &[(0, Up), (10, Down), (20, Down), (30, Up), (40, Down), (50, Down)]);
    // the second pair still runs at now, and is a blip as well
    check(&w, &Minutes { blips: 2, ..Minutes::default() });
    look(&mut w, 0, 0, &[(55, Down)]);
    check(&w, &Minutes { down: 20, shortest: 15, longest: 30, blips: 1, ..Minutes::default() });
    // one failure before the month makes it the third of its run
    let mut w = world(60, 3);
    look(&mut w, 0, 0, &[(-10, Down), (0, Down), (10, Down), (20, Up), (40, Up)]);
    check(&w, &Minutes { down: 20, shortest: 10, longest: 20, ..Minutes::default() });
}

#[test]
fn two_outcomes_at_one_instant_both_count() {
    let mut w = world(30, 2);
    look(&mut w, 0, 0, &[(0, Up), (10, Down), (10, Down), (20, Up)]);
    for (attempt, seen) in w.outcomes.iter_mut().filter(|s| s.verdict == Down).enumerate() {
        seen.attempt = u32::try_from(attempt).unwrap();
    }
    check(&w, &Minutes { down: 10, shortest: 0, longest: 20, ..Minutes::default() });
}

#[test]
fn an_advisory_failure_is_degraded_and_ends_a_run() {
    let mut w = world(40, 1);
    w.probes[0].advisory = true;
    look(&mut w, 0, 0, &[(0, Up), (10, Down), (20, Down), (30, Up)]);
    check(&w, &Minutes { degraded: 20, ..Minutes::default() });
}

#[test]
fn a_site_without_its_quorum_is_unknown() {
    let mut w = world(60, 1);
    for agent in 0..2 {
        w.rosters.push(RosterDef { agent, at: START, site: 0, probes: vec![0] });
    }
    look(&mut w, 0, 0, &[(0, Up), (20, Down), (40, Up)]);
    look(&mut w, 1, 0, &[(0, Up), (30, Down), (40, Up)]);
    // of two, both must agree: only from 30 to 40
    check(&w, &Minutes { down: 10, shortest: 0, longest: 40, ..Minutes::default() });
    // the second agent never speaks, though its roster says it should
    w.outcomes.retain(|seen| seen.agent == 0);
    check(&w, &Minutes { unknown: 60, ..Minutes::default() });
    // it moves to a site of its own after 20 minutes: each site has its own quorum
    w.rosters.push(RosterDef { agent: 1, at: START + 20 * MINUTE, site: 1, probes: vec![0] });
    // down at one site is down, and beside an unknown site the other's up is not enough
    check(&w, &Minutes { down: 20, unknown: 40, shortest: 0, longest: 20, ..Minutes::default() });
    // it is retired instead
    w.rosters.push(RosterDef { agent: 1, at: START + 20 * MINUTE, site: 1, probes: Vec::new() });
    w.rosters.remove(2);
    check(&w, &Minutes { down: 20, unknown: 20, shortest: 0, longest: 20, ..Minutes::default() });
}

#[test]
fn a_probe_on_nobodys_roster_is_not_counted() {
    let mut w = world(30, 1);
    w.probes.push(plain(1));
    look(&mut w, 0, 0, &[(0, Up), (10, Up), (20, Up)]);
    check(&w, &Minutes::default());
    // from minute 10 the second probe is due, and silent
    w.rosters.push(RosterDef { agent: 0, at: START + 10 * MINUTE, site: 0, probes: vec![0, 1] });
    check(&w, &Minutes { unknown: 20, ..Minutes::default() });
    // nothing is due at all: unknown, not up
    w.rosters.push(RosterDef { agent: 0, at: START + 20 * MINUTE, site: 0, probes: Vec::new() });
    check(&w, &Minutes { unknown: 20, ..Minutes::default() });
}

#[test]
fn degraded_is_told_where_its_own_probe_is_up() {
    let mut w = world(30, 1);
    w.rule = 2;
    w.probes.push(plain(1));
    w.rosters.push(RosterDef { agent: 0, at: START, site: 0, probes: vec![0, 1] });
    w.rosters.push(RosterDef { agent: 1, at: START, site: 0, probes: vec![0] });
    w.quorum = 1;
    // probe 0: one agent says down, the other degraded, and one down is enough for its site
    look(&mut w, 0, 0, &[(0, Up), (10, Down), (20, Up)]);
    look(&mut w, 1, 0, &[(0, Degraded), (10, Degraded), (20, Up)]);
    look(&mut w, 0, 1, &[(0, Up), (10, Up), (20, Up)]);
    // both must be down for the component, so it is up throughout
    check(&w, &Minutes { degraded: 10, ..Minutes::default() });
}

#[test]
fn the_report_says_what_the_contract_says() {
    let mut w = world(0, 1);
    w.now = 1_554_854_400_000; // 2019-04-10
    w.zone = "Europe/London";
    for minute in -60..28 * 24 * 60 + 60 {
        let verdict = if (6000..6060).contains(&minute) { Down } else { Up };
        look(&mut w, 0, 0, &[(minute, verdict)]);
    }
    for seen in &mut w.outcomes {
        seen.next = MINUTE;
    }
    let (report, _) = judged(&w);
    let json = serde_json::to_value(&report).unwrap();
    let level = &json["levels"][0];
    for (key, expect) in [
        ("measure", json!("availability")),
        ("component", json!("c")),
        ("hours", json!("24x7")),
        ("target_pct", json!("99.9")),
        ("service_s", json!(2_419_200)),
        ("excluded_s", json!(0)),
        ("down_s", json!(3600)),
        ("unknown_s", json!(0)),
        ("degraded_s", json!(0)),
        ("availability_shown", json!("99.851")),
        ("met", json!(false)),
        ("provable", json!(true)),
        ("coverage_pct", json!(100.0)),
        ("budget_s", json!(2419.2)),
        ("budget_left_s", json!(-1180.8)),
        ("blips", json!(0)),
        ("rejected_exclusions", json!([])),
    ] {
        assert_eq!(level[key], expect, "{key}");
    }
    for (key, expect) in
        [("availability_pct", 99.851_190), ("low_pct", 99.848_710), ("high_pct", 99.853_671)]
    {
        let got = level[key].as_f64().unwrap();
        assert!((got - expect).abs() < 0.000_000_5, "{key}: {got}");
    }
    let outage = &level["outages"][0];
    for (key, expect) in [
        ("from", json!("2019-02-05T04:00:00Z")),
        ("to", json!("2019-02-05T05:00:00Z")),
        ("down_s", json!(3600)),
        ("at_least_s", json!(3540)),
        ("at_most_s", json!(3660)),
        ("still_open", json!(false)),
        ("probes", json!(["probe-0"])),
    ] {
        assert_eq!(outage[key], expect, "{key}");
    }
    assert_eq!(json["as_of"], "2019-04-10T00:00:00Z");
    assert_eq!(
        json["period"],
        json!({
            "from": "2019-02-01T00:00:00Z", "to": "2019-03-01T00:00:00Z", "seconds": 2_419_200
        })
    );
    assert_eq!((&json["to_date"], &json["edition"]), (&json!(false), &json!(null)));
    assert!(!json.to_string().contains("agent-0"), "names of agents are for operators");
}

#[test]
fn what_counts_for_nothing_is_said() {
    let mut w = world(30, 1);
    look(&mut w, 0, 0, &[(0, Up), (10, Up), (20, Up)]);
    w.probes.push(plain(1));
    look(&mut w, 0, 1, &[(0, Down)]);
    let mut catalogue = made::catalogue(&w);
    catalogue.levels.truncate(1);
    catalogue.probes.truncate(1);
    let evidence = made::evidence(&w, (START, w.now));
    let month: Month = "2019-02".parse().unwrap();
    let report = build(&catalogue, month, &evidence, &Tallies::default(), w.now).unwrap();
    assert_eq!(
        report.method.notes,
        ["There is evidence of a probe probe-1, which the definition does not name: it counts \
         for nothing."]
    );
    assert_eq!(report.levels[0].met, Some(true));
}

#[test]
fn a_month_that_has_not_begun_has_no_report() {
    let catalogue = made::catalogue(&world(1, 1));
    for (month, now, refused) in
        [("2019-02", START, true), ("2019-02", START + 1, false), ("2019-03", START + 1, true)]
    {
        let month: Month = month.parse().unwrap();
        let report = build(&catalogue, month, &Evidence::default(), &tallies(), now);
        match report {
            Err(error) => {
                assert!(refused && error == ReportError::NotBegun { month }, "{month}: {error}");
                let text = "expected a month that has begun, got ";
                assert!(error.to_string().starts_with(text));
            }
            Ok(_) => assert!(!refused, "{month}"),
        }
    }
}

fn tallies() -> Tallies {
    use mailward_reporter::report::Tally::{Deliveries, Runs};
    let none = |id: &str| (id.to_owned(), Runs { good: 0, total: 0 });
    let mails = ("delivery".to_owned(), Deliveries(Vec::new()));
    Tallies { by_level: [none("success"), none("response"), mails].into() }
}
