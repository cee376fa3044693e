//! The sRGB colour space as a profile (ICC.1:2004-10, version 4.2): a matrix and one curve,
//! written from the numbers of IEC 61966-2-1, so that nobody else's file has to be shipped.

/// The profile's bytes.
pub(super) fn srgb() -> Vec<u8> {
    let xyz = |values: [u32; 3]| {
        let mut tag = b"XYZ \0\0\0\0".to_vec();
        tag.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        tag
    };
    let tags: [(&[u8; 4], Vec<u8>); 8] = [
        (b"desc", words("sRGB IEC61966-2.1")),
        (b"cprt", words("No rights reserved")),
        (b"wtpt", xyz(WHITE)),
        (b"chad", adaptation()),
        (b"rXYZ", xyz([0x6fa2, 0x38f5, 0x0390])),
        (b"gXYZ", xyz([0x6299, 0xb785, 0x18da])),
        (b"bXYZ", xyz([0x24a0, 0x0f84, 0xb6cf])),
        (b"rTRC", curve()),
    ];
    // one curve serves all three primaries
    let shared: [&[u8; 4]; 2] = [b"gTRC", b"bTRC"];
    let count = tags.len() + shared.len();
    let mut table = be(count);
    let mut body = Vec::new();
    let start = 128 + 4 + 12 * count;
    for (name, tag) in &tags {
        entry(&mut table, name, start + body.len(), tag.len());
        if **name == *b"rTRC" {
            for name in shared {
                entry(&mut table, name, start + body.len(), tag.len());
            }
        }
        body.extend(tag);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut profile = head(start + body.len());
    profile.extend(table);
    profile.extend(body);
    profile
}

/// D50, the white of the connection space, as 16.16 fixed-point numbers.
const WHITE: [u32; 3] = [0xf6d6, 0x1_0000, 0xd32d];

fn be(n: usize) -> Vec<u8> {
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes().to_vec()
}

fn entry(table: &mut Vec<u8>, name: &[u8; 4], offset: usize, length: usize) {
    table.extend(name);
    table.extend(be(offset));
    table.extend(be(length));
}

/// The 128 bytes before the tags (7.2).
fn head(size: usize) -> Vec<u8> {
    let mut head = be(size);
    head.extend([0; 4]);
    head.extend(0x0420_0000u32.to_be_bytes());
    head.extend(b"mntrRGB XYZ ");
    // a date that never changes: midnight on the day the standard is dated
    for part in [1999u16, 10, 1, 0, 0, 0] {
        head.extend(part.to_be_bytes());
    }
    head.extend(b"acsp");
    head.resize(68, 0);
    head.extend(WHITE.iter().flat_map(|value| value.to_be_bytes()));
    head.resize(128, 0);
    head
}

/// Text in English (multiLocalizedUnicodeType).
fn words(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut tag = b"mluc\0\0\0\0".to_vec();
    tag.extend(be(1));
    tag.extend(be(12));
    tag.extend(b"enUS");
    tag.extend(be(units.len()));
    tag.extend(be(28));
    tag.extend(units);
    tag
}

/// From D65, the white of sRGB, to D50 (Bradford).
fn adaptation() -> Vec<u8> {
    let mut tag = b"sf32\0\0\0\0".to_vec();
    let matrix: [u32; 9] = [
        0x0001_0c42,
        0x0000_05de,
        0xffff_f325,
        0x0000_0793,
        0x0000_fd90,
        0xffff_fba1,
        0xffff_fda2,
        0x0000_03dc,
        0x0000_c06e,
    ];
    tag.extend(matrix.iter().flat_map(|value| value.to_be_bytes()));
    tag
}

/// The curve of IEC 61966-2-1: a line near black, a power above (parametricCurveType 3).
fn curve() -> Vec<u8> {
    let mut tag = b"para\0\0\0\0\0\x03\0\0".to_vec();
    let parameters: [u32; 5] = [0x0002_6666, 0xf2a7, 0x0d59, 0x13d0, 0x0a5b];
    tag.extend(parameters.iter().flat_map(|value| value.to_be_bytes()));
    tag
}
