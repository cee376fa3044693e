//! `mail`: sends a message and leaves it to the post to find it. A run ends with the hand-over;
//! its outcome is told when the message arrives, is late, or is lost. The message is built by
//! lettre; it travels over the agent's own connection, which keeps time and shows certificates.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::{Probe, Schedule};
use mailward_evidence::Reason;
use mailward_evidence::record::Pairs;

use super::{BuildError, Context, Observe, Seen};
use crate::net::{Fault, Net, Security, Trace};
use crate::post::flight::{Flight, Stage};
use crate::post::token::{Token, tagged};
use crate::post::{Place, Post, Route};

mod compose;
mod handover;

use handover::{Handed, Handover, Target};

/// What stands for the time to the next run until it is known, where a cron says.
const UNKNOWN_NEXT_MS: u64 = 3_600_000;

struct Mail {
    net: Arc<Net>,
    id: String,
    handover: Handover,
    mail_from: String,
    /// Absent where it is an address of the sink's own.
    rcpt_to: Option<String>,
    subject: String,
    /// Whether the recipient's, and the sender's, address bear the token.
    tags: (bool, bool),
    places: Vec<String>,
    every_ms: u64,
    timeout: Duration,
    lost_after: Duration,
    slow: Option<Duration>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let needs = |key: &'static str| BuildError::key(probe, key, "expected a value, got none");
    let send = settings.group("send").ok_or_else(|| needs("send"))?;
    let route = Route::read(probe)
        .map_err(|error| BuildError::key(probe, "expect", error.to_string()))?
        .ok_or_else(|| needs("receive"))?;
    let target = match (send.text("host"), send.text("mx_of")) {
        (Some(host), _) => Target::Host(host.to_owned()),
        (None, Some(domain)) => Target::MxOf(domain.to_owned()),
        (None, None) => return Err(needs("send")),
    };
    let security = send.text("tls").and_then(Security::read);
    let credential = send.texts("credential").first().cloned();
    let is_watched = route.direction != "incoming" || credential.is_none();
    let every_ms = match probe.schedule {
        Schedule::Every(every) => u64::try_from(every.as_millis()).unwrap_or(UNKNOWN_NEXT_MS),
        Schedule::Cron(_) => UNKNOWN_NEXT_MS,
    };
    let is_sink = |place: &Place| matches!(place, Place::Sink(_));
    Ok(Box::new(Mail {
        net: Arc::clone(net),
        id: probe.id.clone(),
        handover: Handover {
            target,
            port: send.port("port").unwrap_or(25),
            security: security.unwrap_or(Security::None),
            credential,
            helo: send.text("helo").map(str::to_owned).or_else(super::smtp::machine_name),
            is_watched,
        },
        mail_from: send.text("mail_from").ok_or_else(|| needs("send"))?.to_owned(),
        rcpt_to: send.text("rcpt_to").map(str::to_owned),
        subject: settings.text("subject").unwrap_or("Mailward probe").to_owned(),
        tags: (is_sink(&route.receive), is_sink(&route.bounces)),
        places: route.places(),
        every_ms,
        timeout: probe.timeout,
        lost_after: settings.duration("lost_after").unwrap_or(Duration::from_secs(900)),
        slow: probe.slow,
    }))
}

impl Observe for Mail {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match cx.post {
                Some(post) => self.send(cx, post, &mut trace).await,
                None => Seen::unknown(Reason::ProbeFault),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        self.handover.target.name()
    }
}

impl Mail {
    async fn send(&self, cx: &Context<'_>, post: &Post, trace: &mut Trace) -> Seen {
        let token = match post.mint.make(&self.id, cx.turn.due_ms, cx.turn.attempt) {
            Ok(token) => token,
            Err(error) => return ours(&error.to_string()),
        };
        let Some((sender, recipient)) = self.addresses(post, &token) else {
            return ours("the sink that receives it is not one of this agent");
        };
        let now = self.net.clock.now();
        let written = compose::compose(&compose::Letter {
            from: &self.mail_from,
            to: &recipient,
            subject: &self.subject,
            token: &token,
            at: now,
        });
        let raw = match written {
            Ok(raw) => raw,
            Err(error) => return ours(&format!("the message cannot be written: {error}")),
        };
        // on disk before anybody else has it: a restart must not forget it
        if let Err(error) = post.desk.begin(self.flight(cx, &token, now.as_millisecond())).await {
            let error = crate::causes::causes(&error);
            return ours(&format!("the message is not sent, since it cannot be kept: {error}"));
        }
        let envelope = handover::Envelope { sender: &sender, recipient: &recipient, raw: &raw };
        match self.handover.hand_over(&self.net, cx, &envelope, &token, trace).await {
            Handed::Taken { at, greylisted } => {
                post.desk.handed(&token, at, greylisted).await;
                Seen::under_way()
            }
            Handed::Doubtful(fault) => {
                trace.fact("handover", format!("not answered: {fault}"));
                Seen::under_way()
            }
            Handed::Ended(seen) => {
                post.desk.forget(token.as_str());
                seen
            }
        }
    }

    fn addresses(&self, post: &Post, token: &Token) -> Option<(String, String)> {
        let tag = |address: &str, wanted: bool| match wanted {
            true => tagged(address, token),
            false => address.to_owned(),
        };
        let route = post.route(&self.id)?;
        let rcpt_to = match (&self.rcpt_to, &route.sink_hostname) {
            (Some(address), _) => address.clone(),
            (None, Some(hostname)) => format!("probe@{hostname}"),
            (None, None) => return None,
        };
        Some((tag(&self.mail_from, self.tags.1), tag(&rcpt_to, self.tags.0)))
    }

    fn flight(&self, cx: &Context<'_>, token: &Token, sent_ms: i64) -> Flight {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Flight {
            token: token.as_str().to_owned(),
            probe: self.id.clone(),
            due_ms: cx.turn.due_ms,
            attempt: cx.turn.attempt,
            next_due_ms: self.every_ms,
            sent_ms,
            handed_ms: None,
            timeout_ms: ms(self.timeout),
            lost_after_ms: ms(self.lost_after),
            slow_ms: self.slow.map(ms),
            routes: self.places.clone(),
            greylisted: false,
            settled: false,
            phases: Pairs::default(),
            facts: Pairs::default(),
            revision: None,
            stage: Stage::UnderWay,
            told: None,
            arrival: None,
        }
    }
}

/// The agent could not do its part.
fn ours(detail: &str) -> Seen {
    Seen::fault(&Fault::new(Reason::ProbeFault, detail))
}
