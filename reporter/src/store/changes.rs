//! When evidence of which day last changed: so that whoever keeps a figure can ask, without
//! computing it, whether anything it rests on arrived since. It keeps days, and no records.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::error::StoreError;

const DAY_MS: i64 = 86_400_000;

impl Store {
    /// The number of the last change of evidence; it grows with every body that brought
    /// something new. To be read before the evidence that is to be compared with it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_change(&self) -> Result<u64, StoreError> {
        self.read(|conn| latest(conn, i64::MAX))
    }

    /// The number of the last change after change `since` to evidence that speaks of time before
    /// `before_ms`, whichever day of UTC it lies on: an outcome due, a roster that begins, an
    /// exclusion that begins, a ticket opened, a count from before then. `None` if there was
    /// none. What was computed at `before_ms`, after change `since`, then still holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn changed_since(&self, before_ms: i64, since: u64) -> Result<Option<u64>, StoreError> {
        let latest = self.read(|conn| latest(conn, before_ms))?;
        Ok(Some(latest).filter(|change| *change > since))
    }
}

/// The day (UTC, since the epoch) of a millisecond.
pub(super) const fn day_of(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// Notes that evidence of these days changed.
pub(super) fn note(conn: &Connection, days: &BTreeSet<i64>) -> Result<(), StoreError> {
    if days.is_empty() {
        return Ok(());
    }
    let failed = StoreError::sql("note a change of evidence");
    let change = latest(conn, i64::MAX)?.saturating_add(1).cast_signed();
    let mut upsert = conn
        .prepare_cached("INSERT OR REPLACE INTO touched (day, change) VALUES (?1, ?2)")
        .map_err(&failed)?;
    for day in days {
        upsert.execute((day, change)).map_err(&failed)?;
    }
    Ok(())
}

fn latest(conn: &Connection, before_ms: i64) -> Result<u64, StoreError> {
    let failed = StoreError::sql("look for changes of evidence");
    let mut select = conn
        .prepare_cached("SELECT change FROM touched WHERE day <= ?1 ORDER BY change DESC LIMIT 1")
        .map_err(&failed)?;
    let latest: Option<i64> = select
        .query_row([day_of(before_ms.saturating_sub(1))], |row| row.get(0))
        .optional()
        .map_err(&failed)?;
    Ok(latest.unwrap_or(0).cast_unsigned())
}
