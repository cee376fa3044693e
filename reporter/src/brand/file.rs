//! A logo's file: how much of it is read, and of what kind it is, by its first bytes and not by
//! its name. What it draws is for `pixels` and `vector` to say.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Logo, pixels, vector};

/// The largest file that is read.
pub(super) const MAX_BYTES: u64 = 2 << 20;

/// Why there is no logo.
#[derive(Debug, thiserror::Error)]
pub enum LogoError {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what a logo may be.
    #[error("{}: {unfit}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        unfit: Unfit,
    },
}

/// What was expected of a file, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}; got {got}")]
pub struct Unfit {
    expected: String,
    got: String,
}

impl Unfit {
    pub(super) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }
}

/// The bytes of a file that can be drawn.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, LogoError> {
    let failed = |source| LogoError::Read { path: path.to_owned(), source };
    let unfit = |unfit| LogoError::Unfit { path: path.to_owned(), unfit };
    // a pipe or a device may never end, or never begin
    let found = std::fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        let got = if found.is_dir() { "a directory" } else { "something else" };
        return Err(unfit(Unfit::new("a file", got)));
    }
    if found.len() > MAX_BYTES {
        return Err(unfit(too_large(found.len())));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unfit(too_large(bytes.len() as u64)));
    }
    logo(&bytes).map_err(unfit)?;
    Ok(bytes)
}

fn too_large(bytes: u64) -> Unfit {
    Unfit::new(format!("at most {MAX_BYTES} bytes (2 MiB)"), format!("{bytes}"))
}

/// A logo from the bytes of its file.
pub(super) fn logo(bytes: &[u8]) -> Result<Logo, Unfit> {
    const EXPECTED: &str = "a PNG or an SVG";
    let known = |start: &[u8]| bytes.starts_with(start);
    if known(b"\x89PNG\r\n\x1a\n") {
        return pixels::read(bytes).map(Logo::Pixels);
    }
    let got = match bytes {
        [] => "an empty file",
        _ if known(b"\xff\xd8\xff") => "a JPEG",
        _ if known(b"GIF8") => "a GIF",
        _ if known(b"RIFF") => "a WebP or another RIFF file",
        _ if known(b"%PDF") => "a PDF",
        _ if known(b"%!PS") => "a PostScript file",
        _ if known(b"\x1f\x8b") => "a gzip file (an SVGZ has to be unpacked first)",
        _ if known(b"BM") => "a BMP",
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if begins_as_xml(text) => return vector::read(text).map(Logo::Vector),
            Ok(_) => "a text that is no SVG",
            Err(_) if known(b"\xff\xfe") || known(b"\xfe\xff") => "text that is not UTF-8",
            Err(_) => "bytes that are no image we know",
        },
    };
    Err(Unfit::new(EXPECTED, got))
}

fn begins_as_xml(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<')
}
