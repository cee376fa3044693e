//! What Prometheus and Grafana are told: metrics that exist, alerts that fire and say what to do.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const AGENT_METRICS: &str = include_str!("../../agent/src/metrics.rs");
const REPORTER_METRICS: &str = include_str!("../../reporter/src/metrics.rs");

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
    serde_json::from_str(include_str!("../../deploy/grafana/mailward.json")).expect("JSON")
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
        include_str!("../../deploy/prometheus/rules.yml"),
        include_str!("../../deploy/prometheus/tests/rules.yml"),
    );
    let runbook = include_str!("../../docs/runbook.md");
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
