//! One connection to the relay (RFC 5321), by lettre, step by step: what each step's failure means
//! differs. The name is resolved by hickory, since a static program has no getaddrinfo, and the
//! certificate must bear it.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use mailward_catalogue::{Relay, RelayTls};
use tokio::time::timeout;

use crate::causes::causes;
use crate::outward::addresses;
use crate::render::columns::one_line;

/// How much of a message is written at once.
const PIECE: usize = 64 * 1024;
/// The longest answer that is kept.
const MAX_SAID: usize = 500;
/// The most addresses of the relay that are tried.
const MAX_ADDRESSES: usize = 8;

/// How long each step may take (RFC 5321 section 4.5.3.2).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Looking the name up, and each connection.
    pub connect: Duration,
    /// Greeting, EHLO, STARTTLS and logon together.
    pub greeting: Duration,
    /// MAIL, RCPT and DATA, each.
    pub command: Duration,
    /// The message until before its final dot.
    pub body: Duration,
    /// The answer to the final dot.
    pub dot: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            body: minutes(10),
            dot: minutes(10),
        }
    }
}

/// Why the relay took nothing this time.
#[derive(Debug)]
pub(super) struct PutOff {
    /// What was said, in a line.
    pub(super) said: String,
    /// Whether it was the account that was refused: another try soon could lock it.
    pub(super) account: bool,
}

/// How handing one message over ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// The relay has taken it.
    Taken(String),
    /// The relay will never take it for this recipient.
    Refused(String),
    /// The relay has not taken it now.
    PutOff(String),
    /// Nobody knows: the relay was silent or gone after the final dot.
    Unknown(String),
}

/// A connection that is ready for messages.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    limits: Limits,
    /// Whether nothing more can be sent over it.
    pub(super) broken: bool,
}

