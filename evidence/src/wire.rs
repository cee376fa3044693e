//! The wire form: one JSON object a line (NDJSON), `v` = 1, optionally zstd. Decoding is
//! strict about `v`, `kind` and values, keeps fields it does not know, and is bounded in line
//! length, decoded size and nesting (serde_json stops at 128 levels).

use std::borrow::Cow;
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use crate::ledger::{Count, Exclusion, Ticket};
use crate::outcome::Outcome;
use crate::record::Record;
use crate::roster::Roster;

/// The version this crate writes and reads.
pub const VERSION: u32 = 1;
/// The longest line accepted, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// The largest decoded body that ingest accepts, in bytes (16 MiB).
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// Why a line is not a record.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The line is longer than [`MAX_LINE_BYTES`].
    #[error("expected a line of at most {MAX_LINE_BYTES} bytes, got {0}")]
    LineTooLong(usize),
    /// Not JSON, or not of the shape the kind has.
    #[error("{what}{cause}")]
    Shape {
        /// What was being read, with a trailing `: `; empty where nothing was known yet.
        what: Cow<'static, str>,
        /// What serde says, without its "at line 1".
        cause: String,
    },
    /// A version this program does not read.
    #[error("unknown version v = {0}; this program reads v = {VERSION}")]
    Version(Value),
    /// A kind this program does not know.
    #[error("unknown kind {0}; expected outcome, roster, exclusion, ticket or count")]
    Kind(Value),
    /// A value that cannot be meant.
    #[error("{0}")]
    Meaning(String),
}

/// A line of a body that could not be read; lines count from 1.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct LineError {
    /// Which line.
    pub line: usize,
    /// What is wrong with it.
    pub error: WireError,
}

#[derive(Deserialize)]
struct Head {
    v: Option<Value>,
    kind: Option<Value>,
}

const OUTCOME_PREFIX: &[u8] = br#"{"v":1,"kind":"outcome","#;

fn shape(what: impl Into<Cow<'static, str>>, error: &serde_json::Error) -> WireError {
    let text = error.to_string();
    // a body's line number is told by the caller; serde's is always 1
    let cause = text.replace(" at line 1 column ", " at column ");
    WireError::Shape { what: what.into(), cause }
}

/// Reads one line.
///
/// # Errors
/// When it is not a record of this version.
pub fn decode_line(line: &[u8]) -> Result<Record, WireError> {
    if line.len() > MAX_LINE_BYTES {
        return Err(WireError::LineTooLong(line.len()));
    }
    if line.starts_with(OUTCOME_PREFIX) {
        return decode_outcome(line);
    }
    let head: Head = serde_json::from_slice(line).map_err(|e| shape("", &e))?;
    match head.v {
        Some(Value::Number(n)) if n.as_u64() == Some(u64::from(VERSION)) => {}
        Some(other) => return Err(WireError::Version(other)),
        None => return Err(WireError::Meaning("missing field `v`".to_owned())),
    }
    let Some(kind) = head.kind else {
        return Err(WireError::Meaning("missing field `kind`".to_owned()));
    };
    match kind.as_str() {
        Some("outcome") => decode_outcome(line),
        Some("roster") => {
            let roster: Roster = serde_json::from_slice(line).map_err(|e| shape("roster: ", &e))?;
            check_roster(&roster)?;
            Ok(Record::Roster(roster))
        }
        Some("exclusion") => {
            let exclusion: Exclusion =
                serde_json::from_slice(line).map_err(|e| shape("exclusion: ", &e))?;
            check_exclusion(&exclusion)?;
            Ok(Record::Exclusion(exclusion))
        }
        Some("ticket") => {
            let ticket: Ticket = serde_json::from_slice(line).map_err(|e| shape("ticket: ", &e))?;
            check_ticket(&ticket)?;
            Ok(Record::Ticket(ticket))
        }
        Some("count") => {
            let count: Count = serde_json::from_slice(line).map_err(|e| shape("count: ", &e))?;
            check_count(&count)?;
            Ok(Record::Count(count))
        }
        _ => Err(WireError::Kind(kind)),
    }
}

fn decode_outcome(line: &[u8]) -> Result<Record, WireError> {
    serde_json::from_slice::<Outcome>(line).map(Record::Outcome).map_err(|e| shape("outcome: ", &e))
}

