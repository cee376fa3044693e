//! One session of the sink (RFC 5321, with STARTTLS, SIZE, PIPELINING, 8BITMIME and enhanced
//! codes). Whose address is taken, and what becomes of a message, is decided by the post.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailward_evidence::record::Pairs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Shared;
use super::authenticity::Origin;
use super::lines::{Cutter, Piece};
use crate::net::clean;
use crate::post::desk::Moment;
use crate::post::token::Token;
use crate::post::{Found, Verdict};

/// How long a client may stay silent.
const SILENCE: Duration = Duration::from_secs(60);
/// The most recipients of a message; each of ours has one.
const MAX_RECIPIENTS: usize = 10;
/// The most commands of a session.
const MAX_COMMANDS: u32 = 10_000;
/// After so many mistakes the session ends.
const MAX_MISTAKES: u32 = 20;
/// How much of a message that is too large is read before the session ends.
const MAX_WASTE_BYTES: usize = 100 << 20;

/// What a session is held to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The largest message.
    pub(super) max_message_bytes: usize,
}

/// One session.
pub(super) struct Session {
    shared: Arc<Shared>,
    ip: IpAddr,
    tls: Option<Pairs<Box<str>>>,
    helo: Option<String>,
    mail_from: Option<String>,
    recipients: Vec<Token>,
    commands: u32,
    mistakes: u32,
}

/// What follows a command.
enum Next {
    Reply(String),
    /// The same, counted against the client.
    Mistake(&'static str),
    Data,
    StartTls,
    Close(&'static str),
}

/// How a conversation ended.
enum End {
    Closed,
    StartTls,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, ip: IpAddr) -> Self {
        Self {
            shared,
            ip,
            tls: None,
            helo: None,
            mail_from: None,
            recipients: Vec::new(),
            commands: 0,
            mistakes: 0,
        }
    }

    /// Speaks until the client, or a limit, ends it.
    pub(super) async fn run(mut self, mut tcp: TcpStream) -> io::Result<()> {
        let greeting = format!("220 {} ESMTP Mailward sink\r\n", self.shared.hostname);
        tcp.write_all(greeting.as_bytes()).await?;
        if matches!(self.talk(&mut tcp).await?, End::Closed) {
            return Ok(());
        }
        let accepting = self.shared.tls.accept(tcp);
        let Ok(tls) = tokio::time::timeout(SILENCE, accepting).await else { return Ok(()) };
        let mut tls = tls?;
        // what was said before is forgotten (RFC 3207 section 4.2)
        (self.helo, self.mail_from) = (None, None);
        self.recipients.clear();
        self.tls = Some(session_facts(tls.get_ref().1));
        self.talk(&mut tls).await?;
        tls.shutdown().await
    }

    async fn talk<S>(&mut self, stream: &mut S) -> io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut cutter = Cutter::default();
        let mut bytes = vec![0u8; 16 << 10];
        let mut answers = String::new();
        loop {
            let read = tokio::time::timeout(SILENCE, stream.read(&mut bytes)).await;
            let Ok(read) = read else {
                stream.write_all(b"421 4.4.2 you were silent for too long\r\n").await?;
                return Ok(End::Closed);
            };
            // the moment in which the last byte of a message was here
            let at = Moment::from(self.shared.clock.read());
            match read? {
                0 => return Ok(End::Closed),
                count => cutter.push(&bytes[..count]),
            }
            while let Some(piece) = cutter.next_piece() {
                match self.step(piece, at).await {
                    Next::Reply(reply) => answers.push_str(&reply),
                    Next::Mistake(reply) => {
                        answers.push_str(reply);
                        answers.push_str("\r\n");
                        self.mistakes += 1;
                    }
                    Next::Data => {
                        answers.push_str("354 go on, and end with a dot on a line\r\n");
                        cutter.expect_message(self.shared.limits.max_message_bytes);
                    }
                    Next::StartTls => {
                        answers.push_str("220 2.0.0 go on with TLS\r\n");
                        stream.write_all(answers.as_bytes()).await?;
                        // commands that came before the handshake are nobody's we know
                        cutter.discard();
                        return Ok(End::StartTls);
                    }
                    Next::Close(reply) => {
                        answers.push_str(reply);
                        answers.push_str("\r\n");
                        stream.write_all(answers.as_bytes()).await?;
                        return Ok(End::Closed);
                    }
                }
                if self.mistakes > MAX_MISTAKES || self.commands > MAX_COMMANDS {
                    answers.push_str("421 4.7.0 that is enough\r\n");
                    stream.write_all(answers.as_bytes()).await?;
                    return Ok(End::Closed);
                }
                // one answer at a time as soon as nobody waits for the rest
                if cutter.is_empty() || answers.len() > 4096 {
                    stream.write_all(answers.as_bytes()).await?;
                    stream.flush().await?;
                    answers.clear();
                }
            }
            if !answers.is_empty() {
                stream.write_all(answers.as_bytes()).await?;
                stream.flush().await?;
                answers.clear();
            }
            if cutter.message_bytes() > MAX_WASTE_BYTES {
                stream.write_all(b"421 4.3.4 that is far too large\r\n").await?;
                return Ok(End::Closed);
            }
        }
    }

