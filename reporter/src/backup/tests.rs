//! Backups as a whole: what was acknowledged before one began is in it, and nothing but a sound
//! one is restored.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailward_catalogue::Secret;
use mailward_evidence::{AgentName, ManualClock, Outcome, ProbeId, Record, Verdict};
use proptest::prelude::*;

use super::*;
use crate::store::{Source, Store};

struct Home {
    dir: tempfile::TempDir,
    store: Store,
}

fn now() -> Instant {
    Instant::parse("2026-11-06T02:30:00Z").unwrap()
}

fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-06T02:30:00Z".parse().unwrap()));
    let store = Store::open(&dir.path().join("data"), clock).unwrap();
    Home { dir, store }
}

fn body(number: i64) -> Vec<Record> {
    let outcome = |at: i64| {
        let (agent, probe) = (AgentName::new("a").unwrap(), ProbeId::new("p").unwrap());
        let due = Instant::from_ms(1_790_000_000_000 + at * 60_000).unwrap();
        Record::Outcome(Outcome::new(agent, probe, due, 60_000, Verdict::Up))
    };
    (number * 100..(number + 1) * 100).map(outcome).collect()
}

fn exported(store: &Store) -> String {
    let mut text = Vec::new();
    store.export(None, None, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

impl Home {
    fn data(&self) -> &Path {
        self.store.data_dir()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn order<'a>(&'a self, out: &'a Path) -> Order<'a> {
        Order { data: self.data(), out, with_keys: true, keep: None, now: now() }
    }

    fn take(&self, out: &str) -> Result<Taken, BackupError> {
        take(&self.order(&self.path(out)), &mut |_| {})
    }

    fn restore(&self, file: &Path, to: &str) -> Result<Restored, BackupError> {
        restore(file, &self.path(to), &mut |_| {})
    }

    fn restored(&self, to: &str) -> Store {
        Store::open(&self.path(to), self.store.clock().clone()).unwrap()
    }

    /// What stands in the directory where nothing may have been restored.
    fn assert_nothing_in(&self, to: &str) {
        let left: Vec<_> = fs::read_dir(self.path(to)).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it() {
    let home = home();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ingest = scope.spawn(|| {
            let mut bodies = 0;
            while !stop.load(Ordering::SeqCst) {
                home.store.ingest(body(bodies), Source::Import).unwrap();
                bodies += 1;
            }
            bodies
        });
        for round in 0..3 {
            let before = exported(&home.store);
            let taken = home.take(&format!("{round}.tar.zst")).unwrap();
            home.restore(&taken.file, &round.to_string()).unwrap();
            let after = exported(&home.restored(&round.to_string()));
            assert!(after.starts_with(&before), "backup {round} lacks what came before it");
            let bodies = after.lines().count();
            assert_eq!(bodies % 100, 0, "half a body is in backup {round}");
        }
        stop.store(true, Ordering::SeqCst);
        assert!(ingest.join().unwrap() > 0);
    });
}

#[test]
fn what_is_restored_is_the_same_and_the_key_goes_with_it_unless_told() {
    let home = home();
    home.store.ingest(body(0), Source::Import).unwrap();
    let (_, pem) = sign::SigningKey::generate().unwrap();
    sign::keep(&home.data().join(sign::FILE), &pem).unwrap();
    let taken = home.take("whole").unwrap();
    assert!(taken.has_key && taken.noted, "{taken:?}");
    assert_eq!(home.store.last_backup_ms().unwrap(), Some(now().ms()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&taken.file), 0o600);
    let said = home.restore(&taken.file, "there").unwrap();
    assert!(said.has_key);
    assert_eq!((said.taken.as_str(), said.store_version), ("2026-11-06T02:30:00Z", copy::VERSION));
    assert_eq!(exported(&home.restored("there")), exported(&home.store));
    let key = home.path("there").join(sign::FILE);
    assert_eq!(mode(&key), 0o600);
    assert_eq!(Secret::new(fs::read_to_string(key).unwrap()).expose(), pem.expose());

    let out = home.path("bare");
    let bare = take(&Order { with_keys: false, ..home.order(&out) }, &mut |_| {}).unwrap();
    assert!(!bare.has_key);
    home.restore(&bare.file, "bare there").unwrap();
    assert!(!home.path("bare there").join(sign::FILE).exists());
}

#[test]
fn nothing_is_overwritten() {
    let home = home();
    let taken = home.take("once").unwrap();
    let before = fs::read(&taken.file).unwrap();
    let again = home.take("once").unwrap_err();
    assert!(matches!(again, BackupError::Taken(_)) && again.is_misuse(), "{again}");
    assert_eq!(fs::read(&taken.file).unwrap(), before);
    let onto = home.restore(&taken.file, "data").unwrap_err();
    assert!(matches!(onto, BackupError::NotEmpty(_)) && onto.is_misuse(), "{onto}");
    let nowhere = home.path("nowhere");
    let missing = take(&Order { data: &nowhere, ..home.order(&home.path("x")) }, &mut |_| {});
    assert!(missing.unwrap_err().to_string().contains("there is no store in"));
    assert!(!nowhere.exists() && !home.path("x").exists());
}

#[test]
fn a_damaged_backup_is_refused_wherever_it_is_damaged() {
    let home = home();
    home.store.ingest(body(0), Source::Import).unwrap();
    let whole = fs::read(home.take("whole").unwrap().file).unwrap();
    let damaged = home.path("damaged");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&damaged, bytes).unwrap();
        let error = home.restore(&damaged, "there").expect_err(what);
        let told = matches!(error, BackupError::Damaged { .. } | BackupError::Foreign(_));
        assert!(told, "{what}: {error}");
        home.assert_nothing_in("there");
    };
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        check(&changed, &format!("byte {at} changed"));
        check(&whole[..at], &format!("cut at {at}"));
    }
    check(&[], "nothing");
    check(b"not a backup", "another file");
    check(&[&whole[..], &whole[..]].concat(), "one after the other");
}

