//! `eas`: Exchange ActiveSync up to OPTIONS (MS-ASHTTP sections 2.2.3 and 3.1.5.2), which makes
//! no device partnership. With a credential it proves the logon, without one the way to it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::LOCATION;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::sign_in::{Logon, Round, show};
use super::web::{note_status, status_reason, unauthorized, web_address};
use super::{BuildError, Context, Observe, Seen};
use crate::net::http::authorize::{Offers, authorize};
use crate::net::http::{Answer, Ask, Client, Phases};
use crate::net::sasl::Login;
use crate::net::{Fault, Net, Trace};

struct Eas {
    net: Arc<Net>,
    url: Url,
    host: String,
    credentials: Vec<String>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let url = web_address(probe)?;
    if let Some(depth) = probe.settings.text("depth")
        && depth != "options"
    {
        let problem = format!("expected \"options\", got {depth:?}");
        return Err(BuildError::key(probe, "depth", problem));
    }
    Ok(Box::new(Eas {
        net: net.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Eas {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = self.ask(cx, &mut trace).await;
            seen.unwrap_or_else(|fault| Seen::fault(&fault)).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

impl Eas {
    async fn ask(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let mut client = Client::new(&self.net, cx.deadline);
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut tried = false;
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            tried = true;
            let shown = show(&account, &self.net, cx.deadline, &mut round, trace).await;
            let Some(login) = shown else { continue };
            let answer = self.options(&mut client, Some(&login), trace).await?;
            let said = judge_account(&answer, &login, trace);
            match round.settle(&account, &login, said).await {
                Some(Ok(())) => {
                    trace.fact("depth", "options");
                    return Ok(Seen::up());
                }
                Some(Err(seen)) => return Ok(seen),
                None => {}
            }
        }
        if tried {
            return Ok(round.verdict());
        }
        // no account may be tried: see at least whether the way to the logon is open
        let answer = self.options(&mut client, None, trace).await?;
        let seen = judge_anonymous(&answer, trace);
        if seen == Seen::up() && !self.credentials.is_empty() {
            return Ok(round.verdict());
        }
        Ok(seen)
    }

    async fn options(
        &self,
        client: &mut Client<'_>,
        login: Option<&Login>,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        let mut ask = Ask::get(self.url.clone());
        ask.method = Method::OPTIONS;
        if let Some(login) = login {
            authorize(&mut ask, login)?;
        }
        let answer = client.send(&ask, Phases::Whole("options"), trace).await?;
        note_status(&answer, trace);
        Ok(answer)
    }
}

/// Whether the answer is ActiveSync's: it names at least one version of the protocol.
fn versions(answer: &Answer, trace: &mut Trace) -> bool {
    let versions = answer.header("ms-asprotocolversions");
    let is_version = |word: &str| {
        let parts = word.trim().split_once('.');
        parts.is_some_and(|(major, minor)| {
            let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits(major) && digits(minor)
        })
    };
    if !versions.split(',').any(is_version) {
        return false;
    }
    trace.fact("eas_versions", versions);
    let commands = answer.header("ms-asprotocolcommands");
    let commands = commands.split(',').filter(|c| !c.trim().is_empty());
    trace.fact("eas_commands", commands.count().to_string());
    let server = answer.header("ms-server-activesync");
    if !server.is_empty() {
        trace.fact("eas_server", server);
    }
    true
}

/// MS-ASHTTP section 2.2.2.1.1, and [MS-ASCMD] for what devices do on 451 to 457.
fn judge_common(answer: &Answer, trace: &mut Trace) -> Seen {
    match answer.status.as_u16() {
        200 => Seen::down(Reason::WrongContent),
        404 | 501 => Seen::down(Reason::NotOffered),
        301 | 302 | 303 | 307 | 308 | 451 => {
            // devices are to go elsewhere; whether that place works is another probe's
            let to = match answer.header("x-ms-location") {
                "" => answer.header(LOCATION.as_str()),
                to => to,
            };
            let to = to.split(['?', '#']).next().unwrap_or_default();
            trace.fact("location", to);
            Seen::unknown(Reason::RedirectRefused)
        }
        456 => Seen::unknown(Reason::AccountDisabled),
        457 => Seen::unknown(Reason::Credential),
        _ => Seen::down(status_reason(answer.status)),
    }
}

fn judge_account(answer: &Answer, login: &Login, trace: &mut Trace) -> Logon {
    match answer.status.as_u16() {
        200 if versions(answer, trace) => Logon::Accepted,
        401 => unauthorized(answer, login, trace),
        403 => Logon::Ended(Seen::unknown(Reason::AccountDisabled)),
        _ => Logon::Ended(judge_common(answer, trace)),
    }
}

fn judge_anonymous(answer: &Answer, trace: &mut Trace) -> Seen {
    match answer.status.as_u16() {
        200 if versions(answer, trace) => {
            trace.fact("depth", "options");
            Seen::up()
        }
        401 => {
            let offered = Offers::of(answer);
            if offered.is_empty() {
                // RFC 9110 section 15.5.2: a 401 must say how to log on
                return Seen::down(Reason::ProtocolError);
            }
            trace.fact("logon_by", offered.words());
            trace.fact("depth", "logon");
            Seen::up()
        }
        _ => judge_common(answer, trace),
    }
}

#[cfg(test)]
mod tests;
