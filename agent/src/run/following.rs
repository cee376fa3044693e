//! Follows the definition while the agent runs: builds what a new one asks for, then lets every
//! part go on by it at once. One that cannot be built changes nothing. What holds for the life of
//! the process is said and left as it is.

use std::collections::HashMap;
use std::sync::Arc;

use mailward_catalogue::{Catalogue, InForce, Probe, Schedule};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::home::Home;
use super::mail::{Mail, MailAtWork};
use super::planner::{Change, Planned};
use super::pulse::Working;
use super::{Hosts, Parts, RunError, Settings, record_roster, rhythm};
use crate::causes::causes;
use crate::net::Net;
use crate::outbox::keeper::OutboxHandle;
use crate::run::runner::Runnable;

/// What was built of a definition: its probes, ready to run.
pub(super) struct Built {
    catalogue: Arc<Catalogue>,
    hosts: Hosts,
    probes: HashMap<String, (Probe, Arc<Runnable>)>,
}

impl Built {
    pub(super) fn nothing(catalogue: &Arc<Catalogue>, hosts: Hosts) -> Self {
        Self { catalogue: Arc::clone(catalogue), hosts, probes: HashMap::new() }
    }

    /// The probes of another definition; what would run as before is what ran before.
    pub(super) fn next(
        &self,
        catalogue: &Arc<Catalogue>,
        settings: &Settings,
        net: &Arc<Net>,
    ) -> Result<(Self, Vec<Planned>), RunError> {
        let mut next = Self::nothing(catalogue, self.hosts.clone());
        let mut planned = Vec::new();
        let same_zone = self.catalogue.service.zone_name == catalogue.service.zone_name;
        for probe in catalogue.probes.iter().filter(|p| p.runs_at(settings.site.as_str())) {
            let before = self.probes.get(&probe.id);
            let runnable = match before.filter(|(before, _)| before.runs_like(probe)) {
                Some((_, runnable)) => Arc::clone(runnable),
                None => Arc::new(next.hosts.runnable(probe, net)?),
            };
            let cron = matches!(probe.schedule, Schedule::Cron(_));
            let keeps_time = before.is_some_and(|(before, _)| {
                before.schedule == probe.schedule
                    && before.retry_every == probe.retry_every
                    && (same_zone || !cron)
            });
            planned.push(Planned {
                probe: Arc::clone(&runnable),
                rhythm: rhythm(probe, settings.agent.as_str(), catalogue)?,
                retry_every_ms: i64::try_from(probe.retry_every.as_millis()).unwrap_or(i64::MAX),
                keeps_time,
                cron,
                component: probe.component.clone(),
                kind: probe.kind.name,
            });
            next.probes.insert(probe.id.clone(), (probe.clone(), runnable));
        }
        Ok((next, planned))
    }
}

/// What follows the definition.
pub(super) struct Following<'a> {
    pub(super) settings: &'a Settings,
    pub(super) home: &'a Home,
    pub(super) parts: &'a Parts,
    pub(super) outbox: &'a OutboxHandle,
    pub(super) built: Built,
    /// The definition that the process started with.
    pub(super) at_start: Arc<Catalogue>,
    pub(super) mail: Option<MailAtWork>,
    pub(super) working: watch::Sender<Working>,
    pub(super) changes: mpsc::Sender<Change>,
    /// What runs beside the schedule: sinks, mailboxes, the desk.
    pub(super) tasks: JoinSet<()>,
}

impl Following<'_> {
    /// Follows the definition until a part of mail ends that should not.
    pub(super) async fn follow(mut self) -> RunError {
        let mut definition = self.settings.definition.clone();
        loop {
            tokio::select! {
                Ok(()) = definition.changed() => {
                    let in_force = Arc::clone(&definition.borrow_and_update());
                    self.take(in_force).await;
                }
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    // what is not wanted any more was told to end
                    if !ended.is_err_and(|error| error.is_cancelled()) {
                        return RunError::Ended("a sink, a mailbox or the desk");
                    }
                }
                // nobody will bring another one
                else => std::future::pending().await,
            }
        }
    }

    async fn take(&mut self, in_force: Arc<InForce>) {
        let metrics = &self.parts.runner.metrics;
        let mut obstacle = None;
        if !Arc::ptr_eq(&in_force.catalogue, &self.built.catalogue) {
            let taken = self.take_up(&in_force.catalogue).await;
            obstacle = taken.err().map(|error| causes(&error));
        }
        match &obstacle {
            Some(why) => {
                tracing::error!(%why, "the new definition cannot be taken up; the one before stays");
                metrics.refused_definition();
            }
            None => metrics.definition(in_force.since_ms, in_force.is_latest),
        }
        let probes = self.built.probes.len();
        self.working.send_replace(Working { by: in_force, probes, obstacle });
    }

    async fn take_up(&mut self, catalogue: &Arc<Catalogue>) -> Result<(), RunError> {
        let Self { settings, parts, .. } = *self;
        let (built, planned) = self.built.next(catalogue, settings, &parts.net)?;
        let references = catalogue.agent.as_ref().map_or(&[][..], |agent| &agent.references);
        parts.health.refer_to(references)?;
        parts.way.renew(&settings.token.borrow())?;
        let mut told = None;
        match &mut self.mail {
            Some(mail) => mail.take_over(catalogue, settings, parts, &mut self.tasks).await?,
            None => {
                let metrics = &parts.runner.metrics;
                if let Some(mail) = Mail::open(catalogue, settings, self.home, metrics).await? {
                    let (mail, tells) = mail.start(settings, parts, self.outbox, &mut self.tasks);
                    (self.mail, told) = (Some(mail), Some(tells));
                }
            }
        }
        parts.purse.take_over(catalogue);
        for key in only_at_start(&self.at_start, catalogue) {
            tracing::warn!("[agent] {key} is another by now, which takes a restart of the agent");
        }
        let (taken, answer) = oneshot::channel();
        // where the schedule is gone, the agent is about to end
        let _ = self.changes.send(Change { planned, told, taken }).await;
        let _ = answer.await;
        self.built = built;
        record_roster(catalogue, settings, self.home, self.outbox).await?;
        tracing::info!(probes = self.built.probes.len(), "the new definition is in force");
        Ok(())
    }
}

/// The keys of `[agent]` that hold for the life of the process and differ.
fn only_at_start(old: &Catalogue, new: &Catalogue) -> Vec<&'static str> {
    let (Some(old), Some(new)) = (&old.agent, &new.agent) else { return Vec::new() };
    let keys = [
        ("name", old.name == new.name),
        ("site", old.site == new.site),
        ("trust", old.trust == new.trust),
        ("resolver", old.resolver == new.resolver),
        ("references_smtp", old.references_smtp == new.references_smtp),
        ("max_concurrent", old.max_concurrent == new.max_concurrent),
        ("max_per_host", old.max_per_host == new.max_per_host),
        ("outbox_max_bytes", old.outbox_max_bytes == new.outbox_max_bytes),
        ("outbox_max_age", old.outbox_max_age == new.outbox_max_age),
    ];
    keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}
