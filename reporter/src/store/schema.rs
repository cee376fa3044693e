//! Opens the database file and brings it to this program's version, step by step, each step
//! recorded with a checksum; what is newer, foreign or altered is refused by name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::counts;
use super::error::StoreError;

/// The file's name in the data directory.
pub(super) const FILE: &str = "mailward.sqlite";
/// "MWRD": tells our files from other programs'.
const APPLICATION_ID: i64 = 0x4d57_5244;
/// Steps from one version to the next. A step that was released is never changed.
const STEPS: &[Step] = &[
    Step { sql: include_str!("0001.sql"), fill: None },
    Step { sql: include_str!("0002.sql"), fill: Some(counts::fill) },
    Step { sql: include_str!("0003.sql"), fill: None },
    Step { sql: include_str!("0004.sql"), fill: None },
    Step { sql: include_str!("0005.sql"), fill: None },
    Step { sql: include_str!("0006.sql"), fill: None },
    Step { sql: include_str!("0007.sql"), fill: None },
];

/// The version they lead to.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// Fills in what a step of SQL cannot work out, in the transaction of the step.
type Fill = fn(&Connection) -> Result<(), StoreError>;

/// A step from one version to the next.
#[derive(Clone, Copy)]
struct Step {
    sql: &'static str,
    /// Fills in what SQL cannot work out.
    fill: Option<Fill>,
}

/// What a disk must have room for to count as one that can be written.
const ROOM_BYTES: usize = 64 << 10;
/// How long to wait for another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the file for writing, making or migrating it.
pub(super) fn open(data_dir: &Path, now_ms: i64) -> Result<Connection, StoreError> {
    check_directory(data_dir)?;
    let path = data_dir.join(FILE);
    let mut conn = connect(&path)?;
    migrate(&mut conn, &path, STEPS, now_ms)?;
    let failed = StoreError::sql("set the store up");
    conn.pragma_update(None, "wal_autocheckpoint", 4096).map_err(&failed)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20).map_err(&failed)?;
    conn.pragma_update(None, "cache_size", -32_768).map_err(&failed)?;
    Ok(conn)
}

/// Opens the file for reading beside the writer.
pub(super) fn open_reader(data_dir: &Path) -> Result<Connection, StoreError> {
    let conn = connect(&data_dir.join(FILE))?;
    conn.pragma_update(None, "query_only", true).map_err(StoreError::sql("set a reader up"))?;
    Ok(conn)
}

/// Makes the directory, and tells whether files can be made in it. A full disk passes: what is
/// there can still be read.
fn check_directory(data_dir: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Directory { path: data_dir.to_owned(), source };
    if !data_dir.is_dir() {
        std::fs::create_dir_all(data_dir).map_err(failed)?;
        // what is acknowledged from here on must not go with the directory's name
        let above = data_dir.parent().filter(|above| !above.as_os_str().is_empty());
        let above = std::fs::File::open(above.unwrap_or(Path::new("."))).map_err(failed)?;
        above.sync_all().map_err(failed)?;
    }
    // SQLite's own message for a directory it cannot write says little
    try_file(data_dir, &[])
}

/// Whether there is room for a body of evidence.
pub(super) fn check_room(data_dir: &Path) -> Result<(), StoreError> {
    try_file(data_dir, &[0; ROOM_BYTES])
}

fn try_file(data_dir: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let file = data_dir.join(format!(".writable-{}", std::process::id()));
    let written = std::fs::write(&file, bytes);
    let removed = std::fs::remove_file(&file);
    written.and(removed).map_err(|source| match source.kind() {
        ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Directory { path: data_dir.to_owned(), source },
    })
}

/// The version of the store behind a connection, which is left as it is.
pub(super) fn version(conn: &Connection, path: &Path) -> Result<u32, StoreError> {
    match u32::try_from(check(conn, path, STEPS)?) {
        // an empty file is what SQLite makes of a name
        Err(_) | Ok(0) => Err(StoreError::Foreign { path: path.to_owned() }),
        Ok(version) => Ok(version),
    }
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let failed = told(path, "open the store");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(&failed)?;
    conn.busy_timeout(PATIENCE).map_err(&failed)?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.pragma_update(None, "page_size", 8192).map_err(&failed)?;
    let mode: String = conn
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(&failed)?;
    if mode != "wal" {
        return Err(StoreError::Damaged(format!("expected journal mode wal, got {mode}")));
    }
    // FULL: a commit has been fsynced when it returns
    conn.pragma_update(None, "synchronous", "FULL").map_err(&failed)?;
    Ok(conn)
}

pub(super) fn told(path: &Path, operation: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    let (path, wrap) = (path.to_owned(), StoreError::sql(operation));
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign { path: path.clone() },
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            StoreError::Directory {
                path: path.clone(),
                source: std::io::Error::new(ErrorKind::PermissionDenied, error),
            }
        }
        _ => wrap(error),
    }
}

