//! Moves what arrived to where it stays: blocks of raw outcomes, segments, counters of runs.
//! All of it happens in the transaction that takes the arrivals away, so that none is lost
//! and none counts twice.

use rusqlite::Connection;

use super::blocks::{Blocks, Sizes};
use super::columns::Zstd;
use super::counts;
use super::error::StoreError;
use super::head::{Head, StreamInfo};
use super::raw::Raw;
use super::refold::Segments;

/// Moves everything that arrived. Where this fails, the head is to be loaded anew.
pub(super) fn flush(
    conn: &Connection,
    head: &mut Head,
    mut compressor: Option<&mut Zstd<'_>>,
    sizes: Sizes,
) -> Result<(), StoreError> {
    for (stream, fresh) in std::mem::take(&mut head.fresh) {
        let info = head.stream(stream)?;
        let segments = Segments { conn, stream };
        let mut raw = Raw::new(conn, &head.words, stream);
        if let Some(change) = segments.with(&mut raw, &fresh)? {
            segments.apply(&change)?;
        }
        counts::write(conn, stream, &counts::changes(&mut raw, info, &fresh)?)?;
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { continue };
        let (first_ns, last_ns) = (first.key.due_ns, last.key.due_ns);
        let mut blocks =
            Blocks { conn, words: &head.words, compressor: compressor.as_deref_mut(), sizes };
        blocks.add(stream, fresh)?;
        if let Some(info) = head.stream_mut(stream) {
            info.first_ns = Some(info.first_ns.map_or(first_ns, |known| known.min(first_ns)));
            info.last_ns = Some(info.last_ns.map_or(last_ns, |known| known.max(last_ns)));
            write_bounds(conn, stream, info)?;
        }
    }
    (head.outcomes, head.rest_bytes) = (0, 0);
    conn.execute("DELETE FROM arrival", []).map_err(StoreError::sql("clear what arrived"))?;
    Ok(())
}

pub(super) fn write_bounds(
    conn: &Connection,
    stream: i64,
    info: &StreamInfo,
) -> Result<(), StoreError> {
    let failed = StoreError::sql("write a stream's bounds");
    let mut update = conn
        .prepare_cached(
            "UPDATE stream SET first_due_ns = ?2, last_due_ns = ?3, raw_from_ns = ?4 \
             WHERE id = ?1",
        )
        .map_err(&failed)?;
    update
        .execute((stream, info.first_ns, info.last_ns, info.raw_from_ns))
        .map(drop)
        .map_err(&failed)
}
