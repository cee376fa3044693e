//! Mail under way as a part of the agent: its key and ledger in the data directory, its sinks and
//! mailboxes, and the way of what is told to the planner. What they do is `post`'s and `sink`'s.

use std::sync::Arc;

use mailward_catalogue::Catalogue;
use mailward_evidence::Clock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::home::Home;
use super::{Parts, RunError, Settings};
use crate::metrics::Metrics;
use crate::outbox::keeper::OutboxHandle;
use crate::post::desk::{Desk, Told};
use crate::post::ledger::Ledger;
use crate::post::mailbox::Mailbox;
use crate::post::token::Mint;
use crate::post::{Place, Post, Route};
use crate::sink::Sink;

/// The most that is told and not recorded yet.
const TOLD: usize = 64;

/// Mail under way, ready to start.
pub(super) struct Mail {
    pub(super) post: Arc<Post>,
    sinks: Vec<Sink>,
}

impl Mail {
    /// Opens what is kept and takes hold of the sinks' ports; `None` where no probe of this agent
    /// sends mail and none is under way.
    pub(super) async fn open(
        catalogue: &Catalogue,
        settings: &Settings,
        home: &Home,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Self>, RunError> {
        let site = settings.site.as_str();
        let mut wanted: Vec<String> = Vec::new();
        let mut any = home.mail_ledger().exists();
        for probe in catalogue.probes.iter().filter(|probe| probe.runs_at(site)) {
            let Some(route) = Route::read(probe)? else { continue };
            any = true;
            for place in [route.receive, route.bounces] {
                if let Place::Sink(id) = place {
                    wanted.push(id);
                }
            }
        }
        if !any {
            return Ok(None);
        }
        let mint = Mint::open(settings.agent.as_str(), &home.mail_key())?;
        let (ledger, restored) = Ledger::open(&home.mail_ledger())?;
        if !restored.is_empty() {
            tracing::info!(messages = restored.len(), "messages were under way; they are awaited");
        }
        let mut sinks = Vec::new();
        for sink in catalogue.sinks.iter().filter(|sink| sink.runs_at(site)) {
            if wanted.contains(&sink.id) {
                sinks.push(Sink::bind(sink).await?);
            }
        }
        let clock = Arc::clone(&settings.clock);
        let desk = Desk::new(settings.agent.clone(), ledger, restored, clock);
        let post = Post::new(catalogue, Some(site), &sinks, mint, desk, Arc::clone(metrics))?;
        Ok(Some(Self { post: Arc::new(post), sinks }))
    }

    /// Starts sinks, mailboxes and the desk; what is told comes out of the channel.
    pub(super) fn start(
        self,
        parts: &Parts,
        clock: &Arc<dyn Clock>,
        outbox: &OutboxHandle,
        aside: &mut JoinSet<()>,
    ) -> mpsc::Receiver<Told> {
        let Self { post, sinks } = self;
        for sink in sinks {
            aside.spawn(sink.run(Arc::clone(&post), Arc::clone(&parts.net), Arc::clone(clock)));
        }
        for mailbox in post.mailboxes() {
            let mailbox = Mailbox::new(mailbox, &post, &parts.net, &parts.purse, clock);
            aside.spawn(mailbox.run());
        }
        let (tell, told) = mpsc::channel(TOLD);
        let (outbox, health) = (outbox.clone(), Arc::clone(&parts.health));
        aside.spawn(async move {
            post.desk.run(tell, Some(outbox), Some(health)).await;
        });
        told
    }
}
