//! The ledger of messages under way: an append-only file of JSON lines, each the latest state of
//! one message or that it is over; synced before a message is handed over. On opening, the last
//! line of a token wins and a torn line is passed over; the file is written anew when it is
//! mostly history. What a state means is left to others.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::flight::Flight;
use crate::file;

/// The longest line that is read; what is written is far below.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// The file is not written anew before it has this size.
const MIN_REWRITE_BYTES: u64 = 1 << 20;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{what} the ledger of messages under way, {path}")]
pub struct LedgerError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    State(Box<Flight>),
    Over { over: String },
}

/// The ledger. Entries are taken in memory at once and are on disk after [`Ledger::sync`].
#[derive(Clone, Debug)]
pub struct Ledger(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    pending: Mutex<Pending>,
    /// Held by whoever writes.
    disk: tokio::sync::Mutex<Disk>,
}

#[derive(Debug, Default)]
struct Pending {
    /// Lines that are not written yet.
    lines: Vec<u8>,
    /// The latest line of every message that is not over.
    live: BTreeMap<String, Box<[u8]>>,
    /// Counts what was entered.
    entered: u64,
}

#[derive(Debug)]
struct Disk {
    file: File,
    bytes: u64,
    /// Up to which entry everything is on disk.
    synced: u64,
}

impl Ledger {
    /// One that keeps nothing: for a run outside of any schedule.
    #[must_use]
    pub const fn passing() -> Self {
        Self(None)
    }

    /// Opens the file, or makes it; gives the messages that were under way.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn open(path: &Path) -> Result<(Self, Vec<Flight>), LedgerError> {
        let failed = |what| move |source| LedgerError { what, path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(failed("open"))?;
        let flights = read(&file, path).map_err(failed("read"))?;
        let live = flights.values().filter_map(|flight| {
            Some((flight.token.clone(), line_of(&Line::State(Box::new(flight.clone())))?))
        });
        let pending = Pending { live: live.collect(), ..Pending::default() };
        let bytes = file.metadata().map_err(failed("read"))?.len();
        let shared = Shared {
            path: path.to_owned(),
            pending: Mutex::new(pending),
            disk: tokio::sync::Mutex::new(Disk { file, bytes, synced: 0 }),
        };
        // a torn line would take the first new one with it
        let ledger = Self(Some(Arc::new(shared)));
        if let Some(shared) = &ledger.0
            && let Ok(mut disk) = shared.disk.try_lock()
        {
            shared.rewrite(&mut disk).map_err(failed("write"))?;
        }
        Ok((ledger, flights.into_values().collect()))
    }

    /// Takes in a message's latest state.
    pub fn enter(&self, flight: &Flight) {
        let Some(shared) = &self.0 else { return };
        let Some(line) = line_of(&Line::State(Box::new(flight.clone()))) else { return };
        let mut pending = shared.pending();
        pending.lines.extend_from_slice(&line);
        pending.live.insert(flight.token.clone(), line);
        pending.entered += 1;
    }

    /// Takes in that a message is over.
    pub fn close(&self, token: &str) {
        let Some(shared) = &self.0 else { return };
        let Some(line) = line_of(&Line::Over { over: token.to_owned() }) else { return };
        let mut pending = shared.pending();
        pending.lines.extend_from_slice(&line);
        pending.live.remove(token);
        pending.entered += 1;
    }

    /// Waits until everything that was taken in before is on disk. Who calls while another one's
    /// write is under way shares the next one.
    ///
    /// # Errors
    /// When the disk refuses; what could not be written is tried again with the next call.
    pub async fn sync(&self) -> Result<(), LedgerError> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let mine = shared.pending().entered;
        let failed = |source| LedgerError { what: "write", path: shared.path.clone(), source };
        let shared = Arc::clone(shared);
        let disk = shared.disk.lock().await;
        if disk.synced >= mine {
            return Ok(());
        }
        drop(disk);
        let writing = Arc::clone(&shared);
        let written = tokio::task::spawn_blocking(move || writing.write(mine)).await;
        match written {
            Ok(written) => written.map_err(failed),
            Err(error) => Err(failed(std::io::Error::other(error))),
        }
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes and syncs what is pending, unless `mine` is on disk already.
    fn write(&self, mine: u64) -> std::io::Result<()> {
        let mut disk = self.disk.blocking_lock();
        if disk.synced >= mine {
            return Ok(());
        }
        let (lines, entered, live_bytes) = {
            let mut pending = self.pending();
            let live: usize = pending.live.values().map(|line| line.len()).sum();
            (std::mem::take(&mut pending.lines), pending.entered, live as u64)
        };
        let written = disk.file.write_all(&lines).and_then(|()| disk.file.sync_data());
        if let Err(error) = written {
            // what was torn is passed over on reading: a line end comes before the next try
            let mut again = b"\n".to_vec();
            again.extend_from_slice(&lines);
            let mut pending = self.pending();
            again.extend_from_slice(&pending.lines);
            pending.lines = again;
            return Err(error);
        }
        disk.bytes += lines.len() as u64;
        disk.synced = entered;
        if disk.bytes > MIN_REWRITE_BYTES && disk.bytes > 4 * live_bytes {
            self.rewrite(&mut disk)?;
        }
        Ok(())
    }

