//! A mail server as far as a probe goes, and one message further: RFC 5321, STARTTLS by
//! RFC 3207, AUTH by RFC 4954, enhanced codes by RFC 3463; replies worded as Postfix words them.

mod session;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::House;
use crate::fault::{Fault, Part, Stage};
use session::{Next, Session};
use wire::Wire;

/// The longest wait for a command; RFC 5321 §4.5.3.2.7 asks for 5 minutes, loopback does with
/// less.
const COMMAND_WAIT: Duration = Duration::from_secs(60);
/// The most commands of one conversation.
const MAX_COMMANDS: usize = 1000;

/// How a listener begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// In the clear; STARTTLS; no AUTH.
    Mx,
    /// In the clear; STARTTLS, then AUTH, before anything is accepted (RFC 6409).
    Submission,
    /// TLS from the first byte, then AUTH (RFC 8314 §3.3).
    Implicit,
}

/// Talks with one client until it leaves.
pub(crate) async fn serve(stream: TcpStream, part: Part, door: Door, house: Arc<House>) {
    let fault = house.switch.fault(part);
    let acceptor = house.authority.acceptor(fault.as_ref());
    let mut session = Session::new(&house, part, door);
    // a client that breaks off is none of the lab's business, whatever the error
    if door == Door::Implicit {
        if let Ok(tls) = acceptor.accept(stream).await {
            let _ = converse(Wire::new(tls), &mut session, true).await;
        }
        return;
    }
    let Ok(Some(stream)) = converse(Wire::new(stream), &mut session, true).await else {
        return;
    };
    if let Ok(tls) = acceptor.accept(stream).await {
        session.secure();
        let _ = converse(Wire::new(tls), &mut session, false).await;
    }
}

/// Reads and answers commands; gives the stream back when TLS is to begin on it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut wire: Wire<S>,
    session: &mut Session<'_>,
    greets: bool,
) -> std::io::Result<Option<S>> {
    if greets {
        if session.fault() == Some(Fault::Flood) {
            wire.flood().await?;
            return Ok(None);
        }
        let greeting = session.scripted(Stage::Banner).unwrap_or_else(|| session.greeting());
        wire.reply(session.wait(), &greeting).await?;
        if !greeting.starts_with("220") {
            return Ok(None);
        }
    }
    for _ in 0..MAX_COMMANDS {
        let read = tokio::time::timeout(COMMAND_WAIT, wire.line()).await;
        let line = match read {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                // RFC 5321 §4.5.3.1.9: 500 for a line that is too long
                wire.reply(Duration::ZERO, "500 5.5.6 line too long").await?;
                return Ok(None);
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                wire.reply(Duration::ZERO, "421 4.4.2 timeout exceeded").await?;
                return Ok(None);
            }
        };
        let (reply, next) = session.take(&line);
        wire.reply(session.wait(), &reply).await?;
        if reply.starts_with("421") {
            return Ok(None);
        }
        match next {
            Next::Command => {}
            Next::Close => return Ok(None),
            // what was sent ahead in the clear is thrown away with the buffer (RFC 3207 §6)
            Next::StartTls => return Ok(Some(wire.into_inner())),
            Next::Message => {
                let whole = tokio::time::timeout(COMMAND_WAIT, wire.message()).await;
                let reply = match whole {
                    Ok(read) => session.message_ended(read?),
                    Err(_) => "421 4.4.2 timeout exceeded".to_owned(),
                };
                wire.reply(session.wait(), &reply).await?;
                if reply.starts_with("421") {
                    return Ok(None);
                }
            }
        }
    }
    wire.reply(Duration::ZERO, "421 4.7.0 too many commands").await?;
    Ok(None)
}
