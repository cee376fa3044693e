//! The SMTP conversation (RFC 5321) below any judgement: send a line, read a reply, change to
//! TLS (RFC 3207), log on (RFC 4954). What a reply means for the service is the probes'.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use mailward_catalogue::Secret;
use mailward_evidence::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sasl::{self, Login, Proof};
use super::tls::Inside;
use super::{Deadline, Fault, Net, Stream, Trace};

pub mod message;
pub mod reply;

pub use reply::{Enhanced, Reply};
use reply::{ReplyError, ReplyReader};

/// How long a reply to a command is waited for (RFC 5321 section 4.5.3.2), where the run has so
/// much time: two minutes for the one that begins a message, five for any other and for the
/// greeting.
#[must_use]
pub fn patience(command: &str) -> Duration {
    let verb = command.get(..4).unwrap_or(command);
    Duration::from_secs(if verb.eq_ignore_ascii_case("DATA") { 120 } else { 300 })
}

/// What the server offers after EHLO: keywords in upper case, with their parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Vec<String>);

impl Offers {
    /// Reads them off the reply to EHLO.
    #[must_use]
    pub fn read(reply: &Reply) -> Self {
        let lines = reply.lines.iter().skip(1);
        Self(lines.map(|line| line.trim().to_ascii_uppercase()).collect())
    }

    /// Whether STARTTLS is among them.
    #[must_use]
    pub fn start_tls(&self) -> bool {
        self.0.iter().any(|line| line == "STARTTLS")
    }

    /// Whether this extension is among them, with whatever parameters.
    #[must_use]
    pub fn has(&self, keyword: &str) -> bool {
        self.0.iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    /// Whether AUTH offers this mechanism (RFC 4954 section 3; `AUTH=` is how old servers had it).
    #[must_use]
    pub fn auth(&self, mechanism: &str) -> bool {
        let auth = |line: &&String| line.starts_with("AUTH ") || line.starts_with("AUTH=");
        let mut mechanisms = self.0.iter().filter(auth).flat_map(|line| line[5..].split(' '));
        mechanisms.any(|offered| offered == mechanism)
    }

    /// All of them, for operators.
    #[must_use]
    pub fn words(&self) -> String {
        self.0.join(", ")
    }
}

/// How a server is asked to let somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// AUTH PLAIN.
    Plain,
    /// AUTH LOGIN.
    Login,
    /// AUTH XOAUTH2.
    XOAuth2,
}

impl Way {
    /// Its name, as a fact.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The way for this proof that the server offers; one mechanism, never a second after a
    /// refusal: that would count twice.
    #[must_use]
    pub fn choose(proof: &Proof, offers: &Offers) -> Option<Self> {
        let offered = |way: Self| offers.auth(way.word()).then_some(way);
        match proof {
            Proof::Certificate => None,
            Proof::Token(_) => offered(Self::XOAuth2),
            Proof::Password(_) => offered(Self::Plain).or_else(|| offered(Self::Login)),
        }
    }
}

/// A conversation with a server. Every wait is bounded by the deadline, and by [`patience`].
#[derive(Debug)]
pub struct Conversation {
    stream: Stream,
    reader: ReplyReader,
    deadline: Deadline,
}

impl Conversation {
    /// A conversation that begins on `stream`; the server speaks first.
    #[must_use]
    pub fn new(stream: Stream, deadline: Deadline) -> Self {
        Self { stream, reader: ReplyReader::default(), deadline }
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// Our own address on this connection.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.stream.tcp().local_addr().ok()
    }

    /// Reads the next reply; `doing` completes "while …" for operators.
    ///
    /// # Errors
    /// When it does not come in time, is not SMTP, or the connection ends.
    pub async fn reply(&mut self, doing: &str) -> Result<Reply, Fault> {
        self.reply_within(patience(""), doing).await
    }

    async fn reply_within(&mut self, span: Duration, doing: &str) -> Result<Reply, Fault> {
        let deadline = self.deadline.within(span);
        let reading = read_reply(&mut self.stream, &mut self.reader, doing);
        match deadline.bound(reading).await {
            Some(done) => done,
            None => Err(Fault::timeout(doing)),
        }
    }

