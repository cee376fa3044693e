//! How outcomes that arrive change the segments of their stream: only what lies around them is
//! folded anew, and the result is the one that folding everything would give.

use rusqlite::{Connection, OptionalExtension, Row};

use super::bytes::Broken;
use super::codec::{self, Key, Packed};
use super::error::StoreError;
use super::raw::Raw;
use super::run::Want;
use super::span::{self, Span};

/// Segments that begin in `[from, to]` become these.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) from: Key,
    pub(super) to: Key,
    pub(super) spans: Vec<Span>,
}

const COLUMNS: &str = "SELECT first_due_ns, first_attempt, last_due_ns, last_attempt, \
                       next_due_ms, count, verdict, reason, listings FROM segment ";

/// The segments of one stream on disk.
pub(super) struct Segments<'a> {
    pub(super) conn: &'a Connection,
    pub(super) stream: i64,
}

impl Segments<'_> {
    fn one(&self, condition: &str, key: Key) -> Result<Option<Span>, StoreError> {
        let failed = StoreError::sql("find a segment");
        let mut statement = self
            .conn
            .prepare_cached(&format!("{COLUMNS}WHERE stream = ?1 AND {condition} LIMIT 1"))
            .map_err(&failed)?;
        statement
            .query_row((self.stream, key.due_ns, key.attempt), read_span)
            .optional()
            .map_err(&failed)?
            .transpose()
            .map_err(damaged)
    }

    /// The last segment that begins before.
    pub(super) fn before(&self, key: Key) -> Result<Option<Span>, StoreError> {
        self.one(
            "(first_due_ns, first_attempt) < (?2, ?3) \
             ORDER BY first_due_ns DESC, first_attempt DESC",
            key,
        )
    }

    /// The first segment that begins at or after.
    pub(super) fn from(&self, key: Key) -> Result<Option<Span>, StoreError> {
        self.one(
            "(first_due_ns, first_attempt) >= (?2, ?3) ORDER BY first_due_ns, first_attempt",
            key,
        )
    }

    /// Of the up and degraded segments outside of `[skip.0, skip.1]`, where the last one begins
    /// that begins before `key` (`after` false), or the first that does at or after it.
    pub(super) fn good(
        &self,
        key: Key,
        after: bool,
        skip: (Key, Key),
    ) -> Result<Option<Key>, StoreError> {
        let failed = StoreError::sql("find an up segment");
        let (relation, direction) = if after { (">=", "ASC") } else { ("<", "DESC") };
        let mut statement = self
            .conn
            .prepare_cached(&format!(
                "SELECT first_due_ns, first_attempt FROM segment WHERE stream = ?1 \
                 AND (first_due_ns, first_attempt) {relation} (?2, ?3) AND verdict < 2 \
                 AND NOT ((first_due_ns, first_attempt) >= (?4, ?5) \
                      AND (first_due_ns, first_attempt) <= (?6, ?7)) \
                 ORDER BY first_due_ns {direction}, first_attempt {direction} LIMIT 1"
            ))
            .map_err(&failed)?;
        let (a, b) = skip;
        let values =
            (self.stream, key.due_ns, key.attempt, a.due_ns, a.attempt, b.due_ns, b.attempt);
        statement
            .query_row(values, |row| Ok(Key { due_ns: row.get(0)?, attempt: row.get(1)? }))
            .optional()
            .map_err(&failed)
    }

    /// The segments that begin in `[lo, hi]`, in order.
    pub(super) fn between(&self, lo: Key, hi: Key) -> Result<Vec<Span>, StoreError> {
        let failed = StoreError::sql("read segments");
        let mut statement = self
            .conn
            .prepare_cached(&format!(
                "{COLUMNS}WHERE stream = ?1 AND (first_due_ns, first_attempt) >= (?2, ?3) \
                 AND (first_due_ns, first_attempt) <= (?4, ?5) \
                 ORDER BY first_due_ns, first_attempt"
            ))
            .map_err(&failed)?;
        let values = (self.stream, lo.due_ns, lo.attempt, hi.due_ns, hi.attempt);
        let mut rows = statement.query(values).map_err(&failed)?;
        let mut spans = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            spans.push(read_span(row).map_err(&failed)?.map_err(damaged)?);
        }
        Ok(spans)
    }

    /// What the segments become once `fresh` (in order, new to the raw outcomes on disk) is
    /// added to the raw outcomes.
    pub(super) fn with(
        &self,
        raw: &mut Raw<'_>,
        fresh: &[Packed],
    ) -> Result<Option<Change>, StoreError> {
        let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else {
            return Ok(None);
        };
        let (lo, hi) = (first.key, last.key.next());
        let mut spans = Vec::new();
        let left = self.before(lo)?;
        let from = left.as_ref().map_or(lo, |span| span.first);
        if let Some(left) = left {
            spans.extend(cut_at(left, raw, lo)?);
        }
        raw.merged(fresh, (lo, hi), (Want::Front, false), &mut |outcome| {
            span::push_outcome(&mut spans, outcome).map_err(damaged)
        })?;
        // fresh outcomes with listings carry their rest, as do stored ones (see Want::Front)
        if let Some(right) = self.before(hi)?
            && let Some(rest) = rest_from(right, raw, hi)?
        {
            span::push(&mut spans, rest);
        }
        let mut to = last.key;
        if let Some(next) = self.from(hi)? {
            to = next.first;
            span::push(&mut spans, next);
        }
        Ok(Some(Change { from, to, spans }))
    }

    /// Carries a change out.
    pub(super) fn apply(&self, change: &Change) -> Result<(), StoreError> {
        let failed = StoreError::sql("write segments");
        let mut delete = self
            .conn
            .prepare_cached(
                "DELETE FROM segment WHERE stream = ?1 \
                 AND (first_due_ns, first_attempt) >= (?2, ?3) \
                 AND (first_due_ns, first_attempt) <= (?4, ?5)",
            )
            .map_err(&failed)?;
        let (from, to) = (change.from, change.to);
        delete
            .execute((self.stream, from.due_ns, from.attempt, to.due_ns, to.attempt))
            .map_err(&failed)?;
        let mut insert = self
            .conn
            .prepare_cached(
                "INSERT INTO segment (stream, first_due_ns, first_attempt, last_due_ns, \
                 last_attempt, next_due_ms, count, verdict, reason, listings) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .map_err(&failed)?;
        for span in &change.spans {
            let listings = (!span.listings.is_empty())
                .then(|| serde_json::to_string(&span.listings).unwrap_or_default());
            insert
                .execute(rusqlite::params![
                    self.stream,
                    span.first.due_ns,
                    span.first.attempt,
                    span.last.due_ns,
                    span.last.attempt,
                    span.next_due_ms.cast_signed(),
                    span.count.cast_signed(),
                    codec::verdict_code(span.verdict),
                    span.reason.as_ref().map(mailward_evidence::Reason::as_str),
                    listings,
                ])
                .map_err(&failed)?;
        }
        Ok(())
    }
}

