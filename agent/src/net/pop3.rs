//! The POP3 conversation (RFC 1939, RFC 2449, RFC 5034) below any judgement: greeting,
//! capabilities, STLS, logon, commands and their replies. What a reply means is the probes'.

use mailward_evidence::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::sasl::{self, Login, Proof};
use super::tls::Inside;
use super::{Access, Deadline, Fault, Net, Stream, Trace};

pub mod wire;

pub use wire::Reply;
use wire::{Line, LineReader, WireError};

/// The most lines of an answer of several lines.
const MAX_LINES: usize = 200;

/// What a server can do (RFC 2449 section 5), in upper case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<String>,
    /// Whether the server was asked and knows the command.
    told: bool,
}

impl Capabilities {
    /// Whether this one is among them.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.lines.iter().any(|line| line.split(' ').next() == Some(word))
    }

    /// Whether this mechanism is among them (RFC 5034 section 6).
    #[must_use]
    pub fn sasl(&self, mechanism: &str) -> bool {
        let words = |line: &&String| line.split(' ').next() == Some("SASL");
        let mut lines = self.lines.iter().filter(words);
        lines.any(|line| line.split(' ').skip(1).any(|word| word == mechanism))
    }

    /// All of them, for operators.
    #[must_use]
    pub fn words(&self) -> String {
        self.lines.join(", ")
    }
}

/// How a server is asked to let somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// AUTH PLAIN.
    Plain,
    /// USER and PASS.
    User,
    /// AUTH XOAUTH2.
    XOAuth2,
}

impl Way {
    /// Its name, as a fact.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::User => "USER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The way for this proof that the server offers; one only.
    #[must_use]
    pub fn choose(proof: &Proof, offered: &Capabilities) -> Option<Self> {
        match proof {
            Proof::Certificate => None,
            Proof::Token(_) => offered.sasl("XOAUTH2").then_some(Self::XOAuth2),
            Proof::Password(_) if offered.sasl("PLAIN") => Some(Self::Plain),
            // a server without CAPA is older than anything but USER
            Proof::Password(_) => (offered.has("USER") || !offered.told).then_some(Self::User),
        }
    }
}

/// A conversation with a server. Every wait is bounded by the deadline.
#[derive(Debug)]
pub struct Conversation {
    stream: Stream,
    reader: LineReader,
    deadline: Deadline,
}

impl Conversation {
    /// A conversation that begins on `stream`; the server speaks first.
    #[must_use]
    pub fn new(stream: Stream, deadline: Deadline) -> Self {
        Self { stream, reader: LineReader::default(), deadline }
    }

