//! Upgrades: stores of every version that was ever written (`stores/`) are opened by this program,
//! which must say what the program of their time said; whatever interrupts it, a store is of its
//! old version or of the new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::judge::{Verdict, judge, stored};
use super::power::Disk;
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::{run, run_ok, scratch, wait_for};
use super::{Moments, seed, times};

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/stores")
}

fn versions() -> Vec<u32> {
    let is_there = |version: &u32| fixtures().join(format!("store-v{version}.sqlite.zst")).exists();
    (1..).take_while(is_there).collect()
}

fn unpacked(name: &str) -> Vec<u8> {
    let file = fs::read(fixtures().join(name)).expect("read a fixture");
    zstd::decode_all(&*file).expect("unpack a fixture")
}

/// Puts the store of a version into a data directory.
pub(crate) fn put(version: u32, data: &Path) {
    fs::create_dir_all(data).expect("make a directory");
    let file = unpacked(&format!("store-v{version}.sqlite.zst"));
    fs::write(data.join("mailward.sqlite"), file).expect("write a store");
}

/// Runs a command of the binary with a data directory.
fn on(data: &Path, words: &[&str]) -> Output {
    run(words.iter().map(Path::new).chain([Path::new("--data"), data]))
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Runs the report of the fixtures' month; how it ended, and report.json.
fn run_report(data: &Path, from: &str) -> (Output, Vec<u8>) {
    let out = scratch();
    let (config, to) = (fixtures().join("probes.toml"), out.path().to_owned());
    let words = ["report", "--month", "2026-09", "--now", "2026-10-03T00:00:00Z"];
    let more = ["--formats", "json", "--from", from];
    let words = words.iter().chain(&more).map(Path::new);
    let places = [("--config", &*config), ("--data", data), ("--out", &*to)];
    let places = places.iter().flat_map(|(option, path)| [Path::new(option), path]);
    let done = run(words.chain(places));
    (done, fs::read(to.join("report.json")).unwrap_or_default())
}

/// What the program says of the fixtures' month: exit code and report.json.
pub(crate) fn said_of_the_month(data: &Path) -> (Option<i32>, Vec<u8>) {
    let (done, text) = run_report(data, "kept");
    (done.status.code(), text)
}

/// Whether the edition of the fixtures' month is there and holds.
pub(crate) fn edition_of_the_month(data: &Path, out: &Path) -> bool {
    let _ = fs::remove_dir_all(out);
    let words = ["editions", "export", "2026-09", "--out"].map(Path::new);
    let exported = run(words.into_iter().chain([out, Path::new("--data"), data]));
    exported.status.success() && run([Path::new("verify"), out]).status.success()
}

fn report(data: &Path, from: &str) -> Value {
    let (done, text) = run_report(data, from);
    assert!(done.status.success(), "{}", said(&done));
    serde_json::from_slice(&text).expect("the report is JSON")
}

/// The version of the store in a directory, as a backup says it: backups change nothing.
fn version_of(data: &Path) -> u64 {
    let room = scratch();
    let file = room.path().join("backup");
    let copy = room.path().join("copy");
    fs::create_dir(&copy).expect("make a directory");
    for entry in fs::read_dir(data).expect("list a directory") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            fs::copy(&path, copy.join(path.file_name().expect("a name"))).expect("copy a store");
        }
    }
    let made = on(&copy, &["backup", "--out", file.to_str().expect("a path in UTF-8")]);
    assert!(made.status.success(), "{}", said(&made));
    let packed = zstd::decode_all(&*fs::read(&file).expect("read")).expect("unpack a backup");
    // the manifest is the first file of the archive
    let mut manifest = serde_json::Deserializer::from_slice(&packed[512..]).into_iter::<Value>();
    let manifest = manifest.next().expect("a manifest").expect("a manifest in JSON");
    manifest["store_version"].as_u64().expect("a version")
}

/// Where `later` does not say what `earlier` says.
fn differences(path: &str, earlier: &Value, later: &Value, found: &mut Vec<String>) {
    match (earlier, later) {
        (Value::Object(earlier), Value::Object(later)) => {
            // what stands behind a figure is told in words, and ever more of them
            for (key, value) in earlier.iter().filter(|(key, _)| *key != "grounds") {
                let below = format!("{path}/{key}");
                match later.get(key) {
                    Some(other) => differences(&below, value, other, found),
                    None => found.push(format!("{below} is gone")),
                }
            }
        }
        (Value::Array(earlier), Value::Array(later)) if earlier.len() == later.len() => {
            for (at, (value, other)) in earlier.iter().zip(later).enumerate() {
                differences(&format!("{path}/{at}"), value, other, found);
            }
        }
        (earlier, later) if earlier == later => {}
        (earlier, later) => found.push(format!("{path}: {earlier} became {later}")),
    }
}

