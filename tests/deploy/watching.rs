//! What Prometheus and Alertmanager are told: metrics that are documented, alerts that fire and
//! say what to do, routes that end where they should, and symptoms that are not told twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{free_port, scratch, wait_for};

const RULES: &str = include_str!("../../deploy/prometheus/rules.yml");
const ALERTMANAGER: &str = "deploy/alertmanager/alertmanager.yml";

/// A text as words that may be names of metrics or of recorded series.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)))
}

/// Name → type of docs/metrics.md.
pub(crate) fn documented() -> BTreeMap<&'static str, &'static str> {
    let rows = include_str!("../../docs/metrics.md").lines();
    let cells = rows.filter_map(|row| row.strip_prefix("| `")?.split_once("` | "));
    cells.filter_map(|(name, rest)| Some((name, rest.split_once(" | ")?.0))).collect()
}

/// What rules record.
pub(crate) fn recorded() -> BTreeSet<&'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect()
}

/// What either side's sources name as a metric of their own.
fn in_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut directories = vec!["agent/src".into(), "reporter/src".into()];
    while let Some(directory) = directories.pop() {
        let directory: std::path::PathBuf = directory;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(&directory);
        for entry in std::fs::read_dir(root).unwrap().flatten() {
            let path = directory.join(entry.file_name());
            if entry.path().is_dir() {
                directories.push(path);
            } else if path.to_string_lossy().contains("/metrics") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let quoted = text.split('"').skip(1).step_by(2);
                let is_name = |word: &&str| {
                    word.starts_with("mailward_")
                        && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                };
                found.extend(quoted.filter(is_name).map(str::to_owned));
            }
        }
    }
    found
}

/// A metric as it is documented, without what Prometheus adds to the name of a histogram.
pub(crate) fn is_known(name: &str) -> bool {
    let documented = documented();
    let is = |kind: &str, name: &str| documented.get(name) == Some(&kind);
    let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
    match base {
        Some(base) if is("histogram", base) => true,
        _ => documented.contains_key(name) && !is("histogram", name),
    }
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let (documented, offered) = (documented(), in_sources());
    assert!(offered.len() > 40, "{offered:?}");
    for name in &offered {
        assert!(documented.contains_key(name.as_str()), "docs/metrics.md lacks {name}");
    }
    for (name, kind) in documented {
        assert!(offered.contains(name), "nobody offers {name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is no {kind}");
    }
}

fn tool(name: &str, arguments: &[&str]) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let said = Command::new(name).args(arguments).current_dir(root).output();
    let said = said.unwrap_or_else(|error| {
        panic!("{name} {arguments:?}: {error}; run tests/peers/install.sh rules")
    });
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success(), "{name} {arguments:?}: {text}");
    text
}

fn root_path(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn alerts() -> Vec<&'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect()
}

#[test]
fn every_alert_fires_in_its_scenario_and_says_what_to_do() {
    tool("promtool", &["check", "config", "deploy/prometheus/prometheus.yml"]);
    for example in ["file-sd", "tls"] {
        let path = format!("deploy/prometheus/examples/{example}.yml");
        // the files of certificates and passwords that it names are not here
        tool("promtool", &["check", "config", "--syntax-only", &path]);
    }
    tool(
        "promtool",
        &["check", "rules", "--lint=all", "--lint-fatal", "deploy/prometheus/rules.yml"],
    );
    let trials = ["deploy/prometheus/tests/rules.yml", "deploy/prometheus/tests/slow.yml"];
    tool("promtool", &["test", "rules", trials[0], trials[1]]);
    let tried = trials.map(|path| std::fs::read_to_string(root_path(path)).unwrap()).concat();
    let runbook = include_str!("../../docs/runbook.md");
    let alerts = alerts();
    assert!(alerts.len() > 20);
    for alert in &alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        assert!(tried.contains(&fires), "nothing shows that {alert} fires");
        assert!(runbook.contains(&format!("\n## {alert}\n")), "the runbook has no {alert}");
        let link = format!("docs/runbook.md#{}", alert.to_lowercase());
        assert!(RULES.contains(&link), "{alert} does not say where to read on");
    }
    for title in runbook.lines().filter_map(|line| line.strip_prefix("## Mailward")) {
        assert!(alerts.contains(&&*format!("Mailward{title}")), "there is no Mailward{title}");
    }
    let recorded = recorded();
    for word in words(RULES).filter(|word| word.contains("mailward_")) {
        assert!(recorded.contains(word) || is_known(word), "nobody offers {word}");
    }
}

