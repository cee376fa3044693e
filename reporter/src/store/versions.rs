//! Rosters, exclusions, tickets and counts: every version of each is kept, the one that
//! arrived last counts, and an exclusion remembers when its first version was seen.

use mailward_evidence::{Count, Exclusion, Extra, Instant, Record, Roster, Ticket, wire};
use rusqlite::Connection;
use serde_json::Value;

use super::error::StoreError;
use crate::segment::SeenExclusion;

/// The field of an exported exclusion that says when a store first saw it.
const FIRST_SEEN: &str = "first_seen";

/// Identity as bytes; in their order, rosters stand by agent, then time, and counts by time.
fn key(record: &Record) -> Vec<u8> {
    let ordered = |at: Instant| (at.ns() as u64 ^ (1 << 63)).to_be_bytes();
    match record {
        Record::Roster(r) => [r.agent.as_str().as_bytes(), &[0], &ordered(r.at)].concat(),
        Record::Exclusion(e) => e.id.as_bytes().to_vec(),
        Record::Ticket(t) => t.id.as_bytes().to_vec(),
        Record::Count(c) => [&ordered(c.from), c.series.as_bytes()].concat(),
        Record::Outcome(_) => Vec::new(),
    }
}

/// Stores a record that is no outcome. Gives the first millisecond that it, or a version that it
/// supersedes, speaks of; `None` where it is a duplicate.
pub(super) fn put(
    conn: &Connection,
    mut record: Record,
    now_ms: i64,
) -> Result<Option<i64>, StoreError> {
    let failed = StoreError::sql("write a record");
    let told = match &mut record {
        Record::Exclusion(exclusion) => split_first_seen(exclusion),
        _ => None,
    };
    let (kind, key) = (record.kind(), key(&record));
    let mut select = conn
        .prepare_cached(
            "SELECT body, first_seen_ms FROM version WHERE kind = ?1 AND key = ?2 \
             ORDER BY version",
        )
        .map_err(&failed)?;
    let mut rows = select.query((kind, &key)).map_err(&failed)?;
    let (mut versions, mut first_seen_ms) = (0i64, told.unwrap_or(now_ms).min(now_ms));
    let mut from_ms = begins_ms(&record);
    while let Some(row) = rows.next().map_err(&failed)? {
        let stored = decode(row.get_ref(0).and_then(|v| Ok(v.as_blob()?)).map_err(&failed)?)?;
        if stored == record {
            return Ok(None);
        }
        from_ms = from_ms.min(begins_ms(&stored));
        first_seen_ms = row.get(1).map_err(&failed)?;
        versions += 1;
    }
    let mut body = Vec::new();
    wire::encode_line(&record, &mut body);
    let mut insert = conn
        .prepare_cached(
            "INSERT INTO version (kind, key, version, arrived_ms, first_seen_ms, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .map_err(&failed)?;
    insert
        .execute((kind, key, versions, now_ms, first_seen_ms, body.trim_ascii_end()))
        .map_err(&failed)?;
    Ok(Some(from_ms))
}

/// The first millisecond that a record speaks of.
fn begins_ms(record: &Record) -> i64 {
    match record {
        Record::Outcome(o) => o.due.ms(),
        Record::Roster(r) => r.at.ms(),
        Record::Exclusion(e) => e.from.ms(),
        Record::Ticket(t) => t.opened.ms(),
        Record::Count(c) => c.from.ms(),
    }
}

fn decode(body: &[u8]) -> Result<Record, StoreError> {
    wire::decode_line(body).map_err(|e| StoreError::Damaged(format!("a stored record: {e}")))
}

/// Takes the field that an export added off again.
fn split_first_seen(exclusion: &mut Exclusion) -> Option<i64> {
    let told = exclusion.extra.iter().find(|(name, _)| *name == FIRST_SEEN)?;
    let at = Instant::parse(told.1.as_str()?).ok()?;
    let mut fields = fields(&exclusion.extra);
    fields.remove(FIRST_SEEN);
    exclusion.extra = serde_json::from_value(Value::Object(fields)).ok()?;
    Some(at.ms())
}

fn fields(extra: &Extra) -> serde_json::Map<String, Value> {
    extra.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// The exclusion as an export has it: with the instant it was first seen.
fn with_first_seen(exclusion: &mut Exclusion, first_seen_ms: i64) {
    let Some(at) = Instant::from_ms(first_seen_ms) else { return };
    let mut fields = fields(&exclusion.extra);
    fields.insert(FIRST_SEEN.to_owned(), Value::String(at.to_string()));
    if let Ok(extra) = serde_json::from_value(Value::Object(fields)) {
        exclusion.extra = extra;
    }
}

/// Hands over the records of a kind in order of identity: the current versions, or all.
fn each(
    conn: &Connection,
    kind: &str,
    all: bool,
    each: &mut dyn FnMut(Record, i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = StoreError::sql("read records");
    let mut select = conn
        .prepare_cached(
            "SELECT body, first_seen_ms FROM version AS v WHERE kind = ?1 AND (?2 OR version = \
             (SELECT max(version) FROM version AS w WHERE w.kind = v.kind AND w.key = v.key)) \
             ORDER BY key, version",
        )
        .map_err(&failed)?;
    let mut rows = select.query((kind, all)).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let record = decode(row.get_ref(0).and_then(|v| Ok(v.as_blob()?)).map_err(&failed)?)?;
        each(record, row.get(1).map_err(&failed)?)?;
    }
    Ok(())
}

/// All rosters before `now`, in order of agent, then time.
pub(super) fn rosters(conn: &Connection, now_ms: i64) -> Result<Vec<Roster>, StoreError> {
    let mut rosters = Vec::new();
    each(conn, "roster", false, &mut |record, _| {
        if let Record::Roster(roster) = record
            && roster.at.ms() < now_ms
        {
            rosters.push(roster);
        }
        Ok(())
    })?;
    Ok(rosters)
}

/// All exclusions that are not cancelled; approvals after `now` do not exist.
pub(super) fn exclusions(conn: &Connection, now_ms: i64) -> Result<Vec<SeenExclusion>, StoreError> {
    let mut exclusions = Vec::new();
    each(conn, "exclusion", false, &mut |record, first_seen_ms| {
        if let Record::Exclusion(mut exclusion) = record
            && !exclusion.cancelled
        {
            exclusion.approved = exclusion.approved.filter(|at| at.ms() <= now_ms);
            exclusions.push(SeenExclusion { exclusion, first_seen_ms });
        }
        Ok(())
    })?;
    Ok(exclusions)
}

/// All tickets opened before `now` that are not cancelled, with their events before it.
pub(super) fn tickets(conn: &Connection, now_ms: i64) -> Result<Vec<Ticket>, StoreError> {
    let mut tickets = Vec::new();
    each(conn, "ticket", false, &mut |record, _| {
        if let Record::Ticket(mut ticket) = record
            && ticket.opened.ms() < now_ms
            && !ticket.cancelled
        {
            ticket.events.retain(|event| event.at.ms() < now_ms);
            tickets.push(ticket);
        }
        Ok(())
    })?;
    Ok(tickets)
}

/// All counts that end no later than `now`.
pub(super) fn counts(conn: &Connection, now_ms: i64) -> Result<Vec<Count>, StoreError> {
    let mut counts = Vec::new();
    each(conn, "count", false, &mut |record, _| {
        if let Record::Count(count) = record
            && count.to.ms() <= now_ms
        {
            counts.push(count);
        }
        Ok(())
    })?;
    Ok(counts)
}

/// Hands over all versions of all records that touch `[from, to)`, for an export.
pub(super) fn export(
    conn: &Connection,
    (from_ms, to_ms): (i64, i64),
    out: &mut dyn FnMut(&Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // the roster that holds at `from` began before it: keep the last one before of each agent
    let mut held: Option<Record> = None;
    each(conn, "roster", true, &mut |record, _| {
        let Record::Roster(roster) = &record else { return Ok(()) };
        let other_agent = held.as_ref().is_some_and(|h| h.agent() != Some(&roster.agent));
        if (other_agent || roster.at.ms() >= from_ms)
            && let Some(held) = held.take()
        {
            out(&held)?;
        }
        if roster.at.ms() < from_ms {
            held = Some(record);
        } else if roster.at.ms() < to_ms {
            out(&record)?;
        }
        Ok(())
    })?;
    if let Some(held) = held {
        out(&held)?;
    }
    for kind in ["exclusion", "ticket", "count"] {
        each(conn, kind, true, &mut |mut record, first_seen_ms| {
            let touches = match &mut record {
                Record::Exclusion(e) => {
                    with_first_seen(e, first_seen_ms);
                    e.from.ms() < to_ms && e.to.ms() > from_ms
                }
                Record::Ticket(t) => {
                    let last = t.events.iter().map(|e| e.at).max().unwrap_or(t.opened);
                    let open = !t
                        .events
                        .iter()
                        .any(|e| e.what == mailward_evidence::TicketEventKind::Resolved);
                    t.opened.ms() < to_ms && (open || last.ms() >= from_ms)
                }
                Record::Count(c) => c.from.ms() < to_ms && c.to.ms() > from_ms,
                _ => false,
            };
            if touches { out(&record) } else { Ok(()) }
        })?;
    }
    Ok(())
}
