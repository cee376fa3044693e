//! What a report says beyond its levels' figures, through the command line: credits, the whole
//! service, the months before, and mail by the worked case.

use std::fmt::Write as _;
use std::path::Path;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::support::{run, run_ok, scratch, write};

const ROWS: &str = r#"
[service]
name = "Post"
zone = "UTC"
"#;

fn component(id: &str, users: u64) -> String {
    format!(
        "[[component]]\nid = \"{id}\"\nusers = {users}\n[[probe]]\nid = \"{id}-page\"\n\
         component = \"{id}\"\nkind = \"http\"\nurl = \"http://192.0.2.1/\"\nevery = \"1h\"\n\
         confirm = 1\n"
    )
}

/// Hourly outcomes of a probe between two instants, down in some of them.
fn hourly(probe: &str, from: &str, to: &str, down: &[(&str, i64)]) -> String {
    let parse = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let is_down = |at: Timestamp| {
        down.iter().any(|(from, hours)| (parse(from)..parse(from) + hours.hours()).contains(&at))
    };
    let mut text = String::new();
    let mut at = parse(from);
    while at < parse(to) {
        let (verdict, reason) =
            if is_down(at) { ("down", json!("timeout")) } else { ("up", Value::Null) };
        let record = json!({"v": 1, "kind": "outcome", "agent": "a", "probe": probe,
            "due": at.to_string(), "attempt": 0, "next_due_s": 3600, "took_ms": 12.5,
            "verdict": verdict, "reason": reason, "phases": {}, "facts": {}});
        writeln!(text, "{record}").expect("write to a string");
        at += 1.hour();
    }
    text
}

struct Place {
    scratch: tempfile::TempDir,
}

impl Place {
    fn with(definition: &str, evidence: &str) -> Self {
        let scratch = scratch();
        write(scratch.path(), "probes.toml", definition);
        let file = write(scratch.path(), "evidence.ndjson", evidence);
        let place = Self { scratch };
        run_ok([Path::new("import"), &file, Path::new("--data"), &place.path("data")]);
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.scratch.path().join(name)
    }

    fn run(&self, command: &str, month: &str, more: &[&str]) -> String {
        let (config, data) = (self.path("probes.toml"), self.path("data"));
        let mut args = vec![command.as_ref(), "--month".as_ref(), month.as_ref()];
        args.extend(["--config".as_ref(), config.as_os_str(), "--data".as_ref(), data.as_os_str()]);
        args.extend(more.iter().map(|arg| std::ffi::OsStr::new(*arg)));
        run_ok(args)
    }

    /// The scorecard, and report.json.
    fn report(&self, month: &str, now: &str) -> (String, Value) {
        let out = self.path("out");
        let out = out.to_str().expect("a path that is text");
        let said = self.run("report", month, &["--out", out, "--formats", "json", "--now", now]);
        let text = std::fs::read_to_string(self.path("out/report.json")).expect("report.json");
        (said, serde_json::from_str(&text).expect("JSON"))
    }
}

#[test]
fn the_whole_service_and_its_credits() {
    // owa is down for 8 h, portal for 12 h, 4 h of it together
    let tiers =
        "credits = [{ below = \"99%\", credit = \"10%\" }, { below = \"98%\", credit = \"25%\" }]";
    let level = |id: &str, what: &str| {
        format!(
            "[[level]]\nid = \"{id}\"\n{what}\nmeasure = \"availability\"\ntarget = \"99%\"\n{tiers}\n"
        )
    };
    let definition = [
        ROWS.to_owned(),
        component("owa", 900),
        component("portal", 100),
        level("owa", "component = \"owa\""),
        level("all", "over = \"composite\""),
        level("people", "over = \"users\""),
    ]
    .concat();
    let (from, to) = ("2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z");
    let evidence = hourly("owa-page", from, to, &[("2026-08-10T00:00:00Z", 8)])
        + &hourly("portal-page", from, to, &[("2026-08-10T04:00:00Z", 12)]);
    let place = Place::with(&definition, &evidence);
    let (said, report) = place.report("2026-08", "2026-09-02T00:00:00Z");

    let levels = &report["levels"];
    // 8 of 744 h: 98.924 % lies below 99 % and above 98 %
    assert_eq!(levels[0]["credits"]["due_pct"], "10", "{levels}");
    assert_eq!(levels[0]["mttr_s"], 28_800);
    assert_eq!(levels[0]["mtbf_s"], 736 * 3600);
    assert_eq!(levels[0]["failures"], 1);
    assert_eq!(levels[0]["min_coverage_pct"], "90");
    // as one it was down for 16 h: 97.849 %
    assert_eq!(levels[1]["down_s"], 16 * 3600);
    assert_eq!(levels[1]["availability_shown"], "97.849");
    assert_eq!(levels[1]["over"], "composite");
    assert_eq!(levels[1]["credits"]["due_pct"], "25");
    assert_eq!(levels[1]["outages"].as_array().map(Vec::len), Some(1));
    assert_eq!(levels[1]["outages"][0]["components"], json!(["owa", "portal"]));
    // 900 users missed 8 h, 100 missed 12 h: 8.4 h of 744
    assert_eq!(levels[2]["down_s"], 30_240);
    assert_eq!(levels[2]["availability_shown"], "98.870");
    assert_eq!(levels[2]["parts"][1]["users"], 100);
    assert_eq!(report["service_wide"]["composite"]["availability_shown"], "97.849");
    assert_eq!(report["service_wide"]["users"]["availability_shown"], "98.870");
    assert_eq!(levels[0]["trend"], json!([]));
    assert_eq!(levels[0]["change"], Value::Null);
    for text in ["service credits due", "25 % (below 98 %)", "As one, the service", "98.870 %"] {
        assert!(said.contains(text), "lacks {text:?}:\n{said}");
    }

    // the next month goes on from what is published
    place.run("publish", "2026-08", &["--by", "A. Manager"]);
    let (said, next) = place.report("2026-09", "2026-09-02T00:00:00Z");
    let past = &next["levels"][1]["trend"];
    assert_eq!(past[0]["month"], "2026-08", "{said}\n{past}");
    assert_eq!(past[0]["edition"], 1);
    assert_eq!(past[0]["shown"], "97.849");
}

