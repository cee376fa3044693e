//! Reads a service desk's exports, tickets or counts as comma-separated values, into records: by
//! the columns and words that the definition names, whole or not at all. Storing them is left to
//! `file`.

mod counts;
mod sheet;
mod tickets;
mod times;

use mailward_catalogue::{Catalogue, CountsCsv, TicketsCsv};
use mailward_evidence::{Record, wire};

use sheet::Sheet;
use times::{Quirk, Times};

/// The largest file that is read, in bytes (64 MiB).
pub const MAX_FILE_BYTES: usize = 64 << 20;
/// The longest field, in bytes.
pub const MAX_FIELD_BYTES: usize = 64 << 10;
/// The most columns.
pub const MAX_COLUMNS: usize = 1024;

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Tickets, or changes of their state.
    Tickets,
    /// Counts.
    Counts,
}

/// Why nothing of a file was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// The definition has no section for it.
    #[error("expected {0} in the definition, which says what the columns are")]
    NoMapping(&'static str),
    /// A line cannot be read.
    #[error("line {line}: {message}")]
    Line {
        /// Which, from 1; a row over several lines has the number of its first.
        line: u64,
        /// What was expected, and what was found.
        message: String,
    },
}

/// What a reader should know of how a line was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which line, from 1.
    pub line: u64,
    /// What was made of it.
    pub text: String,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// The records, each valid on the wire.
    pub records: Vec<Record>,
    /// Times that a clock change skips or doubles, and how they were read.
    pub notes: Vec<Note>,
    /// Tickets, or rows of counts, that the definition leaves out.
    pub left_out: u64,
}

/// Reads a file. What its rows are is told by `rows`, or else by its first line: by the section
/// whose columns it has.
///
/// # Errors
/// The first line that cannot be read; or that the definition does not say how.
pub fn read(bytes: &[u8], catalogue: &Catalogue, rows: Option<Rows>) -> Result<Exported, CsvError> {
    let text = sheet::text(bytes)?;
    match rows {
        Some(Rows::Tickets) => {
            let mapping = catalogue.tickets_csv.as_ref();
            of_tickets(text, catalogue, mapping.ok_or(CsvError::NoMapping("[tickets.csv]"))?)
        }
        Some(Rows::Counts) => {
            let mapping = catalogue.counts_csv.as_ref();
            of_counts(text, catalogue, mapping.ok_or(CsvError::NoMapping("[counts.csv]"))?)
        }
        None => match (&catalogue.tickets_csv, &catalogue.counts_csv) {
            (None, None) => Err(CsvError::NoMapping("[tickets.csv] or [counts.csv]")),
            (Some(tickets), None) => of_tickets(text, catalogue, tickets),
            (None, Some(counts)) => of_counts(text, catalogue, counts),
            (Some(tickets), Some(counts)) => by_header(text, catalogue, tickets, counts),
        },
    }
}

/// Takes the section whose columns the first line has.
fn by_header(
    text: &str,
    catalogue: &Catalogue,
    tickets: &TicketsCsv,
    counts: &CountsCsv,
) -> Result<Exported, CsvError> {
    let as_tickets = tickets::Columns::find(&Sheet::open(text, &tickets.form)?, tickets);
    let as_counts = counts::Columns::find(&Sheet::open(text, &counts.form)?, counts);
    match (as_tickets, as_counts) {
        (Ok(_), Err(_)) => of_tickets(text, catalogue, tickets),
        (Err(_), Ok(_)) => of_counts(text, catalogue, counts),
        (Ok(_), Ok(_)) => Err(in_header(
            "the columns fit [tickets.csv] and [counts.csv]; say which with --as".to_owned(),
        )),
        (Err(CsvError::Line { message: a, .. }), Err(CsvError::Line { message: b, .. })) => {
            Err(in_header(format!("by [tickets.csv]: {a}; by [counts.csv]: {b}")))
        }
        (Err(error), Err(_)) => Err(error),
    }
}

fn of_tickets(
    text: &str,
    catalogue: &Catalogue,
    mapping: &TicketsCsv,
) -> Result<Exported, CsvError> {
    let times = Times::new(&mapping.form, &catalogue.service.zone);
    tickets::read(Sheet::open(text, &mapping.form)?, mapping, catalogue, &times)
}

fn of_counts(text: &str, catalogue: &Catalogue, mapping: &CountsCsv) -> Result<Exported, CsvError> {
    let times = Times::new(&mapping.form, &catalogue.service.zone);
    counts::read(Sheet::open(text, &mapping.form)?, mapping, &times)
}

fn in_header(message: String) -> CsvError {
    CsvError::Line { line: 1, message }
}

fn at_line(line: u64) -> impl Fn(String) -> CsvError {
    move |message| CsvError::Line { line, message }
}

impl Exported {
    /// Adds a record that obeys every rule of the wire.
    fn push(&mut self, line: u64, record: &Record) -> Result<(), CsvError> {
        let mut written = Vec::new();
        wire::encode_line(record, &mut written);
        let record = wire::decode_line(written.trim_ascii_end());
        self.records.push(record.map_err(|error| at_line(line)(error.to_string()))?);
        Ok(())
    }

    fn note(&mut self, line: u64, column: &str, written: &str, quirk: Option<Quirk>) {
        let made = match quirk {
            None => return,
            Some(Quirk::Doubled) => "is there twice, as clocks go back; read as the first",
            Some(Quirk::Skipped) => {
                "is not there, as clocks go forward; read as the same distance after the change"
            }
        };
        self.notes.push(Note { line, text: format!("{column}: {written:?} {made}") });
    }
}

/// Text from a file as a message shows it.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests;
