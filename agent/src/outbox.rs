//! The outbox: records are on disk here before anything is sent, and leave only once the
//! reporter has said that it has them. What a record means, and how it is sent, is left to
//! others: here it is a line of bytes.
//! Its design (format, durability, limits, recovery) stands at [`Outbox`].

mod frame;
pub mod keeper;
mod recover;
mod segment;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use frame::Frames;
pub use frame::MAX_LINE_BYTES;
use rustix::io::Errno;
use segment::Segment;

use crate::file;

/// How much the outbox holds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest size of all segments, in bytes.
    pub max_bytes: u64,
    /// Longest stay of a record.
    pub max_age: Duration,
}

impl Limits {
    fn segment_bytes(self) -> u64 {
        (self.max_bytes / 16).clamp(4 << 10, 2 << 20)
    }

    fn max_age_ms(self) -> i64 {
        i64::try_from(self.max_age.as_millis()).unwrap_or(i64::MAX)
    }

    /// A segment is closed after this long, so that age can be kept to by whole segments.
    fn segment_age_ms(self) -> i64 {
        (self.max_age_ms() / 32).max(60_000)
    }
}

/// Why the outbox could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file system refused.
    #[error("{what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A newer program wrote it.
    #[error("outbox segment {path} has version {found}; this program reads version {expected}")]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version this program reads.
        expected: u32,
    },
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("expected a line of at most {MAX_LINE_BYTES} bytes, got {0}")]
    LineTooLong(usize),
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OutboxError {
    move |source| OutboxError::Io { what, path: path.to_owned(), source }
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that have not left yet.
    pub records: u64,
    /// Size of all segments.
    pub bytes: u64,
    /// When the oldest of them was kept, in milliseconds since the epoch.
    pub oldest_ms: Option<i64>,
    /// Records that had to leave undelivered because of size or age, since opening.
    pub dropped: u64,
    /// Damaged places and segments that were passed over, since opening.
    pub damaged: u64,
}

/// Records on their way out, as lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Acknowledge this number when they have arrived.
    pub through: u64,
    /// How many.
    pub records: usize,
    /// The lines, each with its newline.
    pub body: Vec<u8>,
}

/// An append-only queue of lines on disk. One process at a time; the caller sees to that.
///
/// # Format
///
/// A directory with segment files `NUMBER.seg` (the number of the first record, 20 digits), the
/// file `acknowledged`, and `NUMBER.damaged` for segments in which nothing could be read.
/// A segment is a header of 12 bytes (`MWOUTBOX`, then the version as u32) and frames:
///
/// | bytes | what |
/// |---|---|
/// | 4 | length of the line, u32 |
/// | 4 | CRC-32 of the length and of all that follows |
/// | 8 | the record's number, u64: 1, 2, 3 … for the life of the directory |
/// | 8 | when it was kept, milliseconds since the epoch, i64 |
/// | n | the line, without its newline |
///
/// Integers are little-endian. Only the newest segment is written to, at its end. `acknowledged`
/// is one line, `NUMBER CRC`: every record up to that number has left. It is replaced by
/// renaming; if it is lost, records are sent again, and the reporter knows them as duplicates.
///
/// # Durability
///
/// [`Outbox::append`] returns once the records are synced (`fdatasync`; a new segment's directory
/// entry too). The keeper ([`keeper`]) gathers what comes within 200 ms into one such write.
/// A write that fails leaves the file as it was before, or is followed by a new segment.
///
/// # Limits
///
/// Size and age are bounded ([`Limits`]); what is over leaves by whole segments, oldest first,
/// and is counted in [`Stats::dropped`]. A line has at most 1 MiB.
///
/// # Recovery
///
/// Opening reads every segment. A frame that fails its checks is passed over by looking for the
/// next good one with a higher number, so damage costs the records it touches and no others. What
/// follows the last good frame of the newest segment (a write that was cut short) is cut off. A
/// segment with nothing readable is set aside. All of it is logged and counted in
/// [`Stats::damaged`]. A directory of a newer version is refused.
#[derive(Debug)]
pub struct Outbox {
    directory: PathBuf,
    limits: Limits,
    /// Oldest first; numbers grow from one to the next.
    segments: VecDeque<Segment>,
    /// The end of the newest segment, while it is being written to.
    active: Option<File>,
    acknowledged: u64,
    next_number: u64,
    /// Where reading goes on: the segment's first number, and the offset in it.
    cursor: Option<(u64, u64)>,
    dropped: u64,
    damaged: u64,
}

