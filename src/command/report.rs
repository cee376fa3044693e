//! `mailward report`: computes a month, prints the scorecard, writes the files.

use std::path::Path;

use anyhow::Context;
use mailward_evidence::Instant;
use mailward_reporter::month::{self, Month};
use mailward_reporter::publish::Files;
use mailward_reporter::render;
use mailward_reporter::report::model::Report as Model;

use super::{clock, instant, open_store};
use crate::Outcome;
use crate::cli::{Format, Report};
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(args: &Report) -> Outcome {
    let month: Month = args.month.parse().context("--month").map_err(Failure::usage)?;
    let now = match &args.now {
        Some(text) => instant("--now", text)?,
        None => Instant::new(clock().now()),
    };
    let definition = definition::load(&args.config.config)?;
    let store = open_store(&args.data.data)?;
    let report = month::compute(&store, &definition.catalogue, month, now.ms())
        .with_context(|| format!("compute {month}"))
        .map_err(Failure::usage)?;
    terminal::print(&render::terminal::scorecard(&report, terminal::colour(), terminal::width()));
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("make the directory {}", args.out.display()))
        .map_err(Failure::io)?;
    let files = Files::of(&report).context("render the report").map_err(Failure::internal)?;
    for format in &args.formats {
        write(&report, &files, *format, &args.out)?;
    }
    Ok(Exit::Ok)
}

fn write(report: &Model, files: &Files, format: Format, out: &Path) -> Result<(), Failure> {
    let html;
    let named: &[(&str, &[u8])] = match format {
        Format::Pdf => &[("report.pdf", &files.pdf)],
        Format::Json => &[("report.json", files.report_json.as_bytes())],
        Format::Csv => &[
            ("outages.csv", files.outages_csv.as_bytes()),
            ("daily.csv", files.daily_csv.as_bytes()),
        ],
        Format::Html => {
            html = render::performance::document(report, &files.digest)
                .context("render report.html")
                .map_err(Failure::internal)?;
            &[("report.html", html.as_bytes())]
        }
    };
    for (name, bytes) in named {
        let path = out.join(name);
        std::fs::write(&path, bytes)
            .with_context(|| format!("write {}", path.display()))
            .map_err(Failure::io)?;
    }
    Ok(())
}
