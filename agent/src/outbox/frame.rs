//! One record in a segment file: length, checksum, number, time, line; and finding the next
//! good one where bytes are damaged.

use super::OutboxError;

/// Bytes before the line.
pub(super) const HEADER_BYTES: usize = 24;
/// The longest line that is kept.
pub const MAX_LINE_BYTES: usize = mailward_evidence::wire::MAX_LINE_BYTES;

/// A frame that passed its checks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) number: u64,
    pub(super) at_ms: i64,
    pub(super) line: &'a [u8],
}

/// Appends a frame to `out`.
pub(super) fn encode(
    number: u64,
    at_ms: i64,
    line: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), OutboxError> {
    let length = u32::try_from(line.len())
        .ok()
        .filter(|_| line.len() <= MAX_LINE_BYTES)
        .ok_or(OutboxError::LineTooLong(line.len()))?;
    let start = out.len();
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&at_ms.to_le_bytes());
    out.extend_from_slice(line);
    let crc = checksum(&out[start..start + 4], &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

fn checksum(length: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(rest);
    hasher.finalize()
}

/// Reads frames from bytes; passes over what is damaged.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    offset: usize,
    last: u64,
    /// Damaged places before the last frame that was read.
    pub(super) damaged: u64,
}

impl<'a> Frames<'a> {
    /// Frames with a number above `after`.
    pub(super) const fn new(bytes: &'a [u8], after: u64) -> Self {
        Self { bytes, offset: 0, last: after, damaged: 0 }
    }

    /// The end of the last frame that was read.
    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    /// The next good frame; `None` at the end, also where nothing good follows.
    #[allow(clippy::should_implement_trait, reason = "frames borrow from the bytes, not from self")]
    pub(super) fn next(&mut self) -> Option<Frame<'a>> {
        let start = self.offset;
        let frame = (start..self.bytes.len()).find_map(|at| {
            let (frame, end) = self.frame_at(at)?;
            Some((frame, at, end))
        });
        let (frame, at, end) = frame?;
        if at > start {
            self.damaged += 1;
        }
        self.offset = end;
        self.last = frame.number;
        Some(frame)
    }

    fn frame_at(&self, at: usize) -> Option<(Frame<'a>, usize)> {
        let head: &[u8; HEADER_BYTES] = self.bytes.get(at..at + HEADER_BYTES)?.try_into().ok()?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length > MAX_LINE_BYTES {
            return None;
        }
        let number = u64::from_le_bytes(head[8..16].try_into().ok()?);
        if number <= self.last {
            return None;
        }
        let end = at + HEADER_BYTES + length;
        let rest = self.bytes.get(at + 8..end)?;
        let crc = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if checksum(&head[..4], rest) != crc {
            return None;
        }
        let at_ms = i64::from_le_bytes(head[16..24].try_into().ok()?);
        Some((Frame { number, at_ms, line: &self.bytes[at + HEADER_BYTES..end] }, end))
    }
}
