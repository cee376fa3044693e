//! Runs probes once, now, outside of any schedule: what `mailward probe` does. Nothing is kept
//! or delivered.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use mailward_catalogue::{Catalogue, Probe, Schedule};
use mailward_evidence::{AgentName, Clock, IdError, Instant, Outcome, Verdict};
use tokio::sync::Semaphore;

use crate::accounts::Purse;
use crate::devices::Devices;
use crate::guard::Memory;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::net::Net;
use crate::run::runner::{Runner, write_down};
use crate::run::{Hosts, RunError, rhythm};
use crate::turn::Turn;

mod mail;

use mail::Mail;

/// The name that outcomes bear where the definition has no `[agent]`.
const NAMELESS: &str = "probe";
/// The most probes at once, in all and towards one host.
const MAX_CONCURRENT: usize = 32;
const MAX_PER_HOST: usize = 8;
/// How long a probe waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Why probes could not be run.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// There is no probe of this id.
    #[error("no probe has the id {id:?}; there are {known}")]
    NoSuchProbe {
        /// What was asked for.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// The agent's name cannot stand in evidence.
    #[error("read [agent].name")]
    Name(#[source] IdError),
    /// The parts cannot be set up.
    #[error(transparent)]
    Setup(#[from] RunError),
}

/// Runs the probes `ids` once (all of them, whatever their site, if `ids` is empty), side by
/// side; outcomes are in the order of the definition. Accounts are spared as `memory` has it.
///
/// # Errors
/// When an id is unknown or a probe cannot be built; what probes see is in the outcomes.
pub async fn probe_once(
    catalogue: &Catalogue,
    ids: &[String],
    memory: Memory,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Outcome>, OnceError> {
    if let Some(id) = ids.iter().find(|id| catalogue.probe(id).is_none()) {
        let known: Vec<&str> = catalogue.probes.iter().map(|probe| probe.id.as_str()).collect();
        return Err(OnceError::NoSuchProbe { id: id.clone(), known: known.join(", ") });
    }
    let agent = catalogue.agent.as_ref();
    let name =
        AgentName::new(agent.map_or(NAMELESS, |agent| &agent.name)).map_err(OnceError::Name)?;
    let trust = agent.and_then(|agent| agent.trust.as_deref());
    let net = Net::new(trust, agent.and_then(|a| a.resolver)).map_err(RunError::from)?;
    let smtp = agent.map_or(&[][..], |agent| &agent.references_smtp);
    let net = Arc::new(net.with_smtp_references(smtp));
    let metrics = Arc::new(Metrics::new().map_err(RunError::from)?);
    let references = agent.map_or(&[][..], |agent| &agent.references);
    let health = Health::new(references, Arc::clone(&net), Arc::clone(clock), Arc::clone(&metrics));
    let wanted = |probe: &&Probe| ids.is_empty() || ids.contains(&probe.id);
    let mail = Mail::set_up(catalogue, &wanted, &name, &metrics, clock).await?;
    let (own, shown) = (Arc::clone(clock), Arc::clone(&metrics));
    let tokens = memory.home().map(|home| home.join("tokens"));
    let purse = Arc::new(Purse::new(catalogue, memory, tokens, own, shown));
    let told = mail.start(&net, &purse, clock);
    let runner = Runner {
        overall: Semaphore::new(MAX_CONCURRENT),
        purse,
        post: OnceLock::from(Arc::clone(&mail.post)),
        devices: Devices::new(name.as_str(), None),
        health: Arc::new(health.map_err(RunError::from)?),
        clock: Arc::clone(clock),
        metrics,
    };
    let mut hosts = Hosts::new(MAX_PER_HOST);
    let due_ms = clock.now().as_millisecond();
    let due = Instant::from_ms(due_ms).unwrap_or_else(|| Instant::new(clock.now()));
    let mut runs = Vec::new();
    for probe in &catalogue.probes {
        if !ids.is_empty() && !ids.contains(&probe.id) {
            continue;
        }
        let runnable = hosts.runnable(probe, &net)?;
        let next_ms = match &probe.schedule {
            Schedule::Every(every) => i64::try_from(every.as_millis()).ok(),
            Schedule::Cron(_) => rhythm(probe, name.as_str(), catalogue)?
                .next_after(due_ms)
                .map(|next| next - due_ms),
        };
        let next_due_ms = next_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(1).max(1);
        let (runner, name, told) = (&runner, &name, &told);
        runs.push(async move {
            let id = runnable.id.clone();
            let turn = Turn { due_ms, attempt: 0 };
            let mut outcome =
                Outcome::new(name.clone(), id.clone(), due, next_due_ms, Verdict::Unknown);
            match runner.run(&runnable, turn, PATIENCE).await {
                Some(sight) if sight.seen.is_under_way => {
                    let (phases, facts) = sight.into_parts();
                    let run = (id.as_str(), due_ms, 0);
                    if let Some(post) = runner.post.get() {
                        post.desk.settle(run, next_due_ms, phases, facts);
                    }
                    told.wait_for(&id).await.unwrap_or(outcome)
                }
                Some(sight) => {
                    write_down(sight, &mut outcome);
                    outcome
                }
                None => outcome,
            }
        });
    }
    Ok(join_all(runs).await)
}
