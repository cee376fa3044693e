//! A logo of pixels: a PNG (ISO/IEC 15948) from anywhere, read within bounds, laid on white, made
//! as small as print needs, and written anew.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Decoder, DecodingError, Encoder, Limits, Transformations};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::file::Unfit;

/// The most pixels of a side.
const MAX_SIDE: u32 = 4096;
/// The most pixels of a picture: its sides may not both be as long as that.
const MAX_PIXELS: u64 = 16 << 20;
/// The most memory that reading one takes: four bytes a pixel, and what the decoder needs.
const MAX_MEMORY: usize = 4 * (16 << 20) + (8 << 20);
/// What is kept at most, wide and high: 300 to the inch in the box of the PDF, twice the box of
/// the page.
const KEPT: (u32, u32) = (720, 200);

/// A picture without transparency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pixels {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The picture as PNG: red, green and blue, a byte each.
    pub png: Base64,
}

/// Bytes, in base64 on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(de::Error::custom)
    }
}

impl Pixels {
    /// Red, green and blue of each pixel, by rows from the top; `None` where the PNG is not one of
    /// this size, which only a report that was tampered with holds.
    #[must_use]
    pub fn rgb(&self) -> Option<Vec<u8>> {
        let (size, colours, bytes) = decode(&self.png.0).ok()?;
        let fits = size == (self.width, self.height) && colours == ColorType::Rgb;
        fits.then_some(bytes)
    }
}

/// Reads a PNG.
pub(super) fn read(bytes: &[u8]) -> Result<Pixels, Unfit> {
    let (size, colours, samples) = decode(bytes)?;
    let (size, rgb) = reduced(size, &on_white(colours, &samples));
    if rgb.iter().all(|sample| *sample > 250) {
        return Err(Unfit::new("a picture that is seen on white", "one that is white all over"));
    }
    let png = encode(size, &rgb).map_err(|error| {
        Unfit::new("a picture that can be written anew", format!("one that cannot ({error})"))
    })?;
    Ok(Pixels { width: size.0, height: size.1, png: Base64(png) })
}

type Decoded = ((u32, u32), ColorType, Vec<u8>);

fn decode(bytes: &[u8]) -> Result<Decoded, Unfit> {
    let broken = |error: DecodingError| {
        let got = match error {
            DecodingError::LimitsExceeded => "one that needs more memory than that".to_owned(),
            error => format!("a broken one ({error})"),
        };
        Unfit::new("a PNG that can be read within 72 MiB", got)
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MAX_MEMORY });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let head = decoder.read_header_info().map_err(broken)?;
    let size = (head.width, head.height);
    let most = size.0.max(size.1) <= MAX_SIDE;
    if !most || u64::from(size.0) * u64::from(size.1) > MAX_PIXELS {
        return Err(Unfit::new(
            "at most 4,096 pixels a side and 16 million in all",
            format!("{} × {}", size.0, size.1),
        ));
    }
    let mut reader = decoder.read_info().map_err(broken)?;
    let length = reader.output_buffer_size().unwrap_or_default();
    let mut samples = vec![0; length];
    let frame = reader.next_frame(&mut samples).map_err(broken)?;
    if (frame.width, frame.height) != size || frame.bit_depth != BitDepth::Eight {
        return Err(Unfit::new("a PNG with one picture", "one whose first is a part of it"));
    }
    samples.truncate(frame.buffer_size());
    Ok((size, frame.color_type, samples))
}

/// Red, green and blue of pixels laid on white.
fn on_white(colours: ColorType, samples: &[u8]) -> Vec<u8> {
    let over = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        u8::try_from((value * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(255)
    };
    let mut rgb = Vec::with_capacity(samples.len());
    match colours {
        ColorType::Rgb => rgb.extend_from_slice(samples),
        ColorType::Grayscale => samples.iter().for_each(|grey| rgb.extend([*grey; 3])),
        ColorType::GrayscaleAlpha => {
            let pixels = samples.as_chunks::<2>().0;
            pixels.iter().for_each(|[grey, alpha]| rgb.extend([over(*grey, *alpha); 3]));
        }
        _ => {
            let pixels = samples.as_chunks::<4>().0;
            pixels.iter().for_each(|[r, g, b, a]| rgb.extend([r, g, b].map(|c| over(*c, *a))));
        }
    }
    rgb
}

/// The picture as small as is kept: each pixel is the mean of what it covers, in whole numbers,
/// so that every machine finds the same.
fn reduced(size: (u32, u32), rgb: &[u8]) -> ((u32, u32), Vec<u8>) {
    let (width, height) = (u64::from(size.0), u64::from(size.1));
    let (most_wide, most_high) = (u64::from(KEPT.0), u64::from(KEPT.1));
    if width <= most_wide && height <= most_high {
        return (size, rgb.to_vec());
    }
    let (wide, high) = if width * most_high > height * most_wide {
        (most_wide, (height * most_wide / width).max(1))
    } else {
        ((width * most_high / height).max(1), most_high)
    };
    let row_bytes = usize::try_from(width * 3).unwrap_or(1).max(1);
    let across = covered(width, wide);
    let down = covered(height, high);
    let cells = usize::try_from(wide * 3).unwrap_or(0);
    let mut sums = vec![0u64; cells * usize::try_from(high).unwrap_or(0)];
    for (row, covers) in rgb.chunks_exact(row_bytes).zip(&down) {
        let mut thin = vec![0u64; cells];
        for (pixel, covers) in row.as_chunks::<3>().0.iter().zip(&across) {
            for (cell, share) in covers {
                for (part, value) in pixel.iter().enumerate() {
                    thin[cell * 3 + part] += share * u64::from(*value);
                }
            }
        }
        for (cell, share) in covers {
            let row = &mut sums[cell * cells..(cell + 1) * cells];
            row.iter_mut().zip(&thin).for_each(|(sum, value)| *sum += share * value);
        }
    }
    let whole = width * height;
    let mean = |sum: &u64| u8::try_from((sum + whole / 2) / whole).unwrap_or(255);
    let side = |length: u64| u32::try_from(length).unwrap_or(1);
    ((side(wide), side(high)), sums.iter().map(mean).collect())
}

/// For each of `from` equal stretches, which of `to` equal stretches of the same line it covers,
/// and how much of each: shares of one of `to` add up to `from`.
fn covered(from: u64, to: u64) -> Vec<Vec<(usize, u64)>> {
    let of = |i: u64| {
        let (start, end) = (i * to, (i + 1) * to);
        let cells = start / from..=(end - 1) / from;
        let share = |cell: u64| end.min((cell + 1) * from) - start.max(cell * from);
        cells.map(|cell| (usize::try_from(cell).unwrap_or(0), share(cell))).collect()
    };
    (0..from).map(of).collect()
}

fn encode((width, height): (u32, u32), rgb: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}
