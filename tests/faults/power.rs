//! Power cuts, of either side: of what was not synced a random part is gone, torn at sectors; of
//! names, files and lengths likewise. What counts as synced is kept by `unsynced.c`, which is
//! preloaded into the real binary.
//!
//! A sector holds either what was last synced or what was last written: what stood there in
//! between is not tried. Shared memory of SQLite (`-shm`) is always gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::judge::judge;
use super::scene::{Agent, Around, Driver, Reporter, answering_server, definition, in_outbox};
use super::support::{free_port, run_ok, scratch};
use super::{Moments, seed, times};

const SECTOR: usize = 512;

/// How often the power is cut.
fn cuts() -> u64 {
    times(20, 200)
}

/// A directory on a disk whose power can be cut.
pub(crate) struct Disk {
    directory: PathBuf,
    image: PathBuf,
    library: PathBuf,
}

impl Disk {
    /// Watches a directory that is there; what it holds now is durable.
    pub(crate) fn below(scratch: &Path, directory: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/unsynced.c");
        let library = scratch.join("unsynced.so");
        let compiled = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status()
            .expect("run the C compiler");
        assert!(compiled.success(), "{} does not compile", source.display());
        let directory = directory.canonicalize().expect("the directory is there");
        let disk = Self { directory, image: scratch.join("image"), library };
        disk.settle();
        disk
    }

    /// What stands around a process that is to write to it.
    pub(crate) fn around(&self) -> Around {
        let pairs = [
            ("LD_PRELOAD", &self.library),
            ("UNSYNCED_DIRECTORY", &self.directory),
            ("UNSYNCED_IMAGE", &self.image),
        ];
        let environment = pairs.map(|(name, value)| (name.into(), value.into())).to_vec();
        Around { environment, ..Around::default() }
    }

    /// All that is there now becomes durable.
    pub(crate) fn settle(&self) {
        let _ = fs::remove_dir_all(&self.image);
        fs::create_dir(&self.image).expect("make the image");
        self.settle_below(&self.directory);
    }

    fn settle_below(&self, directory: &Path) {
        let mut table = String::new();
        for (name, found) in listed(directory) {
            let path = directory.join(&name);
            if found.is_directory {
                self.settle_below(&path);
            } else {
                fs::copy(&path, self.image.join(&found.id)).expect("copy a file");
            }
            let kind = if found.is_directory { 'd' } else { 'f' };
            table += &format!("{kind} {} {name}\n", found.id);
        }
        let table_file = self.image.join(format!("dir-{}", id(directory)));
        fs::write(table_file, table).expect("write a table");
    }

    /// The power is cut: the directory becomes what might be found when it is back. With `None`
    /// nothing of what was not synced is there.
    pub(crate) fn cut(&self, moments: Option<&mut Moments>) {
        let next = self.directory.with_extension("found");
        self.find(&next, moments);
        fs::remove_dir_all(&self.directory).expect("remove what was");
        fs::rename(&next, &self.directory).expect("put what is found in its place");
        self.settle();
    }

    /// Writes what might be found after a cut to another directory.
    fn find(&self, to: &Path, mut moments: Option<&mut Moments>) {
        let mut written = BTreeMap::new();
        gather(&self.directory, &mut written);
        self.find_below(&id(&self.directory), to, &written, &mut moments);
    }

    /// `written` has the path of every file and directory that is there, by its id.
    fn find_below(
        &self,
        id: &str,
        to: &Path,
        written: &BTreeMap<String, PathBuf>,
        moments: &mut Option<&mut Moments>,
    ) {
        fs::create_dir(to).expect("make a directory");
        let durable = self.durable_entries(id);
        let now = written.get(id).map(|path| listed(path)).unwrap_or_default();
        let names: BTreeSet<&String> = durable.keys().chain(now.keys()).collect();
        for name in names {
            let (before, after) = (durable.get(name), now.get(name));
            let chosen = if before == after || !heads(moments) { before } else { after };
            let Some(chosen) = chosen.filter(|_| !name.ends_with("-shm")) else { continue };
            if chosen.is_directory {
                self.find_below(&chosen.id, &to.join(name), written, moments);
            } else {
                let synced = fs::read(self.image.join(&chosen.id)).unwrap_or_default();
                let last = written.get(&chosen.id).map(|path| fs::read(path).expect("read a file"));
                let found = torn(&synced, last.as_ref().unwrap_or(&synced), moments);
                fs::write(to.join(name), found).expect("write a file");
            }
        }
    }

