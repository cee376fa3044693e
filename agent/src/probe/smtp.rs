//! `smtp`: speaks SMTP (RFC 5321) with a server up to a declared step, over STARTTLS or TLS
//! where declared, and never sends a message. What a refusal means stands in `smtp/judge`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;

use super::sign_in::{Round, show};
use super::{BuildError, Context, Ended, Observe, Seen, access};
use crate::net::smtp::{Conversation, Offers, Reply, Way};
use crate::net::{Access, Fault, Net, Security, Trace};

mod greylist;
mod judge;

use greylist::Greylist;
use judge::{At, judge};
pub(super) use judge::{judge_auth, keep};

struct Smtp {
    net: Arc<Net>,
    access: Access,
    upto: Step,
    credentials: Vec<String>,
    mail_from: String,
    rcpt_to: Option<String>,
    helo: Option<String>,
    greylist: Greylist,
}

/// How far a run goes; later steps include the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Banner,
    Ehlo,
    Tls,
    Auth,
    Rcpt,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let wrong = |key, value: &str| BuildError::key(probe, key, format!("{value:?} is not known"));
    let upto = match settings.text("upto").unwrap_or("ehlo") {
        "banner" => Step::Banner,
        "ehlo" => Step::Ehlo,
        "tls" => Step::Tls,
        "auth" => Step::Auth,
        "rcpt" => Step::Rcpt,
        other => return Err(wrong("upto", other)),
    };
    for key in ["mail_from", "rcpt_to", "helo"] {
        // such a value would be a command of its own
        let breaks = |c: char| c.is_control() || matches!(c, '<' | '>' | ' ');
        if settings.text(key).is_some_and(|value| value.contains(breaks)) {
            let problem = "expected no spaces, brackets or control characters";
            return Err(BuildError::key(probe, key, problem));
        }
    }
    Ok(Box::new(Smtp {
        net: net.clone(),
        access: access(probe, "none", (465, 25))?,
        upto,
        credentials: probe.credentials.clone(),
        mail_from: settings.text("mail_from").unwrap_or_default().to_owned(),
        rcpt_to: settings.text("rcpt_to").map(str::to_owned),
        helo: settings.text("helo").map(str::to_owned).or_else(machine_name),
        greylist: Greylist::default(),
    }))
}

/// The machine's name, if it is a full one; else its address will do (RFC 5321 section 4.1.4).
pub(super) fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let full = name.contains('.') && name.len() <= 253 && name.split('.').all(is_label);
    full.then(|| name.to_owned())
}

impl Observe for Smtp {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let mut seen = self.attempt(cx, &mut trace).await;
            if let Some(wait) = self.greylist.comeback(&seen, cx.deadline, &trace) {
                self.greylist.judge(seen, &mut trace);
                trace.skip();
                tokio::time::sleep(wait).await;
                trace.lap("greylist");
                seen = self.attempt(cx, &mut trace).await;
            }
            self.greylist.judge(seen, &mut trace).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.access.host
    }
}

impl Smtp {
    /// One conversation.
    async fn attempt(&self, cx: &Context<'_>, trace: &mut Trace) -> Seen {
        match self.open(cx, trace).await {
            Ok(mut talk) => {
                let seen = self.converse(&mut talk, cx, trace).await;
                if let Some(talk) = talk {
                    talk.quit().await;
                }
                seen.unwrap_or_else(Ended::into_seen)
            }
            Err(fault) => Seen::fault(&fault),
        }
    }

