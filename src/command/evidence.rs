//! `mailward import` and `mailward export`: evidence as JSON lines, in and out.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use mailward_reporter::ingest::file::{self, ImportError};
use mailward_reporter::store::{Accepted, Store};

use super::{instant, open_store};
use crate::Outcome;
use crate::cli::{Export, Import};
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn import(args: &Import) -> Outcome {
    let store = open_store(&args.data.data)?;
    for path in &args.files {
        let accepted = import_file(&store, path)?;
        terminal::line(&format!(
            "{}: {} accepted, {} duplicates, {} conflicts",
            path.display(),
            accepted.accepted,
            accepted.duplicates,
            accepted.conflicts
        ));
    }
    Ok(Exit::Ok)
}

fn import_file(store: &Store, path: &Path) -> Result<Accepted, Failure> {
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        let open = || format!("read {}", path.display());
        Box::new(File::open(path).with_context(open).map_err(Failure::io)?)
    };
    let bar = progress();
    let imported = file::import(store, source, &mut |lines| bar.set_position(lines));
    bar.finish_and_clear();
    imported.map_err(|error| match error {
        ImportError::Line(fault) => {
            Failure::usage(anyhow!("{}:{}: {}", path.display(), fault.line, fault.error))
        }
        other => {
            Failure::io(anyhow::Error::new(other).context(format!("import {}", path.display())))
        }
    })
}

/// Lines so far, on a terminal only.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} records  {per_sec}  {elapsed}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

pub(crate) fn export(args: &Export) -> Outcome {
    let from = args.from.as_deref().map(|text| instant("--from", text)).transpose()?;
    let to = args.to.as_deref().map(|text| instant("--to", text)).transpose()?;
    let store = open_store(&args.data.data)?;
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    store
        .export(from.map(|at| at.ms()), to.map(|at| at.ms()), &mut out)
        .context("export evidence")
        .map_err(Failure::io)?;
    out.flush().context("write to standard output").map_err(Failure::io)?;
    Ok(Exit::Ok)
}
