//! Worked service-level cases through the command line: evidence is made of their intervals,
//! imported, and `report` must give the figures that were worked out by hand.

use std::fmt::Write as _;
use std::path::Path;

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use super::support::{run_ok, scratch, write};

type Interval = (i64, i64);

fn seconds(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("an instant, got {value}"));
    text.parse::<Timestamp>().unwrap_or_else(|e| panic!("{text}: {e}")).as_second()
}

fn intervals(value: &Value, open_end: i64) -> Vec<Interval> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|pair| {
            let end = if pair[1].is_null() { open_end } else { seconds(&pair[1]) };
            (seconds(&pair[0]), end)
        })
        .collect()
}

fn holds(intervals: &[Interval], at: i64) -> bool {
    intervals.iter().any(|(from, to)| (*from..*to).contains(&at))
}

fn instant(at: i64) -> String {
    Timestamp::from_second(at).expect("in range").to_string()
}

/// First and one-past-last second of a local month.
fn month_bounds(month: &str, zone: &str) -> Interval {
    let zone = TimeZone::get(zone).expect("a zone");
    let first: jiff::civil::Date = format!("{month}-01").parse().expect("a month");
    let start = |date: jiff::civil::Date| {
        date.to_zoned(zone.clone()).expect("a date").timestamp().as_second()
    };
    (start(first), start(first.saturating_add(1.month())))
}

/// What one agent saw: an outcome every minute and at each edge, none in a gap.
fn outcomes(agent: &str, from: i64, to: i64, down: &[Interval], gaps: &[Interval]) -> String {
    let mut instants: Vec<i64> = (from..to).step_by(60).collect();
    for (start, end) in down.iter().chain(gaps) {
        instants.extend([*start, *end]);
    }
    instants.retain(|at| (from..to).contains(at) && !holds(gaps, *at));
    instants.sort_unstable();
    instants.dedup();
    let mut text = String::new();
    for (index, at) in instants.iter().enumerate() {
        let next = instants.get(index + 1).copied().unwrap_or(at + 60);
        // in front of a gap an outcome speaks for what it says it will, and no longer
        let next_due_s = (next - at).min(60);
        let (verdict, reason) = match holds(down, *at) {
            true => ("down", json!("timeout")),
            false => ("up", Value::Null),
        };
        let record = json!({"v": 1, "kind": "outcome", "agent": agent, "probe": "p",
            "due": instant(*at), "attempt": 0, "next_due_s": next_due_s, "took_ms": 12.5,
            "verdict": verdict, "reason": reason, "phases": {}, "facts": {}});
        writeln!(text, "{record}").expect("write to a string");
    }
    text
}

fn roster(agent: &str, site: &str, at: i64) -> String {
    let record = json!({"v": 1, "kind": "roster", "agent": agent, "site": site,
        "at": instant(at), "probes": [{"id": "p", "every_s": 60}]});
    format!("{record}\n")
}

fn exclusion(id: usize, class: &str, window: Interval, announced: i64) -> String {
    let record = json!({"v": 1, "kind": "exclusion", "id": format!("X-{id}"), "class": class,
        "components": ["c"], "from": instant(window.0), "to": instant(window.1),
        "announced": instant(announced), "approved": instant(announced),
        "by": "service manager", "reason": "agreed"});
    format!("{record}\n")
}

/// The definition for a case, with what varies.
struct Definition<'a> {
    zone: &'a str,
    component: &'a str,
    level: String,
    more: String,
}

impl Definition<'_> {
    fn text(&self) -> String {
        format!(
            "[service]\nname = \"Worked\"\nzone = \"{}\"\n\n[[component]]\nid = \"c\"\nname = \"C\"\n{}\n\n\
             [[probe]]\nid = \"p\"\ncomponent = \"c\"\nkind = \"http\"\nurl = \"http://192.0.2.1/\"\n\
             every = \"60s\"\nconfirm = 1\n\n{}\n\n{}\n",
            self.zone, self.component, self.level, self.more
        )
    }
}

fn availability_level(target: &str, hours: &str) -> String {
    format!(
        "[[level]]\nid = \"l\"\ncomponent = \"c\"\nmeasure = \"availability\"\ntarget = \"{target}%\"\nhours = \"{hours}\"\n"
    )
}

const CORE: &str = "[hours.core]\ndaily = \"07:00-22:00\"\n";

/// Imports the evidence, reports the month, gives its first level.
fn level(definition: &str, evidence: &str, month: &str, now: i64) -> Value {
    report(definition, evidence, month, now)["levels"][0].clone()
}

fn report(definition: &str, evidence: &str, month: &str, now: i64) -> Value {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", definition);
    let file = write(scratch.path(), "evidence.ndjson", evidence);
    let data = scratch.path().join("data");
    import(&file, &data);
    run_report(&config, &data, &scratch.path().join("out"), month, now)
}

