//! What every long-running command needs of the process: the log, the runtime, the signals that
//! end it, and an attendant.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{InForce, Pulse};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

mod attendant;
mod manager;

pub(crate) use attendant::Attendant;

use crate::cli::LogFormat;
use crate::definition::Definition;
use crate::failure::Failure;
use crate::terminal;

/// How long threads may take to end that do what blocks.
const LAST_THREADS: Duration = Duration::from_millis(100);

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
pub(crate) fn single_threaded() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Failure::io(anyhow::Error::new(error).context("start the runtime")))
}

/// A runtime on the machine's cores.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(4))
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(|error| Failure::io(anyhow::Error::new(error).context("start the runtime")))
}

/// Runs a command's work to its end, and does not wait for threads that are still at something:
/// what they do is either on disk or done again at the next start.
pub(crate) fn finish<T>(runtime: Runtime, work: impl Future<Output = T>) -> T {
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_THREADS);
    done
}

/// The word to stop, and the way to give it.
#[derive(Clone)]
pub(crate) struct Stop {
    sender: watch::Sender<bool>,
    receiver: watch::Receiver<bool>,
}

impl Stop {
    /// Given by SIGINT or SIGTERM; a second one ends the process at once.
    pub(crate) fn on_signal() -> Result<Self, Failure> {
        let failed = |error| Failure::io(anyhow::Error::new(error).context("listen for signals"));
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let (sender, receiver) = watch::channel(false);
        let stop = Self { sender, receiver };
        let asked = stop.clone();
        tokio::spawn(async move {
            loop {
                let (name, code) = tokio::select! {
                    _ = terminate.recv() => ("SIGTERM", 143),
                    _ = interrupt.recv() => ("SIGINT", 130),
                };
                if *asked.receiver.borrow() {
                    tracing::warn!("asked to stop again ({name}): ending at once");
                    end_at_once(code);
                }
                tracing::info!("asked to stop ({name})");
                asked.ask();
            }
        });
        Ok(stop)
    }

    /// Gives the word.
    pub(crate) fn ask(&self) {
        self.sender.send_replace(true);
    }

    /// Waits for it.
    pub(crate) async fn asked(&mut self) {
        // the sender lives as long as this does
        let _ = self.receiver.wait_for(|asked| *asked).await;
    }

    /// What turns true with it.
    pub(crate) fn word(&self) -> watch::Receiver<bool> {
        self.receiver.clone()
    }
}

#[allow(clippy::disallowed_methods, reason = "whoever asks twice does not want to wait")]
fn end_at_once(code: i32) {
    std::process::exit(code);
}

/// What a part of the program is given so that it follows the definition and says how it is.
#[derive(Clone)]
pub(crate) struct Tether {
    /// The definition in force.
    pub(crate) definition: watch::Receiver<Arc<InForce>>,
    /// How the part is.
    pub(crate) pulse: watch::Sender<Option<Pulse>>,
    /// How often it says so.
    pub(crate) beat_every: Duration,
}

impl Tether {
    /// One for a definition that stays, where nobody listens.
    pub(crate) fn loose(definition: &Definition) -> Self {
        let catalogue = Arc::clone(&definition.catalogue);
        let in_force = InForce::new(catalogue, &definition.text, 0);
        Self {
            definition: watch::channel(Arc::new(in_force)).1,
            pulse: watch::Sender::new(None),
            beat_every: Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use mailward_evidence::Stopwatch;

    use super::*;

    #[test]
    fn a_thread_that_blocks_does_not_hold_up_the_end() {
        let took = Stopwatch::start();
        let done = finish(runtime().unwrap(), async {
            let (begun, begins) = tokio::sync::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                let _ = begun.send(());
                std::thread::park_timeout(Duration::from_secs(60));
            });
            begins.await
        });
        assert!(done.is_ok());
        assert!(took.elapsed() < Duration::from_secs(10), "{:?}", took.elapsed());
    }
}