    /// Dials, and sets TLS up where it comes first. Phases `dns`, `connect`, `tls`.
    ///
    /// # Errors
    /// As [`Net::dial`] and [`Net::secure`].
    pub async fn open(
        net: &Net,
        access: &Access,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Self, Fault> {
        let tcp = net.dial(&access.host, access.port, deadline, trace).await?;
        let stream = net.begin(tcp, &access.host, access.security, deadline, trace).await?;
        Ok(Self::new(stream, deadline))
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// Reads the next reply; `doing` completes "while …" for operators.
    ///
    /// # Errors
    /// When it does not come in time, is not POP3, or the connection ends.
    pub async fn reply(&mut self, doing: &str) -> Result<Reply, Fault> {
        match self.line(doing).await? {
            Line::Reply(reply) => Ok(reply),
            Line::Challenge(_) => {
                let detail = format!("while {doing}: expected a reply, got a request to go on");
                Err(Fault::new(Reason::ProtocolError, detail))
            }
        }
    }

    /// Sends a line and reads its reply.
    ///
    /// # Errors
    /// As [`Conversation::reply`], and when the line cannot be sent as one.
    pub async fn command(&mut self, line: &str, doing: &str) -> Result<Reply, Fault> {
        self.send(line, doing).await?;
        self.reply(doing).await
    }

    /// Asks what the server can do (RFC 2449 section 5); nothing, if it does not know the
    /// question.
    ///
    /// # Errors
    /// As [`Conversation::reply`], and when the list does not end.
    pub async fn capabilities(&mut self) -> Result<Capabilities, Fault> {
        let doing = "waiting for the capabilities";
        if !self.command("CAPA", doing).await?.ok {
            return Ok(Capabilities::default());
        }
        let mut lines = Vec::new();
        loop {
            let line = self.raw_line(doing, false).await?;
            if line == "." {
                return Ok(Capabilities { lines, told: true });
            }
            if lines.len() >= MAX_LINES {
                let detail = format!("while {doing}: more than {MAX_LINES} lines");
                return Err(Fault::new(Reason::AnswerTooLarge, detail));
            }
            lines.push(line.to_ascii_uppercase());
        }
    }

    /// Changes to TLS after the server agreed to STLS. Bytes that came before the handshake are
    /// an injection and end it (RFC 2595 section 4).
    ///
    /// # Errors
    /// When the server sent something ahead of the handshake, or as [`Net::secure`].
    pub async fn secure(self, net: &Net, host: &str, trace: &mut Trace) -> Result<Self, Fault> {
        if !self.reader.is_empty() {
            return Err(super::injected(trace));
        }
        let Stream::Plain(tcp) = self.stream else {
            return Err(Fault::new(Reason::ProbeFault, "the connection is encrypted"));
        };
        let stream = net.secure(tcp, host, Inside::Other, self.deadline, trace).await?;
        Ok(Self::new(stream, self.deadline))
    }

    /// Tries an account, once. The reply is kept without its text, which may repeat what the
    /// server was told; of a refused token its status is noted.
    ///
    /// # Errors
    /// As [`Conversation::reply`].
    pub async fn log_on(
        &mut self,
        login: &Login,
        way: Way,
        trace: &mut Trace,
    ) -> Result<Reply, Fault> {
        let reply = match (way, &login.proof) {
            (Way::User, Proof::Password(password)) => {
                let doing = "waiting for the answer to USER";
                let asked = self.command(&format!("USER {}", login.username), doing).await?;
                if asked.ok {
                    let doing = "waiting for the answer to PASS";
                    self.command(&format!("PASS {}", password.expose()), doing).await?
                } else {
                    asked
                }
            }
            (_, Proof::Password(password)) => {
                let message = sasl::plain(&login.username, password);
                self.authenticate("PLAIN", message.expose(), trace).await?
            }
            (_, Proof::Certificate) => return Err(sasl::no_message()),
            (_, Proof::Token(token)) => {
                let message = sasl::xoauth2(&login.username, token);
                self.authenticate("XOAUTH2", message.expose(), trace).await?
            }
        };
        Ok(reply.mute())
    }

    /// RFC 5034 section 4. The message waits for the server's request, so that one of any
    /// length fits.
    async fn authenticate(
        &mut self,
        mechanism: &str,
        message: &str,
        trace: &mut Trace,
    ) -> Result<Reply, Fault> {
        let doing = "waiting for the answer to AUTH";
        self.send(&format!("AUTH {mechanism}"), doing).await?;
        if let Line::Reply(reply) = self.line(doing).await? {
            return Ok(reply);
        }
        self.send(message, doing).await?;
        match self.line(doing).await? {
            Line::Reply(reply) => Ok(reply),
            // a token that is not taken: the server says why, and waits for an empty line
            Line::Challenge(challenge) => {
                sasl::note_refusal(&challenge, trace);
                self.command("", doing).await
            }
        }
    }

    /// Says goodbye, and waits at most a second for the answer; no message was marked to be
    /// removed, so it changes nothing.
    pub async fn quit(&mut self) -> Option<Reply> {
        self.deadline = self.deadline.within(std::time::Duration::from_secs(1));
        self.command("QUIT", "saying goodbye").await.ok()
    }

    async fn send(&mut self, line: &str, doing: &str) -> Result<(), Fault> {
        // such a line would be a command of its own
        if line.contains(['\r', '\n', '\0']) {
            let detail = "a name or password with a line break cannot be sent by POP3";
            return Err(Fault::new(Reason::ProbeFault, detail));
        }
        let sending = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.write_all(b"\r\n").await?;
            self.stream.flush().await
        };
        match self.deadline.bound(sending).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(Fault::io(&error, doing)),
            None => Err(Fault::timeout(doing)),
        }
    }

    async fn line(&mut self, doing: &str) -> Result<Line, Fault> {
        let line = self.raw_line(doing, true).await?;
        Line::read(&line).map_err(|error| wire_fault(&error, doing))
    }

    /// The next line; `status` where it must be a reply or a challenge.
    async fn raw_line(&mut self, doing: &str, status: bool) -> Result<String, Fault> {
        let deadline = self.deadline;
        let reading = async {
            let mut bytes = [0u8; 4096];
            loop {
                match self.reader.next_line(status) {
                    Ok(Some(line)) => return Ok(line),
                    Ok(None) => {}
                    Err(error) => return Err(wire_fault(&error, doing)),
                }
                match self.stream.read(&mut bytes).await {
                    Ok(0) => {
                        let detail = format!("the connection was closed while {doing}");
                        return Err(Fault::new(Reason::ConnectionLost, detail));
                    }
                    Ok(count) => self.reader.push(&bytes[..count]),
                    Err(error) => return Err(Fault::io(&error, doing)),
                }
            }
        };
        match deadline.bound(reading).await {
            Some(done) => done,
            None => Err(Fault::timeout(doing)),
        }
    }
}

fn wire_fault(error: &WireError, doing: &str) -> Fault {
    let reason = match error {
        WireError::TooLong => Reason::AnswerTooLarge,
        WireError::Shape(_) => Reason::ProtocolError,
    };
    Fault::new(reason, format!("while {doing}: {error}"))
}
