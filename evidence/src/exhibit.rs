//! What a failed run keeps so that an operator can believe it: the answer as it came, cut and
//! without control characters, and the certificates. Secrets are removed by whoever fills it
//! in; phases stand in the outcome. It is shown to operators and to nobody else.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::record::Extra;
use crate::time::Instant;

/// The most bytes of text that an exhibit holds in all; what its parts may hold adds up to it.
pub const MAX_EXHIBIT_BYTES: usize = 8192;
/// The longest status line, in bytes.
pub const MAX_STATUS_BYTES: usize = 256;
/// The most bytes of header lines together.
pub const MAX_HEADERS_BYTES: usize = 1536;
/// The most bytes of an answer's text.
pub const MAX_TEXT_BYTES: usize = 2048;
/// The most bytes of reply lines together; the last ones are kept.
pub const MAX_REPLIES_BYTES: usize = 1536;
/// The most bytes of what certificates say together; the server's own comes first.
pub const MAX_CERTIFICATES_BYTES: usize = 2816;
/// The most header lines, reply lines, certificates, or names of a certificate.
const MAX_ENTRIES: usize = 32;

/// What was seen of a certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whom it is for, as a distinguished name (RFC 4514).
    pub subject: Box<str>,
    /// Who signed it.
    pub issuer: Box<str>,
    /// The host names and addresses it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Box<str>>,
    /// From when on it is good.
    pub not_before: Instant,
    /// Until when.
    pub not_after: Instant,
    /// SHA-256 of the certificate, in hexadecimal.
    pub sha256: Box<str>,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What one failed run keeps of what it met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exhibit {
    /// The status line of an HTTP answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<str>>,
    /// Some header lines of it, as `name: value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Box<str>>,
    /// The beginning of the answer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Box<str>>,
    /// The last reply lines of a mail server, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<Box<str>>,
    /// The chain the server showed, its own certificate first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// There was more than is kept here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Exhibit {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Keeps an HTTP answer in place of an earlier one: its status line, header lines, and the
    /// beginning of its text.
    pub fn set_answer<'a>(
        &mut self,
        status: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        text: &str,
    ) {
        self.status = Some(self.fit(status, MAX_STATUS_BYTES, false));
        self.headers.clear();
        let mut room = MAX_HEADERS_BYTES;
        for (name, value) in headers {
            let line = self.fit(&format!("{name}: {value}"), MAX_HEADERS_BYTES / 4, false);
            if line.len() > room || self.headers.len() == MAX_ENTRIES {
                self.cut = true;
                break;
            }
            room -= line.len();
            self.headers.push(line);
        }
        let text = self.fit(text, MAX_TEXT_BYTES, true);
        self.text = (!text.is_empty()).then_some(text);
    }

    /// Keeps a reply line; the oldest make room for the last.
    pub fn add_reply(&mut self, line: &str) {
        let line = self.fit(line.trim_end(), MAX_REPLIES_BYTES / 4, false);
        self.replies.push(line);
        let len = |replies: &[Box<str>]| replies.iter().map(|line| line.len()).sum::<usize>();
        while len(&self.replies) > MAX_REPLIES_BYTES || self.replies.len() > MAX_ENTRIES {
            self.replies.remove(0);
            self.cut = true;
        }
    }

    /// Keeps a chain in place of an earlier one.
    pub fn set_certificates(&mut self, chain: impl IntoIterator<Item = Certificate>) {
        self.certificates.clear();
        let mut room = MAX_CERTIFICATES_BYTES;
        for mut certificate in chain {
            certificate.subject = self.fit(&certificate.subject, 256, false);
            certificate.issuer = self.fit(&certificate.issuer, 256, false);
            certificate.sha256 = self.fit(&certificate.sha256, 64, false);
            let names = std::mem::take(&mut certificate.names);
            let Some(mut left) = room.checked_sub(certificate.len()) else {
                self.cut = true;
                break;
            };
            // a certificate's names may fill at most half of what it finds
            let most = left / 2;
            for name in names {
                let name = self.fit(&name, 253, false);
                let fits =
                    certificate.names.len() < MAX_ENTRIES && left - name.len().min(left) > most;
                if !fits {
                    self.cut = true;
                    break;
                }
                left -= name.len();
                certificate.names.push(name);
            }
            room = left;
            self.certificates.push(certificate);
        }
    }

    /// `text` as it may be kept, at most `limit` bytes of it.
    fn fit(&mut self, text: &str, limit: usize, lines: bool) -> Box<str> {
        let mut out = String::with_capacity(text.len().min(limit));
        for c in text.chars() {
            let before = out.len();
            match c {
                '\r' if lines => {}
                '\n' | '\t' if lines => out.push(c),
                c if is_hidden(c) => {
                    // writing to a String cannot fail
                    let _ = write!(out, "{}", c.escape_default());
                }
                c => out.push(c),
            }
            if out.len() > limit {
                out.truncate(before);
                self.cut = true;
                break;
            }
        }
        out.into()
    }

    /// Whether it keeps within what an exhibit may hold.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub(crate) fn check(&self) -> Result<(), String> {
        let len = |lines: &[Box<str>]| lines.iter().map(|line| line.len()).sum::<usize>();
        let extra = serde_json::to_vec(&self.extra).map_or(usize::MAX, |json| json.len());
        let extra = if self.extra.is_empty() { 0 } else { extra };
        let text = [&self.status, &self.text].map(|text| text.as_ref().map_or(0, |t| t.len()));
        let certificates: usize = self.certificates.iter().map(Certificate::len).sum();
        let bytes = text[0]
            .saturating_add(text[1] + len(&self.headers) + len(&self.replies) + certificates)
            .saturating_add(extra);
        if bytes > MAX_EXHIBIT_BYTES {
            return Err(format!(
                "exhibit: expected at most {MAX_EXHIBIT_BYTES} bytes of text, got {bytes}"
            ));
        }
        let most = self.headers.len().max(self.replies.len()).max(self.certificates.len());
        let names = self.certificates.iter().map(|c| c.names.len()).max().unwrap_or(0);
        if most.max(names) > MAX_ENTRIES {
            return Err(format!("exhibit: expected at most {MAX_ENTRIES} lines of a kind"));
        }
        if self.texts().any(|text| text.chars().any(|c| is_hidden(c) && c != '\n' && c != '\t')) {
            return Err("exhibit: expected control characters to be escaped".to_owned());
        }
        Ok(())
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let certificates = self.certificates.iter().flat_map(|certificate| {
            let own = [&certificate.subject, &certificate.issuer, &certificate.sha256];
            own.into_iter().chain(&certificate.names)
        });
        let lines = self.headers.iter().chain(&self.replies).chain(certificates);
        self.status.iter().chain(&self.text).chain(lines).map(AsRef::as_ref)
    }
}

