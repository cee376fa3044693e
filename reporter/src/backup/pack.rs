//! Packs the files of a backup into one: a tar archive, compressed by zstd, the manifest first.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::manifest::{self, Manifest};
use super::{BackupError, failed, tar};

/// How hard zstd tries: what is large in a store is compressed already.
const LEVEL: i32 = 3;

/// Writes the archive, synced and readable by its owner only; gives its size.
pub(super) fn pack(
    manifest: &Manifest,
    parts: &[(&str, PathBuf)],
    to: &Path,
) -> Result<u64, BackupError> {
    let write = failed("write", to);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    match file.and_then(|file| write_all(manifest, parts, file)) {
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(write(error)),
    }
}

fn write_all(manifest: &Manifest, parts: &[(&str, PathBuf)], file: File) -> io::Result<u64> {
    let mut out = zstd::Encoder::new(BufWriter::with_capacity(1 << 18, file), LEVEL)?;
    out.include_checksum(true)?;
    let at: jiff::Timestamp = manifest.taken.parse().map_err(io::Error::other)?;
    let changed_s = at.as_second().max(0).unsigned_abs();
    let text = serde_json::to_vec_pretty(manifest)?;
    add(&mut out, (manifest::FILE, text.len() as u64, changed_s), &*text)?;
    for ((name, path), listed) in parts.iter().zip(&manifest.files) {
        add(&mut out, (name, listed.bytes, changed_s), File::open(path)?)?;
    }
    out.write_all(&[0; 2 * tar::BLOCK])?;
    let file = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn add(out: &mut impl Write, head: (&str, u64, u64), from: impl Read) -> io::Result<()> {
    let (name, bytes, changed_s) = head;
    out.write_all(&tar::head(name, bytes, changed_s))?;
    let copied = io::copy(&mut from.take(bytes), out)?;
    if copied != bytes {
        return Err(io::Error::other(format!("expected {bytes} bytes of {name}, got {copied}")));
    }
    out.write_all(&[0; tar::BLOCK][..tar::filling(bytes)])
}