    fn durable_entries(&self, id: &str) -> BTreeMap<String, Found> {
        let table = fs::read_to_string(self.image.join(format!("dir-{id}"))).unwrap_or_default();
        let entry = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (kind, id, name) = (words.next()?, words.next()?, words.next()?);
            Some((name.to_owned(), Found { id: id.to_owned(), is_directory: kind == "d" }))
        };
        table.lines().map(|line| entry(line).expect("a table that was written whole")).collect()
    }
}

/// A file or a directory under a name.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    id: String,
    is_directory: bool,
}

/// What `unsynced.c` calls a file.
fn id(path: &Path) -> String {
    let found = fs::symlink_metadata(path).expect("look at a file");
    let born = found.created().expect("the file system tells times of birth");
    let born = born.duration_since(std::time::UNIX_EPOCH).expect("born after 1970");
    format!("{}-{}{:09}", found.ino(), born.as_secs(), born.subsec_nanos())
}

fn listed(directory: &Path) -> BTreeMap<String, Found> {
    let entries = fs::read_dir(directory).expect("list a directory");
    let of = |entry: fs::DirEntry| {
        let is_directory = entry.file_type().expect("a type").is_dir();
        let name = entry.file_name().into_string().expect("names are UTF-8");
        (name, Found { id: id(&entry.path()), is_directory })
    };
    entries.map(|entry| of(entry.expect("an entry"))).collect()
}

fn gather(directory: &Path, into: &mut BTreeMap<String, PathBuf>) {
    into.insert(id(directory), directory.to_owned());
    for (name, found) in listed(directory) {
        let path = directory.join(name);
        if found.is_directory {
            gather(&path, into);
        } else {
            into.insert(found.id, path);
        }
    }
}

fn heads(moments: &mut Option<&mut Moments>) -> bool {
    moments.as_mut().is_some_and(|moments| moments.next(2) == 1)
}

/// A file of which a random part of what was written after the last sync is there.
fn torn(synced: &[u8], last: &[u8], moments: &mut Option<&mut Moments>) -> Vec<u8> {
    let (short, long) = (synced.len().min(last.len()), synced.len().max(last.len()));
    let length = match moments.as_mut().map(|moments| (moments.next(3), moments)) {
        None | Some((0, _)) => synced.len(),
        Some((1, _)) => last.len(),
        Some((_, moments)) => short + moments.next((long - short) as u64 + 1) as usize,
    };
    let mut found = Vec::with_capacity(length);
    while found.len() < length {
        let (from, to) = (found.len(), (found.len() + SECTOR).min(length));
        let source = if heads(moments) { last } else { synced };
        // beyond its end a file reads as zeros
        let there = source.get(from..to.min(source.len())).unwrap_or_default();
        found.extend_from_slice(there);
        found.resize(to, 0);
    }
    found
}

#[test]
fn a_cut_leaves_what_was_synced_and_tears_the_rest() {
    let check = |synced: &[u8], last: &[u8]| {
        let (short, long) = (synced.len().min(last.len()), synced.len().max(last.len()));
        let mut kinds = BTreeSet::new();
        for seed in 1..200 {
            let found = torn(synced, last, &mut Some(&mut Moments(seed)));
            assert!((short..=long).contains(&found.len()));
            for (at, byte) in found.iter().enumerate() {
                let either = [synced, last].map(|bytes| bytes.get(at).copied().unwrap_or(0));
                assert!(either.contains(byte));
            }
            kinds.insert(found);
        }
        assert!(synced == last || kinds.len() > 3, "{} ways to find it", kinds.len());
        assert_eq!(torn(synced, last, &mut None), synced);
    };
    check(&[1; 2000], &[2; 2000]);
    check(&[], &[2; 2000]);
    check(&[1; 2000], &[2; 700]);
    check(&[1; 700], &[1; 700]);
}

