//! Being let in over HTTP: an account as the one header line that shows it, a password by Basic
//! (RFC 7617) or a token by Bearer (RFC 6750), and which ways a server's 401 offers. What a
//! refusal means for the account is left to others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use mailward_evidence::Reason;

use super::{Answer, Ask};
use crate::net::Fault;
use crate::net::sasl::{Login, Proof};

/// The most ways to log on that are read of an answer.
const MAX_OFFERS: usize = 16;
/// The longest name of a way to log on, in bytes.
const MAX_SCHEME_BYTES: usize = 32;
/// The longest header line that is looked into, in bytes.
const MAX_LINE_BYTES: usize = 8 << 10;

/// The header line that shows `login`; none where a certificate speaks for it.
///
/// # Errors
/// When it cannot be sent: a name with a colon, or control characters (RFC 7617 section 2).
pub fn authorization(login: &Login) -> Result<Option<HeaderValue>, Fault> {
    let ours = |detail: &str| Fault::new(Reason::ProbeFault, detail);
    let line = match &login.proof {
        Proof::Password(password) => {
            let (name, password) = (&login.username, password.expose());
            if name.contains(':') {
                return Err(ours("an account's name with a colon cannot be sent by HTTP Basic"));
            }
            if name.chars().chain(password.chars()).any(char::is_control) {
                return Err(ours("an account with control characters cannot be sent by HTTP"));
            }
            // section 2.1: as UTF-8, which is what Exchange and every later server reads
            format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
        }
        Proof::Token(token) => format!("Bearer {}", token.expose()),
        Proof::Certificate => return Ok(None),
    };
    let mut value =
        HeaderValue::from_str(&line).map_err(|_| ours("the account cannot be sent by HTTP"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Adds the header line that shows `login` to a request, in place of one that is there.
///
/// # Errors
/// As [`authorization`].
pub fn authorize(ask: &mut Ask, login: &Login) -> Result<(), Fault> {
    match authorization(login)? {
        Some(line) => ask.headers.insert(AUTHORIZATION, line),
        None => ask.headers.remove(AUTHORIZATION),
    };
    Ok(())
}

/// The ways to log on that an answer offers (RFC 9110 section 11.6.1), in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Vec<Offer>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    /// Lower case.
    scheme: Box<str>,
    /// What Bearer says of the token that was shown (RFC 6750 section 3.1).
    error: Option<Box<str>>,
}

impl Offers {
    /// Reads those of an answer; what cannot be read is left out.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        Self::read(&answer.headers)
    }

    fn read(headers: &HeaderMap) -> Self {
        let mut offers = Self::default();
        for line in headers.get_all(WWW_AUTHENTICATE) {
            offers.add(line.to_str().unwrap_or_default());
        }
        offers
    }

    /// Reads one header line.
    pub(crate) fn line(line: &str) -> Self {
        let mut offers = Self::default();
        offers.add(line);
        offers
    }

    fn add(&mut self, line: &str) {
        if line.len() > MAX_LINE_BYTES {
            return;
        }
        for part in parts(line) {
            let (word, rest) = part.split_once([' ', '\t']).unwrap_or((part, ""));
            let is_scheme = is_token(word) && !rest.trim_start().starts_with('=');
            let parameter = if is_scheme { rest } else { part };
            if is_scheme && self.0.len() < MAX_OFFERS && word.len() <= MAX_SCHEME_BYTES {
                self.0.push(Offer { scheme: word.to_ascii_lowercase().into(), error: None });
            }
            if let Some(offer) = self.0.last_mut()
                && let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("error")
            {
                let word = value.trim().trim_matches('"');
                let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                if !word.is_empty() && word.len() <= 40 && word.bytes().all(is_word) {
                    offer.error = Some(word.into());
                }
            }
        }
    }

    /// Whether none is offered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is, whatever its case.
    #[must_use]
    pub fn has(&self, scheme: &str) -> bool {
        self.0.iter().any(|offer| offer.scheme.eq_ignore_ascii_case(scheme))
    }

    /// All of them, for a fact.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        for offer in &self.0 {
            if !words.contains(&&*offer.scheme) {
                words.push(&offer.scheme);
            }
        }
        words.join(", ")
    }

    /// The word for what is wrong with the token that was shown, such as `invalid_token`.
    #[must_use]
    pub fn token_error(&self) -> Option<&str> {
        self.0.iter().find_map(|offer| offer.error.as_deref())
    }

    /// Whether a server that offers these has refused what `login` shows, and not the way it
    /// shows it. One that offers nothing, against section 15.5.2, is taken to have.
    #[must_use]
    pub fn refuse(&self, login: &Login) -> bool {
        let scheme = match login.proof {
            Proof::Password(_) => "basic",
            Proof::Token(_) => "bearer",
            // whatever is offered, the certificate was seen before and did not do
            Proof::Certificate => return true,
        };
        self.is_empty() || self.has(scheme)
    }
}

