//! `mailward reporter`: ingest, store, page and reports, as a process of its own.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use mailward_reporter::run::Settings;

use super::clock;
use crate::Outcome;
use crate::cli::Reporter;
use crate::definition::{self, Needs};
use crate::failure::{Exit, Failure};
use crate::process::{self, Attendant, Stop, Tether};

pub(crate) fn run(args: &Reporter) -> Outcome {
    let definition = definition::load_with(&args.config.config, Needs::REPORTER)?;
    let listener = listen(args.listen)?;
    let address = listener.local_addr().context("read own address").map_err(Failure::io)?;
    let is_encrypted = definition.catalogue.reporter.tls.is_some();
    let scheme = if is_encrypted { "https" } else { "http" };
    let config = args.config.config.clone();
    let work = async {
        let stop = Stop::on_signal()?;
        let mut attendant =
            Attendant::new(&definition, move || definition::again(&config, Needs::REPORTER))?;
        let Tether { definition: followed, pulse, beat_every } = attendant.tether();
        let settings = Settings {
            definition: followed,
            data: args.data.data.clone(),
            listener,
            beside: None,
            clock: clock(),
            demo: false,
            pulse,
            beat_every,
        };
        let attending = tokio::spawn(attendant.attend(stop.clone()));
        tracing::info!("reporter listens on {scheme}://{address}/");
        mailward_reporter::run::run(settings, stop.word())
            .await
            .context("run the reporter")
            .map_err(Failure::io)?;
        attending.await.context("the attendant's task").map_err(Failure::internal)
    };
    process::finish(process::runtime()?, work)?;
    Ok(Exit::Ok)
}

/// Takes the port before anything else is done, so that a taken one is said at once.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let failed = || format!("listen on {address}; choose another with --listen");
    let listener = TcpListener::bind(address).with_context(failed).map_err(Failure::io)?;
    listener.set_nonblocking(true).with_context(failed).map_err(Failure::io)?;
    Ok(listener)
}
