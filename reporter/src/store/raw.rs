//! Raw outcomes of one stream on disk: blocks of them in order, which share no due. Reads of
//! them, alone or merged with outcomes that arrived since; writing them is for `blocks`.

use rusqlite::{Connection, OptionalExtension};

use super::bytes::Broken;
use super::codec::{Key, Packed};
use super::error::StoreError;
use super::run::{self, Want};
use super::words::Words;

/// Where a block stands and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    pub(super) id: i64,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    pub(super) entries: usize,
    current: u64,
}

const META: &str = "SELECT id, first_due_ns, last_due_ns, entries, current FROM block ";

/// The blocks of one stream.
pub(super) struct Raw<'a> {
    conn: &'a Connection,
    words: &'a Words,
    stream: i64,
    opened: Option<(i64, Want, Vec<Packed>)>,
}

impl<'a> Raw<'a> {
    pub(super) const fn new(conn: &'a Connection, words: &'a Words, stream: i64) -> Self {
        Self { conn, words, stream, opened: None }
    }

    fn damaged(&self) -> impl Fn(Broken) -> StoreError + use<> {
        let stream = self.stream;
        move |broken| StoreError::Damaged(format!("outcomes of stream {stream}: {broken}"))
    }

    fn meta(&self, condition: &'static str, due_ns: i64) -> Result<Option<Meta>, StoreError> {
        let failed = StoreError::sql("find a block of outcomes");
        let mut statement = self
            .conn
            .prepare_cached(&format!("{META}WHERE stream = ?1 AND {condition} LIMIT 1"))
            .map_err(&failed)?;
        statement.query_row((self.stream, due_ns), read_meta).optional().map_err(&failed)
    }

    /// The block that begins last of those that begin at or before.
    pub(super) fn at_or_before(&self, due_ns: i64) -> Result<Option<Meta>, StoreError> {
        self.meta("first_due_ns <= ?2 ORDER BY first_due_ns DESC", due_ns)
    }

    /// The block that begins first of those that begin after.
    pub(super) fn after(&self, due_ns: i64) -> Result<Option<Meta>, StoreError> {
        self.meta("first_due_ns > ?2 ORDER BY first_due_ns", due_ns)
    }

