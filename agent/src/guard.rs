//! Spares accounts: a service locks an account after a few wrong passwords, so a refused one is
//! tried once more after five minutes and then not again until somebody clears it. What is
//! remembered is on disk before an attempt is made, so that no crash buys another one.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mailward_evidence::Clock;
use serde::{Deserialize, Serialize};

/// How long after a rejection the one confirmation may be made.
const CONFIRM_AFTER_S: i64 = 300;
/// How long an account counts as proven good.
const PROVEN_S: i64 = 86_400;
/// How often it is written down that an account is good.
const NOTE_PROVEN_S: i64 = 3600;

/// The account is being spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account was refused and is being spared")]
pub struct Held;

/// What is remembered of one account, in `credentials/ID.json` of the data directory. Removing
/// the file clears the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// Rejections since it was last accepted; 2 or more: it is not tried again.
    rejections: u32,
    /// An attempt is being made. Found after a crash, it counts as a rejection.
    trying: bool,
    /// When that was.
    at: Timestamp,
    /// When it was last known to be accepted, to the hour.
    proven: Option<Timestamp>,
}

#[derive(Debug)]
struct Standing {
    memory: Memory,
    /// Accepted since the start: it needs no lease.
    trusted: bool,
    /// One run is trying it; no other may.
    leased: bool,
    on_disk: bool,
}

/// The memory of all accounts of an agent.
#[derive(Debug)]
pub struct Guard {
    directory: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    standings: Mutex<HashMap<Box<str>, Standing>>,
}

impl Guard {
    /// A guard that remembers in `directory`, or, without one, only until the process ends.
    #[must_use]
    pub fn new(directory: Option<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { directory, clock, standings: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an account's memory is kept.
    fn path(&self, id: &str) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join(file_name(id)))
    }

    fn recall(&self, id: &str, now: Timestamp) -> Standing {
        let blank = Memory { rejections: 0, trying: false, at: now, proven: None };
        let read = self.path(id).and_then(|path| fs::read(path).ok());
        let on_disk = read.is_some();
        let mut memory = match read.map(|bytes| serde_json::from_slice::<Memory>(&bytes)) {
            None => blank,
            Some(Ok(memory)) => memory,
            Some(Err(error)) => {
                tracing::error!(credential = id, %error, "the account's memory cannot be read; it is treated as refused once");
                Memory { rejections: 1, ..blank }
            }
        };
        if memory.trying {
            tracing::warn!(
                credential = id,
                "an attempt with this account was cut short; it counts as a rejection"
            );
            memory.rejections += 1;
            memory.trying = false;
        }
        Standing { memory, trusted: false, leased: false, on_disk }
    }

    /// Asks to try the account. Whoever was granted it says [`Guard::accepted`],
    /// [`Guard::rejected`] or [`Guard::release`] afterwards. An account that was accepted since
    /// the start is granted to any number at once, another one to one at a time.
    ///
    /// # Errors
    /// When it is being spared, or being tried by another run.
    pub fn ask(&self, id: &str) -> Result<(), Held> {
        let now = self.clock.now();
        let mut standings = self.lock();
        let standing = match standings.get_mut(id) {
            Some(standing) => standing,
            None => standings.entry(Box::from(id)).or_insert(self.recall(id, now)),
        };
        if standing.trusted {
            return Ok(());
        }
        if standing.leased {
            return Err(Held);
        }
        if standing.on_disk && self.path(id).is_some_and(|path| !path.exists()) {
            tracing::info!(credential = id, "the account was cleared");
            *standing = self.recall(id, now);
        }
        let due = match standing.memory.rejections {
            0 => true,
            1 => seconds_between(standing.memory.at, now) >= CONFIRM_AFTER_S,
            _ => false,
        };
        if !due {
            return Err(Held);
        }
        let before = standing.memory;
        standing.memory = Memory { trying: true, at: now, ..before };
        if !self.write_down(id, standing) {
            standing.memory = before;
            return Err(Held);
        }
        standing.leased = true;
        Ok(())
    }

    /// The service took the account.
    pub fn accepted(&self, id: &str) {
        let now = self.clock.now();
        let mut standings = self.lock();
        let standing = standings.entry(Box::from(id)).or_insert_with(|| self.recall(id, now));
        let before = standing.memory;
        let stale = before.proven.is_none_or(|at| seconds_between(at, now) >= NOTE_PROVEN_S);
        let settled = before.rejections == 0 && !before.trying;
        (standing.trusted, standing.leased) = (true, false);
        if before.rejections > 0 {
            tracing::info!(credential = id, "the account is accepted again");
        }
        if stale || !settled {
            standing.memory = Memory { rejections: 0, trying: false, at: now, proven: Some(now) };
            self.write_down(id, standing);
        }
    }

    /// The service refused the account.
    pub fn rejected(&self, id: &str) {
        let now = self.clock.now();
        let mut standings = self.lock();
        let standing = standings.entry(Box::from(id)).or_insert_with(|| self.recall(id, now));
        (standing.trusted, standing.leased) = (false, false);
        let before = standing.memory;
        standing.memory =
            Memory { rejections: before.rejections + 1, trying: false, at: now, ..before };
        self.write_down(id, standing);
        if standing.memory.rejections == 1 {
            tracing::warn!(
                credential = id,
                "the account was refused; it is tried once more in 5 minutes"
            );
        } else {
            let path = self.path(id).unwrap_or_default();
            tracing::error!(
                credential = id,
                clear_by_removing = %path.display(),
                "the account was refused again; it is not tried any more until it is cleared"
            );
        }
    }

