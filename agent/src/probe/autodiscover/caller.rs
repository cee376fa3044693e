//! Whoever asks for the settings: first as nobody, and as an account only where the answer is a
//! request for one and the place may be shown it. Each account is shown once; one that was taken
//! is the one that is shown further on.

use std::net::IpAddr;

use hyper::Method;
use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use mailward_evidence::Reason;
use url::Url;

use super::pox::{self, Pox, Schema};
use crate::net::http::authorize::{Offers, authorize};
use crate::net::http::follow::next_hop;
use crate::net::http::{Answer, Ask, Client, Phases};
use crate::net::sasl::Login;
use crate::net::{Deadline, Fault, Net, Trace};
use crate::probe::door::judge_status;
use crate::probe::sign_in::{Logon, Round, show};
use crate::probe::web::{note_status, unauthorized, xml};
use crate::probe::{Account, Seen};

/// What a place answered.
pub(super) enum Reply {
    /// It leads elsewhere.
    Redirect(Url),
    /// It wants an account, and there is none to be shown.
    Challenge,
    /// An answer of the service.
    Pox(Pox),
    /// It is not the service's place.
    NotHere(Seen),
    /// It is, and there is no way on.
    Ended(Seen),
}

pub(super) struct Caller<'a> {
    net: &'a Net,
    deadline: Deadline,
    /// Until when the step that runs may take.
    until: Deadline,
    client: Client<'a>,
    /// Who named the address that is searched for, from whom no step may lead inwards.
    led_by: Option<IpAddr>,
    round: Round<'a>,
    /// The account that is shown now, and whether it was taken.
    current: Option<(Account, Login, bool)>,
    shown: bool,
}

impl<'a> Caller<'a> {
    pub(super) fn new(net: &'a Net, deadline: Deadline, round: Round<'a>) -> Self {
        let client = Client::new(net, deadline);
        let until = deadline;
        Self { net, deadline, until, client, led_by: None, round, current: None, shown: false }
    }

    /// Begins a step, with its share of the time that is left.
    pub(super) fn begin(&mut self, share: u32) {
        self.until = self.deadline.within(self.deadline.left() / share.max(1));
        self.client = Client::led_by(self.net, self.until, self.led_by);
    }

    /// The place that was asked last named another address: the steps from here on are as its
    /// redirects.
    pub(super) const fn led_on(&mut self) {
        self.led_by = self.client.first_peer();
    }

    /// Until when the step that runs may take.
    pub(super) const fn until(&self) -> Deadline {
        self.until
    }