#[test]
fn alertmanager_sends_each_alert_to_whom_it_concerns() {
    tool("amtool", &["check-config", ALERTMANAGER]);
    let routed = |labels: &[&str]| {
        let config = format!("--config.file={ALERTMANAGER}");
        let said = tool("amtool", &[&["config", "routes", "test", &config][..], labels].concat());
        // amtool also says where it took its settings from
        said.lines().find(|line| !line.starts_with("Warning")).unwrap_or_default().to_owned()
    };
    for (alert, severity, expect) in [
        ("MailwardComponentDown", "page", "pager"),
        ("MailwardReporterAbsent", "page", "pager"),
        ("MailwardEvidenceDropped", "page", "pager"),
        ("MailwardListed", "ticket", "tickets"),
        ("MailwardAgentSilent", "ticket", "tickets"),
        ("MailwardBudgetSpent", "ticket", "service-manager"),
        ("MailwardEditionDiffers", "ticket", "service-manager"),
        ("MailwardLetterFailed", "ticket", "service-manager"),
    ] {
        let labels = [format!("alertname={alert}"), format!("severity={severity}")];
        assert_eq!(routed(&[&labels[0], &labels[1]]), expect, "{alert}");
        let declared = format!("- alert: {alert}\n");
        let (_, rest) = RULES.split_once(&declared).unwrap();
        let own = rest.split_once("severity: ").unwrap().1;
        assert!(own.starts_with(severity), "{alert} is no {severity}");
    }
    // what the file names is there
    let config = include_str!("../../deploy/alertmanager/alertmanager.yml");
    let alerts = alerts();
    for quoted in config.split("alertname=~\"").skip(1) {
        let pattern = quoted.split('"').next().unwrap();
        let (before, inside) = pattern.split_once('(').unwrap_or(("", pattern));
        for name in inside.trim_end_matches(')').split('|') {
            let name = format!("{before}{name}");
            assert!(alerts.contains(&&*name), "there is no {name}");
        }
    }
}

/// Debian's Alertmanager; it ends with the test.
struct Alertmanager(Child);

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn alertmanager_keeps_symptoms_back() {
    let scratch = scratch();
    let address = free_port();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join(ALERTMANAGER);
    let log = std::fs::File::create(scratch.path().join("log")).unwrap();
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", scratch.path().display()))
        .arg(format!("--web.listen-address={address}"))
        // alone: no cluster, and no port for one
        .arg("--cluster.listen-address=")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    let _running = Alertmanager(started.expect("alertmanager: run tests/peers/install.sh rules"));
    let url = format!("--alertmanager.url=http://{address}");
    let asked = |arguments: &[&str]| {
        let said = Command::new("amtool").arg(&url).args(arguments).output().unwrap();
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned())
    };
    wait_for("Alertmanager", || asked(&["cluster", "show"]));
    for alert in [
        &["MailwardComponentDown", "severity=page", "component=owa"][..],
        &["MailwardBudgetBurningFast", "severity=page", "component=owa", "level=owa-24x7"],
        &["MailwardBudgetBurningSlowly", "severity=ticket", "component=owa", "level=owa-24x7"],
        &["MailwardMailSlow", "severity=ticket", "component=incoming", "probe=in"],
        &["MailwardAgentSilent", "severity=ticket", "agent=leeds-1"],
        &["MailwardOutboxAgeing", "severity=ticket", "agent=leeds-1"],
        &["MailwardOutboxAgeing", "severity=ticket", "agent=leeds-2"],
    ] {
        assert!(asked(&[&["alert", "add"][..], alert].concat()).is_some(), "{alert:?}");
    }
    let listed = || -> Option<Vec<(String, bool)>> {
        let text = asked(&["alert", "query", "--active", "--inhibited", "--output=json"])?;
        let told: Value = serde_json::from_str(&text).ok()?;
        let mut all: Vec<(String, bool)> = told
            .as_array()?
            .iter()
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default();
                let name = format!("{} {}", label("alertname"), label("agent"));
                (name.trim().to_owned(), alert["status"]["state"] == "suppressed")
            })
            .collect();
        all.sort();
        (all.len() == 7).then_some(all)
    };
    let expect = [
        ("MailwardAgentSilent leeds-1", false),
        ("MailwardBudgetBurningFast", true),
        ("MailwardBudgetBurningSlowly", true),
        ("MailwardComponentDown", false),
        ("MailwardMailSlow", false),
        ("MailwardOutboxAgeing leeds-1", true),
        ("MailwardOutboxAgeing leeds-2", false),
    ];
    let mut last = Vec::new();
    wait_for("symptoms that are kept back", || {
        last = listed()?;
        last.iter().map(|(name, kept)| (name.as_str(), *kept)).eq(expect).then_some(())
    });
}
