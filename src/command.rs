//! One file a command. Each joins parts of the crates and prints for people.

mod agent;
mod agents;
mod backup;
mod check;
mod credentials;
mod demo;
mod differing;
mod distribution;
mod editions;
mod evidence;
mod failures;
mod health;
mod init;
mod keys;
mod notifications;
mod probe;
mod publish;
mod queue;
mod report;
mod reporter;
mod up;
mod verify;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::CommandFactory;
use mailward_evidence::{Clock, Instant, SystemClock};
use mailward_reporter::store::Store;

use crate::Outcome;
use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(cli: Cli) -> Outcome {
    match cli.command {
        Command::Up(args) => up::run(args),
        Command::Agent(args) => agent::run(&args),
        Command::Reporter(args) => reporter::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Import(args) => evidence::import(&args),
        Command::Export(args) => evidence::export(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Report(args) => report::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Editions(command) => editions::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Distribution(command) => distribution::run(&command),
        Command::Notifications(command) => notifications::run(&command),
        Command::Failures(args) => failures::run(&args),
        Command::Credentials(command) => credentials::run(command),
        Command::Agents(command) => agents::run(command),
        Command::Health { url } => health::run(&url),
        Command::Schema => schema(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mailward", &mut script);
            terminal::print(&String::from_utf8_lossy(&script));
            Ok(Exit::Ok)
        }
        Command::Man { out } => manual(out.as_deref()),
    }
}

fn schema() -> Outcome {
    let text = serde_json::to_string_pretty(&mailward_catalogue::schema())
        .context("write the schema")
        .map_err(Failure::internal)?;
    terminal::line(&text);
    Ok(Exit::Ok)
}

fn manual(out: Option<&Path>) -> Outcome {
    let command = Cli::command();
    if let Some(directory) = out {
        std::fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(command, directory))
            .with_context(|| format!("write manual pages into {}", directory.display()))
            .map_err(Failure::io)?;
        return Ok(Exit::Ok);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .context("write the manual page")
        .map_err(Failure::internal)?;
    terminal::print(&String::from_utf8_lossy(&page));
    Ok(Exit::Ok)
}

/// The machine's clock.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Opens the store in `directory`.
fn open_store(directory: &Path) -> Result<Store, Failure> {
    Store::open(directory, clock())
        .with_context(|| format!("open the store in {}", directory.display()))
        .map_err(Failure::io)
}

/// Reads an instant given on the command line.
fn instant(option: &str, text: &str) -> Result<Instant, Failure> {
    Instant::parse(text).map_err(|error| Failure::usage(anyhow::anyhow!("{option}: {error}")))
}
