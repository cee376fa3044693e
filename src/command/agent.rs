//! `mailward agent`: probes, keeps and delivers, as a process of its own.

use anyhow::{Context, anyhow};
use mailward_agent::run::Settings;
use mailward_catalogue::Secret;
use mailward_evidence::{AgentName, SiteName};
use reqwest::Url;

use super::clock;
use crate::Outcome;
use crate::cli::Agent;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::process;

pub(crate) fn run(args: &Agent) -> Outcome {
    let definition = definition::load_with_secrets(&args.config.config)?;
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
    let settings = Settings {
        agent: AgentName::new(&section.name).context("[agent] name").map_err(Failure::usage)?,
        site: SiteName::new(&section.site).context("[agent] site").map_err(Failure::usage)?,
        reporter,
        token: Secret::new(token.expose().to_owned()),
        data: args.data.data.clone(),
        listen: Some(args.listen),
        trust: section.trust.clone(),
        clock: clock(),
        catalogue: definition.catalogue.clone(),
    };
    process::single_threaded()?.block_on(async {
        let shutdown = process::shutdown_signal()?;
        mailward_agent::run::run(settings, shutdown)
            .await
            .context("run the agent")
            .map_err(Failure::io)
    })?;
    Ok(Exit::Ok)
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
