//! What is remembered of mailboxes on disk: for each credential a file `ID.json` with the budget
//! of its mailbox. Removing the file clears the credential; `known.json` tells a file that was
//! removed from a directory that is new. A lock keeps two processes from deciding at once.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use mailward_evidence::lease::{Answered, Budget};
use serde::{Deserialize, Serialize};

use crate::file;

/// What is kept of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) budget: Budget,
    /// What the reporter was not told yet: the credential, and what came of an attempt.
    #[serde(default)]
    pub(super) owed: Vec<(Box<str>, Answered)>,
    /// Credentials that were cleared here, which the reporter was not told yet.
    #[serde(default)]
    pub(super) cleared: Vec<Box<str>>,
}

/// A directory of such files.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

/// Which version of a file it was.
pub(super) type Stamp = (SystemTime, u64);

/// What a file says.
#[derive(Debug)]
pub(super) enum Found {
    /// It is not there, and never was.
    Nothing,
    /// It was there, and somebody removed it.
    Removed,
    /// It cannot be read.
    Unreadable,
    /// This.
    Kept(Box<Kept>),
}

impl Files {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.directory.join(file_name(id))
    }

    /// Held while a decision is made and written down.
    pub(super) fn lock(&self) -> std::io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let path = self.directory.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    }

    /// Which version of the file stands there; `None` for none.
    pub(super) fn stamp(&self, id: &str) -> Option<Stamp> {
        let about = fs::metadata(self.path(id)).ok()?;
        Some((about.modified().ok()?, about.len()))
    }

    pub(super) fn read(&self, id: &str) -> Found {
        let path = self.path(id);
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(kept) => Found::Kept(Box::new(kept)),
                Err(error) => {
                    tracing::error!(
                        path = %path.display(),
                        %error,
                        "what became of the account cannot be read; it counts as refused once"
                    );
                    Found::Unreadable
                }
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if self.known().contains(id) { Found::Removed } else { Found::Nothing }
            }
            Err(_) => Found::Unreadable,
        }
    }

    /// Writes it down for this credential; `surely`, so that it outlives a power cut.
    pub(super) fn write(&self, id: &str, kept: &Kept, surely: bool) -> std::io::Result<()> {
        let mut known = self.known();
        if known.insert(id.to_owned()) {
            let text = serde_json::to_vec(&known).map_err(std::io::Error::other)?;
            file::replace_surely(&self.known_path(), &text)?;
        }
        let bytes = serde_json::to_vec(kept).map_err(std::io::Error::other)?;
        let replace = if surely { file::replace_surely } else { file::replace };
        replace(&self.path(id), &bytes)
    }

    fn known_path(&self) -> PathBuf {
        self.directory.join("known.json")
    }

    /// The credentials that ever had a file here.
    fn known(&self) -> BTreeSet<String> {
        let read = fs::read(self.known_path()).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }
}

/// An id as a file's name: what is not a letter, a digit, `-` or `_` is written as `%XX`.
/// `known` gets a name of its own.
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
    if name == "known" {
        name = "%6Bnown".to_owned();
    }
    name.push_str(".json");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe() {
        assert_eq!(file_name("owa-probe"), "owa-probe.json");
        assert_eq!(file_name("../a b"), "%2E%2E%2Fa%20b.json");
        assert_eq!(file_name("known"), "%6Bnown.json");
    }

    #[test]
    fn a_file_that_was_removed_is_no_new_directory() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path().to_owned());
        assert!(matches!(files.read("a"), Found::Nothing));
        files.write("a", &Kept::default(), true).unwrap();
        assert!(matches!(files.read("a"), Found::Kept(_)));
        fs::write(files.path("a"), "{").unwrap();
        assert!(matches!(files.read("a"), Found::Unreadable));
        fs::remove_file(files.path("a")).unwrap();
        assert!(matches!(files.read("a"), Found::Removed));
        assert!(matches!(files.read("b"), Found::Nothing));
    }
}
