//! One outcome as it is kept: what figures need as fields, the rest (phases, facts, mail times,
//! listings, exhibits, unknown fields) as bytes that give back the very same record.

use mailward_evidence::record::Pairs;
use mailward_evidence::{AgentName, Extra, Instant, Listing, Outcome, ProbeId, Reason, Verdict};

use super::bytes::{Broken, Reader, put_bytes, put_decimal, put_text, put_uint};
use super::words::Words;

/// An outcome's identity within its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) due_ns: i64,
    pub(super) attempt: u32,
}

impl Key {
    pub(super) const FIRST: Self = Self { due_ns: i64::MIN, attempt: 0 };
    pub(super) const END: Self = Self { due_ns: i64::MAX, attempt: u32::MAX };

    /// The first identity due at or after a millisecond.
    pub(super) const fn at_ms(ms: i64) -> Self {
        Self { due_ns: ms.saturating_mul(1_000_000), attempt: 0 }
    }

    /// The identity that follows at once.
    pub(super) const fn next(self) -> Self {
        match self.attempt.checked_add(1) {
            Some(attempt) => Self { due_ns: self.due_ns, attempt },
            None => Self { due_ns: self.due_ns.saturating_add(1), attempt: 0 },
        }
    }

    /// Due in milliseconds, finer parts cut off.
    pub(super) const fn due_ms(self) -> i64 {
        self.due_ns.div_euclid(1_000_000)
    }
}

/// An outcome as it is kept. `rest` is empty where it was not asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packed {
    pub(super) key: Key,
    pub(super) revision: u32,
    pub(super) next_due_ms: u64,
    pub(super) verdict: Verdict,
    pub(super) reason: Option<Reason>,
    pub(super) listed: bool,
    pub(super) took_ms: Option<f64>,
    pub(super) rest: Box<[u8]>,
}

impl Packed {
    /// Order of entries in a run: by identity, then revision.
    pub(super) const fn order(&self) -> (Key, u32) {
        (self.key, self.revision)
    }
}

pub(super) const DELIVERY: u8 = 1;
pub(super) const LISTINGS: u8 = 2;
pub(super) const PHASES: u8 = 4;
pub(super) const FACTS: u8 = 8;
pub(super) const EXTRA: u8 = 16;
pub(super) const EXHIBIT: u8 = 32;

/// Packs an outcome; words new to the store are learnt.
pub(super) fn pack(outcome: &Outcome, words: &mut Words) -> Packed {
    let mut rest = Vec::with_capacity(96);
    rest.push(0);
    let mut has = 0;
    if let Some(delivery_s) = outcome.delivery_s {
        has |= DELIVERY;
        put_decimal(&mut rest, delivery_s);
    }
    if !outcome.listings.is_empty() {
        has |= LISTINGS;
        put_bytes(&mut rest, &serde_json::to_vec(&outcome.listings).unwrap_or_default());
    }
    if !outcome.phases.is_empty() {
        has |= PHASES;
        put_uint(&mut rest, outcome.phases.len() as u64);
        for (name, value) in outcome.phases.iter() {
            words.learn(name);
            words.put(&mut rest, name);
            put_decimal(&mut rest, *value);
        }
    }
    if !outcome.facts.is_empty() {
        has |= FACTS;
        put_uint(&mut rest, outcome.facts.len() as u64);
        for (name, value) in outcome.facts.iter() {
            words.learn(name);
            words.put(&mut rest, name);
            put_text(&mut rest, value);
        }
    }
    if !outcome.extra.is_empty() {
        has |= EXTRA;
        put_bytes(&mut rest, &serde_json::to_vec(&outcome.extra).unwrap_or_default());
    }
    if let Some(exhibit) = &outcome.exhibit {
        has |= EXHIBIT;
        put_bytes(&mut rest, &serde_json::to_vec(exhibit).unwrap_or_default());
    }
    rest[0] = has;
    if let Some(reason) = &outcome.reason {
        words.learn(reason.as_str());
    }
    Packed {
        key: Key { due_ns: outcome.due.ns(), attempt: outcome.attempt },
        revision: outcome.revision,
        next_due_ms: outcome.next_due_ms,
        verdict: outcome.verdict,
        reason: outcome.reason.clone(),
        listed: !outcome.listings.is_empty(),
        took_ms: outcome.took_ms,
        rest: if has == 0 { Box::default() } else { rest.into() },
    }
}

/// The outcome that was packed.
pub(super) fn unpack(
    packed: &Packed,
    agent: &AgentName,
    probe: &ProbeId,
    words: &Words,
) -> Result<Outcome, Broken> {
    let due = Instant::from_ns(packed.key.due_ns);
    let mut outcome =
        Outcome::new(agent.clone(), probe.clone(), due, packed.next_due_ms, packed.verdict);
    outcome.attempt = packed.key.attempt;
    outcome.revision = packed.revision;
    outcome.took_ms = packed.took_ms;
    outcome.reason.clone_from(&packed.reason);
    if packed.rest.is_empty() {
        return Ok(outcome);
    }
    let mut reader = Reader(&packed.rest);
    let has = reader.byte()?;
    if has & DELIVERY != 0 {
        outcome.delivery_s = Some(reader.decimal()?);
    }
    if has & LISTINGS != 0 {
        outcome.listings = read_listings(reader.bytes()?)?;
    }
    if has & PHASES != 0 {
        let mut phases = Pairs::default();
        for _ in 0..reader.len()? {
            let name = words.get(&mut reader)?;
            phases.set(name, reader.decimal()?);
        }
        outcome.phases = phases;
    }
    if has & FACTS != 0 {
        let mut facts = Pairs::default();
        for _ in 0..reader.len()? {
            let name = words.get(&mut reader)?;
            facts.set(name, Box::from(reader.text()?));
        }
        outcome.facts = facts;
    }
    if has & EXTRA != 0 {
        outcome.extra = serde_json::from_slice::<Extra>(reader.bytes()?)
            .map_err(|_| Broken("unknown fields as JSON"))?;
    }
    if has & EXHIBIT != 0 {
        let exhibit = serde_json::from_slice(reader.bytes()?);
        outcome.exhibit = Some(exhibit.map_err(|_| Broken("an exhibit as JSON"))?);
    }
    Ok(outcome)
}

fn read_listings(json: &[u8]) -> Result<Vec<Listing>, Broken> {
    serde_json::from_slice(json).map_err(|_| Broken("listings as JSON"))
}

/// The delivery time of a packed outcome, in seconds.
pub(super) fn delivery_s(packed: &Packed) -> Result<Option<f64>, Broken> {
    let mut reader = Reader(&packed.rest);
    if packed.rest.is_empty() || reader.byte()? & DELIVERY == 0 {
        return Ok(None);
    }
    reader.decimal().map(Some)
}

/// The listings of a packed outcome.
pub(super) fn listings(packed: &Packed) -> Result<Vec<Listing>, Broken> {
    if !packed.listed {
        return Ok(Vec::new());
    }
    let mut reader = Reader(&packed.rest);
    if reader.byte()? & DELIVERY != 0 {
        reader.decimal()?;
    }
    read_listings(reader.bytes()?)
}

/// A verdict's number on disk.
pub(super) const fn verdict_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Up => 0,
        Verdict::Degraded => 1,
        Verdict::Down => 2,
        Verdict::Unknown => 3,
    }
}

/// The verdict of a number on disk; of its two lowest bits.
pub(super) const fn verdict_of(code: u8) -> Verdict {
    match code & 3 {
        0 => Verdict::Up,
        1 => Verdict::Degraded,
        2 => Verdict::Down,
        _ => Verdict::Unknown,
    }
}