impl Outbox {
    /// Opens the outbox in `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be read or written, or a newer program wrote it.
    pub fn open(directory: &Path, limits: Limits) -> Result<Self, OutboxError> {
        make_durable(directory).map_err(failed("create directory", directory))?;
        let mut outbox = Self {
            directory: directory.to_owned(),
            limits,
            segments: VecDeque::new(),
            active: None,
            acknowledged: 0,
            next_number: 1,
            cursor: None,
            dropped: 0,
            damaged: 0,
        };
        let paths = segment::list(directory)?;
        let newest = paths.last().cloned();
        for path in paths {
            let is_newest = newest.as_ref() == Some(&path);
            outbox.recover(&path, is_newest)?;
        }
        outbox.acknowledged = outbox.read_acknowledged();
        let newest = outbox.segments.back().map_or(0, |segment| segment.last);
        outbox.next_number = newest.max(outbox.acknowledged) + 1;
        outbox.release();
        outbox.advance_cursor();
        Ok(outbox)
    }

    /// Keeps lines (without newlines). They are on disk when this returns.
    ///
    /// # Errors
    /// When the disk refuses; then none of them is kept, and the call may be repeated.
    pub fn append(&mut self, lines: &[impl AsRef<[u8]>], now_ms: i64) -> Result<(), OutboxError> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let mut next = self.next_number;
        for line in lines {
            frame::encode(next, now_ms, line.as_ref(), &mut bytes)?;
            next += 1;
        }
        self.rotate_if_due(now_ms);
        let written = self.write(&bytes, next - 1, now_ms);
        if written.is_ok() {
            self.next_number = next;
            self.bound(now_ms);
        }
        written
    }

    fn rotate_if_due(&mut self, now_ms: i64) {
        let limits = self.limits;
        if self.segments.back().is_some_and(|segment| {
            segment.bytes >= limits.segment_bytes()
                || now_ms - segment.first_ms >= limits.segment_age_ms()
        }) {
            self.active = None;
        }
    }

    fn write(&mut self, bytes: &[u8], last: u64, now_ms: i64) -> Result<(), OutboxError> {
        if self.active.is_none() {
            let path = segment::path(&self.directory, self.next_number);
            self.active = Some(segment::create(&path, &self.directory)?);
            // an empty one of the same name, left by a write that failed, was replaced
            self.segments.retain(|segment| segment.first != self.next_number);
            self.segments.push_back(Segment::empty(path, self.next_number, now_ms));
        }
        let (Some(file), Some(segment)) = (self.active.as_mut(), self.segments.back_mut()) else {
            return Ok(());
        };
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_data()) {
            let taken_back = file.set_len(segment.bytes);
            let error = failed("write", &segment.path)(error);
            // whatever the file holds now, nothing more is added to it
            self.active = None;
            if taken_back.is_err() {
                // its frames may be found there one day: their numbers are used up
                self.next_number = last + 1;
            }
            return Err(error);
        }
        segment.bytes += bytes.len() as u64;
        segment.last = last;
        segment.last_ms = now_ms;
        Ok(())
    }

    /// Lets go of what is over the limits, oldest first; call it now and then also when nothing
    /// is appended.
    pub fn bound(&mut self, now_ms: i64) {
        let max_age_ms = self.limits.max_age_ms();
        let mut dropped = 0;
        loop {
            let bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
            let Some(oldest) = self.segments.front() else { break };
            let too_old = now_ms.saturating_sub(oldest.last_ms) > max_age_ms;
            let too_large = bytes > self.limits.max_bytes;
            if !(too_old || too_large && self.segments.len() > 1) {
                break;
            }
            dropped += oldest.records_after(self.acknowledged);
            self.acknowledged = self.acknowledged.max(oldest.last);
            if !self.remove_oldest() {
                break;
            }
        }
        if dropped > 0 {
            self.dropped += dropped;
            tracing::error!(
                records = dropped,
                "the outbox is over its limits; the oldest records left it undelivered"
            );
        }
    }

    fn remove_oldest(&mut self) -> bool {
        let Some(oldest) = self.segments.front() else { return false };
        if let Err(error) = fs::remove_file(&oldest.path) {
            tracing::warn!(path = %oldest.path.display(), %error, "cannot remove an outbox segment");
            if error.kind() != std::io::ErrorKind::NotFound {
                return false;
            }
        }
        self.segments.pop_front();
        if self.segments.is_empty() {
            self.active = None;
        }
        true
    }

    /// The oldest records that have not left, at most `max_records` and about `max_bytes` of
    /// them. What cannot be read is passed over, counted and logged; what cannot be read for now,
    /// because the system lacks files or memory, is waited for.
    pub fn read(&mut self, max_records: usize, max_bytes: usize) -> Batch {
        let mut batch = Batch { through: self.acknowledged, ..Batch::default() };
        for segment in &self.segments {
            if segment.last <= self.acknowledged {
                continue;
            }
            match segment.read_from(self.start_in(segment)) {
                Ok(bytes) => {
                    if collect(&bytes, self.acknowledged, &mut batch, max_records, max_bytes) {
                        return batch;
                    }
                }
                Err(error) if is_passing(&error) => {
                    // it is whole, and will be read once the system has what is lacking
                    tracing::warn!(%error, "cannot read an outbox segment for now");
                    return batch;
                }
                Err(error) => {
                    tracing::error!(
                        segment = %segment.path.display(),
                        %error,
                        records = segment.records_after(self.acknowledged),
                        "cannot read an outbox segment; it is passed over"
                    );
                    self.damaged += 1;
                }
            }
            // also where its last records are damaged: nothing of it is left to send
            batch.through = segment.last;
        }
        batch
    }

    /// Where reading begins in a segment.
    fn start_in(&self, segment: &Segment) -> u64 {
        match self.cursor {
            Some((first, offset)) if first == segment.first => offset,
            _ => segment::HEADER_BYTES,
        }
    }

    /// Records up to `through` have arrived: they leave.
    ///
    /// # Errors
    /// When it cannot be written down; they would be sent again after a restart.
    pub fn acknowledge(&mut self, through: u64) -> Result<(), OutboxError> {
        if through <= self.acknowledged {
            return Ok(());
        }
        self.acknowledged = through.min(self.next_number - 1);
        self.advance_cursor();
        let path = self.acknowledged_path();
        let number = self.acknowledged.to_string();
        let line = format!("{number} {:08x}\n", crc32fast::hash(number.as_bytes()));
        file::replace(&path, line.as_bytes()).map_err(failed("replace", &path))?;
        self.release();
        Ok(())
    }

    /// Moves the cursor to the first record that has not left, or behind the last one.
    fn advance_cursor(&mut self) {
        let waiting = self.segments.iter().find(|segment| segment.last > self.acknowledged);
        let Some(segment) = waiting else {
            self.cursor = self.segments.back().map(|newest| (newest.first, newest.bytes));
            return;
        };
        let start = self.start_in(segment);
        let bytes = segment.read_from(start).unwrap_or_default();
        let mut frames = Frames::new(&bytes, 0);
        let mut passed = 0;
        while let Some(frame) = frames.next()
            && frame.number <= self.acknowledged
        {
            passed = frames.offset();
        }
        self.cursor = Some((segment.first, start + passed as u64));
    }

    /// Removes segments of which every record has left.
    fn release(&mut self) {
        while let Some(oldest) = self.segments.front() {
            let active = self.segments.len() == 1 && self.active.is_some();
            let small = oldest.bytes < self.limits.segment_bytes() / 4;
            if oldest.last > self.acknowledged || active && small || !self.remove_oldest() {
                break;
            }
        }
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let waiting = self.segments.iter().find(|s| s.last > self.acknowledged);
        let oldest_ms = waiting
            .map(|segment| segment.kept_ms_at(self.start_in(segment)).unwrap_or(segment.first_ms));
        Stats {
            records: self.segments.iter().map(|s| s.records_after(self.acknowledged)).sum(),
            bytes: self.segments.iter().map(|s| s.bytes).sum(),
            oldest_ms,
            dropped: self.dropped,
            damaged: self.damaged,
        }
    }
}

/// Makes a directory, and those above it, so that a power cut does not take them back.
pub(crate) fn make_durable(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = match directory.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    make_durable(above)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(above)?.sync_all()
}

/// Whether the system lacks something now that it may have later: then nothing is damaged.
fn is_passing(error: &std::io::Error) -> bool {
    let lacks_memory = error.kind() == std::io::ErrorKind::OutOfMemory;
    lacks_memory
        || matches!(
            Errno::from_io_error(error),
            Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::INTR)
        )
}

/// Adds the lines of `bytes` after number `after` to the batch; whether it is full.
fn collect(
    bytes: &[u8],
    after: u64,
    batch: &mut Batch,
    max_records: usize,
    max_bytes: usize,
) -> bool {
    let mut frames = Frames::new(bytes, after);
    while let Some(frame) = frames.next() {
        let over = batch.body.len() + frame.line.len() >= max_bytes;
        if batch.records >= max_records || over && batch.records > 0 {
            return true;
        }
        batch.body.extend_from_slice(frame.line);
        batch.body.push(b'\n');
        batch.records += 1;
        batch.through = frame.number;
    }
    false
}

#[cfg(test)]
mod tests;
