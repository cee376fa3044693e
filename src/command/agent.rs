//! `mailward agent`: probes, keeps and delivers, as a process of its own.

use anyhow::{Context, anyhow};
use mailward_agent::run::Settings;
use mailward_catalogue::Secret;
use mailward_evidence::{AgentName, SiteName};
use reqwest::Url;
use tokio::sync::watch;

use super::clock;
use crate::Outcome;
use crate::cli::Agent;
use crate::definition::{self, Definition, Needs, Refused};
use crate::failure::{Exit, Failure};
use crate::process::{self, Attendant, Stop, Tether};

pub(crate) fn run(args: &Agent) -> Outcome {
    let definition = definition::load_with(&args.config.config, Needs::AGENT)?;
    let Some(section) = &definition.catalogue.agent else {
        return Err(Failure::usage(anyhow!(
            "{} has no [agent] section, and no agent.toml stands beside it; give the agent a name",
            args.config.config.display()
        )));
    };
    let token = match &section.token {
        Some(place) => place.read().context("read [agent] token").map_err(Failure::usage)?,
        None => {
            return Err(Failure::usage(anyhow!(
                "[agent] has no token; enrol it with `mailward agents add {}` at the reporter",
                section.name
            )));
        }
    };
    let reporter = reporter_url(&args.reporter)?;
    let (renew, token) = watch::channel(token);
    let name = AgentName::new(&section.name).context("[agent] name").map_err(Failure::usage)?;
    let site = SiteName::new(&section.site).context("[agent] site").map_err(Failure::usage)?;
    let config = args.config.config.clone();
    let renewed = renew.clone();
    let again = move || {
        let definition = definition::again(&config, Needs::AGENT)?;
        let token = own_token(&definition).map_err(Refused::of)?;
        renew.send_replace(token);
        Ok(definition)
    };
    let work = async {
        let stop = Stop::on_signal()?;
        let mut attendant = Attendant::new(&definition, again)?;
        let Tether { definition: followed, pulse, beat_every } = attendant.tether();
        let settings = Settings {
            definition: followed,
            agent: name,
            site,
            reporter,
            token,
            data: args.data.data.clone(),
            listen: Some(args.listen),
            trust: section.trust.clone(),
            clock: clock(),
            pulse,
            beat_every,
        };
        tokio::spawn(mailward_agent::deliver::token::follow(settings.definition.clone(), renewed));
        let attending = tokio::spawn(attendant.attend(stop.clone()));
        // a task of its own: whatever wakes the runtime's outermost future costs a system call
        tokio::spawn(mailward_agent::run::run(settings, stop.word()))
            .await
            .context("the agent's task")
            .map_err(Failure::internal)?
            .context("run the agent")
            .map_err(Failure::io)?;
        attending.await.context("the attendant's task").map_err(Failure::internal)
    };
    process::finish(process::single_threaded()?, work)?;
    Ok(Exit::Ok)
}

/// The token that a definition names, read anew.
fn own_token(definition: &Definition) -> Result<Secret, String> {
    let section = definition.catalogue.agent.as_ref().ok_or("there is no [agent] section")?;
    let place = section.token.as_ref().ok_or("[agent] has no token")?;
    place.read().map_err(|error| format!("read [agent] token: {:#}", anyhow::Error::new(error)))
}

fn reporter_url(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).context("--reporter").map_err(Failure::usage)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Failure::usage(anyhow!(
            "--reporter: expected http:// or https://, got {text}"
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(anyhow!(
            "--reporter: the token goes into [agent], not the URL"
        )));
    }
    Ok(url)
}
