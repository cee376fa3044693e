//! `owa`: Outlook on the web as a browser meets it: the sign-in page, its own or somebody
//! else's; with a credential the mailbox page, the inbox behind it, and logging off. Redirects
//! and cookies alone are not success.

mod form;
mod judge;
mod modern;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{HeaderValue, USER_AGENT};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::sign_in::{Logon, Round};
use super::web::{note_status, status_reason, web_address};
use super::{Account, BuildError, Context, Observe, Seen};
use crate::net::http::authorize::Offers;
use crate::net::http::follow::{Landed, Visitor, next_hop, next_place};
use crate::net::http::{Answer, Ask, Phases};
use crate::net::{Fault, Net, Trace};
pub(crate) use form::forms;
use form::{Field, FieldKind, Form};
use modern::{Lead, sending};

/// How long logging off may take; it changes no verdict.
const LOGOFF: std::time::Duration = std::time::Duration::from_secs(2);
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

/// What stands at the declared address.
enum Door {
    /// The service's own form.
    Form { page: Url, form: Form },
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
        let (mut page, mut form) = match door {
            Door::Form { page, form } => (page, form),
            Door::Modern(lead) => return self.as_far_as(lead, &mut visitor, trace).await,
            Door::Elsewhere(place) => return Ok(elsewhere(&place, trace)),
            Door::Shut(seen) => return Ok(seen),
        };
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut is_first = true;
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            if !is_first {
                // cookies of a refused logon belong to nobody, and so may what the form holds
                visitor.anew();
                (page, form) = match self.door(&mut visitor, trace).await? {
                    Door::Form { page, form } => (page, form),
                    Door::Modern(_) => return Ok(Seen::unknown(Reason::LogonUnsupported)),
                    Door::Elsewhere(place) => return Ok(elsewhere(&place, trace)),
                    Door::Shut(seen) => return Ok(seen),
                };
            }
            is_first = false;
            let logon = self.log_on(&mut visitor, (&page, &form), &account, trace).await?;
            match logon {
                Logon::Rejected(None) => round.rejected(),
                Logon::Rejected(Some(reason)) => round.rejected_for(reason),
                Logon::Ended(seen) => return Ok(seen),
                Logon::Accepted => {
                    round.accepted();
                    self.log_off(&mut visitor, trace).await;
                    return Ok(Seen::up());
                }
                Logon::AcceptedBut(seen) => {
                    round.accepted();
                    self.log_off(&mut visitor, trace).await;
                    return Ok(seen);
                }
            }
        }
        Ok(round.verdict())
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
                Some(form) => Door::Form { page: url, form },
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
            Door::Form { .. } => {
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
        if seen != Seen::up() {
            return Ok(seen);
        }
        let detail = "somebody else signs people in, and is not shown the account";
        trace.fact("detail", detail);
        Ok(if self.is_strict { Seen::unknown(Reason::LogonUnsupported) } else { seen })
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

    /// Sends the form, and goes where it leads.
    async fn log_on(
        &self,
        visitor: &mut Visitor<'_>,
        (page, form): (&Url, &Form),
        account: &Account,
        trace: &mut Trace,
    ) -> Result<Logon, Fault> {
        let to = match form.action.as_str() {
            "" if form.fields.is_empty() => self.below("auth.owa")?,
            action => next_place(page, action)?,
        };
        let downgrade = page.scheme() == "https" && to.scheme() != "https";
        if !self.is_own(&to) || downgrade {
            return Ok(Logon::Ended(elsewhere(&to, trace)));
        }
        visitor.client.identify(&to, account.identity.as_ref());
        let to_exchange = to.path().to_ascii_lowercase().ends_with("/auth.owa");
        if !form.is_post && !to_exchange {
            let detail = "the form would put the password into the address";
            return Err(Fault::new(Reason::ProbeFault, detail));
        }
        let fields = filled(form, to_exchange, &self.url, account)?;
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let ask = sending(to.clone(), true, fields);
        if to_exchange {
            // what the page's script sets before it sends
            visitor.jar.set(&to, "PBack=0; path=/");
        }
        // what a good answer shows from here on is somebody's
        visitor.client.hush();
        let answer = visitor.send(&ask, Phases::Whole("logon"), trace).await?;
        note_status(&answer, trace);
        if !answer.is_redirect() {
            let again = sign_in_form(&answer.text()).is_some();
            return Ok(judge::of_form(&answer, again));
        }
        let destination = next_hop(&to, &answer)?;
        if let Some(logon) = judge::of_place(&destination, trace) {
            return Ok(logon);
        }
        if to_exchange {
            trace.fact("cookies", yes_no(visitor.jar.has(&to, "cadata")));
        }
        self.enter(visitor, destination, trace).await
    }

    /// From where the logon leads to the mailbox page, and to the inbox. Phases `mailbox` and
    /// `inbox`.
    async fn enter(
        &self,
        visitor: &mut Visitor<'_>,
        destination: Url,
        trace: &mut Trace,
    ) -> Result<Logon, Fault> {
        let mut destination = destination;
        loop {
            let path = destination.path().to_ascii_lowercase();
            let is_below = path.starts_with(&self.url.path().to_ascii_lowercase());
            if !self.is_own(&destination) {
                return Ok(Logon::Ended(elsewhere(&destination, trace)));
            }
            let own = |_: &Url, to: &Url| self.is_own(to);
            let phase = Phases::Whole("mailbox");
            let landed = visitor.follow(browse(destination), own, phase, trace).await?;
            if let Some(away) = landed.away {
                return Ok(Logon::Ended(elsewhere(&away, trace)));
            }
            note_status(&landed.answer, trace);
            note_servers(&landed.answer, trace);
            match judge::of_mailbox(&landed.url, &landed.answer, trace) {
                Logon::Accepted => break,
                // a logon may lead to the options (/ecp) first; the mailbox is at the address
                Logon::Ended(_) if !is_below && landed.answer.status == 200 => {
                    destination = self.url.clone();
                }
                other => return Ok(other),
            }
        }
        judge::reached(MAILBOX_DEPTH, trace);
        if self.depth == Depth::Mailbox {
            return Ok(Logon::Accepted);
        }
        self.open_inbox(visitor, trace).await
    }

    /// Asks the mailbox itself, as its page does first.
    async fn open_inbox(
        &self,
        visitor: &mut Visitor<'_>,
        trace: &mut Trace,
    ) -> Result<Logon, Fault> {
        let mut ask = browse(self.below("sessiondata.ashx?appcacheclient=0")?);
        ask.method = Method::POST;
        let canary = visitor.jar.value(&ask.url, "X-OWA-CANARY").map(HeaderValue::from_str);
        if let Some(Ok(mut canary)) = canary {
            canary.set_sensitive(true);
            ask.headers.insert("x-owa-canary", canary);
        }
        let answer = visitor.send(&ask, Phases::Whole("inbox"), trace).await?;
        note_status(&answer, trace);
        let logon = judge::of_inbox(&answer, trace);
        if logon == Logon::Accepted {
            judge::reached(INBOX_DEPTH, trace);
        }
        Ok(logon)
    }

    /// Logs off, and looks whether it is so. Phase `logoff`, fact `logged_off`.
    async fn log_off(&self, visitor: &mut Visitor<'_>, trace: &mut Trace) {
        visitor.client.hurry(LOGOFF);
        let done = self.try_log_off(visitor).await;
        trace.lap("logoff");
        trace.fact("logged_off", yes_no(done.unwrap_or(false)));
    }

    async fn try_log_off(&self, visitor: &mut Visitor<'_>) -> Result<bool, Fault> {
        // what is noted of these answers would say nothing of the mailbox
        let mut aside = Trace::start();
        let phase = Phases::Whole("logoff");
        visitor.send(&browse(self.below("logoff.owa")?), phase, &mut aside).await?;
        let answer = visitor.send(&browse(self.url.clone()), phase, &mut aside).await?;
        Ok(answer.is_redirect() || sign_in_form(&answer.text()).is_some())
    }
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
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

/// What the form sends, with the account written into it. Exchange's own needs `destination`,
/// `flags`, `username` and `password`; `flags=4` is what its script makes of a private computer.
fn filled(
    form: &Form,
    to_exchange: bool,
    url: &Url,
    account: &Account,
) -> Result<Vec<(String, String)>, Fault> {
    let secret = account.password()?.expose();
    let name_of = |field: Option<&Field>, usual: &str| {
        field.map_or_else(|| usual.to_owned(), |field| field.name.clone())
    };
    let username = name_of(form.username(), "username");
    let password = name_of(form.password(), "password");
    let keeps = |field: &&Field| {
        let is_account = field.name == username || field.name == password;
        !is_account && field.kind != FieldKind::Password
    };
    let mut fields: Vec<(String, String)> =
        form.fields.iter().filter(keeps).map(|f| (f.name.clone(), f.value.clone())).collect();
    if to_exchange {
        let destination = form.value("destination").filter(|value| !value.is_empty());
        for (name, value) in [
            ("destination", destination.unwrap_or(url.as_str())),
            ("flags", "4"),
            ("forcedownlevel", "0"),
            ("passwordText", ""),
            ("isUtf8", "1"),
        ] {
            fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    fields.push((username, account.username.clone()));
    fields.push((password, secret.to_owned()));
    Ok(fields)
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

#[cfg(test)]
mod tests;
