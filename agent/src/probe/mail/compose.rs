//! What a test message says: enough for a person who opens it to know what it is, and the token
//! where mail systems keep it. Built by lettre.

use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};

use crate::post::letter::ID_HEADER;
use crate::post::token::Token;

/// What goes into a message.
pub(super) struct Letter<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) subject: &'a str,
    pub(super) token: &'a Token,
    pub(super) at: Timestamp,
}

/// Why a message cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    /// An address cannot stand in a header.
    #[error("expected a mail address, got {0:?}")]
    Address(String),
    /// The parts do not fit together.
    #[error(transparent)]
    Parts(#[from] lettre::error::Error),
}

/// The message as bytes.
pub(super) fn compose(letter: &Letter<'_>) -> Result<Vec<u8>, ComposeError> {
    let mailbox = |address: &str| {
        let parsed = address.parse().map_err(|_| ComposeError::Address(address.to_owned()))?;
        Ok::<_, ComposeError>(Mailbox::new(None, parsed))
    };
    let domain = letter.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let id = letter.token.as_str();
    let id_header = HeaderName::new_from_ascii_str(ID_HEADER);
    // RFC 3834 section 5: nobody should answer it by machine
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let body = format!(
        "This is a test message of Mailward, which measures how long mail takes.\r\n\
         It was sent at {} and is removed once it has arrived.\r\n\
         Nobody needs to answer it.\r\n",
        letter.at
    );
    let message = Message::builder()
        .from(mailbox(letter.from)?)
        .to(mailbox(letter.to)?)
        .subject(letter.subject)
        .date(std::time::SystemTime::from(letter.at))
        .message_id(Some(format!("<mailward.{id}@{domain}>")))
        .raw_header(HeaderValue::new(id_header, id.to_owned()))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))?;
    Ok(message.formatted())
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;
    use crate::post::letter::{self, sort};
    use crate::post::token::Mint;

    #[test]
    fn a_message_is_known_again_and_says_what_it_is() {
        let mint = Mint::passing("a").unwrap();
        let token = mint.make("p", 0, 0).unwrap();
        let raw = compose(&Letter {
            from: "probe@x.test",
            to: "probe@y.test",
            subject: "[encrypt] probe – ü",
            token: &token,
            at: "2026-11-22T17:00:00Z".parse().unwrap(),
        });
        let raw = raw.unwrap();
        let message = MessageParser::default().parse(&raw).unwrap();
        assert_eq!(sort(&message, None, &mint), letter::Letter::Ours(token.clone()));
        let text = String::from_utf8(raw.clone()).unwrap().replace(token.as_str(), "TOKEN");
        insta::assert_snapshot!(text.replace("\r\n", "\n"), @r"
        From: probe@x.test
        To: probe@y.test
        Subject: [encrypt] probe =?utf-8?b?4oCTIMO8?=
        Date: Sun, 22 Nov 2026 17:00:00 +0000
        Message-ID: <mailward.TOKEN@x.test>
        X-Mailward-Id: TOKEN
        Auto-Submitted: auto-generated
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        This is a test message of Mailward, which measures how long mail takes.
        It was sent at 2026-11-22T17:00:00Z and is removed once it has arrived.
        Nobody needs to answer it.
        ");
    }

    #[test]
    fn an_address_that_cannot_be_written_is_told() {
        let mint = Mint::passing("a").unwrap();
        let token = mint.make("p", 0, 0).unwrap();
        let at = "2026-11-22T17:00:00Z".parse().unwrap();
        let letter = Letter { from: "probe", to: "p@y.test", subject: "x", token: &token, at };
        let error = compose(&letter).unwrap_err();
        assert_eq!(error.to_string(), "expected a mail address, got \"probe\"");
    }
}
