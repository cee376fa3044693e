//! Rows of a file of comma-separated values (RFC 4180): text in UTF-8, a header, fields by name,
//! each bounded. What the fields mean is left to others.

use csv::{Reader, ReaderBuilder, StringRecord};
use mailward_catalogue::CsvForm;

use super::{CsvError, MAX_COLUMNS, MAX_FIELD_BYTES, MAX_FILE_BYTES, at_line, in_header, shown};

/// The text of a file, without the mark that some programs put before it.
pub(super) fn text(bytes: &[u8]) -> Result<&str, CsvError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(in_header(format!("expected a file of at most {MAX_FILE_BYTES} bytes")));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let message = "expected UTF-8, got UTF-16; save the file as CSV in UTF-8";
        return Err(in_header(message.to_owned()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        at_line(line)(format!(
            "expected UTF-8, got the byte {byte:#04x} (Latin-1 or Windows-1252?); save the file \
             as CSV in UTF-8"
        ))
    })
}

/// A file being read.
pub(super) struct Sheet<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
    header: StringRecord,
    /// Up to where lines were counted, and how many ended there.
    counted: (usize, u64),
}

/// A row and the line it starts on.
pub(super) struct Row {
    pub(super) line: u64,
    fields: StringRecord,
}

impl<'t> Sheet<'t> {
    /// Reads the header.
    pub(super) fn open(text: &'t str, form: &CsvForm) -> Result<Self, CsvError> {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(form.delimiter).flexible(true).has_headers(false).trim(csv::Trim::All);
        let mut sheet = Self {
            text,
            reader: builder.from_reader(text.as_bytes()),
            header: StringRecord::new(),
            counted: (0, 0),
        };
        match sheet.read()? {
            Some(row) => sheet.header = row.fields,
            None => return Err(in_header("expected a line with names of columns".to_owned())),
        }
        Ok(sheet)
    }

    /// Which field a column is.
    pub(super) fn column(&self, name: &str) -> Result<usize, CsvError> {
        let mut same = self.header.iter().enumerate().filter(|(_, field)| *field == name.trim());
        match (same.next(), same.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => {
                Err(in_header(format!("expected one column {}, got two", shown(name))))
            }
            (None, _) => {
                let known: Vec<_> = self.header.iter().take(40).map(shown).collect();
                let message =
                    format!("expected a column {}, got {}", shown(name), known.join(", "));
                Err(in_header(message))
            }
        }
    }

    /// The next row that holds anything.
    pub(super) fn next(&mut self) -> Result<Option<Row>, CsvError> {
        while let Some(row) = self.read()? {
            if row.fields.iter().all(str::is_empty) {
                continue;
            }
            let (expected, got) = (self.header.len(), row.fields.len());
            if expected != got {
                let message = format!("expected {expected} fields as in the first line, got {got}");
                return Err(at_line(row.line)(message));
            }
            return Ok(Some(row));
        }
        Ok(None)
    }

    /// The line of the row that the reader began at `byte`, from 1: it leaves what ends the row
    /// before, and empty lines, to the row after.
    fn line_at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let (from, ended) = self.counted;
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).clamp(from, bytes.len());
        let ends = bytes[byte..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let starts = byte + ends.count();
        let is_end = |at: &usize| {
            bytes[*at] == b'\n' || (bytes[*at] == b'\r' && bytes.get(*at + 1) != Some(&b'\n'))
        };
        self.counted = (starts, ended + (from..starts).filter(is_end).count() as u64);
        self.counted.1 + 1
    }

    fn read(&mut self) -> Result<Option<Row>, CsvError> {
        let mut fields = StringRecord::new();
        let from = self.reader.position().byte();
        let read = self.reader.read_record(&mut fields);
        let line = self.line_at(fields.position().map_or(from, csv::Position::byte));
        if !read.map_err(|error| at_line(line)(error.to_string()))? {
            return Ok(None);
        }
        if fields.len() > MAX_COLUMNS {
            let message = format!("expected at most {MAX_COLUMNS} fields, got {}", fields.len());
            return Err(at_line(line)(message));
        }
        if let Some(long) = fields.iter().find(|field| field.len() > MAX_FIELD_BYTES) {
            return Err(at_line(line)(format!(
                "expected fields of at most {MAX_FIELD_BYTES} bytes, got {}; is a quote not closed?",
                long.len()
            )));
        }
        Ok(Some(Row { line, fields }))
    }
}

impl Row {
    /// A field; empty where it is not there.
    pub(super) fn get(&self, column: usize) -> &str {
        self.fields.get(column).unwrap_or_default()
    }

    /// A field that must not be empty.
    pub(super) fn needed(&self, column: usize, name: &str) -> Result<&str, CsvError> {
        match self.get(column) {
            "" => Err(at_line(self.line)(format!("expected {}, got nothing", shown(name)))),
            field => Ok(field),
        }
    }
}
