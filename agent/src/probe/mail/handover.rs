//! The hand-over of a message: to a server, or to the MX of a domain, best first; over STARTTLS
//! or TLS and with an account where declared. A temporary refusal is tried again within the run,
//! as a mail server would; what a final one means for the service is decided here.

use std::time::Duration;

use hickory_proto::rr::{RData, RecordType};
use mailward_evidence::clock::Reading;
use mailward_evidence::{Reason, Verdict};

use super::super::sign_in::{Round, show};
use super::super::smtp::{judge_auth, keep};
use super::super::{Context, Seen};
use crate::net::smtp::{Conversation, Offers, Reply, Way};
use crate::net::{Deadline, Fault, Net, Security, Trace, dns};
use crate::post::bounce::{Class, classify};
use crate::post::token::Token;

/// The wait before a refused hand-over is tried again: a tenth of the timeout, within these.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How long an account in somebody else's hands is waited for.
const TURN: Duration = Duration::from_secs(10);
/// The most MX of a domain that are tried.
const MAX_MX: usize = 10;

/// Who takes the message.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// This server.
    Host(String),
    /// The MX of this domain (RFC 5321 section 5.1).
    MxOf(String),
}

impl Target {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Host(name) | Self::MxOf(name) => name,
        }
    }
}

/// How a message is handed over.
#[derive(Clone, Debug)]
pub(super) struct Handover {
    pub(super) target: Target,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credential: Option<String>,
    pub(super) helo: Option<String>,
    /// Whether the server that takes it is the watched side's.
    pub(super) is_watched: bool,
}

/// A message and its addresses.
pub(super) struct Envelope<'a> {
    pub(super) sender: &'a str,
    pub(super) recipient: &'a str,
    pub(super) raw: &'a [u8],
}

/// How a hand-over ended.
pub(super) enum Handed {
    /// The server said at this moment that it has the message.
    Taken {
        /// When.
        at: Reading,
        /// Whether it had asked to come back later.
        greylisted: bool,
    },
    /// Nobody knows whether it has it.
    Doubtful(Fault),
    /// It does not have it.
    Ended(Seen),
}

