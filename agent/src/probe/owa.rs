//! `owa`: Outlook on the web as a browser meets it: the sign-in page, its own or somebody
//! else's; with a credential the mailbox page, the inbox behind it, and logging off. Redirects
//! and cookies alone are not success.

mod form;
mod judge;
mod mailbox;
mod modern;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::header::{HeaderValue, USER_AGENT};
use mailward_catalogue::Probe;
use mailward_evidence::{Reason, Verdict};
use url::Url;

use super::sign_in::{Logon, Round};
use super::web::{note_headers, note_status, status_reason, web_address};
use super::{BuildError, Context, Observe, Seen};
use crate::net::http::authorize::Offers;
use crate::net::http::follow::{Landed, Visitor};
use crate::net::http::{Answer, Ask, Phases};
use crate::net::{Fault, Net, Trace};
use form::Form;
pub(crate) use form::forms;
use modern::Lead;

/// How the check names itself: to a browser it does not know, Exchange shows its light pages,
/// which have no marks (Microsoft, "Supported browsers for Outlook on the web").
const BROWSER: &str = concat!(
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) ",
    "Chrome/138.0.0.0 Safari/537.36 mailward/",
    env!("CARGO_PKG_VERSION")
);
/// The depths of a run, as the definition and the report call them.
const REDIRECT_DEPTH: &str = "to the way to the sign-in page";
const SIGN_IN_DEPTH: &str = "to the sign-in page";
const MAILBOX_DEPTH: &str = "to the mailbox page";
const INBOX_DEPTH: &str = "to the inbox";

/// How far a run is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    SignIn,
    Mailbox,
    Inbox,
}

