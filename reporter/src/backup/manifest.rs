//! What a backup says of itself: who made it, when, of which version of the store, and the digest
//! of each file in it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use mailward_evidence::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BackupError, failed};

/// Its name in a backup, where it stands first.
pub(super) const FILE: &str = "manifest.json";
/// The form of backups that this program makes and reads.
pub(super) const FORM: u32 = 1;
/// The longest manifest that is looked at; one has some hundred bytes.
pub(super) const MAX_BYTES: u64 = 64 << 10;

/// What a backup says of itself.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Manifest {
    /// The form of the backup.
    pub(super) v: u32,
    /// The version of the program that made it.
    pub(super) program: String,
    /// The version of the store in it.
    pub(super) store_version: u32,
    /// The instant it was begun at.
    pub(super) taken: String,
    /// What else is in it, in this order.
    pub(super) files: Vec<Listed>,
}

/// A file of a backup.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// SHA-256, in hexadecimal.
    pub(super) sha256: String,
}

impl Manifest {
    /// Of these files as they are now.
    pub(super) fn of(
        now: Instant,
        store_version: u32,
        parts: &[(&str, PathBuf)],
    ) -> Result<Self, BackupError> {
        let listed = |(name, path): &(&str, PathBuf)| {
            let (bytes, sha256) = digest(path).map_err(failed("read", path))?;
            Ok(Listed { name: (*name).to_owned(), bytes, sha256 })
        };
        Ok(Self {
            v: FORM,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            store_version,
            taken: now.to_string(),
            files: parts.iter().map(listed).collect::<Result<_, BackupError>>()?,
        })
    }
}

fn digest(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 17];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex(digest)));
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// A finished digest in hexadecimal.
pub(super) fn hex(digest: Sha256) -> String {
    HEXLOWER.encode(&digest.finalize())
}