    async fn step(&mut self, piece: Piece, at: Moment) -> Next {
        match piece {
            Piece::Command(line) => {
                self.commands += 1;
                self.command(&line)
            }
            Piece::TooLong => Next::Mistake("500 5.5.2 the line is too long"),
            Piece::TooLarge => {
                self.reset();
                Next::Mistake("552 5.3.4 the message is too large")
            }
            Piece::Message(raw) => self.message(raw, at).await,
        }
    }

    fn reset(&mut self) {
        self.mail_from = None;
        self.recipients.clear();
    }

    fn command(&mut self, line: &str) -> Next {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.trim().to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(rest, true),
            "HELO" => self.hello(rest, false),
            "STARTTLS" if self.tls.is_some() => Next::Mistake("503 5.5.1 TLS is there already"),
            "STARTTLS" => Next::StartTls,
            "MAIL" => self.mail(rest),
            "RCPT" => self.rcpt(rest),
            "DATA" if self.recipients.is_empty() => Next::Mistake("503 5.5.1 no recipient yet"),
            "DATA" => Next::Data,
            "RSET" => {
                self.reset();
                Next::Reply("250 2.0.0 ok\r\n".to_owned())
            }
            "NOOP" => Next::Reply("250 2.0.0 ok\r\n".to_owned()),
            "QUIT" => Next::Close("221 2.0.0 goodbye"),
            "VRFY" | "EXPN" => Next::Mistake("252 2.1.5 send mail and see"),
            // what an HTTP client that was led here would say
            "GET" | "POST" | "CONNECT" | "OPTIONS" => Next::Close("421 5.5.2 this is SMTP"),
            _ => Next::Mistake("500 5.5.2 not understood"),
        }
    }

    fn hello(&mut self, name: &str, extended: bool) -> Next {
        if name.trim().is_empty() {
            return Next::Mistake("501 5.5.4 expected a name");
        }
        self.reset();
        self.helo = Some(clean(name, 255).into());
        let hostname = &self.shared.hostname;
        if !extended {
            return Next::Reply(format!("250 {hostname}\r\n"));
        }
        let mut lines = vec![hostname.clone(), "PIPELINING".to_owned()];
        lines.push(format!("SIZE {}", self.shared.limits.max_message_bytes));
        if self.tls.is_none() {
            lines.push("STARTTLS".to_owned());
        }
        lines.push("8BITMIME".to_owned());
        let mut reply: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        reply.push_str("250 ENHANCEDSTATUSCODES\r\n");
        Next::Reply(reply)
    }

    fn mail(&mut self, rest: &str) -> Next {
        if self.helo.is_none() {
            return Next::Mistake("503 5.5.1 say EHLO first");
        }
        if self.mail_from.is_some() {
            return Next::Mistake("503 5.5.1 there is a sender already");
        }
        let Some((sender, parameters)) = path(rest, "FROM:") else {
            return Next::Mistake("501 5.5.4 expected FROM:<sender>");
        };
        for parameter in parameters.split_ascii_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_uppercase().as_str() {
                "SIZE" => match value.parse::<u64>() {
                    Ok(size) if size > self.shared.limits.max_message_bytes as u64 => {
                        return Next::Mistake("552 5.3.4 the message is too large");
                    }
                    Ok(_) => {}
                    Err(_) => return Next::Mistake("501 5.5.4 expected a number as SIZE"),
                },
                "BODY" => {}
                _ => return Next::Mistake("555 5.5.4 the parameter is not known"),
            }
        }
        self.mail_from = Some(sender.to_owned());
        Next::Reply("250 2.1.0 ok\r\n".to_owned())
    }

    fn rcpt(&mut self, rest: &str) -> Next {
        if self.mail_from.is_none() {
            return Next::Mistake("503 5.5.1 no sender yet");
        }
        let Some((recipient, parameters)) = path(rest, "TO:") else {
            return Next::Mistake("501 5.5.4 expected TO:<recipient>");
        };
        if !parameters.trim().is_empty() {
            return Next::Mistake("555 5.5.4 the parameter is not known");
        }
        let Some(token) = self.shared.post.mint.know_address(recipient) else {
            return Next::Mistake("550 5.1.1 nobody has this address");
        };
        if self.recipients.len() >= MAX_RECIPIENTS {
            return Next::Mistake("452 4.5.3 too many recipients");
        }
        if !self.recipients.contains(&token) {
            self.recipients.push(token);
        }
        Next::Reply("250 2.1.5 ok\r\n".to_owned())
    }

    async fn message(&mut self, raw: Vec<u8>, at: Moment) -> Next {
        let origin = Origin {
            ip: self.ip,
            helo: self.helo.clone().unwrap_or_default(),
            mail_from: self.mail_from.take().unwrap_or_default(),
        };
        let mut awaited = Vec::new();
        for envelope in std::mem::take(&mut self.recipients) {
            let found = Found {
                place: &self.shared.place,
                folder: None,
                is_junk: false,
                envelope: Some(&envelope),
                at,
                hold: true,
            };
            if let Verdict::Awaited(token) = self.shared.post.judge(&raw, found) {
                awaited.push(token);
            }
        }
        // what was said to be taken must not be forgotten
        if let Err(error) = self.shared.post.desk.on_disk().await {
            let error = crate::causes::causes(&error);
            tracing::error!(error, "an arrival cannot be written down");
        }
        for token in awaited {
            let (shared, origin, raw) = (Arc::clone(&self.shared), origin.clone(), raw.clone());
            let mut facts = self.tls.clone().unwrap_or_else(|| {
                let mut plain = Pairs::default();
                plain.set("last_hop_tls", "none".into());
                plain
            });
            tokio::spawn(async move {
                for (name, fact) in shared.judge.judge(&raw, &origin).await.iter() {
                    facts.set(name, fact.clone());
                }
                shared.post.desk.release(&token, &facts);
            });
        }
        Next::Reply("250 2.0.0 taken\r\n".to_owned())
    }
}

/// The address in `FROM:<address> parameters`, and the parameters (RFC 5321 section 4.1.2).
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let rest = rest.trim_start();
    let head = rest.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.get(keyword.len()..)?.trim_start().strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    // a source route is passed over (RFC 5321 appendix C)
    let address = match address.strip_prefix('@') {
        Some(route) => route.split_once(':')?.1,
        None => address,
    };
    (address.len() <= 254).then_some((address, parameters))
}

fn session_facts(session: &rustls::ServerConnection) -> Pairs<Box<str>> {
    let mut facts = Pairs::default();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "another version of TLS",
    };
    facts.set("last_hop_tls", version.into());
    if let Some(suite) = session.negotiated_cipher_suite() {
        facts.set("last_hop_cipher", suite.suite().as_str().unwrap_or("unnamed").into());
    }
    facts
}
