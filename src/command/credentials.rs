//! `mailward credentials`: how the accounts stand that agents sign in with, and the word that
//! one may be tried again. Agents hear of it with their next request.

use anyhow::{Context, anyhow};
use mailward_evidence::Instant;

use super::open_store;
use crate::Outcome;
use crate::cli::Credentials;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(command: Credentials) -> Outcome {
    match command {
        Credentials::List { data } => {
            let store = open_store(&data.data)?;
            let accounts = store.accounts().context("list accounts").map_err(Failure::io)?;
            let heads =
                ["CREDENTIAL", "STATE", "REFUSED", "LAST REFUSED", "LAST ACCEPTED", "AGENTS"];
            let mut rows = vec![heads.map(str::to_owned).to_vec()];
            for account in accounts {
                let mut agents = terminal::clean(&account.agents.join(", "));
                if account.shared {
                    agents.push_str(" (shared)");
                }
                rows.push(vec![
                    terminal::clean(&account.credential),
                    account.state.label().to_owned(),
                    account.rejections.to_string(),
                    at(account.rejected_ms),
                    at(account.accepted_ms),
                    agents,
                ]);
            }
            terminal::print(&terminal::table(&rows, &[2]));
        }
        Credentials::Clear { id, by, data } => {
            let store = open_store(&data.data)?;
            let cleared = store.clear_account(&id, &by);
            let cleared = cleared.with_context(|| format!("clear {id}")).map_err(Failure::io)?;
            if cleared == 0 {
                return Err(Failure::usage(anyhow!(
                    "no agent has asked for a credential {id}; `mailward credentials list` names them"
                )));
            }
            terminal::note(&format!(
                "{id} may be tried again; its agents hear of it within about a minute."
            ));
        }
    }
    Ok(Exit::Ok)
}

fn at(ms: Option<i64>) -> String {
    let instant = ms.and_then(|ms| Instant::from_ms(ms.div_euclid(1000) * 1000));
    instant.map_or_else(|| "-".to_owned(), |at| at.to_string())
}
