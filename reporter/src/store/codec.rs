//! How outcomes are kept in bytes. A run holds outcomes of one stream in order: a front with
//! what figures need (four bytes a row for a steady probe), and the rest (phases, facts, mail
//! times, listings, unknown fields), which is compressed once a run is a block.

use mailward_evidence::record::Pairs;
use mailward_evidence::{AgentName, Extra, Instant, Listing, Outcome, ProbeId, Reason, Verdict};

use super::bytes::{Broken, Reader, put_bytes, put_decimal, put_int, put_text, put_uint};
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

const DELIVERY: u8 = 1;
const LISTINGS: u8 = 2;
const PHASES: u8 = 4;
const FACTS: u8 = 8;
const EXTRA: u8 = 16;

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

const PLAIN: u8 = 1;
const ZSTD: u8 = 2;
/// The largest rest of a run, opened; a single outcome has at most a line's bytes.
const MAX_REST_BYTES: usize = 1 << 30;

const REASON: u8 = 1 << 2;
const LISTED: u8 = 1 << 3;
const TOOK: u8 = 1 << 4;
const REPEATED: u8 = 1 << 5;
const SAME_NEXT: u8 = 1 << 6;
const SAME_STEP: u8 = 1 << 7;

/// Writes entries as a run, in the order given; with a compressor, its rest is compressed.
pub(super) fn encode(
    entries: &[Packed],
    words: &Words,
    compressor: Option<&mut zstd::bulk::Compressor<'_>>,
) -> Vec<u8> {
    let mut front = Vec::with_capacity(entries.len() * 6 + 16);
    let mut rest = Vec::with_capacity(entries.iter().map(|e| e.rest.len() + 2).sum());
    let (mut due, mut step, mut next_due) = (0i64, 0i64, 0u64);
    for entry in entries {
        put_front(&mut front, entry, words, due, step, next_due);
        step = entry.key.due_ns.wrapping_sub(due);
        due = entry.key.due_ns;
        next_due = entry.next_due_ms;
        put_bytes(&mut rest, &entry.rest);
    }
    // a compressor that fails leaves the run as it is: larger, and as good
    let packed = compressor.and_then(|c| c.compress(&rest).ok()).filter(|p| p.len() < rest.len());
    let mut out =
        Vec::with_capacity(front.len() + packed.as_ref().map_or(rest.len(), Vec::len) + 16);
    out.push(if packed.is_some() { ZSTD } else { PLAIN });
    put_uint(&mut out, entries.len() as u64);
    put_bytes(&mut out, &front);
    put_uint(&mut out, rest.len() as u64);
    out.extend_from_slice(packed.as_deref().unwrap_or(&rest));
    out
}

fn put_front(
    front: &mut Vec<u8>,
    entry: &Packed,
    words: &Words,
    due: i64,
    step: i64,
    next_due: u64,
) {
    let own_step = entry.key.due_ns.wrapping_sub(due);
    let repeated = entry.key.attempt != 0 || entry.revision != 0;
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    front.push(
        verdict_code(entry.verdict)
            | flag(entry.reason.is_some(), REASON)
            | flag(entry.listed, LISTED)
            | flag(entry.took_ms.is_some(), TOOK)
            | flag(repeated, REPEATED)
            | flag(entry.next_due_ms == next_due, SAME_NEXT)
            | flag(own_step == step, SAME_STEP),
    );
    if own_step != step {
        put_int(front, own_step);
    }
    if repeated {
        put_uint(front, u64::from(entry.key.attempt));
        put_uint(front, u64::from(entry.revision));
    }
    if entry.next_due_ms != next_due {
        put_uint(front, entry.next_due_ms);
    }
    if let Some(reason) = &entry.reason {
        words.put(front, reason.as_str());
    }
    if let Some(took_ms) = entry.took_ms {
        put_decimal(front, took_ms);
    }
}

/// How much of a run is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// What figures need. The rest is there too where an outcome has listings.
    Front,
    /// Everything.
    All,
}

/// Reads a run, appending its entries to `out`.
pub(super) fn decode(
    run: &[u8],
    words: &Words,
    want: Want,
    out: &mut Vec<Packed>,
) -> Result<(), Broken> {
    let mut reader = Reader(run);
    let form = reader.byte()?;
    let count = reader.len()?;
    let mut front = Reader(reader.bytes()?);
    if count > front.0.len() {
        return Err(Broken("a byte or more for each outcome"));
    }
    let start = out.len();
    out.reserve(count);
    let (mut due, mut step, mut next_due, mut listed) = (0i64, 0i64, 0u64, false);
    for _ in 0..count {
        let entry = get_front(&mut front, words, due, step, next_due)?;
        step = entry.key.due_ns.wrapping_sub(due);
        due = entry.key.due_ns;
        next_due = entry.next_due_ms;
        listed |= entry.listed;
        out.push(entry);
    }
    if want == Want::Front && !listed {
        return Ok(());
    }
    let rest_len = reader.len()?;
    if rest_len > MAX_REST_BYTES {
        return Err(Broken("a rest of at most a gibibyte"));
    }
    let opened;
    let mut rest = match form {
        PLAIN => Reader(reader.0),
        ZSTD => {
            opened = zstd::bulk::decompress(reader.0, rest_len).map_err(|_| Broken("zstd"))?;
            Reader(&opened)
        }
        _ => return Err(Broken("a known form of run")),
    };
    if rest.0.len() != rest_len {
        return Err(Broken("the whole rest of the run"));
    }
    for entry in &mut out[start..] {
        entry.rest = rest.bytes()?.into();
    }
    Ok(())
}

fn get_front(
    front: &mut Reader<'_>,
    words: &Words,
    due: i64,
    step: i64,
    next_due: u64,
) -> Result<Packed, Broken> {
    let flags = front.byte()?;
    let step = if flags & SAME_STEP == 0 { front.int()? } else { step };
    let number = |reader: &mut Reader<'_>| {
        u32::try_from(reader.uint()?).map_err(|_| Broken("an attempt or revision"))
    };
    let (attempt, revision) =
        if flags & REPEATED == 0 { (0, 0) } else { (number(front)?, number(front)?) };
    let next_due_ms = if flags & SAME_NEXT == 0 { front.uint()? } else { next_due };
    let reason = if flags & REASON == 0 { None } else { Some(words.get_reason(front)?) };
    let took_ms = if flags & TOOK == 0 { None } else { Some(front.decimal()?) };
    Ok(Packed {
        key: Key { due_ns: due.wrapping_add(step), attempt },
        revision,
        next_due_ms,
        verdict: verdict_of(flags & 3),
        reason,
        listed: flags & LISTED != 0,
        took_ms,
        rest: Box::default(),
    })
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
