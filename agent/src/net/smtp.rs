//! The SMTP conversation (RFC 5321) below any judgement: send a line, read a reply, change to
//! TLS (RFC 3207). What a reply means for the service is the probes'.

use std::net::SocketAddr;

use mailward_catalogue::Secret;
use mailward_evidence::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::Inside;
use super::{Deadline, Fault, Net, Stream, Trace};

pub mod reply;

pub use reply::{Enhanced, Reply};
use reply::{ReplyError, ReplyReader};

/// A conversation with a server.
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
        let reading = read_reply(&mut self.stream, &mut self.reader, doing);
        match self.deadline.bound(reading).await {
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
            Some(Ok(())) => self.reply(doing).await,
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
            trace.fact("injection", "the server sent more after its answer to STARTTLS");
            let detail = "expected nothing between the answer to STARTTLS and the handshake";
            return Err(Fault::new(Reason::ProtocolError, detail));
        }
        match self.stream {
            Stream::Plain(tcp) => Ok(tcp),
            _ => Err(Fault::new(Reason::ProbeFault, "the connection is encrypted")),
        }
    }

    /// Says goodbye, and waits at most a second for the answer; it changes nothing any more.
    pub async fn quit(mut self) {
        self.deadline = self.deadline.within(std::time::Duration::from_secs(1));
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
