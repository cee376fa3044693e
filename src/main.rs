//! The `mailward` command: reads arguments, joins agent and reporter, and turns what happened
//! into an exit code. What is measured and how figures are made is left to the crates.

mod cli;
mod command;
mod definition;
mod demo;
mod failure;
mod init;
mod process;
mod remedy;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // help and version are asked for; everything else is bad usage
            let wanted = !error.use_stderr();
            let _ = error.print();
            return if wanted { Exit::Ok.into() } else { Exit::Usage.into() };
        }
    };
    process::start_log(cli.log_format, cli.quiet, cli.verbose);
    // one provider for every TLS connection of the process; a second call is a no-op
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command::run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::complain(&failure.to_string());
            failure.exit().into()
        }
    }
}

/// What a command gives: how it ended, or why it could not be carried out.
type Outcome = Result<Exit, Failure>;