    async fn open(
        &self,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<Option<Conversation>, Fault> {
        let (host, deadline) = (&self.access.host, cx.deadline);
        let tcp = self.net.dial_smtp(host, self.access.port, deadline, trace).await?;
        let stream = self.net.begin(tcp, host, self.access.security, deadline, trace).await?;
        Ok(Some(Conversation::new(stream, deadline)))
    }

    /// The conversation is gone from `slot` once it cannot end with QUIT any more.
    async fn converse(
        &self,
        slot: &mut Option<Conversation>,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<Seen, Ended> {
        let Some(mut talk) = slot.take() else {
            return Err(Fault::new(Reason::ProbeFault, "there is no conversation").into());
        };
        trace.skip();
        let greeting = talk.reply("waiting for the greeting").await;
        trace.lap("banner");
        let greeting = greeting?;
        trace.fact("banner", greeting.text());
        keep(&greeting, trace);
        if greeting.code != 220 {
            return Err(Ended::Judged(judge(At::Banner, &greeting, trace)));
        }
        if self.upto == Step::Banner {
            *slot = Some(talk);
            return Ok(Seen::up());
        }
        let mut offers = self.greet(&mut talk, trace).await?;
        if self.access.security == Security::StartTls && self.upto >= Step::Tls {
            talk = self.start_tls(talk, &offers, trace).await?;
            // what was offered before is forgotten (RFC 3207 section 4.2)
            offers = self.greet(&mut talk, trace).await?;
        }
        let seen = self.go_on(&mut talk, &offers, cx, trace).await;
        if !matches!(seen, Err(Ended::Fault(_))) {
            *slot = Some(talk);
        }
        seen
    }

    /// EHLO, or HELO for a server that does not know it (RFC 5321 section 3.2).
    async fn greet(&self, talk: &mut Conversation, trace: &mut Trace) -> Result<Offers, Ended> {
        let name = match &self.helo {
            Some(name) => name.clone(),
            None => address_literal(talk),
        };
        trace.skip();
        let reply = say_hello(talk, &name, trace).await;
        trace.lap("ehlo");
        let reply = reply?;
        if reply.code != 250 {
            return Err(Ended::Judged(judge(At::Ehlo, &reply, trace)));
        }
        let offers = Offers::read(&reply);
        trace.fact("offers", offers.words());
        Ok(offers)
    }

    async fn start_tls(
        &self,
        mut talk: Conversation,
        offers: &Offers,
        trace: &mut Trace,
    ) -> Result<Conversation, Ended> {
        if !offers.start_tls() {
            return Err(Ended::Judged(Seen::down(Reason::TlsNotOffered)));
        }
        trace.skip();
        let doing = "waiting for the answer to STARTTLS";
        let reply = talk.command("STARTTLS", doing).await;
        trace.lap("starttls");
        let reply = reply?;
        if reply.code != 220 {
            return Err(Ended::Judged(judge(At::StartTls, &reply, trace)));
        }
        Ok(talk.secure(&self.net, &self.access.host, trace).await?)
    }

    async fn go_on(
        &self,
        talk: &mut Conversation,
        offers: &Offers,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<Seen, Ended> {
        if self.upto >= Step::Auth && !self.credentials.is_empty() {
            let mut round = Round::new(cx.accounts, &self.credentials);
            self.log_on(talk, offers, &mut round, cx, trace).await?;
        }
        match (&self.rcpt_to, self.upto) {
            (Some(recipient), Step::Rcpt) => self.address(talk, recipient, trace).await,
            _ => Ok(Seen::up()),
        }
    }

    async fn log_on(
        &self,
        talk: &mut Conversation,
        offers: &Offers,
        round: &mut Round<'_>,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<(), Ended> {
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            let Some(login) = show(&account, &self.net, cx.deadline, round, trace).await else {
                continue;
            };
            let Some(way) = Way::choose(&login.proof, offers) else {
                return Err(Ended::Judged(Seen::down(Reason::NotOffered)));
            };
            trace.fact("auth", way.word());
            trace.skip();
            let reply = talk.log_on(&login, way, trace).await;
            trace.lap("auth");
            let said = judge_auth(&reply?, trace);
            if let Some(done) = round.settle(&account, &login, said).await {
                return done.map_err(Ended::Judged);
            }
        }
        Err(Ended::Judged(round.verdict()))
    }

    /// MAIL and RCPT, then RSET: no message is begun.
    async fn address(
        &self,
        talk: &mut Conversation,
        recipient: &str,
        trace: &mut Trace,
    ) -> Result<Seen, Ended> {
        trace.skip();
        let command = format!("MAIL FROM:<{}>", self.mail_from);
        let reply = talk.command(&command, "waiting for the answer to MAIL").await;
        trace.lap("mail");
        let reply = reply?;
        if !reply.is_done() {
            return Err(Ended::Judged(judge(At::Mail, &reply, trace)));
        }
        let command = format!("RCPT TO:<{recipient}>");
        let reply = talk.command(&command, "waiting for the answer to RCPT").await;
        trace.lap("rcpt");
        let reply = reply?;
        if !reply.is_done() {
            return Err(Ended::Judged(judge(At::Rcpt, &reply, trace)));
        }
        // the verdict stands; a server that dislikes RSET gets QUIT next anyway
        let _ = talk.command("RSET", "taking the recipient back").await;
        Ok(Seen::up())
    }
}

async fn say_hello(talk: &mut Conversation, name: &str, trace: &mut Trace) -> Result<Reply, Fault> {
    let command = format!("EHLO {name}");
    let reply = talk.command(&command, "waiting for the answer to EHLO").await?;
    if !matches!(reply.code, 500..=504) {
        trace.fact("greeting", "EHLO");
        return Ok(reply);
    }
    trace.fact("greeting", "HELO");
    let command = format!("HELO {name}");
    talk.command(&command, "waiting for the answer to HELO").await
}

/// RFC 5321 section 4.1.3.
pub(super) fn address_literal(talk: &Conversation) -> String {
    match talk.local().map(|local| local.ip()) {
        Some(std::net::IpAddr::V6(v6)) => format!("[IPv6:{v6}]"),
        Some(std::net::IpAddr::V4(v4)) => format!("[{v4}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

#[cfg(test)]
mod tests;
