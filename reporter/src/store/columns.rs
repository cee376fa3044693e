//! Columns of a large block: numbers as integers of few decimals, a plane of bytes for each of
//! their digits to the base 256, and texts as runs; each compressed by itself, so that like
//! stands by like. Every number comes back to the bit.

use std::cell::RefCell;

use super::bytes::{Broken, Reader, put_bytes, put_uint};

/// What compresses columns.
pub(super) type Zstd<'a> = zstd::bulk::Compressor<'a>;

const POWERS: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
/// Marks a column of numbers as their very bits.
const BITS: u8 = 7;
/// The largest column, opened.
const MAX_BYTES: usize = 1 << 28;
/// Below, nothing is won by compressing.
const MIN_BYTES: usize = 48;

thread_local! {
    /// Making one anew for every column would cost more than using it.
    static OPENER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends bytes with their length, compressed where that makes them fewer.
pub(super) fn put_section(out: &mut Vec<u8>, bytes: &[u8], zstd: &mut Zstd<'_>) {
    put_uint(out, bytes.len() as u64);
    let worth = bytes.len() >= MIN_BYTES;
    let packed = worth.then(|| zstd.compress(bytes).ok()).flatten();
    match packed.filter(|packed| packed.len() + 4 < bytes.len()) {
        Some(packed) => put_bytes(out, &packed),
        None => {
            put_uint(out, 0);
            out.extend_from_slice(bytes);
        }
    }
}

/// Reads bytes that [`put_section`] wrote.
pub(super) fn section(reader: &mut Reader<'_>) -> Result<Vec<u8>, Broken> {
    let len = reader.len()?;
    let packed = reader.bytes()?;
    if packed.is_empty() {
        return Ok(reader.take(len)?.to_vec());
    }
    if len > MAX_BYTES {
        return Err(Broken("a column of at most 256 MiB"));
    }
    let opened = OPENER.with_borrow_mut(|opener| {
        if opener.is_none() {
            *opener = zstd::bulk::Decompressor::new().ok();
        }
        opener.as_mut().and_then(|opener| opener.decompress(packed, len).ok())
    });
    opened.filter(|bytes| bytes.len() == len).ok_or(Broken("a column as it was compressed"))
}

#[allow(clippy::float_cmp, reason = "asks whether the very same number comes back")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
fn whole(value: f64, places: usize) -> Option<u64> {
    let power = POWERS[places];
    let whole = (value * power).round();
    let fits = (0.0..9e15).contains(&whole) && whole / power == value;
    fits.then_some(whole as u64)
}

/// The fewest decimals by which nearly all values can be written.
fn places(values: &[f64]) -> Option<usize> {
    let misfits = |places| values.iter().filter(|v| whole(**v, places).is_none()).count();
    (0..POWERS.len()).find(|places| misfits(*places) * 32 <= values.len())
}

/// Appends a column of numbers.
pub(super) fn put_numbers(out: &mut Vec<u8>, values: &[f64], zstd: &mut Zstd<'_>) {
    if values.is_empty() {
        return;
    }
    let places = places(values);
    let mut others: Vec<usize> = Vec::new();
    let mut before = 0;
    let numbers: Vec<u64> = match places {
        None => values.iter().map(|value| value.to_bits()).collect(),
        Some(places) => {
            let number = |(i, value): (usize, &f64)| {
                match whole(*value, places) {
                    Some(number) => before = number,
                    None => others.push(i),
                }
                before
            };
            values.iter().enumerate().map(number).collect()
        }
    };
    out.push(places.map_or(BITS, |places| places as u8));
    put_uint(out, others.len() as u64);
    let mut next = 0;
    for i in others {
        put_uint(out, (i - next) as u64);
        out.extend_from_slice(&values[i].to_le_bytes());
        next = i;
    }
    put_planes(out, &numbers, zstd);
}

fn put_planes(out: &mut Vec<u8>, numbers: &[u64], zstd: &mut Zstd<'_>) {
    let least = numbers.iter().min().copied().unwrap_or(0);
    let span = numbers.iter().max().map_or(0, |most| most - least);
    let planes = (u64::BITS - span.leading_zeros()).div_ceil(8);
    put_uint(out, least);
    out.push(planes as u8);
    for plane in 0..planes {
        let bytes: Vec<u8> = numbers.iter().map(|n| ((n - least) >> (8 * plane)) as u8).collect();
        put_section(out, &bytes, zstd);
    }
}

/// Reads a column of numbers.
#[allow(clippy::cast_precision_loss, reason = "at most 9 · 10^15, written by put_numbers")]
pub(super) fn numbers(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Broken> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let form = reader.byte()?;
    let mut others = Vec::new();
    let mut at = 0usize;
    for _ in 0..reader.len()? {
        at = at.checked_add(reader.len()?).filter(|at| *at < count).ok_or(Broken("a number"))?;
        let bits = reader.take(8)?.try_into().map_err(|_| Broken("eight bytes"))?;
        others.push((at, f64::from_le_bytes(bits)));
    }
    let numbers = planes(reader, count)?;
    let mut values: Vec<f64> = match (form, POWERS.get(usize::from(form))) {
        (BITS, _) => numbers.into_iter().map(f64::from_bits).collect(),
        (_, Some(power)) => numbers.into_iter().map(|n| n as f64 / power).collect(),
        _ => return Err(Broken("a known form of numbers")),
    };
    for (at, value) in others {
        values[at] = value;
    }
    Ok(values)
}

fn planes(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, Broken> {
    let least = reader.uint()?;
    let mut numbers = Vec::new();
    for plane in 0..u32::from(reader.byte()?) {
        let bytes = section(reader)?;
        if bytes.len() != count || plane >= 8 {
            return Err(Broken("a byte for each number"));
        }
        if plane == 0 {
            numbers.extend(bytes.iter().map(|byte| u64::from(*byte)));
        } else {
            let planes = numbers.iter_mut().zip(bytes);
            planes.for_each(|(number, byte)| *number |= u64::from(byte) << (8 * plane));
        }
    }
    if numbers.is_empty() {
        return Ok(vec![least; count]);
    }
    numbers.iter_mut().for_each(|number| *number = number.wrapping_add(least));
    Ok(numbers)
}

/// Appends a column of texts (or other bytes): runs of equal ones.
pub(super) fn put_texts(out: &mut Vec<u8>, texts: &[&[u8]], zstd: &mut Zstd<'_>) {
    let mut runs = Vec::new();
    for run in texts.chunk_by(|a, b| a == b) {
        put_bytes(&mut runs, run[0]);
        put_uint(&mut runs, run.len() as u64);
    }
    put_section(out, &runs, zstd);
}

/// Reads a column of texts: where each stands in the bytes that come with them.
pub(super) fn texts(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Box<[u8]>>, Broken> {
    let runs = section(reader)?;
    let mut runs = Reader(&runs);
    let mut texts: Vec<Box<[u8]>> = Vec::with_capacity(count);
    while texts.len() < count {
        let text = runs.bytes()?;
        let run = runs.len()?;
        if run == 0 || run > count - texts.len() {
            return Err(Broken("as many texts as outcomes"));
        }
        texts.extend(std::iter::repeat_n(Box::from(text), run));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zstd() -> Zstd<'static> {
        Zstd::new(1).unwrap()
    }

    #[test]
    fn times_of_one_decimal_take_little() {
        // 4096 times that spread over 51.2 ms in steps of 0.1 ms carry nine bits each
        let mut draw = 1u64;
        let mut time = |_| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (draw >> 55) as f64 / 10.0 + 100.0
        };
        let times: Vec<f64> = (0..4096).map(&mut time).collect();
        let mut out = Vec::new();
        put_numbers(&mut out, &times, &mut zstd());
        assert!(out.len() * 8 < 4096 * 10, "{} bytes", out.len());
        assert_eq!(numbers(&mut Reader(&out), 4096).unwrap(), times);
    }

    fn any_number() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (0..5000u32).prop_map(|tenths| f64::from(tenths) / 10.0),
            2 => (0..5_000_000u32).prop_map(|n| f64::from(n) / 10_000.0),
            1 => any::<f64>().prop_filter("a number", |f| !f.is_nan() && f.to_bits() != 1 << 63),
        ]
    }

    proptest! {
        #[test]
        fn columns_come_back(
            values in prop::collection::vec(any_number(), 0..200),
            texts in prop::collection::vec("[ab]{0,3}", 0..80),
        ) {
            let mut out = Vec::new();
            put_numbers(&mut out, &values, &mut zstd());
            let bytes: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
            put_texts(&mut out, &bytes, &mut zstd());
            let mut reader = Reader(&out);
            prop_assert_eq!(numbers(&mut reader, values.len()).unwrap(), values);
            let back = super::texts(&mut reader, texts.len()).unwrap();
            prop_assert!(back.iter().map(|t| &**t).eq(bytes));
            prop_assert!(reader.0.is_empty());
        }

        #[test]
        fn rubbish_is_refused_not_trusted(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            count in 0..5000usize,
        ) {
            let _ = numbers(&mut Reader(&bytes), count);
            let _ = texts(&mut Reader(&bytes), count);
        }
    }
}
