//! Evidence, definitions and months that cannot be meant: each is refused with the record's id or
//! its place, or read as docs/evidence.md says, and no figure is wrong in silence.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::support::{run, run_ok, scratch, write};

const DEFINITION: &str = r#"
[service]
name = "Leap"
zone = "Europe/London"

[[component]]
id = "c"
since = "2020-02-29"

[[component]]
id = "whole"

[[probe]]
id = "p"
component = "c"
kind = "http"
url = "http://192.0.2.1/"
every = "1h"

[[probe]]
id = "q"
component = "whole"
kind = "http"
url = "http://192.0.2.1/"
every = "1h"

[hours.core]
daily = "07:00-22:00"
holidays = ["2020-02-29"]

[[level]]
id = "since"
component = "c"
measure = "availability"
target = "99.9%"

[[level]]
id = "core"
component = "whole"
measure = "availability"
target = "99.9%"
hours = "core"

[[level]]
id = "tickets"
measure = "resolution"
severity = "2"
target = "100%"
within = "48h"
"#;

#[track_caller]
fn expect(output: &Output, texts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(64), "{said}");
    for text in texts {
        assert!(said.contains(text), "expected {text:?} in:\n{said}");
    }
}

fn up(probe: &str, due: &str) -> Value {
    json!({"v": 1, "kind": "outcome", "agent": "a", "probe": probe, "due": due, "attempt": 0,
        "next_due_s": 3600, "took_ms": 12.5, "verdict": "up", "reason": null,
        "phases": {}, "facts": {}})
}

/// The record with some fields changed.
fn with(mut record: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().expect("an object") {
        record[key] = value.clone();
    }
    record
}

fn exclusion(id: &str) -> Value {
    json!({"v": 1, "kind": "exclusion", "id": id, "class": "third-party", "components": ["c"],
        "from": "2020-02-29T10:00:00Z", "to": "2020-02-29T12:00:00Z",
        "approved": "2020-02-20T00:00:00Z", "by": "service manager"})
}

fn ticket(id: &str, events: Value) -> Value {
    json!({"v": 1, "kind": "ticket", "id": id, "severity": "2",
        "opened": "2020-02-03T00:00:00Z", "events": events})
}

fn count() -> Value {
    json!({"v": 1, "kind": "count", "series": "calls", "from": "2020-02-01T00:00:00Z",
        "to": "2020-02-02T00:00:00Z", "good": 1, "total": 2})
}

#[test]
fn a_record_that_cannot_be_meant_is_refused_by_its_id_and_nothing_of_the_file_is_kept() {
    let cases = [
        (
            with(exclusion("MW-1"), json!({"to": "2020-02-29T09:59:59Z"})),
            "exclusion MW-1: expected it to end after it starts, got from 2020-02-29T10:00:00Z",
        ),
        (
            with(exclusion("MW-2"), json!({"to": "2020-02-29T10:00:00Z"})),
            "exclusion MW-2: expected it to end after it starts",
        ),
        (
            with(exclusion("MW-3"), json!({"components": []})),
            "exclusion MW-3: expected at least one component",
        ),
        (
            ticket("INC1", json!([{"at": "2020-02-02T23:59:59Z", "what": "resolved"}])),
            "ticket INC1: the event at 2020-02-02T23:59:59Z lies before it was opened",
        ),
        (
            with(count(), json!({"good": 3})),
            "count calls from 2020-02-01T00:00:00Z: expected good at most total, got 3 of 2",
        ),
        (
            with(count(), json!({"to": "2020-02-01T00:00:00Z"})),
            "count calls from 2020-02-01T00:00:00Z: expected it to end after it starts",
        ),
        (with(count(), json!({"good": -1})), "count: "),
        (up("p", "2019-02-29T00:00:00Z"), "expected an instant as 2019-02-01T00:00:00Z"),
        (up("p", "2020-02-30T00:00:00Z"), "expected an instant as"),
        (up("p", "2020-02-01T00:00:00"), "expected an instant as"),
        (up("p", "3000-01-01T00:00:00Z"), "expected an instant between 1678 and 2261"),
        (with(up("p", "2020-02-01T00:00:00Z"), json!({"next_due_s": 0})), "next_due_s: expected"),
        (with(up("p", "2020-02-01T00:00:00Z"), json!({"next_due_s": -60})), "next_due_s: expected"),
        (with(up("p", "2020-02-01T00:00:00Z"), json!({"took_ms": -1})), "took_ms: expected"),
        (with(up("p", "2020-02-01T00:00:00Z"), json!({"attempt": -1})), "outcome: "),
        (with(up("p", "2020-02-01T00:00:00Z"), json!({"verdict": "fine"})), "`fine`"),
    ];
    for (record, text) in cases {
        let scratch = scratch();
        let good = up("p", "2020-02-01T00:00:00Z");
        let file = write(scratch.path(), "evidence.ndjson", &format!("{good}\n{record}\n"));
        let data = scratch.path().join("data");
        let args = [Path::new("import"), &file, Path::new("--data"), &data];
        expect(&run(args), &["evidence.ndjson:2: ", text]);
        assert_eq!(run_ok([Path::new("export"), Path::new("--data"), &data]), "", "{record}");
    }
}

