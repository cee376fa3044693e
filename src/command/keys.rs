//! `mailward keys`: makes the key that signs editions, and shows its public half.

use std::path::Path;

use anyhow::{Context, anyhow};
use mailward_reporter::sign::{self, PublicKey, SigningKey};
use mailward_reporter::store::Store;

use super::open_store;
use crate::Outcome;
use crate::cli::Keys;
use crate::definition;
use crate::failure::{Exit, Failure};
use crate::terminal;

pub(crate) fn run(command: &Keys) -> Outcome {
    match command {
        Keys::New { out } => new(out),
        Keys::Show { config, data } => {
            let definition = definition::load(&config.config)?;
            let place = definition.catalogue.report.signing_key.as_ref();
            // a mistyped directory must not come to a store and a key of its own
            if place.is_none() && !data.data.join(sign::FILE).is_file() {
                return Err(Failure::usage(anyhow!(
                    "{}: expected {}, got none; it is made when it is first needed, by the \
                     reporter or `mailward publish`",
                    data.data.display(),
                    sign::FILE
                )));
            }
            let store = match Store::is_in(&data.data) {
                true => Some(open_store(&data.data)?),
                false => None,
            };
            let key = SigningKey::of(place, &data.data)
                .context("get the key that signs editions")
                .map_err(Failure::io)?;
            show(store.as_ref(), key.public())
        }
    }
}

fn new(out: &Path) -> Outcome {
    if out.exists() {
        return Err(Failure::usage(anyhow!(
            "{} is there already; a key is never overwritten, choose another name",
            out.display()
        )));
    }
    let (key, pem) = SigningKey::generate().context("make a key").map_err(Failure::io)?;
    sign::keep(out, &pem)
        .with_context(|| format!("write {}", out.display()))
        .map_err(Failure::io)?;
    terminal::note(&format!(
        "{}: a new key {}; keep it secret. Name it in probes.toml: [report] signing_key = \
         {{ file = \"{}\" }}",
        out.display(),
        key.public().id(),
        out.display()
    ));
    terminal::print(&key.public().to_pem());
    Ok(Exit::Ok)
}

/// The key in use first, then those that earlier editions were signed with.
fn show(store: Option<&Store>, current: &PublicKey) -> Outcome {
    let pem = current.to_pem();
    terminal::line(&format!("key {} (signs editions now)\n{pem}", current.id()));
    let known = store.map(Store::signing_keys).transpose();
    let known = known.context("read the public keys").map_err(Failure::io)?.unwrap_or_default();
    for (_, earlier) in known.iter().filter(|(_, known)| *known != pem) {
        let id = PublicKey::from_pem(earlier).map(|key| key.id()).unwrap_or_default();
        terminal::line(&format!("key {id} (signed earlier editions)\n{earlier}"));
    }
    Ok(Exit::Ok)
}
