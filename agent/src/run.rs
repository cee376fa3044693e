//! The agent as a whole: joins schedule, probes, health, outbox, delivery and metrics, and stops
//! them in an order that loses nothing. The parts know nothing of each other.

mod following;
mod home;
mod listen;
mod mail;
mod planner;
mod pulse;
pub(crate) mod runner;
mod wake;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mailward_catalogue::{Catalogue, InForce, Probe, Pulse, Schedule, Secret};
use mailward_evidence::{
    AgentName, Clock, IdError, ProbeId, Record, Roster, RosterProbe, SiteName,
};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use url::Url;

use crate::accounts::Purse;
use crate::deliver::{DeliverError, Delivery, Destination, Way};
use crate::devices::Devices;
use crate::guard::Memory;
use crate::health::{Health, ReferenceError};
use crate::metrics::{Metrics, MetricsError};
use crate::net::{Net, NetError};
use crate::outbox::keeper::{Keeper, OutboxHandle};
use crate::outbox::{Limits, Outbox, OutboxError};
use crate::post::ledger::LedgerError;
use crate::post::token::KeyError;
use crate::probe::{self, BuildError};
use crate::schedule::{Cron, CronError, Rhythm};
use crate::sink::SinkError;
use following::{Built, Following};
use home::Home;
pub use home::HomeError;
use mail::Mail;
use planner::Planner;
use pulse::{Vitals, Working};
use runner::{Runnable, Runner};

/// The most probes at once, in all, where the definition does not say.
const MAX_CONCURRENT: usize = 64;
/// The most probes at once towards one host, where the definition does not say.
const MAX_PER_HOST: usize = 8;
const OUTBOX_MAX_BYTES: u64 = 1 << 30;
const OUTBOX_MAX_AGE: Duration = Duration::from_secs(30 * 86_400);
/// How long a stopping agent waits for a last delivery.
const LAST_DELIVERY: Duration = Duration::from_secs(1);

