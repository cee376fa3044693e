//! From the form into the mailbox and out again: what is sent, where it may go, and the steps a
//! browser takes. What the answers mean is `judge`'s.

use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderValue;
use mailward_evidence::Reason;
use url::Url;

use super::form::{Field, FieldKind, Form};
use super::modern::sending;
use super::{
    Depth, Entry, INBOX_DEPTH, MAILBOX_DEPTH, Owa, browse, elsewhere, judge, note_servers,
    sign_in_form,
};
use crate::net::http::Phases;
use crate::net::http::follow::{Visitor, next_hop, next_place};
use crate::net::{Fault, Trace};
use crate::probe::Account;
use crate::probe::sign_in::Logon;
use crate::probe::web::note_status;

/// How long logging off may take; it changes no verdict.
const LOGOFF: Duration = Duration::from_secs(2);

impl Owa {
    /// Sends the form, and goes where it leads.
    pub(super) async fn log_on(
        &self,
        visitor: &mut Visitor<'_>,
        Entry { page, form }: &Entry,
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
    pub(super) async fn log_off(&self, visitor: &mut Visitor<'_>, trace: &mut Trace) {
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
