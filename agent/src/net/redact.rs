//! Takes secrets out of what a server said before anything of it is kept: the values of headers
//! that carry them, the account's own secrets in every form they travel in, and what stands
//! behind the usual names (`password=`, `"access_token":`). Doubtful text is hidden.

use std::collections::BTreeSet;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use mailward_catalogue::Secret;

use super::escapes::percent_encoded;

/// What stands where a secret stood.
pub const HIDDEN: &str = "[removed]";
/// Reads base64 without padding, whatever the bits left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// A secret shorter than this is only looked for as a whole word: else it would blot out text.
const SHORT_BYTES: usize = 4;
/// The most of a text that is looked at, in bytes; more is never kept.
const MAX_LOOKED_AT: usize = 16 << 10;

/// Headers whose values are never kept, in lower case.
const HEADERS: [&str; 12] = [
    "authorization",
    "proxy-authorization",
    "authentication-info",
    "cookie",
    "set-cookie",
    "set-cookie2",
    "x-ms-policykey",
    "x-owa-canary",
    "x-ms-exchange-token",
    "x-csrf-token",
    "x-auth-token",
    "x-api-key",
];

/// What a value stands behind that is never kept, in lower case; also as the end of a longer
/// name, as in `j_password`.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passwordtext",
    "pwd",
    "token",
    "secret",
    "assertion",
    "canary",
    "cookie",
    "apikey",
    "api_key",
    "sessionid",
    "signature",
    "samlresponse",
];

/// Knows what must not be kept.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Forms of secrets, in lower case where a form has no case; longest first.
    needles: Vec<Secret>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("needles", &self.needles.len()).finish()
    }
}

impl Redactor {
    /// Hides this secret from now on, also percent-encoded, quoted, or in base64.
    pub fn hide(&mut self, secret: &Secret) {
        let text = secret.expose();
        if text.is_empty() {
            return;
        }
        let known: BTreeSet<&str> = self.needles.iter().map(Secret::expose).collect();
        let fresh: Vec<String> =
            forms(text).into_iter().filter(|form| !known.contains(form.as_str())).collect();
        self.needles.extend(fresh.into_iter().map(Secret::new));
        // a form that holds another goes first, or a piece of it would stay
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
    }

    /// A header's value as it may be kept.
    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> String {
        let name = name.to_ascii_lowercase();
        let carries = HEADERS.contains(&name.as_str()) || NAMES.iter().any(|n| name.ends_with(n));
        if !carries {
            return self.text(value);
        }
        // of a cookie its name tells an operator something
        match value.split_once('=') {
            Some((cookie, _)) if name == "set-cookie" => {
                format!("{}={HIDDEN}", self.text(cookie.trim()))
            }
            _ => HIDDEN.to_owned(),
        }
    }

    /// A text as it may be kept; the end of a long one is cut off.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut text = looked_at(text).to_owned();
        for needle in &self.needles {
            text = without(&text, needle.expose());
        }
        named(&self.decoded(&text))
    }

    /// `text` without words that hold a secret once they are decoded from base64, alone or
    /// within a longer message, such as name:password.
    fn decoded(&self, text: &str) -> String {
        let needles = self.needles.iter().map(|needle| needle.expose().as_bytes());
        let needles: Vec<&[u8]> = needles.filter(|needle| needle.len() >= SHORT_BYTES).collect();
        if needles.is_empty() {
            return text.to_owned();
        }
        let gives_away = |word: &str| {
            let word: String = word
                .chars()
                .map(|c| match c {
                    '-' => '+',
                    '_' => '/',
                    c => c,
                })
                .filter(|c| *c != '=')
                .collect();
            (0..word.len().min(4)).any(|from| {
                let word = &word[from..];
                let whole = if word.len() % 4 == 1 { word.len() - 1 } else { word.len() };
                let decoded = LENIENT.decode(&word[..whole]).unwrap_or_default();
                needles.iter().any(|needle| decoded.windows(needle.len()).any(|w| w == *needle))
            })
        };
        let is_base64 =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_base64) {
            let len = rest[start..].find(|c| !is_base64(c)).unwrap_or(rest.len() - start);
            let word = &rest[start..start + len];
            out.push_str(&rest[..start]);
            out.push_str(if word.len() > SHORT_BYTES && gives_away(word) { HIDDEN } else { word });
            rest = &rest[start + len..];
        }
        out.push_str(rest);
        out
    }
}

