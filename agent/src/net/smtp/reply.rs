//! SMTP replies: reading them off the wire (RFC 5321 section 4.2), strictly and bounded, and
//! the enhanced codes inside (RFC 3463, RFC 2034).

use std::fmt;

/// The longest line, in bytes. RFC 5321 section 4.5.3.1.5 allows 512; some servers send more.
pub const MAX_LINE_BYTES: usize = 4096;
/// The most lines of one reply.
pub const MAX_LINES: usize = 100;

/// An enhanced status code, as 5.7.8 (RFC 3463).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Enhanced(pub u16, pub u16, pub u16);

impl Enhanced {
    /// Reads one off the beginning of a text that belongs to a reply of `class` (2, 4 or 5).
    #[must_use]
    pub fn read(text: &str, class: u16) -> Option<Self> {
        let word = text.split(' ').next()?;
        let mut parts = word.split('.');
        let mut part = || {
            let part = parts.next()?;
            let digits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse().ok() } else { None }
        };
        let code = Self(part()?, part()?, part()?);
        // RFC 2034 section 4: the class must be that of the reply
        (parts.next().is_none() && code.0 == class && matches!(class, 2 | 4 | 5)).then_some(code)
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A reply: a code, and one or more lines of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// The enhanced code of the first line that has one.
    pub enhanced: Option<Enhanced>,
    /// The text of each line, without code and separator; what is not UTF-8 is replaced.
    pub lines: Vec<String>,
}

impl Reply {
    /// 2 is done, 3 go on, 4 later, 5 no.
    #[must_use]
    pub const fn class(&self) -> u16 {
        self.code / 100
    }

    /// Whether it is a 2xx.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.class() == 2
    }

    /// The lines as one, for people and for looking into.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join(" ")
    }

    /// The reply without its text.
    #[must_use]
    pub fn mute(mut self) -> Self {
        self.lines.clear();
        self
    }
}

/// Why bytes are not a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("expected a reply line of at most {MAX_LINE_BYTES} bytes, got more")]
    LineTooLong,
    /// The reply has more than [`MAX_LINES`] lines.
    #[error("expected a reply of at most {MAX_LINES} lines, got more")]
    TooManyLines,
    /// A line does not begin with a code and a separator.
    #[error("expected a reply code from 200 to 599, got {0:?}")]
    Shape(String),
    /// The lines of one reply have different codes (RFC 5321 section 4.2.1).
    #[error("expected every line to have the code {0}, got {1}")]
    CodesDiffer(u16, u16),
}

/// Makes replies of bytes as they come in.
#[derive(Debug, Default)]
pub struct ReplyReader {
    buffer: Vec<u8>,
    /// How much of `buffer` is known to hold no line end.
    scanned: usize,
    partial: Option<Reply>,
}

impl ReplyReader {
    /// Takes in bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is left over.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.partial.is_none()
    }

    /// The next whole reply, or `None` while it is not all there.
    ///
    /// # Errors
    /// As soon as the bytes cannot become a reply any more.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReplyError> {
        loop {
            let rest = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(end) = rest.iter().position(|b| *b == b'\n') else {
                self.scanned = self.buffer.len();
                if self.buffer.len() > MAX_LINE_BYTES {
                    return Err(ReplyError::LineTooLong);
                }
                // rubbish is told at once, not when the server tires of sending it
                check_start(&self.buffer)?;
                return Ok(None);
            };
            let end = self.scanned + end;
            if end > MAX_LINE_BYTES {
                return Err(ReplyError::LineTooLong);
            }
            let line = self.buffer[..end].to_vec();
            self.buffer.drain(..=end);
            self.scanned = 0;
            // a bare line feed ends a line too: it is wrong, and every client takes it
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if let Some(reply) = self.take_line(line)? {
                return Ok(Some(reply));
            }
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let (code, more, text) = split_line(line)?;
        let reply =
            self.partial.get_or_insert_with(|| Reply { code, enhanced: None, lines: Vec::new() });
        if reply.code != code {
            return Err(ReplyError::CodesDiffer(reply.code, code));
        }
        if reply.lines.len() >= MAX_LINES {
            return Err(ReplyError::TooManyLines);
        }
        let text = String::from_utf8_lossy(text).into_owned();
        reply.enhanced = reply.enhanced.or_else(|| Enhanced::read(&text, code / 100));
        reply.lines.push(text);
        if more {
            return Ok(None);
        }
        Ok(self.partial.take())
    }
}

fn shape(bytes: &[u8]) -> ReplyError {
    let start = &bytes[..bytes.len().min(16)];
    ReplyError::Shape(String::from_utf8_lossy(start).into_owned())
}

/// Code, whether more lines follow, and the text. The text and its space may be missing
/// (RFC 5321 section 4.2: "a client … SHOULD be prepared").
fn split_line(line: &[u8]) -> Result<(u16, bool, &[u8]), ReplyError> {
    check_start(line)?;
    let (Some([a, b, c]), rest) = (line.first_chunk::<3>(), line.get(3..).unwrap_or_default())
    else {
        return Err(shape(line));
    };
    let digit = |byte: &u8| u16::from(byte - b'0');
    let code = digit(a) * 100 + digit(b) * 10 + digit(c);
    match rest.split_first() {
        None => Ok((code, false, rest)),
        Some((b' ', text)) => Ok((code, false, text)),
        Some((b'-', text)) => Ok((code, true, text)),
        Some(_) => Err(shape(line)),
    }
}