impl Session {
    /// Connects, encrypts and logs on.
    pub(super) async fn open(
        relay: &Relay,
        from: &str,
        limits: Limits,
        resolver: &TokioResolver,
    ) -> Result<Self, PutOff> {
        let put_off = |said: String| PutOff { said: line(&said), account: false };
        let addresses = timeout(limits.connect, addresses(&relay.host, resolver))
            .await
            .unwrap_or_else(|_| Err(format!("no answer from the DNS for {}", relay.host)))
            .map_err(put_off)?;
        let tls = tls(relay).map_err(put_off)?;
        let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let hello = ClientId::Domain(domain.to_owned());
        let mut last = format!("{} has no address", relay.host);
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let at_once = (relay.tls == RelayTls::Implicit).then(|| tls.clone());
            let open = AsyncSmtpConnection::connect_tokio1(
                (address, relay.port),
                Some(limits.connect),
                &hello,
                at_once,
                None,
            );
            match timeout(limits.connect + limits.greeting, open).await {
                Ok(Ok(connection)) => {
                    let session = Self { connection, limits, broken: false };
                    return session.enter(relay, tls, &hello).await;
                }
                Ok(Err(error)) => last = format!("{address}: {}", told(&error)),
                Err(_) => last = format!("{address}: no greeting in time"),
            }
        }
        Err(put_off(last))
    }

    /// Encrypts and logs on, where that was asked for.
    async fn enter(
        mut self,
        relay: &Relay,
        tls: TlsParameters,
        hello: &ClientId,
    ) -> Result<Self, PutOff> {
        let steps = async {
            if relay.tls == RelayTls::StartTls {
                let upgraded = self.connection.starttls(tls, hello).await;
                upgraded.map_err(|error| (format!("STARTTLS: {}", told(&error)), false))?;
            }
            let Some((username, place)) = &relay.account else { return Ok(()) };
            let password = place.read().map_err(|error| (error.to_string(), false))?;
            let account = Credentials::new(username.clone(), password.expose().to_owned());
            let known = self.connection.auth(DEFAULT_MECHANISMS, &account).await;
            known
                .map(drop)
                .map_err(|error| (format!("logon: {}", told(&error)), error.is_permanent()))
        };
        match timeout(self.limits.greeting, steps).await {
            Ok(Ok(())) => Ok(self),
            Ok(Err((said, account))) => Err(PutOff { said: line(&said), account }),
            Err(_) => {
                let said = "the relay was silent while connecting".to_owned();
                Err(PutOff { said, account: false })
            }
        }
    }

    /// Hands one message over. `before_dot` is called when all but the final dot is written, and
    /// must not return before that is noted for good.
    pub(super) async fn hand_over(
        &mut self,
        (from, to): (&Address, &Address),
        message: &[u8],
        before_dot: &mut dyn FnMut(),
    ) -> Handed {
        if let Err(handed) = self.envelope(from, to, message.is_ascii()).await {
            return handed;
        }
        let at_the_dot = Cell::new(false);
        let mut pieces = message.chunks(PIECE);
        let pieces = std::iter::from_fn(|| {
            let piece = pieces.next();
            if piece.is_none() && !at_the_dot.get() {
                before_dot();
                at_the_dot.set(true);
            }
            piece
        });
        let mut send = std::pin::pin!(self.connection.message_iter(pieces));
        let ended = match timeout(self.limits.body, &mut send).await {
            Err(_) if at_the_dot.get() => timeout(self.limits.dot, send).await,
            ended => ended,
        };
        match ended {
            Ok(Ok(answer)) => {
                let text = answer.message().collect::<Vec<_>>().join(" ");
                Handed::Taken(line(&format!("{} {text}", answer.code())))
            }
            Ok(Err(error)) if error.is_permanent() => Handed::Refused(told(&error)),
            Ok(Err(error)) if error.is_transient() => Handed::PutOff(told(&error)),
            Ok(Err(error)) => {
                self.broken = true;
                broke_off(at_the_dot.get() && !was_unread(&error), &told(&error))
            }
            Err(_) => {
                self.broken = true;
                broke_off(at_the_dot.get(), "silence")
            }
        }
    }

    /// MAIL, RCPT and DATA.
    async fn envelope(&mut self, from: &Address, to: &Address, ascii: bool) -> Result<(), Handed> {
        let eight_bit = self.connection.server_info().supports_feature(Extension::EightBitMime);
        let parameters = match ascii || !eight_bit {
            true => vec![],
            false => vec![MailParameter::Body(MailBodyParameter::EightBitMime)],
        };
        // a sender that is refused is a matter of the definition, not of this recipient
        self.step("MAIL", Mail::new(Some(from.clone()), parameters)).await.map_err(put_off)?;
        if let Err(error) = self.step("RCPT", Rcpt::new(to.clone(), vec![])).await {
            if !self.broken {
                let _ = self.step("RSET", Rset).await;
            }
            return Err(match error {
                (said, true) => Handed::Refused(said),
                (said, false) => Handed::PutOff(said),
            });
        }
        match self.step("DATA", Data).await {
            Ok(()) => Ok(()),
            Err(refused) => {
                if !self.broken {
                    let _ = self.step("RSET", Rset).await;
                }
                Err(put_off(refused))
            }
        }
    }

    /// One command; a failure with what was said and whether it holds for good.
    async fn step(&mut self, name: &str, command: impl fmt::Display) -> Result<(), (String, bool)> {
        match timeout(self.limits.command, self.connection.command(command)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.broken |= error.status().is_none();
                Err((line(&format!("{name}: {}", told(&error))), error.is_permanent()))
            }
            Err(_) => {
                self.broken = true;
                Err((format!("{name}: no answer in time"), false))
            }
        }
    }

    /// Takes leave.
    pub(super) async fn close(mut self) {
        if !self.broken {
            let _ = timeout(Duration::from_secs(2), self.connection.quit()).await;
        }
    }
}

/// Whether the connection broke in a way that shows that the relay has not read the final dot. A
/// system resets a connection (RFC 9293 section 3.10.7.4, RFC 1122 section 4.2.2.13) whose program
/// went away before it read all that came, or to which more comes after that; one whose program
/// had read everything ends without a reset.
fn was_unread(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let mut source = std::error::Error::source(error);
    while let Some(why) = source {
        if let Some(io) = why.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset);
        }
        source = why.source();
    }
    false
}

/// What it means that the relay was gone or silent.
fn broke_off(at_the_dot: bool, why: &str) -> Handed {
    match at_the_dot {
        true => Handed::Unknown(line(&format!("after the final dot: {why}"))),
        false => Handed::PutOff(line(&format!("in the middle of the message: {why}"))),
    }
}

fn put_off((said, _): (String, bool)) -> Handed {
    Handed::PutOff(said)
}

fn tls(relay: &Relay) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(relay.host.clone());
    if let Some(path) = &relay.trust {
        let pem = super::read_trust(path)?;
        let authority = Certificate::from_pem(&pem)
            .map_err(|error| format!("{}: {}", path.display(), told(&error)))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build_rustls().map_err(|error| told(&error))
}

/// An error with its reasons, in a line.
fn told(error: &Error) -> String {
    let text = match (error.status(), std::error::Error::source(error)) {
        (Some(code), Some(why)) => format!("{code} {}", causes(why)),
        (Some(code), None) => code.to_string(),
        (None, _) => causes(error),
    };
    line(&text)
}

/// What others said, in one line and of bounded length.
fn line(text: &str) -> String {
    one_line(text, MAX_SAID)
}