fn damaged(broken: Broken) -> StoreError {
    StoreError::Damaged(format!("segments: {broken}"))
}

/// What a span on disk is, of its outcomes before `key` alone; `None` if there are none.
fn cut_at(span: Span, raw: &mut Raw<'_>, key: Key) -> Result<Option<Span>, StoreError> {
    if span.last < key {
        return Ok(Some(span));
    }
    let gone = raw.count(key, span.last.next())?;
    match raw.before(key)? {
        Some(last) if last.key >= span.first && span.count > gone => Ok(Some(Span {
            last: last.key,
            next_due_ms: last.next_due_ms,
            count: span.count - gone,
            ..span
        })),
        _ => Ok(None),
    }
}

/// What a span on disk is, of its outcomes from `key` on alone; `None` if there are none.
fn rest_from(span: Span, raw: &mut Raw<'_>, key: Key) -> Result<Option<Span>, StoreError> {
    if span.last < key {
        return Ok(None);
    }
    let count = raw.count(key, span.last.next())?;
    Ok(raw.from(key)?.map(|first| Span { first: first.key, count, ..span }))
}

fn read_span(row: &Row<'_>) -> rusqlite::Result<Result<Span, Broken>> {
    let reason = row.get_ref(7)?.as_str_or_null()?.map(mailward_evidence::Reason::parse);
    let listings = match row.get_ref(8)?.as_str_or_null()? {
        None => Vec::new(),
        Some(json) => match serde_json::from_str(json) {
            Ok(listings) => listings,
            Err(_) => return Ok(Err(Broken("listings as JSON"))),
        },
    };
    Ok(Ok(Span {
        first: Key { due_ns: row.get(0)?, attempt: row.get(1)? },
        last: Key { due_ns: row.get(2)?, attempt: row.get(3)? },
        next_due_ms: row.get::<_, i64>(4)?.cast_unsigned(),
        count: row.get::<_, i64>(5)?.cast_unsigned(),
        verdict: codec::verdict_of(row.get(6)?),
        reason,
        listings,
    }))
}
