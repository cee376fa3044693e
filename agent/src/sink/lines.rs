//! What a client of the sink sends, cut into commands and message, strictly and bounded: a line
//! ends with CR LF only, a message with CR LF . CR LF only, so that nothing can be smuggled past
//! servers that are less strict. What a command means is `session`'s.

/// The longest command line, in bytes: RFC 5321 section 4.5.3.1.4 allows 512, and its extensions
/// add to it.
const MAX_COMMAND_BYTES: usize = 2048;

/// A piece of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A command, without its end; what is not UTF-8 is replaced.
    Command(String),
    /// A command that is longer than any may be; it is gone.
    TooLong,
    /// A whole message, with its dots unstuffed (RFC 5321 section 4.5.2).
    Message(Vec<u8>),
    /// A message that is larger than it may be; it is gone.
    TooLarge,
}

/// Cuts bytes into pieces.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    buffer: Vec<u8>,
    /// How much of `buffer` is known to hold no end.
    scanned: usize,
    /// Whether the rest of a line that is too long is being passed over.
    skipping: bool,
    message: Option<Body>,
}

#[derive(Debug)]
struct Body {
    bytes: Vec<u8>,
    most: usize,
    /// Everything that came, kept or not.
    seen: usize,
    state: At,
}

/// Where in a message the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// After a dot at the start of a line.
    Dot,
    /// After such a dot and a CR.
    DotCr,
    Line,
    Cr,
}

impl Cutter {
    /// Takes in bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Forgets what came ahead of a handshake (RFC 3207 section 4.2).
    pub(super) fn discard(&mut self) {
        *self = Self::default();
    }

    /// Whether more than the last piece has come.
    pub(super) const fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// What follows is a message of at most `most` bytes.
    pub(super) fn expect_message(&mut self, most: usize) {
        let state = At::LineStart;
        self.message = Some(Body { bytes: Vec::new(), most, seen: 0, state });
    }

    /// How much of the message that is coming has come.
    pub(super) fn message_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, |body| body.seen)
    }

    /// The next piece, or `None` while it is not all there.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        match self.message.take() {
            Some(mut body) => {
                let (taken, ended) = body.take(&self.buffer);
                self.buffer.drain(..taken);
                self.scanned = 0;
                if !ended {
                    self.message = Some(body);
                    return None;
                }
                let kept = body.seen <= body.most;
                Some(if kept { Piece::Message(body.bytes) } else { Piece::TooLarge })
            }
            None => self.next_command(),
        }
    }

    fn next_command(&mut self) -> Option<Piece> {
        let from = self.scanned.saturating_sub(1);
        let end = self.buffer[from..].windows(2).position(|pair| pair == b"\r\n");
        let Some(end) = end.map(|end| from + end) else {
            if self.buffer.len() > MAX_COMMAND_BYTES {
                self.skipping = true;
                // a CR at the very end may be half of the line's end
                let keep = usize::from(self.buffer.ends_with(b"\r"));
                self.buffer.drain(..self.buffer.len() - keep);
            }
            self.scanned = self.buffer.len();
            return None;
        };
        let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
        self.scanned = 0;
        if std::mem::take(&mut self.skipping) || line.len() > MAX_COMMAND_BYTES {
            return Some(Piece::TooLong);
        }
        Some(Piece::Command(String::from_utf8_lossy(&line).into_owned()))
    }
}

impl Body {
    /// Takes in bytes up to the end of the message: how many, and whether it ends in them.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (at, byte) in bytes.iter().enumerate() {
            self.state = match (self.state, byte) {
                (At::LineStart, b'.') => {
                    // a dot that only makes room for another
                    self.state = At::Dot;
                    continue;
                }
                (At::Dot, b'\r') => {
                    self.state = At::DotCr;
                    continue;
                }
                (At::DotCr, b'\n') => return (at + 1, true),
                (At::DotCr, _) => {
                    self.keep(b'\r');
                    if *byte == b'\r' { At::Cr } else { At::Line }
                }
                (At::Cr, b'\n') => At::LineStart,
                (_, b'\r') => At::Cr,
                _ => At::Line,
            };
            self.keep(*byte);
        }
        (bytes.len(), false)
    }

    fn keep(&mut self, byte: u8) {
        self.seen += 1;
        if self.seen <= self.most {
            self.bytes.push(byte);
        } else if !self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(bytes: &[u8], most: usize) -> (Option<Piece>, Vec<u8>) {
        let mut cutter = Cutter::default();
        cutter.expect_message(most);
        cutter.push(bytes);
        let piece = cutter.next_piece();
        (piece, cutter.buffer)
    }

    #[test]
    fn where_a_message_ends() {
        let check = |bytes: &str, expect: Option<&str>, rest: &str| {
            let (piece, left) = message(bytes.as_bytes(), 100);
            let expect = expect.map(|text| Piece::Message(text.as_bytes().to_vec()));
            assert_eq!((piece, left.as_slice()), (expect, rest.as_bytes()), "{bytes:?}");
        };
        check("a\r\n.\r\nQUIT\r\n", Some("a\r\n"), "QUIT\r\n");
        check(".\r\n", Some(""), "");
        check("..a\r\n...\r\n.\r\n", Some(".a\r\n..\r\n"), "");
        check("a\r\n.b\r\n.\r\n", Some("a\r\nb\r\n"), "");
        // ends that only careless servers take (CVE-2023-51764 and its kin)
        for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\rx"] {
            check(&format!("a{end}MAIL FROM:<x>\r\n"), None, "");
        }
        check("a\r\n.\r\r\n.\r\n", Some("a\r\n\r\r\n"), "");
    }

    #[test]
    fn what_is_too_much() {
        assert_eq!(
            message(b"0123456789\r\n.\r\n", 12).0,
            Some(Piece::Message(b"0123456789\r\n".into()))
        );
        assert_eq!(message(b"0123456789\r\n.\r\n", 11).0, Some(Piece::TooLarge));
        let mut cutter = Cutter::default();
        for _ in 0..100 {
            cutter.push(&[b'x'; 1000]);
            assert_eq!(cutter.next_piece(), None);
            assert!(cutter.buffer.len() <= MAX_COMMAND_BYTES + 1000);
        }
        cutter.push(b"\r\nNOOP\r\n");
        assert_eq!(cutter.next_piece(), Some(Piece::TooLong));
        assert_eq!(cutter.next_piece(), Some(Piece::Command("NOOP".to_owned())));
        assert_eq!(cutter.next_piece(), None);
    }

    proptest! {
        /// However the bytes are cut, the pieces are the same; and nothing larger than allowed
        /// is held.
        #[test]
        fn cuts_make_no_difference(
            lines in proptest::collection::vec("[.\r\n a]{0,6}(\r\n)?", 0..20),
            cut in 1usize..7,
        ) {
            let mut bytes = lines.concat().into_bytes();
            bytes.extend_from_slice(b"\r\n.\r\nNOOP\r\n");
            let whole = message(&bytes, 40).0;
            let mut cutter = Cutter::default();
            cutter.expect_message(40);
            let mut piece = None;
            for chunk in bytes.chunks(cut) {
                cutter.push(chunk);
                if piece.is_none() {
                    piece = cutter.next_piece();
                }
            }
            prop_assert_eq!(piece, whole);
        }

        #[test]
        fn nothing_upsets_it(bytes in any::<Vec<u8>>()) {
            let mut cutter = Cutter::default();
            cutter.push(&bytes);
            while cutter.next_piece().is_some() {}
            let _ = message(&bytes, 10);
        }
    }
}
