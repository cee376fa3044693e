//! `mailward health`: asks a reporter or an agent on this machine whether it is well, for
//! containers, which have no other program to ask with.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::{Client, Url};

use crate::Outcome;
use crate::failure::{Exit, Failure};
use crate::process;
use crate::terminal;

/// How long an answer may take; who asks waits for longer.
const PATIENCE: Duration = Duration::from_secs(4);

pub(crate) fn run(url: &str) -> Outcome {
    let url = local(url)?;
    process::single_threaded()?.block_on(async {
        // a certificate is made out to a name, not to this machine's own address
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only(std::iter::empty())
            .tls_danger_accept_invalid_certs(true)
            .timeout(PATIENCE)
            .build()
            .context("set up HTTP")
            .map_err(Failure::internal)?;
        Ok(match client.get(url.clone()).send().await {
            Ok(answer) if answer.status().is_success() => {
                terminal::line(&format!("{url}: well"));
                Exit::Ok
            }
            Ok(answer) => {
                terminal::line(&format!("{url}: not well: it answered {}", answer.status()));
                Exit::Finding
            }
            Err(error) if error.is_timeout() => {
                let limit = PATIENCE.as_secs();
                terminal::line(&format!("{url}: not well: no answer within {limit} s"));
                Exit::Finding
            }
            Err(error) => {
                let causes = anyhow::Error::new(error.without_url());
                terminal::line(&format!("{url}: not well: {causes:#}"));
                Exit::Finding
            }
        })
    })
}

/// An address on this machine.
fn local(text: &str) -> Result<Url, Failure> {
    let expected = || {
        Failure::usage(anyhow!(
            "expected an http:// or https:// URL of this machine, as \
             http://127.0.0.1:7025/readyz, got {text}"
        ))
    };
    let url = Url::parse(text).map_err(|_| expected())?;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let here = address.map_or(host == "localhost", |address| address.is_loopback());
    if !here || !matches!(url.scheme(), "http" | "https") {
        return Err(expected());
    }
    Ok(url)
}
