//! SIP messages off a stream (RFC 3261 sections 7 and 18.3), bounded in every direction. Of a
//! response it keeps the head; a request only has to be passed over.

/// The largest head of a message, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The most header lines of a message.
const MAX_LINES: usize = 128;
/// The largest body of a message, in bytes; none of it is kept.
const MAX_BODY_BYTES: usize = 64 << 10;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// An answer.
    Response(Response),
    /// Something the server asks on its own account.
    Request,
}

/// An answer without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// 100 to 699.
    pub(crate) status: u16,
    /// The words beside the status.
    pub(crate) reason: String,
    /// Names and values in their order.
    pub(crate) headers: Vec<(String, String)>,
}

impl Response {
    /// The first header of this name, empty where there is none; not for those that have a
    /// compact name as well.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.named(name, name).unwrap_or_default()
    }

    fn named(&self, long: &str, compact: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| is(name, long, compact));
        found.map(|(_, value)| value.as_str())
    }

    /// The branch of the topmost Via; empty where it has none.
    pub(crate) fn branch(&self) -> &str {
        let first = self.named("Via", "v").unwrap_or_default().split(',').next();
        let mut parameters = first.unwrap_or_default().split(';').skip(1);
        let branch = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("branch").then_some(value.trim())
        });
        branch.unwrap_or_default()
    }

    /// The method of CSeq.
    pub(crate) fn method(&self) -> &str {
        self.header("CSeq").split_whitespace().nth(1).unwrap_or_default()
    }
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// The head is longer than [`MAX_HEAD_BYTES`].
    #[error("expected a head of at most {MAX_HEAD_BYTES} bytes, got more")]
    HeadTooLong,
    /// The head has more than [`MAX_LINES`] lines.
    #[error("expected at most {MAX_LINES} header lines, got more")]
    TooManyLines,
    /// The body is longer than [`MAX_BODY_BYTES`].
    #[error("expected a body of at most {MAX_BODY_BYTES} bytes, got {0}")]
    BodyTooLong(String),
    /// The first line is neither a status line nor a request line.
    #[error("expected SIP/2.0 and a status from 100 to 699, got {0:?}")]
    StartLine(String),
    /// A header line has no name.
    #[error("expected a header line, got {0:?}")]
    HeaderLine(String),
    /// The length of the body is no number, or there are two.
    #[error("expected one length of the body, got {0:?}")]
    Length(String),
}

impl MessageError {
    /// Whether it is too large rather than wrong.
    pub(crate) const fn is_size(&self) -> bool {
        matches!(self, Self::HeadTooLong | Self::TooManyLines | Self::BodyTooLong(_))
    }
}

/// Makes messages of bytes as they come in.
#[derive(Debug, Default)]
pub(crate) struct MessageReader {
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no end of a head.
    scanned: usize,
    /// How much of a body is still to be passed over.
    skip: usize,
    /// A message whose head is read.
    ready: Option<Message>,
}

impl MessageReader {
    /// Takes in bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` while it is not all there.
    ///
    /// # Errors
    /// As soon as the bytes cannot become a message any more.
    pub(crate) fn next_message(&mut self) -> Result<Option<Message>, MessageError> {
        if self.ready.is_none() {
            let Some((message, length)) = self.take_head()? else { return Ok(None) };
            (self.ready, self.skip) = (Some(message), length);
        }
        let passed = self.skip.min(self.buffer.len());
        self.buffer.drain(..passed);
        self.skip -= passed;
        Ok(if self.skip == 0 { self.ready.take() } else { None })
    }

    /// Takes a whole head off the buffer: the message, and the length of its body.
    fn take_head(&mut self) -> Result<Option<(Message, usize)>, MessageError> {
        // RFC 3261 section 7.5: empty lines before a message are passed over, and some servers
        // send them to keep a connection open (RFC 5626 section 3.5.1)
        if self.scanned == 0 {
            let blank = self.buffer.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            self.buffer.drain(..blank);
        }
        let Some(end) = end_of_head(&self.buffer, self.scanned) else {
            self.scanned = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(MessageError::HeadTooLong);
            }
            // rubbish is told at once, not when the server tires of sending it
            check_start(&self.buffer)?;
            return Ok(None);
        };
        if end > MAX_HEAD_BYTES {
            return Err(MessageError::HeadTooLong);
        }
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        self.scanned = 0;
        read_head(&String::from_utf8_lossy(&head)).map(Some)
    }
}

/// Where the head ends: after the first empty line. Bare line feeds end lines too: they are
/// wrong, and every server takes them.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.iter().position(|b| *b == b'\n') {
        let next = at + found + 1;
        match bytes.get(next..)? {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => at = next,
        }
    }
    None
}

fn shown(line: &str) -> String {
    line.chars().take(60).collect()
}

/// Whether the beginning of a first line can become one: printable ASCII.
fn check_start(bytes: &[u8]) -> Result<(), MessageError> {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.iter().all(|b| (b' '..=b'~').contains(b) || *b >= 0x80) {
        return Ok(());
    }
    Err(MessageError::StartLine(shown(&String::from_utf8_lossy(line))))
}

fn read_head(head: &str) -> Result<(Message, usize), MessageError> {
    let mut lines = head.lines();
    let start = lines.next().unwrap_or_default();
    let mut message = read_start(start)?;
    let headers = headers(lines)?;
    let mut length = None;
    for (_, value) in headers.iter().filter(|(name, _)| is(name, "Content-Length", "l")) {
        let read = read_length(value)?;
        if length.replace(read).is_some_and(|before| before != read) {
            return Err(MessageError::Length(shown(value)));
        }
    }
    if let Message::Response(response) = &mut message {
        response.headers = headers;
    }
    // RFC 3261 section 20.14 asks for it on a stream; without it there is no body to be found
    Ok((message, length.unwrap_or(0)))
}

/// A header's name, long or compact (RFC 3261 section 7.3.3).
fn is(name: &str, long: &str, compact: &str) -> bool {
    name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(compact)
}

fn read_start(line: &str) -> Result<Message, MessageError> {
    let wrong = || MessageError::StartLine(shown(line));
    let (first, rest) = line.split_once(' ').ok_or_else(wrong)?;
    if !first.eq_ignore_ascii_case("SIP/2.0") {
        let is_request = rest.rsplit_once(' ').is_some_and(|(uri, version)| {
            !uri.is_empty() && version.eq_ignore_ascii_case("SIP/2.0")
        });
        let is_method = !first.is_empty() && first.bytes().all(|b| b.is_ascii_graphic());
        return if is_request && is_method { Ok(Message::Request) } else { Err(wrong()) };
    }
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let digits = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    let status = if digits { code.parse().ok() } else { None };
    let status = status.filter(|status| (100..=699).contains(status)).ok_or_else(wrong)?;
    let reason = reason.trim().to_owned();
    Ok(Message::Response(Response { status, reason, headers: Vec::new() }))
}

/// Names and values; a line that begins with a blank goes on the one before it (RFC 3261
/// section 7.3.1).
fn headers<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> Result<Vec<(String, String)>, MessageError> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for (count, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        if count == MAX_LINES {
            return Err(MessageError::TooManyLines);
        }
        let wrong = || MessageError::HeaderLine(shown(line));
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut().ok_or_else(wrong)?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name = name.trim_end();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(wrong());
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(headers)
}

fn read_length(value: &str) -> Result<usize, MessageError> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MessageError::Length(shown(value)));
    }
    let length = value.parse().ok().filter(|length| *length <= MAX_BODY_BYTES);
    length.ok_or_else(|| MessageError::BodyTooLong(shown(value)))
}

#[cfg(test)]
mod tests;