fn import(file: &Path, data: &Path) -> String {
    run_ok([Path::new("import"), file, Path::new("--data"), data])
}

/// The report, reckoned both ways: what the store keeps and raw outcomes must give the same
/// figures. The grounds tell of a run that goes back before the month from where each was read.
fn run_report(config: &Path, data: &Path, out: &Path, month: &str, now: i64) -> Value {
    let [kept, raw] = ["kept", "raw"].map(|from| run_from(from, config, data, out, month, now));
    let [figures, again] = [kept.clone(), raw].map(without_grounds);
    assert_eq!(figures, again, "{month} from what is kept, and from raw outcomes");
    kept
}

fn without_grounds(mut report: Value) -> Value {
    let levels = report["levels"].as_array_mut().expect("levels");
    for level in levels.iter_mut().filter_map(Value::as_object_mut) {
        level.remove("grounds");
    }
    report
}

fn run_from(from: &str, config: &Path, data: &Path, out: &Path, month: &str, now: i64) -> Value {
    let now = instant(now);
    run_ok([
        "report".as_ref(),
        "--month".as_ref(),
        month.as_ref(),
        "--from".as_ref(),
        from.as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
        "--formats".as_ref(),
        "json".as_ref(),
        "--now".as_ref(),
        now.as_ref(),
    ]);
    let text = std::fs::read_to_string(out.join("report.json")).expect("report.json");
    serde_json::from_str(&text).expect("report.json is JSON")
}

fn assert_same(name: &str, key: &str, got: &Value, expected: &Value) {
    let same = match (got.as_f64(), expected.as_f64()) {
        // the worked percentages are exact to six places
        (Some(got), Some(expected)) => (got - expected).abs() < 0.000_001,
        _ => got == expected,
    };
    assert!(same, "{name}: {key}: expected {expected}, got {got}");
}

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../cases/sla_cases.json")).expect("the worked cases")
}

fn case(name: &str) -> Value {
    cases().into_iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no case {name}"))
}

const LEVEL_KEYS: [&str; 8] = [
    "service_s",
    "excluded_s",
    "down_s",
    "unknown_s",
    "availability_pct",
    "availability_shown",
    "met",
    "coverage_pct",
];

