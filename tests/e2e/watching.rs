//! Prometheus from Debian scrapes a real reporter and a real agent that watch the lab: metrics are
//! as docs/metrics.md has them, alerts fire in their scenarios, and every panel has data.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::{get, wait_for};
use boards::Board;
use prometheus::Prometheus;
use stage::Stage;

mod boards;
mod prometheus;
mod stage;

/// The rules with their waits made short, so that what they tell apart is seen within seconds:
/// windows, offsets and `for`. No rule's condition is changed but for the two that compare with
/// minutes of silence.
fn hurried(rules: &str) -> String {
    let shorter = [
        ("offset 1h", "offset 6s"),
        ("offset 3d", "offset 10s"),
        ("offset 5m", "offset 6s"),
        ("[1h]", "[20s]"),
        ("[15m]", "[20s]"),
        ("last_seen_timestamp_seconds > 600", "last_seen_timestamp_seconds > 4"),
        ("outbox_oldest_seconds > 900", "outbox_oldest_seconds > 3"),
    ];
    let mut text = rules.to_owned();
    for (long, short) in shorter {
        assert!(text.contains(long), "no rule says {long:?} any more");
        text = text.replace(long, short);
    }
    let lines = text.lines().map(|line| match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 1s\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// Alerts whose scenario is played here; the others have theirs in deploy/prometheus/tests.
const WHILE_ALL_GOES_WRONG: [&str; 15] = [
    "MailwardAgentClockWrong leeds-2",
    "MailwardBudgetBurningFast",
    "MailwardBudgetBurningSlowly",
    "MailwardBudgetSpent",
    "MailwardCertificateExpiring",
    "MailwardComponentDown",
    "MailwardDefinitionRefused",
    "MailwardEditionDiffers",
    "MailwardEvidenceDropped leeds-2",
    "MailwardEvidenceRefused",
    "MailwardLetterFailed",
    "MailwardListed",
    "MailwardMailSlow",
    "MailwardOutboxAgeing leeds-2",
    "MailwardRunsMissed leeds-2",
];
const WITHOUT_A_REPORTER: [&str; 2] = ["MailwardAgentCannotDeliver", "MailwardReporterAbsent"];
const WITHOUT_AN_AGENT: [&str; 2] = ["MailwardAgentSilent leeds-1", "MailwardComponentUnknown"];

fn project_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn expect_alerts(prometheus: &Prometheus, expected: &[&str]) {
    let mut missing = BTreeSet::new();
    let fired = wait_for_or(|| {
        let fired = prometheus.fired();
        missing = expected.iter().filter(|alert| !fired.contains(**alert)).copied().collect();
        missing.is_empty().then_some(())
    });
    assert!(fired, "these alerts did not fire: {missing:?}");
}

/// [`wait_for`] that gives up quietly, for callers that can say more.
fn wait_for_or(mut state: impl FnMut() -> Option<()>) -> bool {
    let watch = mailward_evidence::Stopwatch::start();
    let mut done = false;
    wait_for("a state, or the end of patience", || {
        done = state().is_some();
        (done || watch.elapsed() * 5 > super::support::PATIENCE * 4).then_some(())
    });
    done
}

#[test]
fn prometheus_sees_what_happens() {
    let mut stage = Stage::new();
    let rules = hurried(&project_file("deploy/prometheus/rules.yml"));
    let mut prometheus = Prometheus::start(stage.path(), stage.reporter, stage.agent, &rules);
    wait_for("a service that works", || {
        let up = prometheus.values("mailward_component_up{component=\"owa\"} == 1");
        (!up.is_empty()).then_some(())
    });
    wait_for("mail that arrives", || {
        let mails = prometheus.values(
            "sum(mailward_mail_delivery_seconds_count{job=\"mailward-reporter\"}) > 2 \
             and sum(mailward_mail_delivery_seconds_count{job=\"mailward-agent\"}) > 2",
        );
        (!mails.is_empty()).then_some(())
    });
    // an alert is worth something if it is silent while all is well
    let letter = BTreeSet::from(["MailwardLetterFailed".to_owned()]);
    wait_for("no alert but for the letter", || {
        prometheus.firing().is_subset(&letter).then_some(())
    });
    prometheus.forget();

    stage.break_everything();
    stage.be_a_bad_agent(&prometheus);
    expect_alerts(&prometheus, &WHILE_ALL_GOES_WRONG);
    let documented = project_file("docs/metrics.md");
    for (side, address) in [("reporter", stage.reporter), ("agent", stage.agent)] {
        let (status, text) = get(&format!("http://{address}/metrics"));
        assert_eq!(status, 200);
        lint(&text, stage.path());
        as_documented(side, &text, &documented);
    }
    every_panel_has_data(&prometheus);

    prometheus.forget();
    stage.stop_reporter();
    expect_alerts(&prometheus, &WITHOUT_A_REPORTER);
    stage.start_reporter();
    wait_for("a reporter that is scraped again", || {
        let seen = prometheus.values("time() - mailward_agent_last_seen_timestamp_seconds < 3");
        (!seen.is_empty()).then_some(())
    });
    prometheus.forget();
    stage.stop_agent();
    expect_alerts(&prometheus, &WITHOUT_AN_AGENT);
}

fn every_panel_has_data(prometheus: &Prometheus) {
    let boards = Board::all();
    assert_eq!(boards.len(), 5);
    let mut empty = Vec::new();
    let filled = wait_for_or(|| {
        empty = boards.iter().flat_map(|board| board.without_data(prometheus)).collect();
        empty.is_empty().then_some(())
    });
    assert!(filled, "these have no data:\n{}", empty.join("\n"));
}

/// promtool finds nothing to say about names, help and types.
fn lint(text: &str, directory: &Path) {
    let file = super::support::write(directory, "metrics.txt", text);
    let said = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::from(std::fs::File::open(file).expect("open the metrics")))
        .output()
        .expect("promtool: run tests/peers/install.sh rules");
    let told = [said.stdout, said.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(said.status.success() && told.is_empty(), "{told}\n{text}");
}

/// Every family has a row with its type, its labels and the side that offers it.
fn as_documented(side: &str, text: &str, documented: &str) {
    let mut checked = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        let start = format!("| `{name}` | {kind} | ");
        let row = documented.lines().find(|row| row.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("docs/metrics.md has no row {start:?}"));
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells[4].contains(side), "{row} does not say that the {side} has it");
        let told: BTreeSet<&str> =
            cells[2].split(", ").map(|l| l.trim_matches('`')).filter(|l| *l != "–").collect();
        let sample = text.lines().find(|line| {
            let after = line.strip_prefix(name).unwrap_or("#");
            after.starts_with(['{', ' ']) || after.starts_with("_bucket{")
        });
        assert_eq!(labels(sample.unwrap_or_default()), told, "labels of {name}");
        checked += 1;
    }
    assert!(checked > 20, "{side}: {checked}");
}

/// The names of a sample's labels, but for the edge of a bucket.
fn labels(sample: &str) -> BTreeSet<&str> {
    let Some((_, rest)) = sample.split_once('{') else { return BTreeSet::new() };
    let (inside, _) = rest.rsplit_once('}').unwrap_or((rest, ""));
    // no label's value in these tests holds a quote
    let names = inside.split('"').step_by(2).map(|name| name.trim_matches([',', '=']));
    names.filter(|name| !name.is_empty() && *name != "le").collect()
}