#[test]
fn what_the_reporter_acknowledged_outlives_power_cuts() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    let disk = Disk::below(scratch.path(), &reporter.data);
    reporter.around = disk.around();
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    let mut moments = Moments(seed());
    for _ in 0..cuts() {
        reporter.start();
        reporter.wait_ready();
        driver.wait_more();
        std::thread::park_timeout(Duration::from_millis(moments.next(60)));
        reporter.kill();
        disk.cut(Some(&mut moments));
    }
    reporter.start();
    reporter.wait_ready();
    let safe = driver.stop().acknowledged;
    assert!(reporter.stop().success());
    assert!(safe.len() > 1000, "only {} acknowledged", safe.len());
    let verdict = judge(cuts(), &reporter.config, &reporter.data, &safe);
    // a backup reads every page of the store
    let backup = scratch.path().join("backup");
    let (data, out) = (reporter.data.as_os_str(), backup.as_os_str());
    run_ok(["backup".as_ref(), "--data".as_ref(), data, "--out".as_ref(), out]);
    verdict.pass("reporter loses power");
}

/// The judge finds out a disk that says it has synced and has not: the tests above can fail.
#[test]
fn a_disk_that_lies_is_found_out() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    let disk = Disk::below(scratch.path(), &reporter.data);
    reporter.around = disk.around();
    reporter.around.environment.push(("UNSYNCED_LIES".into(), "1".into()));
    reporter.start();
    reporter.wait_ready();
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    driver.wait_more();
    let safe = driver.stop().acknowledged;
    reporter.kill();
    disk.cut(None);
    let verdict = judge(1, &reporter.config, &reporter.data, &safe);
    assert_eq!(verdict.lost, safe.len() as u64);
}

/// What was synced in the agent's outbox when the power went must reach the reporter, whatever
/// half-written things stand beside it afterwards.
#[test]
fn what_the_agent_synced_outlives_power_cuts() {
    let scratch = scratch();
    let text = definition(30, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "cut", &text, &reporter);
    let home = scratch.path().join("cut");
    agent.data = home.join("disk/data");
    fs::create_dir(home.join("disk")).expect("make a disk");
    let disk = Disk::below(scratch.path(), &home.join("disk"));
    agent.around = disk.around();
    let mut moments = Moments(seed().wrapping_add(1));
    let mut synced = Vec::new();
    for round in 0..cuts() {
        // the reporter is away every other time, so that the outbox fills
        if round % 2 == 0 {
            reporter.start();
            reporter.wait_ready();
        }
        agent.start();
        agent.wait_alive();
        std::thread::park_timeout(Duration::from_millis(300 + moments.next(500)));
        agent.kill();
        if round % 2 == 1 {
            reporter.kill();
        }
        let least = scratch.path().join("least");
        disk.find(&least, None);
        // a directory that was only made is not there any more
        assert!(least.join("data/outbox").is_dir(), "round {round}");
        synced.extend(in_outbox(&least.join("data/outbox")));
        fs::remove_dir_all(&least).expect("remove a copy");
        disk.cut(Some(&mut moments));
    }
    if reporter.running.is_none() {
        reporter.start();
        reporter.wait_ready();
    }
    agent.start();
    agent.wait_alive();
    agent.wait_drained(40.0);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    assert!(synced.len() > 100, "only {} outcomes were synced at the cuts", synced.len());
    let left = agent.in_outbox();
    let safe = synced.iter().filter(|key| !left.contains(key));
    judge(cuts(), &reporter.config, &reporter.data, safe).pass("agent loses power");
}
