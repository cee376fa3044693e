//! Mail for probes that are run once, now: a key and a desk that nobody keeps, and the first
//! that is told of each message. A message that is late stays where it arrives.

use std::collections::HashMap;
use std::sync::Arc;

use mailward_catalogue::{Catalogue, Probe};
use mailward_evidence::{AgentName, Clock, Outcome, ProbeId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::accounts::Purse;
use crate::metrics::Metrics;
use crate::net::Net;
use crate::post::desk::{Desk, Told as Telling};
use crate::post::ledger::Ledger;
use crate::post::mailbox::Mailbox;
use crate::post::token::Mint;
use crate::post::{Place, Post, Route};
use crate::run::RunError;
use crate::sink::Sink;

/// Mail of one call.
pub(super) struct Mail {
    pub(super) post: Arc<Post>,
    sinks: std::sync::Mutex<Vec<Sink>>,
}

/// What is told, by probe; the parts that find it run until this is dropped.
pub(super) struct Told {
    outcomes: watch::Receiver<HashMap<ProbeId, Outcome>>,
    _parts: JoinSet<()>,
}

impl Mail {
    pub(super) async fn set_up(
        catalogue: &Catalogue,
        wanted: &impl Fn(&&Probe) -> bool,
        agent: &AgentName,
        metrics: &Arc<Metrics>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, RunError> {
        let mut sinks: Vec<Sink> = Vec::new();
        for probe in catalogue.probes.iter().filter(wanted) {
            let Some(route) = Route::read(probe)? else { continue };
            for place in [route.receive, route.bounces] {
                let Place::Sink(id) = place else { continue };
                let bound = sinks.iter().any(|sink| sink.id() == id);
                let Some(sink) = catalogue.sink(&id).filter(|_| !bound) else { continue };
                match Sink::bind(sink).await {
                    Ok(sink) => sinks.push(sink),
                    // an agent that runs has it: the probe says that it cannot be run
                    Err(error) => {
                        let error = crate::causes::causes(&error);
                        tracing::warn!(error, "a sink cannot be used");
                    }
                }
            }
        }
        let mint = Mint::passing(agent.as_str())?;
        let desk = Desk::new(agent.clone(), Ledger::passing(), Vec::new(), Arc::clone(clock));
        let post = Post::new(catalogue, None, &sinks, mint, desk, Arc::clone(metrics))?;
        Ok(Self { post: Arc::new(post), sinks: std::sync::Mutex::new(sinks) })
    }

    pub(super) fn start(&self, net: &Arc<Net>, purse: &Arc<Purse>, clock: &Arc<dyn Clock>) -> Told {
        let mut parts = JoinSet::new();
        let mut sinks = self.sinks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for sink in sinks.drain(..) {
            parts.spawn(sink.run(Arc::clone(&self.post), Arc::clone(net), Arc::clone(clock)));
        }
        for mailbox in self.post.mailboxes() {
            parts.spawn(Mailbox::new(mailbox, &self.post, net, purse, clock).run());
        }
        let (tell, mut told) = mpsc::channel::<Telling>(16);
        let (note, outcomes) = watch::channel(HashMap::new());
        parts.spawn(async move {
            while let Some(Telling { outcome, kept }) = told.recv().await {
                note.send_modify(|all| {
                    all.insert(outcome.probe.clone(), outcome);
                });
                // whoever waits for this may be gone
                let _ = kept.send(());
            }
        });
        let post = Arc::clone(&self.post);
        parts.spawn(async move { post.desk.run(tell, None, None).await });
        Told { outcomes, _parts: parts }
    }
}

impl Told {
    /// Waits until something is told of the probe's message; its desk sees to it that something
    /// is.
    pub(super) async fn wait_for(&self, probe: &ProbeId) -> Option<Outcome> {
        let mut outcomes = self.outcomes.clone();
        let told = outcomes.wait_for(|told| told.contains_key(probe)).await.ok()?;
        told.get(probe).cloned()
    }
}
