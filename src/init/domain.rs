//! Reads the domain a person gave: as it stands, in letters of any script, or inside an address.

use std::net::IpAddr;

/// A domain, and what was made of what was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// As the DNS has it: lower case, A-labels (RFC 5890), without the final dot.
    pub(crate) domain: String,
    /// What is to be said of how it was read.
    pub(crate) note: Option<String>,
}

/// Reads a domain.
///
/// # Errors
/// A sentence, when it is none.
pub(crate) fn read(text: &str) -> Result<Given, String> {
    const FORM: &str = "expected a domain such as example.org";
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{FORM}, got nothing"));
    }
    let shown = || format!("{:?}", text.chars().take(60).collect::<String>());
    let (name, from) = match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((_, rest)), _) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            (host.split(':').next().unwrap_or_default(), Some("URL"))
        }
        (None, Some((_, domain))) => (domain, Some("mail address")),
        (None, None) => (text, None),
    };
    let name = name.trim_end_matches('.');
    let is_address = |name: &str| name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_address(name) || name.starts_with('[') {
        return Err(format!("{FORM}, got the address {}", shown()));
    }
    let odd = |c: char| c.is_control() || c.is_whitespace() || "/\\?#@:%<>\"'".contains(c);
    if name.is_empty() || name.len() > 1000 || name.contains(odd) {
        return Err(format!("{FORM}, got {}", shown()));
    }
    // the library that fetches web pages knows how letters become A-labels (UTS 46)
    let url = reqwest::Url::parse(&format!("http://{name}/"));
    let domain = url.ok().and_then(|url| url.host_str().map(str::to_owned));
    let domain = domain.filter(|domain| !is_address(domain) && is_name(domain));
    let Some(domain) = domain else {
        return Err(format!("{FORM}, got {}", shown()));
    };
    let note = match from {
        Some(from) => Some(format!("taking {domain} out of the {from}")),
        None if !name.is_ascii() => Some(format!("{name} is {domain} in the DNS")),
        None => None,
    };
    Ok(Given { domain, note })
}

/// RFC 1035 section 2.3.4, and the letters of host names (RFC 952) with `_`.
fn is_name(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // room for the longest name that is asked for below it
    domain.len() <= 200 && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_as_people_give_them() {
        let check = |text: &str, domain: &str, note: Option<&str>| {
            let expect = Given { domain: domain.to_owned(), note: note.map(str::to_owned) };
            assert_eq!(read(text), Ok(expect), "{text}");
        };
        check("example.org", "example.org", None);
        check(" Example.ORG. ", "example.org", None);
        check("münchen.example", "xn--mnchen-3ya.example", {
            Some("münchen.example is xn--mnchen-3ya.example in the DNS")
        });
        check("pat@mail.example.org", "mail.example.org", {
            Some("taking mail.example.org out of the mail address")
        });
        check("https://www.example.org:8443/owa/?a=b", "www.example.org", {
            Some("taking www.example.org out of the URL")
        });
    }

    #[test]
    fn what_is_no_domain() {
        let check = |text: &str, expect: &str| {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("expected a domain such as example.org"), "{error}");
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("", "got nothing");
        check("   ", "got nothing");
        check("192.0.2.1", "got the address");
        check("[2001:db8::1]", "got the address");
        check("2130706433", "got \"2130706433\"");
        check("a b.example", "got");
        check("example..org", "got");
        check("-x.example", "got");
        check("pat@", "got");
        check("\u{1b}[2Jexample.org", "\\u{1b}");
        check(&"a".repeat(64), "got");
        check(&"a.".repeat(300), "got");
    }
}
