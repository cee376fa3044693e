//! Numbers and texts as bytes: variable-length integers, decimals that come back to the bit,
//! and a reader that never trusts what it reads.

/// Bytes on disk that are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub(super) struct Broken(pub(super) &'static str);

const POWERS: [f64; 5] = [1.0, 10.0, 100.0, 1000.0, 10_000.0];
const RAW: u64 = 7;

/// Appends an unsigned integer in groups of seven bits, lowest first.
pub(super) fn put_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer, small for small distances from zero.
pub(super) fn put_int(out: &mut Vec<u8>, value: i64) {
    put_uint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends a text with its length.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

/// Appends bytes with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a number that [`Reader::decimal`] gives back to the bit (but for the sign of zero):
/// with up to four decimals as an integer, else as its eight bytes.
#[allow(clippy::float_cmp, reason = "asks whether the very same number comes back")]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number from 0 to 10^16"
)]
pub(super) fn put_decimal(out: &mut Vec<u8>, value: f64) {
    if (0.0..1e12).contains(&value) {
        for (places, power) in POWERS.iter().enumerate() {
            let whole = (value * power).round();
            if whole / power == value {
                return put_uint(out, ((whole as u64) << 3) | places as u64);
            }
        }
    }
    put_uint(out, RAW);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Reads what the `put_` functions wrote; every read is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, Broken> {
        let (first, rest) = self.0.split_first().ok_or(Broken("another byte"))?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Broken("more bytes"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn uint(&mut self) -> Result<u64, Broken> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken("an integer of at most ten bytes"))
    }

    pub(super) fn int(&mut self) -> Result<i64, Broken> {
        let value = self.uint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(super) fn len(&mut self) -> Result<usize, Broken> {
        usize::try_from(self.uint()?).map_err(|_| Broken("a length"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Broken> {
        let len = self.len()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Broken("UTF-8"))
    }

    #[allow(clippy::cast_precision_loss, reason = "at most 10^16, written by put_decimal")]
    pub(super) fn decimal(&mut self) -> Result<f64, Broken> {
        let coded = self.uint()?;
        match (coded & 7) as usize {
            places if places < POWERS.len() => Ok((coded >> 3) as f64 / POWERS[places]),
            _ => {
                let bytes = self.take(8)?;
                Ok(f64::from_le_bytes(bytes.try_into().map_err(|_| Broken("eight bytes"))?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_decimals_are_short() {
        for (value, bytes) in [(0.0, 1), (5.0, 1), (183.2, 2), (41_000.0, 3), (1.0 / 3.0, 9)] {
            let mut out = Vec::new();
            put_decimal(&mut out, value);
            assert_eq!(out.len(), bytes, "{value}");
            assert_eq!(Reader(&out).decimal(), Ok(value));
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(u in any::<u64>(), i in any::<i64>(), f in any::<f64>(), t in ".*") {
            let mut out = Vec::new();
            put_uint(&mut out, u);
            put_int(&mut out, i);
            put_decimal(&mut out, f);
            put_text(&mut out, &t);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.uint(), Ok(u));
            prop_assert_eq!(reader.int(), Ok(i));
            let back = reader.decimal().unwrap();
            prop_assert!(back == f || back.to_bits() == f.to_bits());
            prop_assert_eq!(reader.text(), Ok(&*t));
            prop_assert!(reader.0.is_empty());
        }

        #[test]
        fn rubbish_is_refused_not_trusted(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader(&bytes);
            while reader.text().is_ok() {}
            let mut reader = Reader(&bytes);
            while reader.decimal().is_ok() {}
        }
    }
}
