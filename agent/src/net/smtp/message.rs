//! Sending a message after DATA (RFC 5321 section 4.1.1.4), with its dots stuffed. Whether the
//! server has it is not known when the connection fails after the last byte: that is told apart.

use tokio::io::AsyncWriteExt;

use super::{Conversation, Reply};
use crate::net::Fault;

/// Why no reply came to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What went wrong.
    pub fault: Fault,
    /// Whether the server may have the message all the same.
    pub is_doubtful: bool,
}

impl Conversation {
    /// Sends a message and its end, and reads the reply.
    ///
    /// # Errors
    /// When the connection fails or the reply does not come in time.
    pub async fn message(&mut self, raw: &[u8]) -> Result<Reply, Unanswered> {
        let doing = "sending the message";
        let wire = stuffed(raw);
        let (body, end) = wire.split_at(wire.len() - 5);
        for part in [body, end] {
            let sending = async {
                self.stream.write_all(part).await?;
                self.stream.flush().await
            };
            let fault = match self.deadline.bound(sending).await {
                Some(Ok(())) => continue,
                Some(Err(error)) => Fault::io(&error, doing),
                None => Fault::timeout(doing),
            };
            return Err(Unanswered { fault, is_doubtful: part.as_ptr() == end.as_ptr() });
        }
        let reply = self.reply("waiting for the answer to the message").await;
        reply.map_err(|fault| Unanswered { fault, is_doubtful: true })
    }
}

/// The message as it travels: lines end with CR LF, a dot at the start of a line is doubled
/// (section 4.5.2), and CR LF . CR LF ends it.
fn stuffed(raw: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(raw.len() + 64);
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    for (number, line) in raw.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            wire.extend_from_slice(b"\r\n");
        }
        if line.first() == Some(&b'.') {
            wire.push(b'.');
        }
        wire.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    wire.extend_from_slice(b"\r\n.\r\n");
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_ends() {
        let check = |raw: &str, expect: &str| {
            assert_eq!(String::from_utf8(stuffed(raw.as_bytes())).unwrap(), expect, "{raw:?}");
        };
        check("a: b\r\n\r\nx\r\n", "a: b\r\n\r\nx\r\n.\r\n");
        check(".\n..a\nb.", "..\r\n...a\r\nb.\r\n.\r\n");
        check("", "\r\n.\r\n");
    }
}
