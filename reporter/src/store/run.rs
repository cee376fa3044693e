//! A run: outcomes of one stream in order, as bytes. Its front holds what figures need (four
//! bytes a row for a steady probe); the rest is compressed once a run is a block. Both bear
//! checksums.

use super::bytes::{Broken, Reader, put_bytes, put_decimal, put_int, put_uint};
use super::codec::{Key, Packed, verdict_code, verdict_of};
use super::words::Words;

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
    let sum = checksum(&out, packed.is_none().then_some(&*rest));
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(packed.as_deref().unwrap_or(&rest));
    out
}

/// CRC-32 of a run up to its rest, and of the rest where zstd does not keep its own.
fn checksum(head: &[u8], rest: Option<&[u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(rest.unwrap_or_default());
    hasher.finalize()
}

/// A run whose head is as it was written.
struct Opened<'a> {
    form: u8,
    count: usize,
    front: Reader<'a>,
    rest_len: usize,
    rest: &'a [u8],
}

fn open(run: &[u8]) -> Result<Opened<'_>, Broken> {
    let mut reader = Reader(run);
    let form = reader.byte()?;
    let count = reader.len()?;
    let front = Reader(reader.bytes()?);
    let rest_len = reader.len()?;
    let head = &run[..run.len() - reader.0.len()];
    let told = reader.take(4)?;
    let rest = reader.0;
    if told != checksum(head, (form == PLAIN).then_some(rest)).to_le_bytes() {
        return Err(Broken("a run with the checksum it was written with"));
    }
    if count > front.0.len() {
        return Err(Broken("a byte or more for each outcome"));
    }
    if rest_len > MAX_REST_BYTES {
        return Err(Broken("a rest of at most a gibibyte"));
    }
    Ok(Opened { form, count, front, rest_len, rest })
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
    let Opened { form, count, mut front, rest_len, rest } = open(run)?;
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
    let opened;
    let mut rest = match form {
        PLAIN => Reader(rest),
        ZSTD => {
            opened = zstd::bulk::decompress(rest, rest_len).map_err(|_| Broken("zstd"))?;
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

#[cfg(test)]
mod tests {
    use mailward_evidence::{AgentName, Instant, Outcome, ProbeId, Verdict};
    use proptest::prelude::*;

    use super::*;
    use crate::store::codec::pack;

    fn run(compressed: bool) -> (Vec<u8>, Vec<Packed>, Words) {
        let mut words = Words::default();
        let mut entries = Vec::new();
        for i in 0..50 {
            let (agent, probe) = (AgentName::new("a").unwrap(), ProbeId::new("p").unwrap());
            let due = Instant::from_ms(i * 60_000).unwrap();
            let mut outcome = Outcome::new(agent, probe, due, 60_000, Verdict::Up);
            outcome.took_ms = Some(12.5);
            outcome.facts.set("http_status", "200".into());
            entries.push(pack(&outcome, &mut words));
        }
        let mut zstd = zstd::bulk::Compressor::new(1).unwrap();
        zstd.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
        (encode(&entries, &words, compressed.then_some(&mut zstd)), entries, words)
    }

    #[test]
    fn a_steady_probe_takes_few_bytes() {
        let (bytes, _, _) = run(true);
        assert!(bytes.len() < 50 * 5, "{} bytes for 50 outcomes", bytes.len());
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u8, zstd: bool) {
            let (mut bytes, entries, words) = run(zstd);
            let mut out = Vec::new();
            decode(&bytes, &words, Want::All, &mut out).unwrap();
            prop_assert_eq!(out, entries);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes, &words, Want::All, &mut Vec::new()).is_err());
        }

        #[test]
        fn rubbish_is_refused_not_trusted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let words = Words::default();
            prop_assert!(decode(&bytes, &words, Want::All, &mut Vec::new()).is_err());
        }
    }
}
