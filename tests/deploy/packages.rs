//! The Debian packages, installed into a copy of this machine's own system (an overlay in a mount
//! namespace; the machine keeps nothing of it): both beside each other, upgraded, removed, purged.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Builds both packages of the program under test, as `version`.
fn build(out: &Path, version: &str) {
    let done = Command::new("deploy/deb/build")
        .args(["--binary", env!("CARGO_BIN_EXE_mailward"), "--compression", "none"])
        .args(["--version", version, "--out"])
        .arg(out)
        .current_dir(ROOT)
        .output()
        .unwrap();
    let text = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&text));
}

fn package(out: &Path, name: &str, version: &str) -> PathBuf {
    let listed = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let starts = format!("{name}_{version}_");
    let mut found =
        listed.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&starts));
    found.next().unwrap_or_else(|| panic!("no {starts}"))
}

#[test]
fn packages_install_upgrade_and_leave_the_evidence() {
    let out = tempfile::tempdir().unwrap();
    build(out.path(), "0.1.0");
    build(out.path(), "0.1.1");
    let done = Command::new("unshare")
        .args(["--mount", "--fork", "--pid", "--kill-child", "tests/deploy/packages.sh"])
        .arg(out.path())
        .current_dir(ROOT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}\n{complaints}");
    // what the script found, a line each; what dpkg says in between is for people
    let found: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("found: ")).collect();
    let expect = [
        "installed agent: mailward 0.1.0",
        "its user: mailward-agent",
        "its manual and completions are there",
        "its unit runs /usr/lib/mailward-agent/mailward",
        "nothing was enabled",
        "both installed: 2 alternatives",
        "upgraded agent: the reporter's is meant, /usr/lib/mailward-reporter/mailward",
        "its settings are kept: MAILWARD_REPORTER=https://status.example.net",
        "its evidence is kept",
        "removed agent: mailward 0.1.0 by /usr/lib/mailward-reporter/mailward",
        "its evidence is kept",
        "purged both: no program",
        "its evidence is kept",
        "what a person wrote is kept",
        "no settings of the packages",
    ];
    assert_eq!(found, expect, "{said}\n{complaints}");
    assert!(said.contains("is kept, with what it holds"), "{said}");
    assert!(said.contains("README.Debian says what to write"), "{said}");
}

#[test]
fn the_same_program_makes_the_same_packages() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    build(one.path(), "0.1.0");
    build(two.path(), "0.1.0");
    for name in ["mailward-agent", "mailward-reporter"] {
        let read = |out: &Path| std::fs::read(package(out, name, "0.1.0")).unwrap();
        assert!(read(one.path()) == read(two.path()), "{name} differs");
    }
}

#[test]
fn a_package_is_not_made_of_nothing() {
    let said = Command::new("deploy/deb/build")
        .args(["--binary", "/nonexistent/mailward"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    let told = String::from_utf8(said.stderr).unwrap();
    assert_eq!(
        told,
        "build: no program at /nonexistent/mailward; cargo build --release makes it\n"
    );
}
