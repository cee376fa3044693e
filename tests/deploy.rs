//! What `deploy/` names exists: metrics of the dashboard, options of the units and of the
//! containers, and the definition they point at.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const AGENT_METRICS: &str = include_str!("../agent/src/metrics.rs");
const REPORTER_METRICS: &str = include_str!("../reporter/src/metrics.rs");
const AGENT_UNIT: &str = include_str!("../deploy/systemd/mailward-agent.service");
const REPORTER_UNIT: &str = include_str!("../deploy/systemd/mailward-reporter.service");
const USERS: &str = include_str!("../deploy/systemd/mailward.sysusers");
const CONTAINERFILE: &str = include_str!("../deploy/Containerfile");
const COMPOSE: &str = include_str!("../deploy/compose.yaml");
const DEFINITION: &str = include_str!("../probes.toml");

/// The words in a text that start with `mailward_`.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(ends).filter(|word| word.starts_with("mailward_")).collect()
}

/// The metrics that either side offers.
fn offered() -> BTreeSet<&'static str> {
    let quoted = [AGENT_METRICS, REPORTER_METRICS].into_iter().flat_map(|text| text.split('"'));
    quoted.filter(|word| word.starts_with("mailward_")).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(include_str!("../deploy/grafana/mailward.json")).expect("JSON")
}

#[test]
fn the_dashboard_names_metrics_that_are_there() {
    let offered = offered();
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(expressions.len() > 15);
    for expression in expressions {
        let named = metrics_in(expression);
        assert!(!named.is_empty(), "{expression}");
        for metric in named {
            let histogram = metric.strip_suffix("_bucket").unwrap_or(metric);
            assert!(offered.contains(histogram), "{metric} in {expression}");
        }
    }
}

/// promtool, which Debian's package `prometheus` brings (tests/peers/install.sh rules).
fn promtool(arguments: &[&str]) {
    let root = env!("CARGO_MANIFEST_DIR");
    let said = Command::new("promtool").args(arguments).current_dir(root).output();
    let said = said.unwrap_or_else(|error| panic!("promtool {arguments:?}: {error}"));
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn every_alert_fires_in_its_scenario_and_says_what_to_do() {
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"]);
    promtool(&["test", "rules", "deploy/prometheus/tests/rules.yml"]);
    let (rules, tried) = (
        include_str!("../deploy/prometheus/rules.yml"),
        include_str!("../deploy/prometheus/tests/rules.yml"),
    );
    let runbook = include_str!("../docs/runbook.md");
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 12);
    for alert in alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        assert!(tried.contains(&fires), "nothing shows that {alert} fires");
        assert!(runbook.contains(&format!("\n## {alert}\n")), "the runbook has no {alert}");
        let link = format!("docs/runbook.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not say where to read on");
    }
    let offered = offered();
    // a rule's own records have a colon before the metric's name
    let words = rules.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
    for metric in words.filter(|word| word.starts_with("mailward_")) {
        let metric = metric.strip_suffix("_bucket").unwrap_or(metric);
        assert!(offered.contains(metric), "nobody offers {metric}");
    }
}

#[test]
fn the_dashboard_takes_its_source_from_a_variable() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{} stands twice", panel["id"]);
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{}", panel["title"]);
        }
    }
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
}

/// The options in a text, without their dashes.
fn options_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "\",=[]".contains(c));
    words.filter_map(|word| word.strip_prefix("--")).collect()
}

#[test]
fn commands_and_options_are_those_of_the_binary() {
    let line = |text: &'static str, with: &str| {
        text.lines().find(|line| line.contains(with)).unwrap_or_else(|| panic!("no {with}"))
    };
    let (_, services) = COMPOSE.split_once("\nservices:\n").unwrap();
    let (reporter, rest) = services.split_once("\n  agent:\n").unwrap();
    let (agent, _) = rest.split_once("\nvolumes:\n").unwrap();
    let check = |command: &[&str], text: &str| {
        let mut binary = Command::new(env!("CARGO_BIN_EXE_mailward"));
        let said = binary.args(command).arg("--help").output().unwrap();
        let help = String::from_utf8(said.stdout).unwrap();
        let options = options_in(text);
        assert!(!options.is_empty(), "{text}");
        for option in options {
            assert!(
                help.contains(&format!("--{option}")),
                "mailward {command:?} has no --{option}"
            );
        }
    };
    check(&["agent"], line(AGENT_UNIT, "ExecStart=/usr/bin/mailward agent "));
    check(&["reporter"], line(REPORTER_UNIT, "ExecStart=/usr/bin/mailward reporter "));
    check(&["up"], line(CONTAINERFILE, "CMD [\"up\""));
    check(&["reporter"], reporter);
    check(&["agent"], agent);
    let (_, enrol) = line(COMPOSE, "agents add").split_once("agents add").unwrap();
    check(&["agents", "add"], enrol);
}

#[test]
fn units_run_as_users_of_their_own() {
    for unit in [AGENT_UNIT, REPORTER_UNIT] {
        let value = |key: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
            line.unwrap_or_else(|| panic!("no {key}"))
        };
        let user = value("User");
        assert!(USERS.lines().any(|line| line.starts_with(&format!("u {user} "))), "{user}");
        let state = format!("--data /var/lib/{}", value("StateDirectory"));
        assert!(value("ExecStart").contains(&state), "{state}");
        assert_eq!(value("RestartPreventExitStatus"), "64");
    }
    assert!(AGENT_UNIT.contains("LoadCredential=token:/etc/mailward/token"));
}

#[test]
fn the_containers_have_the_secrets_that_the_definition_names() {
    let declared = DEFINITION.lines().filter(|line| !line.starts_with('#'));
    let named = declared.filter_map(|line| line.split("file = \"").nth(1));
    let paths: Vec<&str> = named.filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(paths.len(), 5);
    for path in paths {
        assert!(COMPOSE.contains(&format!("target: {path}\n")), "{path}");
    }
}
