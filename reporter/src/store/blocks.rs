//! Writes outcomes of a stream to its blocks. What comes goes to small blocks by rows, quickly;
//! once a row of small blocks holds enough, they become a large one by columns.

use rusqlite::Connection;

use super::codec::Packed;
use super::columns::Zstd;
use super::error::StoreError;
use super::raw::{Meta, Raw, current};
use super::run;
use super::words::Words;

/// A block is cut where what it holds, opened, passes this.
const MAX_BLOCK_BYTES: usize = 4 << 20;
/// Small blocks that are older than this by the next become a large one though not enough.
const DAY_NS: i64 = 86_400_000_000_000;

/// How many outcomes blocks hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// A small block, at most.
    pub(super) small: usize,
    /// A large block, at most.
    pub(super) large: usize,
}

/// The blocks of all streams, to be written.
pub(super) struct Blocks<'a, 'z> {
    pub(super) conn: &'a Connection,
    pub(super) words: &'a Words,
    pub(super) compressor: Option<&'a mut Zstd<'z>>,
    pub(super) sizes: Sizes,
}

impl Blocks<'_, '_> {
    /// Merges outcomes, in order and new to the blocks, into the blocks they belong to.
    pub(super) fn add(&mut self, stream: i64, mut fresh: Vec<Packed>) -> Result<(), StoreError> {
        while let Some(first) = fresh.first() {
            let mut raw = Raw::new(self.conn, self.words, stream);
            let mut home = raw.at_or_before(first.key.due_ns)?;
            let next = raw.after(first.key.due_ns)?;
            let mine =
                next.map_or(fresh.len(), |n| fresh.partition_point(|e| e.key.due_ns < n.first_ns));
            let later = fresh.split_off(mine);
            let mut entries = std::mem::replace(&mut fresh, later);
            while let Some(meta) = home {
                let inside = entries.first().is_some_and(|e| e.key.due_ns <= meta.last_ns);
                let fits = meta.entries + entries.len() <= self.sizes.small;
                // small blocks are merged as they meet their like, not anew for each arrival
                let alike = meta.entries <= 2 * entries.len();
                if !(inside || (fits && alike)) {
                    break;
                }
                let mut merged = raw.take(meta)?;
                merged.append(&mut entries);
                // stable and adaptive: two ordered runs are merged, not sorted
                merged.sort_by_key(Packed::order);
                entries = merged;
                self.delete(meta.id)?;
                home = raw.at_or_before(meta.first_ns.saturating_sub(1))?;
            }
            self.write(stream, &entries)?;
            if fresh.is_empty() && entries.len() * 4 >= self.sizes.small {
                self.compact_tail(stream)?;
            }
        }
        Ok(())
    }

    /// Makes the small blocks at the end a large one, where they hold enough or enough time.
    fn compact_tail(&mut self, stream: i64) -> Result<(), StoreError> {
        let raw = Raw::new(self.conn, self.words, stream);
        let group = self.group(&raw, i64::MAX)?;
        let mut small = group.iter().filter(|meta| meta.entries <= self.sizes.small);
        let entries: usize = small.clone().map(|meta| meta.entries).sum();
        let old = match (small.next(), group.last()) {
            (Some(first), Some(last)) => last.last_ns.saturating_sub(first.first_ns) > DAY_NS,
            _ => false,
        };
        if entries >= self.sizes.large || (old && entries > self.sizes.small) {
            self.join(stream, &group)?;
        }
        Ok(())
    }

    /// Joins all blocks of a stream that are better one.
    pub(super) fn compact(&mut self, stream: i64) -> Result<(), StoreError> {
        let mut before = i64::MAX;
        loop {
            let group = self.group(&Raw::new(self.conn, self.words, stream), before)?;
            let Some(first) = group.first() else { return Ok(()) };
            before = first.first_ns.saturating_sub(1);
            if group.len() > 1 {
                self.join(stream, &group)?;
            }
        }
    }

    /// The last blocks that begin at or before, as far back as they are better one: small ones,
    /// and others as they meet their like, so that each is written anew a few times only.
    fn group(&self, raw: &Raw<'_>, mut before: i64) -> Result<Vec<Meta>, StoreError> {
        let (mut group, mut entries, mut small) = (Vec::new(), 0, true);
        while let Some(meta) = raw.at_or_before(before)? {
            small &= meta.entries <= self.sizes.small;
            let alike = meta.entries <= 2 * entries && meta.entries + entries <= self.sizes.large;
            // far more than a large one holds are left to the next time
            let enough = entries >= 4 * self.sizes.large;
            if !group.is_empty() && (enough || !(small || alike)) {
                break;
            }
            entries += meta.entries;
            before = meta.first_ns.saturating_sub(1);
            group.push(meta);
        }
        group.reverse();
        Ok(group)
    }

    /// Joins blocks that stand side by side, no more at once than one or two large ones hold.
    fn join(&mut self, stream: i64, blocks: &[Meta]) -> Result<(), StoreError> {
        let mut raw = Raw::new(self.conn, self.words, stream);
        let mut entries: Vec<Packed> = Vec::new();
        for meta in blocks {
            entries.append(&mut raw.take(*meta)?);
            self.delete(meta.id)?;
            if entries.len() >= self.sizes.large {
                self.write(stream, &entries)?;
                entries.clear();
            }
        }
        self.write(stream, &entries)
    }

    fn delete(&self, id: i64) -> Result<(), StoreError> {
        let failed = StoreError::sql("replace a block of outcomes");
        let mut statement =
            self.conn.prepare_cached("DELETE FROM block WHERE id = ?1").map_err(&failed)?;
        statement.execute([id]).map(drop).map_err(&failed)
    }

    /// Writes entries as blocks of about the same size.
    fn write(&mut self, stream: i64, mut entries: &[Packed]) -> Result<(), StoreError> {
        let failed = StoreError::sql("write a block of outcomes");
        let mut statement = self
            .conn
            .prepare_cached(
                "INSERT INTO block (stream, first_due_ns, last_due_ns, entries, current, run) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .map_err(&failed)?;
        let blocks = entries.len().div_ceil(self.sizes.large).max(1);
        let size = entries.len().div_ceil(blocks);
        while !entries.is_empty() {
            let (block, later) = entries.split_at(cut(entries, size));
            entries = later;
            let run = match self.compressor.as_deref_mut() {
                Some(zstd) if block.len() > self.sizes.small => {
                    run::encode_columns(block, self.words, zstd)
                }
                zstd => run::encode(block, self.words, zstd),
            };
            let (first, last) = (&block[0], &block[block.len() - 1]);
            let counts = (block.len() as i64, current(block).count() as i64);
            statement
                .execute((
                    stream,
                    first.key.due_ns,
                    last.key.due_ns,
                    counts.0,
                    counts.1,
                    run.as_slice(),
                ))
                .map_err(&failed)?;
        }
        Ok(())
    }
}

/// How many entries the next block takes: never parting outcomes with the same due.
fn cut(entries: &[Packed], size: usize) -> usize {
    let mut bytes = 0;
    for (i, entry) in entries.iter().enumerate() {
        let full = i >= size || bytes > MAX_BLOCK_BYTES;
        if full && entries[i - 1].key.due_ns != entry.key.due_ns {
            return i;
        }
        bytes += entry.rest.len();
    }
    entries.len()
}
