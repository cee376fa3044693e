//! What a client shows to be let in, as SMTP, IMAP and POP3 carry it: PLAIN (RFC 4616) for a
//! password, XOAUTH2 for an access token. Which of them a server offers, and what its answer
//! means, is left to others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mailward_catalogue::Secret;
use mailward_evidence::Reason;

use super::tls::Identity;
use super::{Fault, Trace, clean};

/// The longest challenge that is looked into, in bytes.
const MAX_CHALLENGE_BYTES: usize = 8192;

/// A name and what proves it, for one attempt to log on.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account's name.
    pub username: String,
    /// What proves it.
    pub proof: Proof,
    /// The certificate to show when a connection is encrypted.
    pub identity: Option<Identity>,
}

/// What proves a name.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A password.
    Password(Secret),
    /// An OAuth 2.0 access token (RFC 6749 section 1.4).
    Token(Secret),
    /// The certificate it showed when the connection was encrypted; nothing else is shown.
    Certificate,
}

/// The one message of PLAIN in base64 (RFC 4616 section 2).
#[must_use]
pub fn plain(username: &str, password: &Secret) -> Secret {
    Secret::new(BASE64.encode(format!("\0{username}\0{}", password.expose())))
}

/// The one message of XOAUTH2 in base64, as Google and Microsoft document it.
#[must_use]
pub fn xoauth2(username: &str, token: &Secret) -> Secret {
    let message = format!("user={username}\u{1}auth=Bearer {}\u{1}\u{1}", token.expose());
    Secret::new(BASE64.encode(message))
}

/// For an account that has nothing to say: its certificate is shown below the mail protocols.
pub(super) fn no_message() -> Fault {
    let detail = "expected an account with a password or tokens, got one with a certificate";
    Fault::new(Reason::ProbeFault, detail)
}

/// Notes what a server says of a token it does not take. It comes as a challenge that holds JSON
/// with a status; whatever else is in it is not kept, since it may repeat the token.
pub fn note_refusal(challenge: &str, trace: &mut Trace) {
    let challenge = challenge.trim();
    if challenge.is_empty() || challenge.len() > MAX_CHALLENGE_BYTES {
        return;
    }
    let status = BASE64
        .decode(challenge)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .and_then(|json| match json.get("status")? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
    // RFC 7628 section 3.2.2: a status such as 401, or a word such as invalid_token
    let is_word = |text: &String| {
        text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let status = status.filter(is_word).unwrap_or_else(|| "not understood".to_owned());
    trace.fact("token_status", clean(&status, 40));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_as_documented() {
        // RFC 4616 section 4
        let plain = plain("tim", &Secret::new("tanstaaftanstaaf".to_owned()));
        assert_eq!(plain.expose(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        // Google, "OAuth 2.0 Mechanism", the example of an initial client response
        let token = Secret::new("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg".to_owned());
        assert_eq!(
            xoauth2("someuser@example.com", &token).expose(),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhk\
             SFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
    }

    #[test]
    fn only_the_status_of_a_refusal_is_kept() {
        let check = |challenge: &str, expect: Option<&str>| {
            let mut trace = Trace::start();
            note_refusal(challenge, &mut trace);
            assert_eq!(trace.noted("token_status"), expect, "{challenge}");
        };
        // {"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}
        check(
            "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdv\
             b2dsZS5jb20vIn0=",
            Some("401"),
        );
        check(&BASE64.encode(r#"{"status":400}"#), Some("400"));
        check(&BASE64.encode(r#"{"status":"Bearer ya29.secret"}"#), Some("not understood"));
        check(&BASE64.encode("no JSON"), Some("not understood"));
        check("%%%", Some("not understood"));
        check("", None);
    }

    proptest! {
        #[test]
        fn challenges_never_upset_it(challenge in "\\PC{0,200}") {
            let mut trace = Trace::start();
            note_refusal(&challenge, &mut trace);
            note_refusal(&BASE64.encode(&challenge), &mut trace);
        }
    }
}