#[test]
fn there_is_a_store_of_every_version() {
    let scratch = scratch();
    run_ok(["agents".as_ref(), "list".as_ref(), "--data".as_ref(), scratch.path().as_os_str()]);
    let current = version_of(scratch.path());
    let kept = versions();
    let expect = kept.len() as u64 >= current - 1;
    assert!(expect, "of {current} versions only {kept:?} have a store in tests/faults/stores");
}

#[test]
fn a_store_of_every_version_says_what_it_said() {
    for version in versions() {
        let scratch = scratch();
        put(version, scratch.path());
        assert_eq!(version_of(scratch.path()), u64::from(version));
        let now = report(scratch.path(), "kept");
        assert_eq!(now, report(scratch.path(), "raw"), "version {version}");
        let then: Value =
            serde_json::from_slice(&unpacked(&format!("store-v{version}.report.json.zst")))
                .expect("the report of that time is JSON");
        let mut found = Vec::new();
        for part in ["levels", "period", "as_of", "month", "zone", "to_date"] {
            differences(&format!("/{part}"), &then[part], &now[part], &mut found);
        }
        assert!(found.is_empty(), "version {version}:\n{}", found.join("\n"));

        // all of the evidence is there, once
        let files = ["imported.ndjson.zst", "delivered.ndjson.zst"].map(|n| fixtures().join(n));
        let again = run_ok(
            [Path::new("import")]
                .into_iter()
                .chain(files.iter().map(PathBuf::as_path))
                .chain([Path::new("--data"), scratch.path()]),
        );
        let counts: Vec<&str> = again.lines().filter_map(|line| line.split(": ").nth(1)).collect();
        let expect =
            ["0 accepted, 4188 duplicates, 0 conflicts", "0 accepted, 576 duplicates, 0 conflicts"];
        assert_eq!(counts, expect, "version {version}");
        assert!(stored(scratch.path()).values().all(|times| *times == 1));

        // and so is the edition; those of versions 1 to 4 were not signed
        let edition = edition_of_the_month(scratch.path(), &scratch.path().join("edition"));
        assert_eq!(edition, version >= 5, "version {version}");
        let listed = said(&on(scratch.path(), &["editions", "list"]));
        assert!(listed.contains("2026-09  edition 1"), "{listed}");
    }
}

#[test]
fn a_newer_store_and_a_strange_one_are_refused_in_words() {
    let scratch = scratch();
    let file = scratch.path().join("mailward.sqlite");
    let version = *versions().last().expect("a store");
    let check = |at: usize, number: u32, expect: &str| {
        put(version, scratch.path());
        let mut bytes = fs::read(&file).expect("read a store");
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        fs::write(&file, &bytes).expect("write a store");
        let backup = scratch.path().join("backup");
        let out = backup.to_str().expect("a path in UTF-8");
        for words in [&["export"][..], &["backup", "--out", out]] {
            let refused = on(scratch.path(), words);
            assert_eq!(refused.status.code(), Some(74), "{}", said(&refused));
            assert!(said(&refused).contains(expect), "{}", said(&refused));
        }
        assert!(!backup.exists());
        assert_eq!(fs::read(&file).expect("read a store"), bytes, "it was changed");
    };
    // where SQLite keeps `user_version` and `application_id` (its file format, section 1.3)
    check(60, 99, "is a store of version 99, and this program knows versions up to");
    check(68, 0x1234_5678, "is not a mailward store");
}

