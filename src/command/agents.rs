//! `mailward agents`: enrolment. A token is printed once; the store keeps its hash.

use anyhow::Context;
use mailward_evidence::{AgentName, SiteName};

use super::{clock, instant, open_store};
use crate::Outcome;
use crate::cli::Agents;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(command: Agents) -> Outcome {
    match command {
        Agents::Add { name, site, data } => {
            let name = agent_name(&name)?;
            let site = SiteName::new(&site).context("--site").map_err(Failure::usage)?;
            let token = open_store(&data.data)?
                .add_agent(&name, Some(&site))
                .with_context(|| format!("enrol {name}"))
                .map_err(Failure::usage)?;
            terminal::note("The token is shown once. Give it to the agent in a file:");
            terminal::line(token.expose());
        }
        Agents::Rotate { name, data } => {
            let name = agent_name(&name)?;
            let token = open_store(&data.data)?
                .rotate_agent(&name)
                .with_context(|| format!("rotate the token of {name}"))
                .map_err(Failure::usage)?;
            terminal::note(
                "The old token stays good until the new one is first used, for 24 hours at most \
                 (to end it now, revoke the agent and rotate again). The new one is shown once:",
            );
            terminal::line(token.expose());
        }
        Agents::Revoke { name, data } => {
            let name = agent_name(&name)?;
            open_store(&data.data)?
                .revoke_agent(&name)
                .with_context(|| format!("revoke {name}"))
                .map_err(Failure::usage)?;
            terminal::note(&format!("{name} is refused from now on; its evidence stays."));
        }
        Agents::Retire { name, at, data } => {
            let name = agent_name(&name)?;
            let at = match at {
                Some(text) => instant("--at", &text)?,
                None => mailward_evidence::Instant::new(clock().now()),
            };
            open_store(&data.data)?
                .retire_agent(&name, at)
                .with_context(|| format!("retire {name}"))
                .map_err(Failure::usage)?;
            terminal::note(&format!("{name} has no probes due from {at} on."));
        }
        Agents::List { data } => {
            let store = open_store(&data.data)?;
            let agents = store.list_agents().context("list agents").map_err(Failure::io)?;
            let mut rows = vec![["AGENT", "SITE", "STATE", "ENROLLED"].map(str::to_owned).to_vec()];
            for agent in agents {
                let added = mailward_evidence::Instant::from_ms(agent.added_ms);
                let now_ms = clock().now().as_millisecond();
                let is_rotating = agent.old_token_until_ms.is_some_and(|until| now_ms < until);
                let state = match (agent.revoked_ms, agent.retired_ms) {
                    (Some(_), _) => "revoked",
                    (None, Some(_)) => "retired",
                    (None, None) if is_rotating => "enrolled, new token unused",
                    (None, None) => "enrolled",
                };
                rows.push(vec![
                    agent.name.to_string(),
                    agent.site.map_or_else(|| "-".to_owned(), |site| site.to_string()),
                    state.to_owned(),
                    added.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                ]);
            }
            terminal::print(&terminal::table(&rows, &[]));
        }
    }
    Ok(Exit::Ok)
}

fn agent_name(text: &str) -> Result<AgentName, Failure> {
    AgentName::new(text).context("the agent's name").map_err(Failure::usage)
}
