//! The worked cases of `tests/cases/sla_cases.json`, each turned into outcomes a minute apart
//! (and at every edge) and judged whole.

mod measures;

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailward_catalogue::LevelHours;
use mailward_evidence::Verdict;
use mailward_reporter::availability::exact::allowance;
use mailward_reporter::clock::{Month, service_hours};
use mailward_reporter::interval::Span;
use mailward_reporter::report::model::{Availability, Figure, Report};
use mailward_reporter::report::{Tallies, build, period};
use mailward_reporter::timeline;
use serde_json::Value;

use crate::made;
use crate::tickets::core;
use crate::world::{Excluded, HoursDef, Policy, RosterDef, Seen, World};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/sla_cases.json"));
const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

struct Case {
    name: String,
    input: Value,
    expected: Value,
}

fn case(name: &str) -> Case {
    let all: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let found = all.iter().find(|case| case["name"] == name).expect(name);
    Case {
        name: name.to_owned(),
        input: found["input"].clone(),
        expected: found["expected"].clone(),
    }
}

fn ms(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond()
}

fn spans(value: &Value, open_end: i64) -> Vec<(i64, i64)> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let end = |value: &Value| if value.is_null() { open_end } else { ms(value) };
    list.iter().map(|pair| (ms(&pair[0]), end(&pair[1]))).collect()
}

fn text(value: &Value) -> &'static str {
    value.as_str().unwrap().to_owned().leak()
}

fn zone_span(month: &str, zone: &str) -> Span {
    month.parse::<Month>().unwrap().span(&TimeZone::get(zone).unwrap())
}

/// A month of one agent that sees nothing wrong and nothing else.
fn quiet(input: &Value) -> World {
    let month = text(&input["month"]);
    let zone = input["tz"].as_str().map_or("Europe/London", |_| text(&input["tz"]));
    let whole = zone_span(month, zone);
    let now = input["now"].as_str().map_or(whole.to_ms + DAY, |_| ms(&input["now"]));
    World {
        since: input["service_from"].as_str().map(|at| at[..10].to_owned()),
        hours: (input["service_hours"] == "07:00-22:00 daily").then(|| HoursDef {
            weekly: std::array::from_fn(|_| vec![(420, 1320)]),
            holidays: Vec::new(),
        }),
        target: input["target_pct"].as_str().map_or("99.9", |_| text(&input["target_pct"])),
        whole_streams: false,
        ..World::bare(zone, month, now)
    }
}

/// Has an agent look every minute and at every edge; it is silent where it is unknown.
fn look(world: &mut World, agent: usize, down: &[(i64, i64)], unknown: &[(i64, i64)]) {
    let whole = zone_span(world.month, world.zone);
    let (from, to) = (whole.from_ms - DAY, world.now.min(whole.to_ms + DAY));
    let mut dues: BTreeSet<i64> =
        (0..(to - from) / MINUTE).map(|minute| from + minute * MINUTE).collect();
    dues.extend(down.iter().chain(unknown).flat_map(|(from, to)| [*from, *to]));
    let within = |spans: &[(i64, i64)], at: i64| spans.iter().any(|(a, b)| *a <= at && at < *b);
    for due in dues.into_iter().filter(|due| *due < world.now && !within(unknown, *due)) {
        let verdict = if within(down, due) { Verdict::Down } else { Verdict::Up };
        world.outcomes.push(Seen::new((agent, 0), due, MINUTE, verdict));
    }
}

fn third_party(id: usize, from: i64, to: i64) -> Excluded {
    Excluded {
        id,
        third_party: true,
        from,
        to,
        announced: None,
        approved: Some(from),
        by: true,
        cancelled: false,
        ours: true,
    }
}

fn planned(id: usize, from: i64, to: i64, announced: i64) -> Excluded {
    let announced = Some(announced);
    Excluded { third_party: false, announced, ..third_party(id, from, to) }
}

fn judged(world: &World) -> (Report, Availability, Option<bool>) {
    let mut catalogue = made::catalogue(world);
    catalogue.levels.truncate(1);
    let month: Month = world.month.parse().unwrap();
    let within = period(&catalogue, month, world.now).unwrap();
    let evidence = made::evidence(world, (within.from_ms, within.to_ms));
    let report = build(&catalogue, month, &evidence, &Tallies::default(), world.now).unwrap();
    let level = report.levels[0].clone();
    match level.figure {
        Figure::Availability(figure) => (report, *figure, level.met),
        other => panic!("expected availability, got {other:?}"),
    }
}

