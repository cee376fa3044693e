//! The grammar of SPF records (RFC 7208 sections 4.5, 5, 6, 7 and 12). Evaluating one against an
//! address needs a message and is left to receivers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::MAX_RECORD_BYTES;

/// What a directive says of those it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `+`: may send.
    Pass,
    /// `-`: may not.
    Fail,
    /// `~`: probably may not.
    SoftFail,
    /// `?`: nothing is said.
    Neutral,
}

/// Whom a directive matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Those whom another domain's record passes.
    Include(String),
    /// Addresses of a name, each with these prefix lengths; the domain itself where `None`.
    A(Option<String>, u8, u8),
    /// Addresses of a name's mail servers, likewise.
    Mx(Option<String>, u8, u8),
    /// Those whose reverse name lies below; it is not to be published any more (section 5.5).
    Ptr(Option<String>),
    /// A range.
    Range(IpAddr, u8),
    /// Those for whom a name exists.
    Exists(String),
}

/// A directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// What it says.
    pub qualifier: Qualifier,
    /// Of whom.
    pub mechanism: Mechanism,
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its directives, in order.
    pub directives: Vec<Directive>,
    /// Whose record holds where none of them matches.
    pub redirect: Option<String>,
}

impl Record {
    /// What it says of everybody, where it does.
    #[must_use]
    pub fn all(&self) -> Option<Qualifier> {
        let all = self.directives.iter().find(|d| d.mechanism == Mechanism::All);
        all.map(|directive| directive.qualifier)
    }

    /// Directives that can matter: none after `all` is looked at (section 5.1).
    pub fn effective(&self) -> impl Iterator<Item = &Directive> {
        let end = self.directives.iter().position(|d| d.mechanism == Mechanism::All);
        self.directives.iter().take(end.map_or(usize::MAX, |at| at + 1))
    }
}

/// Whether a TXT record is an SPF record at all (section 4.5).
#[must_use]
pub fn is_spf(text: &str) -> bool {
    let head = text.as_bytes().get(..6);
    head.is_some_and(|head| head.eq_ignore_ascii_case(b"v=spf1"))
        && matches!(text.as_bytes().get(6), None | Some(b' '))
}

/// Reads a record.
///
/// # Errors
/// A sentence on the first term that is not in order.
pub fn parse(text: &str) -> Result<Record, String> {
    if !is_spf(text) {
        return Err("expected v=spf1".to_owned());
    }
    if text.len() > MAX_RECORD_BYTES {
        return Err(format!("expected at most {MAX_RECORD_BYTES} bytes"));
    }
    let mut record = Record::default();
    let mut explained = false;
    for term in text[6..].split(' ').filter(|term| !term.is_empty()) {
        if let Some(bad) = term.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!("{term:?}: expected visible ASCII, got {bad:?}"));
        }
        let of_term = |problem: String| format!("{term}: {problem}");
        let Some((name, value)) = modifier(term) else {
            record.directives.push(directive(term).map_err(of_term)?);
            continue;
        };
        domain_spec(value, name == "exp" || name == "redirect").map_err(of_term)?;
        match name.as_str() {
            "redirect" if record.redirect.is_some() => {
                return Err(of_term("redirect stands twice".to_owned()));
            }
            "redirect" => record.redirect = Some(value.to_owned()),
            "exp" if explained => return Err(of_term("exp stands twice".to_owned())),
            "exp" => explained = true,
            // unknown modifiers are ignored (section 6)
            _ => {}
        }
    }
    Ok(record)
}

/// `name=value` with a name as modifiers have it: a letter, then letters, digits, `-_.`.
fn modifier(term: &str) -> Option<(String, &str)> {
    let at = term.find(['=', ':', '/'])?;
    let (name, value) = (&term[..at], &term[at..]);
    let value = value.strip_prefix('=')?;
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (first && rest).then(|| (name.to_ascii_lowercase(), value))
}

