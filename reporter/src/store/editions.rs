//! Published months, each frozen (the database itself refuses to change one), and what the
//! calendar noted as done.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::writer::Turn;
use super::{Accepted, EditionHead, NewEdition, Seal, Store};

impl Store {
    /// The number the next edition of a month will have.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn next_edition(&self, month: &str) -> Result<u32, StoreError> {
        self.read(|conn| next(conn, month))
    }

    /// Freezes an edition.
    ///
    /// # Errors
    /// When its number is not the next one, a reason is missing, or the store cannot be written.
    pub fn put_edition(&self, edition: NewEdition) -> Result<u32, StoreError> {
        let number = edition.edition;
        self.call(move |turn| put(turn, &edition))?;
        Ok(number)
    }

    /// Editions of a month, or of all, in order of month, then number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn editions(&self, month: Option<&str>) -> Result<Vec<EditionHead>, StoreError> {
        self.read(|conn| list(conn, month))
    }

    /// One edition with its files; the latest where no number is given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn edition(
        &self,
        month: &str,
        edition: Option<u32>,
    ) -> Result<Option<NewEdition>, StoreError> {
        self.read(|conn| get(conn, month, edition))
    }

    /// report.json of a month's latest edition, and its number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn latest_report(&self, month: &str) -> Result<Option<(u32, String)>, StoreError> {
        self.read(|conn| {
            conn.query_row(
                "SELECT edition, report_json FROM edition WHERE month = ?1 \
                 ORDER BY edition DESC LIMIT 1",
                [month],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(StoreError::sql("read the latest report"))
        })
    }

    /// Notes that this definition, in its normal form, is in force from now on, unless it was
    /// already.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn note_definition(&self, normal: &str) -> Result<(), StoreError> {
        let known = self.definitions()?;
        if known.last().is_some_and(|(_, last)| last == normal) {
            return Ok(());
        }
        let normal = normal.to_owned();
        self.call(move |turn| note_definition(turn, &normal)).map(drop)
    }

    /// Definitions that were in force, each with the instant from which it was seen, oldest
    /// first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn definitions(&self) -> Result<Vec<(i64, String)>, StoreError> {
        self.read(definitions)
    }

    /// What was noted under `key`: the calendar's ledger of what was done.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_get(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|conn| noted(conn, key))
    }

    /// Notes `value` under `key`, replacing what was there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn ledger_put(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.call(move |turn| note(turn, &key, &value)).map(drop)
    }
}

/// The number the next edition of a month will have.
fn next(conn: &Connection, month: &str) -> Result<u32, StoreError> {
    conn.query_row(
        "SELECT coalesce(max(edition), 0) + 1 FROM edition WHERE month = ?1",
        [month],
        |row| row.get(0),
    )
    .map_err(StoreError::sql("count the editions"))
}

/// Freezes an edition.
fn put(turn: &Turn<'_, '_>, new: &NewEdition) -> Result<Accepted, StoreError> {
    let next = next(turn.conn, &new.month)?;
    if next != new.edition {
        let (month, wanted) = (new.month.clone(), new.edition);
        return Err(StoreError::EditionTaken { month, wanted, next });
    }
    if next > 1 && new.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(StoreError::ReasonMissing { month: new.month.clone(), edition: next });
    }
    turn.conn
        .execute(
            "INSERT INTO edition (month, edition, as_of_ms, published_ms, published_by, reason, \
             report_json, pdf, outages_csv, daily_csv, definition_toml, segments, manifest, \
             signature, public_key) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            params![
                new.month,
                new.edition,
                new.as_of_ms,
                new.published_ms,
                new.by,
                new.reason,
                new.report_json,
                new.pdf,
                new.outages_csv,
                new.daily_csv,
                new.definition_toml,
                new.segments,
                new.seal.as_ref().map(|seal| &seal.manifest),
                new.seal.as_ref().map(|seal| &seal.signature),
                new.seal.as_ref().map(|seal| &seal.public_key),
            ],
        )
        .map_err(StoreError::sql("freeze an edition"))?;
    Ok(Accepted::default())
}

/// Editions of a month, or of all, in order of month, then number.
fn list(conn: &Connection, month: Option<&str>) -> Result<Vec<EditionHead>, StoreError> {
    let failed = StoreError::sql("list the editions");
    let mut select = conn
        .prepare_cached(
            "SELECT month, edition, as_of_ms, published_ms, published_by, reason FROM edition \
             WHERE ?1 IS NULL OR month = ?1 ORDER BY month, edition",
        )
        .map_err(&failed)?;
    let rows = select
        .query_map([month], |row| {
            Ok(EditionHead {
                month: row.get(0)?,
                edition: row.get(1)?,
                as_of_ms: row.get(2)?,
                published_ms: row.get(3)?,
                by: row.get(4)?,
                reason: row.get(5)?,
            })
        })
        .map_err(&failed)?;
    rows.collect::<Result<_, _>>().map_err(&failed)
}

