//! Authentication-Results headers (RFC 8601): what a receiving server says of SPF, DKIM, DMARC
//! and ARC, believed only under the authserv-id that the definition trusts. Results computed on a
//! sink are `sink`'s.

use mail_parser::Message;
use mailward_evidence::record::Pairs;

/// The methods that are told.
const METHODS: [&str; 4] = ["spf", "dkim", "dmarc", "arc"];
/// The most of one header that is read, and the most headers.
const MAX_BYTES: usize = 8 << 10;
const MAX_HEADERS: usize = 20;

/// Notes the results under the trusted authserv-id as facts `spf`, `dkim`, `dmarc` and `arc`.
/// The newest header that names a method decides; of several results for it, a pass.
pub fn note(message: &Message<'_>, trusted: &str, facts: &mut Pairs<Box<str>>) {
    let headers = message
        .headers_raw()
        .filter(|(name, _)| name.eq_ignore_ascii_case("Authentication-Results"));
    let mut told: Vec<(String, String)> = Vec::new();
    for (_, value) in headers.take(MAX_HEADERS) {
        let Some((id, results)) = read(value) else { continue };
        if !id.eq_ignore_ascii_case(trusted) {
            continue;
        }
        for method in METHODS {
            let mut of_method = results.iter().filter(|(name, _)| name == method);
            let Some(first) = of_method.next() else { continue };
            let pass = of_method.find(|(_, result)| result == "pass").unwrap_or(first);
            if !told.iter().any(|(name, _)| name == method) {
                told.push(pass.clone());
            }
        }
    }
    for (method, result) in told {
        facts.set(&method, result.into());
    }
}

/// The authserv-id of a header and its results, method and result each in lower case; `None`
/// where it is none.
#[must_use]
pub fn read(value: &str) -> Option<(String, Vec<(String, String)>)> {
    let cut = value.len().min(MAX_BYTES);
    let value = without_comments(value.get(..cut).unwrap_or_default());
    let mut parts = value.split(';');
    // an authserv-id, perhaps with a version
    let mut head = parts.next()?.split_ascii_whitespace();
    let id = head.next()?.trim_matches('"').to_owned();
    if id.is_empty() || id.contains('=') {
        return None;
    }
    let results = parts.filter_map(|part| {
        let first = part.trim_start();
        let (method, rest) = first.split_once('=')?;
        let method = method.split('/').next().unwrap_or("").trim().to_ascii_lowercase();
        let result = rest.split_ascii_whitespace().next()?.to_ascii_lowercase();
        let is_word = |text: &str| {
            (1..=40).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        (is_word(&method) && is_word(&result)).then_some((method, result))
    });
    Some((id, results.collect()))
}

/// The text without `(comments)`, which may be nested (RFC 5322 section 3.2.2), and without
/// what stands in quotes, which may hold a semicolon.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
    for c in text.chars() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => {
                quoted = !quoted;
                out.push('"');
            }
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                out.push(' ');
            }
            ';' if quoted => {}
            _ if depth > 0 => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_as_servers_write_them() {
        let check = |value: &str, expect: Option<(&str, &[(&str, &str)])>| {
            let got = read(value);
            let got = got.as_ref().map(|(id, results)| {
                let results: Vec<_> =
                    results.iter().map(|(m, r)| (m.as_str(), r.as_str())).collect();
                (id.as_str(), results)
            });
            assert_eq!(got, expect.map(|(id, results)| (id, results.to_vec())), "{value}");
        };
        check(
            "mx.example.org; spf=pass (sender ok; really) smtp.mailfrom=a@b.test;\r\n dkim=fail \
             reason=\"bad; signature\" header.d=b.test; dmarc=none",
            Some(("mx.example.org", &[("spf", "pass"), ("dkim", "fail"), ("dmarc", "none")])),
        );
        check("mx 1; none", Some(("mx", &[])));
        check("mx; dkim/1=PASS", Some(("mx", &[("dkim", "pass")])));
        check("mx; spf=pass (a (nested \\) one)) x=y", Some(("mx", &[("spf", "pass")])));
        check("spf=pass; dkim=pass", None);
        check("", None);
    }

    #[test]
    fn only_the_trusted_server_is_believed() {
        let text = "Authentication-Results: mx.ours; dkim=fail; dkim=pass; spf=softfail\r\n\
                    Authentication-Results: mx.evil; dmarc=pass; spf=pass\r\n\
                    Authentication-Results: MX.ours; arc=pass; spf=pass\r\nSubject: x\r\n\r\nx";
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        let mut facts = Pairs::default();
        note(&message, "mx.ours", &mut facts);
        let facts: Vec<_> = facts.iter().map(|(name, fact)| (name, &**fact)).collect();
        assert_eq!(facts, [("arc", "pass"), ("dkim", "pass"), ("spf", "softfail")]);
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in any::<String>(), ascii in "[a-z=;()\\\\\" ]{0,200}") {
            let _ = read(&text);
            let _ = read(&ascii);
        }
    }
}
