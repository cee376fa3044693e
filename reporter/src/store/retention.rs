//! Deletes raw outcomes that are past their retention, a block at a time. Segments, histograms
//! and delivery times stay. The last block of a stream stays too, so that what follows can
//! always be joined to what it follows.

use rusqlite::Connection;

use super::Accepted;
use super::codec::Key;
use super::error::StoreError;
use super::flush::write_bounds;
use super::raw::current;
use super::read::sent;
use super::run::{self, Want};
use super::writer::Turn;

/// Deletes blocks of all streams that end `keep_ms` before `now_ms`, and before the stream's own
/// last outcome; `accepted` is how many outcomes they held. What was imported from long ago is
/// thus as complete as on its last day.
pub(super) fn forget(
    turn: &mut Turn<'_, '_>,
    now_ms: i64,
    keep_ms: i64,
) -> Result<Accepted, StoreError> {
    turn.flush()?;
    let streams: Vec<i64> = turn.head.streams().map(|(id, _)| id).collect();
    let mut forgotten = 0;
    for stream in streams {
        forgotten += forget_stream(turn, stream, now_ms, keep_ms)?;
    }
    Ok(Accepted { accepted: forgotten, ..Accepted::default() })
}

fn forget_stream(
    turn: &mut Turn<'_, '_>,
    stream: i64,
    now_ms: i64,
    keep_ms: i64,
) -> Result<u64, StoreError> {
    let failed = StoreError::sql("list old blocks");
    let mut select = turn
        .conn
        .prepare_cached(
            "SELECT id, entries, first_due_ns, last_due_ns FROM block WHERE stream = ?1 \
             ORDER BY first_due_ns",
        )
        .map_err(&failed)?;
    let blocks: Vec<(i64, i64, i64, i64)> = select
        .query_map([stream], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .map_err(&failed)?
        .collect::<Result<_, _>>()
        .map_err(&failed)?;
    drop(select);
    let Some((_, _, _, newest_ns)) = blocks.last() else { return Ok(0) };
    let until_ms = now_ms.min(newest_ns.div_euclid(1_000_000));
    let before_ns = Key::at_ms(until_ms.saturating_sub(keep_ms)).due_ns;
    let old = blocks.iter().take_while(|(_, _, _, last)| *last < before_ns).count();
    let old = old.min(blocks.len().saturating_sub(1));
    let Some((_, _, kept_from_ns, _)) = blocks.get(old) else { return Ok(0) };
    if old == 0 {
        return Ok(0);
    }
    let mut forgotten = 0;
    for (id, entries, _, _) in &blocks[..old] {
        keep_deliveries(turn, stream, *id)?;
        turn.conn
            .execute("DELETE FROM block WHERE id = ?1", [id])
            .map_err(StoreError::sql("delete an old block"))?;
        forgotten += entries.cast_unsigned();
    }
    // the first outcome that stays is what later ones join; new ones must come after it
    let raw_from_ns = kept_from_ns.saturating_add(1);
    if let Some(info) = turn.head.stream_mut(stream) {
        info.raw_from_ns = info.raw_from_ns.max(raw_from_ns);
        write_bounds(turn.conn, stream, info)?;
    }
    Ok(forgotten)
}

fn keep_deliveries(turn: &Turn<'_, '_>, stream: i64, block: i64) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    let run = read_run(turn.conn, block)?;
    run::decode(&run, &turn.head.words, Want::All, &mut entries)
        .map_err(|b| StoreError::Damaged(format!("block {block}: {b}")))?;
    let failed = StoreError::sql("keep a delivery");
    let mut insert = turn
        .conn
        .prepare_cached(
            "INSERT OR REPLACE INTO delivery (stream, due_ns, attempt, delivery_ms) \
             VALUES (?1, ?2, ?3, ?4)",
        )
        .map_err(&failed)?;
    for outcome in current(&entries) {
        if let Some(delivery_ms) = sent(outcome)? {
            let Key { due_ns, attempt } = outcome.key;
            insert.execute((stream, due_ns, attempt, delivery_ms)).map_err(&failed)?;
        }
    }
    Ok(())
}

fn read_run(conn: &Connection, block: i64) -> Result<Vec<u8>, StoreError> {
    conn.query_row("SELECT run FROM block WHERE id = ?1", [block], |row| row.get(0))
        .map_err(StoreError::sql("read an old block"))
}
