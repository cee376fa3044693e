//! What is for operators stays with operators: a failed run's exhibit, facts and agent are shown
//! by `mailward failures`, and by nothing that the public or a customer gets.

use std::fs;
use std::path::Path;

use jiff::{Timestamp, ToSpan};
use mailward_evidence::{Clock, SystemClock};
use serde_json::json;

use super::support::{Running, get, run_ok, scratch, wait_for, write};

/// What stands in the exhibit, in a fact, and as the agent's name.
const INSIDE: [&str; 3] = ["kilroy-was-here", "ex02.inside.example", "closet-7"];

const DEFINITION: &str = r#"
[service]
name = "Post"
zone = "Europe/London"
[[component]]
id = "owa"
name = "Webmail"
[[probe]]
id = "owa-page"
component = "owa"
kind = "http"
url = "http://192.0.2.1/"
every = "1h"
confirm = 1
[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.9%"
"#;

/// An outcome of every hour from the start of the last month but one; every ninth is down.
fn evidence(now: Timestamp) -> String {
    let (agent, mut at) = (INSIDE[2], now - (24 * 62).hours());
    let roster = json!({"v": 1, "kind": "roster", "agent": agent, "site": "internet",
        "at": at.to_string(), "probes": [{"id": "owa-page", "every_s": 3600}]});
    let mut text = format!("{roster}\n");
    let mut number = 0;
    while at < now {
        let mut outcome = json!({"v": 1, "kind": "outcome", "agent": agent, "probe": "owa-page",
            "due": at.to_string(), "attempt": 0, "next_due_s": 3600, "took_ms": 12.5,
            "verdict": "up", "reason": null, "phases": {}, "facts": {"frontend": INSIDE[1]}});
        // the last one, of less than an hour ago, is down as well
        if number % 9 == 0 || at + 1.hour() >= now {
            outcome["verdict"] = json!("down");
            outcome["reason"] = json!("http_status");
            outcome["exhibit"] = json!({"status": "HTTP/1.1 503 Service Unavailable",
                "headers": [format!("server: {}", INSIDE[1])], "text": INSIDE[0]});
        }
        text.push_str(&format!("{outcome}\n"));
        (number, at) = (number + 1, at + 1.hour());
    }
    text
}

fn expect_nothing_of_it(place: &str, text: &str) {
    for inside in INSIDE {
        assert!(!text.contains(inside), "{place} shows {inside}");
    }
}

#[test]
fn what_a_failed_run_met_is_for_operators_alone() {
    let stage = scratch();
    let now = SystemClock.now();
    let config = write(stage.path(), "probes.toml", DEFINITION).display().to_string();
    let file = write(stage.path(), "evidence.ndjson", &evidence(now)).display().to_string();
    let path = |name: &str| stage.path().join(name).display().to_string();
    let data = path("data");
    let with = |words: &[&str]| {
        let places = ["--config", &config, "--data", &data];
        run_ok([words, &places].concat())
    };
    run_ok(["import", &file, "--data", &data]);
    let zone = jiff::tz::TimeZone::get("Europe/London").expect("a zone");
    let local = now.to_zoned(zone).first_of_month().expect("a month");
    let month = (local - 1.month()).strftime("%Y-%m").to_string();

    let shown = with(&["failures", "--last", "1", "--json"]);
    for inside in INSIDE {
        assert!(shown.contains(inside), "operators do not see {inside}: {shown}");
    }

    with(&["publish", "--month", &month, "--by", "A. Manager"]);
    let explained = with(&["report", "--month", &month, "--out", &path("report")]);
    expect_nothing_of_it("the scorecard", &explained);
    for name in ["report.json", "outages.csv", "daily.csv"] {
        let text = fs::read_to_string(Path::new(&path("report")).join(name)).expect(name);
        // a report that nobody has published may name agents, but never what a run met
        assert!(!text.contains(INSIDE[0]) && !text.contains(INSIDE[1]), "{name}");
    }

    let words = ["reporter", "--listen", "127.0.0.1:0", "--config", &config, "--data", &data];
    let mut reporter = Running::start(words);
    let line = reporter.wait_line("reporter listens");
    let at = line.find("http://").expect("an address");
    let base = line[at..].trim_end_matches('/').to_owned();
    wait_for("the page to tell that it does not work", || {
        get(&format!("{base}/api/v1/status")).1.contains("\"not_working\"").then_some(())
    });
    let editions = format!("/performance/{month}/editions/1");
    let places = [
        "/".to_owned(),
        "/api/v1/status".to_owned(),
        "/api/v1/components/owa/history?days=90".to_owned(),
        "/performance".to_owned(),
        format!("/performance/{month}"),
        format!("/performance/{month}.json"),
        format!("/performance/{month}.csv"),
        format!("{editions}/report.json"),
        format!("{editions}/outages.csv"),
        format!("{editions}/daily.csv"),
        format!("{editions}/manifest.txt"),
        "/feed.atom".to_owned(),
        "/badge/owa.svg".to_owned(),
    ];
    for place in places {
        let (status, text) = get(&format!("{base}{place}"));
        assert_eq!(status, 200, "{place}");
        expect_nothing_of_it(&place, &text);
    }
    // what may tell it is not there for the public
    for place in ["evidence", "definition", "evidence.zst", "probes.toml"] {
        let (status, _) = get(&format!("{base}{editions}/{place}"));
        assert_eq!(status, 404, "{place}");
    }
    assert!(reporter.stop().success());
}