    /// Sends a line and reads its reply.
    ///
    /// # Errors
    /// As [`Conversation::reply`].
    pub async fn command(&mut self, line: &str, doing: &str) -> Result<Reply, Fault> {
        debug_assert!(!line.contains(['\r', '\n']), "one line at a time");
        let sending = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.write_all(b"\r\n").await?;
            self.stream.flush().await
        };
        match self.deadline.bound(sending).await {
            Some(Ok(())) => self.reply_within(patience(line), doing).await,
            Some(Err(error)) => Err(Fault::io(&error, doing)),
            None => Err(Fault::timeout(doing)),
        }
    }

    /// Sends a line that carries a secret; neither it nor a reply that may repeat it is kept.
    ///
    /// # Errors
    /// As [`Conversation::reply`].
    pub async fn secret(&mut self, line: &Secret, doing: &str) -> Result<Reply, Fault> {
        self.command(line.expose(), doing).await.map(Reply::mute)
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
        match (way, &login.proof) {
            (Way::Login, Proof::Password(password)) => {
                self.auth_login(&login.username, password).await
            }
            (_, Proof::Password(password)) => {
                self.auth_plain(&sasl::plain(&login.username, password)).await
            }
            (_, Proof::Certificate) => Err(sasl::no_message()),
            (_, Proof::Token(token)) => {
                let message = sasl::xoauth2(&login.username, token);
                self.auth_xoauth2(&message, trace).await
            }
        }
    }

    /// RFC 4616, with the initial response of RFC 4954 section 4.
    async fn auth_plain(&mut self, message: &Secret) -> Result<Reply, Fault> {
        let doing = "waiting for the answer to AUTH";
        let line = Secret::new(format!("AUTH PLAIN {}", message.expose()));
        let reply = self.secret(&line, doing).await?;
        if reply.code == 334 {
            // the server asks for what it already has: it does not read initial responses
            return self.secret(message, doing).await;
        }
        Ok(reply)
    }

    /// The line may be long (RFC 4954 section 4 allows 12,288 bytes); a token that is not taken
    /// is told by a challenge that wants an empty line.
    async fn auth_xoauth2(&mut self, message: &Secret, trace: &mut Trace) -> Result<Reply, Fault> {
        let doing = "waiting for the answer to AUTH";
        let line = format!("AUTH XOAUTH2 {}", message.expose());
        let reply = self.command(&line, doing).await?;
        if reply.code != 334 {
            return Ok(reply.mute());
        }
        sasl::note_refusal(&reply.text(), trace);
        Ok(self.command("", doing).await?.mute())
    }

    /// draft-murchison-sasl-login-00: name and password, each when asked for.
    async fn auth_login(&mut self, username: &str, password: &Secret) -> Result<Reply, Fault> {
        let doing = "waiting for the answer to AUTH";
        let reply = self.command("AUTH LOGIN", doing).await?;
        if reply.code != 334 {
            return Ok(reply.mute());
        }
        let name = Secret::new(BASE64.encode(username));
        let reply = self.secret(&name, doing).await?;
        if reply.code != 334 {
            return Ok(reply);
        }
        let password = Secret::new(BASE64.encode(password.expose()));
        self.secret(&password, doing).await
    }

    /// Changes to TLS after the server agreed to STARTTLS, on the same connection.
    ///
    /// # Errors
    /// As [`Conversation::into_tcp`] or [`Net::secure`].
    pub async fn secure(self, net: &Net, host: &str, trace: &mut Trace) -> Result<Self, Fault> {
        let (deadline, inside) = (self.deadline, Inside::Other);
        let tcp = self.into_tcp(trace)?;
        let stream = net.secure(tcp, host, inside, deadline, trace).await?;
        Ok(Self::new(stream, deadline))
    }

    /// The bare connection, after the server agreed to STARTTLS. Bytes that came before the
    /// handshake are an injection and end it (RFC 3207 section 4.2).
    ///
    /// # Errors
    /// When the server sent something ahead of the handshake.
    pub fn into_tcp(self, trace: &mut Trace) -> Result<TcpStream, Fault> {
        if !self.reader.is_empty() {
            return Err(super::injected(trace));
        }
        match self.stream {
            Stream::Plain(tcp) => Ok(tcp),
            _ => Err(Fault::new(Reason::ProbeFault, "the connection is encrypted")),
        }
    }

    /// Says goodbye, and waits at most a second for the answer; it changes nothing any more.
    pub async fn quit(mut self) {
        self.deadline = self.deadline.within(Duration::from_secs(1));
        let _ = self.command("QUIT", "saying goodbye").await;
    }
}

async fn read_reply(
    stream: &mut Stream,
    reader: &mut ReplyReader,
    doing: &str,
) -> Result<Reply, Fault> {
    let mut bytes = [0u8; 4096];
    loop {
        match reader.next_reply() {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(error) => return Err(reply_fault(&error, doing)),
        }
        match stream.read(&mut bytes).await {
            Ok(0) => {
                let detail = format!("the connection was closed while {doing}");
                return Err(Fault::new(Reason::ConnectionLost, detail));
            }
            Ok(count) => reader.push(&bytes[..count]),
            Err(error) => return Err(Fault::io(&error, doing)),
        }
    }
}

fn reply_fault(error: &ReplyError, doing: &str) -> Fault {
    let reason = match error {
        ReplyError::LineTooLong | ReplyError::TooManyLines => Reason::AnswerTooLarge,
        ReplyError::Shape(_) | ReplyError::CodesDiffer(..) => Reason::ProtocolError,
    };
    Fault::new(reason, format!("while {doing}: {error}"))
}
