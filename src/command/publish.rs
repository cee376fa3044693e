//! `mailward publish`: freezes a month as an edition.

use anyhow::Context;
use mailward_reporter::month::Month;
use mailward_reporter::publish::Publisher;

use super::{clock, open_store};
use crate::Outcome;
use crate::cli::Publish;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(args: &Publish) -> Outcome {
    let month: Month = args.month.parse().context("--month").map_err(Failure::usage)?;
    let definition = definition::load(&args.config.config)?;
    let store = open_store(&args.data.data)?;
    let now_ms = mailward_evidence::Instant::new(clock().now()).ms();
    let publisher = Publisher {
        store: &store,
        catalogue: &definition.catalogue,
        definition: &definition.text,
        demo: false,
    };
    let edition = publisher
        .publish(month, &args.by, args.reason.as_deref(), now_ms)
        .with_context(|| format!("publish {month}"))
        .map_err(Failure::usage)?;
    terminal::line(&format!("{month}: edition {} is published", edition.number));
    Ok(Exit::Ok)
}