/// Compares what the case names and report.json has.
fn compare(case: &Case, figure: &Availability, met: Option<bool>) {
    let name = &case.name;
    let seconds = |key: &str, got: i64| {
        if let Some(expect) = case.expected[key].as_f64() {
            assert!((got as f64 / 1000.0 - expect).abs() < 1e-9, "{name}: {key} is {got} ms");
        }
    };
    seconds("service_s", figure.service_s.0);
    seconds("excluded_s", figure.excluded_s.0);
    seconds("down_s", figure.down_s.0);
    seconds("unknown_s", figure.unknown_s.0);
    seconds("budget_s", figure.budget_s.0);
    seconds("budget_left_s", figure.budget_left_s.0);
    let pct = |key: &str, got: Option<f64>| match case.expected.get(key) {
        Some(Value::Null) => assert_eq!(got, None, "{name}: {key}"),
        Some(expect) => close(name, key, got.unwrap(), expect),
        None => {}
    };
    pct("availability_pct", figure.availability_pct);
    pct("availability_to_date_pct", figure.availability_pct);
    pct("coverage_pct", figure.coverage_pct);
    if let Some(shown) = case.expected["availability_shown"].as_str() {
        assert_eq!(figure.availability_shown, shown, "{name}");
    }
    if let Some(expect) = case.expected.get("met") {
        assert_eq!(met, expect.as_bool(), "{name}: met");
    }
}

fn close(name: &str, key: &str, got: f64, expect: &Value) {
    let expect = expect.as_f64().unwrap();
    assert!((got - expect).abs() <= 0.000_000_5 + 1e-12, "{name}: {key}: {got}, not {expect}");
}

fn of_intervals(case: &Case) -> World {
    let mut world = quiet(&case.input);
    let now = world.now;
    let (down, unknown) = (spans(&case.input["down"], now), spans(&case.input["unknown"], now));
    look(&mut world, 0, &down, &unknown);
    let excluded = spans(&case.input["excluded"], now);
    world.exclusions = excluded
        .into_iter()
        .enumerate()
        .map(|(id, (from, to))| third_party(id, from, to))
        .collect();
    world
}

#[test]
fn intervals() {
    for name in [
        "boundary_local_not_utc_july",
        "spans_month_end_jan",
        "spans_month_end_feb",
        "outage_across_spring_forward",
        "ambiguous_local_times",
        "outage_partly_in_maintenance",
        "overlapping_maintenance_windows",
        "monitoring_gap_whole",
        "core_hours_after_dst_change",
        "month_in_progress_open_outage",
        "onboarded_mid_month",
        "zero_denominator",
    ] {
        let case = case(name);
        let (report, figure, met) = judged(&of_intervals(&case));
        compare(&case, &figure, met);
        if let Some(elapsed_s) = case.expected["elapsed_s"].as_i64() {
            assert_eq!(report.period.seconds.0, elapsed_s * 1000, "{name}");
            assert!(report.to_date && figure.outages[0].still_open, "{name}");
        }
        if name == "zero_denominator" {
            assert!(!figure.provable);
        }
    }
}

#[test]
fn incidents_are_counted_where_they_start() {
    for name in ["spans_month_end_jan", "spans_month_end_feb"] {
        let case = case(name);
        let world = of_intervals(&case);
        let catalogue = made::catalogue(&world);
        let month = zone_span(world.month, world.zone);
        let window = Span::new(month.from_ms - DAY / 2, month.to_ms + DAY / 2);
        let evidence = made::evidence(&world, (window.from_ms, window.to_ms));
        let component = &catalogue.components[0];
        let down = timeline::component(&catalogue, component, &evidence, window, world.now).down();
        let count = |so: &dyn Fn(&Span) -> bool| down.spans().iter().filter(|s| so(s)).count();
        let started = count(&|span| month.contains(span.from_ms));
        let carried = count(&|span| span.from_ms < month.from_ms && span.to_ms > month.from_ms);
        assert_eq!(case.expected["incidents_started"], started, "{name}");
        let expect = case.expected.get("incidents_carried_in").map_or(0, |n| n.as_i64().unwrap());
        assert_eq!(expect, i64::try_from(carried).unwrap(), "{name}");
    }
}

#[test]
fn unknown_may_be_read_as_up_or_as_down() {
    let case = case("monitoring_gap_whole");
    for (policy, key) in [
        (Policy::Up, "availability_if_unknown_up_pct"),
        (Policy::Down, "availability_if_unknown_down_pct"),
    ] {
        let mut world = of_intervals(&case);
        world.unknown = policy;
        let (_, figure, _) = judged(&world);
        close(&case.name, key, figure.availability_pct.unwrap(), &case.expected[key]);
    }
}

#[test]
fn months_and_their_hours() {
    for name in [
        "month_seconds_2019_03_spring_forward",
        "month_seconds_2018_10_fall_back",
        "month_seconds_2020_02_leap",
    ] {
        let case = case(name);
        let zone = TimeZone::get("Europe/London").unwrap();
        let span = zone_span(text(&case.input["month"]), "Europe/London");
        assert_eq!(
            (span.from_ms, span.to_ms),
            (ms(&case.expected["start_utc"]), ms(&case.expected["end_utc"]))
        );
        let hours = |hours: LevelHours| {
            service_hours(&hours, Some(&core()), &zone, None, span).len_ms() / 1000
        };
        assert_eq!(case.expected["total_s"], span.len_ms() / 1000, "{name}");
        assert_eq!(case.expected["core_s"], hours(LevelHours::Named("core".into())), "{name}");
        assert_eq!(case.expected["non_core_s"], hours(LevelHours::Not("core".into())), "{name}");
        let (budget_ms, _) = allowance(span.len_ms().into(), 0, made::percent("99.9"), 1);
        assert_eq!(case.expected["budget_s_at_99_9"], budget_ms as f64 / 1000.0, "{name}");
    }
}