#[test]
fn a_definition_says_over_what() {
    let definition = [
        ROWS.to_owned(),
        "[[component]]\nid = \"owa\"\n".to_owned(),
        "[[level]]\nid = \"a\"\nover = \"users\"\nmeasure = \"availability\"\ntarget = \"99%\"\n"
            .to_owned(),
    ]
    .concat();
    let scratch = scratch();
    let file = write(scratch.path(), "probes.toml", &definition);
    let output = run([Path::new("check"), Path::new("--config"), &file]);
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("users = NUMBER"), "{said}");
}

/// The worked case of mail: what is lost is slower than anything that arrives.
#[test]
fn mail_gives_the_worked_percentiles() {
    let definition = format!(
        "{ROWS}[[component]]\nid = \"in\"\n[[sink]]\nid = \"s\"\nlisten = \"127.0.0.1:2525\"\n\
         hostname = \"probe.example.net\"\n[[probe]]\nid = \"mail-in\"\ncomponent = \"in\"\n\
         kind = \"mail\"\ndirection = \"incoming\"\nevery = \"5m\"\n\
         send = {{ host = \"mail.example.org\", mail_from = \"a@example.net\", \
         rcpt_to = \"b@example.org\" }}\nreceive = {{ sink = \"s\" }}\n\
         [[level]]\nid = \"delivery\"\ncomponent = \"in\"\nmeasure = \"delivery_time\"\n\
         target = \"75%\"\nwithin = \"15s\"\nlost_after = \"10m\"\n"
    );
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../cases/sla_cases.json")).expect("the worked cases");
    let case = cases.iter().find(|c| c["name"] == "delivery_percentiles_with_lost_mail");
    let case = case.expect("the case");
    let arrived = case["input"]["delivered_s"].as_array().expect("a list");
    let lost = usize::try_from(case["input"]["lost"].as_u64().expect("a number")).expect("small");
    let start: Timestamp = "2026-08-10T00:00:00Z".parse().expect("an instant");
    let mut evidence = String::new();
    let mails = arrived.iter().map(Some).chain(std::iter::repeat_n(None, lost));
    for (minutes, delivery_s) in (0i64..).step_by(5).zip(mails) {
        let mut record = json!({"v": 1, "kind": "outcome", "agent": "a", "probe": "mail-in",
            "due": (start + minutes.minutes()).to_string(), "attempt": 0, "next_due_s": 300,
            "took_ms": 900.0, "verdict": "up", "reason": null, "phases": {}, "facts": {}});
        match delivery_s {
            Some(delivery_s) => record["delivery_s"] = delivery_s.clone(),
            None => {
                record["verdict"] = json!("down");
                record["reason"] = json!("timeout");
            }
        }
        writeln!(evidence, "{record}").expect("write to a string");
    }
    let place = Place::with(&definition, &evidence);
    let (_, report) = place.report("2026-08", "2026-09-02T00:00:00Z");
    let level = &report["levels"][0];
    assert_eq!(level["sent"], case["input"]["sent"], "{level}");
    assert_eq!(level["lost"], case["input"]["lost"]);
    assert_eq!(level["p50_s"], case["expected"]["p50_s"]);
    assert_eq!(level["p90_s"], case["expected"]["p90_s"]);
    assert_eq!(level["p95_s"], Value::Null);
    assert_eq!(level["within_pct"], case["expected"]["within_threshold_pct"]);
    assert_eq!(level["met"], true, "75 % exactly is met");
}