/// Why one attempt ended.
enum Stop {
    Fault(Fault),
    Doubtful(Fault),
    Refused(&'static str, Reply),
    Seen(Seen),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Handover {
    pub(super) async fn hand_over(
        &self,
        net: &Net,
        cx: &Context<'_>,
        envelope: &Envelope<'_>,
        token: &Token,
        trace: &mut Trace,
    ) -> Handed {
        let pause = (cx.deadline.left() / 10).clamp(MIN_PAUSE, MAX_PAUSE);
        let mut greylisted = false;
        let mut attempts = 0u32;
        loop {
            attempts += 1;
            match self.attempt(net, cx, envelope, token, trace).await {
                Ok(at) => {
                    if attempts > 1 {
                        trace.fact("attempts", attempts.to_string());
                    }
                    return Handed::Taken { at, greylisted };
                }
                Err(Stop::Doubtful(fault)) => return Handed::Doubtful(fault),
                Err(Stop::Seen(seen)) => return Handed::Ended(seen),
                Err(Stop::Fault(fault)) => return Handed::Ended(self.of_fault(&fault)),
                Err(Stop::Refused(at, reply)) => {
                    greylisted |= is_greylisting(&reply);
                    let later = reply.class() == 4 && cx.deadline.left() > pause + MIN_PAUSE;
                    if later {
                        trace.fact("put_off", format!("{at}: {} {}", reply.code, reply.text()));
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    return Handed::Ended(self.of_refusal(at, &reply, trace));
                }
            }
        }
    }

    fn of_fault(&self, fault: &Fault) -> Seen {
        if self.is_watched {
            return Seen::fault(fault);
        }
        // the sender's own provider is not the service that is watched
        let mut seen = Seen::unknown(fault.reason.clone());
        seen.facts.set("detail", fault.detail.clone());
        seen
    }

    fn of_refusal(&self, at: &str, reply: &Reply, trace: &mut Trace) -> Seen {
        trace.fact("at", at);
        trace.fact("smtp_code", reply.code.to_string());
        if let Some(enhanced) = reply.enhanced {
            trace.fact("enhanced", enhanced.to_string());
        }
        let text = reply.text();
        let class = match classify(reply.enhanced, &text) {
            Class::Other if reply.class() == 4 => Class::Temporary,
            class => class,
        };
        trace.fact("refusal_class", class.word());
        keep(reply, trace);
        trace.fact("answer", text);
        if !self.is_watched {
            return Seen::unknown(Reason::SmtpRefused);
        }
        if is_greylisting(reply) {
            return Seen::unknown(Reason::Greylisted);
        }
        Seen::down(Reason::MailRefused)
    }

    /// One attempt; the moment in which the server said that it has the message.
    async fn attempt(
        &self,
        net: &Net,
        cx: &Context<'_>,
        envelope: &Envelope<'_>,
        token: &Token,
        trace: &mut Trace,
    ) -> Result<Reading, Stop> {
        let (mut talk, host) = self.connect(net, cx.deadline, trace).await?;
        let done = self.converse(net, &mut talk, &host, cx, envelope, token, trace).await;
        if let Some(talk) = talk
            && matches!(done, Ok(_) | Err(Stop::Refused(..) | Stop::Seen(_)))
        {
            // the server has it, or not: its goodbye changes nothing and is not waited for here
            tokio::spawn(talk.quit());
        }
        done
    }

    async fn connect(
        &self,
        net: &Net,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<(Option<Conversation>, String), Fault> {
        let hosts = match &self.target {
            Target::Host(host) => vec![host.clone()],
            Target::MxOf(domain) => exchanges(net, domain, deadline, trace).await?,
        };
        let mut first = None;
        for host in hosts {
            match self.connect_to(net, &host, deadline, trace).await {
                Ok(talk) => {
                    trace.fact("host", &host);
                    return Ok((Some(talk), host));
                }
                Err(fault) => {
                    first.get_or_insert(fault);
                }
            }
        }
        let none = || Fault::new(Reason::DnsNotFound, "the domain has no server for mail");
        Err(first.unwrap_or_else(none))
    }

    async fn connect_to(
        &self,
        net: &Net,
        host: &str,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Conversation, Fault> {
        let tcp = net.dial_smtp(host, self.port, deadline, trace).await?;
        let stream = net.begin(tcp, host, self.security, deadline, trace).await?;
        Ok(Conversation::new(stream, deadline))
    }

    /// The conversation is gone from `slot` once it cannot end with QUIT any more.
    #[allow(clippy::too_many_arguments, reason = "all of them belong to one conversation")]
    async fn converse(
        &self,
        net: &Net,
        slot: &mut Option<Conversation>,
        host: &str,
        cx: &Context<'_>,
        envelope: &Envelope<'_>,
        token: &Token,
        trace: &mut Trace,
    ) -> Result<Reading, Stop> {
        let Some(mut talk) = slot.take() else {
            return Err(Fault::new(Reason::ProbeFault, "there is no conversation").into());
        };
        trace.skip();
        let greeting = talk.reply("waiting for the greeting").await;
        trace.lap("banner");
        let greeting = greeting?;
        if greeting.code != 220 {
            return Err(Stop::Refused("banner", greeting));
        }
        let mut offers = self.greet(&mut talk, trace).await?;
        if self.security == Security::StartTls {
            if !offers.start_tls() {
                return Err(Stop::Seen(self.of_fault(&Fault::new(Reason::TlsNotOffered, ""))));
            }
            let reply = talk.command("STARTTLS", "waiting for the answer to STARTTLS").await?;
            if reply.code != 220 {
                return Err(Stop::Refused("starttls", reply));
            }
            talk = talk.secure(net, host, trace).await?;
            // what was offered before is forgotten (RFC 3207 section 4.2)
            offers = self.greet(&mut talk, trace).await?;
        }
        if let Some(credential) = &self.credential {
            self.log_on(net, &mut talk, &offers, credential, cx, trace).await?;
        }
        let done = self.hand_in(net, &mut talk, &offers, envelope, token, trace).await;
        if matches!(done, Ok(_) | Err(Stop::Refused(..))) {
            *slot = Some(talk);
        }
        done
    }

    async fn greet(&self, talk: &mut Conversation, trace: &mut Trace) -> Result<Offers, Stop> {
        let name = match &self.helo {
            Some(name) => name.clone(),
            None => super::super::smtp::address_literal(talk),
        };
        trace.skip();
        let reply = talk.command(&format!("EHLO {name}"), "waiting for the answer to EHLO").await;
        trace.lap("ehlo");
        let reply = reply?;
        if reply.code != 250 {
            return Err(Stop::Refused("ehlo", reply));
        }
        Ok(Offers::read(&reply))
    }

    async fn log_on(
        &self,
        net: &Net,
        talk: &mut Conversation,
        offers: &Offers,
        credential: &String,
        cx: &Context<'_>,
        trace: &mut Trace,
    ) -> Result<(), Stop> {
        let ids = std::slice::from_ref(credential);
        let patience = cx.deadline.within(TURN);
        let mut round = Round::new(cx.accounts, ids);
        let account = loop {
            match round.next_account(cx.deadline, trace).await {
                Some(account) => break account,
                // the mailbox may be logging on with it just now
                None if patience.left() > Duration::ZERO && round.is_held() => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    round = Round::new(cx.accounts, ids);
                }
                None => return Err(Stop::Seen(round.verdict())),
            }
        };
        let login = show(&account, net, cx.deadline, &mut round, trace).await;
        let Some(login) = login else { return Err(Stop::Seen(round.verdict())) };
        let Some(way) = Way::choose(&login.proof, offers) else {
            return Err(Stop::Seen(self.of_fault(&Fault::new(Reason::NotOffered, ""))));
        };
        trace.skip();
        let reply = talk.log_on(&login, way, trace).await;
        trace.lap("auth");
        let reply = reply?;
        let said = judge_auth(&reply, trace);
        // it may be better in a moment, as a mail server would see it; 432 wants a new password
        let is_later = reply.class() == 4 && reply.code != 432;
        match round.settle(&account, &login, said).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) if is_later => Err(Stop::Refused("auth", reply)),
            Some(Err(seen)) => Err(Stop::Seen(self.of_seen(seen))),
            None => Err(Stop::Seen(round.verdict())),
        }
    }

    /// What the sender's own provider says is no news of the service that is watched.
    fn of_seen(&self, mut seen: Seen) -> Seen {
        if !self.is_watched && seen.verdict == Verdict::Down {
            seen.verdict = Verdict::Unknown;
        }
        seen
    }

    async fn hand_in(
        &self,
        net: &Net,
        talk: &mut Conversation,
        offers: &Offers,
        envelope: &Envelope<'_>,
        token: &Token,
        trace: &mut Trace,
    ) -> Result<Reading, Stop> {
        trace.skip();
        let mut mail = format!("MAIL FROM:<{}>", envelope.sender);
        if offers.has("DSN") {
            // RFC 3461: a bounce tells us apart also where it returns nothing
            mail.push_str(&format!(" RET=HDRS ENVID={}", token.as_str()));
        }
        let rcpt = format!("RCPT TO:<{}>", envelope.recipient);
        for (at, command, wanted) in
            [("mail", mail.as_str(), 250), ("rcpt", rcpt.as_str(), 250), ("data", "DATA", 354)]
        {
            let doing = format!("waiting for the answer to {}", at.to_uppercase());
            let reply = talk.command(command, &doing).await?;
            let is_wanted = reply.code == wanted || (wanted == 250 && reply.is_done());
            if !is_wanted {
                trace.lap("handover");
                return Err(Stop::Refused(at, reply));
            }
        }
        let answered = talk.message(envelope.raw).await;
        let at = net.clock.read();
        trace.lap("handover");
        match answered {
            Ok(reply) if reply.is_done() => {
                trace.fact("handover", reply.text());
                Ok(at)
            }
            Ok(reply) => Err(Stop::Refused("message", reply)),
            Err(unanswered) if unanswered.is_doubtful => Err(Stop::Doubtful(unanswered.fault)),
            Err(unanswered) => Err(unanswered.fault.into()),
        }
    }
}

/// RFC 6647 section 2, by code or by word.
fn is_greylisting(reply: &Reply) -> bool {
    use crate::net::smtp::Enhanced;
    let by_code = matches!(reply.code, 450 | 451)
        && matches!(reply.enhanced, Some(Enhanced(4, 7, 1) | Enhanced(4, 2, 0)));
    let text = reply.text().to_ascii_lowercase();
    by_code || ["greylist", "graylist"].iter().any(|word| text.contains(word))
}

/// The MX of a domain, best first; the domain itself where it has none (RFC 5321 section 5.1).
async fn exchanges(
    net: &Net,
    domain: &str,
    deadline: Deadline,
    trace: &mut Trace,
) -> Result<Vec<String>, Fault> {
    trace.skip();
    let name = dns::full_name(domain).map_err(|why| Fault::new(Reason::ProbeFault, why))?;
    let servers = net.resolver.servers();
    let (_, answer) = dns::ask_any(servers, &name, RecordType::MX, deadline).await;
    trace.lap("mx");
    let mut found: Vec<(u16, String)> = Vec::new();
    for record in &answer?.records {
        if let RData::MX(mx) = &record.data {
            let host = mx.exchange.to_utf8().trim_end_matches('.').to_owned();
            if host.is_empty() {
                // RFC 7505
                return Err(Fault::new(Reason::DnsWrong, "the domain says that it takes no mail"));
            }
            found.push((mx.preference, host));
        }
    }
    found.sort();
    found.truncate(MAX_MX);
    if found.is_empty() {
        return Ok(vec![domain.to_owned()]);
    }
    Ok(found.into_iter().map(|(_, host)| host).collect())
}