/// One edition with its files; the latest where no number is given.
fn get(
    conn: &Connection,
    month: &str,
    edition: Option<u32>,
) -> Result<Option<NewEdition>, StoreError> {
    conn.query_row(
        "SELECT month, edition, as_of_ms, published_ms, published_by, reason, report_json, pdf, \
         outages_csv, daily_csv, definition_toml, segments, manifest, signature, public_key \
         FROM edition \
         WHERE month = ?1 AND (?2 IS NULL OR edition = ?2) ORDER BY edition DESC LIMIT 1",
        params![month, edition],
        |row| {
            Ok(NewEdition {
                month: row.get(0)?,
                edition: row.get(1)?,
                as_of_ms: row.get(2)?,
                published_ms: row.get(3)?,
                by: row.get(4)?,
                reason: row.get(5)?,
                report_json: row.get(6)?,
                pdf: row.get(7)?,
                outages_csv: row.get(8)?,
                daily_csv: row.get(9)?,
                definition_toml: row.get(10)?,
                segments: row.get(11)?,
                seal: seal_of(row)?,
            })
        },
    )
    .optional()
    .map_err(StoreError::sql("read an edition"))
}

/// What signs the edition of a row that ends with its three columns.
fn seal_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Seal>> {
    let manifest: Option<String> = row.get(12)?;
    let Some(manifest) = manifest else { return Ok(None) };
    Ok(Some(Seal { manifest, signature: row.get(13)?, public_key: row.get(14)? }))
}

fn note_definition(turn: &Turn<'_, '_>, normal: &str) -> Result<Accepted, StoreError> {
    turn.conn
        .execute(
            "INSERT OR REPLACE INTO definition (seen_ms, normal) VALUES (?1, ?2)",
            (turn.now_ms, normal),
        )
        .map_err(StoreError::sql("note the definition"))?;
    Ok(Accepted::default())
}

fn definitions(conn: &Connection) -> Result<Vec<(i64, String)>, StoreError> {
    let failed = StoreError::sql("read earlier definitions");
    let mut select = conn
        .prepare_cached("SELECT seen_ms, normal FROM definition ORDER BY seen_ms")
        .map_err(&failed)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&failed)?;
    rows.collect::<Result<_, _>>().map_err(&failed)
}

/// What was noted under a key.
fn noted(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    conn.query_row("SELECT value FROM done WHERE key = ?1", [key], |row| row.get(0))
        .optional()
        .map_err(StoreError::sql("read what was done"))
}

/// Notes a value under a key.
fn note(turn: &Turn<'_, '_>, key: &str, value: &str) -> Result<Accepted, StoreError> {
    turn.conn
        .execute(
            "INSERT OR REPLACE INTO done (key, value, noted_ms) VALUES (?1, ?2, ?3)",
            (key, value, turn.now_ms),
        )
        .map_err(StoreError::sql("note what was done"))?;
    Ok(Accepted::default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailward_evidence::ManualClock;

    use super::*;

    fn edition(number: u32, pdf: usize) -> NewEdition {
        NewEdition {
            month: "2026-10".to_owned(),
            edition: number,
            as_of_ms: 1,
            published_ms: 1,
            by: "A. Manager".to_owned(),
            reason: Some("again".to_owned()),
            report_json: "{}".to_owned(),
            pdf: vec![7; pdf],
            outages_csv: String::new(),
            daily_csv: String::new(),
            definition_toml: String::new(),
            segments: Vec::new(),
            seal: None,
        }
    }

    fn limit_pages(store: &Store, pages: u32) {
        let limited = store.call(move |turn| {
            let set = format!("PRAGMA max_page_count = {pages}");
            turn.conn.execute_batch(&set).map_err(StoreError::sql("limit the file"))?;
            Ok(Accepted::default())
        });
        limited.unwrap();
    }

    #[test]
    fn a_full_disk_leaves_no_half_edition() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-06T09:00:00Z".parse().unwrap()));
        let store = Store::open(dir.path(), clock).unwrap();
        store.put_edition(edition(1, 1000)).unwrap();
        let kept = store.editions(None).unwrap();
        limit_pages(&store, 1); // no fewer than there are: not a page more
        let full = store.put_edition(edition(2, 10 << 20)).unwrap_err();
        assert!(matches!(full, StoreError::Full), "{full:?}");
        assert_eq!(store.editions(None).unwrap(), kept);
        limit_pages(&store, u32::MAX - 1);
        store.put_edition(edition(2, 10 << 20)).unwrap();
        assert_eq!(store.edition("2026-10", None).unwrap().unwrap().pdf.len(), 10 << 20);
    }

    #[test]
    fn a_definition_is_noted_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-06T09:00:00Z".parse().unwrap()));
        let store = Store::open(dir.path(), clock.clone()).unwrap();
        let at_ms = "2026-11-06T09:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        for (normal, minutes) in [("a", 0), ("a", 1), ("b", 2), ("a", 3)] {
            store.note_definition(normal).unwrap();
            clock.advance(std::time::Duration::from_secs(60));
            let last = store.definitions().unwrap().pop().unwrap();
            assert_eq!(last.1, normal);
            assert!(last.0 <= at_ms + minutes * 60_000);
        }
        let seen: Vec<_> = store.definitions().unwrap().into_iter().map(|(_, n)| n).collect();
        assert_eq!(seen, ["a", "b", "a"]);
    }
}
