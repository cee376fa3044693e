//! `report.json`: the report's model as bytes, and the digest that names those bytes.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::report::model::Report;

/// The bytes of `report.json`: indented, with a line feed at the end.
///
/// # Errors
/// When the report holds an instant that no calendar can hold.
pub fn render(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|mut text| {
        text.push('\n');
        text
    })
}

/// SHA-256 of [`render`]ed bytes in lower-case hexadecimal; its first twelve characters stand at
/// the foot of the PDF.
#[must_use]
pub fn digest(json: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(json.as_bytes()))
}
