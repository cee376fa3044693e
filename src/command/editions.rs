//! `mailward editions`: lists published editions, and writes one as files that anybody can check.

use std::path::Path;

use anyhow::{Context, anyhow};
use mailward_evidence::Instant;
use mailward_reporter::month::Month;
use mailward_reporter::publish::manifest::{self, MANIFEST, PARTS, PUBLIC_KEY, SIGNATURE};
use mailward_reporter::store::{NewEdition, Store};

use super::open_store;
use crate::Outcome;
use crate::cli::Editions;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(command: &Editions) -> Outcome {
    match command {
        Editions::List { data } => list(&open_store(&data.data)?),
        Editions::Export { month, edition, out, data } => {
            let month: Month = month.parse().context("MONTH").map_err(Failure::usage)?;
            export(&open_store(&data.data)?, month, *edition, out)
        }
    }
}

fn list(store: &Store) -> Outcome {
    let heads = store.editions(None).context("list the editions").map_err(Failure::io)?;
    if heads.is_empty() {
        terminal::line("No month is published. `mailward publish --month MONTH --by NAME` does.");
    }
    for head in heads {
        let at = Instant::from_ms(head.published_ms).map(|at| at.to_string()).unwrap_or_default();
        let why = head.reason.map(|reason| format!("  because: {reason}")).unwrap_or_default();
        let line = format!("{}  edition {}  {at}  by {}{why}", head.month, head.edition, head.by);
        terminal::line(&terminal::clean(&line));
    }
    Ok(Exit::Ok)
}

fn export(store: &Store, month: Month, number: Option<u32>, out: &Path) -> Outcome {
    let found = store.edition(&month.to_string(), number);
    let found = found.context("read the edition").map_err(Failure::io)?;
    let Some(edition) = found else {
        let which = number.map_or_else(String::new, |n| format!(" as edition {n}"));
        return Err(Failure::usage(anyhow!("{month} is not published{which}")));
    };
    write(&edition, out)?;
    let number = edition.edition;
    terminal::line(&format!(
        "{month}, edition {number}: {} files in {}; `mailward verify {}` checks them",
        std::fs::read_dir(out).map_or(0, Iterator::count),
        out.display(),
        out.display()
    ));
    if edition.seal.is_none() {
        terminal::note("This edition was made before editions were signed: it is unsigned.");
    }
    Ok(Exit::Ok)
}

/// Writes the files into a directory that must be empty, so that nothing else is taken for one.
fn write(edition: &NewEdition, out: &Path) -> Result<(), Failure> {
    let making = || format!("make the directory {}", out.display());
    std::fs::create_dir_all(out).with_context(making).map_err(Failure::io)?;
    let taken = std::fs::read_dir(out).with_context(making).map_err(Failure::io)?.next().is_some();
    if taken {
        return Err(Failure::usage(anyhow!(
            "expected an empty directory, got {} with files in it",
            out.display()
        )));
    }
    for name in PARTS.into_iter().chain([MANIFEST, SIGNATURE, PUBLIC_KEY]) {
        let Some(bytes) = manifest::part(edition, name) else { continue };
        let path = out.join(name);
        std::fs::write(&path, bytes)
            .with_context(|| format!("write {}", path.display()))
            .map_err(Failure::io)?;
    }
    Ok(())
}
