//! `eas`: Exchange ActiveSync as a phone meets it: OPTIONS, the policy that a server may demand,
//! the list of folders, the inbox; as one device for each mailbox, which is kept. Without a
//! credential it looks at the way to the logon.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use jiff::Timestamp;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::door::challenged;
use super::sign_in::{Logon, Round, show};
use super::web::{note_status, web_address};
use super::{BuildError, Context, Observe, Seen};
use crate::devices::Place;
use crate::net::http::authorize::authorization;
use crate::net::http::later::ahead;
use crate::net::http::{Answer, Ask, Client, Phases};
use crate::net::sasl::Login;
use crate::net::{Fault, Net, Trace};

mod folders;
mod inbox;
mod judge;
mod provision;
mod session;

use session::{Device, Session, Stop, note_versions};

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Options,
    Provision,
    Folders,
    Inbox,
}

impl Depth {
    fn read(word: &str) -> Option<Self> {
        match word {
            "options" => Some(Self::Options),
            "provision" => Some(Self::Provision),
            "folders" => Some(Self::Folders),
            "inbox" => Some(Self::Inbox),
            _ => None,
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Options => "to the logon",
            Self::Provision => "to the device's policy",
            Self::Folders => "to the list of folders",
            Self::Inbox => "to the inbox",
        }
    }
}

struct Eas {
    net: Arc<Net>,
    url: Url,
    host: String,
    credentials: Vec<String>,
    depth: Depth,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let url = web_address(probe)?;
    let word = probe.settings.text("depth").unwrap_or("options");
    let depth = Depth::read(word)
        .ok_or_else(|| BuildError::key(probe, "depth", format!("{word:?} is not known")))?;
    Ok(Box::new(Eas {
        net: net.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
        credentials: probe.credentials.clone(),
        depth,
    }))
}

impl Observe for Eas {
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

impl Eas {
    async fn visit(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut tried = false;
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            let (id, place) = cx.devices.recall(&account.username, &self.url);
            if let Some(until) = self.peace(&place) {
                trace.fact("peace_until", until.to_string());
                round.withhold(Reason::TooOften);
                continue;
            }
            tried = true;
            let shown = show(&account, &self.net, cx.deadline, &mut round, trace).await;
            let Some(login) = shown else { continue };
            let (said, now) = self.walk(cx, &login, (&id, place.clone()), trace).await;
            cx.devices.keep(&account.username, &self.url, &place, &now);
            match round.settle(&account, &login, said?).await {
                Some(Ok(())) => return Ok(Seen::up()),
                Some(Err(seen)) => return Ok(seen),
                None => {}
            }
        }
        if tried {
            return Ok(round.verdict());
        }
        // no account may be tried: see at least whether the way to the logon is open
        let seen = self.look(cx, trace).await?;
        if seen == Seen::up() && !self.credentials.is_empty() {
            return Ok(round.verdict());
        }
        Ok(seen)
    }

    /// Until when the server does not want to be asked.
    fn peace(&self, place: &Place) -> Option<Timestamp> {
        ahead(place.not_before?, self.net.clock.now())
    }

    /// One account's way, from where the server sent its device before or, if nobody is there
    /// any more, from the address that is declared. Gives what became of the place in any case.
    async fn walk(
        &self,
        cx: &Context<'_>,
        login: &Login,
        (id, mut place): (&str, Place),
        trace: &mut Trace,
    ) -> (Result<Logon, Fault>, Place) {
        let authorization = match authorization(login) {
            Ok(line) => line,
            Err(fault) => return (Err(fault), place),
        };
        place.not_before = None;
        let sent = place.location.as_deref().and_then(|place| Url::parse(place).ok());
        let starts = [sent.filter(|to| to.scheme() == "https"), Some(self.url.clone())];
        let mut ended = None;
        for url in starts.into_iter().flatten() {
            let device = Device { id: id.into(), agent: cx.devices.agent() };
            let was_sent = url != self.url;
            let (way, show) = ((&*self.net, cx.deadline), (login, authorization.clone()));
            let mut session = Session::new(way, url, show, device, place);
            let told = self.steps(&mut session, trace).await;
            let taken = session.taken;
            if self.depth == Depth::Options && told.is_ok() && authorization.is_some() {
                match session.wants_an_account(trace).await {
                    Ok(true) => {}
                    Ok(false) => {
                        trace.fact("depth", "to the versions");
                        return (Ok(Logon::Ended(Seen::up())), session.place);
                    }
                    Err(fault) => return (Err(fault), session.place),
                }
            }
            let gone = match &told {
                Err(Stop::Fault(fault)) => !fault.is_ours() && !taken,
                Err(Stop::Judged(_)) => matches!(session.http_status, 404 | 410 | 421 | 501),
                Err(Stop::Refused(_)) => {
                    // not asked again there; the account was shown once and that is enough
                    session.place.location = None;
                    false
                }
                _ => false,
            };
            place = session.place;
            ended = Some(logon(told, taken));
            if !(was_sent && gone) {
                break;
            }
            place.location = None;
        }
        let said = ended.unwrap_or_else(|| {
            Err(Fault::new(Reason::ProbeFault, "there was no address to begin with"))
        });
        (said, place)
    }

    async fn steps(&self, session: &mut Session<'_>, trace: &mut Trace) -> Result<(), Stop> {
        session.options(trace).await?;
        trace.fact("depth", Depth::Options.told());
        if self.depth == Depth::Options {
            return Ok(());
        }
        trace.fact("device", &session.device.id);
        if session.version.is_empty() {
            return Err(Stop::Judged(Seen::down(Reason::NotOffered)));
        }
        if self.depth == Depth::Provision {
            session.provision(trace).await?;
            trace.fact("depth", Depth::Provision.told());
            return Ok(());
        }
        session.folders(trace).await?;
        trace.fact("depth", Depth::Folders.told());
        if self.depth == Depth::Inbox {
            session.inbox(trace).await?;
            trace.fact("depth", Depth::Inbox.told());
            session.estimate(trace).await;
        }
        Ok(())
    }

    /// OPTIONS without an account.
    async fn look(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let mut ask = Ask::get(self.url.clone());
        ask.method = Method::OPTIONS;
        let mut client = Client::new(&self.net, cx.deadline);
        let answer = client.send(&ask, Phases::Whole("options"), trace).await?;
        note_status(&answer, trace);
        Ok(judge_anonymous(&answer, trace))
    }
}

/// What a walk says of the account and of the service.
fn logon(told: Result<(), Stop>, taken: bool) -> Result<Logon, Fault> {
    let judged = |seen| if taken { Logon::AcceptedBut(seen) } else { Logon::Ended(seen) };
    match told {
        Ok(()) => Ok(Logon::Accepted),
        Err(Stop::Refused(reason)) => Ok(Logon::Rejected(reason)),
        Err(Stop::Judged(seen) | Stop::Stale(seen) | Stop::FoldersChanged(seen)) => {
            Ok(judged(seen))
        }
        // the account was let in before the fault, and should not be taken for untried
        Err(Stop::Fault(fault)) if taken => Ok(judged(Seen::fault(&fault))),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

fn judge_anonymous(answer: &Answer, trace: &mut Trace) -> Seen {
    match answer.status.as_u16() {
        200 if note_versions(answer, trace) => {
            trace.fact("depth", "to the versions");
            Seen::up()
        }
        401 => challenged(answer, trace),
        301 | 302 | 303 | 307 | 308 | 451 => Seen::unknown(Reason::RedirectRefused),
        _ => judge::status(answer, trace),
    }
}

#[cfg(test)]
mod tests;
