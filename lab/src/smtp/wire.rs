//! Lines to and from an SMTP client, bounded in length. What they mean is left to `session`.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest command line: RFC 4954 §4 asks for 12,288 bytes because of AUTH.
const MAX_LINE_BYTES: usize = 12_288;
/// The largest message.
pub(super) const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// The most of a greeting that never ends.
const FLOOD_BYTES: usize = 64 << 20;

/// A connection and what was read from it ahead of time.
pub(super) struct Wire<S> {
    stream: S,
    ahead: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Reads more; whether there was any.
    async fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).await?;
        self.ahead.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }

    /// The next line without its end; `None` once the client has closed.
    pub(super) async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.ahead.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line);
                return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            if self.ahead.len() > MAX_LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "line too long"));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// Reads a message to its final dot (RFC 5321 §4.1.1.4) and forgets it; whether it was
    /// within [`MAX_MESSAGE_BYTES`].
    pub(super) async fn message(&mut self) -> io::Result<bool> {
        let mut size = 0usize;
        loop {
            let Some(line) = self.line().await? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            if line == "." {
                return Ok(size <= MAX_MESSAGE_BYTES);
            }
            size = size.saturating_add(line.len() + 2);
        }
    }

    /// Sends a reply after a wait; lines are parted by `\n`.
    pub(super) async fn reply(&mut self, wait: Duration, text: &str) -> io::Result<()> {
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let mut bytes = Vec::with_capacity(text.len() + 2);
        for line in text.split('\n') {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// A greeting whose last line never comes.
    pub(super) async fn flood(&mut self) -> io::Result<()> {
        let block = b"220-and so on\r\n".repeat(512);
        for _ in 0..FLOOD_BYTES / block.len() {
            self.stream.write_all(&block).await?;
        }
        Ok(())
    }
}