/// The program is killed, and the power cut, while it brings a store of the first version to the
/// current one.
#[test]
fn an_interrupted_upgrade_leaves_the_old_version_or_the_new_one() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    let oldest = versions()[0];
    put(oldest, &data);
    let before = report_of_a_copy(&data);
    let disk = Disk::below(scratch.path(), &data);
    let mut moments = Moments(seed());
    let mut ended: BTreeMap<u64, u64> = BTreeMap::new();
    let cuts = times(20, 200);
    for _ in 0..cuts {
        let words = ["export", "--data", ""].map(std::ffi::OsString::from);
        let [word, option, _] = words;
        let args = [word, option, data.clone().into()];
        let mut command = disk.around().command(&args);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut upgrading = command.spawn().expect("start mailward");
        // there is a log from when the file was opened, and something in it from the commit on
        let log = data.join("mailward.sqlite-wal");
        let least = moments.next(2);
        wait_for("the upgrade to begin", || {
            let begun = fs::metadata(&log).is_ok_and(|found| found.len() >= least);
            (begun || upgrading.try_wait().expect("wait for mailward").is_some()).then_some(())
        });
        std::thread::park_timeout(Duration::from_micros(moments.next(4000)));
        let _ = upgrading.kill();
        let _ = upgrading.wait();
        disk.cut(Some(&mut moments));
        *ended.entry(version_of(&data)).or_default() += 1;
        assert_eq!(report_of_a_copy(&data), before);
        // the next one starts from the old version again
        fs::remove_dir_all(&data).expect("remove a store");
        put(oldest, &data);
        disk.settle();
    }
    println!("upgrades interrupted, by the version they left: {ended:?}");
    assert!(ended.keys().all(|found| *found == 1 || *found > 4), "{ended:?}");
    Verdict { times: cuts, ..Verdict::default() }.pass("upgrade interrupted");
}

fn report_of_a_copy(data: &Path) -> Value {
    let copy = scratch();
    for name in ["mailward.sqlite", "mailward.sqlite-wal"] {
        if data.join(name).exists() {
            fs::copy(data.join(name), copy.path().join(name)).expect("copy a store");
        }
    }
    report(copy.path(), "kept")
}

/// An agent goes on while the reporter is stopped, its program replaced, and started on its old
/// store: no run of the agent is missing.
#[test]
fn an_agent_notices_an_upgrade_by_its_outbox_only() {
    let scratch = scratch();
    let text = definition(5, answering_server());
    let mut all = Verdict::default();
    for version in &versions() {
        let home = scratch.path().join(format!("v{version}"));
        let mut reporter = Reporter::new(&home, &text);
        put(*version, &reporter.data);
        let token = unpacked_token(*version);
        let mut agent = Agent::enrolled(&home, "leeds-1", &text, &reporter, token.trim());
        agent.start();
        agent.wait_alive();
        wait_for("records to wait", || {
            agent.metric("mailward_outbox_records").filter(|records| *records > 5.0)
        });
        reporter.start();
        reporter.wait_ready();
        agent.wait_drained(5.0);
        assert!(agent.stop().success());
        assert!(reporter.stop().success());
        let stored = stored(&reporter.data);
        let ours: Vec<_> = stored.keys().filter(|key| key.1.starts_with('p')).cloned().collect();
        let mut dues: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (_, probe, due, attempt) in &ours {
            assert_eq!(*attempt, 0);
            let due: jiff::Timestamp = due.parse().expect("an instant");
            dues.entry(probe).or_default().push(due.as_millisecond());
        }
        for (probe, dues) in &mut dues {
            dues.sort_unstable();
            // within three intervals the one before still speaks: rule 2
            let gap = dues.windows(2).find(|two| two[1] - two[0] > 3000);
            assert_eq!(gap, None, "{probe} of the store of version {version}");
        }
        assert_eq!(dues.len(), 5);
        let one = judge(1, &reporter.config, &reporter.data, &ours);
        all.times += one.times;
        all.lost += one.lost;
        all.doubled += one.doubled;
        all.false_outages += one.false_outages;
    }
    all.pass("upgrade under load");
}

/// An agent's directory of the first version: what waits in its outbox is delivered.
#[test]
fn what_an_old_agent_kept_arrives() {
    let scratch = scratch();
    let text = definition(2, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    put(1, &reporter.data);
    let token = unpacked_token(1);
    let mut agent = Agent::enrolled(scratch.path(), "leeds-1", &text, &reporter, token.trim());
    fs::create_dir_all(&agent.data).expect("make a directory");
    let unpacked = std::process::Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(fixtures().join("agent-v1.tar.zst"))
        .arg("-C")
        .arg(&agent.data)
        .status();
    assert!(unpacked.expect("run tar").success());
    let kept = agent.in_outbox();
    assert_eq!(kept.len(), 14);
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    agent.wait_drained(5.0);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    judge(1, &reporter.config, &reporter.data, &kept).pass("upgrade of an agent");
}

fn unpacked_token(version: u32) -> String {
    let file = fixtures().join(format!("store-v{version}.token"));
    fs::read_to_string(file).expect("read a token")
}