    /// Where the block begins that begins last of those that begin before.
    pub(super) fn begins_before(&self, due_ns: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.at_or_before(due_ns.saturating_sub(1))?.map(|meta| meta.first_ns))
    }

    /// Where the block begins that begins first of those that begin after.
    pub(super) fn begins_after(&self, due_ns: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.after(due_ns)?.map(|meta| meta.first_ns))
    }

    /// The blocks that may hold identities in `[lo, hi)`.
    pub(super) fn metas(&self, lo: Key, hi: Key) -> Result<Vec<Meta>, StoreError> {
        let failed = StoreError::sql("list blocks of outcomes");
        let start = self.at_or_before(lo.due_ns)?.map_or(lo.due_ns, |m| m.first_ns);
        let mut statement = self
            .conn
            .prepare_cached(&format!(
                "{META}WHERE stream = ?1 AND first_due_ns >= ?2 AND first_due_ns <= ?3 \
                 AND last_due_ns >= ?4 ORDER BY first_due_ns"
            ))
            .map_err(&failed)?;
        let rows = statement
            .query_map((self.stream, start, hi.due_ns, lo.due_ns), read_meta)
            .map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    fn open(&mut self, meta: Meta, want: Want) -> Result<&[Packed], StoreError> {
        let known = matches!(&self.opened, Some((id, had, _)) if *id == meta.id
            && (*had == want || *had == Want::All));
        if !known {
            let failed = StoreError::sql("read a block of outcomes");
            let mut statement =
                self.conn.prepare_cached("SELECT run FROM block WHERE id = ?1").map_err(&failed)?;
            let mut rows = statement.query([meta.id]).map_err(&failed)?;
            let row = rows.next().map_err(&failed)?.ok_or_else(|| {
                StoreError::Damaged(format!("block {} is listed and not there", meta.id))
            })?;
            let run = row.get_ref(0).and_then(|v| Ok(v.as_blob()?)).map_err(&failed)?;
            let mut entries = match self.opened.take() {
                Some((_, _, mut entries)) => {
                    entries.clear();
                    entries
                }
                None => Vec::new(),
            };
            run::decode(run, self.words, want, &mut entries).map_err(self.damaged())?;
            self.opened = Some((meta.id, want, entries));
        }
        Ok(self.opened.as_ref().map_or(&[], |(_, _, entries)| entries))
    }

    /// A block's entries, whole.
    pub(super) fn take(&mut self, meta: Meta) -> Result<Vec<Packed>, StoreError> {
        self.open(meta, Want::All)?;
        Ok(self.opened.take().map(|(_, _, entries)| entries).unwrap_or_default())
    }

    /// All stored versions of an identity, oldest first, whole.
    pub(super) fn versions(&mut self, key: Key) -> Result<&[Packed], StoreError> {
        let Some(meta) = self.at_or_before(key.due_ns)?.filter(|m| m.last_ns >= key.due_ns) else {
            return Ok(&[]);
        };
        let entries = self.open(meta, Want::All)?;
        let from = entries.partition_point(|e| e.key < key);
        let to = entries.partition_point(|e| e.key <= key);
        Ok(&entries[from..to])
    }

    /// How many current outcomes have identities in `[lo, hi)`.
    pub(super) fn count(&mut self, lo: Key, hi: Key) -> Result<u64, StoreError> {
        let mut count = 0;
        for meta in self.metas(lo, hi)? {
            if lo.due_ns < meta.first_ns && meta.last_ns < hi.due_ns {
                count += meta.current;
            } else {
                let entries = self.open(meta, Want::Front)?;
                count += current(entries).filter(|e| lo <= e.key && e.key < hi).count() as u64;
            }
        }
        Ok(count)
    }

    /// The last current outcome before an identity.
    pub(super) fn before(&mut self, key: Key) -> Result<Option<Packed>, StoreError> {
        let mut bound = key.due_ns;
        while let Some(meta) = self.at_or_before(bound)? {
            let entries = self.open(meta, Want::Front)?;
            let end = entries.partition_point(|e| e.key < key);
            if end > 0 {
                return Ok(Some(entries[end - 1].clone()));
            }
            bound = meta.first_ns.saturating_sub(1);
        }
        Ok(None)
    }

    /// The first current outcome at or after an identity.
    pub(super) fn from(&mut self, key: Key) -> Result<Option<Packed>, StoreError> {
        let mut next = self.at_or_before(key.due_ns)?.filter(|m| m.last_ns >= key.due_ns);
        if next.is_none() {
            next = self.after(key.due_ns)?;
        }
        while let Some(meta) = next {
            let entries = self.open(meta, Want::Front)?;
            if let Some(found) = current(entries).find(|e| e.key >= key) {
                return Ok(Some(found.clone()));
            }
            next = self.after(meta.first_ns)?;
        }
        Ok(None)
    }

    /// Hands over outcomes in `[lo, hi)` in order: those on disk, and `fresh` ones (in order)
    /// that arrived since; every version of each, or the current one only.
    pub(super) fn merged(
        &mut self,
        fresh: &[Packed],
        (lo, hi): (Key, Key),
        (want, all_versions): (Want, bool),
        each: &mut dyn FnMut(&Packed) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut fresh = within(fresh, lo, hi);
        for meta in self.metas(lo, hi)? {
            let here = fresh.partition_point(|e| e.key.due_ns <= meta.last_ns);
            let (now, later) = fresh.split_at(here);
            fresh = later;
            emit(within(self.open(meta, want)?, lo, hi), now, all_versions, each)?;
        }
        emit(fresh, &[], all_versions, each)
    }
}

fn read_meta(row: &rusqlite::Row<'_>) -> rusqlite::Result<Meta> {
    Ok(Meta {
        id: row.get(0)?,
        first_ns: row.get(1)?,
        last_ns: row.get(2)?,
        entries: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(usize::MAX),
        current: row.get::<_, i64>(4)?.cast_unsigned(),
    })
}

/// The part of an ordered run with identities in `[lo, hi)`.
pub(super) fn within(entries: &[Packed], lo: Key, hi: Key) -> &[Packed] {
    let from = entries.partition_point(|e| e.key < lo);
    let to = entries.partition_point(|e| e.key < hi);
    entries.get(from..to).unwrap_or(&[])
}

/// The current version of each identity of an ordered run.
pub(super) fn current(entries: &[Packed]) -> impl Iterator<Item = &Packed> {
    entries
        .iter()
        .enumerate()
        .filter(|(i, e)| entries.get(i + 1).is_none_or(|next| next.key != e.key))
        .map(|(_, e)| e)
}

fn emit(
    stored: &[Packed],
    fresh: &[Packed],
    all_versions: bool,
    each: &mut dyn FnMut(&Packed) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut a, mut b) = (stored.iter().peekable(), fresh.iter().peekable());
    let mut held: Option<&Packed> = None;
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x.order() <= y.order() => a.next(),
            (_, Some(_)) => b.next(),
            (Some(_), None) => a.next(),
            (None, None) => break,
        };
        if let (Some(before), Some(next)) = (held, next)
            && (all_versions || before.key != next.key)
        {
            each(before)?;
        }
        held = next;
    }
    held.map_or(Ok(()), each)
}
