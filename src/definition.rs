//! Loading probes.toml for a command: faults go to standard error, warnings too.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use mailward_catalogue::{Catalogue, Gravity};

use crate::failure::Failure;
use crate::terminal;

/// A definition and its normal form, which an edition keeps.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) text: String,
}

/// Reads and validates the definition at `path`. Every fault is printed as
/// `FILE:LINE:COL: message`.
pub(crate) fn load(path: &Path) -> Result<Definition, Failure> {
    read(path, false)
}

/// The same for an agent, which needs every secret the definition refers to: one that cannot
/// be read is a fault too.
pub(crate) fn load_with_secrets(path: &Path) -> Result<Definition, Failure> {
    read(path, true)
}

fn read(path: &Path, with_secrets: bool) -> Result<Definition, Failure> {
    let read = || format!("read the definition {}; give another with --config", path.display());
    let parsed = mailward_catalogue::load(path).with_context(read).map_err(Failure::usage)?;
    let mut faults = parsed.faults.clone();
    if with_secrets {
        faults.extend(parsed.verify_secrets());
    }
    for fault in &faults {
        terminal::note(&fault.to_string());
    }
    let errors = faults.iter().filter(|f| f.gravity == Gravity::Error).count();
    let Some(catalogue) = parsed.catalogue.filter(|_| errors == 0) else {
        let plural = if errors == 1 { "fault" } else { "faults" };
        return Err(Failure::usage(anyhow!(
            "{}: {errors} {plural}; mend the lines above and run `mailward check`",
            path.display()
        )));
    };
    Ok(Definition { catalogue: Arc::new(catalogue), text: parsed.normal })
}
