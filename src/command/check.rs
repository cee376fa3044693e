//! `mailward check`: every fault of the definition, with line and column.

use std::path::Path;

use anyhow::Context;
use mailward_catalogue::{Fault, Gravity, Parsed};
use mailward_evidence::{Instant, SiteName};
use mailward_reporter::http::tls::Pair;
use mailward_reporter::render::words::counted;

use super::{clock, open_store};
use crate::Outcome;
use crate::cli::Check;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(args: &Check) -> Outcome {
    let path = &args.config.config;
    let mut parsed = mailward_catalogue::load(path)
        .with_context(|| format!("read the definition {}", path.display()))
        .map_err(Failure::usage)?;
    let mut faults = parsed.faults.clone();
    // the agent that needs a secret may be another machine, so a missing one is a warning here
    let missing = parsed.verify_secrets().into_iter();
    faults.extend(missing.map(|fault| Fault { gravity: Gravity::Warning, ..fault }));
    faults.extend(definition::words(&parsed));
    faults.extend(definition::read_logo(&mut parsed));
    faults.extend(certificate(&parsed));
    if let Some(data) = &args.data {
        faults.extend(parsed.surprises(&enrolled(data)?));
    }
    for fault in &faults {
        terminal::line(&fault.to_string());
    }
    let errors = faults.iter().filter(|f| f.gravity == Gravity::Error).count();
    let warnings = faults.len() - errors;
    let Some(catalogue) = parsed.catalogue.filter(|_| errors == 0) else {
        terminal::line(&format!(
            "{}, {}",
            counted(errors as u64, "error"),
            counted(warnings as u64, "warning")
        ));
        return Ok(Exit::Usage);
    };
    terminal::line(&format!(
        "{}: {}, {}, {}; no errors, {}",
        path.display(),
        counted(catalogue.components.len() as u64, "component"),
        counted(catalogue.probes.len() as u64, "probe"),
        counted(catalogue.levels.len() as u64, "level"),
        counted(warnings as u64, "warning"),
    ));
    Ok(Exit::Ok)
}

/// What is wrong with the reporter's own certificate. The reporter may be another machine, so
/// one that is not there is a warning.
fn certificate(parsed: &Parsed) -> Option<Fault> {
    let of = parsed.catalogue.as_ref()?.reporter.tls.as_ref()?;
    let now = Instant::new(clock().now());
    let error = Pair::read(of).and_then(|pair| pair.valid_at(now, &of.certificate)).err()?;
    let gravity = if error.is_content() { Gravity::Error } else { Gravity::Warning };
    parsed.tls_fault(gravity, format!("tls: {:#}", anyhow::Error::new(error)))
}

/// The agents that count towards a quorum: enrolled, neither revoked nor retired.
fn enrolled(data: &Path) -> Result<Vec<(String, String)>, Failure> {
    let agents = open_store(data)?.list_agents().context("list agents").map_err(Failure::io)?;
    let active = agents.into_iter().filter(|a| a.revoked_ms.is_none() && a.retired_ms.is_none());
    let site = |site: Option<SiteName>| site.map_or_else(String::new, |s| s.to_string());
    Ok(active.map(|agent| (agent.name.to_string(), site(agent.site))).collect())
}
