//! Moves what arrived to where it stays: blocks of raw outcomes, segments, hourly histograms.
//! All of it happens in the transaction that takes the arrivals away, so that none is lost
//! and none counts twice.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::codec::{Packed, verdict_code};
use super::error::StoreError;
use super::head::{Head, StreamInfo};
use super::histogram::Histogram;
use super::raw::{Blocks, Raw, current};
use super::refold::Segments;

const HOUR_MS: i64 = 3_600_000;

/// Changes to the histograms of a stream: hour (since the epoch), duration, counted or taken out.
type Changes = BTreeMap<i64, Vec<(f64, bool)>>;

fn counted(outcome: &Packed) -> Option<f64> {
    outcome.took_ms.filter(|_| verdict_code(outcome.verdict) < 2)
}

/// How `fresh` (in order, new to the blocks) changes the histograms of its stream.
pub(super) fn histogram_changes(
    raw: &mut Raw<'_>,
    info: &StreamInfo,
    fresh: &[Packed],
) -> Result<Changes, StoreError> {
    let mut changes = Changes::new();
    for outcome in current(fresh) {
        let hour = outcome.key.due_ms().div_euclid(HOUR_MS);
        if info.last_ns.is_some_and(|last| outcome.key.due_ns <= last)
            && let Some(took) = raw.versions(outcome.key)?.last().and_then(counted)
        {
            changes.entry(hour).or_default().push((took, false));
        }
        if let Some(took) = counted(outcome) {
            changes.entry(hour).or_default().push((took, true));
        }
    }
    Ok(changes)
}

/// Carries changes out on one hour's histogram.
pub(super) fn change(histogram: &mut Histogram, changes: &[(f64, bool)]) {
    for (took, add) in changes {
        if *add {
            histogram.add(*took);
        } else {
            histogram.remove(*took);
        }
    }
}

/// The histogram of a stream and hour on disk.
pub(super) fn histogram(
    conn: &Connection,
    stream: i64,
    hour: i64,
) -> Result<Histogram, StoreError> {
    let failed = StoreError::sql("read a histogram");
    let mut select = conn
        .prepare_cached("SELECT took FROM histogram WHERE hour = ?1 AND stream = ?2")
        .map_err(&failed)?;
    let bytes: Option<Vec<u8>> =
        select.query_row((hour, stream), |row| row.get(0)).optional().map_err(&failed)?;
    bytes.map_or(Ok(Histogram::default()), |bytes| {
        Histogram::decode(&bytes).map_err(|b| StoreError::Damaged(format!("histogram: {b}")))
    })
}

/// Moves everything that arrived. Where this fails, the head is to be loaded anew.
pub(super) fn flush(
    conn: &Connection,
    head: &mut Head,
    mut compressor: Option<&mut zstd::bulk::Compressor<'_>>,
    block_size: usize,
) -> Result<(), StoreError> {
    for (stream, fresh) in std::mem::take(&mut head.fresh) {
        let info = head.stream(stream)?;
        let segments = Segments { conn, stream };
        let mut raw = Raw::new(conn, &head.words, stream);
        if let Some(change) = segments.with(&mut raw, &fresh)? {
            segments.apply(&change)?;
        }
        write_histograms(conn, stream, histogram_changes(&mut raw, info, &fresh)?)?;
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else { continue };
        let (first_ns, last_ns) = (first.key.due_ns, last.key.due_ns);
        let mut blocks = Blocks {
            conn,
            words: &head.words,
            compressor: compressor.as_deref_mut(),
            size: block_size,
        };
        blocks.add(stream, fresh)?;
        if let Some(info) = head.stream_mut(stream) {
            info.first_ns = Some(info.first_ns.map_or(first_ns, |known| known.min(first_ns)));
            info.last_ns = Some(info.last_ns.map_or(last_ns, |known| known.max(last_ns)));
            write_bounds(conn, stream, info)?;
        }
    }
    head.outcomes = 0;
    conn.execute("DELETE FROM arrival", []).map_err(StoreError::sql("clear what arrived"))?;
    Ok(())
}

fn write_histograms(conn: &Connection, stream: i64, changes: Changes) -> Result<(), StoreError> {
    let failed = StoreError::sql("write a histogram");
    for (hour, changes) in changes {
        let mut took = histogram(conn, stream, hour)?;
        change(&mut took, &changes);
        let mut replace = conn
            .prepare_cached(
                "INSERT OR REPLACE INTO histogram (hour, stream, took) VALUES (?1, ?2, ?3)",
            )
            .map_err(&failed)?;
        replace.execute((hour, stream, took.encode())).map_err(&failed)?;
    }
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