fn directive(term: &str) -> Result<Directive, String> {
    let (qualifier, rest) = match term.as_bytes().first() {
        Some(b'+') => (Qualifier::Pass, &term[1..]),
        Some(b'-') => (Qualifier::Fail, &term[1..]),
        Some(b'~') => (Qualifier::SoftFail, &term[1..]),
        Some(b'?') => (Qualifier::Neutral, &term[1..]),
        _ => (Qualifier::Pass, term),
    };
    let at = rest.find([':', '/']).unwrap_or(rest.len());
    let (name, rest) = (rest[..at].to_ascii_lowercase(), &rest[at..]);
    let mechanism = match name.as_str() {
        "all" if rest.is_empty() => Mechanism::All,
        "all" => return Err("expected nothing after all".to_owned()),
        "include" => Mechanism::Include(needed(rest)?),
        "exists" => Mechanism::Exists(needed(rest)?),
        "ptr" if rest.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(needed(rest)?)),
        "a" | "mx" => {
            let (domain, v4, v6) = with_prefixes(rest)?;
            if name == "a" { Mechanism::A(domain, v4, v6) } else { Mechanism::Mx(domain, v4, v6) }
        }
        "ip4" => range::<Ipv4Addr>(rest, 32)?,
        "ip6" => range::<Ipv6Addr>(rest, 128)?,
        _ => return Err("is no mechanism of SPF".to_owned()),
    };
    Ok(Directive { qualifier, mechanism })
}

fn needed(rest: &str) -> Result<String, String> {
    let domain = rest.strip_prefix(':').ok_or("expected a domain after a colon")?;
    domain_spec(domain, true)?;
    Ok(domain.to_owned())
}

/// `[:domain][/v4][//v6]`
fn with_prefixes(rest: &str) -> Result<(Option<String>, u8, u8), String> {
    let at = prefixes_at(rest);
    let (domain, prefixes) = (&rest[..at], &rest[at..]);
    let domain = match domain {
        "" => None,
        some => Some(needed(some)?),
    };
    let (v4, v6) = match prefixes.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (prefixes, None),
    };
    let v4 = match v4.strip_prefix('/') {
        Some(length) => prefix(length, 32)?,
        None if v4.is_empty() => 32,
        None => return Err(format!("expected a prefix length, got {v4:?}")),
    };
    let v6 = v6.map_or(Ok(128), |length| prefix(length, 128))?;
    Ok((domain, v4, v6))
}

/// Where the prefix lengths begin. A macro may hold a `/` as its delimiter, so braces are
/// stepped over.
fn prefixes_at(rest: &str) -> usize {
    let mut inside = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'{' => inside = true,
            b'}' => inside = false,
            b'/' if !inside => return at,
            _ => {}
        }
    }
    rest.len()
}

fn prefix(text: &str, most: u8) -> Result<u8, String> {
    let plain = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let length = text.parse().ok().filter(|n| plain && *n <= most);
    length.ok_or_else(|| format!("expected a prefix length up to {most}, got {text:?}"))
}

fn range<A: std::str::FromStr + Into<IpAddr>>(rest: &str, most: u8) -> Result<Mechanism, String> {
    let given = rest.strip_prefix(':').ok_or("expected an address after a colon")?;
    let (address, length) = match given.split_once('/') {
        Some((address, length)) => (address, prefix(length, most)?),
        None => (given, most),
    };
    let address: A = address
        .parse()
        .map_err(|_| format!("expected an IPv{} address", if most == 32 { 4 } else { 6 }))?;
    Ok(Mechanism::Range(address.into(), length))
}

/// Whether a domain has macros, which only a message can fill in (section 7).
#[must_use]
pub fn has_macros(domain: &str) -> bool {
    domain.contains('%')
}

