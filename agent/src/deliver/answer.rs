//! What an answer of the reporter means for the records that were sent. Pure.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::metrics::Delivered;
use crate::net::clean;

/// The most of an answer's text that is shown.
const SHOWN_BYTES: usize = 300;

/// What the reporter says it did; the sum is the number of records that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// Records it has now.
    pub accepted: u64,
    /// Records it had already.
    pub duplicates: u64,
    /// Records of which it has another version.
    pub conflicts: u64,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The records are on the reporter's disk.
    Kept(Receipt),
    /// The body is refused for what is in it, or for its size.
    Refused(String),
    /// The reporter does not read `Content-Encoding: zstd`.
    NoPacking,
    /// The token is not good, or the agent may not send this.
    Denied(u16, String),
    /// Come back later, perhaps after a time.
    Later(u16, Option<Duration>),
    /// No answer came.
    Unreachable(String),
    /// Whoever answered is no reporter.
    Strange(String),
}

impl Answer {
    /// For metrics.
    #[must_use]
    pub const fn kind(&self) -> Delivered {
        match self {
            Self::Kept(_) => Delivered::Ok,
            Self::Refused(_) | Self::NoPacking => Delivered::Refused,
            Self::Denied(..) => Delivered::Denied,
            Self::Later(..) => Delivered::Later,
            Self::Unreachable(_) => Delivered::Unreachable,
            Self::Strange(_) => Delivered::Strange,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(_) => f.write_str("the reporter has the records"),
            Self::Refused(why) => write!(f, "the reporter refuses the body: {why}"),
            Self::NoPacking => f.write_str("the reporter does not read this kind of body (415)"),
            Self::Denied(status, why) => write!(
                f,
                "the reporter does not let this agent in ({status}): {why}; check its token, and \
                 that it delivers under the name it was enrolled with"
            ),
            Self::Later(status, _) => {
                write!(f, "the reporter asks to come back later ({status})")
            }
            Self::Unreachable(why) => write!(f, "the reporter cannot be reached: {why}"),
            Self::Strange(why) => write!(f, "what answers is not a Mailward reporter: {why}"),
        }
    }
}

/// What an answer to `records` records means.
pub(super) fn judge(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
    records: u64,
) -> Answer {
    let text = || clean(&String::from_utf8_lossy(body), SHOWN_BYTES).into_string();
    match status {
        200..=299 => match serde_json::from_slice::<Receipt>(body) {
            Ok(receipt) if sum(receipt) == Some(records) => Answer::Kept(receipt),
            Ok(receipt) => Answer::Strange(format!(
                "status {status}, and it speaks of {} records where {records} were sent",
                sum(receipt).unwrap_or(u64::MAX)
            )),
            Err(_) => Answer::Strange(format!("status {status}, and no receipt: {}", text())),
        },
        300..=399 => Answer::Strange(format!("status {status}; redirects are not followed")),
        400 | 413 | 422 => Answer::Refused(format!("status {status}: {}", text())),
        401 | 403 => Answer::Denied(status, text()),
        415 => Answer::NoPacking,
        408 | 425 | 429 | 500..=599 => Answer::Later(status, retry_after),
        _ => Answer::Strange(format!("status {status}: {}", text())),
    }
}

fn sum(receipt: Receipt) -> Option<u64> {
    receipt.accepted.checked_add(receipt.duplicates)?.checked_add(receipt.conflicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(accepted: u64, duplicates: u64, conflicts: u64) -> Answer {
        Answer::Kept(Receipt { accepted, duplicates, conflicts })
    }

    #[test]
    fn answers() {
        let check = |status, body: &str, expect: &Answer| {
            assert_eq!(&judge(status, None, body.as_bytes(), 3), expect, "{status} {body}");
        };
        check(200, r#"{"accepted":3,"duplicates":0,"conflicts":0}"#, &kept(3, 0, 0));
        check(200, r#"{"accepted":1,"duplicates":1,"conflicts":1,"new":true}"#, &kept(1, 1, 1));
        check(503, "", &Answer::Later(503, None));
        check(415, "", &Answer::NoPacking);
        check(401, "unknown token", &Answer::Denied(401, "unknown token".to_owned()));
        for status in [400, 413, 422] {
            assert_eq!(judge(status, None, b"", 3).kind(), Delivered::Refused);
        }
        let strange = [
            (200, r#"{"accepted":2,"duplicates":0,"conflicts":0}"#),
            (200, r#"{"accepted":18446744073709551615,"duplicates":4,"conflicts":0}"#),
            (200, "<html>please log on to the hotel's network</html>"),
            (204, ""),
            (302, ""),
            (404, "nothing here"),
        ];
        for (status, body) in strange {
            let kind = judge(status, None, body.as_bytes(), 3).kind();
            assert_eq!(kind, Delivered::Strange, "{status} {body}");
        }
    }
}