fn checksum(step: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(step.as_bytes()))
}

/// Brings the database to the version that `steps` lead to, all in one transaction. One that
/// is there already is only read, so that it can be opened while another process writes.
fn migrate(
    conn: &mut Connection,
    path: &Path,
    steps: &[Step],
    now_ms: i64,
) -> Result<(), StoreError> {
    let failed = told(path, "migrate the store");
    let tx = conn.transaction().map_err(&failed)?;
    if check(&tx, path, steps)? == steps.len() {
        return Ok(());
    }
    drop(tx);
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let found = check(&tx, path, steps)?;
    for (version, step) in (1u32..).zip(steps).skip(found) {
        tx.execute_batch(step.sql).map_err(&failed)?;
        if let Some(fill) = step.fill {
            fill(&tx)?;
        }
        tx.execute(
            "INSERT INTO migration (version, checksum, applied_ms) VALUES (?1, ?2, ?3)",
            (version, checksum(step.sql), now_ms),
        )
        .map_err(&failed)?;
        tx.pragma_update(None, "user_version", version).map_err(&failed)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(&failed)?;
    tx.commit().map_err(&failed)
}

/// How many of the steps were taken already; checks that they were these.
fn check(conn: &Connection, path: &Path, steps: &[Step]) -> Result<usize, StoreError> {
    let failed = told(path, "read the store's version");
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = pragma("user_version").map_err(&failed)?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(&failed)?;
    if tables > 0 && pragma("application_id").map_err(&failed)? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (version, step) in (1..=found).zip(steps) {
        check_step(conn, path, version, step.sql)?;
    }
    Ok(found as usize)
}

fn check_step(conn: &Connection, path: &Path, version: u32, step: &str) -> Result<(), StoreError> {
    let path: PathBuf = path.to_owned();
    let recorded: Result<String, _> =
        conn.query_row("SELECT checksum FROM migration WHERE version = ?1", [version], |row| {
            row.get(0)
        });
    match recorded {
        Ok(recorded) if recorded == checksum(step) => Ok(()),
        Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(StoreError::Altered { path, version })
        }
        Err(error) => Err(StoreError::sql("check the store's history")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that knows no more than the first version.
    const FIRST: &[Step] = &[STEPS[0]];
    const NEXT: Step = sql("CREATE TABLE half (x INTEGER) STRICT;");

    const fn sql(sql: &'static str) -> Step {
        Step { sql, fill: None }
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        (dir, path)
    }

    fn version(conn: &Connection) -> i64 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_step_that_fails_half_way_leaves_the_version_before() {
        let (_dir, path) = file();
        let mut conn = connect(&path).unwrap();
        migrate(&mut conn, &path, FIRST, 0).unwrap();
        let bad = "CREATE TABLE half (x INTEGER) STRICT; CREATE TABLE migration (y INTEGER);";
        assert!(migrate(&mut conn, &path, &[STEPS[0], sql(bad)], 0).is_err());
        assert_eq!(version(&conn), 1);
        assert!(conn.query_row("SELECT 1 FROM half", [], |_| Ok(())).is_err());
        migrate(&mut conn, &path, &[STEPS[0], NEXT], 0).unwrap();
        assert_eq!(version(&conn), 2);
        let newer = migrate(&mut conn, &path, FIRST, 0).unwrap_err();
        assert!(matches!(newer, StoreError::Newer { found: 2, known: 1, .. }), "{newer}");
        let altered = migrate(&mut conn, &path, &[STEPS[0], sql("SELECT 1;")], 0).unwrap_err();
        assert!(matches!(altered, StoreError::Altered { version: 2, .. }), "{altered}");
    }

    #[test]
    fn files_of_others_are_refused() {
        let (dir, path) = file();
        std::fs::write(&path, b"these are not the bytes of a database, not even nearly so")
            .unwrap();
        let error = open(dir.path(), 0).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");

        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x);").unwrap();
        let error = open(dir.path(), 0).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }

    #[test]
    fn a_directory_that_cannot_be_is_named() {
        let (dir, path) = file();
        std::fs::write(&path, b"").unwrap();
        let error = open(&path.join("below"), 0).unwrap_err();
        assert!(matches!(error, StoreError::Directory { .. }), "{error}");
        assert!(error.to_string().contains("below"), "{error}");
        drop(dir);
    }

    #[test]
    fn a_store_held_by_another_is_locked() {
        let (_dir, path) = file();
        let mut conn = connect(&path).unwrap();
        migrate(&mut conn, &path, FIRST, 0).unwrap();
        let other = connect(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        conn.busy_timeout(Duration::from_millis(1)).unwrap();
        migrate(&mut conn, &path, FIRST, 0).unwrap();
        let error = migrate(&mut conn, &path, &[STEPS[0], NEXT], 0).unwrap_err();
        assert!(matches!(error, StoreError::Locked), "{error}");
    }
}