/// Checks `domain-spec` (section 7.1); other modifiers hold any macro string.
fn domain_spec(text: &str, domain: bool) -> Result<(), String> {
    let mut bytes = text.bytes();
    let mut ends_in_macro = false;
    while let Some(byte) = bytes.next() {
        ends_in_macro = false;
        if byte != b'%' {
            continue;
        }
        match bytes.next() {
            Some(b'%' | b'_' | b'-') => {}
            Some(b'{') => {
                let name: Vec<u8> = bytes.by_ref().take_while(|b| *b != b'}').collect();
                macro_name(&name)?;
                ends_in_macro = true;
            }
            _ => return Err("expected %%, %_, %- or %{…} after %".to_owned()),
        }
    }
    if !domain || ends_in_macro {
        return Ok(());
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or_default();
    let has_letter = last.bytes().any(|b| b.is_ascii_alphabetic());
    let plain = last.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name.contains('.') || !has_letter || !plain || last.starts_with('-') || last.ends_with('-')
    {
        return Err(format!("expected a domain name, got {text:?}"));
    }
    Ok(())
}

/// `{` letter, digits, `r`, delimiters `}`
fn macro_name(name: &[u8]) -> Result<(), String> {
    let wrong = || format!("%{{{}}} is no macro", String::from_utf8_lossy(name));
    let (letter, rest) = name.split_first().ok_or_else(wrong)?;
    if !b"slodiphcrtv".contains(&letter.to_ascii_lowercase()) {
        return Err(wrong());
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &rest[digits..];
    let rest = match rest.first() {
        Some(b'r' | b'R') => &rest[1..],
        _ => rest,
    };
    if digits > 3 || !rest.iter().all(|b| b".-+,/_=".contains(b)) {
        return Err(wrong());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_in_order() {
        let check = |text: &str, directives: usize, redirect: Option<&str>| {
            let record = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert_eq!(record.directives.len(), directives, "{text}");
            assert_eq!(record.redirect.as_deref(), redirect, "{text}");
        };
        check("v=spf1", 0, None);
        check("V=SPF1 -ALL", 1, None);
        check("v=spf1  +mx a:colo.example.com/28  -all ", 3, None);
        check("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all", 3, None);
        check("v=spf1 a/24//64 mx:example.org//64 a:x.example.org/0 ?all", 4, None);
        check("v=spf1 redirect=_spf.example.com", 0, Some("_spf.example.com"));
        check(
            "v=spf1 include:%{d2}._spf.example.com exists:%{ir}.%{v}.arpa._x.example.com -all",
            3,
            None,
        );
        check("v=spf1 exists:%{l1r+-}.example.%{d} exp=why.%{d} x-new=any%_thing -all", 2, None);
        check("v=spf1 a:%{d1/}/24 -all", 2, None);
        check("v=spf1 include:_spf.example.com. -all", 2, None);
        assert_eq!(parse("v=spf1 mx").unwrap().all(), None);
        let shadowed = parse("v=spf1 a -all include:example.org").unwrap();
        assert_eq!((shadowed.effective().count(), shadowed.all()), (2, Some(Qualifier::Fail)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let check = |text: &str, expect: &str| {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(expect), "{text}: {problem}");
        };
        check("v=spf10 -all", "expected v=spf1");
        check("v=spf1 ipv4:192.0.2.1 -all", "ipv4:192.0.2.1: is no mechanism");
        check("v=spf1 ip4:192.0.2 -all", "expected an IPv4 address");
        check("v=spf1 ip4:192.0.2.1/33 -all", "prefix length up to 32");
        check("v=spf1 ip4:192.0.2.1/024 -all", "prefix length up to 32");
        check("v=spf1 ip6:192.0.2.1 -all", "expected an IPv6 address");
        check("v=spf1 ip4 -all", "after a colon");
        check("v=spf1 include -all", "expected a domain");
        check("v=spf1 include: -all", "expected a domain name");
        check("v=spf1 include:localhost -all", "expected a domain name");
        check("v=spf1 a:192.0.2.1 -all", "expected a domain name");
        check("v=spf1 all:example.org", "nothing after all");
        check("v=spf1 exists:%{z}.example.org -all", "is no macro");
        check("v=spf1 exists:%x.example.org -all", "after %");
        check("v=spf1 redirect=a.example redirect=b.example", "twice");
        check("v=spf1 -all; mx", "is no mechanism");
        check("v=spf1 \u{e4}ll", "visible ASCII");
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in "\\PC{0,200}", head in any::<bool>()) {
            let text = if head { format!("v=spf1 {text}") } else { text };
            if let Ok(record) = parse(&text) {
                prop_assert!(record.directives.len() <= text.len());
            }
        }

        #[test]
        fn nor_do_its_own_letters(text in "(v=spf1)?[ +?~:/%{}a-z0-9._=-]{0,120}") {
            let _ = parse(&text);
        }

        /// A well-kept reader of the same records takes what ours takes.
        #[test]
        fn a_second_reader_agrees(
            terms in proptest::collection::vec(
                prop_oneof![
                    "[+?~-]?ip4:192\\.0\\.2\\.[1-9][0-9]?(/(8|16|24|32))?",
                    "[+?~-]?ip6:2001:db8::[0-9a-f]{1,4}(/(32|64|128))?",
                    "[+?~-]?(a|mx)(:[a-z]{1,8}\\.example)?(/24)?",
                    "[+?~-]?include:[a-z]{1,8}\\.example",
                    "[+?~-]?exists:%\\{i\\}\\.[a-z]{1,8}\\.example",
                ],
                0..6,
            )
        ) {
            use mail_auth::common::parse::TxtRecordParser;
            let text = format!("v=spf1 {} -all", terms.join(" "));
            prop_assert!(parse(&text).is_ok(), "{text}");
            prop_assert!(mail_auth::spf::Spf::parse(text.as_bytes()).is_ok(), "{text}");
        }
    }
}
