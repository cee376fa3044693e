//! Heads of files in a tar archive (POSIX ustar; sizes over 8 GiB as GNU tar writes them), so that
//! a backup can be looked into with tools that everybody has. Plain files only.

/// A head, and the unit that contents are filled up to, in bytes.
pub(super) const BLOCK: usize = 512;

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// Where each field of a head begins and ends.
const NAME: std::ops::Range<usize> = 0..100;
const MODE: std::ops::Range<usize> = 100..108;
const OWNER: std::ops::Range<usize> = 108..116;
const GROUP: std::ops::Range<usize> = 116..124;
const SIZE: std::ops::Range<usize> = 124..136;
const CHANGED: std::ops::Range<usize> = 136..148;
const SUM: std::ops::Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: std::ops::Range<usize> = 257..265;
/// The largest size that twelve bytes hold in octal digits.
const OCTAL_MAX: u64 = (1 << 33) - 1;

/// The head of a file that only its owner may read.
pub(super) fn head(name: &str, bytes: u64, changed_s: u64) -> [u8; BLOCK] {
    let mut head = [0; BLOCK];
    let length = name.len().min(NAME.len());
    head[..length].copy_from_slice(&name.as_bytes()[..length]);
    octal(&mut head[MODE], 0o600);
    octal(&mut head[OWNER], 0);
    octal(&mut head[GROUP], 0);
    if bytes <= OCTAL_MAX {
        octal(&mut head[SIZE], bytes);
    } else {
        head[SIZE.start] = 0x80;
        head[SIZE.end - 8..SIZE.end].copy_from_slice(&bytes.to_be_bytes());
    }
    octal(&mut head[CHANGED], changed_s.min(OCTAL_MAX));
    head[KIND] = b'0';
    head[MAGIC].copy_from_slice(b"ustar\x0000");
    let sum = sum(&head);
    // six digits, a zero byte and a blank, as ever
    octal(&mut head[SUM.start..SUM.end - 1], sum);
    head[SUM.end - 1] = b' ';
    head
}

/// Reads a head; `None` where the bytes are no head of a plain file.
pub(super) fn read(head: &[u8; BLOCK]) -> Option<Head> {
    let plain = head[KIND] == b'0' && head[MAGIC].starts_with(b"ustar");
    if !plain || number(&head[SUM])? != sum(head) {
        return None;
    }
    let name = head[NAME].split(|byte| *byte == 0).next()?;
    let size = &head[SIZE];
    let bytes = if size[0] & 0x80 == 0 {
        number(size)?
    } else if size[0] == 0x80 && size[1..4] == [0; 3] {
        u64::from_be_bytes(size[4..].try_into().ok()?)
    } else {
        return None;
    };
    Some(Head { name: std::str::from_utf8(name).ok()?.to_owned(), bytes })
}

/// How many zeros follow a file of so many bytes.
pub(super) const fn filling(bytes: u64) -> usize {
    ((BLOCK as u64 - bytes % BLOCK as u64) % BLOCK as u64) as usize
}

/// Fills a field with the digits of a number, a zero byte at its end.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    field[..digits].copy_from_slice(&text.as_bytes()[text.len() - digits..]);
}

fn number(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches([' ', '\0']), 8).ok()
}

/// The sum of all bytes, those of the sum itself taken as blanks.
fn sum(head: &[u8; BLOCK]) -> u64 {
    let of = |(at, byte): (usize, &u8)| u64::from(if SUM.contains(&at) { b' ' } else { *byte });
    head.iter().enumerate().map(of).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_head_that_was_written_is_read(name in "[a-z.-]{1,100}", bytes: u64, s: u64) {
            prop_assert_eq!(read(&head(&name, bytes, s)), Some(Head { name, bytes }));
        }

        #[test]
        fn any_bytes_are_a_head_or_none(bytes in prop::collection::vec(any::<u8>(), BLOCK)) {
            let _ = read(&bytes.try_into().unwrap());
        }

        #[test]
        fn a_head_with_another_byte_is_none(at in 0..BLOCK, other: u8) {
            let mut changed = head("mailward.sqlite", 376_832, 1_790_000_000);
            prop_assume!(changed[at] != other);
            let before = read(&changed);
            changed[at] = other;
            // bytes that mean the same (a blank for a zero) may stand in the sum itself
            prop_assert!(read(&changed).is_none_or(|head| Some(head) == before));
        }
    }
}
