//! Mail under way as a part of the agent: its key and ledger in the data directory, its sinks and
//! mailboxes, and the way of what is told to the planner. What they do is `post`'s and `sink`'s.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Catalogue, Sink as Declared};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::home::Home;
use super::{Parts, RunError, Settings};
use crate::metrics::Metrics;
use crate::outbox::keeper::OutboxHandle;
use crate::post::desk::{Desk, Told};
use crate::post::ledger::Ledger;
use crate::post::mailbox::{Mailbox, MailboxAccess};
use crate::post::token::Mint;
use crate::post::{self, Place, Post, Route};
use crate::sink::Sink;

/// The most that is told and not recorded yet.
const TOLD: usize = 64;
/// How often it is looked whether mail is still awaited at a sink that is to close.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Mail under way, ready to start.
pub(super) struct Mail {
    post: Arc<Post>,
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
        let wanted = Sinks::wanted(catalogue, site)?;
        let any = wanted.any_mail || home.mail_ledger().exists();
        if !any {
            return Ok(None);
        }
        let mint = Mint::open(settings.agent.as_str(), &home.mail_key())?;
        let (ledger, restored) = Ledger::open(&home.mail_ledger())?;
        if !restored.is_empty() {
            tracing::info!(messages = restored.len(), "messages were under way; they are awaited");
        }
        let sinks = wanted.bind(&HashMap::new()).await?;
        let clock = Arc::clone(&settings.clock);
        let desk = Desk::new(settings.agent.clone(), ledger, restored, clock);
        let post = Post::new(catalogue, Some(site), &sinks, mint, desk, Arc::clone(metrics))?;
        Ok(Some(Self { post: Arc::new(post), sinks }))
    }

    /// Starts sinks, mailboxes and the desk; what is told comes out of the channel.
    pub(super) fn start(
        self,
        settings: &Settings,
        parts: &Parts,
        outbox: &OutboxHandle,
        tasks: &mut JoinSet<()>,
    ) -> (MailAtWork, mpsc::Receiver<Told>) {
        let Self { post, sinks } = self;
        // it is set once, for the agent has one desk
        let _ = parts.runner.post.set(Arc::clone(&post));
        let mut mail = MailAtWork { post, sinks: HashMap::new(), mailboxes: HashMap::new() };
        for sink in sinks {
            mail.open_sink(sink, settings, parts, tasks);
        }
        mail.open_mailboxes(settings, parts, tasks);
        let (tell, told) = mpsc::channel(TOLD);
        let (outbox, health) = (outbox.clone(), Arc::clone(&parts.health));
        let post = Arc::clone(&mail.post);
        tasks.spawn(async move {
            post.desk.run(tell, Some(outbox), Some(health)).await;
        });
        (mail, told)
    }
}

/// Mail under way, at work.
pub(super) struct MailAtWork {
    post: Arc<Post>,
    sinks: HashMap<String, Open>,
    mailboxes: HashMap<String, (MailboxAccess, AbortHandle)>,
}

/// A sink that listens.
struct Open {
    declared: Declared,
    task: AbortHandle,
    /// What closes it once nothing is awaited there, for it is not in the definition any more.
    closing: Option<AbortHandle>,
}