#[test]
fn a_newer_backup_is_refused_by_the_version_that_made_it() {
    let home = home();
    let store = home.path("copy");
    let version = copy::copy(home.data(), &store).unwrap();
    let parts = [(copy::FILE, store)];
    let check = |change: &dyn Fn(&mut Manifest), expect: &str| {
        let mut manifest = Manifest::of(now(), version, &parts).unwrap();
        change(&mut manifest);
        let file = home.path("other");
        let _ = fs::remove_file(&file);
        pack::pack(&manifest, &parts, &file).unwrap();
        let error = home.restore(&file, "there").unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
        home.assert_nothing_in("there");
    };
    let newer = "was made by Mailward 9.9.0, in a form this program does not know";
    check(
        &|m| {
            m.v = 2;
            m.program = "9.9.0".to_owned();
        },
        newer,
    );
    check(
        &|m| {
            m.store_version += 1;
            m.program = "9.9.0".to_owned();
        },
        newer,
    );
    check(&|m| m.files[0].sha256.replace_range(..2, "xx"), "is not what was backed up");
    check(&|m| m.files[0].name = "../mailward.sqlite".to_owned(), "it names no store");
    check(&|m| m.files.clear(), "it names no store");
}

#[test]
fn a_damaged_store_gets_no_backup() {
    let home = home();
    for number in 0..200 {
        home.store.ingest(body(number), Source::Import).unwrap();
    }
    let data = home.data().to_owned();
    let Home { dir, store } = home;
    drop(store);
    let file = data.join(copy::FILE);
    let mut bytes = fs::read(&file).unwrap();
    for byte in &mut bytes[8192 * 2..8192 * 4] {
        *byte = 0x5a;
    }
    fs::write(&file, bytes).unwrap();
    let out = dir.path().join("backup");
    let order = Order { data: &data, out: &out, with_keys: true, keep: None, now: now() };
    let error = take(&order, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("the store is damaged"), "{error}");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["data"], "something is left behind");
}

#[test]
fn leftovers_go_two_at_once_are_refused_and_old_ones_make_room() {
    let home = home();
    let backups = home.path("backups");
    fs::create_dir_all(backups.join(".mailward-backup")).unwrap();
    fs::write(backups.join(".mailward-backup/packed"), "half of one").unwrap();
    fs::write(backups.join("mailward-of-mine.tar.zst"), "not dated").unwrap();
    for day in ["2026-11-03", "2026-11-04", "2026-11-05"] {
        let now = Instant::parse(&format!("{day}T02:30:00Z")).unwrap();
        let order = Order { keep: Some(2), now, ..home.order(&backups) };
        take(&order, &mut |_| {}).unwrap();
    }
    let mut left: Vec<String> = fs::read_dir(&backups)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let expect = [
        "mailward-20261104T023000Z.tar.zst",
        "mailward-20261105T023000Z.tar.zst",
        "mailward-of-mine.tar.zst",
    ];
    assert_eq!(left, expect);

    let held = Place::of(&backups, now()).unwrap();
    let error = take(&home.order(&backups), &mut |_| {}).unwrap_err();
    assert!(matches!(error, BackupError::Busy(_)) && !error.is_misuse(), "{error}");
    drop(held);
    take(&home.order(&backups), &mut |_| {}).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_archive_makes_restoring_panic(
        text in prop_oneof![
            ".{0,200}",
            Just(r#"{"v":1,"program":"0","store_version":1,"taken":"","files":[]}"#.to_owned()),
            Just(r#"{"v":1,"program":"0","store_version":1,"taken":"","files":[{"name":"mailward.sqlite","bytes":18446744073709551615,"sha256":""}]}"#.to_owned()),
        ],
        claimed in prop_oneof![Just(None), any::<u64>().prop_map(Some)],
        rest in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bytes = claimed.unwrap_or(text.len() as u64);
        let mut plain = tar::head(manifest::FILE, bytes, 0).to_vec();
        plain.extend_from_slice(text.as_bytes());
        plain.resize(plain.len().next_multiple_of(tar::BLOCK), 0);
        plain.extend_from_slice(&tar::head(copy::FILE, u64::MAX, 0));
        plain.extend_from_slice(&rest);
        let file = dir.path().join("archive");
        fs::write(&file, zstd::encode_all(&*plain, 1).unwrap()).unwrap();
        let data = dir.path().join("data");
        let restored = restore(&file, &data, &mut |_| {});
        prop_assert!(restored.is_err());
        prop_assert!(!data.join(copy::FILE).exists());
    }
}
