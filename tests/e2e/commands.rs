//! The command line with bad input: each fault is said with its place and what was expected,
//! ends with the documented exit code, and leaves everything as it was.

use std::path::Path;
use std::process::Output;

use super::support::{Running, free_port, get, http, run, run_ok, scratch, wait_for, write};

const DEFINITION: &str = r#"
[service]
name = "Test"
zone = "Europe/London"

[[component]]
id = "web"
name = "Web"

[[probe]]
id = "front"
component = "web"
kind = "http"
url = "http://127.0.0.1:9/"
every = "60s"

[[level]]
id = "web-availability"
component = "web"
measure = "availability"
target = "99.9%"
"#;

fn said(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn expect(output: &Output, code: i32, texts: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for text in texts {
        assert!(said.contains(text), "expected {text:?} in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn check(definition: &str) -> Output {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", definition);
    run(["check".as_ref(), "--config".as_ref(), config.as_os_str()])
}

#[test]
fn check_tells_every_fault_with_its_place() {
    expect(&check(DEFINITION), 0, &["1 component, 1 probe, 1 level; no errors"]);
    let broken = DEFINITION
        .replace("zone = \"Europe/London\"", "zone = \"Europe/Londn\"")
        .replace("kind = \"http\"", "kind = \"htpp\"")
        .replace("99.9%", "99.9");
    let output = check(&broken);
    expect(&output, 64, &[":4:", "Europe/Londn", "htpp", "http", "99.9"]);
    let faults = said(&output).lines().filter(|l| l.contains("probes.toml:")).count();
    assert!(faults >= 3, "{}", said(&output));
    expect(&check("[service\nname = 1\n"), 64, &["probes.toml:1:"]);
    let missing = run(["check", "--config", "/nowhere/probes.toml"]);
    expect(&missing, 64, &["/nowhere/probes.toml"]);
}

#[test]
fn check_finds_a_missing_secret_without_showing_one() {
    let definition = DEFINITION.replace(
        "kind = \"http\"\nurl = \"http://127.0.0.1:9/\"",
        "kind = \"owa\"\nurl = \"https://127.0.0.1:9/owa/\"\ncredential = \"a\"",
    ) + "\n[[credential]]\nid = \"a\"\nusername = \"u\"\npassword = { file = \"/nowhere/secret\" }\n";
    expect(&check(&definition), 0, &["warning", "/nowhere/secret"]);
    let inline = definition.replace("{ file = \"/nowhere/secret\" }", "\"hunter2\"");
    let output = check(&inline);
    expect(&output, 64, &["file", "env"]);
    assert!(!said(&output).contains("hunter2"), "{}", said(&output));
}

#[test]
fn usage_faults_end_with_64() {
    expect(&run(["frobnicate"]), 64, &["frobnicate"]);
    expect(&run(["report", "--month", "2026-13"]), 64, &["2026-13"]);
    expect(&run(["agent", "--reporter", "ftp://x/", "--config", "/nowhere"]), 64, &["/nowhere"]);
    for command in [
        "up",
        "agent",
        "reporter",
        "probe",
        "check",
        "import",
        "export",
        "report",
        "publish",
        "verify",
        "editions",
        "keys",
        "distribution",
        "notifications",
        "agents",
        "schema",
        "completions",
        "man",
    ] {
        let help = run_ok([command, "--help"]);
        assert!(help.contains("Example"), "{command} --help has no example:\n{help}");
    }
}

#[test]
fn import_is_whole_or_not_at_all() {
    let scratch = scratch();
    let good = r#"{"v":1,"kind":"outcome","agent":"a","probe":"front","due":"2026-10-01T00:00:00Z","attempt":0,"next_due_s":60,"took_ms":1,"verdict":"up","reason":null,"phases":{},"facts":{}}"#;
    let data = scratch.path().join("data");
    for (bad, expected) in [
        (r#"{"v":1,"kind":"outcome","agent":"a""#, "EOF"),
        (r#"{"v":2,"kind":"outcome"}"#, "v = 2"),
        (r#"{"v":1,"kind":"outkome"}"#, "outkome"),
        (
            r#"{"v":1,"kind":"count","series":"s","from":"2026-10-01T00:00:00Z","to":"2026-10-02T00:00:00Z","good":2,"total":1}"#,
            "good at most total",
        ),
        ("\u{fffd}\u{fffd}", "expected"),
    ] {
        let file = write(scratch.path(), "bad.ndjson", &format!("{good}\n{bad}\n"));
        let output = run([Path::new("import"), &file, Path::new("--data"), &data]);
        expect(&output, 64, &[&format!("{}:2: ", file.display()), expected]);
    }
    let exported = run_ok([Path::new("export"), Path::new("--data"), &data]);
    assert_eq!(exported, "", "nothing of a bad file is kept");
    let nowhere =
        run([Path::new("import"), Path::new("/nowhere.ndjson"), Path::new("--data"), &data]);
    expect(&nowhere, 74, &["/nowhere.ndjson"]);
}

#[test]
fn a_store_that_cannot_be_used_is_said() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let file = write(scratch.path(), "plain", "not a directory");
    let report = |data: &Path| {
        run([
            "report".as_ref(),
            "--month".as_ref(),
            "2026-01".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--data".as_ref(),
            data.as_os_str(),
        ])
    };
    expect(&report(&file), 74, &["plain"]);
}

#[test]
fn a_taken_port_is_said() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = taken.local_addr().expect("address").to_string();
    let data = scratch.path().join("data");
    let output = run([
        "reporter".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--listen".as_ref(),
        address.as_ref(),
    ]);
    expect(&output, 74, &[&address, "--listen"]);
}

#[test]
fn publishing_a_running_month_is_refused_and_a_second_edition_needs_a_reason() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let data = scratch.path().join("data");
    let line = r#"{"v":1,"kind":"outcome","agent":"a","probe":"front","due":"2026-03-01T00:00:00Z","attempt":0,"next_due_s":60,"took_ms":1,"verdict":"up","reason":null,"phases":{},"facts":{}}"#;
    let file = write(scratch.path(), "e.ndjson", line);
    run_ok([Path::new("import"), &file, Path::new("--data"), &data]);
    let publish = |month: &str, reason: Option<&str>| {
        let mut args = vec![
            "publish".to_owned(),
            "--month".to_owned(),
            month.to_owned(),
            "--by".to_owned(),
            "A. Manager".to_owned(),
            "--config".to_owned(),
            config.display().to_string(),
            "--data".to_owned(),
            data.display().to_string(),
        ];
        if let Some(reason) = reason {
            args.extend(["--reason".to_owned(), reason.to_owned()]);
        }
        run(args)
    };
    let this_month = mailward_evidence::Clock::now(&mailward_evidence::SystemClock)
        .to_zoned(jiff::tz::TimeZone::get("Europe/London").expect("zone"))
        .strftime("%Y-%m")
        .to_string();
    expect(&publish(&this_month, None), 64, &[&this_month]);
    expect(&publish("2999-01", None), 64, &["2999-01"]);
    expect(&publish("2026-03", None), 0, &["edition 1"]);
    expect(&publish("2026-03", None), 64, &["reason"]);
    expect(&publish("2026-03", Some("late evidence")), 0, &["edition 2", "No figure differs"]);
    expect(&publish("2026-03", Some("  ")), 64, &["reason"]);
}

/// A definition with a level of resolution and one of calls, and how exports are read.
const DESK: &str = r#"
[service]
name = "Mail"
zone = "Europe/London"

[[level]]
id = "severity-2"
measure = "resolution"
severity = "2"
target = "100%"
within = "8h"

[[level]]
id = "calls"
measure = "ratio"
series = "helpdesk-calls"
target = "97%"

[tickets.csv]
id = "number"
severity = "priority"
opened = "opened_at"
resolved = "resolved_at"
severities = { "2 - High" = "2", "5 - Planning" = "" }
date_format = "%d/%m/%Y %H:%M"

[counts.csv]
fixed_series = "helpdesk-calls"
day = "date"
good = "answered"
total = "offered"
"#;

#[test]
fn a_desks_exports_become_figures_and_late_ones_flag_an_edition() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DESK);
    let (data, out) = (scratch.path().join("data"), scratch.path().join("out"));
    let import = |name: &str, text: &str| {
        let file = write(scratch.path(), name, text);
        run([
            Path::new("import"),
            &file,
            Path::new("--config"),
            &config,
            Path::new("--data"),
            &data,
        ])
    };
    let tickets = "number,priority,opened_at,resolved_at\r\n\
                   INC1,2 - High,02/03/2026 08:00,02/03/2026 12:00\r\n\
                   INC2,5 - Planning,02/03/2026 08:00,\r\n";
    let calls = "date,answered,offered\n2026-03-01,98,100\n2026-03-02,99,100\n";
    expect(&import("tickets.csv", tickets), 0, &["1 accepted, 0 duplicates", "1 left out"]);
    expect(&import("calls.CSV", calls), 0, &["2 accepted"]);
    expect(&import("tickets.csv", tickets), 0, &["0 accepted, 1 duplicates"]);
    let bad = tickets.replace("02/03/2026 12:00", "soon");
    expect(&import("bad.csv", &bad), 64, &["bad.csv:2: resolved_at: expected a time as"]);
    expect(&import("other.csv", "a,b\n1,2\n"), 64, &["other.csv:1: ", "by [counts.csv]"]);
    expect(&import("a.ndjson", "number,priority\n"), 64, &["a.ndjson:1: "]);

    let about = |command: &str, more: &[&str]| {
        let paths = [("--config", &config), ("--data", &data)]
            .map(|(option, path)| [option.to_owned(), path.display().to_string()]);
        let args = [command, "--month", "2026-03"].into_iter().chain(more.iter().copied());
        run(args.map(str::to_owned).chain(paths.into_iter().flatten()))
    };
    let out = out.display().to_string();
    let report = || about("report", &["--out", &out, "--formats", "json"]);
    expect(&report(), 0, &["100.000 %", "98.500 %", "All 2 service levels were met"]);
    expect(&about("publish", &["--by", "A. Manager"]), 0, &["edition 1"]);
    assert!(!said(&report()).contains("Evidence that arrived since"));

    let late = tickets.replace("02/03/2026 12:00", "02/03/2026 17:00");
    expect(&import("tickets.csv", &late), 0, &["1 accepted"]);
    expect(
        &report(),
        0,
        &[
            "Edition 1 is published and stays as it is.",
            "Mail: Severity 2 in time: 0.000 % (Missed), was 100.000 % (Met)",
        ],
    );
    let again = about("publish", &["--by", "B", "--reason", "INC1 was resolved later"]);
    expect(
        &again,
        0,
        &["edition 2", "(Missed), was 100.000 % (Met)", "The ticket INC1 was superseded."],
    );
    assert!(!said(&report()).contains("Evidence that arrived since"));
}

