//! What a message that was found is: one of ours, one of ours that came back, or none of our
//! business; and whether one of ours is as it should be. Where messages are found is left to
//! `mailbox` and `sink`.

use mail_parser::{Message, MimeHeaders, PartType};
use mailward_catalogue::Settings;
use mailward_evidence::record::Pairs;
use regex::Regex;

use super::bounce::{self, Notice};
use super::token::{Mint, Token};
use crate::net::clean;

/// The header that bears the token.
pub const ID_HEADER: &str = "X-Mailward-Id";
/// The most of a body that `expect.body` looks into.
const MAX_BODY_BYTES: usize = 1 << 20;

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Letter {
    /// A message of ours.
    Ours(Token),
    /// A mail system says something of a message of ours.
    Notice(Token, Notice),
    /// It claims to be ours and is not.
    Forged,
    /// Somebody else's.
    Foreign,
}

/// Sorts a message; `envelope` is the token of the address it was sent to, where that is known.
#[must_use]
pub fn sort(message: &Message<'_>, envelope: Option<&Token>, mint: &Mint) -> Letter {
    let claims = message.header_raw(ID_HEADER);
    if let Some(token) = claims.and_then(|text| mint.know(text)) {
        return Letter::Ours(token);
    }
    if let Some(notice) = bounce::read(message) {
        let token = envelope.cloned().or_else(|| token_inside(message, mint));
        return match token {
            Some(token) => Letter::Notice(token, notice),
            None => Letter::Foreign,
        };
    }
    // a gateway may have taken headers away that it does not know
    let by_id = message.message_id().and_then(|id| mint.find(id.as_bytes(), 1).pop());
    match (by_id.or_else(|| envelope.cloned()), claims) {
        (Some(token), _) => Letter::Ours(token),
        (None, Some(_)) => Letter::Forged,
        (None, None) => Letter::Foreign,
    }
}

/// Whether a message of which only headers are known may be ours, claims to be, or may return one
/// of ours.
#[must_use]
pub fn may_concern_us(headers: &Message<'_>, mint: &Mint) -> bool {
    headers.header_raw(ID_HEADER).is_some()
        || headers.is_content_type("multipart", "report")
        || bounce::is_from_a_mail_system(headers)
        || headers.message_id().is_some_and(|id| !mint.find(id.as_bytes(), 1).is_empty())
}

/// The token in what a notice returns: as it stands, else in a part that is encoded.
fn token_inside(message: &Message<'_>, mint: &Mint) -> Option<Token> {
    mint.find(message.raw_message(), 1)
        .pop()
        .or_else(|| message.parts.iter().find_map(|part| mint.find(part.contents(), 1).pop()))
}

/// What must hold of an arrived message.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    headers: Vec<(String, Regex)>,
    attachment: Option<Regex>,
    body: Option<Regex>,
}

impl Expect {
    /// Reads the keys of `expect`.
    ///
    /// # Errors
    /// When a pattern is no regular expression.
    pub fn read(keys: &Settings) -> Result<Self, regex::Error> {
        let pattern = |key| keys.text(key).map(Regex::new).transpose();
        let headers =
            keys.table("header").map(|(name, wanted)| Ok((name.to_owned(), Regex::new(wanted)?)));
        Ok(Self {
            headers: headers.collect::<Result<_, regex::Error>>()?,
            attachment: pattern("attachment")?,
            body: pattern("body")?,
        })
    }

    /// What does not hold, if anything: a sentence for operators.
    #[must_use]
    pub fn unmet(&self, message: &Message<'_>) -> Option<String> {
        for (name, wanted) in &self.headers {
            let mut values = message
                .headers_raw()
                .filter(|(of, _)| of.eq_ignore_ascii_case(name))
                .map(|(_, value)| unfolded(value))
                .peekable();
            if values.peek().is_none() {
                return Some(format!("expected a header {name}, got none"));
            }
            let got: Vec<String> = values.collect();
            if !got.iter().any(|value| wanted.is_match(value)) {
                let got = clean(&got.join(" | "), 120);
                return Some(format!("expected {name} to match {wanted}, got {got:?}"));
            }
        }
        if let Some(wanted) = &self.attachment {
            let names: Vec<&str> =
                message.parts.iter().filter_map(|part| part.attachment_name()).collect();
            if !names.iter().any(|name| wanted.is_match(name)) {
                let names = clean(&names.join(", "), 120);
                return Some(format!("expected an attachment like {wanted}, got {names:?}"));
            }
        }
        let wanted = self.body.as_ref()?;
        let found = message.parts.iter().any(|part| match &part.body {
            PartType::Text(text) | PartType::Html(text) => wanted.is_match(head(text)),
            _ => false,
        });
        (!found).then(|| format!("expected a text part to match {wanted}, got none"))
    }
}

/// A header's value on one line (RFC 5322 section 2.2.3).
fn unfolded(value: &str) -> String {
    value.trim().replace("\r\n", "").replace('\n', "")
}