/// Cases of one component, one agent: intervals of down, unknown and excluded time.
#[test]
fn intervals_become_the_worked_figures() {
    let names = [
        "boundary_local_not_utc_july",
        "spans_month_end_jan",
        "spans_month_end_feb",
        "outage_across_spring_forward",
        "ambiguous_local_times",
        "outage_partly_in_maintenance",
        "overlapping_maintenance_windows",
        "monitoring_gap_whole",
        "core_hours_after_dst_change",
        "onboarded_mid_month",
        "zero_denominator",
    ];
    for name in names {
        let case = case(name);
        let (input, expected) = (&case["input"], &case["expected"]);
        let (month, zone) = (text(&input["month"]), text(&input["tz"]));
        let (from, to) = month_bounds(month, zone);
        let down = intervals(&input["down"], to);
        let gaps = intervals(&input["unknown"], to);
        let mut evidence = roster("a", "internet", from - 7200);
        evidence += &outcomes("a", from - 3600, to + 3600, &down, &gaps);
        for (id, window) in intervals(&input["excluded"], to).into_iter().enumerate() {
            evidence += &exclusion(id, "third-party", window, window.0);
        }
        let since = input["service_from"]
            .as_str()
            .map_or(String::new(), |at| format!("since = \"{}\"", &at[..10]));
        let core = input["service_hours"].as_str().is_some_and(|h| h != "24x7");
        let target = input["target_pct"].as_str().unwrap_or("99.9");
        let definition = Definition {
            zone,
            component: &since,
            level: availability_level(target, if core { "core" } else { "24x7" }),
            more: CORE.to_owned(),
        };
        let level = level(&definition.text(), &evidence, month, to + 86_400);
        let mut compared = 0;
        for key in LEVEL_KEYS {
            if let Some(value) = expected.get(key) {
                assert_same(name, key, &level[key], value);
                compared += 1;
            }
        }
        assert!(compared >= 4, "{name}: only {compared} figures compared");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, got {value}"))
}

#[test]
fn lengths_of_months_follow_the_clock() {
    for name in [
        "month_seconds_2019_03_spring_forward",
        "month_seconds_2018_10_fall_back",
        "month_seconds_2020_02_leap",
    ] {
        let case = case(name);
        let (input, expected) = (&case["input"], &case["expected"]);
        let (month, zone) = (text(&input["month"]), text(&input["tz"]));
        let (from, to) = month_bounds(month, zone);
        let evidence = roster("a", "", from - 7200) + &outcomes("a", from, to, &[], &[]);
        let mut levels = String::new();
        for (id, hours) in [("whole", "24x7"), ("core", "core"), ("other", "not core")] {
            levels +=
                &availability_level("99.9", hours).replace("id = \"l\"", &format!("id = \"{id}\""));
        }
        let definition = Definition { zone, component: "", level: levels, more: CORE.to_owned() };
        let report = report(&definition.text(), &evidence, month, to + 86_400);
        let level = |i: usize, key: &str| &report["levels"][i][key];
        assert_same(name, "total_s", level(0, "service_s"), &expected["total_s"]);
        assert_same(name, "core_s", level(1, "service_s"), &expected["core_s"]);
        assert_same(name, "non_core_s", level(2, "service_s"), &expected["non_core_s"]);
        assert_same(name, "budget", level(0, "budget_s"), &expected["budget_s_at_99_9"]);
        assert_same(name, "period", &report["period"]["seconds"], &expected["total_s"]);
        assert_eq!(seconds(&report["period"]["from"]), seconds(&expected["start_utc"]), "{name}");
        assert_eq!(seconds(&report["period"]["to"]), seconds(&expected["end_utc"]), "{name}");
    }
}

#[test]
fn maintenance_counts_only_by_its_terms() {
    let case_cap = case("maintenance_cap_exceeded");
    let input = &case_cap["input"];
    let (month, zone) = (text(&input["month"]), text(&input["tz"]));
    let (from, to) = month_bounds(month, zone);
    let down = intervals(&input["down"], to);
    let mut evidence = roster("a", "", from - 7200) + &outcomes("a", from - 3600, to, &down, &[]);
    for (id, window) in intervals(&input["maintenance"], to).into_iter().enumerate() {
        evidence += &exclusion(id, "maintenance", window, from - 30 * 86_400);
    }
    let capped = Definition {
        zone,
        component: "",
        level: availability_level("99.9", "24x7"),
        more: "[maintenance]\ncap_per_month = \"4h\"\nnotice = \"5d\"\n".to_owned(),
    };
    let got = level(&capped.text(), &evidence, month, to + 86_400);
    for key in
        ["service_s", "excluded_s", "down_s", "availability_pct", "availability_shown", "met"]
    {
        assert_same("maintenance_cap_exceeded", key, &got[key], &case_cap["expected"][key]);
    }

    let case_notice = case("maintenance_short_notice");
    let input = &case_notice["input"];
    let planned = &input["maintenance"][0];
    let window = intervals(&json!([planned["window"]]), to)[0];
    let down = intervals(&input["down"], to);
    let evidence = roster("a", "", from - 7200)
        + &outcomes("a", from - 3600, to, &down, &[])
        + &exclusion(1, "maintenance", window, seconds(&planned["announced"]));
    let got = level(&capped.text(), &evidence, month, to + 86_400);
    let expected = &case_notice["expected"];
    for key in
        ["service_s", "excluded_s", "down_s", "availability_pct", "availability_shown", "met"]
    {
        assert_same("maintenance_short_notice", key, &got[key], &expected[key]);
    }
    for key in ["reason", "given_s", "needed_s"] {
        let refused = &got["rejected_exclusions"][0][key];
        assert_same("maintenance_short_notice", key, refused, &expected["rejected"][0][key]);
    }
}

#[test]
fn several_agents_agree_before_it_counts() {
    let vantage = |name: &str| {
        let case = case(name);
        let (from, to) = month_bounds("2019-02", "Europe/London");
        (case, from, to)
    };
    let (two, from, to) = vantage("two_vantage_points_overlap");
    let seen = &two["input"]["down_by_vantage"];
    let evidence: String = ["A", "B"]
        .iter()
        .map(|agent| {
            let down = intervals(&seen[*agent], to);
            roster(agent, agent, from - 7200) + &outcomes(agent, from - 3600, to, &down, &[])
        })
        .collect();
    for (rule, down_key, share_key) in [
        ("any", "any_down_s", "availability_any_pct"),
        ("all", "all_down_s", "availability_all_pct"),
    ] {
        let definition = Definition {
            zone: "Europe/London",
            component: &format!("site_rule = \"{rule}\""),
            level: availability_level("99.9", "24x7"),
            more: String::new(),
        };
        let got = level(&definition.text(), &evidence, "2019-02", to + 86_400);
        assert_same(rule, down_key, &got["down_s"], &two["expected"][down_key]);
        assert_same(rule, share_key, &got["availability_pct"], &two["expected"][share_key]);
    }

    for name in ["quorum_2_of_3", "quorum_lost_is_unknown_not_down"] {
        let (case, from, to) = vantage(name);
        let input = &case["input"];
        let evidence: String = ["A", "B", "C"]
            .iter()
            .map(|agent| {
                let down = intervals(&input["down_by_vantage"][*agent], to);
                let silent = intervals(&input["silent_by_vantage"][*agent], to);
                roster(agent, "x", from - 7200) + &outcomes(agent, from - 3600, to, &down, &silent)
            })
            .collect();
        let definition = Definition {
            zone: "Europe/London",
            component: "quorum = 2",
            level: availability_level("99.9", "24x7"),
            more: String::new(),
        };
        let got = level(&definition.text(), &evidence, "2019-02", to + 86_400);
        for key in ["down_s", "unknown_s"] {
            assert_same(name, key, &got[key], &case["expected"][key]);
        }
    }
}

#[test]
fn a_running_month_is_to_date() {
    let case = case("month_in_progress_open_outage");
    let (input, expected) = (&case["input"], &case["expected"]);
    let (from, _) = month_bounds("2019-02", "Europe/London");
    let now = seconds(&input["now"]);
    let down = intervals(&input["down"], now + 3600);
    // evidence of the future is there already, and must not be looked at
    let evidence = roster("a", "", from - 7200) + &outcomes("a", from, now + 1800, &down, &[]);
    let definition = Definition {
        zone: "Europe/London",
        component: "",
        level: availability_level("99.9", "24x7"),
        more: String::new(),
    };
    let report = report(&definition.text(), &evidence, "2019-02", now);
    let level = &report["levels"][0];
    assert_eq!(report["to_date"], true);
    assert_same("to date", "elapsed_s", &level["service_s"], &expected["elapsed_s"]);
    assert_same("to date", "down_s", &level["down_s"], &expected["down_s"]);
    let share = &expected["availability_to_date_pct"];
    assert_same("to date", "availability", &level["availability_pct"], share);
    assert_same("to date", "budget_s", &level["budget_s"], &expected["budget_s"]);
    assert_same("to date", "budget_left_s", &level["budget_left_s"], &expected["budget_left_s"]);
    assert_eq!(level["outages"][0]["still_open"], true);
}

#[test]
fn rounding_never_flatters() {
    let case = case("rounding_never_flatters");
    let (from, to) = month_bounds("2019-02", "Europe/London");
    let definition = Definition {
        zone: "Europe/London",
        component: "",
        level: availability_level("99.9", "24x7"),
        more: String::new(),
    };
    for (index, down_s) in [24, 2419, 2420].into_iter().enumerate() {
        let down = [(from + 86_400, from + 86_400 + down_s)];
        let evidence = roster("a", "", from - 7200) + &outcomes("a", from, to, &down, &[]);
        let got = level(&definition.text(), &evidence, "2019-02", to + 86_400);
        let expected = &case["expected"];
        assert_same("rounding", "pct", &got["availability_pct"], &expected["exact_pct"][index]);
        assert_same("rounding", "shown", &got["availability_shown"], &expected["shown"][index]);
        assert_same("rounding", "met", &got["met"], &expected["met"][index]);
    }
}

/// Import twice changes nothing; export and import into an empty store give the same report.
#[test]
fn evidence_survives_the_journey() {
    let scratch = scratch();
    let (from, to) = month_bounds("2019-02", "Europe/London");
    let down = [(from + 90_000, from + 93_000), (to - 600, to + 600)];
    let gaps = [(from + 200_000, from + 210_000)];
    let evidence = roster("a", "internet", from - 7200)
        + &outcomes("a", from - 3600, to + 3600, &down, &gaps)
        + &exclusion(1, "third-party", (from + 91_000, from + 92_000), from);
    let definition = Definition {
        zone: "Europe/London",
        component: "",
        level: availability_level("99.9", "24x7"),
        more: String::new(),
    };
    let config = write(scratch.path(), "probes.toml", &definition.text());
    let file = write(scratch.path(), "evidence.ndjson", &evidence);
    let (first, second) = (scratch.path().join("one"), scratch.path().join("two"));
    let said = import(&file, &first);
    assert!(said.contains("0 duplicates, 0 conflicts"), "{said}");
    let before = run_report(&config, &first, &scratch.path().join("o1"), "2019-02", to + 86_400);
    let said = import(&file, &first);
    let lines = evidence.lines().count();
    assert!(said.contains(&format!("0 accepted, {lines} duplicates, 0 conflicts")), "{said}");
    let again = run_report(&config, &first, &scratch.path().join("o2"), "2019-02", to + 86_400);
    assert_eq!(before, again, "importing twice changed the report");

    let exported = run_ok([Path::new("export"), Path::new("--data"), &first]);
    assert_eq!(exported.lines().count(), lines);
    let copy = write(scratch.path(), "copy.ndjson", &exported);
    import(&copy, &second);
    let moved = run_report(&config, &second, &scratch.path().join("o3"), "2019-02", to + 86_400);
    assert_eq!(before["levels"], moved["levels"], "export and import changed the figures");
    assert_eq!(before["components"], moved["components"]);
}
