//! A dashboard as Grafana would ask Prometheus for it: every variable, and every query of every
//! panel with the variables put in.

use std::path::Path;

use serde_json::Value;

use super::prometheus::Prometheus;

/// What takes the place of variables that are set by Grafana or by a choice.
const CHOSEN: [(&str, &str); 3] =
    [("$__rate_interval", "20s"), ("$__range", "60s"), ("\"$component\"", "\"owa\"")];

pub(crate) struct Board {
    name: String,
    json: Value,
}

impl Board {
    /// Those of deploy/grafana/dashboards.
    pub(crate) fn all() -> Vec<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards");
        let files = std::fs::read_dir(directory).expect("the dashboards").flatten();
        let read = |path: &Path| std::fs::read_to_string(path).expect("a dashboard");
        files
            .map(|file| Self {
                name: file.file_name().to_string_lossy().into_owned(),
                json: serde_json::from_str(&read(&file.path())).expect("JSON"),
            })
            .collect()
    }

    /// The text with every variable put in: all of what may be chosen, where several may.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for variable in self.json["templating"]["list"].as_array().expect("variables") {
            let name = variable["name"].as_str().expect("a name");
            text = text.replace(&format!("=~\"${name}\""), "=~\".*\"");
        }
        for (variable, value) in CHOSEN {
            text = text.replace(variable, value);
        }
        assert!(!text.contains('$'), "{}: {text}", self.name);
        text
    }

    /// Variables and queries that give nothing.
    pub(crate) fn without_data(&self, prometheus: &Prometheus) -> Vec<String> {
        let mut empty = Vec::new();
        for variable in self.json["templating"]["list"].as_array().expect("variables") {
            let Some(query) = variable["query"]["query"].as_str() else { continue };
            let inside = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')'));
            let (selector, label) =
                inside.and_then(|inside| inside.rsplit_once(", ")).expect("label_values(…, label)");
            if prometheus.label_values(&self.filled(selector), label).is_empty() {
                empty.push(format!("{}: variable {}", self.name, variable["name"]));
            }
        }
        for panel in self.json["panels"].as_array().expect("panels") {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expression = self.filled(target["expr"].as_str().expect("a query"));
                let found = if target["instant"] == true {
                    prometheus.values(&expression).len()
                } else {
                    prometheus.series(&expression)
                };
                if found == 0 {
                    empty.push(format!("{}: {}: {expression}", self.name, panel["title"]));
                }
            }
        }
        empty
    }
}