    /// Writes the live lines to a new file and puts it in the old one's place.
    fn rewrite(&self, disk: &mut Disk) -> std::io::Result<()> {
        let (lines, entered) = {
            let mut pending = self.pending();
            pending.lines.clear();
            (pending.live.values().flat_map(|line| line.iter().copied()).collect(), pending.entered)
        };
        let lines: Vec<u8> = lines;
        file::replace_surely(&self.path, &lines)?;
        disk.file = OpenOptions::new().append(true).open(&self.path)?;
        (disk.bytes, disk.synced) = (lines.len() as u64, entered);
        Ok(())
    }
}

fn line_of(line: &Line) -> Option<Box<[u8]>> {
    let mut bytes = serde_json::to_vec(line).ok()?;
    bytes.push(b'\n');
    Some(bytes.into())
}

fn read(file: &File, path: &Path) -> std::io::Result<BTreeMap<String, Flight>> {
    let mut flights = BTreeMap::new();
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    let mut torn = 0u32;
    loop {
        bytes.clear();
        let count = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
        if count == 0 {
            break;
        }
        match serde_json::from_slice::<Line>(&bytes) {
            Ok(Line::State(flight)) => {
                flights.insert(flight.token.clone(), *flight);
            }
            Ok(Line::Over { over }) => {
                flights.remove(&over);
            }
            Err(_) if bytes.trim_ascii().is_empty() => {}
            Err(_) => torn += 1,
        }
    }
    if torn > 0 {
        let path = path.display();
        tracing::warn!(%path, lines = torn, "passed over what is no entry of the ledger");
    }
    Ok(flights)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mailward_evidence::record::Pairs;
    use proptest::prelude::*;

    use super::super::flight::Stage;
    use super::*;

    fn flight(token: &str, due_ms: i64) -> Flight {
        Flight {
            token: token.to_owned(),
            probe: "p".to_owned(),
            due_ms,
            attempt: 0,
            next_due_ms: 1,
            sent_ms: 0,
            handed_ms: None,
            timeout_ms: 1,
            lost_after_ms: 1,
            slow_ms: None,
            routes: vec!["sink:s".to_owned()],
            greylisted: false,
            settled: false,
            phases: Pairs::default(),
            facts: Pairs::default(),
            revision: None,
            stage: Stage::UnderWay,
            told: None,
            arrival: None,
        }
    }

    fn dues(flights: &[Flight]) -> Vec<(String, i64)> {
        flights.iter().map(|flight| (flight.token.clone(), flight.due_ms)).collect()
    }

    #[tokio::test]
    async fn what_was_under_way_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.ledger");
        let (ledger, before) = Ledger::open(&path).unwrap();
        assert_eq!(before, []);
        ledger.enter(&flight("a", 1));
        ledger.enter(&flight("b", 1));
        ledger.enter(&flight("a", 2));
        ledger.close("b");
        ledger.sync().await.unwrap();
        drop(ledger);
        // a write that a crash cut short
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"token\":\"c\",\"pro").unwrap();
        let (ledger, after) = Ledger::open(&path).unwrap();
        assert_eq!(dues(&after), [("a".to_owned(), 2)]);
        ledger.enter(&flight("d", 4));
        ledger.sync().await.unwrap();
        let (_, after) = Ledger::open(&path).unwrap();
        assert_eq!(dues(&after), [("a".to_owned(), 2), ("d".to_owned(), 4)]);
    }

    #[tokio::test]
    async fn history_does_not_pile_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.ledger");
        let (ledger, _) = Ledger::open(&path).unwrap();
        for round in 0..40 {
            for number in 0..200 {
                let token = format!("{round}-{number}");
                ledger.enter(&flight(&token, round));
                ledger.close(&token);
            }
            ledger.enter(&flight("stays", round));
            ledger.sync().await.unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * MIN_REWRITE_BYTES);
        let (_, after) = Ledger::open(&path).unwrap();
        assert_eq!(dues(&after), [("stays".to_owned(), 39)]);
    }

    #[tokio::test]
    async fn many_share_a_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.ledger");
        let (ledger, _) = Ledger::open(&path).unwrap();
        let enter = |number: i64| {
            let ledger = ledger.clone();
            async move {
                ledger.enter(&flight(&format!("t{number:03}"), number));
                ledger.sync().await.unwrap();
            }
        };
        futures_util::future::join_all((0..100).map(enter)).await;
        let (_, after) = Ledger::open(&path).unwrap();
        assert_eq!(after.len(), 100);
    }

    proptest! {
        #[test]
        fn rubbish_is_passed_over(rubbish in proptest::collection::vec(any::<u8>(), 0..300)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("mail.ledger");
            let mut bytes = line_of(&Line::State(Box::new(flight("a", 7)))).unwrap().to_vec();
            bytes.extend_from_slice(&rubbish);
            fs::write(&path, &bytes).unwrap();
            let (_, flights) = Ledger::open(&path).unwrap();
            prop_assert_eq!(dues(&flights), [("a".to_owned(), 7)]);
        }
    }
}