/// What an agent needs to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The definition. Each new one is taken up while the agent runs, but for what holds for the
    /// life of the process.
    pub definition: watch::Receiver<Arc<InForce>>,
    /// The agent's name; its evidence bears it.
    pub agent: AgentName,
    /// Where it stands; it runs the probes of this site.
    pub site: SiteName,
    /// The reporter's address.
    pub reporter: Url,
    /// The token it delivers with; each new one is used from then on.
    pub token: watch::Receiver<Secret>,
    /// Its own directory: outbox, accounts, refused records.
    pub data: PathBuf,
    /// Where `/metrics` and `/healthz` are served; nowhere if `None`.
    pub listen: Option<SocketAddr>,
    /// PEM file of authorities trusted beside the system's; else the definition's.
    pub trust: Option<PathBuf>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Told how the agent is: once its schedule stands, whenever it works by another definition,
    /// and as often as `beat_every` while somebody listens.
    pub pulse: watch::Sender<Option<Pulse>>,
    /// How often it looks after itself.
    pub beat_every: Duration,
}

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its directory cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The outbox cannot be opened.
    #[error("open the outbox")]
    Outbox(#[from] OutboxError),
    /// The network parts cannot be set up.
    #[error("set up the network")]
    Net(#[from] NetError),
    /// A probe cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A probe's id cannot stand in evidence.
    #[error("probe {0:?}")]
    Id(String, #[source] IdError),
    /// A probe's cron cannot be read.
    #[error("probe {0}")]
    Cron(String, #[source] CronError),
    /// A reference cannot be read.
    #[error("read [agent].references")]
    Reference(#[from] ReferenceError),
    /// Metrics cannot be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Delivery cannot be set up.
    #[error("set up delivery")]
    Deliver(#[from] DeliverError),
    /// The port is taken, or may not be used.
    #[error("listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A new sink's port is that of one which listens already.
    #[error(
        "the sink {id} is to listen on {address}, where the sink {held_by} listens already; \
         a port changes hands with a restart"
    )]
    SinkHeld {
        /// The new one.
        id: String,
        /// Where.
        address: SocketAddr,
        /// The one that listens there.
        held_by: String,
    },
    /// The system has no thread to give.
    #[error("start the outbox's thread")]
    Thread(#[source] std::io::Error),
    /// The wake-up for crons cannot be set up.
    #[error("set up the wake-up for crons")]
    Wake(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no key for mail tokens.
    #[error("set up the key of mail tokens")]
    MailKey(#[from] KeyError),
    /// The ledger of messages under way cannot be used.
    #[error(transparent)]
    MailLedger(#[from] LedgerError),
    /// A sink cannot be set up.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What a message must match cannot be read.
    #[error("read what must hold of an arrived message")]
    Expect(#[from] regex::Error),
    /// A part ended although nobody stopped it.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Runs the agent until `shutdown` says so; then it stops within five seconds.
///
/// # Errors
/// When it cannot start, or a part of it dies.
pub async fn run(settings: Settings, mut shutdown: watch::Receiver<bool>) -> Result<(), RunError> {
    let home = Home::claim(&settings.data, &settings.agent)?;
    let metrics = Arc::new(Metrics::new()?);
    let listener = match settings.listen {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|source| RunError::Listen { address, source })?,
        ),
        None => None,
    };
    let in_force = Arc::clone(&settings.definition.borrow());
    let catalogue = &in_force.catalogue;
    let mail = Mail::open(catalogue, &settings, &home, &metrics).await?;
    let parts = Parts::build(catalogue, &settings, &home, &metrics)?;
    let most = catalogue.agent.as_ref().map_or(MAX_PER_HOST, |agent| agent.max_per_host).max(1);
    let nothing = Built::nothing(catalogue, Hosts::new(most));
    let (built, planned) = nothing.next(catalogue, &settings, &parts.net)?;
    let outbox = Outbox::open(&home.outbox(), limits(catalogue))?;
    let (keeper, outbox) =
        Keeper::start(outbox, Arc::clone(&settings.clock)).map_err(RunError::Thread)?;
    parts.purse.ask_through(parts.way.clone());

    record_roster(catalogue, &settings, &home, &outbox).await?;
    metrics.definition(in_force.since_ms, in_force.is_latest);
    tracing::info!(
        agent = %settings.agent,
        site = %settings.site,
        probes = planned.len(),
        reporter = %settings.reporter,
        "the agent runs"
    );

    let wake = wake::Wake::start(planned.iter().any(|p| p.cron)).await.map_err(RunError::Wake)?;
    let (hurry, hurried) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let delivery = parts.delivery(&settings, &home, &outbox);
    let mut delivering = JoinSet::new();
    delivering.spawn(delivery.run(hurried, stopped));

    let probes = planned.len();
    let mut planner =
        Planner::new(settings.agent.clone(), planned, Arc::clone(&parts.runner), outbox.clone());
    let (working, _) =
        watch::channel(Working { by: Arc::clone(&in_force), probes, obstacle: None });
    let vitals = Vitals {
        working: working.subscribe(),
        turned: planner.turned(),
        outbox: outbox.clone(),
        clock: Arc::clone(&settings.clock),
        lost: 0,
    };
    // aborted when this function returns, however it does
    let mut aside = parts.watch_self(listener, &outbox);
    aside.spawn(vitals.keep(settings.pulse.clone(), settings.beat_every));
    let (changes, changed) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    let mail = mail.map(|mail| {
        let (mail, told) = mail.start(&settings, &parts, &outbox, &mut tasks);
        planner.hear(told);
        mail
    });
    let following = Following {
        settings: &settings,
        home: &home,
        parts: &parts,
        outbox: &outbox,
        built,
        at_start: Arc::clone(catalogue),
        mail,
        working,
        changes,
        tasks,
    };
    let ended = {
        let following = following.follow();
        tokio::pin!(following);
        let planning = planner.run(&mut shutdown, wake, changed);
        tokio::pin!(planning);
        tokio::select! {
            () = &mut planning => Ok(()),
            ended = &mut following => Err(ended),
            _ = delivering.join_next() => Err(RunError::Ended("delivery")),
            _ = aside.join_next() => Err(RunError::Ended("a part of the agent")),
        }
    };

    hurry.send_replace(true);
    if ended.is_ok() && outbox.flush().await.is_ok() {
        // what does not get through now gets through after the next start
        let _ = tokio::time::timeout(LAST_DELIVERY, outbox.drained()).await;
        stop.send_replace(true);
        delivering.join_next().await;
    }
    if tokio::task::spawn_blocking(move || keeper.close()).await.is_err() {
        tracing::error!("the outbox could not be closed");
    }
    tracing::info!(undelivered = outbox.stats().records, "the agent has stopped");
    ended
}

fn limits(catalogue: &Catalogue) -> Limits {
    catalogue.agent.as_ref().map_or(
        Limits { max_bytes: OUTBOX_MAX_BYTES, max_age: OUTBOX_MAX_AGE },
        |agent| Limits { max_bytes: agent.outbox_max_bytes, max_age: agent.outbox_max_age },
    )
}

/// Records which probes this agent runs, if that is news. It counts as recorded once it is on
/// disk: one that is lost before would be missing for ever.
async fn record_roster(
    catalogue: &Catalogue,
    settings: &Settings,
    home: &Home,
    outbox: &OutboxHandle,
) -> Result<(), RunError> {
    let now_ms = settings.clock.now().as_millisecond();
    let probes = catalogue.probes.iter().filter(|p| p.runs_at(settings.site.as_str()));
    let probes = probes
        .map(|probe| {
            Ok(RosterProbe {
                id: probe_id(probe)?,
                every_s: probe.every_s(),
                extra: mailward_evidence::Extra::default(),
            })
        })
        .collect::<Result<_, RunError>>()?;
    let roster = Roster {
        agent: settings.agent.clone(),
        site: settings.site.clone(),
        at: mailward_evidence::Instant::from_ms(now_ms)
            .unwrap_or_else(|| mailward_evidence::Instant::new(settings.clock.now())),
        probes,
        extra: mailward_evidence::Extra::default(),
    };
    if home.is_news(&roster) {
        outbox.keep(&Record::Roster(roster.clone()));
        match outbox.flush().await {
            Ok(()) => home.remember(&roster)?,
            Err(error) => {
                tracing::warn!(%error, "the roster is recorded again at the next start");
            }
        }
    }
    Ok(())
}

fn probe_id(probe: &Probe) -> Result<ProbeId, RunError> {
    ProbeId::new(&probe.id).map_err(|error| RunError::Id(probe.id.clone(), error))
}

/// What lives as long as the agent does.
struct Parts {
    net: Arc<Net>,
    health: Arc<Health>,
    purse: Arc<Purse>,
    runner: Arc<Runner>,
    way: Way,
}

impl Parts {
    fn build(
        catalogue: &Catalogue,
        settings: &Settings,
        home: &Home,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, RunError> {
        let clock = &settings.clock;
        let agent = catalogue.agent.as_ref();
        let trust = settings.trust.clone().or_else(|| agent.and_then(|a| a.trust.clone()));
        let resolver = agent.and_then(|agent| agent.resolver);
        let smtp = agent.map_or(&[][..], |agent| &agent.references_smtp);
        let net = Net::new(trust.as_deref(), resolver)?;
        let net = Arc::new(net.with_smtp_references(smtp));
        let references = agent.map_or(&[][..], |agent| &agent.references);
        let health = Arc::new(Health::new(
            references,
            Arc::clone(&net),
            Arc::clone(clock),
            Arc::clone(metrics),
        )?);
        let memory = Memory::OfAgent(home.credentials());
        let (own, shown) = (Arc::clone(clock), Arc::clone(metrics));
        let purse = Purse::new(catalogue, memory, Some(home.tokens()), own, shown);
        let purse = Arc::new(purse);
        let runner = Runner {
            overall: Semaphore::new(agent.map_or(MAX_CONCURRENT, |a| a.max_concurrent).max(1)),
            purse: Arc::clone(&purse),
            post: OnceLock::new(),
            devices: Devices::new(settings.agent.as_str(), Some(home.devices())),
            health: Arc::clone(&health),
            clock: Arc::clone(clock),
            metrics: Arc::clone(metrics),
        };
        let to = Destination {
            reporter: settings.reporter.clone(),
            token: settings.token.borrow().clone(),
            trust,
        };
        let way = Way::new(&to, Arc::clone(&net))?;
        Ok(Self { net, health, purse, runner: Arc::new(runner), way })
    }

    fn delivery(&self, settings: &Settings, home: &Home, outbox: &OutboxHandle) -> Delivery {
        let (metrics, clock) = (Arc::clone(&self.runner.metrics), Arc::clone(&settings.clock));
        Delivery::new(self.way.clone(), outbox.clone(), metrics, clock, home.refused())
            .with_token(settings.token.clone())
    }

    /// Starts what runs beside the schedule whatever is declared.
    fn watch_self(&self, listener: Option<TcpListener>, outbox: &OutboxHandle) -> JoinSet<()> {
        let mut aside = JoinSet::new();
        let health = Arc::clone(&self.health);
        aside.spawn(async move { health.watch().await });
        let purse = Arc::clone(&self.purse);
        aside.spawn(async move { purse.tell().await });
        if let Some(listener) = listener {
            let (metrics, clock) = (Arc::clone(&self.runner.metrics), &self.runner.clock);
            aside.spawn(listen::serve(listener, metrics, outbox.clone(), Arc::clone(clock)));
        }
        aside
    }
}

/// When a probe runs.
pub(crate) fn rhythm(
    probe: &Probe,
    agent: &str,
    catalogue: &Catalogue,
) -> Result<Rhythm, RunError> {
    match &probe.schedule {
        Schedule::Every(every) => {
            let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
            Ok(Rhythm::every(agent, &probe.id, every_ms))
        }
        Schedule::Cron(expression) => Cron::parse(expression, &catalogue.service.zone)
            .map(Rhythm::Cron)
            .map_err(|error| RunError::Cron(probe.id.clone(), error)),
    }
}

/// The limits per host.
#[derive(Clone)]
pub(crate) struct Hosts {
    most: usize,
    slots: HashMap<Box<str>, Arc<Semaphore>>,
}

impl Hosts {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, slots: HashMap::new() }
    }

    /// Builds a probe, with its share of its host's slots.
    pub(crate) fn runnable(&mut self, probe: &Probe, net: &Arc<Net>) -> Result<Runnable, RunError> {
        let observe = probe::build(probe, net)?;
        let most = self.most;
        let host = Arc::clone(
            self.slots
                .entry(Box::from(observe.host_key()))
                .or_insert_with(|| Arc::new(Semaphore::new(most))),
        );
        Ok(Runnable {
            id: probe_id(probe)?,
            observe,
            host,
            timeout: probe.timeout,
            slow: probe.slow,
        })
    }
}

#[cfg(test)]
mod tests;
