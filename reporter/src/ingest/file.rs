//! Imports evidence from a file: JSON lines, packed with zstd or not, or a service desk's export;
//! all of it or nothing.

use std::io::{BufRead, BufReader, Read};

use mailward_catalogue::Catalogue;
use mailward_evidence::wire::{self, LineError, MAX_LINE_BYTES, WireError};

use super::csv::{self, CsvError, Exported, MAX_FILE_BYTES, Rows};
use crate::store::{Accepted, Source, Store, StoreError};

/// Why nothing of a file was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file could not be read.
    #[error("read the evidence")]
    Read(#[source] std::io::Error),
    /// A line that is not a record.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A service desk's export that cannot be read.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// The store could not take it.
    #[error("store the evidence")]
    Store(#[from] StoreError),
}

/// Records handed over at once.
const PART: usize = 10_000;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Imports all records of `source`; `progress` is told the lines read so far. While it runs,
/// nobody else can write to the store: agents are told to come back, and do.
///
/// # Errors
/// The first line that is not a record, or what could not be read or stored; nothing of the
/// file is kept then.
pub fn import(
    store: &Store,
    source: impl Read,
    progress: &mut dyn FnMut(u64),
) -> Result<Accepted, ImportError> {
    let mut source = BufReader::with_capacity(1 << 18, source);
    let packed = source.fill_buf().map_err(ImportError::Read)?.starts_with(&ZSTD_MAGIC);
    if packed {
        let opened = zstd::stream::read::Decoder::with_buffer(source).map_err(ImportError::Read)?;
        import_lines(store, BufReader::with_capacity(1 << 18, opened), progress)
    } else {
        import_lines(store, source, progress)
    }
}

/// What became of a service desk's export.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// What became of its records.
    pub accepted: Accepted,
    /// Times that were not quite what was written, each with its line.
    pub notes: Vec<csv::Note>,
    /// Tickets, or rows of counts, that the definition leaves out.
    pub left_out: u64,
}

/// Imports all rows of a service desk's export, by the definition's `[tickets.csv]` or
/// `[counts.csv]`.
///
/// # Errors
/// The first line that cannot be read, or what could not be read or stored; nothing of the file
/// is kept then.
pub fn import_csv(
    store: &Store,
    source: impl Read,
    catalogue: &Catalogue,
    rows: Option<Rows>,
) -> Result<Imported, ImportError> {
    let mut bytes = Vec::new();
    let limit = MAX_FILE_BYTES as u64 + 1;
    source.take(limit).read_to_end(&mut bytes).map_err(ImportError::Read)?;
    let Exported { records, notes, left_out } = csv::read(&bytes, catalogue, rows)?;
    let accepted = store.ingest(records, Source::Import)?;
    Ok(Imported { accepted, notes, left_out })
}

fn import_lines(
    store: &Store,
    mut source: impl BufRead,
    progress: &mut dyn FnMut(u64),
) -> Result<Accepted, ImportError> {
    let (mut line, mut number) = (Vec::new(), 0usize);
    store.import(&mut || {
        let mut records = Vec::with_capacity(PART);
        while records.len() < PART {
            line.clear();
            number += 1;
            let at = |error| LineError { line: number, error };
            let limit = MAX_LINE_BYTES as u64 + 2;
            let read = (&mut source).take(limit).read_until(b'\n', &mut line);
            if read.map_err(ImportError::Read)? == 0 {
                break;
            }
            let text = line.trim_ascii();
            if line.len() as u64 == limit && !line.ends_with(b"\n") {
                return Err(at(WireError::LineTooLong(line.len())).into());
            }
            if !text.is_empty() {
                records.push(wire::decode_line(text).map_err(at)?);
            }
        }
        progress(number as u64);
        Ok(Some(records).filter(|records| !records.is_empty()))
    })
}
