//! Where a backup is written: a room to work in beside the file, the file that appears whole or
//! not at all, and the older ones beside it. What is written is left to others.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mailward_evidence::Instant;

use super::{BackupError, failed};

/// The room to work in. Its name is always the same, so that what a killed backup left there is
/// found and cleared by the next one.
const ROOM: &str = ".mailward-backup";
const LOCK: &str = "lock";
const STEM: &str = "mailward-";
const ENDING: &str = ".tar.zst";

/// A file to be, and the room beside it, which goes when this is dropped.
pub(super) struct Place {
    directory: PathBuf,
    file: PathBuf,
    room: PathBuf,
    /// Held for as long as somebody works there.
    _lock: File,
}

impl Place {
    /// Makes room for the file `out`, or for one named after the instant in the directory `out`.
    pub(super) fn of(out: &Path, now: Instant) -> Result<Self, BackupError> {
        let (directory, file) = if out.is_dir() {
            (out.to_owned(), out.join(name(now)))
        } else {
            let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
            (parent.unwrap_or(Path::new(".")).to_owned(), out.to_owned())
        };
        if file.symlink_metadata().is_ok() {
            return Err(BackupError::Taken(file));
        }
        let room = directory.join(ROOM);
        fs::DirBuilder::new()
            .recursive(false)
            .mode(0o700)
            .create(&room)
            .or_else(|error| if room.is_dir() { Ok(()) } else { Err(error) })
            .map_err(failed("make a directory beside", &file))?;
        let path = room.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("make", &path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BackupError::Busy(directory.clone()),
            TryLockError::Error(error) => failed("lock", &path)(error),
        })?;
        let place = Self { directory, file, room, _lock: lock };
        place.clear().map_err(failed("clear", &place.room))?;
        Ok(place)
    }

    /// The file to be.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// A file to work with.
    pub(super) fn work(&self, name: &str) -> PathBuf {
        self.room.join(name)
    }

    /// Removes what an earlier backup left behind when it was killed.
    fn clear(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.room)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name != LOCK) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Lets the finished and synced file appear under its name; one that is there stays.
    pub(super) fn publish(&self, finished: &Path) -> Result<(), BackupError> {
        fs::hard_link(finished, &self.file).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => BackupError::Taken(self.file.clone()),
            _ => failed("name the finished backup", &self.file)(error),
        })?;
        let entry = File::open(&self.directory).and_then(|directory| directory.sync_all());
        entry.map_err(failed("sync", &self.directory))
    }

    /// Removes all but the newest `keep` backups of the directory that bear an instant for a
    /// name. One that cannot be removed is said in the log.
    pub(super) fn thin(&self, keep: u32) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut backups: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_dated(path)).collect();
        // the one that was just made is kept, whatever the clock said
        backups.retain(|path| *path != self.file);
        // the names sort as their instants do
        backups.sort();
        let old = (backups.len() + 1).saturating_sub(keep.max(1) as usize);
        backups.truncate(old);
        backups.retain(|path| match fs::remove_file(path) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot remove an old backup");
                false
            }
        });
        backups
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // what cannot be removed is cleared by the next backup
        let _ = fs::remove_dir_all(&self.room);
    }
}

fn name(now: Instant) -> String {
    let digits: String =
        now.to_string().chars().take(19).filter(|c| *c != ':' && *c != '-').collect();
    format!("{STEM}{digits}Z{ENDING}")
}

fn is_dated(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stamp = name.strip_prefix(STEM).and_then(|rest| rest.strip_suffix(ENDING));
    stamp.is_some_and(|stamp| {
        let shape: String =
            stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "00000000T000000Z"
    })
}