#[test]
fn maintenance_has_a_cap() {
    let case = case("maintenance_cap_exceeded");
    let mut world = quiet(&case.input);
    look(&mut world, 0, &spans(&case.input["down"], 0), &[]);
    let windows = spans(&case.input["maintenance"], 0);
    let asked: i64 = windows.iter().map(|(from, to)| (to - from) / 1000).sum();
    assert_eq!(case.expected["requested_exclusion_s"], asked);
    world.exclusions = windows
        .into_iter()
        .enumerate()
        .map(|(id, (from, to))| planned(id, from, to, from - 9 * DAY))
        .collect();
    world.cap_ms = case.input["maintenance_cap_s_per_month"].as_i64().map(|s| s * 1000);
    let (report, figure, met) = judged(&world);
    compare(&case, &figure, met);
    let [refused] = figure.rejected_exclusions.as_slice() else { panic!("{figure:?}") };
    assert_eq!((refused.id.as_str(), refused.reason.as_str()), ("MW-02", "cap"));
    assert!(report.exclusions.iter().all(|entry| entry.accepted));
}

#[test]
fn maintenance_needs_notice() {
    let case = case("maintenance_short_notice");
    let mut world = quiet(&case.input);
    look(&mut world, 0, &spans(&case.input["down"], 0), &[]);
    for window in case.input["maintenance"].as_array().unwrap() {
        let (from, to) = (ms(&window["window"][0]), ms(&window["window"][1]));
        let id = world.exclusions.len();
        world.exclusions.push(planned(id, from, to, ms(&window["announced"])));
    }
    world.notice_ms = case.input["min_notice_days"].as_i64().map(|days| days * DAY);
    let (report, figure, met) = judged(&world);
    compare(&case, &figure, met);
    let rejected = serde_json::to_value(&figure.rejected_exclusions).unwrap();
    for key in ["reason", "given_s", "needed_s"] {
        assert_eq!(rejected[0][key], case.expected["rejected"][0][key], "{key}");
    }
    assert!(!report.exclusions[0].accepted);
}

/// Vantage points as agents: at one site, or each at its own.
fn vantages(case: &Case, apart: bool) -> World {
    let mut world = quiet(&case.input);
    let whole = zone_span(world.month, world.zone);
    let down = case.input["down_by_vantage"].as_object().unwrap();
    for (agent, (name, list)) in down.iter().enumerate() {
        let silent = spans(&case.input["silent_by_vantage"][name], 0);
        look(&mut world, agent, &spans(list, 0), &silent);
        if apart {
            let at = whole.from_ms - DAY;
            world.rosters.push(RosterDef { agent, at, site: agent, probes: vec![0] });
        }
    }
    world
}

#[test]
fn vantage_points_are_never_added_up() {
    let case = case("two_vantage_points_overlap");
    for (apart, number, key) in
        [(false, 1, "any"), (false, 2, "all"), (true, 1, "any"), (true, 0, "all")]
    {
        let mut world = vantages(&case, apart);
        if apart {
            world.site_rule = number;
        } else {
            world.quorum = number;
        }
        let (_, figure, _) = judged(&world);
        assert_eq!(case.expected[format!("{key}_down_s")], figure.down_s.0 / 1000);
        let pct = format!("availability_{key}_pct");
        close(&case.name, &pct, figure.availability_pct.unwrap(), &case.expected[&pct]);
    }
}

#[test]
fn a_quorum_decides_and_its_loss_is_unknown() {
    for name in ["quorum_2_of_3", "quorum_lost_is_unknown_not_down"] {
        let case = case(name);
        let mut world = vantages(&case, false);
        world.quorum = u32::try_from(case.input["quorum"].as_u64().unwrap()).unwrap();
        let (_, figure, met) = judged(&world);
        compare(&case, &figure, met);
        world.quorum = 0;
        let (_, majority, _) = judged(&world);
        assert_eq!(majority, figure, "{name}: two is the majority of three");
    }
}

#[test]
fn rounding_never_flatters() {
    let case = case("rounding_never_flatters");
    for (i, down_s) in case.input["down_s"].as_array().unwrap().iter().enumerate() {
        let mut world = quiet(&case.input);
        let from = zone_span(world.month, world.zone).from_ms + 3 * DAY;
        look(&mut world, 0, &[(from, from + down_s.as_i64().unwrap() * 1000)], &[]);
        let (_, figure, met) = judged(&world);
        let exact = &case.expected["exact_pct"][i];
        close(&case.name, "exact_pct", figure.availability_pct.unwrap(), exact);
        assert_eq!(case.expected["shown"][i], figure.availability_shown);
        assert_eq!(case.expected["met"][i], met.unwrap());
    }
}

#[test]
fn every_case_is_tried() {
    let all: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let source = concat!(include_str!("cases.rs"), include_str!("cases/measures.rs"));
    for case in all {
        let name = case["name"].as_str().unwrap().to_owned();
        assert!(source.contains(&format!("\"{name}\"")), "{name} is not tried");
    }
}
