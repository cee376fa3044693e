//! `autodiscover`: a mailbox's ways in from its address alone, in the order that Outlook searches
//! (MS-OXDISCO section 3.1.5). An account is shown only to a host that TLS has proved and that
//! the address's domain answers for.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::sign_in::Round;
use super::web::web_address;
use super::{BuildError, Context, Observe, Seen};
use crate::net::http::Client;
use crate::net::http::follow::MAX_REDIRECTS;
use crate::net::{Fault, Net, Trace, xml};

mod caller;
pub(crate) mod json;
pub(crate) mod pox;
mod step;

use caller::{Caller, Reply};
pub(crate) use pox::Pox;
use pox::Ways;
use step::{Place, Step, Trust};

/// How deep a run went that found what was looked for.
const WAYS: &str = "to the ways in";

struct Autodiscover {
    net: Arc<Net>,
    email: String,
    domain: String,
    url: Option<Url>,
    expect: Vec<String>,
    redirect_hosts: Vec<String>,
    /// Of https and of http.
    ports: (u16, u16),
    credentials: Vec<String>,
    host: String,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let wrong = || BuildError::key(probe, "email", "expected a mail address");
    let email = settings.text("email").ok_or_else(wrong)?.to_owned();
    let domain = domain_of(&email).ok_or_else(wrong)?;
    let url = settings.text("url").map(|_| web_address(probe)).transpose()?;
    let host = url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
    Ok(Box::new(Autodiscover {
        net: net.clone(),
        host: host.unwrap_or_else(|| domain.clone()),
        email,
        domain,
        url,
        expect: settings.texts("expect").to_vec(),
        redirect_hosts: settings.texts("redirect_hosts").to_vec(),
        ports: (settings.port("port").unwrap_or(443), settings.port("http_port").unwrap_or(80)),
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Autodiscover {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = self.search(cx, &mut trace).await;
            seen.unwrap_or_else(|fault| Seen::fault(&fault)).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

/// The domain of a mail address, lower case.
fn domain_of(email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// How asking at one place ended.
enum Ended {
    /// With what was looked for.
    Ways(Ways),
    /// At a request for an account, and there is none to show.
    Challenge,
    /// The mailbox has another address; whether a place says so that an account may be shown.
    Address { to: String, trusted: bool },
    /// Nobody there knows: the next place is tried.
    NotHere(Seen),
    /// Nothing else will say more.
    Judged(Seen),
}

impl Autodiscover {
    async fn search(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let round = Round::new(cx.accounts, &self.credentials);
        let mut caller = Caller::new(&self.net, cx.deadline, round);
        let mut trust = Trust::new(&self.domain, &self.redirect_hosts, self.url.as_ref());
        let (mut email, mut domain) = (self.email.clone(), self.domain.clone());
        let mut hops = 0;
        for _ in 0..=MAX_REDIRECTS {
            let searched = self.steps(&email, &domain, &mut hops, &mut caller, &mut trust, trace);
            let (ended, place) = searched.await;
            match ended {
                Ended::Ways(ways) => {
                    let shows = place.as_ref().is_some_and(|place| trust.allows(place));
                    return Ok(self.judge(ways, &email, place, shows, &mut caller, trace).await);
                }
                Ended::Challenge => {
                    return Ok(self.judge_way(&email, place, &mut caller, trace).await);
                }
                Ended::NotHere(seen) | Ended::Judged(seen) => return Ok(seen),
                Ended::Address { to, trusted } => {
                    let Some(next) = domain_of(&to) else {
                        trace.fact("detail", "the server names an address that is none");
                        return Ok(Seen::down(Reason::WrongContent));
                    };
                    trace.fact("redirect_address", &to);
                    // only a host that the domain answers for says whose the mailbox is:
                    // anybody else would name a domain of his own, and have the account
                    if trusted {
                        trust.add(&next);
                    }
                    caller.led_on();
                    (email, domain) = (to, next);
                }
            }
        }
        let detail = format!("still sent to another address after {MAX_REDIRECTS} of them");
        Err(Fault::new(Reason::RedirectLoop, detail))
    }

    /// The steps in their order, each with a share of the time that is left.
    async fn steps(
        &self,
        email: &str,
        domain: &str,
        hops: &mut usize,
        caller: &mut Caller<'_>,
        trust: &mut Trust,
        trace: &mut Trace,
    ) -> (Ended, Option<Place>) {
        let steps = match &self.url {
            Some(url) if domain == self.domain => vec![Step::Declared(url.clone())],
            _ => Step::of(domain, self.ports),
        };
        let mut failed = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let share = u32::try_from(steps.len() - at).unwrap_or(1);
            caller.begin(share);
            let start = step.place(&self.net, caller, trace).await;
            let (ended, place) = match start {
                Err(seen) => (Ended::NotHere(seen), None),
                Ok(place) => self.ask(email, step, place, hops, caller, trust, trace).await,
            };
            let Ended::NotHere(seen) = ended else {
                trace.fact("step", step.word());
                return (ended, place);
            };
            trace.fact(&format!("step_{}", step.word()), step::told(&seen));
            failed.push((step, seen));
        }
        (Ended::NotHere(step::sharpest(failed)), None)
    }

    /// Asks at one place, and wherever that leads.
    #[expect(clippy::too_many_arguments, reason = "what a search knows, passed on as it grows")]
    async fn ask(
        &self,
        email: &str,
        step: &Step,
        mut place: Place,
        hops: &mut usize,
        caller: &mut Caller<'_>,
        trust: &mut Trust,
        trace: &mut Trace,
    ) -> (Ended, Option<Place>) {
        loop {
            let shows = trust.allows(&place);
            let reply = caller.ask(email, &place.url, step.word(), shows, trace).await;
            let to = match reply {
                Reply::Redirect(to) => to,
                Reply::Challenge => return (Ended::Challenge, Some(place)),
                Reply::Ended(seen) => return (Ended::Judged(seen), Some(place)),
                Reply::NotHere(seen) => return (Ended::NotHere(seen), Some(place)),
                Reply::Pox(Pox::Ways(ways)) => return (Ended::Ways(ways), Some(place)),
                Reply::Pox(Pox::Address(to)) => {
                    return (Ended::Address { to, trusted: shows }, Some(place));
                }
                Reply::Pox(Pox::Error(error)) => {
                    return (Ended::Judged(error.judge(trace)), Some(place));
                }
                Reply::Pox(Pox::Url(to)) => match place.url.join(&to) {
                    Ok(to) => to,
                    Err(_) => {
                        trace.fact("detail", "the server names a URL that is none");
                        let seen = Seen::down(Reason::WrongContent);
                        return (Ended::Judged(seen), Some(place));
                    }
                },
            };
            *hops += 1;
            if *hops > MAX_REDIRECTS {
                trace.fact("detail", format!("still redirected after {MAX_REDIRECTS} redirects"));
                return (Ended::Judged(Seen::down(Reason::RedirectLoop)), Some(place));
            }
            trace.fact("redirects", hops.to_string());
            trace.fact("landed", &to[..url::Position::AfterPath]);
            if to.scheme() != "https" {
                trace.fact("detail", "redirected to a place without TLS");
                return (Ended::NotHere(Seen::down(Reason::RedirectRefused)), Some(place));
            }
            place = Place { proven: place.url.scheme() == "https" && shows, url: to };
        }
    }

    /// What was found, held against what is expected; `shows` says whether the place that told
    /// it may be shown an account.
    async fn judge(
        &self,
        mut ways: Ways,
        email: &str,
        place: Option<Place>,
        shows: bool,
        caller: &mut Caller<'_>,
        trace: &mut Trace,
    ) -> Seen {
        trace.fact("depth", WAYS);
        let wants_eas = self.expect.iter().any(|way| way == "eas");
        if wants_eas
            && ways.eas.is_none()
            && let Some(place) = &place
        {
            ways.eas = self.ask_json(caller.client(), &place.url, email, "ActiveSync", trace).await;
            if ways.eas.is_none() {
                ways.eas = match caller.ask_mobile(email, &place.url, shows, trace).await {
                    Ok(eas) => eas,
                    Err(refused) => return refused,
                };
            }
        }
        self.expected(&ways, place.as_ref(), trace)
    }

    /// The same without an account: version 2 tells anybody.
    async fn judge_way(
        &self,
        email: &str,
        place: Option<Place>,
        caller: &mut Caller<'_>,
        trace: &mut Trace,
    ) -> Seen {
        trace.fact("depth", "to the request for a password");
        let mut ways = Ways::default();
        if let Some(place) = &place {
            let url = place.url.clone();
            ways.eas = self.ask_json(caller.client(), &url, email, "ActiveSync", trace).await;
            if self.expect.iter().any(|way| way == "ews") {
                ways.ews = self.ask_json(caller.client(), &url, email, "Ews", trace).await;
            }
            if ways != Ways::default() {
                trace.fact("depth", WAYS);
            }
        }
        let seen = self.expected(&ways, place.as_ref(), trace);
        if seen == Seen::up() && !self.credentials.is_empty() {
            return caller.verdict();
        }
        seen
    }

    fn expected(&self, ways: &Ways, place: Option<&Place>, trace: &mut Trace) -> Seen {
        ways.note(trace);
        if let Some(place) = place {
            trace.fact("url", &place.url[..url::Position::AfterPath]);
        }
        let missing: Vec<&str> =
            self.expect.iter().map(String::as_str).filter(|way| !ways.has(way)).collect();
        if missing.is_empty() {
            return Seen::up();
        }
        let found = ways.words();
        let found = if found.is_empty() { "none" } else { &found };
        let missing = missing.join(", ");
        trace.fact("detail", format!("expected {missing} among the ways in, got {found}"));
        Seen::down(Reason::WrongContent)
    }

    async fn ask_json(
        &self,
        client: &mut Client<'_>,
        near: &Url,
        email: &str,
        protocol: &str,
        trace: &mut Trace,
    ) -> Option<Url> {
        match json::ask(client, near, email, protocol, trace).await {
            Ok(url) => Some(url),
            Err(told) => {
                trace.fact("json", told);
                None
            }
        }
    }
}

/// Reads a body as settings, for the list of parsers.
pub(crate) fn settings(bytes: &[u8]) -> Option<Pox> {
    pox::read(&xml::read(bytes).ok()?)
}

#[cfg(test)]
mod tests;
