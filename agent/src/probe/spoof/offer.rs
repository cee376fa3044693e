//! The two messages, and offering them to a mail server as anybody on the internet would.

use std::net::{IpAddr, SocketAddr};

use data_encoding::HEXLOWER;
use mailward_evidence::Reason;

use crate::net::smtp::{Conversation, Reply};
use crate::net::{Deadline, Fault, Net, Stream, Trace, clean};

/// The header that bears a message's id.
pub(super) const HEADER: &str = "X-Mailward-Check";

/// A message.
pub(super) struct Letter {
    /// What it is found by: random, so that nobody else can have written it.
    pub(super) id: String,
    envelope_from: String,
    from: String,
    to: String,
    by: String,
}

impl Letter {
    pub(super) fn new(envelope_from: &str, from: &str, to: &str, by: &str) -> Result<Self, Fault> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            Fault::new(Reason::ProbeFault, format!("draw a random id: {error}"))
        })?;
        Ok(Self {
            id: HEXLOWER.encode(&bytes),
            envelope_from: envelope_from.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            by: clean(by, 200).chars().filter(char::is_ascii).collect(),
        })
    }

    fn text(&self, now: &jiff::Zoned) -> String {
        let at = self.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let date = now.strftime("%a, %d %b %Y %H:%M:%S %z");
        let lines = [
            format!("From: <{}>", self.from),
            format!("To: <{}>", self.to),
            format!("Date: {date}"),
            format!("Message-ID: <{}@{at}>", self.id),
            "Subject: Mail check, please ignore".to_owned(),
            format!("{HEADER}: {}", self.id),
            "Auto-Submitted: auto-generated".to_owned(),
            String::new(),
            "This message checks whether forged mail is told from other mail.".to_owned(),
            format!("The check is authorised by: {}", self.by),
        ];
        lines.join("\r\n")
    }
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// The server took it.
    Taken,
    /// It refused it for good.
    Refused(String),
    /// It wants to be asked again later.
    Later(String),
}

impl Offered {
    pub(super) fn told(&self) -> String {
        match self {
            Self::Taken => "taken".to_owned(),
            Self::Refused(reply) => format!("refused: {reply}"),
            Self::Later(reply) => format!("put off: {reply}"),
        }
    }

    fn read(reply: &Reply) -> Self {
        let text = format!("{} {}", reply.code, reply.text());
        if reply.code < 500 { Self::Later(text) } else { Self::Refused(text) }
    }
}

/// The mail server.
pub(super) struct Server<'a> {
    pub(super) net: &'a Net,
    pub(super) addresses: &'a [IpAddr],
    pub(super) port: u16,
}

impl Server<'_> {
    /// The address we connect to it from.
    pub(super) async fn own_address(&self, deadline: Deadline) -> Result<IpAddr, Fault> {
        let mut aside = Trace::start();
        let tcp = self.net.connect(self.addresses, self.port, deadline, &mut aside).await?;
        let own = tcp.local_addr().map_err(|error| Fault::io(&error, "reading our own address"))?;
        Ok(own.ip().to_canonical())
    }

    /// Offers a message, in the clear: there is nothing secret in it.
    pub(super) async fn offer(
        &self,
        letter: &Letter,
        deadline: Deadline,
    ) -> Result<Offered, Fault> {
        let mut aside = Trace::start();
        let tcp = self.net.connect(self.addresses, self.port, deadline, &mut aside).await?;
        let mut talk = Conversation::new(Stream::Plain(tcp), deadline);
        let offered = converse(&mut talk, letter, self.net).await;
        talk.quit().await;
        offered
    }
}

async fn converse(talk: &mut Conversation, letter: &Letter, net: &Net) -> Result<Offered, Fault> {
    let greeting = talk.reply("waiting for the greeting").await?;
    if greeting.code != 220 {
        return Ok(Offered::read(&greeting));
    }
    let steps = [
        (format!("EHLO {}", address_literal(talk.local())), "EHLO"),
        (format!("MAIL FROM:<{}>", letter.envelope_from), "MAIL"),
        (format!("RCPT TO:<{}>", letter.to), "RCPT"),
    ];
    for (line, doing) in steps {
        let reply = talk.command(&line, &format!("waiting for the answer to {doing}")).await?;
        if reply.code / 100 != 2 {
            return Ok(Offered::read(&reply));
        }
    }
    let reply = talk.command("DATA", "waiting for the answer to DATA").await?;
    if reply.code != 354 {
        return Ok(Offered::read(&reply));
    }
    let now = net.clock.now().to_zoned(jiff::tz::TimeZone::UTC);
    match talk.message(letter.text(&now).as_bytes()).await {
        Ok(reply) if reply.code / 100 != 2 => Ok(Offered::read(&reply)),
        Ok(_) => Ok(Offered::Taken),
        // it may have come through: where it lands will tell
        Err(unanswered) if unanswered.is_doubtful => Ok(Offered::Taken),
        Err(unanswered) => Err(unanswered.fault),
    }
}

fn address_literal(local: Option<SocketAddr>) -> String {
    match local.map(|local| local.ip().to_canonical()) {
        Some(IpAddr::V6(v6)) => format!("[IPv6:{v6}]"),
        Some(IpAddr::V4(v4)) => format!("[{v4}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}