/// The beginning of a text that is looked into.
fn head(text: &str) -> &str {
    let mut end = text.len().min(MAX_BODY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The facts of a bounce.
#[must_use]
pub fn bounce_facts(bounce: &bounce::Bounce) -> Pairs<Box<str>> {
    let mut facts = Pairs::default();
    facts.set("bounce_class", bounce.class.word().into());
    if let Some(status) = bounce.status {
        facts.set("enhanced", status.to_string().into());
    }
    facts.set("detail", bounce.text.clone());
    facts
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Message<'_> {
        MessageParser::default().parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn whose_a_message_is() {
        let mint = Mint::passing("a").unwrap();
        let token = mint.make("p", 0, 0).unwrap();
        let id = token.as_str();
        let other = Mint::passing("a").unwrap().make("p", 0, 0).unwrap();
        let check = |text: &str, envelope: Option<&Token>, expect: Letter| {
            assert_eq!(sort(&parse(text), envelope, &mint), expect, "{text}");
        };
        let ours = || Letter::Ours(token.clone());
        check(&format!("X-Mailward-Id: {id}\r\nSubject: x\r\n\r\nx"), None, ours());
        check(&format!("Message-ID: <mailward.{id}@x.test>\r\n\r\nx"), None, ours());
        check("Subject: wrapped\r\n\r\nx", Some(&token), ours());
        let forged = format!("X-Mailward-Id: {}\r\n\r\nx", other.as_str());
        check(&forged, None, Letter::Forged);
        check("Subject: hello\r\n\r\nx", None, Letter::Foreign);
        // who answers, or quotes us, is not us
        check(&format!("In-Reply-To: <mailward.{id}@x>\r\n\r\n{id}"), None, Letter::Foreign);
        let returned = |inside: &str| {
            format!(
                "From: MAILER-DAEMON@x.test\r\nMIME-Version: 1.0\r\n\
                 Content-Type: multipart/report; boundary=b; report-type=delivery-status\r\n\r\n\
                 --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n\
                 Final-Recipient: rfc822; n@x\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
                 --b\r\n{inside}\r\n--b--\r\n"
            )
        };
        let headers = format!("Content-Type: text/rfc822-headers\r\n\r\nX-Mailward-Id: {id}\r\n");
        let in_base64 = {
            use base64::Engine as _;
            let text = format!("X-Mailward-Id: {id}\r\n");
            let text = base64::engine::general_purpose::STANDARD.encode(text);
            format!("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}")
        };
        for inside in [headers, in_base64] {
            let text = returned(&inside);
            let sorted = sort(&parse(&text), None, &mint);
            assert!(matches!(&sorted, Letter::Notice(of, Notice::Failed(_)) if *of == token));
        }
        check(&returned("Content-Type: text/plain\r\n\r\nx"), None, Letter::Foreign);
    }

    #[test]
    fn what_must_hold() {
        let read = |keys: &str| {
            let text = format!(
                "[service]\nname=\"x\"\nzone=\"UTC\"\n[[component]]\nid=\"c\"\n\
                 [[sink]]\nid=\"s\"\nlisten=\"127.0.0.1:0\"\nhostname=\"s.test\"\n\
                 [[probe]]\nid=\"p\"\ncomponent=\"c\"\nkind=\"mail\"\nevery=\"5m\"\n\
                 direction=\"outgoing\"\nsend={{ host=\"h\", mail_from=\"a@b.test\" }}\n\
                 receive={{ sink=\"s\" }}\nexpect={{ {keys} }}\n"
            );
            let parsed = mailward_catalogue::parse("x.toml", &text);
            let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
            Expect::read(catalogue.probes[0].settings.group("expect").unwrap()).unwrap()
        };
        let text = "X-Enc: yes,\r\n it is\r\nSubject: [secure] x\r\nMIME-Version: 1.0\r\n\
                    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
                    Content-Type: text/plain\r\n\r\nRead it at the portal.\r\n--b\r\n\
                    Content-Type: application/octet-stream; name=\"message.enc\"\r\n\r\nxx\r\n--b--";
        let check = |keys: &str, expect: Option<&str>| {
            let unmet = read(keys).unmet(&parse(text));
            assert_eq!(unmet.as_deref(), expect, "{keys}");
        };
        check("header = { x-enc = \"^yes, it\" }, body = \"portal\"", None);
        check("header = \"Subject: ^\\\\[secure\\\\]\", attachment = \"\\\\.enc$\"", None);
        check("header = \"X-Not: .\"", Some("expected a header X-Not, got none"));
        check(
            "header = { X-Enc = \"no\" }",
            Some("expected X-Enc to match no, got \"yes, it is\""),
        );
        check("attachment = \"pdf\"", Some("expected an attachment like pdf, got \"message.enc\""));
        check("body = \"hello\"", Some("expected a text part to match hello, got none"));
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(bytes in any::<Vec<u8>>()) {
            let mint = Mint::passing("a").unwrap();
            if let Some(message) = MessageParser::default().parse(&bytes) {
                let sorted = sort(&message, None, &mint);
                prop_assert!(matches!(sorted, Letter::Foreign | Letter::Forged));
            }
        }
    }
}
