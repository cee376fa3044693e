//! Words that stand in many outcomes (names of phases and facts, reasons), each kept once and
//! referred to by number. The list only grows; past a limit, words stand in full where used.

use std::collections::HashMap;
use std::sync::Arc;

use mailward_evidence::Reason;
use rusqlite::Connection;

use super::bytes::{Broken, Reader, put_text, put_uint};
use super::error::StoreError;

/// The most words kept; a hostile agent must not fill the memory with them.
const MAX_WORDS: usize = 1 << 16;

/// The words known so far. A reference is 0 (in full) or the word's number, from 1.
#[derive(Debug, Default)]
pub(super) struct Words {
    list: Vec<(Arc<str>, Reason)>,
    index: HashMap<Arc<str>, u32>,
    /// How many of `list` are in the database.
    saved: usize,
}

impl Words {
    /// Reads all words.
    pub(super) fn load(conn: &Connection) -> Result<Self, StoreError> {
        let failed = StoreError::sql("read the words");
        let mut words = Self::default();
        let mut rows =
            conn.prepare_cached("SELECT id, text FROM word ORDER BY id").map_err(&failed)?;
        let mut rows = rows.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let (id, text): (i64, String) =
                (row.get(0).map_err(&failed)?, row.get(1).map_err(&failed)?);
            words.add(&text);
            if id != words.list.len() as i64 {
                return Err(StoreError::Damaged(format!("word {id} stands out of order")));
            }
        }
        words.saved = words.list.len();
        Ok(words)
    }

    /// Writes the words that are new since the last time.
    pub(super) fn save(&mut self, conn: &Connection) -> Result<(), StoreError> {
        if self.saved == self.list.len() {
            return Ok(());
        }
        let failed = StoreError::sql("write the words");
        let mut insert =
            conn.prepare_cached("INSERT INTO word (id, text) VALUES (?1, ?2)").map_err(&failed)?;
        for (index, (text, _)) in self.list.iter().enumerate().skip(self.saved) {
            insert.execute((index as i64 + 1, &**text)).map_err(&failed)?;
        }
        self.saved = self.list.len();
        Ok(())
    }

    fn add(&mut self, text: &str) -> u32 {
        let shared: Arc<str> = Arc::from(text);
        self.list.push((shared.clone(), Reason::parse(text)));
        let number = u32::try_from(self.list.len()).unwrap_or(0);
        self.index.insert(shared, number);
        number
    }

    /// Makes sure that `text` has a number, if there is room for it.
    pub(super) fn learn(&mut self, text: &str) -> u32 {
        match self.index.get(text) {
            Some(number) => *number,
            None if self.list.len() < MAX_WORDS => self.add(text),
            None => 0,
        }
    }

    /// Appends a reference to `text`.
    pub(super) fn put(&self, out: &mut Vec<u8>, text: &str) {
        match self.index.get(text) {
            Some(number) => put_uint(out, u64::from(*number)),
            None => {
                out.push(0);
                put_text(out, text);
            }
        }
    }

    /// Reads a reference to a word.
    pub(super) fn get<'a>(&'a self, reader: &mut Reader<'a>) -> Result<&'a str, Broken> {
        match reader.len()? {
            0 => reader.text(),
            number => {
                self.list.get(number - 1).map(|(text, _)| &**text).ok_or(Broken("a known word"))
            }
        }
    }

    /// Reads a reference to a reason.
    pub(super) fn get_reason(&self, reader: &mut Reader<'_>) -> Result<Reason, Broken> {
        match reader.len()? {
            0 => reader.text().map(Reason::parse),
            number => self
                .list
                .get(number - 1)
                .map(|(_, reason)| reason.clone())
                .ok_or(Broken("a known word")),
        }
    }
}
