//! POP3 as bytes (RFC 1939 section 3): lines, bounded, and the status replies with their
//! response codes (RFC 2449 section 8, RFC 3206).

/// The longest line, in bytes. RFC 2449 section 4 allows 512; challenges may be longer.
pub const MAX_LINE_BYTES: usize = 8192;

/// Why bytes are not POP3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("expected a line of at most {MAX_LINE_BYTES} bytes, got more")]
    TooLong,
    /// A line is no status.
    #[error("expected +OK or -ERR, got {0:?}")]
    Shape(String),
}

/// A status reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// +OK, not -ERR.
    pub ok: bool,
    /// The response code of a -ERR in upper case, as `SYS/TEMP`; empty without one.
    pub code: String,
    /// The text.
    pub text: String,
}

impl Reply {
    /// The reply without its text.
    #[must_use]
    pub fn mute(mut self) -> Self {
        self.text.clear();
        self
    }
}

/// A line that a server may answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// +OK or -ERR.
    Reply(Reply),
    /// `+ …`: the server waits for more (RFC 5034 section 4).
    Challenge(String),
}

impl Line {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(line: &str) -> Result<Self, WireError> {
        let (word, text) = line.split_once(' ').unwrap_or((line, ""));
        let ok = match word.to_ascii_uppercase().as_str() {
            "+OK" => true,
            "-ERR" => false,
            "+" => return Ok(Self::Challenge(text.to_owned())),
            _ => return Err(shape(line)),
        };
        let bracketed = text.strip_prefix('[').and_then(|text| text.split_once(']'));
        // a code belongs to -ERR; what stands in brackets in a greeting is anything
        Ok(Self::Reply(match bracketed.filter(|_| !ok) {
            Some((code, text)) => {
                Reply { ok, code: code.to_ascii_uppercase(), text: text.trim_start().to_owned() }
            }
            None => Reply { ok, code: String::new(), text: text.to_owned() },
        }))
    }
}

fn shape(line: &str) -> WireError {
    WireError::Shape(line.chars().take(16).collect())
}

/// Makes lines of bytes as they come in.
#[derive(Debug, Default)]
pub struct LineReader {
    buffer: Vec<u8>,
    /// How much of `buffer` is known to hold no line end.
    scanned: usize,
}

impl LineReader {
    /// Takes in bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is left over.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole line without its end, or `None` while it is not all there; what is not
    /// UTF-8 is replaced. With `status`, a line that cannot become one is told at once.
    ///
    /// # Errors
    /// As soon as the bytes cannot become a line any more.
    pub fn next_line(&mut self, status: bool) -> Result<Option<String>, WireError> {
        if status && self.buffer.first().is_some_and(|byte| !matches!(byte, b'+' | b'-')) {
            let start = &self.buffer[..self.buffer.len().min(16)];
            return Err(shape(&String::from_utf8_lossy(start)));
        }
        let rest = self.buffer.get(self.scanned..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            let over = self.buffer.len() > MAX_LINE_BYTES;
            return if over { Err(WireError::TooLong) } else { Ok(None) };
        };
        let end = self.scanned + end;
        if end > MAX_LINE_BYTES {
            return Err(WireError::TooLong);
        }
        let rest = self.buffer.split_off(end + 1);
        let line = std::mem::replace(&mut self.buffer, rest);
        self.scanned = 0;
        let line = String::from_utf8_lossy(&line);
        Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_and_what_they_are() {
        let reply = |ok, code: &str, text: &str| {
            let (code, text) = (code.to_owned(), text.to_owned());
            Ok(Line::Reply(Reply { ok, code, text }))
        };
        let check = |line: &str, expect| assert_eq!(Line::read(line), expect, "{line:?}");
        check("+OK Dovecot ready.", reply(true, "", "Dovecot ready."));
        check("+OK", reply(true, "", ""));
        check("+ok [x] y", reply(true, "", "[x] y"));
        check("-ERR [IN-USE] locked", reply(false, "IN-USE", "locked"));
        check("-ERR [sys/temp]", reply(false, "SYS/TEMP", ""));
        check("-ERR [broken", reply(false, "", "[broken"));
        check("+ VXNlcm5hbWU6", Ok(Line::Challenge("VXNlcm5hbWU6".to_owned())));
        check("+", Ok(Line::Challenge(String::new())));
        check("220 mail", Err(WireError::Shape("220 mail".to_owned())));
    }

    #[test]
    fn lines_off_the_wire() {
        let mut reader = LineReader::default();
        reader.push(b"+OK hi\r\nTOP\n.\r");
        assert_eq!(reader.next_line(true), Ok(Some("+OK hi".to_owned())));
        assert_eq!(reader.next_line(false), Ok(Some("TOP".to_owned())));
        assert_eq!(reader.next_line(false), Ok(None));
        reader.push(b"\n");
        assert_eq!(reader.next_line(false), Ok(Some(".".to_owned())));
        assert!(reader.is_empty());
        reader.push(b"HTTP/1.1 400");
        assert!(matches!(reader.next_line(true), Err(WireError::Shape(_))));
        let mut endless = LineReader::default();
        endless.push(&[b'+'; MAX_LINE_BYTES + 1]);
        assert_eq!(endless.next_line(true), Err(WireError::TooLong));
    }

    proptest! {
        #[test]
        fn bytes_never_upset_it(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..9),
            status: bool,
        ) {
            let mut reader = LineReader::default();
            for chunk in chunks {
                reader.push(&chunk);
                while let Ok(Some(line)) = reader.next_line(status) {
                    let _ = Line::read(&line);
                }
            }
        }
    }
}