#[test]
fn the_schema_and_the_manual_are_there() {
    let schema: serde_json::Value = serde_json::from_str(&run_ok(["schema"])).expect("JSON");
    for key in ["service", "component", "probe", "level", "hours", "credential"] {
        assert!(schema["properties"].get(key).is_some(), "schema has no {key}");
    }
    let manual = run_ok(["man"]);
    assert!(manual.contains(".TH mailward"), "{manual}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(run_ok(["completions", shell]).contains("mailward"));
    }
}

#[test]
fn ingest_refuses_what_it_must() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let data = scratch.path().join("data");
    let token = run_ok([
        "agents".as_ref(),
        "add".as_ref(),
        "a".as_ref(),
        "--data".as_ref(),
        data.as_os_str(),
    ]);
    let bearer = format!("Bearer {}", token.trim());
    let address = free_port().to_string();
    let mut reporter = Running::start([
        "reporter".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--listen".as_ref(),
        address.as_ref(),
    ]);
    reporter.wait_line("listens");
    let url = format!("http://{address}/api/v1/evidence");
    wait_for("the reporter", || http("GET", &format!("http://{address}/healthz"), &[], Vec::new()));
    let line = |agent: &str| {
        format!(
            r#"{{"v":1,"kind":"outcome","agent":"{agent}","probe":"front","due":"2026-03-01T00:00:00Z","attempt":0,"next_due_s":60,"took_ms":1,"verdict":"up","reason":null,"phases":{{}},"facts":{{}}}}"#
        )
    };
    let post = |auth: &str, encoding: Option<&str>, body: Vec<u8>| {
        let mut headers = vec![("authorization", auth)];
        if let Some(encoding) = encoding {
            headers.push(("content-encoding", encoding));
        }
        http("POST", &url, &headers, body).expect("an answer")
    };
    let (status, text) = post(&bearer, None, line("a").into_bytes());
    assert_eq!((status, text.trim()), (200, r#"{"accepted":1,"duplicates":0,"conflicts":0}"#));
    let (status, text) = post(&bearer, None, line("a").into_bytes());
    assert_eq!((status, text.trim()), (200, r#"{"accepted":0,"duplicates":1,"conflicts":0}"#));
    let changed = line("a").replace("\"up\"", "\"down\"").into_bytes();
    let (status, text) = post(&bearer, None, changed);
    assert_eq!((status, text.trim()), (200, r#"{"accepted":0,"duplicates":0,"conflicts":1}"#));
    assert_eq!(post("Bearer wrong", None, line("a").into_bytes()).0, 401);
    assert_eq!(post(&bearer, None, line("b").into_bytes()).0, 403, "a foreign agent's record");
    let exclusion = br#"{"v":1,"kind":"count","series":"s","from":"2026-10-01T00:00:00Z","to":"2026-10-02T00:00:00Z","good":1,"total":1}"#;
    assert_eq!(post(&bearer, None, exclusion.to_vec()).0, 403, "agents post outcomes and rosters");
    let half = format!("{}\n{}", line("a"), &line("a")[..40]);
    let (status, text) = post(&bearer, None, half.into_bytes());
    assert_eq!(status, 400);
    assert!(text.contains("line 2"), "{text}");
    assert_eq!(post(&bearer, Some("gzip"), line("a").into_bytes()).0, 415);
    assert_eq!(post(&bearer, Some("zstd"), b"not zstd".to_vec()).0, 400);
    let bomb = mailward_evidence::wire::pack_zstd(&vec![b' '; 100 << 20]).expect("pack");
    assert_eq!(post(&bearer, Some("zstd"), bomb).0, 413, "100 MB once opened");
    let huge = http("POST", &url, &[("authorization", &bearer)], vec![b' '; 100 << 20]);
    assert!(huge.is_none_or(|(status, _)| status == 413), "a 100 MB body");
    // the metrics follow the store within a second or so
    let text = wait_for("the metrics", || {
        let (status, text) = get(&format!("http://{address}/metrics"));
        assert_eq!(status, 200);
        text.contains("mailward_evidence_records_total{").then_some(text)
    });
    assert!(!text.contains(token.trim()));
    run_ok([
        "agents".as_ref(),
        "revoke".as_ref(),
        "a".as_ref(),
        "--data".as_ref(),
        data.as_os_str(),
    ]);
    wait_for("the revocation", || {
        let (status, _) = post(&bearer, None, line("a").into_bytes());
        matches!(status, 401 | 403).then_some(())
    });
    assert!(reporter.stop().success());
}

/// An hour of checks each minute, down for the ten minutes from the twentieth on.
fn an_hour() -> String {
    let minute = |i: i64| {
        let due = format!("2026-03-01T00:{i:02}:00Z");
        let (verdict, reason) = match (20..30).contains(&i) {
            true => ("down", "\"timeout\""),
            false => ("up", "null"),
        };
        format!(
            r#"{{"v":1,"kind":"outcome","agent":"leeds-1","probe":"front","due":"{due}","attempt":0,"next_due_s":60,"took_ms":1,"verdict":"{verdict}","reason":{reason},"phases":{{}},"facts":{{}}}}"#
        ) + "\n"
    };
    (0..60).map(minute).collect()
}

/// A figure is followed to its records in two steps: explain names them, export gives them.
#[test]
fn a_figure_is_followed_to_its_records() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let data = scratch.path().join("data");
    let file = write(scratch.path(), "e.ndjson", &an_hour());
    run_ok([Path::new("import"), &file, Path::new("--data"), &data]);
    let report = |more: &[&str]| {
        let (config, data) = (config.display().to_string(), data.display().to_string());
        let mut args = vec!["report", "--month", "2026-03", "--now", "2026-03-01T01:00:00Z"];
        args.extend(["--config", &config, "--data", &data]);
        args.extend(more);
        run(args)
    };
    let output = report(&["--explain", "web-availability"]);
    expect(
        &output,
        0,
        &[
            "down: any of its probes is down (rule 5)",
            "1 of 1 agent says down, 1 must (rule 4)",
            "timeout: no answer came in time",
            "1 − D ÷ (S − X − U) = 1 − 600 ÷ (3600 − 0 − 0) = 83.333 % (rule 6)",
        ],
    );
    let text = said(&output);
    let command = text.lines().find_map(|l| l.trim().strip_prefix("in full: mailward "));
    let records = run_ok(command.unwrap_or_else(|| panic!("no command in {text}")).split(' '));
    let down = records.lines().filter(|line| line.contains("\"verdict\":\"down\"")).count();
    assert_eq!(down, 10, "{records}");
    assert!(!scratch.path().join("report.json").exists());

    expect(
        &report(&["--explain", "web-availabilty"]),
        64,
        &["--explain", "\"web-availabilty\"", "the nearest is \"web-availability\""],
    );
    expect(&report(&["--explain", "x", "--what-if"]), 64, &["--what-if"]);

    let out = scratch.path().join("out");
    let into = out.display().to_string();
    let kept = report(&["--explain", "web-availability", "--formats", "json,csv", "--out", &into]);
    expect(&kept, 0, &[]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("a file");
    let model: serde_json::Value = serde_json::from_str(&read("report.json")).expect("JSON");
    let grounds = &model["levels"][0]["grounds"];
    assert_eq!(grounds["of"], "time");
    assert_eq!(grounds["sums"][0]["down_s"], model["levels"][0]["down_s"]);
    let record = &grounds["intervals"][0]["probes"][0]["sites"][0]["records"][0];
    assert_eq!((&record["agent"], &record["outcomes"]), (&"leeds-1".into(), &10.into()));
    assert!(read("outages.csv").contains(",5,down: any of its probes is down,front,,10,"));
}

/// Each cell of the table is what a report by that definition says.
#[test]
fn other_readings_are_those_of_other_definitions() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    let file = write(scratch.path(), "e.ndjson", &an_hour());
    run_ok([Path::new("import"), &file, Path::new("--data"), &data]);
    let out = scratch.path().join("out");
    let report = |definition: &str, more: &[&str]| {
        let config = write(scratch.path(), "probes.toml", definition).display().to_string();
        let (data, into) = (data.display().to_string(), out.display().to_string());
        let mut args = vec!["report", "--month", "2026-03", "--now", "2026-03-01T01:00:00Z"];
        args.extend(["--config", &config, "--data", &data, "--out", &into, "--formats", "json"]);
        args.extend(more);
        run_ok(args)
    };
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(out.join(name)).expect("a file");
        serde_json::from_str(&text).expect("JSON")
    };
    let text = report(DEFINITION, &["--what-if"]);
    assert!(text.contains("confirm 2 (as defined)"), "{text}");
    assert!(text.contains("Every verdict is the same in every reading."), "{text}");
    let tried = read("what-if.json");
    let cell = |id: &str| {
        let readings = tried["readings"].as_array().expect("readings");
        readings.iter().find(|r| r["id"] == id).expect("a reading")["cells"][0].clone()
    };
    for (id, old, new) in [
        ("confirm-5", "every = \"60s\"", "every = \"60s\"\nconfirm = 5"),
        ("confirm-1", "every = \"60s\"", "every = \"60s\"\nconfirm = 1"),
        ("quorum-1", "name = \"Web\"", "name = \"Web\"\nquorum = 1"),
        ("unknown-down", "target = \"99.9%\"", "target = \"99.9%\"\nunknown = \"down\""),
    ] {
        report(&DEFINITION.replace(old, new), &[]);
        let level = &read("report.json")["levels"][0];
        let cell = cell(id);
        assert_eq!(cell["pct"], level["availability_pct"], "{id}");
        assert_eq!(cell["shown"], level["availability_shown"], "{id}");
        assert_eq!((&cell["met"], &cell["provable"]), (&level["met"], &level["provable"]), "{id}");
    }
}

/// A language's file is judged where it stands, by every command that reads the definition.
#[test]
fn a_language_that_cannot_be_used_is_refused_in_its_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("probes.toml");
    let definition = "[service]\nname = \"Post\"\nzone = \"UTC\"\n[[component]]\nid = \"a\"\n\
                      name = \"A\"\n[report]\nlanguage = \"de.toml\"\n";
    std::fs::write(&config, definition).expect("write the definition");
    let file = directory.path().join("de.toml");
    let judged = |text: &str| {
        std::fs::write(&file, text).expect("write the language");
        let checked = run(["check".as_ref(), "--config".as_ref(), config.as_os_str()]);
        let told = String::from_utf8_lossy(&checked.stdout)
            .replace(&format!("{}/", directory.path().display()), "");
        (checked.status.code(), told)
    };
    let (code, told) = judged(
        "[language]\ntag = \"de\"\n[report]\nscorcard = \"Wertung\"\nseverity = \"Grad {n}\"\n",
    );
    assert_eq!(code, Some(64), "{told}");
    for expected in [
        "de.toml:4:12: unknown key report.scorcard; the nearest is report.scorecard",
        "de.toml:5:12: report.severity: expected {severity}; got {n}",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    let data = directory.path().join("data");
    let report = ["report", "--month", "2026-10", "--data"].map(std::ffi::OsStr::new);
    let rest = ["--config".as_ref(), config.as_os_str()];
    let refused = run(report.into_iter().chain([data.as_os_str()]).chain(rest));
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("de.toml:5:12"));
    let (code, told) = judged("[language]\ntag = \"de\"\n[report]\nscorecard = \"Wertung\"\n");
    assert_eq!(code, Some(0), "{told}");
}
