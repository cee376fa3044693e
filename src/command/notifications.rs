//! `mailward notifications`: what channels have told, what waits and what failed; a test message;
//! sending one again.

use std::path::Path;

use anyhow::{Context, anyhow};
use mailward_evidence::Instant;
use mailward_reporter::store::{Addressee, ChannelCounts, LetterState, Store};
use mailward_reporter::{notify, post};

use super::{clock, open_store, queue};
use crate::Outcome;
use crate::cli::Notifications;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::process;
use crate::terminal;

pub(crate) fn run(command: &Notifications) -> Outcome {
    match command {
        Notifications::List { data } => {
            let store = open_store(&data.data)?;
            let all = store.notices().context("read the queue").map_err(Failure::io)?;
            Ok(list(&all))
        }
        Notifications::Test { channel, config, data } => {
            let exit = test(channel, &config.config)?;
            waiting(channel, &data.data)?;
            Ok(exit)
        }
        Notifications::Resend { about, to, data } => {
            let store = open_store(&data.data)?;
            let all = store.notices().context("read the queue").map_err(Failure::io)?;
            let meant = |at: &&Addressee| {
                at.about == *about && to.as_ref().is_none_or(|to| at.address == *to)
            };
            let now_ms = Instant::new(clock().now()).ms();
            let mut again = 0;
            for at in all.iter().filter(meant) {
                let waits = post::wait_again(&store, at, now_ms);
                again += u64::from(waits.context("use the queue").map_err(Failure::io)?);
            }
            if again == 0 {
                return Err(Failure::usage(anyhow!(
                    "expected a notification that bounced or was given up, got {about:?}; \
                     `mailward notifications list` shows them"
                )));
            }
            terminal::line(&format!("{about}: the reporter sends it again"));
            Ok(Exit::Ok)
        }
    }
}

fn test(channel: &str, config: &Path) -> Outcome {
    let definition = definition::load(config)?;
    let catalogue = &definition.catalogue;
    let answers = process::runtime()?
        .block_on(notify::test(catalogue, channel, &*clock()))
        .with_context(|| format!("send a test message over {channel:?}"))
        .map_err(Failure::io)?;
    let Some(answers) = answers else {
        let known: Vec<&str> = catalogue.notify.iter().map(|known| known.id.as_str()).collect();
        let known = match known.is_empty() {
            true => "there is no [[notify]]".to_owned(),
            false => format!("there are {}", known.join(", ")),
        };
        return Err(Failure::usage(anyhow!("unknown channel {channel:?}; {known}")));
    };
    let mut exit = Exit::Ok;
    for (address, answer) in &answers {
        let line = match answer {
            Ok(said) => format!("{address}: taken: {said}"),
            Err(said) => {
                exit = Exit::Finding;
                format!("{address}: not taken: {said}")
            }
        };
        terminal::line(&terminal::clean(&line));
    }
    Ok(exit)
}

/// Says what stands in the queue of a channel, where there is a store.
fn waiting(channel: &str, data: &Path) -> Result<(), Failure> {
    if !Store::is_in(data) {
        return Ok(());
    }
    let counts =
        open_store(data)?.count_notices().context("read the queue").map_err(Failure::io)?;
    if let Some(counts) = counts.get(channel).filter(|counts| counts.pending + counts.failed > 0) {
        let ChannelCounts { pending, failed, .. } = counts;
        terminal::line(&format!("in its queue: {pending} waiting, {failed} failed"));
    }
    Ok(())
}

/// Prints every message; a finding where one failed.
fn list(all: &[Addressee]) -> Exit {
    if all.is_empty() {
        terminal::line("No notification was ever queued.");
        return Exit::Ok;
    }
    queue::print(all);
    let count = |wanted: &dyn Fn(&Addressee) -> bool| all.iter().filter(|at| wanted(at)).count();
    let sent = count(&|at| at.state == LetterState::Sent);
    let pending = count(&|at| !at.state.is_final());
    let failed = all.len() - sent - pending;
    terminal::line(&format!(
        "{} notifications: {sent} sent, {pending} waiting, {failed} failed",
        all.len()
    ));
    if failed > 0 { Exit::Finding } else { Exit::Ok }
}
