//! `mailward import` and `mailward export`: evidence as JSON lines, in and out, and a service
//! desk's exports in.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use mailward_catalogue::Catalogue;
use mailward_reporter::ingest::csv::{CsvError, Rows};
use mailward_reporter::ingest::file::{self, ImportError};
use mailward_reporter::store::{Accepted, Store};

use super::{instant, open_store};
use crate::Outcome;
use crate::cli::{CsvRows, Export, Import};
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::terminal;

/// The most notes told of one file.
const MAX_NOTES: usize = 20;

pub(crate) fn import(args: &Import) -> Outcome {
    let is_csv = |path: &&PathBuf| {
        let named = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        named || args.rows.is_some()
    };
    // a definition is needed for what it says of columns, and for nothing else
    let definition = match args.files.iter().any(|path| is_csv(&path)) {
        true => Some(definition::load(&args.config.config)?),
        false => None,
    };
    // a name that leads nowhere is said before there is a store
    for path in args.files.iter().filter(|path| path.as_os_str() != "-") {
        let read = || format!("read {}", path.display());
        std::fs::metadata(path).with_context(read).map_err(Failure::io)?;
    }
    let store = open_store(&args.data.data)?;
    for path in &args.files {
        match definition.as_ref().filter(|_| is_csv(&path)) {
            Some(definition) => import_csv(&store, path, &definition.catalogue, args.rows)?,
            None => {
                let accepted = import_lines(&store, path)?;
                terminal::line(&format!("{}: {}", path.display(), counted(&accepted)));
            }
        }
    }
    Ok(Exit::Ok)
}

fn counted(accepted: &Accepted) -> String {
    format!(
        "{} accepted, {} duplicates, {} conflicts",
        accepted.accepted, accepted.duplicates, accepted.conflicts
    )
}

fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let open = || format!("read {}", path.display());
    Ok(Box::new(File::open(path).with_context(open).map_err(Failure::io)?))
}

fn import_csv(
    store: &Store,
    path: &Path,
    catalogue: &Catalogue,
    rows: Option<CsvRows>,
) -> Result<(), Failure> {
    let rows = rows.map(|rows| match rows {
        CsvRows::Tickets => Rows::Tickets,
        CsvRows::Counts => Rows::Counts,
    });
    let imported = file::import_csv(store, open(path)?, catalogue, rows);
    let imported = imported.map_err(|error| refused(path, error))?;
    for note in imported.notes.iter().take(MAX_NOTES) {
        terminal::note(&format!("{}:{}: {}", path.display(), note.line, note.text));
    }
    if let Some(more) = imported.notes.len().checked_sub(MAX_NOTES).filter(|more| *more > 0) {
        terminal::note(&format!("{}: and {more} more such times", path.display()));
    }
    let left_out = match imported.left_out {
        0 => String::new(),
        n => format!(", {n} left out"),
    };
    terminal::line(&format!("{}: {}{left_out}", path.display(), counted(&imported.accepted)));
    Ok(())
}

fn import_lines(store: &Store, path: &Path) -> Result<Accepted, Failure> {
    let source = open(path)?;
    let bar = progress();
    let imported = file::import(store, source, &mut |lines| bar.set_position(lines));
    bar.finish_and_clear();
    imported.map_err(|error| refused(path, error))
}

fn refused(path: &Path, error: ImportError) -> Failure {
    let file = path.display();
    match error {
        ImportError::Line(fault) => {
            Failure::usage(anyhow!("{file}:{}: {}", fault.line, fault.error))
        }
        ImportError::Csv(CsvError::Line { line, message }) => {
            Failure::usage(anyhow!("{file}:{line}: {message}"))
        }
        ImportError::Csv(error) => Failure::usage(anyhow!("{file}: {error}")),
        other => Failure::io(anyhow::Error::new(other).context(format!("import {file}"))),
    }
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
