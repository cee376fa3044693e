//! Holds what ARCHITECTURE.md says: which crate may use which, that every file says what it
//! is for, and that the pure stages stay pure.

#[path = "architecture/supply.rs"]
mod supply;

use std::fs;
use std::path::{Path, PathBuf};

/// Crate → what it may depend on inside the workspace. The same table as in ARCHITECTURE.md.
const EDGES: &[(&str, &[&str])] = &[
    ("catalogue", &[]),
    ("evidence", &[]),
    ("agent", &["mailward-catalogue", "mailward-evidence"]),
    ("reporter", &["mailward-catalogue", "mailward-evidence"]),
    ("lab", &[]),
];

/// Crate → libraries that would give away what it must not know.
const BANNED: &[(&str, &[&str])] = &[
    ("catalogue", &["tokio", "hyper", "reqwest", "axum", "rusqlite", "hickory-resolver"]),
    ("evidence", &["tokio", "hyper", "reqwest", "axum", "rusqlite", "toml"]),
    ("agent", &["rusqlite", "askama", "printpdf"]),
    ("reporter", &["hickory-proto", "rustls-native-certs", "mail-parser", "quick-xml"]),
    ("lab", &["rusqlite", "hickory-proto", "askama"]),
];

/// File or folder → words that must not stand in its code (tests aside): a pure stage names
/// no store and no clock, a renderer reads no store, the store knows no percentages.
const UNSPOKEN: &[(&str, &[&str])] = &[
    ("reporter/src/timeline", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/availability", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/exclusions", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/clock", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/interval", &["crate::", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/report", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/render", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/leases", &["crate::store", "SystemClock", "rusqlite", "tokio"]),
    ("evidence/src/lease", &["SystemClock", "rusqlite", "tokio"]),
    ("reporter/src/store", &["crate::availability", "crate::report", "crate::render"]),
    ("reporter/src/ingest", &["crate::availability", "crate::report", "rusqlite"]),
    ("agent/src/schedule", &["crate::probe", "crate::outbox", "SystemClock"]),
    ("agent/src/net", &["Verdict", "crate::probe", "crate::outbox"]),
    ("agent/src/outbox", &["crate::probe", "crate::deliver", "Verdict"]),
    ("agent/src/probe", &["crate::outbox", "crate::deliver", "crate::schedule"]),
    ("catalogue/src", &["std::net::TcpStream", "SystemTime"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sections of a manifest that name what the shipped crate uses.
fn dependencies(crate_name: &str) -> Vec<String> {
    let path = root().join(crate_name).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut inside = false;
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line == "[build-dependencies]";
        } else if inside
            && let Some(name) = line.split(['.', ' ', '=']).next()
            && !name.is_empty()
            && !name.starts_with('#')
        {
            names.push(name.to_owned());
        }
    }
    assert!(!names.is_empty(), "{crate_name} has no [dependencies]");
    names
}

#[test]
fn crates_use_only_what_the_table_allows() {
    for (name, allowed) in EDGES {
        for dependency in dependencies(name) {
            if dependency.starts_with("mailward-") {
                assert!(
                    allowed.contains(&dependency.as_str()),
                    "{name} must not depend on {dependency}: see ARCHITECTURE.md"
                );
            }
        }
    }
    for (name, banned) in BANNED {
        for dependency in dependencies(name) {
            assert!(
                !banned.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}: it would know what it must not"
            );
        }
    }
}

#[test]
fn architecture_document_names_every_crate() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (name, allowed) in EDGES {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}/`")))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {name}/"));
        for edge in *allowed {
            let short = edge.trim_start_matches("mailward-");
            assert!(row.contains(short), "the row for {name}/ does not name {short}");
        }
    }
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all_rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for part in ["src", "catalogue", "evidence", "agent", "reporter", "lab", "tests", "bench"] {
        rust_files(&root().join(part), &mut found);
    }
    assert!(found.len() > 40, "found only {} files", found.len());
    found
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut faults = Vec::new();
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).expect("a source file is UTF-8");
        // the first paragraph has one to five lines; a design may follow after an empty `//!`
        let head = text.lines().take_while(|l| l.starts_with("//! ")).count();
        if !(1..=5).contains(&head) {
            faults.push(format!("{}: opens with {head} lines of `//! `", path.display()));
        }
        if path.file_name().is_some_and(|n| n == "mod.rs") {
            faults.push(format!("{}: foo.rs and foo/, not mod.rs", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The code of a file without its unit tests, comments and docs.
fn spoken(text: &str) -> String {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn stages_name_only_what_they_may_know() {
    let mut faults = Vec::new();
    for (place, words) in UNSPOKEN {
        let mut files = Vec::new();
        rust_files(&root().join(place), &mut files);
        let file = root().join(format!("{place}.rs"));
        if file.is_file() {
            files.push(file);
        }
        assert!(!files.is_empty(), "{place} is not there any more: mend the table");
        for path in files {
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = spoken(&fs::read_to_string(&path).expect("a source file is UTF-8"));
            for word in *words {
                if text.contains(word) {
                    faults.push(format!("{} names {word}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_one_file_reads_the_clocks() {
    let calls = [
        concat!("SystemTime", "::now()"),
        concat!("Timestamp", "::now()"),
        concat!("Zoned", "::now()"),
    ];
    for path in all_rust_files() {
        if path.ends_with("evidence/src/clock.rs") {
            continue;
        }
        let text = spoken(&fs::read_to_string(&path).expect("a source file is UTF-8"));
        for call in calls {
            assert!(!text.contains(call), "{} reads the clock: {call}", path.display());
        }
    }
}
