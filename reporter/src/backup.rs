//! Backups of what a reporter keeps: one file, made while it runs, and the way back. What belongs
//! to a backup is said here; how the store is copied in one snapshot is `store::copy`'s business.

mod manifest;
mod pack;
mod place;
mod restore;
mod tar;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use mailward_evidence::Instant;

pub use restore::{Restored, restore};

use crate::sign;
use crate::store::{StoreError, copy};
use manifest::Manifest;
use place::Place;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The store is copied.
    Copying,
    /// The copy is checked, page by page.
    Checking,
    /// The copy is packed.
    Packing,
    /// A backup is unpacked, its digests checked.
    Unpacking,
}

/// Why there is no backup, or no way back from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{what} {path}")]
    File {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is there already.
    #[error("{0} is there already; a backup overwrites nothing")]
    Taken(PathBuf),
    /// Another backup is being written to this directory.
    #[error("another backup is being written to {0}")]
    Busy(PathBuf),
    /// The directory to restore into holds something.
    #[error("expected an empty directory, or none, got {0} with files in it")]
    NotEmpty(PathBuf),
    /// The store cannot be copied, or what is in the backup is no sound store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file was not made by `mailward backup`.
    #[error("{0} is no backup that `mailward backup` made")]
    Foreign(PathBuf),
    /// What is in the file is not what was written.
    #[error("{path} is damaged: {what}; nothing of it was restored")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        what: String,
    },
    /// A newer program made it.
    #[error(
        "{path} was made by Mailward {program}, in a form this program does not know; use that \
         version or a later one"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The version of the program that made it.
        program: String,
    },
}

impl BackupError {
    /// Whether what was asked for cannot be done, however often it is tried.
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::NotEmpty(_) | Self::Store(StoreError::Missing { .. }))
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    move |source| BackupError::File { what, path: path.to_owned(), source }
}

/// What to back up, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The reporter's data directory.
    pub data: &'a Path,
    /// A file that is not there yet, or a directory in which one is made.
    pub out: &'a Path,
    /// Whether the key that signs editions goes with it.
    pub with_keys: bool,
    /// How many backups stay in the directory; all of them if `None`.
    pub keep: Option<u32>,
    /// The instant it is made at.
    pub now: Instant,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether the key that signs editions is in it.
    pub has_key: bool,
    /// Whether the store knows of it, for the metric of the last backup's age.
    pub noted: bool,
    /// Older backups that made room.
    pub removed: Vec<PathBuf>,
}

/// Backs a reporter's data directory up while the reporter runs, or while none does. The file
/// appears whole and synced or not at all, readable by its owner only, and has been checked.
///
/// # Errors
/// When the store cannot be read or is damaged, the file is there already, or it cannot be written.
pub fn take(order: &Order<'_>, told: &mut dyn FnMut(Stage)) -> Result<Taken, BackupError> {
    let place = Place::of(order.out, order.now)?;
    told(Stage::Copying);
    let store = place.work(copy::FILE);
    let version = copy::copy(order.data, &store).map_err(|error| match error {
        // the store is only read: it is the copy that finds no room
        StoreError::Full => failed("write", &store)(std::io::ErrorKind::StorageFull.into()),
        other => other.into(),
    })?;
    told(Stage::Checking);
    copy::check(&store)?;
    told(Stage::Packing);
    let mut parts = Vec::new();
    let key = order.data.join(sign::FILE);
    let has_key = order.with_keys && key.is_file();
    if has_key {
        parts.push((sign::FILE, key));
    }
    parts.push((copy::FILE, store));
    let manifest = Manifest::of(order.now, version, &parts)?;
    let packed = place.work("packed");
    let bytes = pack::pack(&manifest, &parts, &packed)?;
    place.publish(&packed)?;
    let noted = match copy::note(order.data, order.now.ms()) {
        Ok(noted) => noted,
        Err(error) => {
            // the backup is sound; that nobody noted it shows as one that is older
            tracing::warn!(error = &error as &dyn std::error::Error, "the backup was not noted");
            false
        }
    };
    let removed = order.keep.map_or_else(Vec::new, |keep| place.thin(keep));
    Ok(Taken { file: place.file().to_owned(), bytes, has_key, noted, removed })
}
