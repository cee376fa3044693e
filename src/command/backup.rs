//! `mailward backup` and `mailward restore`: what a reporter keeps as one file, and back.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mailward_evidence::Instant;
use mailward_reporter::backup::{self, BackupError, Order, Stage};

use super::clock;
use crate::Outcome;
use crate::cli::{Backup, Restore};
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn backup(args: &Backup) -> Outcome {
    let order = Order {
        data: &args.data.data,
        out: &args.out,
        with_keys: !args.without_keys,
        keep: args.keep,
        now: Instant::new(clock().now()),
    };
    let shown = progress();
    let taken = backup::take(&order, &mut |stage| shown.set_message(says(stage)));
    shown.finish_and_clear();
    let taken = taken.map_err(refused)?;
    terminal::line(&format!("{}: {} bytes, checked", taken.file.display(), taken.bytes));
    for old in &taken.removed {
        terminal::note(&format!("removed {}", old.display()));
    }
    if taken.has_key {
        terminal::note(
            "It holds the key that signs editions: whoever reads it can sign in the service's \
             name. --without-keys leaves it out.",
        );
    } else if !args.without_keys {
        terminal::note(
            "No signing-key.pem stands in the data directory: keep a copy of what [report] \
             signing_key names, it is not in this backup.",
        );
    }
    if !taken.noted {
        terminal::note("The store was not told of it, so the metric of its age does not know it.");
    }
    Ok(Exit::Ok)
}

pub(crate) fn restore(args: &Restore) -> Outcome {
    let shown = progress();
    let data = &args.data.data;
    let restored = backup::restore(&args.file, data, &mut |s| shown.set_message(says(s)));
    shown.finish_and_clear();
    let restored = restored.map_err(refused)?;
    terminal::line(&format!(
        "{}: restored as it was at {}, store version {}, made by Mailward {}",
        data.display(),
        restored.taken,
        restored.store_version,
        terminal::clean(&restored.program),
    ));
    terminal::note(&format!(
        "What agents delivered after {} is not there, and they do not send it again: that time \
         counts as unobserved, unless another copy of the evidence is imported.",
        restored.taken
    ));
    if !restored.has_key {
        terminal::note(
            "No key was in it: put signing-key.pem into the directory before the reporter starts, \
             or it makes a new one.",
        );
    }
    Ok(Exit::Ok)
}

fn refused(error: BackupError) -> Failure {
    if error.is_misuse() { Failure::usage(error) } else { Failure::io(error) }
}

const fn says(stage: Stage) -> &'static str {
    match stage {
        Stage::Copying => "copying the store",
        Stage::Checking => "checking the store",
        Stage::Packing => "packing",
        Stage::Unpacking => "unpacking, and checking digests",
    }
}

/// What is being done, on a terminal only.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
    let shown = ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    shown.enable_steady_tick(Duration::from_millis(200));
    shown
}
