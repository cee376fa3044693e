//! `owa`: Outlook on the web as a browser meets it with forms logon: the sign-in page, with a
//! credential the mailbox page, and logging off. Redirects and cookies alone are not success.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::sign_in::Round;
use super::web::{note_status, status_reason, web_address};
use super::{Account, BuildError, Context, Observe, Seen};
use crate::net::cookies::Jar;
use crate::net::http::follow::{MAX_REDIRECTS, next_hop};
use crate::net::http::{Answer, Ask, Client, Phases};
use crate::net::{Fault, Net, Trace};

/// What only the page of an open mailbox holds.
const MAILBOX_MARK: &str = "window.clientId = '";
/// How long logging off may take; it changes no verdict.
const LOGOFF: std::time::Duration = std::time::Duration::from_secs(2);

struct Owa {
    net: Arc<Net>,
    url: Url,
    host: String,
    credentials: Vec<String>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let mut url = web_address(probe)?;
    if !url.path().ends_with('/') {
        // auth.owa and logoff.owa stand below it
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(Box::new(Owa {
        net: net.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Owa {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = self.visit(cx, &mut trace).await;
            seen.unwrap_or_else(|fault| Seen::fault(&fault)).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

/// Where a walk along redirects ended.
enum End {
    /// At an answer that does not redirect.
    At(Url, Answer),
    /// At a redirect to another host, which gets neither cookies nor passwords.
    Elsewhere(Url),
}

/// How one account fared.
enum Logon {
    In,
    Refused,
    Ended(Seen),
}

struct Session<'a> {
    client: Client<'a>,
    jar: Jar,
}

impl Owa {
    async fn visit(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let mut session = self.session(cx);
        let end = session.walk(self.url.clone(), "page", trace).await?;
        let sign_in = match judge_sign_in(end, trace) {
            Ok(url) => url,
            Err(seen) => return Ok(seen),
        };
        if self.credentials.is_empty() {
            trace.fact("depth", "sign-in page");
            return Ok(Seen::up());
        }
        let mut round = Round::new(cx.accounts, &self.credentials);
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            // cookies of a refused logon belong to nobody
            session.jar = Jar::default();
            match self.log_on(&mut session, &sign_in, &account, trace).await? {
                Logon::Refused => round.rejected(),
                Logon::Ended(seen) => return Ok(seen),
                Logon::In => {
                    round.accepted();
                    trace.fact("depth", "mailbox page");
                    session.client.hurry(LOGOFF);
                    let off = Ask::get(self.below("logoff.owa")?);
                    let done = session.send(off, "logoff", trace).await;
                    trace.fact("logged_off", if done.is_ok() { "yes" } else { "no" });
                    return Ok(Seen::up());
                }
            }
        }
        Ok(round.verdict())
    }

    fn session<'a>(&'a self, cx: &Context<'_>) -> Session<'a> {
        Session { client: Client::new(&self.net, cx.deadline), jar: Jar::default() }
    }

    fn below(&self, page: &str) -> Result<Url, Fault> {
        let joined = self.url.join(page);
        joined.map_err(|error| Fault::new(Reason::ProbeFault, format!("{page}: {error}")))
    }

    async fn log_on(
        &self,
        session: &mut Session<'_>,
        sign_in: &Url,
        account: &Account,
        trace: &mut Trace,
    ) -> Result<Logon, Fault> {
        let mut to = self.below("auth.owa")?;
        if to.scheme() == "http" && sign_in.scheme() == "https" {
            // the service itself moved us to https: the password goes there and not back
            to = sign_in
                .join(to.path())
                .map_err(|error| Fault::new(Reason::ProbeFault, error.to_string()))?;
        }
        let ask = form(to.clone(), &self.url, account)?;
        let answer = session.send(ask, "logon", trace).await?;
        note_status(&answer, trace);
        if !answer.is_redirect() {
            return Ok(logon_status(&answer));
        }
        let destination = next_hop(&to, &answer)?;
        if let Some(logon) = logon_reason(&destination, trace) {
            return Ok(logon);
        }
        if destination.host_str() != to.host_str() {
            return Ok(Logon::Ended(elsewhere(&destination, trace)));
        }
        trace.fact("cookies", yes_no(session.jar.has(&to, "cadata")));
        match session.walk(destination, "mailbox", trace).await? {
            End::Elsewhere(place) => Ok(Logon::Ended(elsewhere(&place, trace))),
            End::At(place, answer) => Ok(judge_mailbox(&place, &answer, trace)),
        }
    }
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

impl Session<'_> {
    async fn send(
        &mut self,
        mut ask: Ask,
        phase: &'static str,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        self.jar.give_to(&ask.url, &mut ask.headers);
        let answer = self.client.send(&ask, Phases::Whole(phase), trace).await?;
        self.jar.take_from(&ask.url, &answer.headers);
        Ok(answer)
    }

    /// Gets `url` and follows redirects on the same host.
    async fn walk(
        &mut self,
        mut url: Url,
        phase: &'static str,
        trace: &mut Trace,
    ) -> Result<End, Fault> {
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(Ask::get(url.clone()), phase, trace).await?;
            if !answer.is_redirect() {
                return Ok(End::At(url, answer));
            }
            let to = next_hop(&url, &answer)?;
            if to.host_str() != url.host_str() {
                return Ok(End::Elsewhere(to));
            }
            url = to;
        }
        let detail = format!("still redirected after {MAX_REDIRECTS} redirects");
        Err(Fault::new(Reason::RedirectLoop, detail))
    }
}

fn elsewhere(place: &Url, trace: &mut Trace) -> Seen {
    // another sign-in, such as a federation's: this check neither knows it nor trusts it
    trace.fact("landed", &place[..url::Position::AfterPath]);
    Seen::unknown(Reason::RedirectRefused)
}

/// The sign-in page's address, or what its absence means.
fn judge_sign_in(end: End, trace: &mut Trace) -> Result<Url, Seen> {
    let (url, answer) = match end {
        End::At(url, answer) => (url, answer),
        End::Elsewhere(place) => return Err(elsewhere(&place, trace)),
    };
    note_status(&answer, trace);
    note_servers(&answer, trace);
    match answer.status.as_u16() {
        200 if is_sign_in(&answer.text()) => Ok(url),
        200 => Err(Seen::down(Reason::WrongContent)),
        // asked for a password by the browser, not by the form that the check can fill in
        401 => Err(Seen::down(Reason::NotOffered)),
        _ => Err(Seen::down(status_reason(answer.status))),
    }
}

fn is_sign_in(page: &str) -> bool {
    page.contains("auth.owa") && page.contains("password")
}

/// Which servers answered, as Exchange says in its header lines.
fn note_servers(answer: &Answer, trace: &mut Trace) {
    for (header, fact) in
        [("x-feserver", "frontend"), ("x-beserver", "backend"), ("x-owa-version", "owa_version")]
    {
        let value = answer.header(header);
        if !value.is_empty() {
            trace.fact(fact, value);
        }
    }
}

/// The form that the sign-in page would send.
fn form(to: Url, destination: &Url, account: &Account) -> Result<Ask, Fault> {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("destination", destination.as_str())
        .append_pair("flags", "4")
        .append_pair("forcedownlevel", "0")
        .append_pair("username", &account.username)
        .append_pair("password", account.password()?.expose())
        .append_pair("passwordText", "")
        .append_pair("isUtf8", "1")
        .finish();
    let mut ask = Ask::get(to);
    ask.method = Method::POST;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    ask.headers.insert(CONTENT_TYPE, kind);
    ask.body = body.into();
    Ok(ask)
}

/// What an answer to the form means that does not redirect.
fn logon_status(answer: &Answer) -> Logon {
    match answer.status.as_u16() {
        // not documented for forms; an account is safer counted as refused
        401 => Logon::Refused,
        403 => Logon::Ended(Seen::unknown(Reason::AccountDisabled)),
        // documented: fields are missing, which is the form's fault and so ours
        400 => Logon::Ended(Seen::unknown(Reason::ProbeFault)),
        // documented: login time-out, the cookies did not hold
        200 | 440 => Logon::Ended(Seen::down(Reason::LogonFailed)),
        _ => Logon::Ended(Seen::down(status_reason(answer.status))),
    }
}

/// What a redirect back to the sign-in page says by its `reason`; `None` for one that leads on.
fn logon_reason(to: &Url, trace: &mut Trace) -> Option<Logon> {
    let path = to.path().to_ascii_lowercase();
    if path.ends_with("/expiredpassword.aspx") {
        return Some(Logon::Ended(Seen::unknown(Reason::Credential)));
    }
    if path.ends_with("/languageselection.aspx") {
        let detail = "the account has never chosen its language; sign in with it once by hand";
        trace.fact("detail", detail);
        return Some(Logon::Ended(Seen::unknown(Reason::ProbeFault)));
    }
    if !path.ends_with("/logon.aspx") {
        return None;
    }
    let reason = to.query_pairs().find(|(key, _)| key == "reason");
    let reason = reason.map(|(_, value)| value.into_owned());
    let reason = reason.unwrap_or_default();
    trace.fact("logon_reason", &reason);
    Some(match reason.as_str() {
        "2" => Logon::Refused,
        "4" => Logon::Ended(Seen::unknown(Reason::Credential)),
        "5" | "6" => Logon::Ended(Seen::unknown(Reason::AccountDisabled)),
        _ => Logon::Ended(Seen::down(Reason::LogonFailed)),
    })
}

fn judge_mailbox(place: &Url, answer: &Answer, trace: &mut Trace) -> Logon {
    note_status(answer, trace);
    note_servers(answer, trace);
    if let Some(logon) = logon_reason(place, trace) {
        return logon;
    }
    match answer.status.as_u16() {
        200 if answer.text().contains(MAILBOX_MARK) => Logon::In,
        200 => Logon::Ended(Seen::down(Reason::WrongContent)),
        440 | 401 => Logon::Ended(Seen::down(Reason::LogonFailed)),
        _ => Logon::Ended(Seen::down(status_reason(answer.status))),
    }
}

#[cfg(test)]
mod tests;