fn check_roster(roster: &Roster) -> Result<(), WireError> {
    let mut seen = std::collections::HashSet::new();
    for probe in &roster.probes {
        if !seen.insert(&probe.id) {
            return Err(WireError::Meaning(format!("roster: probe {} stands twice", probe.id)));
        }
    }
    Ok(())
}

fn check_exclusion(exclusion: &Exclusion) -> Result<(), WireError> {
    let id = &exclusion.id;
    if exclusion.to <= exclusion.from {
        return Err(WireError::Meaning(format!(
            "exclusion {id}: expected it to end after it starts, got from {} to {}",
            exclusion.from, exclusion.to
        )));
    }
    if exclusion.components.is_empty() {
        return Err(WireError::Meaning(format!("exclusion {id}: expected at least one component")));
    }
    Ok(())
}

fn check_ticket(ticket: &Ticket) -> Result<(), WireError> {
    match ticket.events.iter().find(|event| event.at < ticket.opened) {
        Some(event) => Err(WireError::Meaning(format!(
            "ticket {}: the event at {} lies before it was opened at {}",
            ticket.id, event.at, ticket.opened
        ))),
        None => Ok(()),
    }
}

fn check_count(count: &Count) -> Result<(), WireError> {
    if count.good > count.total {
        return Err(WireError::Meaning(format!(
            "count {} from {}: expected good at most total, got {} of {}",
            count.series, count.from, count.good, count.total
        )));
    }
    if count.to <= count.from {
        return Err(WireError::Meaning(format!(
            "count {} from {}: expected it to end after it starts, got {}",
            count.series, count.from, count.to
        )));
    }
    Ok(())
}

/// Reads a body of lines; empty lines are passed over. All or nothing.
///
/// # Errors
/// The first line that is not a record.
pub fn decode_lines(body: &[u8]) -> Result<Vec<Record>, LineError> {
    let mut records = Vec::with_capacity(body.len() / 256 + 1);
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let record = decode_line(line).map_err(|error| LineError { line: index + 1, error })?;
        records.push(record);
    }
    Ok(records)
}

/// Appends a record as one line, newline included.
pub fn encode_line(record: &Record, out: &mut Vec<u8>) {
    #[derive(serde::Serialize)]
    struct Tagged<'a, T: serde::Serialize> {
        v: u32,
        kind: &'static str,
        #[serde(flatten)]
        body: &'a T,
    }
    let kind = record.kind();
    let written = match record {
        Record::Outcome(outcome) => serde_json::to_writer(&mut *out, outcome),
        Record::Roster(body) => {
            serde_json::to_writer(&mut *out, &Tagged { v: VERSION, kind, body })
        }
        Record::Exclusion(body) => {
            serde_json::to_writer(&mut *out, &Tagged { v: VERSION, kind, body })
        }
        Record::Ticket(body) => {
            serde_json::to_writer(&mut *out, &Tagged { v: VERSION, kind, body })
        }
        Record::Count(body) => serde_json::to_writer(&mut *out, &Tagged { v: VERSION, kind, body }),
    };
    // a Vec takes every write and no record holds a map with keys that are not text
    debug_assert!(written.is_ok(), "a record always has a wire form: {written:?}");
    out.push(b'\n');
}

/// Why a zstd body could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// More than the limit came out.
    #[error("the decoded body is larger than {0} bytes")]
    TooLarge(usize),
    /// Not zstd, or damaged.
    #[error("expected a zstd body: {0}")]
    Damaged(#[source] std::io::Error),
}

/// Opens a zstd body, at most `limit` bytes of it.
///
/// # Errors
/// When it is not zstd, or larger than `limit` once opened.
pub fn unpack_zstd(body: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
    let mut decoder = zstd::stream::read::Decoder::new(body).map_err(UnpackError::Damaged)?;
    decoder.window_log_max(27).map_err(UnpackError::Damaged)?;
    let mut out = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut out).map_err(UnpackError::Damaged)?;
    if out.len() > limit {
        return Err(UnpackError::TooLarge(limit));
    }
    Ok(out)
}

/// Packs a body with zstd.
///
/// # Errors
/// When zstd cannot allocate.
pub fn pack_zstd(body: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::stream::encode_all(body, 3)
}
