//! `mailward publish`: freezes a month as an edition, and says what it changes.

use anyhow::Context;
use mailward_reporter::language::english;
use mailward_reporter::month::{ComputeError, Month};
use mailward_reporter::post;
use mailward_reporter::publish::{PublishError, Publisher, figures};
use mailward_reporter::sign::SigningKey;

use super::{clock, open_store};
use crate::Outcome;
use crate::cli::Publish;
use crate::definition::{self, Needs};
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(args: &Publish) -> Outcome {
    let month: Month = args.month.parse().context("--month").map_err(Failure::usage)?;
    let definition = definition::load_with(&args.config.config, Needs::REPORTER)?;
    let store = open_store(&args.data.data)?;
    let now_ms = mailward_evidence::Instant::new(clock().now()).ms();
    let key = SigningKey::of(definition.catalogue.report.signing_key.as_ref(), &args.data.data)
        .context("get the key that signs editions")
        .map_err(Failure::io)?;
    let publisher = Publisher {
        store: &store,
        catalogue: &definition.catalogue,
        definition: &definition.text,
        demo: false,
        key: &key,
    };
    let distribution = definition.catalogue.distribution.as_ref();
    // what is published from now on is mailed
    let since_ms = distribution.map(|_| post::since_ms(&store, now_ms)).transpose();
    let since_ms = since_ms.context("use the queue of letters").map_err(Failure::io)?;
    let edition = publisher
        .publish(month, &args.by, args.reason.as_deref(), now_ms)
        .map_err(|error| refused(month, error))?;
    terminal::line(&format!("{month}: edition {} is published", edition.number));
    if let Some(changes) = &edition.report.changes {
        if changes.levels.is_empty() {
            terminal::line(&format!("  No figure differs from edition {}.", changes.since));
        }
        let levels = changes.levels.iter().map(|level| figures::sentence(level, english()));
        let why = changes.definition.iter().chain(&changes.evidence).cloned();
        for sentence in levels.chain(why) {
            terminal::line(&format!("  {sentence}"));
        }
    }
    if let Some((distribution, since_ms)) = distribution.zip(since_ms) {
        post::queue_editions(&store, distribution, since_ms, now_ms)
            .context("queue the letters; the reporter does it otherwise")
            .map_err(Failure::io)?;
        let to = distribution.to.len();
        terminal::line(&format!("  The reporter mails it to {to} of [distribution]."));
    }
    Ok(Exit::Ok)
}

/// What is asked for wrongly ends with 64, a store that fails with 74.
fn refused(month: Month, error: PublishError) -> Failure {
    let as_failure = match &error {
        PublishError::Running { .. }
        | PublishError::Unnamed
        | PublishError::Unreasoned { .. }
        | PublishError::Compute(ComputeError::Report(_)) => Failure::usage,
        PublishError::Render(_) | PublishError::Pack { .. } => Failure::internal,
        PublishError::Compute(ComputeError::Store { .. })
        | PublishError::Earlier(_)
        | PublishError::Store { .. } => Failure::io,
    };
    as_failure(anyhow::Error::new(error).context(format!("publish {month}")))
}