    /// The attempt came to no answer: nothing is known, and the account may be asked for again.
    pub fn release(&self, id: &str) {
        let now = self.clock.now();
        let mut standings = self.lock();
        let Some(standing) = standings.get_mut(id).filter(|standing| standing.leased) else {
            return;
        };
        standing.leased = false;
        standing.memory = Memory { trying: false, at: now, ..standing.memory };
        self.write_down(id, standing);
    }

    /// Whether the account was accepted within the last 24 hours (and up to an hour more, after
    /// a restart).
    pub fn proven(&self, id: &str) -> bool {
        let now = self.clock.now();
        let mut standings = self.lock();
        let standing = standings.entry(Box::from(id)).or_insert_with(|| self.recall(id, now));
        standing.memory.proven.is_some_and(|at| seconds_between(at, now) <= PROVEN_S)
    }

    /// Whether it could be written down.
    fn write_down(&self, id: &str, standing: &mut Standing) -> bool {
        let Some(path) = self.path(id) else { return true };
        let written = serde_json::to_vec(&standing.memory)
            .map_err(std::io::Error::other)
            .and_then(|bytes| replace(&path, &bytes));
        match written {
            Ok(()) => {
                standing.on_disk = true;
                true
            }
            Err(error) => {
                tracing::error!(
                    credential = id,
                    path = %path.display(),
                    %error,
                    "cannot write down what became of the account"
                );
                false
            }
        }
    }
}

/// Writes a file whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let fresh = path.with_extension("new");
    let mut file = fs::File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&fresh, path)
}

fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

/// An id as a file's name: what is not a letter, a digit, `-` or `_` is written as `%XX`.
pub(crate) fn file_name(id: &str) -> String {
    use std::fmt::Write;
    let mut name = String::with_capacity(id.len() + 5);
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            name.push(char::from(byte));
        } else {
            // writing to a String cannot fail
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name.push_str(".json");
    name
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mailward_evidence::ManualClock;

    use super::*;

    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    struct Bench {
        directory: tempfile::TempDir,
        clock: Arc<ManualClock>,
    }

    impl Bench {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
            Self { directory: tempfile::tempdir().unwrap(), clock }
        }

        fn guard(&self) -> Guard {
            let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
            Guard::new(Some(self.directory.path().join("credentials")), clock)
        }
    }

    #[test]
    fn one_confirmation_after_five_minutes_and_then_none() {
        let bench = Bench::new();
        let guard = bench.guard();
        assert_eq!(guard.ask("a"), Ok(()));
        guard.rejected("a");
        assert_eq!(guard.ask("a"), Err(Held));
        bench.clock.advance(FIVE_MINUTES - Duration::from_secs(1));
        assert_eq!(guard.ask("a"), Err(Held));
        bench.clock.advance(Duration::from_secs(1));
        assert_eq!(guard.ask("a"), Ok(()));
        assert_eq!(guard.ask("a"), Err(Held), "one run at a time");
        guard.rejected("a");
        bench.clock.advance(FIVE_MINUTES * 1000);
        assert_eq!(guard.ask("a"), Err(Held));
        assert_eq!(bench.guard().ask("a"), Err(Held), "also after a restart");
        assert_eq!(bench.guard().ask("b"), Ok(()), "another account is another matter");

        fs::remove_file(bench.directory.path().join("credentials/a.json")).unwrap();
        assert_eq!(guard.ask("a"), Ok(()), "somebody cleared it");
    }

    #[test]
    fn crashes_buy_no_attempts() {
        let bench = Bench::new();
        let mut granted = 0;
        for _ in 0..100 {
            // each process dies in the middle of its attempt
            granted += u32::from(bench.guard().ask("a").is_ok());
            bench.clock.advance(Duration::from_secs(60));
        }
        assert_eq!(granted, 2);
    }

    #[test]
    fn an_accepted_account_is_free_and_proven_for_a_day() {
        let bench = Bench::new();
        let guard = bench.guard();
        assert!(!guard.proven("a"));
        assert_eq!(guard.ask("a"), Ok(()));
        guard.accepted("a");
        assert_eq!((guard.ask("a"), guard.ask("a")), (Ok(()), Ok(())));
        assert!(guard.proven("a") && bench.guard().proven("a"));
        guard.rejected("a");
        assert!(guard.proven("a"), "a rejection does not undo the proof");
        assert_eq!(guard.ask("a"), Err(Held));
        guard.accepted("a");
        assert_eq!(guard.ask("a"), Ok(()), "another path proved it good");
        bench.clock.advance(Duration::from_secs(86_401));
        assert!(!guard.proven("a"));
    }

    #[test]
    fn an_attempt_without_an_answer_costs_nothing() {
        let bench = Bench::new();
        let guard = bench.guard();
        for _ in 0..5 {
            assert_eq!(guard.ask("a"), Ok(()));
            guard.release("a");
        }
        assert_eq!(bench.guard().ask("a"), Ok(()));
        drop(guard);
        let guard = bench.guard();
        assert_eq!(guard.ask("a"), Err(Held), "that one died in the middle");
        bench.clock.advance(FIVE_MINUTES);
        assert_eq!(guard.ask("a"), Ok(()));
        guard.release("a");
        assert_eq!(guard.ask("a"), Err(Held), "the confirmation waits its time again");
        bench.clock.advance(FIVE_MINUTES);
        assert_eq!(guard.ask("a"), Ok(()));
    }

    #[test]
    fn names_of_files_are_safe() {
        assert_eq!(file_name("owa-probe"), "owa-probe.json");
        assert_eq!(file_name("../a b"), "%2E%2E%2Fa%20b.json");
    }
}
