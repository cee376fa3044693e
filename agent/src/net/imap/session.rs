//! From our own conversation to async-imap, for those who search and fetch: a stream that holds
//! a server to limits before the library sees its bytes, and the hand-over of a connection that
//! is already logged on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::{Framer, Limits, TooMuch};
use crate::net::Stream;

/// async-imap's session over a stream with limits.
pub type Session = async_imap::Session<Bounded>;

/// The longest command that is taken for the library's LOGIN.
const MAX_LOGIN_BYTES: usize = 256;

/// A connection that ends with an error as soon as the server sends more than it may: a response
/// or literal beyond [`Limits`], or more bytes in all than were allowed.
///
/// async-imap takes room for a literal as soon as it is announced (up to 512 MiB), and its parser
/// recurses as deep as lists are nested; so both are looked at before it reads them.
#[derive(Debug)]
pub struct Bounded {
    stream: Stream,
    /// Read before the stream: what came early, and what we answer ourselves.
    ready: BytesMut,
    framer: Framer,
    allowed: u64,
    left: u64,
    /// The library's LOGIN as far as it was written, while it is still to come.
    login: Option<Vec<u8>>,
}

impl Bounded {
    fn new(stream: Stream, early: &[u8], limits: Limits, allowed: u64) -> Self {
        Self {
            stream,
            ready: BytesMut::from(early),
            framer: Framer::new(limits),
            allowed,
            left: allowed,
            login: Some(Vec::new()),
        }
    }

    /// Allows so many more bytes from now on, as before each thing that is asked for on a
    /// connection that stays open.
    pub const fn allow(&mut self, bytes: u64) {
        (self.allowed, self.left) = (bytes, bytes);
    }

    /// Looks at bytes from the server before anybody reads them.
    fn look_at(&mut self, mut bytes: &[u8]) -> Result<(), TooMuch> {
        let count = bytes.len() as u64;
        self.left = self.left.checked_sub(count).ok_or(TooMuch::Bytes(self.allowed))?;
        while let Some(end) = self.framer.feed(bytes)? {
            bytes = &bytes[end..];
        }
        Ok(())
    }

    /// Takes in the library's LOGIN, and answers it once it is whole.
    fn swallow(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(login) = &mut self.login else { return Ok(0) };
        login.extend_from_slice(bytes);
        if login.ends_with(b"\r\n") {
            let tag = login.split(|byte| *byte == b' ').next().unwrap_or_default();
            let answer = [tag, b" OK logged on before\r\n"].concat();
            // what the server sent early comes after the answer to what was asked before it
            let early = self.ready.split();
            self.ready.extend_from_slice(&answer);
            self.ready.extend_from_slice(&early);
            self.login = None;
        } else if login.len() > MAX_LOGIN_BYTES {
            return Err(io::Error::other("expected the library's LOGIN, got something longer"));
        }
        Ok(bytes.len())
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.login.is_none() && !this.ready.is_empty() {
            let count = this.ready.len().min(buf.remaining());
            buf.put_slice(&this.ready[..count]);
            this.ready.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(())))
            && let Err(error) = this.look_at(&buf.filled()[before..])
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        read
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.login.is_some() {
            return Poll::Ready(this.swallow(bytes));
        }
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Hands a connection that is logged on over to async-imap, which makes a session by its own
/// LOGIN only. That one is answered here and never sent: the library would write the password
/// to its trace log, and keeps response codes it does not know from us.
pub(super) async fn hand_over(
    stream: Stream,
    early: &[u8],
    limits: Limits,
    allowed: u64,
) -> Result<Session, async_imap::error::Error> {
    let mut bounded = Bounded::new(stream, &[], limits, allowed);
    // what came early was not looked at with these limits yet
    bounded.look_at(early).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    bounded.ready.extend_from_slice(early);
    let client = async_imap::Client::new(bounded);
    client.login("", "").await.map_err(|(error, _)| error)
}
