//! The agent's own directory: one process at a time, one agent's name, and the roster that was
//! recorded last. What its parts keep in there is theirs.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use mailward_evidence::{AgentName, Record, Roster, wire};

use crate::file::replace_surely;
use crate::outbox::make_durable;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The file system refuses.
    #[error("{what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process uses it.
    #[error("the data directory {0} is used by another agent that is running")]
    InUse(PathBuf),
    /// It holds another agent's records.
    #[error(
        "the data directory {path} belongs to the agent {found:?}, and this is {expected:?}; its \
         undelivered records can only be delivered under that name"
    )]
    OtherAgent {
        /// The directory.
        path: PathBuf,
        /// The name in it.
        found: String,
        /// The name of this agent.
        expected: AgentName,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> HomeError {
    move |source| HomeError::Io { what, path: path.to_owned(), source }
}

/// A directory that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Home {
    directory: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes the directory if need be, and takes hold of it.
    pub(super) fn claim(directory: &Path, agent: &AgentName) -> Result<Self, HomeError> {
        make_durable(directory).map_err(failed("create data directory", directory))?;
        let path = directory.join("agent.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HomeError::InUse(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
        }
        let home = Self { directory: directory.to_owned(), _lock: lock };
        home.check_name(agent)?;
        Ok(home)
    }

    fn check_name(&self, agent: &AgentName) -> Result<(), HomeError> {
        let path = self.directory.join("agent.name");
        let found = match fs::read(&path) {
            Ok(found) => String::from_utf8_lossy(&found).trim_end().to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(failed("read", &path)(source)),
        };
        if found == agent.as_str() {
            return Ok(());
        }
        // what is no name, empty or rubbish, is a write that a crash cut short
        if AgentName::new(&found).is_ok() && self.has_records() {
            let path = self.directory.clone();
            return Err(HomeError::OtherAgent { path, found, expected: agent.clone() });
        }
        replace_surely(&path, format!("{agent}\n").as_bytes()).map_err(failed("write", &path))
    }

    /// Whether there may be records in the outbox.
    fn has_records(&self) -> bool {
        let entries = fs::read_dir(self.outbox()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|e| e == "seg"))
    }

    pub(super) fn outbox(&self) -> PathBuf {
        self.directory.join("outbox")
    }

    pub(super) fn refused(&self) -> PathBuf {
        self.directory.join("refused")
    }

    pub(super) fn credentials(&self) -> PathBuf {
        self.directory.join("credentials")
    }

    /// What the agent's devices know.
    pub(super) fn devices(&self) -> PathBuf {
        self.directory.join("devices")
    }

    /// Refresh tokens that took the place of declared ones.
    pub(super) fn tokens(&self) -> PathBuf {
        self.directory.join("tokens")
    }

    /// The key of the agent's mail tokens.
    pub(super) fn mail_key(&self) -> PathBuf {
        self.directory.join("mail.key")
    }

    /// The messages under way.
    pub(super) fn mail_ledger(&self) -> PathBuf {
        self.directory.join("mail.ledger")
    }

    fn roster_path(&self) -> PathBuf {
        self.directory.join("roster.json")
    }

    /// Whether `roster` says anything else than the last one that was recorded.
    pub(super) fn is_news(&self, roster: &Roster) -> bool {
        let last = fs::read(self.roster_path()).ok();
        let last = last.and_then(|line| wire::decode_line(line.trim_ascii()).ok());
        let Some(Record::Roster(last)) = last else { return true };
        Roster { at: roster.at, ..last } != *roster
    }

    /// Remembers that `roster` was recorded.
    pub(super) fn remember(&self, roster: &Roster) -> Result<(), HomeError> {
        let path = self.roster_path();
        let mut line = Vec::new();
        wire::encode_line(&Record::Roster(roster.clone()), &mut line);
        replace_surely(&path, &line).map_err(failed("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use mailward_evidence::{Extra, Instant, ProbeId, RosterProbe, SiteName};

    use super::*;

    fn name(text: &str) -> AgentName {
        AgentName::new(text).unwrap()
    }

    #[test]
    fn one_process_and_one_name() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::claim(directory.path(), &name("leeds-1")).unwrap();
        let error = Home::claim(directory.path(), &name("leeds-1")).unwrap_err();
        assert!(matches!(error, HomeError::InUse(_)), "{error}");
        fs::create_dir_all(home.outbox()).unwrap();
        fs::write(home.outbox().join("1.seg"), "").unwrap();
        drop(home);
        let error = Home::claim(directory.path(), &name("leeds-2")).unwrap_err();
        assert!(matches!(error, HomeError::OtherAgent { .. }), "{error}");
        fs::remove_file(directory.path().join("outbox/1.seg")).unwrap();
        Home::claim(directory.path(), &name("leeds-2")).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told() {
        let error = Home::claim(Path::new("/proc/nowhere"), &name("a")).unwrap_err();
        assert!(error.to_string().contains("create data directory /proc/nowhere"), "{error}");
    }

    #[test]
    fn a_roster_is_news_when_it_says_something_else() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::claim(directory.path(), &name("a")).unwrap();
        let roster = |at_ms, every_s| Roster {
            agent: name("a"),
            site: SiteName::new("internet").unwrap(),
            at: Instant::from_ms(at_ms).unwrap(),
            probes: vec![RosterProbe {
                id: ProbeId::new("p").unwrap(),
                every_s,
                extra: Extra::default(),
            }],
            extra: Extra::default(),
        };
        assert!(home.is_news(&roster(0, Some(60))));
        home.remember(&roster(0, Some(60))).unwrap();
        assert!(!home.is_news(&roster(5, Some(60))));
        assert!(home.is_news(&roster(5, Some(30))));
        assert!(home.is_news(&roster(5, None)));
    }
}
