//! `mailward report`: computes a month, prints the scorecard, what made one figure, or what other
//! rules would make of all, and writes the files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use mailward_catalogue::Catalogue;
use mailward_evidence::Instant;
use mailward_reporter::brand::Brand;
use mailward_reporter::language::Language;
use mailward_reporter::month::{self, Basis, ComputeError, Detail, Month};
use mailward_reporter::publish::Files;
use mailward_reporter::render;
use mailward_reporter::report::model::Report as Model;
use mailward_reporter::store::{Store, StoreError};
use mailward_reporter::what_if::{self, WhatIf};

use super::{clock, differing, instant, open_store};
use crate::Outcome;
use crate::cli::{Format, From, Report};
use crate::definition::{self, Needs};
use crate::failure::{Exit, Failure};
use crate::terminal;

/// What is written where nothing else is said.
const FORMATS: [Format; 3] = [Format::Pdf, Format::Json, Format::Csv];

/// A month, by a definition, from a store, as known at an instant.
struct Asked<'a> {
    store: &'a Store,
    catalogue: &'a Catalogue,
    month: Month,
    now: Instant,
}

pub(crate) fn run(args: &Report) -> Outcome {
    let month: Month = args.month.parse().context("--month").map_err(Failure::usage)?;
    let now = match &args.now {
        Some(text) => instant("--now", text)?,
        None => Instant::new(clock().now()),
    };
    let definition = definition::load_with(&args.config.config, Needs::REPORTER)?;
    let catalogue = &*definition.catalogue;
    if let Some(level) = &args.explain {
        known(catalogue, level)?;
    }
    let store = open_store(&args.data.data)?;
    let asked = Asked { store: &store, catalogue, month, now };
    let detail = args.explain.as_deref().map_or(Detail::Report, Detail::Level);
    let basis = match args.from {
        From::Kept => Basis::Kept,
        From::Raw => Basis::Raw,
    };
    let report = asked.report(basis, detail)?;
    let tried = args.what_if.then(|| asked.what_if()).transpose()?;
    print(args, &report, tried.as_ref());
    if args.now.is_none() && !args.what_if && args.explain.is_none() {
        differing::tell(&store, month, now.ms());
    }
    // somebody who asks why wants an answer, and files only where they say so
    let asks = args.explain.is_some() || args.what_if;
    if asks && args.out.is_none() && args.formats.is_none() {
        return Ok(Exit::Ok);
    }
    let out = args.out.as_deref().unwrap_or(Path::new("."));
    std::fs::create_dir_all(out)
        .with_context(|| format!("make the directory {}", out.display()))
        .map_err(Failure::io)?;
    let say = Language::of(catalogue);
    let files = Files::of(&report, &say).context("render the report").map_err(Failure::internal)?;
    for format in args.formats.as_deref().unwrap_or(&FORMATS) {
        write((&report, &say), &files, *format, out)?;
        if let (Format::Json, Some(tried)) = (format, &tried) {
            let text = render::tried::json(tried)
                .context("render what-if.json")
                .map_err(Failure::internal)?;
            put(&out.join("what-if.json"), text.as_bytes())?;
        }
    }
    Ok(Exit::Ok)
}

/// Refuses a level that the definition does not hold.
fn known(catalogue: &Catalogue, level: &str) -> Result<(), Failure> {
    if catalogue.level(level).is_some() {
        return Ok(());
    }
    let near = catalogue.nearest_level(level).map_or_else(
        || "it holds no level at all".to_owned(),
        |near| format!("the nearest is {near:?}"),
    );
    Err(Failure::usage(anyhow!(
        "--explain: expected the id of a level of the definition, got {level:?}; {near}"
    )))
}

impl Asked<'_> {
    fn report(&self, basis: Basis, detail: Detail<'_>) -> Result<Model, Failure> {
        let Self { store, catalogue, month, now } = self;
        let mut report = month::compute_to(store, catalogue, *month, now.ms(), (basis, detail))
            .map_err(|error| failed(error, format!("compute {month}")))?;
        report.brand = catalogue.branding.as_ref().map(|branding| Arc::new(Brand::of(branding)));
        Ok(report)
    }

    fn what_if(&self) -> Result<WhatIf, Failure> {
        let Self { store, catalogue, month, now } = self;
        what_if::compute(store, catalogue, *month, now.ms())
            .map_err(|error| failed(error, format!("compute {month} under other rules")))
    }
}

/// A store that fails is no fault of what was asked; what is past its retention is.
fn failed(error: ComputeError, what: String) -> Failure {
    let as_failure = match &error {
        ComputeError::Store { source: StoreError::RawGone { .. }, .. } => Failure::usage,
        ComputeError::Store { .. } => Failure::io,
        ComputeError::Report(_) => Failure::usage,
    };
    as_failure(anyhow::Error::new(error).context(what))
}

fn print(args: &Report, report: &Model, tried: Option<&WhatIf>) {
    let (colour, width) = (terminal::colour(), terminal::width());
    let level = args.explain.as_deref();
    let explained = report.levels.iter().find(|figure| Some(figure.id.as_str()) == level);
    let text = match (tried, explained) {
        (Some(tried), _) => render::tried::table(tried, colour, width),
        (None, Some(level)) => {
            let export = format!("mailward export --data {}", for_a_shell(&args.data.data));
            render::explained::explained(report, level, &export, colour)
        }
        (None, None) => render::terminal::scorecard(report, colour, width),
    };
    terminal::print(&text);
}

/// A path as it is typed into a shell.
fn for_a_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn write(
    (report, say): (&Model, &Language),
    files: &Files,
    format: Format,
    out: &Path,
) -> Result<(), Failure> {
    let (html, levels, months);
    let named: &[(&str, &[u8])] = match format {
        Format::Pdf => &[("report.pdf", &files.pdf)],
        Format::Json => &[("report.json", files.report_json.as_bytes())],
        Format::Csv => {
            (levels, months) = (render::csv::levels(report), render::csv::months(report));
            &[
                ("outages.csv", files.outages_csv.as_bytes()),
                ("daily.csv", files.daily_csv.as_bytes()),
                ("levels.csv", levels.as_bytes()),
                ("months.csv", months.as_bytes()),
            ]
        }
        Format::Html => {
            html = render::performance::document(report, &files.digest, say)
                .context("render report.html")
                .map_err(Failure::internal)?;
            &[("report.html", html.as_bytes())]
        }
    };
    for (name, bytes) in named {
        put(&out.join(name), bytes)?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes)
        .with_context(|| format!("write {}", path.display()))
        .map_err(Failure::io)
}
