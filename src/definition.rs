//! Loading probes.toml for a command: faults go to standard error, warnings too; to the log
//! where it is read again.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use mailward_catalogue::{Catalogue, Fault, Gravity, Parsed};
use mailward_reporter::brand;
use mailward_reporter::language::Language;

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
    read(path, Needs::default())
}

/// What a command needs of the files beside the definition.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// Every secret it refers to.
    secrets: bool,
    /// The logo.
    logo: bool,
}

impl Needs {
    pub(crate) const AGENT: Self = Self { secrets: true, logo: false };
    pub(crate) const REPORTER: Self = Self { secrets: false, logo: true };
    pub(crate) const BOTH: Self = Self { secrets: true, logo: true };
}

/// [`load`] for a command that needs more than the definition: a secret or a logo that cannot be
/// read is a fault too.
pub(crate) fn load_with(path: &Path, needs: Needs) -> Result<Definition, Failure> {
    read(path, needs)
}

/// Why a definition that was read again is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// Every fault, as `FILE:LINE:COL: message`.
    pub(crate) faults: Vec<String>,
}

impl Refused {
    pub(crate) fn of(fault: String) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.faults.split_first() else { return Ok(()) };
        f.write_str(first)?;
        match others.len() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// Reads the definition again while the program runs; warnings are logged.
pub(crate) fn again(path: &Path, needs: Needs) -> Result<Definition, Refused> {
    let mut parsed = mailward_catalogue::load(path)
        .map_err(|error| Refused::of(format!("{}: {error}", path.display())))?;
    let (errors, warnings): (Vec<Fault>, Vec<Fault>) =
        all_faults(&mut parsed, needs).into_iter().partition(|f| f.gravity == Gravity::Error);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    match parsed.catalogue.filter(|_| errors.is_empty()) {
        Some(catalogue) => Ok(Definition { catalogue: Arc::new(catalogue), text: parsed.normal }),
        None => Err(Refused { faults: errors.iter().map(ToString::to_string).collect() }),
    }
}

fn all_faults(parsed: &mut Parsed, needs: Needs) -> Vec<Fault> {
    let secrets = if needs.secrets { parsed.verify_secrets() } else { Vec::new() };
    let logo = if needs.logo { read_logo(parsed) } else { None };
    let words = words(parsed);
    parsed.faults.iter().cloned().chain(secrets).chain(logo).chain(words).collect()
}

/// What is wrong with the words that a definition brings for pages and reports.
pub(crate) fn words(parsed: &Parsed) -> Vec<Fault> {
    parsed.catalogue.as_ref().map_or_else(Vec::new, Language::faults)
}

/// Reads the logo that a definition names, or says in that place why not.
pub(crate) fn read_logo(parsed: &mut Parsed) -> Option<Fault> {
    let branding = parsed.catalogue.as_mut()?.branding.as_mut()?;
    let error = brand::read_logo(branding).err()?;
    Some(parsed.fault_of_logo(format!("logo: {:#}", anyhow::Error::new(error))))
}

fn read(path: &Path, needs: Needs) -> Result<Definition, Failure> {
    let read = || format!("read the definition {}; give another with --config", path.display());
    let mut parsed = mailward_catalogue::load(path).with_context(read).map_err(Failure::usage)?;
    let faults = all_faults(&mut parsed, needs);
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