impl MailAtWork {
    /// Goes on by another definition. A mailbox that no probe names any more is still looked into,
    /// and a sink still listens, for what is under way to it.
    pub(super) async fn take_over(
        &mut self,
        catalogue: &Catalogue,
        settings: &Settings,
        parts: &Parts,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), RunError> {
        let site = settings.site.as_str();
        let wanted = Sinks::wanted(catalogue, site)?;
        let is_closed = |open: &Open| {
            open.task.is_finished() || open.closing.as_ref().is_some_and(AbortHandle::is_finished)
        };
        self.sinks.retain(|_, open| !is_closed(open));
        let fresh = wanted.bind(&self.sinks).await?;
        let is_bound = |id: &str| {
            self.sinks.contains_key(id) || fresh.iter().any(|sink: &Sink| sink.id() == id)
        };
        self.post.reroute(post::routes(catalogue, Some(site), is_bound)?);
        for (id, open) in &mut self.sinks {
            match wanted.declared.iter().find(|sink| sink.id == *id) {
                Some(sink) => {
                    if let Some(closing) = open.closing.take() {
                        closing.abort();
                    }
                    if **sink != open.declared {
                        tracing::warn!("the sink {id} is another by now, which takes a restart");
                    }
                }
                None if open.closing.is_none() => {
                    let (post, task) = (Arc::clone(&self.post), open.task.clone());
                    let place = Place::Sink(id.clone()).name();
                    // not one of the tasks: the agent would take its end for a failure
                    let closing = tokio::spawn(async move {
                        while post.desk.needs(&place) {
                            tokio::time::sleep(LOOK_AGAIN).await;
                        }
                        task.abort();
                    });
                    open.closing = Some(closing.abort_handle());
                }
                None => {}
            }
        }
        for sink in fresh {
            self.open_sink(sink, settings, parts, tasks);
        }
        self.open_mailboxes(settings, parts, tasks);
        Ok(())
    }

    fn open_sink(
        &mut self,
        sink: Sink,
        settings: &Settings,
        parts: &Parts,
        tasks: &mut JoinSet<()>,
    ) {
        let declared = sink.declared().clone();
        let (post, net) = (Arc::clone(&self.post), Arc::clone(&parts.net));
        let task = tasks.spawn(sink.run(post, net, Arc::clone(&settings.clock)));
        self.sinks.insert(declared.id.clone(), Open { declared, task, closing: None });
    }

    fn open_mailboxes(&mut self, settings: &Settings, parts: &Parts, tasks: &mut JoinSet<()>) {
        for access in self.post.mailboxes() {
            let name = access.name();
            match self.mailboxes.get(&name) {
                Some((before, _)) if *before == access => continue,
                Some((_, task)) => task.abort(),
                None => {}
            }
            let Parts { net, purse, .. } = parts;
            let mailbox = Mailbox::new(access.clone(), &self.post, net, purse, &settings.clock);
            self.mailboxes.insert(name, (access, tasks.spawn(mailbox.run())));
        }
    }
}

/// The sinks that probes of a definition name.
struct Sinks<'a> {
    declared: Vec<&'a Declared>,
    /// Whether any probe sends mail.
    any_mail: bool,
}

impl<'a> Sinks<'a> {
    fn wanted(catalogue: &'a Catalogue, site: &str) -> Result<Self, RunError> {
        let mut named: Vec<String> = Vec::new();
        let mut any_mail = false;
        for probe in catalogue.probes.iter().filter(|probe| probe.runs_at(site)) {
            let Some(route) = Route::read(probe)? else { continue };
            any_mail = true;
            for place in [route.receive, route.bounces] {
                if let Place::Sink(id) = place {
                    named.push(id);
                }
            }
        }
        let here = catalogue.sinks.iter().filter(|sink| sink.runs_at(site));
        Ok(Self { declared: here.filter(|sink| named.contains(&sink.id)).collect(), any_mail })
    }

    /// Takes hold of their ports, but for those that are open.
    async fn bind(&self, open: &HashMap<String, Open>) -> Result<Vec<Sink>, RunError> {
        let mut sinks = Vec::new();
        for sink in self.declared.iter().filter(|sink| !open.contains_key(&sink.id)) {
            if let Some((held_by, _)) = open.iter().find(|(_, o)| o.declared.listen == sink.listen)
            {
                return Err(RunError::SinkHeld {
                    id: sink.id.clone(),
                    address: sink.listen,
                    held_by: held_by.clone(),
                });
            }
            sinks.push(Sink::bind(sink).await?);
        }
        Ok(sinks)
    }
}
