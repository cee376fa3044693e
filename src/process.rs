//! What every long-running command needs of the process: the log, the runtime, and the
//! signals that end it.

use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::failure::Failure;
use crate::terminal;

/// Starts the log on standard error. `MAILWARD_LOG` overrides the level, as
/// `MAILWARD_LOG=mailward_agent=debug`.
pub(crate) fn start_log(format: LogFormat, quiet: u8, verbose: u8) {
    let level = match i16::from(verbose) - i16::from(quiet) {
        i16::MIN..=-2 => "error",
        -1 => "warn",
        0 => "info",
        1 => "debug",
        2.. => "trace",
    };
    // libraries stay quiet unless they are in trouble; a proof that fails is a finding, not trouble
    let default = format!(
        "warn,hickory_net=error,mailward={level},mailward_agent={level},\
         mailward_reporter={level},mailward_lab=warn"
    );
    let filter = EnvFilter::try_from_env("MAILWARD_LOG").unwrap_or_else(|_| default.into());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => builder.with_ansi(terminal::colour_on(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// A runtime on one thread: what an agent does is small and often, and waking a second thread
/// for it would cost more than the work itself.
pub(crate) fn single_threaded() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Failure::io(anyhow::Error::new(error).context("start the runtime")))
}

/// A runtime on the machine's cores.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(4))
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(|error| Failure::io(anyhow::Error::new(error).context("start the runtime")))
}

/// Turns true when the process is asked to end (SIGINT or SIGTERM).
pub(crate) fn shutdown_signal() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Failure::io(anyhow::Error::new(error).context("listen for signals"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop (SIGTERM)"),
            _ = interrupt.recv() => tracing::info!("asked to stop (SIGINT)"),
        }
        let _ = sender.send(true);
        // keep the channel open until everybody has seen it
        sender.closed().await;
    });
    Ok(receiver)
}
