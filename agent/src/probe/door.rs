//! The way into a web service behind a logon: its request as each account in turn, or as nobody,
//! to see at least whether the way to the logon is open; and leaving a server in peace that asks
//! for it. What the service's own answers mean is the kinds'.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::{LOCATION, RETRY_AFTER};
use jiff::Timestamp;
use mailward_evidence::Reason;

use super::sign_in::{Logon, Round, show};
use super::web::{note_headers, note_status, status_reason, unauthorized};
use super::{Account, Context, Seen};
use crate::net::http::authorize::{Offers, authorize};
use crate::net::http::later::{MAX_RETRY_AFTER, ahead, retry_after};
use crate::net::http::{Answer, Ask, Client, Phases};
use crate::net::{Fault, Net, Trace};

/// A service's door.
pub(super) struct Door {
    net: Arc<Net>,
    credentials: Vec<String>,
    /// What the time the service takes is called.
    phase: &'static str,
    /// Until when the server does not want to be asked.
    peace: Mutex<Option<Timestamp>>,
}

/// What a service's answer means.
pub(super) struct Told {
    /// For the account it was shown.
    pub(super) said: Logon,
    /// For how long it wants to be left in peace.
    pub(super) wait: Option<Duration>,
}

impl From<Logon> for Told {
    fn from(said: Logon) -> Self {
        Self { said, wait: None }
    }
}

impl Door {
    pub(super) fn new(net: &Arc<Net>, credentials: &[String], phase: &'static str) -> Self {
        let peace = Mutex::default();
        Self { net: net.clone(), credentials: credentials.to_vec(), phase, peace }
    }

    /// Sends what `ask` makes, as each account until one is taken; `judge` reads every answer
    /// but a 401. Without an account that may be tried it is sent as nobody, and a 401 that says
    /// how to log on is as far as one can see.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn enter(
        &self,
        cx: &Context<'_>,
        ask: impl Fn(Option<&Account>) -> Result<Ask, Fault>,
        judge: impl Fn(&Answer, &mut Trace) -> Told,
        trace: &mut Trace,
    ) -> Result<Seen, Fault> {
        if let Some(until) = self.peace() {
            trace.fact("peace_until", until.to_string());
            return Ok(Seen::unknown(Reason::TooOften));
        }
        let mut client = Client::new(&self.net, cx.deadline);
        let mut round = Round::new(cx.accounts, &self.credentials);
        let mut tried = false;
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            let shown = show(&account, &self.net, cx.deadline, &mut round, trace).await;
            let Some(login) = shown else { continue };
            tried = true;
            let mut asked = ask(Some(&account))?;
            authorize(&mut asked, &login)?;
            // a connection may be bound to whom it was made for
            client.part();
            client.identify(&asked.url, login.identity.as_ref());
            let said = match client.send(&asked, Phases::Whole(self.phase), trace).await {
                Err(fault) if fault.reason == Reason::Credential => {
                    trace.fact("detail", &*fault.detail);
                    Logon::Rejected(None)
                }
                Err(fault) => return Err(fault),
                Ok(answer) => {
                    self.note(&answer, trace);
                    match answer.status.as_u16() {
                        401 => unauthorized(&answer, &login, trace),
                        _ => self.heed(judge(&answer, trace)),
                    }
                }
            };
            match round.settle(&account, &login, said).await {
                Some(Ok(())) => return Ok(Seen::up()),
                Some(Err(seen)) => return Ok(seen),
                None => {}
            }
        }
        if tried {
            return Ok(round.verdict());
        }
        client.part();
        let asked = ask(None)?;
        client.identify(&asked.url, None);
        let answer = client.send(&asked, Phases::Whole(self.phase), trace).await?;
        self.note(&answer, trace);
        let seen = match answer.status.as_u16() {
            401 => challenged(&answer, trace),
            // no account was shown that could be the cause
            403 => Seen::down(Reason::HttpStatus),
            _ => match self.heed(judge(&answer, trace)) {
                Logon::Accepted => Seen::up(),
                Logon::AcceptedBut(seen) | Logon::Ended(seen) => seen,
                Logon::Rejected(_) => Seen::unknown(Reason::Credential),
            },
        };
        if seen == Seen::up() && !self.credentials.is_empty() {
            return Ok(round.verdict());
        }
        Ok(seen)
    }

    fn note(&self, answer: &Answer, trace: &mut Trace) {
        note_status(answer, trace);
        let named =
            [("x-feserver", "frontend"), ("x-beserver", "backend"), ("request-id", "request_id")];
        note_headers(answer, &named, trace);
        if matches!(answer.status.as_u16(), 429 | 503) {
            let now = self.net.clock.now();
            self.keep_peace(retry_after(answer.header(RETRY_AFTER.as_str()), now));
        }
    }

    fn heed(&self, told: Told) -> Logon {
        self.keep_peace(told.wait);
        told.said
    }

    fn keep_peace(&self, wait: Option<Duration>) {
        let Some(wait) = wait.map(|wait| wait.min(MAX_RETRY_AFTER)) else { return };
        if let Ok(until) = self.net.clock.now().checked_add(wait) {
            *self.peace.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }

    fn peace(&self) -> Option<Timestamp> {
        let now = self.net.clock.now();
        let until = (*self.peace.lock().unwrap_or_else(PoisonError::into_inner))?;
        ahead(until, now)
    }
}

/// What a 401 to nobody means (RFC 9110 section 15.5.2): the way to the logon is open, if it says
/// how to log on. Facts `logon_by`, `depth`.
pub(super) fn challenged(answer: &Answer, trace: &mut Trace) -> Seen {
    let offered = Offers::of(answer);
    if offered.is_empty() {
        return Seen::down(Reason::ProtocolError);
    }
    trace.fact("logon_by", offered.words());
    trace.fact("depth", "to the request for a password");
    Seen::up()
}

/// What a status means that none of these services answers where all is well.
pub(super) fn judge_status(answer: &Answer, trace: &mut Trace) -> Logon {
    let seen = match answer.status.as_u16() {
        200..=299 => Seen::down(Reason::WrongContent),
        403 => Seen::unknown(Reason::AccountDisabled),
        404 | 405 | 410 | 501 => Seen::down(Reason::NotOffered),
        429 => Seen::unknown(Reason::TooOften),
        301 | 302 | 303 | 307 | 308 => {
            // whether the service is well at another place is another probe's
            let to = answer.header(LOCATION.as_str()).split(['?', '#']).next().unwrap_or_default();
            trace.fact("location", to);
            Seen::unknown(Reason::RedirectRefused)
        }
        _ => Seen::down(status_reason(answer.status)),
    };
    Logon::Ended(seen)
}