/// As much of a text as is looked at.
pub(super) fn looked_at(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LOOKED_AT)]
}

/// The forms a secret travels in.
fn forms(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let path = percent_encoded(bytes);
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let mut forms = vec![text.to_owned(), form, path, json];
    // what pages and XML writers make of the five characters differs from one to the next
    let some = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let most = some.replace('>', "&gt;");
    for apostrophe in ["&#39;", "&#x27;", "&apos;"] {
        forms.push(some.replace('\'', apostrophe));
        forms.push(most.replace('\'', apostrophe));
    }
    forms.extend([most.replace("&quot;", "&#34;").replace('\'', "&#39;"), some, most]);
    forms
}

/// `text` without `needle`, in whatever case.
fn without(text: &str, needle: &str) -> String {
    let (low, wanted) = (text.to_ascii_lowercase(), needle.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = low[at..].find(&wanted).map(|i| at + i) {
        let end = found + wanted.len();
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let inside =
            is_word(low[..found].chars().next_back()) || is_word(low[end..].chars().next());
        out.push_str(&text[at..found]);
        if needle.len() < SHORT_BYTES && inside {
            out.push_str(&text[found..end]);
        } else {
            out.push_str(HIDDEN);
        }
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

/// `text` without what stands behind the usual names, and without bearer tokens.
fn named(text: &str) -> String {
    let low = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, end)) = next_value(&low, at) {
        out.push_str(&text[at..start]);
        if &text[start..end] != HIDDEN {
            out.push_str(HIDDEN);
        } else {
            out.push_str(&text[start..end]);
        }
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

/// Where the next value stands that must not be kept, at or after `from`.
fn next_value(low: &str, from: usize) -> Option<(usize, usize)> {
    let names = NAMES.iter().flat_map(|name| {
        low[from..]
            .match_indices(name)
            .filter_map(move |(i, _)| value_after(low, from + i + name.len()))
    });
    let schemes = ["bearer ", "basic "].iter().flat_map(|scheme| {
        low[from..].match_indices(scheme).filter_map(move |(i, _)| {
            let start = from + i + scheme.len();
            let len = low[start..].bytes().take_while(|b| is_token(*b)).count();
            // a sentence goes on with a word; a token is longer
            (len >= 12).then_some((start, start + len))
        })
    });
    // a web token says what it is by its first letters ({"alg" or {"typ" in base64)
    let tokens = low[from..].match_indices("eyj").filter_map(|(i, _)| {
        let start = from + i;
        let len = low[start..].bytes().take_while(|b| is_token(*b)).count();
        (len >= 24).then_some((start, start + len))
    });
    names.chain(schemes).chain(tokens).filter(|(start, _)| *start >= from).min()
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// The value that a name which ends at `at` is given: `name=value`, `"name":"value"`, or the
/// `value="…"` of the form field it names.
fn value_after(low: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &low[at..];
    let quoted = rest.trim_start_matches(['"', '\'']);
    let spaced = quoted.trim_start();
    let start = if let Some(value) = spaced.strip_prefix([':', '=']) {
        low.len() - value.trim_start().len()
    } else {
        // an HTML field: the value belongs to the same tag
        let tag = &spaced[..spaced.find('>')?.min(512)];
        let value = tag.find("value=")?;
        low.len() - spaced.len() + value + "value=".len()
    };
    let value = &low[start..];
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (start, value) = match quote {
        Some(_) => (start + 1, &value[1..]),
        None => (start, value),
    };
    let ends = |c: char| match quote {
        Some(quote) => c == quote || c == '\n',
        None => c.is_whitespace() || matches!(c, '&' | ';' | ',' | '<' | '>' | '"' | '\'' | '}'),
    };
    let len = value.find(ends).unwrap_or(value.len());
    (len > 0).then_some((start, start + len))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn knowing(secrets: &[&str]) -> Redactor {
        let mut redactor = Redactor::default();
        secrets.iter().for_each(|secret| redactor.hide(&Secret::new((*secret).to_owned())));
        redactor
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let redactor = knowing(&["correct horse+1", "ab"]);
        let check = |text: &str, expect: &str| assert_eq!(redactor.text(text), expect, "{text}");
        check("plainly correct horse+1!", "plainly [removed]!");
        check("CORRECT HORSE+1", "[removed]");
        check("form correct+horse%2B1&x=1", "form [removed]&x=1");
        check("path correct%20horse%2B1", "path [removed]");
        check("sent Y29ycmVjdCBob3JzZSsx.", "sent [removed].");
        check("about ab, absolutely", "about [removed], absolutely");
        check("password=hunter2&next=/owa", "password=[removed]&next=/owa");
        check(
            "{\"access_token\": \"abc.def\", \"a\": 1}",
            "{\"access_token\": \"[removed]\", \"a\": 1}",
        );
        check(
            "<input name=\"passwordText\" value=\"x y\"> more",
            "<input name=\"passwordText\" value=\"[removed]\"> more",
        );
        check(
            "<input type=\"password\" name=\"p\"> value=2",
            "<input type=\"password\" name=\"p\"> value=2",
        );
        check("Wrong password. Try again.", "Wrong password. Try again.");
        check("Authorization: Bearer eyJhbGciOi.eyJzdWIi.c2ln", "Authorization: Bearer [removed]");
        check("bearer of bad news", "bearer of bad news");
        check("id eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x end", "id [removed] end");
    }

    #[test]
    fn headers_that_carry_secrets() {
        let redactor = knowing(&["hunter22"]);
        let check = |name: &str, value: &str, expect: &str| {
            assert_eq!(redactor.header(name, value), expect, "{name}");
        };
        check("Set-Cookie", "cadata=abc; path=/; secure", "cadata=[removed]");
        check("Authorization", "Basic abc", "[removed]");
        check("X-MS-PolicyKey", "1234", "[removed]");
        check("X-Some-Token", "1234", "[removed]");
        check("Location", "/x?user=a&password=hunter22", "/x?user=a&password=[removed]");
        check("Server", "Microsoft-IIS/10.0", "Microsoft-IIS/10.0");
    }

    proptest! {
        /// However a password is sent along, nothing that is kept of an echo gives it back.
        #[test]
        fn an_echo_gives_no_password_back(
            name in "[a-z@.]{0,12}",
            password in "[!-~]{6,20}",
            before in "[ -~]{0,20}",
        ) {
            let redactor = knowing(&[password.as_str()]);
            let messages = [
                format!("{before}{password}"),
                format!("{before} {}", STANDARD.encode(&password)),
                format!("{before} {}", percent_encoded(password.as_bytes())),
            ];
            for message in messages {
                let kept = redactor.text(&message);
                prop_assert!(!kept.to_ascii_lowercase().contains(&password.to_ascii_lowercase()));
                prop_assert!(!kept.contains(&STANDARD.encode(&password)));
            }
            for joined in [format!("\0{name}\0{password}"), format!("{name}:{password}")] {
                let sent = STANDARD.encode(&joined);
                let kept = redactor.text(&format!("AUTH PLAIN {sent}"));
                prop_assert!(!kept.contains(&sent), "{}", kept);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,400}", name in ".{0,20}", secret in ".{1,9}") {
            let redactor = knowing(&[secret.as_str()]);
            let _ = redactor.header(&name, &text);
            let once = redactor.text(&text);
            let _ = redactor.text(&once);
        }
    }
}
