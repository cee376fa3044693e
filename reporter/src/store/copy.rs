//! Copies of the whole store beside whoever writes to it, checks of such copies, and the note of
//! when the last one was made. How a copy is packed, and what goes with it, is for `backup`.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::StoreError;
use super::{Store, schema};

/// The store's file, in a data directory and in a backup.
pub(crate) const FILE: &str = schema::FILE;
/// The version of the store that this program writes.
pub(crate) const VERSION: u32 = schema::VERSION;
/// Under what the calendar's ledger has the instant of the last backup.
const LEDGER: &str = "backup";

/// Writes the store as it is at this instant to the file `to`, which must not be there yet. One
/// snapshot: commits that come meanwhile are not in it, and do not wait for it. A store of an
/// older version is copied as it is. The copy is not synced.
///
/// # Errors
/// When there is no store, it is of another program or a newer version, it cannot be read to its
/// end, or the copy cannot be written.
pub(crate) fn copy(data_dir: &Path, to: &Path) -> Result<u32, StoreError> {
    let path = data_dir.join(FILE);
    if !path.is_file() {
        return Err(StoreError::Missing { path: data_dir.to_owned() });
    }
    let target = to.to_str().ok_or_else(|| {
        StoreError::Disk(format!("expected a path in UTF-8, got {}", to.display()))
    })?;
    let conn = schema::connect(&path)?;
    let version = schema::version(&conn, &path)?;
    conn.execute("VACUUM INTO ?1", [target]).map_err(StoreError::sql("copy the store"))?;
    Ok(version)
}

/// Reads every page of a store's file that nobody writes to, and gives its version.
///
/// # Errors
/// When it is no store, of a newer version, or damaged.
pub(crate) fn check(path: &Path) -> Result<u32, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(schema::told(path, "open"))?;
    let version = schema::version(&conn, path)?;
    let said: String = conn
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(StoreError::sql("check the store"))?;
    if said == "ok" { Ok(version) } else { Err(StoreError::Damaged(said)) }
}

/// Notes when the last backup was made. A store of another version than this program's is left
/// as it is: false.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn note(data_dir: &Path, at_ms: i64) -> Result<bool, StoreError> {
    let path = data_dir.join(FILE);
    let conn = schema::connect(&path)?;
    if schema::version(&conn, &path)? != VERSION {
        return Ok(false);
    }
    conn.execute(
        "INSERT OR REPLACE INTO done (key, value, noted_ms) VALUES (?1, ?2, ?2)",
        (LEDGER, at_ms),
    )
    .map(|_| true)
    .map_err(StoreError::sql("note that a backup was made"))
}

impl Store {
    /// When the last backup was made, in milliseconds since the epoch.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_backup_ms(&self) -> Result<Option<i64>, StoreError> {
        self.read(|conn| {
            conn.query_row("SELECT noted_ms FROM done WHERE key = ?1", [LEDGER], |row| row.get(0))
                .optional()
                .map_err(StoreError::sql("look for the last backup"))
        })
    }
}
