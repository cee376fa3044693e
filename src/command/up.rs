//! `mailward up`: agent and reporter in one process. The agent delivers to the reporter over
//! HTTP, as it does everywhere.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use mailward_catalogue::{Catalogue, Secret};
use mailward_evidence::{AgentName, SiteName};
use reqwest::Url;
use tokio::sync::watch;

use super::{clock, demo, open_store, reporter};
use crate::Outcome;
use crate::cli::Up;
use crate::definition::{self, Needs};
use crate::failure::{Exit, Failure};
use crate::process::{self, Attendant, Stop, Tether};
use crate::terminal;

/// The agent's name where probes.toml gives it none.
const DEFAULT_AGENT: &str = "local";

pub(crate) fn run(args: Up) -> Outcome {
    if args.demo {
        return demo::run(args.listen, args.data.as_deref());
    }
    let definition = definition::load_with(&args.config.config, Needs::BOTH)?;
    let data = args.data.unwrap_or_else(|| PathBuf::from("mailward-data"));
    let config = args.config.config.clone();
    let work = async {
        let stop = Stop::on_signal()?;
        let again = move || definition::again(&config, Needs::BOTH);
        let mut attendant = Attendant::new(&definition, again)?;
        let tethers = [attendant.tether(), attendant.tether()];
        let attending = tokio::spawn(attendant.attend(stop.clone()));
        let up = Joined::start(tethers, &data, args.listen, false, stop.word())?;
        terminal::note(&format!("The page is at {}", up.page));
        up.ended().await?;
        attending.await.context("the attendant's task").map_err(Failure::internal)
    };
    process::finish(process::runtime()?, work)?;
    Ok(Exit::Ok)
}

/// A running agent and reporter.
pub(crate) struct Joined {
    /// Where the page is.
    pub(crate) page: Url,
    /// The agent's token, for back-filling in its name.
    pub(crate) token: Secret,
    reporter: tokio::task::JoinHandle<Result<(), mailward_reporter::run::RunError>>,
    watching: tokio::task::JoinHandle<Result<(), mailward_agent::run::RunError>>,
    stop: watch::Sender<bool>,
    stop_reporter: watch::Sender<bool>,
}

impl Joined {
    /// Takes the port, enrols the agent, and starts both sides: the agent by the first tether,
    /// the reporter by the second.
    pub(crate) fn start(
        [of_agent, of_reporter]: [Tether; 2],
        data: &Path,
        listen: SocketAddr,
        demo: bool,
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<Self, Failure> {
        let listener = reporter::listen(listen)?;
        let address = listener.local_addr().context("read own address").map_err(Failure::io)?;
        let in_force = Arc::clone(&of_agent.definition.borrow());
        let is_encrypted = in_force.catalogue.reporter.tls.is_some();
        let page = page_url(address, is_encrypted)?;
        // a certificate bears the name that readers use, and the agent beside has no need of it
        let beside = match is_encrypted {
            true => Some(reporter::listen(SocketAddr::from(([127, 0, 0, 1], 0)))?),
            false => None,
        };
        let deliver_to = match &beside {
            Some(listener) => {
                let own = listener.local_addr().context("read own address");
                page_url(own.map_err(Failure::io)?, false)?
            }
            None => page.clone(),
        };
        let (name, site, trust) = identity(&in_force.catalogue)?;
        let token = enrol(data, &name, &site)?;
        let (stop, stopped) = watch::channel(false);
        let (stop_reporter, reporter_stopped) = watch::channel(false);
        let relay = stop.clone();
        tokio::spawn(async move {
            if shutdown.wait_for(|asked| *asked).await.is_ok() {
                let _ = relay.send(true);
            }
        });
        let reporter = tokio::spawn(mailward_reporter::run::run(
            mailward_reporter::run::Settings {
                definition: of_reporter.definition,
                data: data.to_owned(),
                listener,
                beside,
                clock: clock(),
                demo,
                pulse: of_reporter.pulse,
                beat_every: of_reporter.beat_every,
            },
            reporter_stopped,
        ));
        let watching = tokio::spawn(mailward_agent::run::run(
            mailward_agent::run::Settings {
                definition: of_agent.definition,
                agent: name,
                site,
                reporter: deliver_to,
                token: watch::channel(token.clone()).1,
                data: data.join("agent"),
                listen: None,
                trust,
                clock: clock(),
                pulse: of_agent.pulse,
                beat_every: of_agent.beat_every,
            },
            stopped,
        ));
        Ok(Self { page, token, reporter, watching, stop, stop_reporter })
    }

    /// Asks both sides to stop.
    pub(crate) fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until both sides have ended. The agent stops first, so that what it still holds
    /// can be delivered; when one side fails, the other is asked to stop.
    pub(crate) async fn ended(self) -> Result<(), Failure> {
        let Self { reporter, watching, stop, stop_reporter, .. } = self;
        let reporter = async {
            let ended = reporter.await;
            let _ = stop.send(true);
            ended
        };
        let watching = async {
            let ended = watching.await;
            let _ = stop_reporter.send(true);
            ended
        };
        let (reporter, watching) = tokio::join!(reporter, watching);
        reporter
            .context("the reporter's task")
            .map_err(Failure::internal)?
            .context("run the reporter")
            .map_err(Failure::io)?;
        watching
            .context("the agent's task")
            .map_err(Failure::internal)?
            .context("run the agent")
            .map_err(Failure::io)
    }
}

fn identity(catalogue: &Catalogue) -> Result<(AgentName, SiteName, Option<PathBuf>), Failure> {
    let section = catalogue.agent.as_ref();
    let name = section.map_or(DEFAULT_AGENT, |agent| &agent.name);
    let site = section.map_or("", |agent| &agent.site);
    Ok((
        AgentName::new(name).context("[agent] name").map_err(Failure::usage)?,
        SiteName::new(site).context("[agent] site").map_err(Failure::usage)?,
        section.and_then(|agent| agent.trust.clone()),
    ))
}

/// Enrols the agent of this process anew at every start: its token lives in memory only.
fn enrol(data: &Path, name: &AgentName, site: &SiteName) -> Result<Secret, Failure> {
    let store = open_store(data)?;
    let known = store.list_agents().context("list agents").map_err(Failure::io)?;
    let token = if known.iter().any(|agent| agent.name == *name) {
        store.rotate_agent(name)
    } else {
        store.add_agent(name, Some(site))
    };
    token.with_context(|| format!("enrol {name}")).map_err(Failure::io)
}

fn page_url(address: SocketAddr, is_encrypted: bool) -> Result<Url, Failure> {
    let host = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    };
    let scheme = if is_encrypted { "https" } else { "http" };
    let text = format!("{scheme}://{}/", SocketAddr::new(host, address.port()));
    Url::parse(&text).map_err(|error| Failure::internal(anyhow!("{text}: {error}")))
}
