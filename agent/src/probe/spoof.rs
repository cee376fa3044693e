//! `spoof`: offers the watched domain's mail server a message that forges the domain, from here,
//! and a harmless one beside it, and sees where each lands. It does nothing unless somebody has
//! authorised it, and writes to the one mailbox of ours that is named. Finding is `found`'s.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;

use super::entry::Entry;
use super::sign_in::Round;
use super::{BuildError, Context, Ended, Observe, Seen, access};
use crate::net::names::Names;
use crate::net::{Access, Deadline, Fault, Net, Trace};
use crate::policy::walk::{holds, walk};

mod found;
mod offer;

use found::{Landed, find};
use offer::{Letter, Offered};

struct Spoof {
    net: Arc<Net>,
    resolver: Option<SocketAddr>,
    domain: String,
    rcpt_to: String,
    forged_from: String,
    control_from: String,
    expect: Landed,
    /// Who has allowed it, and until the end of which day (UTC).
    authority: Option<(String, Date)>,
    mx: Option<String>,
    mx_port: u16,
    mailbox: Access,
    credentials: Vec<String>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let text = |key: &'static str| {
        let text = settings.text(key).map(str::to_owned);
        text.ok_or_else(|| BuildError::key(probe, key, "expected a text, got none"))
    };
    let domain = text("domain")?.trim_end_matches('.').to_ascii_lowercase();
    let expect = match settings.text("expect").unwrap_or("refused") {
        "refused" => Landed::Nowhere,
        "junk" => Landed::Junk,
        "inbox" => Landed::Inbox,
        other => return Err(BuildError::key(probe, "expect", format!("{other:?} is not known"))),
    };
    let authority = settings
        .text("authorised_by")
        .zip(settings.dates("until").first())
        .map(|(by, until)| (by.to_owned(), *until));
    Ok(Box::new(Spoof {
        net: net.clone(),
        resolver: settings.socket("resolver"),
        rcpt_to: text("rcpt_to")?,
        forged_from: settings
            .text("forged_from")
            .map_or_else(|| format!("mailward-check@{domain}"), str::to_owned),
        control_from: text("control_from")?,
        expect,
        authority,
        mx: settings.text("mx").map(str::to_owned),
        mx_port: settings.port("mx_port").unwrap_or(25),
        mailbox: access(probe, "implicit", (993, 143))?,
        credentials: probe.credentials.clone(),
        domain,
    }))
}

impl Observe for Spoof {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.look(cx, &mut trace).await {
                Ok(seen) => seen,
                Err(ended) => cannot_tell(ended.into_seen()),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.domain
    }
}

/// What keeps the check from being made says nothing of forgeries, whatever it says otherwise.
fn cannot_tell(mut seen: Seen) -> Seen {
    seen.verdict = mailward_evidence::Verdict::Unknown;
    seen
}

impl Spoof {
    async fn look(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Seen, Ended> {
        let Some(by) = self.allowed() else {
            return Ok(Seen::unknown(Reason::NotAuthorised));
        };
        trace.fact("authorised_by", by);
        // the mailbox first: without it a message would be offered for nothing
        let mut entry = Entry::new(&self.net, &self.mailbox, cx.deadline);
        let mut round = Round::new(cx.accounts, &self.credentials);
        entry.enter(&mut round, trace).await?;
        let seen = self.offer_both(&mut entry, by, cx.deadline, trace).await;
        entry.leave(trace).await;
        seen
    }

    /// Who allows it today.
    fn allowed(&self) -> Option<&str> {
        let (by, until) = self.authority.as_ref()?;
        let today = self.net.clock.now().to_zoned(TimeZone::UTC).date();
        (today <= *until).then_some(by)
    }

    async fn offer_both(
        &self,
        entry: &mut Entry<'_>,
        by: &str,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Seen, Ended> {
        let names = Names::new(&self.net, self.resolver, deadline);
        let addresses = self.mail_server(&names, trace).await?;
        let server = offer::Server { net: &self.net, addresses: &addresses, port: self.mx_port };
        if self.may_send_from_here(&names, &server, deadline).await? {
            let detail = "the domain's SPF record lets this address send, so nothing is forged";
            trace.fact("detail", detail);
            return Ok(Seen::unknown(Reason::ProbeFault));
        }
        trace.skip();
        let control = Letter::new(&self.control_from, &self.control_from, &self.rcpt_to, by)?;
        let offered = server.offer(&control, deadline).await?;
        trace.fact("control", offered.told());
        if !matches!(offered, Offered::Taken) {
            return Ok(Seen::unknown(Reason::SpoofControlLost));
        }
        // no envelope sender: nothing comes back, and there is nothing but From to judge by
        let forged = Letter::new("", &self.forged_from, &self.rcpt_to, by)?;
        let offered = server.offer(&forged, deadline).await?;
        trace.lap("offer");
        trace.fact("forged", offered.told());
        let both = find(entry.talk()?, &control, &forged, &offered, deadline).await;
        trace.lap("arrival");
        let (control, forged) = both?;
        if let Offered::Later(_) = offered {
            return Ok(Seen::unknown(Reason::SmtpTemporary));
        }
        trace.fact("control_landed", control.word());
        trace.fact("forged_landed", forged.word());
        Ok(judge(control, forged, self.expect))
    }

    async fn mail_server(&self, names: &Names, trace: &mut Trace) -> Result<Vec<IpAddr>, Fault> {
        let host = match &self.mx {
            Some(host) => host.clone(),
            None => {
                let hosts = names.mail_servers(&self.domain).await?;
                hosts.into_iter().next().unwrap_or_else(|| self.domain.clone())
            }
        };
        let addresses = names.addresses(&host).await?;
        trace.fact("mx", &host);
        if addresses.is_empty() {
            return Err(Fault::new(Reason::DnsNotFound, format!("{host} has no address")));
        }
        Ok(addresses)
    }

    /// Whether SPF lets the address send that we connect from; behind a translated address that
    /// is not to be seen from here.
    async fn may_send_from_here(
        &self,
        names: &Names,
        server: &offer::Server<'_>,
        deadline: Deadline,
    ) -> Result<bool, Fault> {
        let Ok(walked) = walk(names, &self.domain).await else {
            return Ok(false);
        };
        let own = server.own_address(deadline).await?;
        let inside = |range: &(IpAddr, u8)| holds(range.0, range.1, own);
        Ok(walked.passes_all || walked.ranges.iter().any(inside))
    }
}

/// Without the harmless message in the inbox, where the forged one is says nothing.
fn judge(control: Landed, forged: Landed, expect: Landed) -> Seen {
    if control != Landed::Inbox {
        return Seen::unknown(Reason::SpoofControlLost);
    }
    match forged.cmp(&expect) {
        std::cmp::Ordering::Greater => Seen::down(Reason::SpoofAccepted),
        std::cmp::Ordering::Less => Seen::degraded(Reason::SpoofRefused),
        std::cmp::Ordering::Equal => Seen::up(),
    }
}

#[cfg(test)]
mod tests;
