//! IMAP as bytes (RFC 9051 section 4, RFC 3501): where a response ends, how large and how deep
//! it may be, and what kind of response it is. What a response means is left to others.

use std::fmt;

/// How much of a response is accepted. A server decides what it sends, and a client that reads
/// what it announces can be made to hold it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest response, without its literals, in bytes.
    pub line_bytes: usize,
    /// The longest literal, in bytes.
    pub literal_bytes: u64,
    /// The most opening brackets in a response: parsers of nested lists recurse.
    pub brackets: usize,
}

impl Limits {
    /// What is enough to greet, log on and open a mailbox.
    pub const TALK: Self = Self { line_bytes: 64 << 10, literal_bytes: 64 << 10, brackets: 100 };
}

/// Why a response is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// The response is longer than it may be.
    #[error("expected a response of at most {0} bytes, got more")]
    Line(usize),
    /// It announces a literal that is longer than it may be.
    #[error("expected a literal of at most {limit} bytes, got one of {announced}")]
    Literal {
        /// The limit.
        limit: u64,
        /// What was announced.
        announced: u64,
    },
    /// It has more brackets than it may have.
    #[error("expected at most {0} brackets in a response, got more")]
    Brackets(usize),
}

/// Finds the ends of responses in bytes as they come in.
#[derive(Clone, Debug)]
pub struct Framer {
    limits: Limits,
    line_bytes: usize,
    brackets: usize,
    literal_left: u64,
    suffix: Suffix,
}

/// How much of the `{123}` that announces a literal was seen at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suffix {
    None,
    Digits(Option<u64>),
    Closed(u64),
}

impl Framer {
    /// One that stands at the beginning of a response.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, line_bytes: 0, brackets: 0, literal_left: 0, suffix: Suffix::None }
    }

    /// Takes in bytes up to the end of the response; how many these were, if it ends in them.
    ///
    /// # Errors
    /// As soon as the response is more than it may be.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, TooMuch> {
        let mut at = 0;
        while at < bytes.len() {
            if self.literal_left > 0 {
                let rest = bytes.len() - at;
                let taken = usize::try_from(self.literal_left).unwrap_or(usize::MAX).min(rest);
                self.literal_left -= taken as u64;
                at += taken;
                continue;
            }
            let ended = self.take(bytes[at])?;
            at += 1;
            if ended {
                *self = Self::new(self.limits);
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Takes a byte outside of a literal; whether it ends the response.
    fn take(&mut self, byte: u8) -> Result<bool, TooMuch> {
        self.line_bytes += 1;
        if self.line_bytes > self.limits.line_bytes {
            return Err(TooMuch::Line(self.limits.line_bytes));
        }
        match byte {
            b'\n' => {
                let Suffix::Closed(announced) = self.suffix else { return Ok(true) };
                let limit = self.limits.literal_bytes;
                if announced > limit {
                    return Err(TooMuch::Literal { limit, announced });
                }
                (self.literal_left, self.suffix) = (announced, Suffix::None);
            }
            // it may stand between the brace and the line feed
            b'\r' => {}
            b'(' => {
                self.suffix = Suffix::None;
                self.brackets += 1;
                if self.brackets > self.limits.brackets {
                    return Err(TooMuch::Brackets(self.limits.brackets));
                }
            }
            _ => self.suffix = self.suffix.with(byte),
        }
        Ok(false)
    }
}

impl Suffix {
    fn with(self, byte: u8) -> Self {
        match (self, byte) {
            (_, b'{') => Self::Digits(None),
            (Self::Digits(number), b'0'..=b'9') => {
                let digit = u64::from(byte - b'0');
                // more than fits is more than any limit
                Self::Digits(Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit)))
            }
            // RFC 7888: {123+} is how a client says that it does not wait
            (Self::Digits(Some(number)), b'+') => Self::Digits(Some(number)),
            (Self::Digits(Some(number)), b'}') => Self::Closed(number),
            _ => Self::None,
        }
    }
}

/// What a status response says (RFC 9051 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was done.
    Ok,
    /// It failed.
    No,
    /// It was not understood.
    Bad,
    /// The greeting of a server that wants no logon.
    PreAuth,
    /// The server closes the connection.
    Bye,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::PreAuth => "PREAUTH",
            Self::Bye => "BYE",
        })
    }
}

/// A status with its response code (RFC 5530) and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The status.
    pub status: Status,
    /// The code's word in upper case, as `UNAVAILABLE`; empty without one.
    pub code: String,
    /// What stands behind the word in the code.
    pub arguments: String,
    /// The text.
    pub text: String,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// `TAG OK …`: the end of a command.
    Tagged(String, Said),
    /// `* OK …`
    Untagged(Said),
    /// `* CAPABILITY …`, `* 5 EXISTS` and the like, without the star.
    Fact(String),
    /// `+ …`: the server waits for more.
    Continue(String),
}

