//! A letter as the bytes of a message: text and HTML side by side, the PDF attached, every header
//! encoded. The same letter to the same recipient bears the same id however often it is sent.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::address::AddressError;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};

use crate::publish::manifest::sha256;
use crate::render::columns::clean;
use crate::store::NewLetter;

/// Why a letter is no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum LetterError {
    /// An address is none.
    #[error("expected a mail address, got {0:?}")]
    Address(String, #[source] AddressError),
    /// The parts do not make a message.
    #[error("write the message")]
    Message(#[source] lettre::error::Error),
}

/// The id of the message about something to somebody: made once, and kept.
pub(crate) fn message_id(about: &str, to: &str, from: &str, made_ms: i64) -> String {
    let digest = sha256(format!("{about}\n{to}\n{made_ms}").as_bytes());
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("<{}@{domain}>", &digest[..32])
}

/// Who writes.
pub(super) struct From<'a> {
    /// The service's name, shown beside the address.
    pub(super) name: &'a str,
    /// The address.
    pub(super) address: &'a str,
}

/// The message to one recipient under its id. `pdf` is attached under its name.
pub(super) fn message(
    letter: &NewLetter,
    (to, message_id): (&str, &str),
    from: &From<'_>,
    pdf: Option<(String, Vec<u8>)>,
) -> Result<Vec<u8>, LetterError> {
    let address =
        |text: &str| text.parse().map_err(|source| LetterError::Address(text.to_owned(), source));
    // lettre encodes what is not plain; a control character has no place in a header at all
    let made = u64::try_from(letter.made_ms).unwrap_or_default();
    let builder = Message::builder()
        .from(Mailbox::new(Some(clean(from.name)), address(from.address)?))
        .to(Mailbox::new(None, address(to)?))
        .subject(clean(&letter.subject))
        .message_id(Some(message_id.to_owned()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(made));
    let both = MultiPart::alternative()
        .boundary(boundary("alternative", message_id))
        .singlepart(SinglePart::plain(letter.text.clone()))
        .singlepart(SinglePart::html(letter.html.clone()));
    let body = match pdf {
        Some((name, bytes)) => {
            let kind = ContentType::parse("application/pdf").unwrap_or(ContentType::TEXT_PLAIN);
            MultiPart::mixed()
                .boundary(boundary("mixed", message_id))
                .multipart(both)
                .singlepart(Attachment::new(name).body(encoded(bytes), kind))
        }
        None => both,
    };
    builder.multipart(body).map(|message| message.formatted()).map_err(LetterError::Message)
}

/// Bytes that arrive as they are, whatever they look like.
fn encoded(bytes: Vec<u8>) -> Body {
    let encoding = ContentTransferEncoding::Base64;
    Body::new_with_encoding(bytes, encoding).unwrap_or_else(Body::new)
}

/// A line that no part holds: it follows from the message's id.
fn boundary(part: &str, message_id: &str) -> String {
    format!("=_{part}_{}", &sha256(message_id.as_bytes())[..24])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(subject: &str) -> NewLetter {
        NewLetter {
            about: "edition/2026-10/1".to_owned(),
            subject: subject.to_owned(),
            text: "Grüße\n".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
            edition: None,
            via: String::new(),
            body: None,
            made_ms: 1_794_000_000_000,
            to: Vec::new(),
        }
    }

    fn id(address: &str) -> String {
        message_id("edition/2026-10/1", address, "reports@example.org", 7)
    }

    fn text_of(subject: &str, name: &str) -> String {
        let from = From { name, address: "reports@example.org" };
        let to = ("board@example.org", &*id("board@example.org"));
        let pdf = Some(("post-2026-10.pdf".to_owned(), b"%PDF-1.7".to_vec()));
        let bytes = message(&letter(subject), to, &from, pdf).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_and_html_stand_side_by_side_and_the_pdf_is_attached() {
        let text = text_of("Post: October 2026", "Post");
        insta::assert_snapshot!(text.replace('\r', ""), @r#"
        From: Post <reports@example.org>
        To: board@example.org
        Subject: Post: October 2026
        Message-ID: <4243a69da98e8c4b2a07c38e38404c58@example.org>
        Date: Fri, 06 Nov 2026 21:20:00 +0000
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="=_mixed_8df9352132aafbe4c7f21911"

        --=_mixed_8df9352132aafbe4c7f21911
        Content-Type: multipart/alternative;
         boundary="=_alternative_8df9352132aafbe4c7f21911"

        --=_alternative_8df9352132aafbe4c7f21911
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64

        R3LDvMOfZQ0K
        --=_alternative_8df9352132aafbe4c7f21911
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        <p>Gr=C3=BC=C3=9Fe</p>
        --=_alternative_8df9352132aafbe4c7f21911--
        --=_mixed_8df9352132aafbe4c7f21911
        Content-Disposition: attachment; filename="post-2026-10.pdf"
        Content-Type: application/pdf
        Content-Transfer-Encoding: base64

        JVBERi0xLjc=
        --=_mixed_8df9352132aafbe4c7f21911--
        "#);
        assert_eq!(text, text_of("Post: October 2026", "Post"), "the same bytes again");
    }

    #[test]
    fn no_name_makes_a_header_of_its_own() {
        for (subject, name) in [
            ("x\r\nBcc: all@example.org", "Post"),
            ("x", "Post\r\nBcc: all@example.org"),
            ("x\nBcc: all@example.org\n\nbody", "a\u{0}b\u{7f}\u{85}"),
            (&"=?utf-8?q?x?=\r\n ".repeat(50), "\"quoted\" <evil@example.org>, Ünï"),
        ] {
            let text = text_of(subject, name);
            let heads = text.split("\r\n\r\n").next().unwrap();
            let names: Vec<&str> = heads
                .split("\r\n")
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            assert_eq!(
                names,
                ["From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Type"],
                "{heads}"
            );
            assert!(heads.is_ascii() && heads.split("\r\n").all(|line| line.len() <= 998));
            assert!(!heads.replace("\r\n", "").contains(['\r', '\n', '\0']));
        }
    }
}
