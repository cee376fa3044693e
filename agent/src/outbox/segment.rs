//! One file of the outbox: its name, its header, and what a scan finds in it.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::frame::{self, Frames};
use super::{OutboxError, failed};

const MAGIC: &[u8; 8] = b"MWOUTBOX";
const VERSION: u32 = 1;
/// Magic and version.
pub(super) const HEADER_BYTES: u64 = 12;

/// A segment that holds at least one record, or is being written to.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The number in its name; no record in it has a lower one.
    pub(super) first: u64,
    /// The number of its last record; `first - 1` while it has none.
    pub(super) last: u64,
    /// Up to the end of its last record.
    pub(super) bytes: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
}

impl Segment {
    pub(super) const fn empty(path: PathBuf, first: u64, now_ms: i64) -> Self {
        Self {
            path,
            first,
            last: first - 1,
            bytes: HEADER_BYTES,
            first_ms: now_ms,
            last_ms: now_ms,
        }
    }

    /// How many of its records have a number above `acknowledged`.
    pub(super) fn records_after(&self, acknowledged: u64) -> u64 {
        self.last.saturating_sub(acknowledged.max(self.first - 1))
    }

    /// Its bytes from `offset` on; a segment is small enough to be read at once.
    pub(super) fn read_from(&self, offset: u64) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let left = self.bytes.saturating_sub(offset);
        let mut bytes = Vec::new();
        file.take(left).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// When the record at `offset` was kept.
    pub(super) fn kept_ms_at(&self, offset: u64) -> Option<i64> {
        let mut file = File::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(offset)).ok()?;
        let mut head = [0; frame::HEADER_BYTES];
        file.read_exact(&mut head).ok()?;
        Some(i64::from_le_bytes(head[16..24].try_into().ok()?))
    }
}

pub(super) fn path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.seg"))
}

/// Segment files, oldest first.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, OutboxError> {
    let entries = fs::read_dir(directory).map_err(failed("list", directory))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("list", directory))?.path();
        if path.extension().is_some_and(|extension| extension == "seg") && number(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort_by_key(|path| number(path));
    Ok(paths)
}

fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok().filter(|number| *number > 0)
}

/// Makes a new segment, header and directory entry synced.
pub(super) fn create(path: &Path, directory: &Path) -> Result<File, OutboxError> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(failed("create", path))?;
    let mut header = Vec::from(*MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    file.write_all(&header).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("sync", path))?;
    let entry = File::open(directory).map_err(failed("open", directory))?;
    entry.sync_all().map_err(failed("sync", directory))?;
    Ok(file)
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Found {
    /// `None` where no record could be read.
    pub(super) segment: Option<Segment>,
    /// The size of the file.
    pub(super) bytes: u64,
    /// Damaged places with good records after them.
    pub(super) damaged: u64,
}

/// Reads a whole segment; its records have numbers above `after`.
pub(super) fn scan(path: &Path, after: u64) -> Result<Found, OutboxError> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    let mut start = HEADER_BYTES as usize;
    let mut damaged = 0;
    match bytes.get(..start) {
        Some(header) if header.starts_with(MAGIC) => {
            let found = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
            // a flipped bit is not a newer version: that one would follow closely
            let newer = (VERSION + 1..VERSION + 100).contains(&found);
            if newer && Frames::new(&bytes[start..], after).next().is_none() {
                return Err(OutboxError::Version {
                    path: path.to_owned(),
                    found,
                    expected: VERSION,
                });
            }
            damaged += u64::from(found != VERSION);
        }
        Some(_) => damaged += 1,
        None => start = bytes.len(),
    }
    let mut frames = Frames::new(&bytes[start..], after);
    let (mut first_ms, mut last_ms, mut last) = (None, 0, 0);
    while let Some(frame) = frames.next() {
        first_ms.get_or_insert(frame.at_ms);
        last_ms = frame.at_ms;
        last = frame.number;
    }
    let segment = first_ms.map(|first_ms| Segment {
        path: path.to_owned(),
        first: number(path).unwrap_or(1),
        last,
        bytes: (start + frames.offset()) as u64,
        first_ms,
        last_ms,
    });
    let damaged =
        if segment.is_some() { damaged + frames.damaged } else { u64::from(bytes.len() > start) };
    Ok(Found { segment, bytes: bytes.len() as u64, damaged })
}