/// Reads a response; what is not UTF-8 is replaced. `None` where it is none.
#[must_use]
pub fn read(frame: &[u8]) -> Option<Response> {
    let frame = String::from_utf8_lossy(frame);
    let line = frame.trim_end_matches(['\r', '\n']);
    if let Some(text) = line.strip_prefix('+') {
        return Some(Response::Continue(text.trim_start().to_owned()));
    }
    let (tag, rest) = line.split_once(' ')?;
    let said = read_said(rest);
    match (tag, said) {
        ("*", Some(said)) => Some(Response::Untagged(said)),
        ("*", None) => Some(Response::Fact(rest.to_owned())),
        (_, Some(said)) if is_tag(tag) => Some(Response::Tagged(tag.to_owned(), said)),
        _ => None,
    }
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && tag.len() <= 64 && tag.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn read_said(rest: &str) -> Option<Said> {
    let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let status = match word.to_ascii_uppercase().as_str() {
        "OK" => Status::Ok,
        "NO" => Status::No,
        "BAD" => Status::Bad,
        "PREAUTH" => Status::PreAuth,
        "BYE" => Status::Bye,
        _ => return None,
    };
    let bracketed = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    let Some((code, text)) = bracketed else {
        let text = text.to_owned();
        return Some(Said { status, code: String::new(), arguments: String::new(), text });
    };
    let (code, arguments) = code.split_once(' ').unwrap_or((code, ""));
    Some(Said {
        status,
        code: code.to_ascii_uppercase(),
        arguments: arguments.to_owned(),
        text: text.trim_start().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: Limits = Limits { line_bytes: 60, literal_bytes: 10, brackets: 3 };

    #[test]
    fn where_a_response_ends() {
        let check = |bytes: &str, expect: Result<Option<usize>, TooMuch>| {
            assert_eq!(Framer::new(SMALL).feed(bytes.as_bytes()), expect, "{bytes:?}");
        };
        check("* OK hi\r\nmore", Ok(Some(9)));
        check("* OK hi\n", Ok(Some(8)));
        check("* OK hi\r", Ok(None));
        check("* LIST () \".\" {3}\r\na\nb)\r\n", Ok(Some(25)));
        check("* LIST () \".\" {3}\r\na\nb", Ok(None));
        check("* {0}\r\n\r\n", Ok(Some(9)));
        check("* OK {3} is no literal\r\n", Ok(Some(24)));
        check("* OK {x3}\r\n", Ok(Some(11)));
        check("* X {3+}\r\nabc\r\n", Ok(Some(15)));
        check("* X {11}\r\n", Err(TooMuch::Literal { limit: 10, announced: 11 }));
        let huge = Err(TooMuch::Literal { limit: 10, announced: u64::MAX });
        check("* X {99999999999999999999999999}\r\n", huge);
        check("* ((()))\r\n", Ok(Some(10)));
        check("* (\")\"(\")\"(\")\"(\r\n", Err(TooMuch::Brackets(3)));
        check(&"x".repeat(61), Err(TooMuch::Line(60)));
    }

    #[test]
    fn kinds_of_responses() {
        let said = |status, code: &str, arguments: &str, text: &str| Said {
            status,
            code: code.to_owned(),
            arguments: arguments.to_owned(),
            text: text.to_owned(),
        };
        let check = |line: &str, expect: Option<Response>| {
            assert_eq!(read(format!("{line}\r\n").as_bytes()), expect, "{line:?}");
        };
        check("* OK ready", Some(Response::Untagged(said(Status::Ok, "", "", "ready"))));
        check("* bye", Some(Response::Untagged(said(Status::Bye, "", "", ""))));
        check(
            "M1 NO [AUTHENTICATIONFAILED] wrong",
            Some(Response::Tagged(
                "M1".to_owned(),
                said(Status::No, "AUTHENTICATIONFAILED", "", "wrong"),
            )),
        );
        check(
            "* OK [capability IMAP4rev1 ID] hi",
            Some(Response::Untagged(said(Status::Ok, "CAPABILITY", "IMAP4rev1 ID", "hi"))),
        );
        check("* OK [broken", Some(Response::Untagged(said(Status::Ok, "", "", "[broken"))));
        check("* 5 EXISTS", Some(Response::Fact("5 EXISTS".to_owned())));
        check("+ go on", Some(Response::Continue("go on".to_owned())));
        check("+", Some(Response::Continue(String::new())));
        check("HTTP/1.1 400 Bad Request", None);
        check("220 mail ESMTP", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn bytes_never_upset_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Framer::new(SMALL).feed(&bytes);
            let _ = read(&bytes);
        }

        #[test]
        fn chunks_make_no_difference(
            parts in proptest::collection::vec("[ -~\r\n]{0,9}|\\{[0-9]{1,2}\\+?\\}\r\n", 0..9),
            cut in 0usize..80,
        ) {
            let bytes = parts.concat().into_bytes();
            let whole = Framer::new(SMALL).feed(&bytes);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut framer = Framer::new(SMALL);
            let halves = match framer.feed(first) {
                Ok(None) => framer.feed(second).map(|end| end.map(|end| end + first.len())),
                early => early,
            };
            prop_assert_eq!(halves, whole);
        }
    }
}
