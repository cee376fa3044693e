//! The dashboards as files: what Grafana's own types say of them, and what a reader needs: a title,
//! a description and a unit everywhere, no panel over another, no source, job or host by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::watching::{is_known, recorded};

/// The colours of states, here and on the status page.
const COLOURS: [&str; 7] =
    ["#00703c", "#b58840", "#d4351c", "#5694ca", "#b1b4b6", "transparent", "text"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files() -> Vec<PathBuf> {
    let directory = std::fs::read_dir(root().join("deploy/grafana/dashboards")).unwrap();
    let mut files: Vec<PathBuf> = directory.flatten().map(|file| file.path()).collect();
    files.sort();
    files
}

fn boards() -> BTreeMap<String, Value> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        (path.file_stem().unwrap().to_string_lossy().into_owned(), text)
    };
    let all = files().iter().map(read).collect::<BTreeMap<_, _>>();
    all.into_iter().map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect()
}

fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    board["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

fn variables(board: &Value) -> &[Value] {
    board["templating"]["list"].as_array().unwrap()
}

#[test]
fn grafana_knows_every_word_of_them() {
    let check = root().join("tests/grafana/check.sh");
    let said = Command::new("bash").arg(check).args(files()).output().unwrap();
    let told = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn each_says_what_it_shows() {
    let boards = boards();
    let names: Vec<&str> = boards.keys().map(String::as_str).collect();
    assert_eq!(names, ["agents", "component", "lists", "mail", "service"]);
    for (name, board) in &boards {
        assert_eq!(board["uid"], format!("mailward-{name}"));
        assert!(!board["description"].as_str().unwrap().is_empty());
        assert!(!board["refresh"].as_str().unwrap().is_empty(), "{name}");
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {}", panel["id"]);
            assert!(!panel["title"].as_str().unwrap().is_empty(), "{name}: {}", panel["id"]);
        }
        for panel in panels(board) {
            let title = panel["title"].as_str().unwrap();
            assert!(panel["description"].as_str().unwrap().len() > 10, "{name}: {title}");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!defaults["unit"].as_str().unwrap().is_empty(), "{name}: {title}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{name}: {title}");
        }
    }
}

#[test]
fn rows_ask_and_no_panel_lies_over_another() {
    for (name, board) in boards() {
        let mut taken = BTreeSet::new();
        let mut asked = 0;
        for panel in board["panels"].as_array().unwrap() {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24 && at("w") > 0 && at("h") > 0, "{name}: {panel}");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{name}: {} lies over another", panel["title"]);
                }
            }
            if panel["type"] == "row" {
                assert!(panel["title"].as_str().unwrap().ends_with('?'), "{}", panel["title"]);
                asked += 1;
            }
        }
        assert!(asked > 1 && board["panels"][0]["type"] == "row", "{name}");
        // no hole: every column is filled from top to bottom of each row
        let height = taken.iter().map(|(_, y)| y + 1).max().unwrap();
        let empty = height * 24 - taken.len() as u64;
        assert_eq!(empty, 0, "{name} has {empty} empty cells");
    }
}

#[test]
fn nothing_is_hard_coded_and_links_lead_somewhere() {
    let boards = boards();
    for (name, board) in &boards {
        let source = "${datasource}";
        let list = variables(board);
        assert_eq!(list[0]["type"], "datasource", "{name}");
        let defined: BTreeSet<&str> = list.iter().map(|v| v["name"].as_str().unwrap()).collect();
        for thing in panels(board).chain(list).filter(|thing| thing["type"] != "datasource") {
            if thing["type"] != "textbox" {
                assert_eq!(thing["datasource"]["uid"], source, "{name}: {thing}");
            }
        }
        for target in panels(board).flat_map(|panel| panel["targets"].as_array().unwrap()) {
            let expression = target["expr"].as_str().unwrap();
            assert_eq!(target["datasource"]["uid"], source, "{name}: {expression}");
            assert!(!expression.contains("job="), "{name}: {expression}");
            named_and_known(name, expression, &defined);
        }
        for variable in list.iter().filter(|variable| variable["type"] == "query") {
            named_and_known(name, variable["query"]["query"].as_str().unwrap(), &defined);
        }
        let links: Vec<&Value> = board["links"].as_array().unwrap().iter().collect();
        assert!(links.iter().any(|link| link["url"] == "${status_page}"), "{name}");
        assert!(links.iter().any(|link| link["tags"][0] == "mailward"), "{name}");
        assert_eq!(board["tags"][0], "mailward");
    }
    for uid in linked(&boards) {
        assert!(boards.values().any(|board| board["uid"] == uid.as_str()), "{uid}");
    }
}

/// Dashboards that panels link to.
fn linked(boards: &BTreeMap<String, Value>) -> Vec<String> {
    let text = boards.values().map(Value::to_string).collect::<String>();
    let uids = text.split("\"/d/").skip(1).filter_map(|rest| rest.split(['?', '"']).next());
    let uids: Vec<String> = uids.map(str::to_owned).collect();
    assert!(!uids.is_empty());
    uids
}

/// Its metrics are offered, and its variables are declared.
fn named_and_known(board: &str, expression: &str, defined: &BTreeSet<&str>) {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || "_:$".contains(c)));
    let recorded = recorded();
    let mut metrics = 0;
    for word in words {
        if let Some(variable) = word.strip_prefix('$') {
            let own = ["__rate_interval", "__range"].contains(&variable);
            assert!(own || defined.contains(variable), "{board}: {word} in {expression}");
        } else if word.contains("mailward_") {
            let known = recorded.contains(word) || is_known(word);
            assert!(known, "{board}: {word} in {expression}");
            metrics += 1;
        }
    }
    assert!(metrics > 0, "{board}: {expression}");
}

#[test]
fn colours_are_those_of_the_page() {
    for (name, board) in boards() {
        let text = board.to_string();
        for rest in text.split("\"color\":\"").skip(1) {
            let colour = rest.split('"').next().unwrap();
            assert!(COLOURS.contains(&colour), "{name}: {colour}");
        }
    }
}
