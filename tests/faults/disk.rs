//! Disks that are full, cannot be written, or have lost a page, under either side: it is said, the
//! rest goes on, and nothing that was acknowledged is lost.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::judge::{Verdict, judge};
use super::scene::{Agent, Around, Driver, Reporter, answering_server, definition};
use super::support::{free_port, get, http, run, run_ok, scratch, wait_for};
use super::{Moments, seed, times, upgrade};

/// A disk of its own: a file system mounted in a name space that only its holder and what is run
/// `around` it see. It goes when this is dropped, or when the test dies.
pub(crate) struct SmallDisk {
    holder: Child,
    pub(crate) at: PathBuf,
}

impl SmallDisk {
    /// Of so many bytes, in memory.
    pub(crate) fn in_memory(scratch: &Path, bytes: u64) -> Self {
        Self::mount(scratch, &format!("mount -t tmpfs -o size={bytes} none \"$0\""))
    }

    /// An ext4 in a file, which becomes read-only when it meets an error.
    fn ext4(scratch: &Path) -> Self {
        let image = scratch.join("ext4");
        let made = fs::File::create(&image).and_then(|file| file.set_len(32 << 20));
        made.expect("make an image");
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status();
        assert!(made.expect("run mkfs.ext4").success());
        let script = format!("mount -o loop,errors=remount-ro '{}' \"$0\"", image.display());
        Self::mount(scratch, &script)
    }

    fn mount(scratch: &Path, script: &str) -> Self {
        let at = scratch.join("disk");
        fs::create_dir(&at).expect("make a mount point");
        // `cat` ends when the test does, and the mount with the last process that sees it
        let mut holder = Command::new("unshare")
            .args(["--mount", "sh", "-c", &format!("{script} && echo mounted && exec cat")])
            .arg(&at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare: these tests run as root");
        let mut said = [0; 8];
        let out = holder.stdout.as_mut().expect("its output");
        out.read_exact(&mut said).expect("a disk that is mounted");
        Self { holder, at }
    }

    pub(crate) fn around(&self) -> Around {
        let words = ["nsenter", "-t", &self.holder.id().to_string(), "-m", "--"];
        Around { before: words.map(OsString::from).to_vec(), ..Around::default() }
    }

    /// What is at a path of the disk, as this process can see it.
    pub(crate) fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    fn copy(from: &Path, to: &Path) {
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.expect("run cp").success());
    }

    /// Takes a directory in, and gives where it is.
    fn take(&self, directory: &Path) -> PathBuf {
        let to = self.at.join(directory.file_name().expect("a name"));
        Self::copy(directory, &self.seen(&to));
        // `cp` does not sync, and what is there before a test begins is on disk
        let synced = Command::new("sync").arg("--file-system").arg(self.seen(&to)).status();
        assert!(synced.expect("run sync").success());
        to
    }

