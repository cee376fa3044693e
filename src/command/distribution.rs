//! `mailward distribution`: what became of the letters that bring published reports.

use anyhow::{Context, anyhow};
use mailward_evidence::Instant;
use mailward_reporter::post;
use mailward_reporter::store::{Addressee, LetterState};

use super::{clock, open_store, queue};
use crate::Outcome;
use crate::cli::Distribution;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(command: &Distribution) -> Outcome {
    match command {
        Distribution::List { data } => {
            let store = open_store(&data.data)?;
            let all = store.addressees("").context("read the queue").map_err(Failure::io)?;
            Ok(list(&all))
        }
        Distribution::Again { about, to, data } => {
            let store = open_store(&data.data)?;
            let now_ms = Instant::new(clock().now()).ms();
            let found = post::again(&store, about, to, now_ms);
            if !found.context("use the queue").map_err(Failure::io)? {
                return Err(Failure::usage(anyhow!(
                    "expected a letter that bounced, was given up or is uncertain, got \
                     {about:?} to {to:?}; `mailward distribution list` shows them"
                )));
            }
            terminal::line(&format!("{about} to {to}: the reporter sends it again"));
            Ok(Exit::Ok)
        }
    }
}

/// Prints every letter; a finding where one did not arrive.
fn list(all: &[Addressee]) -> Exit {
    if all.is_empty() {
        terminal::line("No letter was ever queued.");
        return Exit::Ok;
    }
    queue::print(all);
    let lost = [LetterState::Bounced, LetterState::GivenUp, LetterState::Uncertain];
    let ill = all.iter().filter(|at| lost.contains(&at.state)).count();
    let sent = all.iter().filter(|at| at.state == LetterState::Sent).count();
    terminal::line(&format!("{} letters: {sent} sent, {ill} did not surely arrive", all.len()));
    if ill > 0 { Exit::Finding } else { Exit::Ok }
}