/// Whether `bytes` can be, or can become, the start of a reply line.
fn check_start(bytes: &[u8]) -> Result<(), ReplyError> {
    let fits = bytes.iter().take(4).enumerate().all(|(at, byte)| match at {
        0 => (b'2'..=b'5').contains(byte),
        1 | 2 => byte.is_ascii_digit(),
        _ => matches!(byte, b' ' | b'-' | b'\r'),
    });
    if fits { Ok(()) } else { Err(shape(bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let mut reader = ReplyReader::default();
        reader.push(bytes);
        reader.next_reply()
    }

    #[test]
    fn replies_as_servers_send_them() {
        let check = |bytes: &str, code: u16, enhanced: &str, lines: &[&str]| {
            let reply = read(bytes.as_bytes()).unwrap().unwrap();
            assert_eq!(reply.code, code, "{bytes:?}");
            let read = reply.enhanced.map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(read, enhanced, "{bytes:?}");
            assert_eq!(reply.lines, lines, "{bytes:?}");
        };
        check("220 mx ESMTP\r\n", 220, "", &["mx ESMTP"]);
        check("220-mx\r\n220-\r\n220 hello\r\n", 220, "", &["mx", "", "hello"]);
        check("250\r\n", 250, "", &[""]);
        check("220 \r\n", 220, "", &[""]);
        check("250-a\n250 b\n", 250, "", &["a", "b"]);
        check("250 2.1.0 Ok\r\n", 250, "2.1.0", &["2.1.0 Ok"]);
        check("550-5.7.1 no\r\n550 5.7.1 way\r\n", 550, "5.7.1", &["5.7.1 no", "5.7.1 way"]);
        // the class must be that of the reply, and an address is not a code
        check("550 4.7.1 no\r\n", 550, "", &["4.7.1 no"]);
        check("550 5.7.1.2 no\r\n", 550, "", &["5.7.1.2 no"]);
        check("220 \u{fc}ml\u{e4}ut\r\n", 220, "", &["\u{fc}ml\u{e4}ut"]);
    }

    #[test]
    fn what_is_not_a_reply() {
        let check = |bytes: &[u8], expect: ReplyError| {
            assert_eq!(read(bytes), Err(expect), "{:?}", String::from_utf8_lossy(bytes));
        };
        check(b"\x16\x03\x01", ReplyError::Shape("\u{16}\u{3}\u{1}".into()));
        check(b"HTTP/1.1 400", ReplyError::Shape("HTTP/1.1 400".into()));
        check(b"999 no\r\n", ReplyError::Shape("999 no".into()));
        check(b"22\r\n", ReplyError::Shape("22".into()));
        check(b"220x\r\n", ReplyError::Shape("220x".into()));
        check(b"220-a\r\n250 b\r\n", ReplyError::CodesDiffer(220, 250));
        let mut endless = b"220 ".to_vec();
        endless.resize(MAX_LINE_BYTES + 1, b'x');
        check(&endless, ReplyError::LineTooLong);
        check(&b"220-x\r\n".repeat(MAX_LINES + 1), ReplyError::TooManyLines);
    }

    #[test]
    fn a_part_of_a_reply_waits_for_the_rest() {
        let mut reader = ReplyReader::default();
        for byte in b"250-one\r\n250 two\r" {
            reader.push(&[*byte]);
            assert_eq!(reader.next_reply(), Ok(None));
        }
        assert!(!reader.is_empty());
        reader.push(b"\n220 next\r\n");
        assert_eq!(reader.next_reply().unwrap().unwrap().lines, ["one", "two"]);
        assert!(!reader.is_empty(), "the next reply is still there");
        assert_eq!(reader.next_reply().unwrap().unwrap().code, 220);
        assert!(reader.is_empty());
    }

    proptest! {
        #[test]
        fn bytes_never_upset_it(chunks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let mut reader = ReplyReader::default();
            for chunk in chunks {
                reader.push(&chunk);
                if reader.next_reply().is_err() {
                    break;
                }
            }
        }

        #[test]
        fn chunks_make_no_difference(
            lines in proptest::collection::vec("[ -~]{0,40}", 1..5), cut in 0usize..200
        ) {
            let last = lines.len() - 1;
            let wire: String = lines.iter().enumerate().map(|(n, line)| {
                format!("250{}{line}\r\n", if n == last { ' ' } else { '-' })
            }).collect();
            let whole = read(wire.as_bytes()).unwrap().unwrap();
            prop_assert_eq!(&whole.lines, &lines);
            let (first, second) = wire.as_bytes().split_at(cut.min(wire.len()));
            let mut reader = ReplyReader::default();
            reader.push(first);
            let early = reader.next_reply().unwrap();
            reader.push(second);
            let reply = early.or_else(|| reader.next_reply().unwrap());
            prop_assert_eq!(reply, Some(whole));
        }
    }
}