/// The parts between commas that are in no quotes.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |c| {
        let is_end = c == ',' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        is_end
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

/// RFC 9110 section 5.6.2.
fn is_token(word: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !word.is_empty() && word.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use mailward_catalogue::Secret;
    use proptest::prelude::*;

    use super::*;

    fn password(name: &str, password: &str) -> Login {
        let proof = Proof::Password(Secret::new(password.to_owned()));
        Login { username: name.to_owned(), proof, identity: None }
    }

    fn token(text: &str) -> Login {
        let proof = Proof::Token(Secret::new(text.to_owned()));
        Login { username: "probe@example.org".to_owned(), proof, identity: None }
    }

    #[test]
    fn an_account_as_a_header_line() {
        let check = |login: &Login, expect: Result<&str, &str>| {
            let told = authorization(login).map_err(|fault| fault.detail);
            let line = told.as_ref().map(|value| value.as_ref().unwrap().to_str().unwrap());
            assert_eq!(line.map_err(AsRef::as_ref), expect);
            assert!(!format!("{told:?}").contains("QWxh"));
        };
        // RFC 7617 section 2 and section 2.1
        check(&password("Aladdin", "open sesame"), Ok("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        check(&password("test", "123£"), Ok("Basic dGVzdDoxMjPCow=="));
        check(&password(r"DOMAIN\probe", "a:b"), Ok("Basic RE9NQUlOXHByb2JlOmE6Yg=="));
        // RFC 6750 section 2.1
        check(&token("mF_9.B5f-4.1JqM"), Ok("Bearer mF_9.B5f-4.1JqM"));
        let colon = "an account's name with a colon cannot be sent by HTTP Basic";
        check(&password("a:b", "x"), Err(colon));
        let control = "an account with control characters cannot be sent by HTTP";
        check(&password("a", "x\ny"), Err(control));
        check(&token("a\nb"), Err("the account cannot be sent by HTTP"));
    }

    fn offers(lines: &[&str]) -> Offers {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
        }
        Offers::read(&headers)
    }

    #[test]
    fn the_ways_that_are_offered() {
        let check = |lines: &[&str], expect: &str, error: Option<&str>| {
            let offers = offers(lines);
            assert_eq!(offers.words(), expect, "{lines:?}");
            assert_eq!(offers.token_error(), error, "{lines:?}");
        };
        check(&[], "", None);
        check(&["Basic realm=\"mail, inside\""], "basic", None);
        check(&["Negotiate", "NTLM", "BASIC realm=\"mail\""], "negotiate, ntlm, basic", None);
        check(&["Negotiate, NTLM, Basic realm = \"a \\\", x\""], "negotiate, ntlm, basic", None);
        // RFC 9110 section 11.6.1
        let apps =
            r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#;
        check(&[apps], "basic, newauth", None);
        // RFC 6750 section 3
        let expired =
            r#"Bearer realm="example", error="invalid_token", error_description="expired""#;
        check(&[expired], "bearer", Some("invalid_token"));
        check(&[r#"Bearer error="a b""#], "bearer", None);
        check(&["Negotiate YIIabc=="], "negotiate", None);
        check(&["=, \"\", realm=\"x\""], "", None);
    }

    #[test]
    fn another_way_is_no_refusal() {
        let check = |login: &Login, lines: &[&str], expect: bool| {
            assert_eq!(offers(lines).refuse(login), expect, "{lines:?}");
        };
        let (password, token) = (password("a", "b"), token("c"));
        check(&password, &["Basic realm=\"x\"", "Bearer"], true);
        check(&password, &["Negotiate", "NTLM"], false);
        check(&password, &["Bearer"], false);
        check(&password, &[], true);
        check(&token, &["Bearer error=\"invalid_token\""], true);
        check(&token, &["Basic realm=\"x\""], false);
    }

    proptest! {
        #[test]
        fn no_line_upsets_it(lines in proptest::collection::vec("[ -~]{0,120}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let offers = offers(&lines);
            prop_assert!(offers.0.len() <= MAX_OFFERS);
            prop_assert!(offers.words().len() <= MAX_OFFERS * (MAX_SCHEME_BYTES + 2));
        }

        #[test]
        fn a_scheme_in_quotes_is_none(inside in "[a-z ,=]{0,40}") {
            let line = format!("Basic realm=\"{inside}\"");
            prop_assert_eq!(offers(&[&line]).words(), "basic");
        }
    }
}
