//! Backups under trouble: beside a reporter at work, killed half-way, onto a disk that fills. What
//! comes back is what was there, and half a backup is never found.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use super::disk::SmallDisk;
use super::judge::{Verdict, judge, stored};
use super::scene::{Driver, Reporter, definition};
use super::support::{free_port, get, mailward, run, run_ok, scratch, wait_for};
use super::{Moments, seed, times, upgrade};

fn backup_args(data: &Path, out: &Path) -> [OsString; 5] {
    let words = ["backup", "--data", "", "--out", ""];
    let mut args = words.map(OsString::from);
    args[2] = data.into();
    args[4] = out.into();
    args
}

fn restore(file: &Path, data: &Path) -> Output {
    run([Path::new("restore"), file, Path::new("--data"), data])
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("list a directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_backup_of_a_reporter_at_work_holds_what_was_acknowledged_before_it() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    reporter.start();
    reporter.wait_ready();
    let metric = "mailward_backup_last_success_timestamp_seconds";
    assert!(!get(&reporter.url("/metrics")).1.contains(metric));
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    let rounds = times(3, 20);
    let mut lost = 0;
    for round in 0..rounds {
        driver.wait_more();
        let safe = driver.so_far();
        let file = scratch.path().join(format!("{round}.tar.zst"));
        run_ok(backup_args(&reporter.data, &file));
        // the reporter went on meanwhile, and goes on
        driver.wait_more();
        let back = scratch.path().join(format!("{round}"));
        let done = restore(&file, &back);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let verdict = judge(1, &reporter.config, &back, &safe);
        assert_eq!((verdict.doubled, verdict.false_outages), (0, 0));
        lost += verdict.lost;
    }
    wait_for("the metric of the last backup", || {
        get(&reporter.url("/metrics")).1.contains(metric).then_some(())
    });
    let safe = driver.stop().acknowledged;
    assert!(reporter.stop().success());
    let verdict = judge(rounds, &reporter.config, &reporter.data, &safe);
    Verdict { lost: verdict.lost + lost, ..verdict }.pass("backed up under load");
}

#[test]
fn what_is_restored_says_the_same_to_the_byte() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    upgrade::put(5, &data);
    let report = upgrade::said_of_the_month(&data);
    assert_eq!(report.0, Some(0));
    let config = upgrade::fixtures().join("probes.toml");
    let key = |data: &Path| {
        let (config, data) = (config.as_os_str(), data.as_os_str());
        run_ok([
            "keys".as_ref(),
            "show".as_ref(),
            "--config".as_ref(),
            config,
            "--data".as_ref(),
            data,
        ])
    };
    // a reporter makes its key when it first starts
    let made = scratch.path().join("key.pem");
    run_ok(["keys".as_ref(), "new".as_ref(), "--out".as_ref(), made.as_os_str()]);
    fs::copy(&made, data.join("signing-key.pem")).expect("put a key in place");
    let shown = key(&data);
    let file = scratch.path().join("backup");
    run_ok(backup_args(&data, &file));
    let back = scratch.path().join("back");
    let said = String::from_utf8(restore(&file, &back).stdout).expect("output is UTF-8");
    assert!(said.contains("restored as it was at 20"), "{said}");
    assert_eq!(upgrade::said_of_the_month(&back), report);
    assert_eq!(stored(&back), stored(&data));
    assert_eq!(key(&back), shown);
    assert!(upgrade::edition_of_the_month(&back, &scratch.path().join("edition")));
    let again = restore(&file, &back);
    assert_eq!(again.status.code(), Some(64));
    assert_eq!(run(backup_args(&data, &file)).status.code(), Some(64));
    let listed = std::process::Command::new("tar").args(["--zstd", "-tf"]).arg(&file).output();
    let listed = String::from_utf8(listed.expect("run tar").stdout).expect("names are UTF-8");
    assert_eq!(listed, "manifest.json\nsigning-key.pem\nmailward.sqlite\n");
}

#[test]
fn a_backup_onto_a_full_disk_leaves_nothing_of_itself() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    upgrade::put(5, &data);
    let disk = SmallDisk::in_memory(scratch.path(), 4 << 20);
    let file = disk.at.join("backup.tar.zst");
    let take = || disk.around().command(&backup_args(&data, &file)).output().expect("start it");
    let mut moments = Moments(seed());
    let (mut whole, rounds) = (0, times(12, 100));
    for _ in 0..rounds {
        disk.fill_but(moments.next(800 << 10));
        let done = take();
        let there = files_in(&disk.seen(&disk.at));
        let names: Vec<_> = there.iter().filter_map(|path| path.file_name()).collect();
        if done.status.success() {
            whole += 1;
            assert_eq!(names, ["backup.tar.zst", "filler"]);
            let copy = scratch.path().join("copy");
            fs::copy(disk.seen(&file), &copy).expect("copy a backup");
            let back = scratch.path().join(format!("back-{whole}"));
            assert!(restore(&copy, &back).status.success());
            fs::remove_file(disk.seen(&file)).expect("remove a backup");
        } else {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(done.status.code(), Some(74), "{said}");
            let told = ["no storage space", "No space left"].iter().any(|why| said.contains(why));
            assert!(told, "{said}");
            assert_eq!(names, ["filler"]);
        }
        disk.free();
    }
    println!("backups onto a full disk: {whole} of {rounds} had room");
    assert!(whole < rounds);
    Verdict { times: rounds, ..Verdict::default() }.pass("disk full while backing up");
}

#[test]
fn a_backup_that_is_killed_leaves_no_half_file() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    upgrade::put(5, &data);
    let backups = scratch.path().join("backups");
    fs::create_dir(&backups).expect("make a directory");
    let mut moments = Moments(seed());
    let (mut whole, rounds) = (0, times(10, 200));
    for _ in 0..rounds {
        let file = backups.join("backup.tar.zst");
        let mut taking = mailward()
            .args(backup_args(&data, &file))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start a backup");
        let room = backups.join(".mailward-backup");
        wait_for("the backup to begin", || {
            let ended = taking.try_wait().expect("wait for it").is_some();
            (ended || room.exists()).then_some(())
        });
        std::thread::park_timeout(Duration::from_millis(moments.next(60)));
        let _ = taking.kill();
        let _ = taking.wait();
        if file.exists() {
            whole += 1;
            let back = scratch.path().join(format!("back-{whole}"));
            assert!(restore(&file, &back).status.success());
            fs::remove_file(&file).expect("remove a backup");
        }
    }
    // what was left behind is cleared by the next one
    let file = backups.join("last.tar.zst");
    run_ok(backup_args(&data, &file));
    assert_eq!(files_in(&backups), [file]);
    println!("backups killed: {rounds}, of which {whole} were there already");
    Verdict { times: rounds, ..Verdict::default() }.pass("backup killed");
}