    pub(super) const fn client(&mut self) -> &mut Client<'a> {
        &mut self.client
    }

    /// What became of the accounts.
    pub(super) fn verdict(&self) -> Seen {
        self.round.verdict()
    }

    /// Gets a page without TLS, only to be told where to go.
    pub(super) async fn sent_elsewhere(
        &mut self,
        url: &Url,
        phase: &str,
        trace: &mut Trace,
    ) -> Result<Url, Seen> {
        let sent = self.client.send(&Ask::get(url.clone()), Phases::Whole(phase), trace).await;
        let answer = sent.map_err(|fault| Seen::fault(&fault))?;
        if answer.is_redirect() {
            return next_hop(url, &answer).map_err(|fault| Seen::fault(&fault));
        }
        Err(match answer.status {
            StatusCode::SERVICE_UNAVAILABLE => Seen::down(Reason::ServiceUnavailable),
            _ => Seen::down(Reason::NotOffered),
        })
    }

    /// Asks at a place; `shows` says whether an account may be shown there.
    pub(super) async fn ask(
        &mut self,
        email: &str,
        url: &Url,
        phase: &str,
        shows: bool,
        trace: &mut Trace,
    ) -> Reply {
        let asked = request(email, url, Schema::Outlook);
        self.client.identify(url, None);
        match self.client.send(&asked, Phases::Whole(phase), trace).await {
            Ok(answer) if answer.status == 401 => {
                let offers = Offers::of(&answer);
                trace.fact("logon_by", offers.words());
                match self.as_account(&asked, &offers, shows, trace).await {
                    // against RFC 9110 section 15.5.2: nobody can tell how to go on
                    Reply::Challenge if offers.is_empty() => {
                        Reply::NotHere(Seen::down(Reason::ProtocolError))
                    }
                    other => other,
                }
            }
            // no account was shown that could be the cause
            Ok(answer) if answer.status == 403 => {
                note_status(&answer, trace);
                Reply::NotHere(Seen::down(Reason::HttpStatus))
            }
            Ok(answer) => reply(&asked.url, &answer, trace),
            // it wants a certificate before it says anything
            Err(fault) if fault.reason == Reason::LogonUnsupported && shows => {
                let seen = Seen::fault(&fault);
                match self.as_account(&asked, &Offers::default(), shows, trace).await {
                    Reply::Challenge => Reply::NotHere(seen),
                    other => other,
                }
            }
            Err(fault) => Reply::NotHere(Seen::fault(&fault)),
        }
    }

    async fn as_account(
        &mut self,
        asked: &Ask,
        offers: &Offers,
        shows: bool,
        trace: &mut Trace,
    ) -> Reply {
        loop {
            if self.current.is_none() && !self.next(trace).await {
                let ends = self.shown;
                return if ends { Reply::Ended(self.round.verdict()) } else { Reply::Challenge };
            }
            let Some((account, login, was_taken)) = self.current.take() else {
                return Reply::Challenge;
            };
            if !shows {
                let host = asked.url.host_str().unwrap_or_default().to_owned();
                trace.fact(
                    "detail",
                    format!(
                        "expected TLS, the address's own domain or redirect_hosts to answer for \
                     {host} before an account is shown to it"
                    ),
                );
                return Reply::Ended(Seen::unknown(Reason::RedirectRefused));
            }
            if !offers.refuse(&login) {
                return Reply::Ended(Seen::unknown(Reason::LogonUnsupported));
            }
            self.shown = true;
            let (said, reply) = self.said_to(asked, &login, trace).await;
            // only the service's own answer shows that the account was taken
            let proves = matches!(reply, Some(Reply::Pox(_)));
            match (said, reply) {
                (Logon::Accepted, Some(reply)) => {
                    if proves && !was_taken {
                        self.round.accepted();
                    }
                    self.current = Some((account, login, was_taken || proves));
                    return reply;
                }
                (said, _) => {
                    if let Some(Err(seen)) = self.round.settle(&account, &login, said).await {
                        return Reply::Ended(seen);
                    }
                }
            }
        }
    }

    /// The next account that has anything to show.
    async fn next(&mut self, trace: &mut Trace) -> bool {
        while let Some(account) = self.round.next_account(self.deadline, trace).await {
            let (net, deadline) = (self.net, self.deadline);
            if let Some(login) = show(&account, net, deadline, &mut self.round, trace).await {
                self.current = Some((account, login, false));
                return true;
            }
        }
        false
    }

    /// What is said to an account, and the answer where it is no refusal.
    async fn said_to(
        &mut self,
        asked: &Ask,
        login: &Login,
        trace: &mut Trace,
    ) -> (Logon, Option<Reply>) {
        match self.show(asked, login, trace).await {
            Ok(answer) if answer.status == 401 => (unauthorized(&answer, login, trace), None),
            Ok(answer) => (Logon::Accepted, Some(reply(&asked.url, &answer, trace))),
            Err(fault) if fault.reason == Reason::Credential => {
                trace.fact("detail", &*fault.detail);
                (Logon::Rejected(None), None)
            }
            Err(fault) => (Logon::Ended(Seen::fault(&fault)), None),
        }
    }

    async fn show(
        &mut self,
        asked: &Ask,
        login: &Login,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        let mut asked = asked.clone();
        authorize(&mut asked, login)?;
        self.client.part();
        self.client.identify(&asked.url, login.identity.as_ref());
        self.client.send(&asked, Phases::Whole("logon"), trace).await
    }

    /// Asks for what telephones are told, as the account that was taken; `shows` says
    /// whether the place may be shown it, else nothing is asked.
    ///
    /// # Errors
    /// When the account is refused there: what it means.
    pub(super) async fn ask_mobile(
        &mut self,
        email: &str,
        url: &Url,
        shows: bool,
        trace: &mut Trace,
    ) -> Result<Option<Url>, Seen> {
        if !shows {
            return Ok(None);
        }
        let Some((account, login, taken)) = self.current.take() else { return Ok(None) };
        let asked = request(email, url, Schema::MobileSync);
        match self.said_to(&asked, &login, trace).await {
            (Logon::Rejected(because), _) => {
                self.round.settle(&account, &login, Logon::Rejected(because)).await;
                Err(self.round.verdict())
            }
            (_, reply) => {
                self.current = Some((account, login, taken));
                Ok(match reply {
                    Some(Reply::Pox(Pox::Ways(ways))) => ways.eas,
                    _ => None,
                })
            }
        }
    }
}

/// The request (MS-OXDSCLI section 2.2.3); with the header line of section 2.2.2.1 the answer
/// tells of MAPI over HTTP.
fn request(email: &str, url: &Url, schema: Schema) -> Ask {
    let mut ask = Ask::get(url.clone());
    ask.method = Method::POST;
    ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    ask.headers.insert(ACCEPT, HeaderValue::from_static("text/xml"));
    let name = HeaderName::from_static("x-mapihttpcapability");
    ask.headers.insert(name, HeaderValue::from_static("1"));
    if let Ok(email) = HeaderValue::from_str(email) {
        ask.headers.insert(HeaderName::from_static("x-anchormailbox"), email);
    }
    ask.body = pox::request(email, schema).into();
    ask
}

fn reply(from: &Url, answer: &Answer, trace: &mut Trace) -> Reply {
    note_status(answer, trace);
    if answer.is_redirect() {
        return match next_hop(from, answer) {
            Ok(to) => Reply::Redirect(to),
            Err(fault) => Reply::NotHere(Seen::fault(&fault)),
        };
    }
    if answer.status != StatusCode::OK {
        return Reply::NotHere(match judge_status(answer, trace) {
            Logon::Ended(seen) | Logon::AcceptedBut(seen) => seen,
            Logon::Accepted | Logon::Rejected(_) => Seen::down(Reason::HttpStatus),
        });
    }
    match xml(answer, trace).map(|root| pox::read(&root)) {
        Ok(Some(pox)) => Reply::Pox(pox),
        // a web site that answers whatever it is asked with a page
        Ok(None) => Reply::NotHere(Seen::down(Reason::WrongContent)),
        Err(seen) => Reply::NotHere(seen),
    }
}

#[cfg(test)]
mod tests;
