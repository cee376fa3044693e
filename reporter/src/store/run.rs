//! A run: outcomes of one stream in order, as bytes. Its front holds what figures need, apart
//! from the rest: by rows for what came lately (four bytes each for a steady probe, the rest
//! compressed once a run is a block), by columns in large blocks. All of it bears checksums.

use super::bytes::{Broken, Reader, put_bytes, put_decimal, put_int, put_uint};
use super::codec::{Key, Packed, verdict_code, verdict_of};
use super::columns::Zstd;
use super::words::Words;
use super::{front, shape};

const PLAIN: u8 = 1;
const ZSTD: u8 = 2;
const COLUMNS: u8 = 3;
/// The most outcomes of a run by columns: four that are full, merged, and more.
const MAX_COUNT: usize = 1 << 20;
/// The largest rest of a run, opened; a single outcome has at most a line's bytes.
const MAX_REST_BYTES: usize = 1 << 30;

pub(super) const REASON: u8 = 1 << 2;
pub(super) const LISTED: u8 = 1 << 3;
pub(super) const TOOK: u8 = 1 << 4;
pub(super) const REPEATED: u8 = 1 << 5;
const SAME_NEXT: u8 = 1 << 6;
const SAME_STEP: u8 = 1 << 7;

/// Writes entries as a run, in the order given; with a compressor, its rest is compressed.
pub(super) fn encode(
    entries: &[Packed],
    words: &Words,
    compressor: Option<&mut Zstd<'_>>,
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

/// Writes entries as a run by columns, or by rows where they are too unlike each other.
pub(super) fn encode_columns(entries: &[Packed], words: &Words, zstd: &mut Zstd<'_>) -> Vec<u8> {
    let Some(rest) = shape::encode(entries, zstd) else {
        return encode(entries, words, Some(zstd));
    };
    let front = front::encode(entries, words, zstd);
    let mut out = Vec::with_capacity(front.len() + rest.len() + 24);
    out.push(COLUMNS);
    put_uint(&mut out, entries.len() as u64);
    put_bytes(&mut out, &front);
    put_uint(&mut out, rest.len() as u64);
    let sum = checksum(&out, Some(&rest));
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&rest);
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
    if told != checksum(head, (form != ZSTD).then_some(rest)).to_le_bytes() {
        return Err(Broken("a run with the checksum it was written with"));
    }
    let most = if form == COLUMNS { MAX_COUNT } else { front.0.len() };
    if count > most {
        return Err(Broken("no more outcomes than a run can hold"));
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
    let Opened { form, count, front, rest_len, rest } = open(run)?;
    let start = out.len();
    out.reserve(count);
    let listed = match form {
        COLUMNS => front::decode(front.0, count, words, out)?,
        _ => decode_rows(front, count, words, out)?,
    };
    if want == Want::Front && !listed {
        return Ok(());
    }
    if form == COLUMNS {
        return shape::decode(rest, &mut out[start..]);
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

/// Reads a front by rows; whether any of them has listings.
fn decode_rows(
    mut front: Reader<'_>,
    count: usize,
    words: &Words,
    out: &mut Vec<Packed>,
) -> Result<bool, Broken> {
    let (mut due, mut step, mut next_due, mut listed) = (0i64, 0i64, 0u64, false);
    for _ in 0..count {
        let entry = get_front(&mut front, words, due, step, next_due)?;
        step = entry.key.due_ns.wrapping_sub(due);
        due = entry.key.due_ns;
        next_due = entry.next_due_ms;
        listed |= entry.listed;
        out.push(entry);
    }
    Ok(listed)
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
    use mailward_evidence::{
        AgentName, Extra, Instant, Listing, Outcome, ProbeId, Reason, Verdict,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::store::codec::pack;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Form {
        Plain,
        Zstd,
        Columns,
    }

    fn zstd() -> Zstd<'static> {
        let mut zstd = Zstd::new(1).unwrap();
        zstd.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
        zstd
    }

    fn write(entries: &[Packed], words: &Words, form: Form) -> Vec<u8> {
        match form {
            Form::Plain => encode(entries, words, None),
            Form::Zstd => encode(entries, words, Some(&mut zstd())),
            Form::Columns => encode_columns(entries, words, &mut zstd()),
        }
    }

    fn outcome(due_ms: i64) -> Outcome {
        let (agent, probe) = (AgentName::new("a").unwrap(), ProbeId::new("p").unwrap());
        Outcome::new(agent, probe, Instant::from_ms(due_ms).unwrap(), 60_000, Verdict::Up)
    }

    fn run(form: Form) -> (Vec<u8>, Vec<Packed>, Words) {
        let (mut words, mut entries) = (Words::default(), Vec::new());
        for i in 0..50 {
            let mut outcome = outcome(i * 60_000);
            outcome.took_ms = Some(12.5);
            outcome.facts.set("http_status", "200".into());
            entries.push(pack(&outcome, &mut words));
        }
        (write(&entries, &words, form), entries, words)
    }

    #[test]
    fn a_steady_probe_takes_few_bytes() {
        for (form, most) in [(Form::Zstd, 50 * 5), (Form::Columns, 50 * 2)] {
            let (bytes, _, _) = run(form);
            assert!(bytes.len() < most, "{} bytes for 50 outcomes, {form:?}", bytes.len());
        }
    }

    fn any_form() -> impl Strategy<Value = Form> {
        prop_oneof![Just(Form::Plain), Just(Form::Zstd), Just(Form::Columns)]
    }

    /// Times to 0.1 ms, to 0.0001 ms and finer than that; names that stand in a list or in full.
    fn any_entry() -> impl Strategy<Value = Outcome> {
        let time = prop_oneof![
            6 => (0..100_000u32).prop_map(|tenths| f64::from(tenths) / 10.0),
            1 => (0..100_000u32).prop_map(|n| f64::from(n) / 10_000.0),
            1 => 0.0..1e9f64,
        ];
        let name = prop_oneof![4 => Just("dns"), 4 => Just("connect"), 1 => Just("not learnt")];
        let verdict = prop_oneof![4 => Just(Verdict::Up), 1 => Just(Verdict::Down)];
        let phases = prop::collection::vec((name, time.clone()), 0..4);
        (0..3i64, verdict, prop::option::of(time), phases, 0..8u32).prop_map(
            |(due, verdict, took_ms, phases, odd)| {
                let mut o = outcome(due * 30_000);
                (o.verdict, o.took_ms, o.attempt) = (verdict, took_ms, odd / 4);
                o.reason = (verdict == Verdict::Down).then_some(Reason::Timeout);
                phases.into_iter().for_each(|(name, time)| o.phases.set(name, time));
                o.delivery_s = (odd == 1).then_some(1.005);
                if odd > 3 {
                    o.facts.set("http_status", ["200", "503"][odd as usize % 2].into());
                }
                if odd == 6 {
                    o.revision = 2;
                    o.listings.push(Listing {
                        address: "192.0.2.1".into(),
                        list: "bl.example.org".into(),
                        code: None,
                        extra: Extra::default(),
                    });
                }
                o
            },
        )
    }

    proptest! {
        #[test]
        fn any_run_comes_back(
            outcomes in prop::collection::vec(any_entry(), 1..80),
            form in any_form(),
            unlearnt: bool,
        ) {
            let mut words = Words::default();
            let mut due_ms = 0;
            let entries: Vec<Packed> = outcomes
                .into_iter()
                .map(|mut outcome| {
                    due_ms += outcome.due.ms();
                    outcome.due = Instant::from_ms(due_ms).unwrap();
                    // as when the list of words is full
                    let mut none = Words::default();
                    pack(&outcome, if unlearnt { &mut none } else { &mut words })
                })
                .map(|mut entry| {
                    if unlearnt {
                        entry.rest = Box::default();
                    }
                    entry
                })
                .collect();
            let bytes = write(&entries, &words, form);
            let mut out = Vec::new();
            decode(&bytes, &words, Want::All, &mut out).unwrap();
            prop_assert_eq!(&out, &entries);
            out.clear();
            decode(&bytes, &words, Want::Front, &mut out).unwrap();
            prop_assert!(out.iter().zip(&entries).all(|(a, b)| (a.key, a.took_ms, &a.reason)
                == (b.key, b.took_ms, &b.reason)));
        }

        #[test]
        fn one_changed_byte_is_noticed(
            at in any::<prop::sample::Index>(),
            bit in 0..8u8,
            form in any_form(),
        ) {
            let (mut bytes, entries, words) = run(form);
            let mut out = Vec::new();
            decode(&bytes, &words, Want::All, &mut out).unwrap();
            prop_assert_eq!(&out, &entries);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            // a bit that zstd does not use may change, and nothing with it
            let mut out = Vec::new();
            prop_assert!(decode(&bytes, &words, Want::All, &mut out).is_err() || out == entries);
        }

        #[test]
        fn rubbish_is_refused_not_trusted(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let words = Words::default();
            prop_assert!(decode(&bytes, &words, Want::All, &mut Vec::new()).is_err());
        }
    }
}
