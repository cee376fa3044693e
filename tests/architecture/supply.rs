//! What is built on, held to deny.toml without `cargo deny` itself: where it comes from, under
//! which licence, what is banned, and which crates are there in two versions.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Where every crate that is not ours comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn policy() -> toml::Table {
    let text = std::fs::read_to_string(super::root().join("deny.toml")).expect("deny.toml");
    text.parse().expect("deny.toml is TOML")
}

fn texts(list: &toml::Value, key: Option<&str>) -> BTreeSet<String> {
    let entries = list.as_array().expect("a list").iter();
    let text = |entry: &toml::Value| {
        let text = key.map_or(Some(entry), |key| entry.get(key))?;
        text.as_str().map(str::to_owned)
    };
    entries.map(|entry| text(entry).expect("a text")).collect()
}

/// All packages of the shipped program on Linux, ours among them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(super::root())
        .output()
        .expect("run cargo");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    told["packages"].as_array().expect("packages").clone()
}

/// Whether an expression of SPDX licences can be met by allowed ones. `AND` binds closer than
/// `OR`, which crates of old write as a slash.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (holds, rest) = either(&words, allowed);
    assert!(rest.is_empty(), "{expression}: {rest:?} is left over");
    holds
}

fn either<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    let (mut holds, mut rest) = both(words, allowed);
    while let ["OR", after @ ..] = rest {
        let (more, left) = both(after, allowed);
        (holds, rest) = (holds || more, left);
    }
    (holds, rest)
}

fn both<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    let (mut holds, mut rest) = one(words, allowed);
    while let ["AND", after @ ..] = rest {
        let (more, left) = one(after, allowed);
        (holds, rest) = (holds && more, left);
    }
    (holds, rest)
}

fn one<'w>(words: &'w [&'w str], allowed: &BTreeSet<String>) -> (bool, &'w [&'w str]) {
    match words {
        ["(", inner @ ..] => match either(inner, allowed) {
            (holds, [")", rest @ ..]) => (holds, rest),
            (_, rest) => panic!("expected a closing bracket, got {rest:?}"),
        },
        [licence, "WITH", exception, rest @ ..] => {
            (allowed.contains(&format!("{licence} WITH {exception}")), rest)
        }
        [licence, rest @ ..] => (allowed.contains(*licence), rest),
        [] => panic!("expected a licence"),
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed = ["MIT", "ISC", "A WITH B"].map(str::to_owned).into();
    for (expression, expect) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("MIT/GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("(GPL-3.0-only OR MIT) AND ISC", true),
        ("GPL-3.0-only OR MIT AND ISC", true),
        ("MIT AND ISC AND GPL-3.0-only", false),
        ("A WITH B OR GPL-3.0-only", true),
        ("MIT WITH B", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expect, "{expression}");
    }
}

#[test]
fn what_is_built_on_keeps_to_the_policy() {
    let policy = policy();
    let allowed = texts(&policy["licenses"]["allow"], None);
    let banned = texts(&policy["bans"]["deny"], Some("crate"));
    let packages = packages();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} has none"));
        assert!(is_allowed(licence, &allowed), "{name}: {licence} is not among the allowed");
        assert!(!banned.contains(name), "{name} is banned");
        match package["source"].as_str() {
            Some(source) => assert_eq!(source, REGISTRY, "{name}"),
            None => assert!(name.starts_with("mailward"), "{name} has no source"),
        }
    }
}

/// Also for what other systems than Linux would need.
#[test]
fn everything_locked_has_a_source_and_a_checksum() {
    let text = std::fs::read_to_string(super::root().join("Cargo.lock")).expect("Cargo.lock");
    let locked: toml::Table = text.parse().expect("Cargo.lock is TOML");
    for package in locked["package"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        if name.starts_with("mailward") {
            continue;
        }
        let source = package.get("source").and_then(toml::Value::as_str);
        assert_eq!(source, Some(REGISTRY), "{name}");
        let sum = package.get("checksum").and_then(toml::Value::as_str).unwrap_or_default();
        assert_eq!(sum.len(), 64, "{name}");
    }
}

#[test]
fn crates_in_two_versions_are_known() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().expect("a text").to_owned();
        versions.entry(text("name")).or_default().insert(text("version"));
    }
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let twice: BTreeSet<String> = twice.map(|(name, _)| name.clone()).collect();
    let known = texts(&policy()["bans"]["skip"], Some("crate"));
    let known = known.iter().map(|spec| spec.split('@').next().unwrap_or(spec).to_owned());
    assert_eq!(twice, known.collect(), "crates in two versions, and those that deny.toml lists");
}
