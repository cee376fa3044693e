//! `pop3`: opens a mailbox by POP3 (RFC 1939) up to a declared step, over STLS or TLS where
//! declared. It reads no message and removes none. What a reply means stands in `pop3/judge`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;

use super::sign_in::{Round, show};
use super::{BuildError, Context, Ended, Observe, Seen, access};
use crate::net::pop3::{Capabilities, Conversation, Way};
use crate::net::{Access, Fault, Net, Security, Trace};

mod judge;

use judge::{At, judge, judge_logon};

struct Pop3 {
    net: Arc<Net>,
    access: Access,
    upto: Step,
    credentials: Vec<String>,
}

/// How far a run goes; later steps include the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Greeting,
    Tls,
    Auth,
    Stat,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let upto = match probe.settings.text("upto").unwrap_or("greeting") {
        "greeting" => Step::Greeting,
        "tls" => Step::Tls,
        "auth" => Step::Auth,
        "stat" => Step::Stat,
        other => return Err(BuildError::key(probe, "upto", format!("{other:?} is not known"))),
    };
    Ok(Box::new(Pop3 {
        net: net.clone(),
        access: access(probe, "implicit", (995, 110))?,
        upto,
        credentials: probe.credentials.clone(),
    }))
}

impl Observe for Pop3 {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let mut talk = None;
            let seen = match self.walk(&mut talk, cx, &mut trace).await {
                Ok(()) => Seen::up(),
                Err(ended) => {
                    // a conversation that broke is over: there is nobody to say goodbye to
                    talk = talk.filter(|_| matches!(ended, Ended::Judged(_)));
                    ended.into_seen()
                }
            };
            if let Some(mut talk) = talk {
                trace.skip();
                let _ = talk.quit().await;
                trace.lap("quit");
            }
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.access.host
    }
}

impl Pop3 {
    /// The conversation is gone from `slot` once it cannot end with QUIT any more.
    async fn walk(
        &self,
        slot: &mut Option<Conversation>,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<(), Ended> {
        let net = &self.net;
        let talk = Conversation::open(net, &self.access, cx.deadline, trace).await?;
        let talk = slot.insert(talk);
        trace.skip();
        let greeting = talk.reply("waiting for the greeting").await;
        trace.lap("greeting");
        let greeting = greeting?;
        trace.fact("greeting", &greeting.text);
        trace.keep_reply(&greeting.text);
        if !greeting.ok {
            return Err(Ended::Judged(judge(At::Greeting, &greeting, trace)));
        }
        let mut offered = ask_offers(talk, trace).await?;
        if self.access.security == Security::StartTls && self.upto >= Step::Tls {
            self.start_tls(slot, &offered, trace).await?;
            // what was offered before is forgotten (RFC 2595 section 4)
            offered = ask_offers(there(slot)?, trace).await?;
        }
        let talk = there(slot)?;
        if self.upto >= Step::Auth {
            let mut round = Round::new(cx.accounts, &self.credentials);
            self.log_on(talk, &offered, &mut round, cx, trace).await?;
        }
        if self.upto >= Step::Stat {
            count(talk, trace).await?;
        }
        Ok(())
    }

    async fn start_tls(
        &self,
        slot: &mut Option<Conversation>,
        offered: &Capabilities,
        trace: &mut Trace,
    ) -> Result<(), Ended> {
        if !offered.has("STLS") {
            return Err(Ended::Judged(Seen::down(Reason::TlsNotOffered)));
        }
        trace.skip();
        let doing = "waiting for the answer to STLS";
        let reply = there(slot)?.command("STLS", doing).await;
        trace.lap("starttls");
        let reply = reply?;
        if !reply.ok {
            return Err(Ended::Judged(judge(At::StartTls, &reply, trace)));
        }
        if let Some(talk) = slot.take() {
            *slot = Some(talk.secure(&self.net, &self.access.host, trace).await?);
        }
        Ok(())
    }

    /// Tries the accounts in turn, each once and by one mechanism. Fact `auth`.
    async fn log_on(
        &self,
        talk: &mut Conversation,
        offered: &Capabilities,
        round: &mut Round<'_>,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<(), Ended> {
        while let Some(account) = round.next_account(cx.deadline, trace).await {
            let Some(login) = show(&account, &self.net, cx.deadline, round, trace).await else {
                continue;
            };
            let Some(way) = Way::choose(&login.proof, offered) else {
                // a server that could encrypt and offers no logon wants to be encrypted first
                let bare = offered.has("STLS") && !talk.is_encrypted();
                return Err(Ended::Judged(match bare {
                    true => Seen::unknown(Reason::ProbeFault),
                    false => Seen::down(Reason::NotOffered),
                }));
            };
            trace.fact("auth", way.word());
            trace.skip();
            let reply = talk.log_on(&login, way, trace).await;
            trace.lap("auth");
            let said = judge_logon(&reply?, trace);
            if let Some(done) = round.settle(&account, &login, said).await {
                return done.map_err(Ended::Judged);
            }
        }
        Err(Ended::Judged(round.verdict()))
    }
}

fn there(slot: &mut Option<Conversation>) -> Result<&mut Conversation, Fault> {
    slot.as_mut().ok_or_else(|| Fault::new(Reason::ProbeFault, "there is no conversation"))
}

async fn ask_offers(talk: &mut Conversation, trace: &mut Trace) -> Result<Capabilities, Fault> {
    trace.skip();
    let offered = talk.capabilities().await;
    trace.lap("capabilities");
    let offered = offered?;
    trace.fact("offers", offered.words());
    Ok(offered)
}

/// STAT and NOOP: the maildrop is there, and still there. Facts `messages`, `octets`.
async fn count(talk: &mut Conversation, trace: &mut Trace) -> Result<(), Ended> {
    trace.skip();
    let reply = talk.command("STAT", "waiting for the answer to STAT").await;
    trace.lap("stat");
    let reply = reply?;
    if !reply.ok {
        return Err(Ended::Judged(judge(At::Stat, &reply, trace)));
    }
    // RFC 1939 section 5: the count and the size, and perhaps more
    let mut words = reply.text.split_ascii_whitespace();
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let (Some(messages), Some(octets)) = (number(), number()) else {
        trace.fact("answer", &reply.text);
        return Err(Ended::Judged(Seen::down(Reason::ProtocolError)));
    };
    trace.fact("messages", messages.to_string());
    trace.fact("octets", octets.to_string());
    trace.skip();
    let reply = talk.command("NOOP", "waiting for the answer to NOOP").await;
    trace.lap("noop");
    let reply = reply?;
    if !reply.ok {
        return Err(Ended::Judged(judge(At::Noop, &reply, trace)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
