//! `tls`: a full handshake, and what the certificate says: refused and why, or accepted and how
//! many days it has left. With `starttls` the encryption is asked for in that protocol first.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;

use super::{BuildError, Context, Observe, Seen};
use crate::net::tls::Inside;
use crate::net::{Fault, Net, Stream, Trace, imap, pop3, smtp};

struct Tls {
    net: Arc<Net>,
    host: String,
    port: u16,
    inside: Option<Protocol>,
    min_days: i64,
}

/// The protocol that is asked for encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Smtp,
    Imap,
    Pop3,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let host = settings.text("host");
    let host = host.ok_or_else(|| BuildError::key(probe, "host", "expected a server, got none"))?;
    let (inside, port) = match settings.text("starttls") {
        None => (None, 443),
        Some("smtp") => (Some(Protocol::Smtp), 25),
        Some("imap") => (Some(Protocol::Imap), 143),
        Some("pop3") => (Some(Protocol::Pop3), 110),
        Some(other) => {
            return Err(BuildError::key(probe, "starttls", format!("{other:?} is not known")));
        }
    };
    Ok(Box::new(Tls {
        net: net.clone(),
        host: host.to_owned(),
        port: settings.port("port").unwrap_or(port),
        inside,
        min_days: settings.integer("min_days").unwrap_or(14),
    }))
}

impl Observe for Tls {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.shake_hands(cx, &mut trace).await {
                Ok(()) => self.judge(&mut trace),
                Err(fault) => Seen::fault(&fault),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

impl Tls {
    async fn shake_hands(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<(), Fault> {
        let (host, deadline) = (&self.host, cx.deadline);
        let tcp = match self.inside {
            Some(Protocol::Smtp) => self.net.dial_smtp(host, self.port, deadline, trace).await?,
            _ => self.net.dial(host, self.port, deadline, trace).await?,
        };
        trace.skip();
        match self.inside {
            None => {
                self.net.secure(tcp, host, Inside::Other, deadline, trace).await?;
            }
            Some(Protocol::Smtp) => {
                let mut talk = smtp::Conversation::new(Stream::Plain(tcp), deadline);
                let asked = ask_smtp(&mut talk).await;
                trace.lap("starttls");
                asked?;
                talk.secure(&self.net, host, trace).await?.quit().await;
            }
            Some(Protocol::Imap) => {
                let mut talk = imap::Conversation::new(Stream::Plain(tcp), deadline);
                let asked = ask_imap(&mut talk).await;
                trace.lap("starttls");
                asked?;
                let _ = talk.secure(&self.net, host, trace).await?.log_out().await;
            }
            Some(Protocol::Pop3) => {
                let mut talk = pop3::Conversation::new(Stream::Plain(tcp), deadline);
                let asked = ask_pop3(&mut talk).await;
                trace.lap("starttls");
                asked?;
                let _ = talk.secure(&self.net, host, trace).await?.quit().await;
            }
        }
        Ok(())
    }

    fn judge(&self, trace: &mut Trace) -> Seen {
        let not_after = trace.noted("cert_not_after");
        let Some(not_after) = not_after.and_then(|text| text.parse::<Timestamp>().ok()) else {
            // accepted, and yet its end cannot be read: nothing to warn of
            return Seen::up();
        };
        let left = days_left(self.net.clock.now(), not_after);
        trace.fact("cert_days_left", left.to_string());
        if left < self.min_days { Seen::degraded(Reason::CertExpiring) } else { Seen::up() }
    }
}

/// Whole days from `now` to `end`; negative once it is over.
fn days_left(now: Timestamp, end: Timestamp) -> i64 {
    (end.as_second() - now.as_second()).div_euclid(86_400)
}

/// Asks an SMTP server for TLS (RFC 3207). Any answer but a yes means that it does not offer it.
async fn ask_smtp(talk: &mut smtp::Conversation) -> Result<(), Fault> {
    let steps = [
        (None, 220, "waiting for the greeting"),
        (Some("EHLO mailward.invalid"), 250, "waiting for the answer to EHLO"),
        (Some("STARTTLS"), 220, "waiting for the answer to STARTTLS"),
    ];
    for (command, expect, doing) in steps {
        let reply = match command {
            None => talk.reply(doing).await?,
            Some(command) => talk.command(command, doing).await?,
        };
        if reply.code != expect {
            let reason = match command {
                None if reply.code == 421 => Reason::ServiceUnavailable,
                None => Reason::SmtpRefused,
                Some(_) => Reason::TlsNotOffered,
            };
            let detail = format!("while {doing}: {} {}", reply.code, reply.text());
            return Err(Fault::new(reason, detail));
        }
    }
    Ok(())
}

/// Asks an IMAP server for TLS (RFC 9051 section 6.2.1).
async fn ask_imap(talk: &mut imap::Conversation) -> Result<(), Fault> {
    let (greeting, _) = talk.greeting().await?;
    let detail = |said: &imap::Said| format!("{} {}", said.status, said.text);
    if greeting.status != imap::Status::Ok {
        // a server that lets in strangers without a word cannot be asked any more
        let reason = match greeting.status {
            imap::Status::PreAuth => Reason::TlsNotOffered,
            _ => Reason::ServiceUnavailable,
        };
        return Err(Fault::new(reason, detail(&greeting)));
    }
    let answer = talk.command("STARTTLS", "waiting for the answer to STARTTLS").await?;
    match answer.is_ok() {
        true => Ok(()),
        false => Err(Fault::new(Reason::TlsNotOffered, detail(&answer.said))),
    }
}

/// Asks a POP3 server for TLS (RFC 2595 section 4).
async fn ask_pop3(talk: &mut pop3::Conversation) -> Result<(), Fault> {
    let greeting = talk.reply("waiting for the greeting").await?;
    if !greeting.ok {
        return Err(Fault::new(Reason::ServiceUnavailable, greeting.text));
    }
    let reply = talk.command("STLS", "waiting for the answer to STLS").await?;
    if reply.ok { Ok(()) } else { Err(Fault::new(Reason::TlsNotOffered, reply.text)) }
}

#[cfg(test)]
mod tests;
