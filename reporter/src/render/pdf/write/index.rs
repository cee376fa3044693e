//! The index of a file's objects (ISO 32000-1, 7.5.8), which the library writes as it is: packed,
//! it takes a tenth of the room. It stands last, so that nothing it points at moves.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The bytes of an entry: its kind, its place, its number there.
const ENTRY: usize = 7;

/// The file with its index packed; as it was where its end does not look as the library leaves it.
pub(super) fn packed(file: Vec<u8>) -> Vec<u8> {
    pack(&file).unwrap_or(file)
}

fn pack(file: &[u8]) -> Option<Vec<u8>> {
    let tail = rfind(file, b"\nstartxref\n")?;
    let start = std::str::from_utf8(file.get(tail + 11..)?).ok()?.lines().next()?;
    let start: usize = start.parse().ok()?;
    let object = file.get(start..tail)?;
    let end = rfind(object, b"endstream")?;
    let head = find(object, b"/Length ")?;
    let begins = head + find(&object[head..], b">>stream\n")?;
    let length = std::str::from_utf8(&object[head + 8..begins]).ok()?;
    let length: usize = length.trim().parse().ok()?;
    let stops = length.checked_add(begins + 9).filter(|stops| *stops <= end)?;
    let entries = object.get(begins + 9..stops)?;
    let whole = entries.len() % ENTRY == 0 && object[..head].windows(8).any(|w| w == b"/W[1 4 2");
    if !whole {
        return None;
    }
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    let mut above: &[u8] = &[0; ENTRY];
    for entry in entries.chunks(ENTRY) {
        // each as its difference to the one above (PNG, filter type 2)
        let differing = entry.iter().zip(above).map(|(own, above)| own.wrapping_sub(*above));
        let row: Vec<u8> = std::iter::once(2).chain(differing).collect();
        packer.write_all(&row).ok()?;
        above = entry;
    }
    let packed = packer.finish().ok()?;
    let mut out = file.get(..start + head)?.to_vec();
    let form = format!("/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns {ENTRY}>>");
    let length = format!("/Length {}>>stream\n", packed.len());
    out.extend([form.as_bytes(), length.as_bytes(), &packed, b"\n"].concat());
    out.extend(&object[end..]);
    out.extend(&file[tail..]);
    Some(out)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn rfind(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_otherwise_stays_as_it_is() {
        for file in ["", "x", "\nstartxref\n", "\nstartxref\n0\n%%EOF", "a\nstartxref\n99\n%%EOF"] {
            assert_eq!(packed(file.as_bytes().to_vec()), file.as_bytes());
        }
    }
}
