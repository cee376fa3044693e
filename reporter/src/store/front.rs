//! The front of a large block by columns: when outcomes were due, what they said and how long
//! they took, each as runs of what repeats. A steady probe's month is a few runs and its times.

use super::bytes::{Broken, Reader, put_bytes, put_int, put_uint};
use super::codec::{Key, Packed, verdict_code, verdict_of};
use super::columns::{self, Zstd};
use super::run::{LISTED, REASON, REPEATED, TOOK};
use super::words::Words;

/// What an outcome says, for as long as that repeats.
fn put_class(out: &mut Vec<u8>, entry: &Packed, words: &Words) {
    let flag = |on: bool, bit: u8| if on { bit } else { 0 };
    out.push(
        verdict_code(entry.verdict)
            | flag(entry.reason.is_some(), REASON)
            | flag(entry.listed, LISTED)
            | flag(entry.took_ms.is_some(), TOOK)
            | flag(is_repeated(entry), REPEATED),
    );
    if let Some(reason) = &entry.reason {
        words.put(out, reason.as_str());
    }
}

const fn is_repeated(entry: &Packed) -> bool {
    entry.key.attempt != 0 || entry.revision != 0
}

fn same_class(a: &Packed, b: &Packed) -> bool {
    a.verdict == b.verdict
        && a.listed == b.listed
        && a.took_ms.is_some() == b.took_ms.is_some()
        && is_repeated(a) == is_repeated(b)
        && a.reason == b.reason
}

/// Appends the front of entries.
pub(super) fn encode(entries: &[Packed], words: &Words, zstd: &mut Zstd<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * 2 + 64);
    let mut column = Vec::new();
    let mut due = 0i64;
    let mut steps: Vec<(i64, u64)> = Vec::new();
    for entry in entries {
        let step = entry.key.due_ns.wrapping_sub(due);
        due = entry.key.due_ns;
        match steps.last_mut() {
            Some((last, run)) if *last == step => *run += 1,
            _ => steps.push((step, 1)),
        }
    }
    for (step, run) in steps {
        put_int(&mut column, step);
        put_uint(&mut column, run);
    }
    finish(&mut out, &mut column, zstd);
    for run in entries.chunk_by(same_class) {
        put_class(&mut column, &run[0], words);
        put_uint(&mut column, run.len() as u64);
    }
    finish(&mut out, &mut column, zstd);
    for run in entries.chunk_by(|a, b| a.next_due_ms == b.next_due_ms) {
        put_uint(&mut column, run[0].next_due_ms);
        put_uint(&mut column, run.len() as u64);
    }
    finish(&mut out, &mut column, zstd);
    for entry in entries.iter().filter(|entry| is_repeated(entry)) {
        put_uint(&mut column, u64::from(entry.key.attempt));
        put_uint(&mut column, u64::from(entry.revision));
    }
    finish(&mut out, &mut column, zstd);
    let times: Vec<f64> = entries.iter().filter_map(|entry| entry.took_ms).collect();
    put_uint(&mut out, times.len() as u64);
    columns::put_numbers(&mut column, &times, zstd);
    put_bytes(&mut out, &column);
    out
}

fn finish(out: &mut Vec<u8>, column: &mut Vec<u8>, zstd: &mut Zstd<'_>) {
    columns::put_section(out, column, zstd);
    column.clear();
}

/// A column of runs, while it is read.
struct Runs<'a, T> {
    reader: Reader<'a>,
    value: T,
    left: u64,
}

impl<'a, T> Runs<'a, T> {
    const fn new(column: &'a [u8], value: T) -> Self {
        Self { reader: Reader(column), value, left: 0 }
    }

    /// The next row's value.
    fn next(
        &mut self,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, Broken>,
    ) -> Result<&T, Broken> {
        if self.left == 0 {
            self.value = read(&mut self.reader)?;
            self.left = self.reader.uint()?;
        }
        self.left = self.left.checked_sub(1).ok_or(Broken("a run of one or more"))?;
        Ok(&self.value)
    }
}

/// Reads a front, appending its entries to `out`; whether any has listings.
pub(super) fn decode(
    front: &[u8],
    count: usize,
    words: &Words,
    out: &mut Vec<Packed>,
) -> Result<bool, Broken> {
    let mut reader = Reader(front);
    let steps = columns::section(&mut reader)?;
    let classes = columns::section(&mut reader)?;
    let nexts = columns::section(&mut reader)?;
    let again = columns::section(&mut reader)?;
    let timed = reader.len()?;
    let mut times = Reader(reader.bytes()?);
    if timed > count {
        return Err(Broken("no more times than outcomes"));
    }
    let mut times = columns::numbers(&mut times, timed)?.into_iter();
    let mut again = Reader(&again);
    let mut number = || u32::try_from(again.uint()?).map_err(|_| Broken("an attempt or revision"));
    let (mut steps, mut nexts) = (Runs::new(&steps, 0i64), Runs::new(&nexts, 0u64));
    let mut classes = Runs::new(&classes, (0u8, None));
    let (mut due_ns, mut listed) = (0i64, false);
    for _ in 0..count {
        due_ns = due_ns.wrapping_add(*steps.next(Reader::int)?);
        let next_due_ms = *nexts.next(Reader::uint)?;
        let (flags, reason) = classes.next(|reader| {
            let flags = reader.byte()?;
            let reason = if flags & REASON == 0 { None } else { Some(words.get_reason(reader)?) };
            Ok((flags, reason))
        })?;
        let took_ms = if flags & TOOK == 0 {
            None
        } else {
            Some(times.next().ok_or(Broken("a time for each that has one"))?)
        };
        let (attempt, revision) =
            if flags & REPEATED == 0 { (0, 0) } else { (number()?, number()?) };
        listed |= flags & LISTED != 0;
        out.push(Packed {
            key: Key { due_ns, attempt },
            revision,
            next_due_ms,
            verdict: verdict_of(flags & 3),
            reason: reason.clone(),
            listed: flags & LISTED != 0,
            took_ms,
            rest: Box::default(),
        });
    }
    Ok(listed)
}
