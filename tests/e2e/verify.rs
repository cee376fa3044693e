//! Editions as an auditor meets them: the commands of the one-page guide, run as they stand
//! there, find what was altered; keys are openssl's; a full disk leaves no half edition.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::support::{run, run_ok, scratch, write};

const GUIDE: &str = include_str!("../../docs/verify.md");
const MONTH: &str = "2019-02";
/// A name that is more than it seems, in a spreadsheet.
const NAME: &str = "=HYPERLINK(\\\"http://192.0.2.1\\\"), \\\"Web\\\" & Ünï";

fn definition(report: &str) -> String {
    format!(
        "[service]\nname = \"Post\"\nzone = \"Europe/London\"\n[[component]]\nid = \"owa\"\n\
         name = \"{NAME}\"\n[[probe]]\nid = \"owa-page\"\ncomponent = \"owa\"\nkind = \"http\"\n\
         url = \"http://192.0.2.1/\"\nevery = \"1h\"\nconfirm = 1\n[[level]]\n\
         id = \"owa-availability\"\ncomponent = \"owa\"\nmeasure = \"availability\"\n\
         target = \"99.9%\"\n[report]\n{report}\n"
    )
}

/// February, with an outage of two hours.
fn evidence() -> String {
    let mut text = String::from(
        r#"{"v":1,"kind":"roster","agent":"leeds-1","site":"internet","at":"2019-01-31T00:00:00Z","probes":[{"id":"owa-page","every_s":3600}]}"#,
    );
    text.push('\n');
    let mut at: Timestamp = "2019-01-31T00:00:00Z".parse().expect("an instant");
    let end: Timestamp = "2019-03-02T00:00:00Z".parse().expect("an instant");
    while at < end {
        let due = at.to_string();
        let down = due == "2019-02-14T00:00:00Z" || due == "2019-02-14T01:00:00Z";
        let (verdict, reason) = if down { ("down", json!("timeout")) } else { ("up", json!(null)) };
        let record = json!({"v": 1, "kind": "outcome", "agent": "leeds-1", "probe": "owa-page",
            "due": due, "attempt": 0, "next_due_s": 3600, "took_ms": 12.5,
            "verdict": verdict, "reason": reason, "phases": {}, "facts": {}});
        writeln!(text, "{record}").expect("write to a string");
        at += 1.hour();
    }
    text
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(scratch());
        write(place.0.path(), "probes.toml", &definition(""));
        let file = write(place.0.path(), "evidence.ndjson", &evidence());
        run_ok([Path::new("import"), &file, Path::new("--data"), &place.path("data")]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Arguments for the definition and the data of this place.
    fn args(&self, args: &[&str]) -> Vec<std::ffi::OsString> {
        let mut all: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
        all.extend(["--config".into(), self.path("probes.toml").into_os_string()]);
        all.extend(["--data".into(), self.path("data").into_os_string()]);
        all
    }

    fn publish(&self, more: &[&str]) -> Output {
        let args = [&["publish", "--month", MONTH, "--by", "A. Manager"], more].concat();
        run(self.args(&args))
    }

    fn export(&self, edition: &str) -> PathBuf {
        let out = self.path(&format!("edition-{edition}"));
        let out_text = out.display().to_string();
        run_ok(self.args(&["editions", "export", MONTH, "--edition", edition, "--out", &out_text]));
        out
    }
}

fn shell(directory: &Path, script: &str) -> Output {
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .expect("run bash")
}

fn verify(directory: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut args: Vec<std::ffi::OsString> = vec!["verify".into(), directory.into()];
    args.extend(more.iter().map(Into::into));
    let output = run(args);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("read a part");
    let at = at % bytes.len();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("write a part");
}

#[test]
fn the_guides_commands_find_what_was_altered() {
    let place = Place::new();
    assert!(place.publish(&[]).status.success());
    let whole = place.export("1");
    let commands: Vec<&str> = GUIDE
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap_or(block))
        .collect();
    assert!(commands.len() >= 2, "{}", commands.len());
    for command in &commands {
        let output = shell(&whole, command);
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let (code, said) = verify(&whole, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 level follows from the evidence, recomputed"), "{said}");
    assert!(said.contains("not checked against a known key"), "{said}");
    assert!(said.lines().last().is_some_and(|l| l.contains("not verified")), "{said}");
    assert!(!said.contains("Nothing was altered"), "{said}");
    let own = whole.join("public-key.pem").display().to_string();
    let (code, said) = verify(&whole, &["--key", &own]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("Nothing was altered, as far as was checked.\n"), "{said}");
    let keys = run_ok(place.args(&["keys", "show"]));
    assert!(keys.contains(&std::fs::read_to_string(whole.join("public-key.pem")).expect("a key")));

    let parts = [
        "report.pdf",
        "report.json",
        "evidence.zst",
        "definition.toml",
        "outages.csv",
        "daily.csv",
        "manifest.txt",
        "manifest.sig",
    ];
    for (i, part) in parts.into_iter().enumerate() {
        let at = 37 + 101 * i;
        flip(&whole.join(part), at);
        let found = commands.iter().any(|command| !shell(&whole, command).status.success());
        assert!(found, "no command of the guide finds that {part} was altered");
        let (code, said) = verify(&whole, &[]);
        assert_eq!(code, Some(1), "{part}: {said}");
        assert!(said.contains("FAILED"), "{part}: {said}");
        // one part beside the others, as a reader has it
        let (code, said) = verify(&whole.join("report.pdf"), &[]);
        assert_eq!(code, Some(1), "{part}: {said}");
        flip(&whole.join(part), at);
    }
    let renamed = whole.join("post-2019-02.pdf");
    std::fs::copy(whole.join("report.pdf"), &renamed).expect("copy");
    let (code, said) = verify(&renamed, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is report.pdf, as it was signed"), "{said}");
    flip(&renamed, 900);
    let (code, said) = verify(&renamed, &[]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn keys_are_openssls_and_change_without_harm() {
    let place = Place::new();
    assert!(place.publish(&[]).status.success());
    let first = place.export("1");
    let ours = place.path("data/signing-key.pem");
    let derived = shell(place.0.path(), &format!("openssl pkey -in {} -pubout", ours.display()));
    let kept = std::fs::read(first.join("public-key.pem")).expect("a key");
    assert_eq!(String::from_utf8_lossy(&derived.stdout), String::from_utf8_lossy(&kept));

    // another key, made by openssl, from now on
    let made = shell(
        place.0.path(),
        "openssl genpkey -algorithm ed25519 -out new.pem && openssl pkey -in new.pem -pubout -out new.pub",
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let report = "signing_key = { file = \"new.pem\" }";
    write(place.0.path(), "probes.toml", &definition(report));
    assert!(place.publish(&["--reason", "another key"]).status.success());
    let second = place.export("2");
    let new = place.path("new.pub").display().to_string();
    let old = first.join("public-key.pem").display().to_string();
    for (edition, key, code) in
        [(&first, &old, 0), (&second, &new, 0), (&first, &new, 1), (&second, &old, 1)]
    {
        let (got, said) = verify(edition, &["--key", key]);
        assert_eq!(got, Some(code), "{said}");
    }
    // all the keys in one file, as the service's page has them
    let both = [&new, &old].map(|path| std::fs::read_to_string(path).expect("a key")).concat();
    let both = write(place.0.path(), "keys.pem", &both).display().to_string();
    for edition in [&first, &second] {
        let (got, said) = verify(edition, &["--key", &both]);
        assert_eq!(got, Some(0), "{said}");
    }
    let shown = run_ok(place.args(&["keys", "show"]));
    assert_eq!(shown.matches("BEGIN PUBLIC KEY").count(), 2, "{shown}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
    let definition = std::fs::read_to_string(second.join("definition.toml")).expect("a definition");
    assert!(!definition.contains("new.pem"), "{definition}");

    let out = place.path("third.pem");
    let new = ["keys", "new", "--out", out.to_str().expect("UTF-8")];
    assert!(run_ok(new).starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(run(new).status.code(), Some(64), "a key is never overwritten");
    let read = shell(place.0.path(), "openssl pkey -in third.pem -noout && stat -c %a third.pem");
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), "600");
}

#[test]
fn a_disk_that_fills_while_publishing_leaves_no_half_edition() {
    let place = Place::new();
    assert!(place.publish(&[]).status.success());
    // no file may grow beyond 48 KiB, and what SQLite writes for an edition is more
    let script = format!(
        "trap '' XFSZ; ulimit -f 48; exec {} publish --month {MONTH} --by B --reason again \
         --config {} --data {}",
        env!("CARGO_BIN_EXE_mailward"),
        place.path("probes.toml").display(),
        place.path("data").display()
    );
    for _ in 0..2 {
        let output = shell(place.0.path(), &script);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(74), "{said}");
        assert!(said.contains("keep the edition of 2019-02: the disk"), "{said}");
        let listed = run_ok(place.args(&["editions", "list"]));
        assert_eq!(listed.lines().count(), 1, "{listed}");
    }
    let (code, said) = verify(&place.export("1"), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(place.publish(&["--reason", "room again"]).status.success());
    let (code, said) = verify(&place.export("2"), &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn csv_opens_cleanly_elsewhere() {
    let place = Place::new();
    let out = place.path("out");
    run_ok(place.args(&[
        "report",
        "--month",
        MONTH,
        "--formats",
        "csv",
        "--out",
        out.to_str().expect("UTF-8"),
    ]));
    let script = r#"
import csv, sys
for name in ["outages.csv", "daily.csv", "levels.csv", "months.csv"]:
    with open(name, encoding="utf-8", newline="") as file:
        raw = file.read()
    assert raw.count("\n") == raw.count("\r\n"), name
    with open(name, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows and all(len(row) == len(rows[0]) for row in rows), name
    for cell in (cell for row in rows[1:] for cell in row):
        try:
            float(cell)
        except ValueError:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), (name, cell)
    if name == "daily.csv":
        at = rows[0].index("component_name")
        assert rows[1][at] == "'=HYPERLINK(\"http://192.0.2.1\"), \"Web\" & Ünï", rows[1][at]
        assert float(rows[14][rows[0].index("down_s")]) == 7200, rows[14]
"#;
    let output = Command::new("python3")
        .args(["-c", script])
        .current_dir(&out)
        .stdin(Stdio::null())
        .output()
        .expect("run python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn showing_keys_makes_nothing() {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", &definition(""));
    let data = scratch.path().join("mistyped");
    let output = run([
        "keys".as_ref(),
        "show".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
    ]);
    assert_eq!(output.status.code(), Some(64));
    assert!(!data.exists());
}

#[test]
fn a_file_that_is_not_there_makes_no_store() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    let output =
        run(["import".as_ref(), "nowhere.ndjson".as_ref(), "--data".as_ref(), data.as_os_str()]);
    assert_eq!(output.status.code(), Some(74));
    assert!(!data.exists());
}
