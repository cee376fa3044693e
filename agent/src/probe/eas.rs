//! `eas`: Exchange ActiveSync up to OPTIONS (MS-ASHTTP sections 2.2.3 and 3.1.5.2), which makes
//! no device partnership. With a credential it proves the logon, without one the way to it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::sign_in::Round;
use super::web::{note_status, status_reason, web_address};
use super::{Account, BuildError, Context, Observe, Seen};
use crate::net::http::{Answer, Ask, Client, Phases};
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

/// What an answer to an account means.
enum Told {
    Taken,
    Refused,
    Ended(Seen),
}

impl Eas {
    async fn ask(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let mut client = Client::new(&self.net, cx.deadline);
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut tried = false;
        while let Some(account) = round.next_account() {
            tried = true;
            let answer = self.options(&mut client, Some(&account), trace).await?;
            match judge_account(&answer, trace) {
                Told::Refused => round.rejected(),
                Told::Ended(seen) => return Ok(seen),
                Told::Taken => {
                    round.accepted();
                    trace.fact("depth", "options");
                    return Ok(Seen::up());
                }
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
        account: Option<&Account>,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        let mut ask = Ask::get(self.url.clone());
        ask.method = Method::OPTIONS;
        if let Some(account) = account {
            ask.headers.insert(AUTHORIZATION, basic(account)?);
        }
        let answer = client.send(&ask, Phases::Whole("options"), trace).await?;
        note_status(&answer, trace);
        Ok(answer)
    }
}

/// HTTP Basic (RFC 7617 section 2): the name may not hold a colon.
fn basic(account: &Account) -> Result<HeaderValue, Fault> {
    let ours = |detail: &str| Fault::new(Reason::ProbeFault, detail);
    if account.username.contains(':') {
        return Err(ours("an account's name with a colon cannot be sent by HTTP Basic"));
    }
    let pair = format!("{}:{}", account.username, account.password()?.expose());
    let line = format!("Basic {}", BASE64.encode(pair));
    let mut value = HeaderValue::from_str(&line)
        .map_err(|_| ours("the account cannot be sent by HTTP Basic"))?;
    value.set_sensitive(true);
    Ok(value)
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

/// The ways to log on that a 401 offers, lower case (RFC 9110 section 11.6.1).
fn challenges(answer: &Answer) -> Vec<String> {
    let mut schemes = Vec::new();
    for line in answer.headers.get_all(WWW_AUTHENTICATE) {
        for part in line.to_str().unwrap_or_default().split(',') {
            // a part that begins with `name=value` belongs to the scheme before it
            match part.split_whitespace().next() {
                Some(word) if !word.contains('=') => schemes.push(word.to_ascii_lowercase()),
                _ => {}
            }
        }
    }
    schemes
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

fn judge_account(answer: &Answer, trace: &mut Trace) -> Told {
    match answer.status.as_u16() {
        200 if versions(answer, trace) => Told::Taken,
        401 => {
            let offered = challenges(answer);
            trace.fact("logon_by", offered.join(", "));
            // a server that takes no passwords at all has not refused this one
            if offered.is_empty() || offered.iter().any(|scheme| scheme == "basic") {
                Told::Refused
            } else {
                Told::Ended(Seen::down(Reason::NotOffered))
            }
        }
        403 => Told::Ended(Seen::unknown(Reason::AccountDisabled)),
        _ => Told::Ended(judge_common(answer, trace)),
    }
}

fn judge_anonymous(answer: &Answer, trace: &mut Trace) -> Seen {
    match answer.status.as_u16() {
        200 if versions(answer, trace) => {
            trace.fact("depth", "options");
            Seen::up()
        }
        401 => {
            let offered = challenges(answer);
            if offered.is_empty() {
                // RFC 9110 section 15.5.2: a 401 must say how to log on
                return Seen::down(Reason::ProtocolError);
            }
            trace.fact("logon_by", offered.join(", "));
            trace.fact("depth", "logon");
            Seen::up()
        }
        _ => judge_common(answer, trace),
    }
}

#[cfg(test)]
mod tests;