/// What is odd but can be meant, as the report reads it.
#[test]
fn odd_evidence_is_read_as_documented_and_said() {
    let scratch = scratch();
    let mut evidence = String::new();
    let hours = (0..30 * 24).map(|hour| 1_580_515_200 + hour * 3600 - 12 * 3600);
    for at in hours {
        let due = jiff::Timestamp::from_second(at).expect("in range").to_string();
        for probe in ["p", "q", "gone"] {
            writeln!(evidence, "{}", up(probe, &due)).expect("write to a string");
        }
    }
    let out_of_order = json!([
        {"at": "2020-02-05T00:00:00Z", "what": "resolved"},
        {"at": "2020-02-03T06:00:00Z", "what": "paused"},
        {"at": "2020-02-04T00:00:00Z", "what": "resumed"},
        {"at": "2020-02-06T00:00:00Z", "what": "paused"},
    ]);
    let resolved = json!([{"at": "2020-02-03T01:00:00Z", "what": "resolved"}]);
    for record in [
        with(exclusion("unnamed"), json!({"by": null})),
        with(exclusion("blank"), json!({"by": "  "})),
        with(exclusion("unapproved"), json!({"approved": null})),
        with(exclusion("elsewhere"), json!({"components": ["portal", "mobile"]})),
        with(exclusion("withdrawn"), json!({"components": ["portal"], "cancelled": true})),
        ticket("INC1", out_of_order),
        with(ticket("INC2", resolved), json!({"component": "portal"})),
    ] {
        writeln!(evidence, "{record}").expect("write to a string");
    }
    let report = report(scratch.path(), &evidence, "2020-02", "2020-04-01T00:00:00Z");
    assert_eq!(report["period"]["seconds"], 29 * 86_400);

    // service begins on the 29th, and none of the exclusions without both name and approval counts
    let since = &report["levels"][0];
    assert_eq!((&since["service_s"], &since["excluded_s"]), (&json!(86_400), &json!(0)));
    let refused = since["rejected_exclusions"].as_array().expect("a list");
    let refused: Vec<(&str, &str)> = refused
        .iter()
        .map(|r| (r["id"].as_str().expect("an id"), r["reason"].as_str().expect("a reason")))
        .collect();
    assert_eq!(
        refused,
        [("blank", "approval"), ("unapproved", "approval"), ("unnamed", "approval")]
    );
    // no hours begin on the holiday, which is the 29th
    assert_eq!(report["levels"][1]["service_s"], 28 * 15 * 3600);

    // events are taken in order of time: 6 h until the pause, 24 h after it
    let tickets = &report["levels"][2]["tickets"];
    assert_eq!((&tickets[0]["id"], &tickets[0]["used_s"]), (&json!("INC1"), &json!(30 * 3600)));
    assert_eq!(tickets[0]["paused_s"], 18 * 3600);
    assert_eq!(tickets[0]["ignored"], json!(["paused at 2020-02-06T00:00:00Z: it was resolved"]));
    assert_eq!(tickets[1]["id"], "INC2");

    assert_eq!(
        report["method"]["notes"],
        json!([
            "There is evidence of a probe gone, which the definition does not name: it counts for \
             nothing.",
            "The definition names no component mobile: for it, exclusion elsewhere counts for \
             nothing.",
            "The definition names no component portal: for it, exclusion elsewhere counts for \
             nothing.",
            "The definition names no component portal: ticket INC2 counts only where a level takes \
             tickets of all components.",
        ])
    );
}

