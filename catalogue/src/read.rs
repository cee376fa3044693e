//! Reading probes.toml: every fault with line and column, all of them at once.

use std::path::Path;

use crate::fault::Fault;
use crate::service::Catalogue;

/// What reading a definition gave. `catalogue` is there exactly when no fault is an error.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The definition.
    pub catalogue: Option<Catalogue>,
    /// Errors and warnings in the order of the file.
    pub faults: Vec<Fault>,
}

/// Reads a definition from text; `file` is how faults name it.
#[must_use]
pub fn parse(file: &str, text: &str) -> Parsed {
    let _ = (file, text);
    Parsed {
        catalogue: None,
        faults: Vec::new(),
    }
}

/// Reads a definition from a file, and the `agent.toml` beside it where the file itself has no
/// `[agent]`.
///
/// # Errors
/// When the file cannot be read at all; what is wrong inside it is in [`Parsed::faults`].
pub fn load(path: &Path) -> std::io::Result<Parsed> {
    let text = std::fs::read_to_string(path)?;
    Ok(parse(&path.display().to_string(), &text))
}