struct Owa {
    net: Arc<Net>,
    url: Url,
    host: String,
    credentials: Vec<String>,
    depth: Depth,
    /// Whether the definition insists on the depth, where somebody else signs people in.
    is_strict: bool,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let mut url = web_address(probe)?;
    if !url.path().ends_with('/') {
        // auth.owa and logoff.owa stand below it
        url.set_path(&format!("{}/", url.path()));
    }
    let declared = probe.settings.text("depth");
    let depth = match declared {
        Some("sign-in") => Depth::SignIn,
        None if probe.credentials.is_empty() => Depth::SignIn,
        Some("mailbox") => Depth::Mailbox,
        _ => Depth::Inbox,
    };
    Ok(Box::new(Owa {
        net: net.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
        credentials: probe.credentials.clone(),
        depth,
        is_strict: declared.is_some() && depth > Depth::SignIn,
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

/// A form, and the page it stands on.
struct Entry {
    page: Url,
    form: Form,
}

/// What stands at the declared address.
enum Door {
    /// The service's own form.
    Form(Entry),
    /// Somebody else's sign-in.
    Modern(Lead),
    /// Another host, which gets neither cookies nor passwords.
    Elsewhere(Url),
    /// None of them.
    Shut(Seen),
}

impl Owa {
    async fn visit(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Fault> {
        let mut visitor = Visitor::new(&self.net, cx.deadline);
        let door = self.door(&mut visitor, trace).await?;
        if self.depth == Depth::SignIn {
            return Self::look_at(door, &mut visitor, trace).await;
        }
        let mut entry = match self.entry(door, &mut visitor, trace).await? {
            Ok(entry) => entry,
            Err(seen) => return Ok(seen),
        };
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut is_first = true;
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            if !is_first {
                // cookies of a refused logon belong to nobody, and so may what the form holds
                visitor.anew();
                let door = self.door(&mut visitor, trace).await?;
                entry = match self.entry(door, &mut visitor, trace).await? {
                    Ok(entry) => entry,
                    Err(seen) => return Ok(seen),
                };
            }
            is_first = false;
            let seen = match self.log_on(&mut visitor, &entry, &account, trace).await? {
                Logon::Rejected(None) => {
                    round.rejected();
                    continue;
                }
                Logon::Rejected(Some(reason)) => {
                    round.rejected_for(reason);
                    continue;
                }
                Logon::Ended(seen) => return Ok(seen),
                Logon::Accepted => Seen::up(),
                Logon::AcceptedBut(seen) => seen,
            };
            round.accepted();
            self.log_off(&mut visitor, trace).await;
            return Ok(seen);
        }
        Ok(round.verdict())
    }

    /// The form that an account may be written into, or what it means that there is none.
    async fn entry(
        &self,
        door: Door,
        visitor: &mut Visitor<'_>,
        trace: &mut Trace,
    ) -> Result<Result<Entry, Seen>, Fault> {
        Ok(match door {
            Door::Form(entry) => Ok(entry),
            Door::Modern(lead) => Err(self.as_far_as(lead, visitor, trace).await?),
            Door::Elsewhere(place) => Err(elsewhere(&place, trace)),
            Door::Shut(seen) => Err(seen),
        })
    }

    /// Goes to the declared address and says what stands there. Phase `page`.
    async fn door(&self, visitor: &mut Visitor<'_>, trace: &mut Trace) -> Result<Door, Fault> {
        let own = |_: &Url, to: &Url| self.is_own(to) && modern::Way::of_place(to).is_none();
        let ask = browse(self.url.clone());
        let landed = visitor.follow(ask, own, Phases::Whole("page"), trace).await?;
        let Landed { url, answer, away } = landed;
        note_status(&answer, trace);
        note_servers(&answer, trace);
        if let Some(to) = away {
            return Ok(Lead::of_place(&to).map_or(Door::Elsewhere(to), Door::Modern));
        }
        let offers = Offers::of(&answer);
        Ok(match answer.status.as_u16() {
            200 => match sign_in_form(&answer.text()) {
                Some(form) => Door::Form(Entry { page: url, form }),
                None => match Lead::of_page(&url, &answer)? {
                    Some(lead) => Door::Modern(lead),
                    None => Door::Shut(Seen::down(Reason::WrongContent)),
                },
            },
            // the browser is asked for a password, not a form that the check can fill in
            401 if !offers.is_empty() => {
                trace.fact("logon_by", offers.words());
                Door::Shut(Seen::unknown(Reason::LogonUnsupported))
            }
            401 => Door::Shut(Seen::down(Reason::NotOffered)),
            _ => Door::Shut(Seen::down(status_reason(answer.status))),
        })
    }

    /// Judges the sign-in page, wherever it is.
    async fn look_at(
        door: Door,
        visitor: &mut Visitor<'_>,
        trace: &mut Trace,
    ) -> Result<Seen, Fault> {
        let place = match door {
            Door::Form(_) => {
                trace.fact("sign_in", "form");
                judge::reached(SIGN_IN_DEPTH, trace);
                return Ok(Seen::up());
            }
            Door::Modern(lead) => return lead.judge(visitor, trace).await,
            Door::Shut(seen) => return Ok(seen),
            Door::Elsewhere(place) => place,
        };
        trace.fact("landed", &place[..url::Position::AfterPath]);
        let everywhere = |_: &Url, _: &Url| true;
        let phase = Phases::Whole("sign_in");
        let landed = visitor.follow(browse(place), everywhere, phase, trace).await?;
        note_status(&landed.answer, trace);
        Ok(match landed.answer.status.as_u16() {
            200 if sign_in_form(&landed.answer.text()).is_some() => {
                trace.fact("sign_in", "form");
                judge::reached(SIGN_IN_DEPTH, trace);
                Seen::up()
            }
            200 => match Lead::of_page(&landed.url, &landed.answer)? {
                Some(lead) => lead.judge(visitor, trace).await?,
                None => Seen::down(Reason::WrongContent),
            },
            _ => Seen::down(status_reason(landed.answer.status)),
        })
    }

    /// Somebody else's sign-in is judged up to its page; what lies behind it nobody has seen.
    async fn as_far_as(
        &self,
        lead: Lead,
        visitor: &mut Visitor<'_>,
        trace: &mut Trace,
    ) -> Result<Seen, Fault> {
        let seen = lead.judge(visitor, trace).await?;
        if matches!(seen.verdict, Verdict::Down | Verdict::Unknown) {
            return Ok(seen);
        }
        if self.is_strict {
            return Ok(Seen::unknown(Reason::LogonUnsupported));
        }
        trace.fact("credential", "not shown: somebody else signs people in");
        Ok(seen)
    }

    /// Whether a place is the declared service: its host and port, or the same host by https
    /// where http was declared.
    fn is_own(&self, place: &Url) -> bool {
        let same_host = place.host_str() == self.url.host_str();
        let same_port = place.port_or_known_default() == self.url.port_or_known_default();
        match (self.url.scheme(), place.scheme()) {
            ("https", "http") => false,
            ("http", "https") => same_host,
            _ => same_host && same_port,
        }
    }

    fn below(&self, page: &str) -> Result<Url, Fault> {
        let joined = self.url.join(page);
        joined.map_err(|error| Fault::new(Reason::ProbeFault, format!("{page}: {error}")))
    }
}

/// A GET as a browser makes it.
fn browse(url: Url) -> Ask {
    let mut ask = Ask::get(url);
    ask.headers.insert(USER_AGENT, HeaderValue::from_static(BROWSER));
    ask
}

fn elsewhere(place: &Url, trace: &mut Trace) -> Seen {
    // another host's sign-in: this check does not show it an account
    trace.fact("landed", &place[..url::Position::AfterPath]);
    Seen::unknown(Reason::RedirectRefused)
}

/// The form of a sign-in page: one that asks for a password. A page whose script sends to
/// `auth.owa` has Exchange's form, though it may not be written down as one; then it is empty.
fn sign_in_form(page: &str) -> Option<Form> {
    let mut all = forms(page);
    let leads = |form: &Form| form.is_post || !form.action.is_empty();
    let asks = |form: &Form| form.password().is_some() && form.username().is_some();
    let to_exchange = |form: &Form| form.action.to_ascii_lowercase().contains("auth.owa");
    let written = all.iter().position(|form| asks(form) && leads(form));
    if let Some(at) = written.or_else(|| all.iter().position(to_exchange)) {
        return Some(all.swap_remove(at));
    }
    let by_script = page.contains("auth.owa") && page.contains("password");
    by_script.then(|| Form { is_post: true, ..Form::default() })
}

/// Which servers answered, as Exchange says in its header lines.
fn note_servers(answer: &Answer, trace: &mut Trace) {
    let named =
        [("x-feserver", "frontend"), ("x-beserver", "backend"), ("x-owa-version", "owa_version")];
    note_headers(answer, &named, trace);
}

#[cfg(test)]
mod tests;