impl Certificate {
    fn len(&self) -> usize {
        let names: usize = self.names.iter().map(|name| name.len()).sum();
        let extra = serde_json::to_vec(&self.extra).map_or(0, |json| json.len());
        let extra = if self.extra.is_empty() { 0 } else { extra };
        self.subject.len() + self.issuer.len() + self.sha256.len() + names + extra
    }
}

/// What would act on a reader's terminal or page instead of being read: control characters, and
/// those that turn the direction of text (Unicode, Bidi_Control).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate(names: usize) -> Certificate {
        Certificate {
            subject: "CN=mail.example.org".into(),
            issuer: "CN=Authority".into(),
            names: (0..names).map(|n| format!("host-{n}.example.org").into()).collect(),
            not_before: Instant::parse("2026-01-01T00:00:00Z").unwrap(),
            not_after: Instant::parse("2027-01-01T00:00:00Z").unwrap(),
            sha256: "ab".repeat(32).into(),
            extra: Extra::default(),
        }
    }

    #[test]
    fn what_would_act_on_a_terminal_is_escaped() {
        let mut exhibit = Exhibit::default();
        let headers = [("Server", "x\u{1b}[2J"), ("X-Long", "y")];
        exhibit.set_answer("HTTP/1.1 503 Oh\r\n", headers, "one\r\ntwo\ttab\u{7}\u{202e}");
        assert_eq!(exhibit.status.as_deref(), Some("HTTP/1.1 503 Oh\\r\\n"));
        assert_eq!(&*exhibit.headers[0], "Server: x\\u{1b}[2J");
        assert_eq!(exhibit.text.as_deref(), Some("one\ntwo\ttab\\u{7}\\u{202e}"));
        assert!(!exhibit.cut);
        exhibit.check().unwrap();
    }

    #[test]
    fn the_last_replies_and_the_first_certificates_stay() {
        let mut exhibit = Exhibit::default();
        for n in 0..100 {
            exhibit.add_reply(&format!("250-line {n}\r\n"));
        }
        assert_eq!(exhibit.replies.last().map(|line| &**line), Some("250-line 99"));
        assert_eq!((exhibit.replies.len(), exhibit.cut), (MAX_ENTRIES, true));
        let mut exhibit = Exhibit::default();
        exhibit.set_certificates([certificate(2), certificate(0)]);
        assert_eq!((exhibit.certificates[0].names.len(), exhibit.cut), (2, false));
        exhibit.set_certificates(vec![certificate(90); 90]);
        assert!(exhibit.cut && exhibit.certificates.len() > 2);
        exhibit.check().unwrap();
    }

    proptest! {
        #[test]
        fn whatever_is_kept_fits(
            status in "\\PC{0,400}",
            headers in prop::collection::vec(("[a-zA-Z-]{1,40}", any::<String>()), 0..60),
            text in "(?s).{0,4000}",
            replies in prop::collection::vec(any::<String>(), 0..60),
            chain in prop::collection::vec(0..60usize, 0..20),
        ) {
            let mut exhibit = Exhibit::default();
            let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            exhibit.set_answer(&status, pairs, &text);
            replies.iter().for_each(|line| exhibit.add_reply(line));
            exhibit.set_certificates(chain.into_iter().map(certificate));
            prop_assert_eq!(exhibit.check(), Ok(()));
            let json = serde_json::to_string(&exhibit).unwrap();
            prop_assert_eq!(serde_json::from_str::<Exhibit>(&json).unwrap(), exhibit);
        }
    }
}