fn report(directory: &Path, evidence: &str, month: &str, now: &str) -> Value {
    let config = write(directory, "probes.toml", DEFINITION);
    let file = write(directory, "evidence.ndjson", evidence);
    let (data, out) = (directory.join("data"), directory.join("out"));
    run_ok([Path::new("import"), &file, Path::new("--data"), &data]);
    let output = asked(&config, &data, &out, month, now);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(out.join("report.json")).expect("report.json");
    serde_json::from_str(&text).expect("report.json is JSON")
}

fn asked(config: &Path, data: &Path, out: &Path, month: &str, now: &str) -> Output {
    run([
        "report".as_ref(),
        "--month".as_ref(),
        month.as_ref(),
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
    ])
}

#[test]
fn months_that_are_none_and_months_to_come() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let (data, out) = (scratch.path().join("data"), scratch.path().join("out"));
    let asked = |month: &str, now: &str| asked(&config, &data, &out, month, now);
    for month in
        ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "2201-01", "1899-12", "+026-1", ""]
    {
        let text = format!("from 1900-01 to 2200-12, got {month:?}");
        expect(&asked(month, "2026-11-01T00:00:00Z"), &[&text]);
    }
    for (month, now) in [
        ("2026-11", "2026-10-31T12:00:00Z"),
        // its first instant is not enough: nothing has passed yet
        ("2026-11", "2026-11-01T00:00:00Z"),
        ("2200-12", "2026-11-01T00:00:00Z"),
    ] {
        let text = format!("expected a month that has begun, got {month}");
        expect(&asked(month, now), &[&text]);
    }
    for now in ["2026-02-29T00:00:00Z", "9999-01-01T00:00:00Z", "2026-11-01", "now"] {
        expect(&asked("2026-10", now), &["--now: expected an instant"]);
    }
    assert!(!out.exists(), "nothing is written for a month that cannot be reported");
    // the first and the last month there are, of which nobody knows anything
    for (month, now) in [("1900-01", "2026-11-01T00:00:00Z"), ("2200-12", "2201-02-01T00:00:00Z")] {
        let output = asked(month, now);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(out.join("report.json")).expect("report.json");
        let report: Value = serde_json::from_str(&text).expect("report.json is JSON");
        assert_eq!(report["period"]["seconds"], 31 * 86_400, "{month}");
        let core = &report["levels"][1];
        let figures = (&core["met"], &core["availability_shown"], &core["provable"]);
        assert_eq!(figures, (&Value::Null, &json!("n/a"), &json!(false)), "{month}");
    }
}

#[test]
fn a_definition_that_cannot_be_meant_is_refused_at_its_place() {
    for (from, to, text) in [
        ("Europe/London", "Europe/Londn", "did you mean \"Europe/London\"?"),
        ("daily = \"07:00-22:00\"", "daily = []", "[hours.core] covers nothing"),
        ("daily = \"07:00-22:00\"", "sat = []\nsun = []", "[hours.core] covers nothing"),
        ("[\"2020-02-29\"]", "[\"2019-02-29\"]", "a date that the calendar has; got"),
        ("since = \"2020-02-29\"", "since = \"2100-02-29\"", "a date that the calendar has; got"),
        ("07:00-22:00", "07:00-07:00", "a span that has a length"),
    ] {
        let scratch = scratch();
        let text_of = DEFINITION.replace(from, to);
        assert_ne!(text_of, DEFINITION);
        let config = write(scratch.path(), "probes.toml", &text_of);
        let output = run(["check".as_ref(), "--config".as_ref(), config.as_os_str()]);
        expect(&output, &["probes.toml:", text]);
    }
    let never = DEFINITION
        .replace(
            "\"07:00-22:00\"\nholidays = [\"2020-02-29\"]",
            "[\"00:00-12:00\", \"12:00-24:00\"]",
        )
        .replace("hours = \"core\"", "hours = \"not core\"");
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", &never);
    let output = run(["check".as_ref(), "--config".as_ref(), config.as_os_str()]);
    expect(&output, &["leaves out nothing, so that \"not core\" is never"]);
}