    /// Copies what is there to where everybody sees it.
    fn give(&self, directory: &Path, to: &Path) {
        Self::copy(&self.seen(directory), to);
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut filler = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.seen(&self.at.join("filler")))
            .expect("make a filler");
        for size in [1 << 16, 1 << 12, 1 << 9, 1] {
            while filler.write_all(&vec![0x55; size]).is_ok() {}
        }
        drop(filler.sync_all());
    }

    /// The same, and gives so many bytes back.
    pub(crate) fn fill_but(&self, bytes: u64) {
        self.fill();
        let filler = fs::OpenOptions::new().write(true).open(self.seen(&self.at.join("filler")));
        let filler = filler.expect("open the filler");
        let length = filler.metadata().expect("look at the filler").len();
        filler.set_len(length.saturating_sub(bytes)).expect("cut the filler");
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.seen(&self.at.join("filler"))).expect("remove the filler");
    }

    /// Makes it read-only, as a failing disk does, whoever is writing.
    fn break_off(&self) {
        self.inside(&["mount", "-o", "remount,abort"]);
    }

    /// Takes it off, which writes what is still to be written.
    fn take_off(self) {
        self.inside(&["umount"]);
    }

    fn inside(&self, words: &[&str]) {
        let holder = self.holder.id().to_string();
        let done = Command::new("nsenter")
            .args(["-t", &holder, "-m", "--"])
            .args(words)
            .arg(&self.at)
            .status();
        assert!(done.expect("run nsenter").success(), "{words:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Posts nothing, and gives the whole answer with its head.
fn head_of_post(reporter: &Reporter, token: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(reporter.address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set a limit");
    write!(
        stream,
        "POST /api/v1/evidence HTTP/1.1\r\nhost: r\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read the answer");
    answer
}

/// 2,000 outcomes of a time long ago: more than a full disk has room for in a log it has already.
fn large_body(agent: &str, number: i64) -> String {
    let line = |second: i64| {
        let at = jiff::Timestamp::from_second(1_600_000_000 + second).expect("in range");
        let took = (second * 7919) % 100_003;
        format!(
            r#"{{"v":1,"kind":"outcome","agent":"{agent}","probe":"p0","due":"{at}","attempt":0,"next_due_s":1,"took_ms":{took},"verdict":"up","reason":null,"phases":{{"connect":0.5}},"facts":{{"n":"{at}{took}"}}}}"#
        ) + "\n"
    };
    (number * 2000..(number + 1) * 2000).map(line).collect()
}

fn ready(reporter: &Reporter) -> Option<u16> {
    http("GET", &reporter.url("/readyz"), &[], Vec::new()).map(|(status, _)| status)
}

#[test]
fn a_reporter_on_a_full_disk_refuses_and_says_so_and_goes_on_when_there_is_room() {
    let scratch = scratch();
    let disk = SmallDisk::in_memory(scratch.path(), 64 << 20);
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    let spare = reporter.enrol("spare");
    reporter.data = disk.take(&reporter.data);
    reporter.around = disk.around();
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    let rounds = times(3, 30);
    for round in 0..rounds {
        // with a log that is small: a large one has room in itself
        reporter.start();
        reporter.wait_ready();
        driver.wait_more();
        let (status, said) = driver.wait_refused(|| disk.fill());
        assert_eq!(status, 503, "{said}");
        let answer = head_of_post(&reporter, &spare, &large_body("spare", round.cast_signed()));
        let head = answer.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 503 "), "{answer}");
        assert!(head.contains("\r\nretry-after: "), "{answer}");
        wait_for("it to say that it is not ready", || (ready(&reporter)? == 503).then_some(()));
        assert_eq!(get(&reporter.url("/")).0, 200);
        assert_eq!(get(&reporter.url("/healthz")).0, 200);
        // what is there can be brought to safety
        let export = ["export".into(), "--data".into(), reporter.data.clone().into()];
        let exported = disk.around().command(&export).output().expect("start mailward");
        assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
        disk.free();
        reporter.wait_ready();
        driver.wait_more();
        let said = reporter.running.as_ref().expect("a reporter that runs").said();
        assert!(said.contains("the disk that holds the store is full"), "{said}");
        assert!(reporter.stop().success());
    }
    let safe = driver.stop().acknowledged;
    let copy = scratch.path().join("copy");
    disk.give(&reporter.data, &copy);
    judge(rounds, &reporter.config, &copy, &safe).pass("reporter's disk full");
}

#[test]
fn an_agent_on_a_full_disk_goes_on_and_keeps_what_fits_into_memory() {
    let scratch = scratch();
    let text = definition(20, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "full", &text, &reporter);
    let disk = SmallDisk::in_memory(scratch.path(), 4 << 20);
    agent.data = disk.at.join("data");
    agent.around = disk.around();
    agent.around.environment.push(("MAILWARD_LOG".into(), "warn,mailward_agent=info".into()));
    let said = |agent: &Agent, what: &str| {
        agent.running.as_ref().expect("an agent that runs").said().matches(what).count()
    };
    agent.start();
    agent.wait_alive();
    let rounds = times(2, 20);
    for _ in 0..rounds {
        wait_for("records", || {
            agent.metric("mailward_outbox_records").filter(|records| *records > 0.0)
        });
        let before = said(&agent, "cannot write to the outbox");
        wait_for("it to say that the disk refuses", || {
            // what it removes meanwhile is filled too
            disk.fill();
            (said(&agent, "cannot write to the outbox") > before).then_some(())
        });
        let outcomes = || agent.metric("mailward_probe_outcomes_total");
        let seen = outcomes().expect("outcomes");
        wait_for("probes to go on", || outcomes().filter(|now| *now > seen + 30.0));
        let before = said(&agent, "the outbox can be written to again");
        disk.free();
        wait_for("it to write again", || {
            (said(&agent, "the outbox can be written to again") > before).then_some(())
        });
        reporter.start();
        reporter.wait_ready();
        agent.wait_drained(30.0);
        reporter.stop();
    }
    reporter.start();
    reporter.wait_ready();
    agent.wait_drained(30.0);
    let total = agent.metric("mailward_probe_outcomes_total").expect("outcomes");
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let stored = super::judge::stored(&reporter.data);
    // what was seen while the disk was full waited in memory: all of it arrived
    assert!(stored.len() as f64 >= total, "{} of {total} outcomes arrived", stored.len());
    let keys: Vec<_> = stored.keys().cloned().collect();
    judge(rounds, &reporter.config, &reporter.data, &keys).pass("agent's disk full");
}

#[test]
fn a_directory_that_cannot_be_written_is_named_at_the_start() {
    let scratch = scratch();
    let text = definition(1, free_port());
    let reporter = Reporter::new(scratch.path(), &text);
    let agent = Agent::new(scratch.path(), "readonly", &text, &reporter);
    let disk = SmallDisk::ext4(scratch.path());
    let data = disk.take(&reporter.data);
    disk.break_off();
    let address = free_port().to_string();
    let check = |words: [&str; 7], config: &Path, data: &Path| {
        let mut args = words.map(OsString::from);
        args[2] = config.into();
        args[4] = data.into();
        let out = disk.around().command(&args).output().expect("start mailward");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(74), "{said}");
        assert!(said.contains("Read-only file system"), "{said}");
        assert!(said.contains(&*data.to_string_lossy()), "{said}");
    };
    let reporter_words = ["reporter", "--config", "", "--data", "", "--listen", &address];
    check(reporter_words, &reporter.config, &data);
    let agent_words = ["agent", "--config", "", "--data", "", "--reporter", &agent.reporter];
    check(agent_words, &agent.config, &disk.at.join("agent"));
    Verdict { times: 2, ..Verdict::default() }.pass("directory read-only at the start");
}

#[test]
fn a_reporter_whose_disk_becomes_read_only_refuses_and_shows_its_page() {
    let scratch = scratch();
    let disk = SmallDisk::ext4(scratch.path());
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    reporter.data = disk.take(&reporter.data);
    reporter.around = disk.around();
    reporter.start();
    reporter.wait_ready();
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    driver.wait_more();
    // a sync that is under way at that very moment may say that it is done and be lost: one in
    // twenty by hand, without this program. So what was acknowledged before is judged
    let safe = driver.so_far();
    let (status, said) = driver.wait_refused(|| disk.break_off());
    assert_eq!(status, 503, "{said}");
    let then = driver.acknowledged();
    wait_for("it to say that it is not ready", || (ready(&reporter)? == 503).then_some(()));
    assert_eq!(get(&reporter.url("/")).0, 200);
    assert_eq!(driver.stop().acknowledged.len(), then, "it went on acknowledging");
    reporter.kill();
    // what such a disk holds is what is in its file, once it is mounted anew
    disk.take_off();
    let again = scratch.path().join("again");
    fs::create_dir(&again).expect("make a directory");
    let image = scratch.path().join("ext4");
    wait_for("the image to be let go", || {
        let used = Command::new("losetup").arg("-j").arg(&image).output().expect("run losetup");
        used.stdout.is_empty().then_some(())
    });
    let checked = Command::new("e2fsck").args(["-p", "-f"]).arg(&image).output();
    let checked = checked.expect("run e2fsck").status.code();
    assert!(matches!(checked, Some(0 | 1)), "0 is clean and 1 mended, got {checked:?}");
    let disk = SmallDisk::mount(&again, &format!("mount -o loop '{}' \"$0\"", image.display()));
    let copy = scratch.path().join("copy");
    disk.give(&disk.at.join("reporter"), &copy);
    judge(1, &reporter.config, &copy, &safe).pass("reporter's disk becomes read-only");
}

/// Publishes again and again while there is ever so little room: an edition is there whole, or it
/// is not there.
#[test]
fn no_half_edition_is_published_while_the_disk_fills() {
    let scratch = scratch();
    let disk = SmallDisk::in_memory(scratch.path(), 8 << 20);
    upgrade::put(5, &scratch.path().join("data"));
    let data = disk.take(&scratch.path().join("data"));
    let config = upgrade::fixtures().join("probes.toml");
    let on = |words: &[&str], more: &[&Path]| {
        let args = words.iter().map(OsString::from).chain(more.iter().map(OsString::from));
        let args: Vec<OsString> = args.chain(["--data".into(), data.clone().into()]).collect();
        disk.around().command(&args).output().expect("start mailward")
    };
    let (mut published, mut refused) = (1, 0);
    let rounds = times(12, 100);
    let mut moments = Moments(seed());
    for _ in 0..rounds {
        disk.fill_but(moments.next(400 << 10));
        let words = ["publish", "--month", "2026-09", "--by", "A", "--reason", "again", "--config"];
        let done = on(&words, &[&config]);
        disk.free();
        match done.status.code() {
            Some(0) => published += 1,
            Some(74) => refused += 1,
            code => panic!("{code:?}: {}", String::from_utf8_lossy(&done.stderr)),
        }
        let listed = on(&["editions", "list"], &[]);
        let there = String::from_utf8_lossy(&listed.stdout).lines().count();
        assert_eq!(there, published);
    }
    println!("editions published {published}, refused {refused}");
    assert!(published > 1 && refused > 0);
    let copy = scratch.path().join("copy");
    disk.give(&data, &copy);
    for number in 1..=published {
        let out = scratch.path().join(number.to_string());
        run_ok([
            "editions".as_ref(),
            "export".as_ref(),
            "2026-09".as_ref(),
            "--edition".as_ref(),
            number.to_string().as_ref(),
            "--out".as_ref(),
            out.as_os_str(),
            "--data".as_ref(),
            copy.as_os_str(),
        ]);
        run_ok([Path::new("verify"), &out]);
    }
    Verdict { times: rounds, ..Verdict::default() }.pass("disk full while publishing");
}

/// A page of a store is overwritten with rubbish: the program says that it is damaged, or, where it
/// has no need of the page, still says the truth.
#[test]
fn a_store_with_a_bad_page_is_not_served_as_truth() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    upgrade::put(5, &data);
    let file = data.join("mailward.sqlite");
    let export = |data: &Path| {
        let done = run([Path::new("export"), Path::new("--data"), data]);
        (done.status.code(), done.stdout)
    };
    let truth = export(&data);
    let figures = upgrade::said_of_the_month(&data);
    assert_eq!((truth.0, figures.0), (Some(0), Some(0)));
    // the log has gone into the file when the last program has closed it
    let whole = fs::read(&file).expect("read the store");
    let pages = whole.len() / 8192;
    let mut moments = Moments(seed());
    let rounds = times(10, 3 * pages as u64);
    let (mut told, mut same) = (0, 0);
    for round in 0..rounds {
        let page = match rounds > pages as u64 {
            true => round as usize % pages,
            false => moments.next(pages as u64) as usize,
        };
        let mut bad = whole.clone();
        for chunk in bad[page * 8192..(page + 1) * 8192].chunks_mut(4) {
            let noise = moments.next(1 << 31).to_le_bytes();
            chunk.copy_from_slice(&noise[..chunk.len()]);
        }
        fs::remove_dir_all(&data).and_then(|()| fs::create_dir(&data)).expect("begin anew");
        fs::write(&file, &bad).expect("write the store");

        // a backup reads every page, and takes none that is bad
        let backup = scratch.path().join("backup");
        let (from, out) = (data.as_os_str(), backup.as_os_str());
        let made = run(["backup".as_ref(), "--data".as_ref(), from, "--out".as_ref(), out]);
        let taken = made.status.success();
        let edition = upgrade::edition_of_the_month(&data, &scratch.path().join("edition"));
        let found = [export(&data), upgrade::said_of_the_month(&data)];
        for (found, truth) in found.iter().zip([&truth, &figures]) {
            let honest = found == truth || found.0 == Some(74);
            assert!(honest, "page {page} of {pages}: ended with {:?}", found.0);
        }
        if found.iter().all(|found| found.0 == Some(0)) && edition {
            same += 1;
        } else {
            told += 1;
        }
        if taken {
            let back = scratch.path().join("back");
            run_ok(["restore".as_ref(), out, "--data".as_ref(), back.as_os_str()]);
            let found = export(&back);
            let honest = found == truth || found.0 == Some(74);
            assert!(honest, "page {page} of {pages} came back from a backup as truth");
            fs::remove_dir_all(&back).expect("remove what was restored");
            fs::remove_file(&backup).expect("remove a backup");
        }
    }
    println!("bad pages: {told} told, {same} not needed, of {pages} pages");
    assert!(told > 0);
    Verdict { times: rounds, ..Verdict::default() }.pass("store with a bad page");
}
