//! What is known of well-known blocklists, as of [`AS_OF`]: who runs them, what their codes mean,
//! how to get off them, and which ones are dead. Whether a list is up today is the probe's.

use std::net::Ipv4Addr;

mod table;

pub use table::{AS_OF, KNOWN};

/// A list that is well known.
#[derive(Clone, Copy, Debug)]
pub struct Blocklist {
    /// Its zone.
    pub zone: &'static str,
    /// Who runs it.
    pub operator: &'static str,
    /// What it lists.
    pub lists: &'static str,
    /// What its codes mean.
    pub codes: &'static [Code],
    /// Where its policy stands.
    pub policy: &'static str,
    /// Where to look an address up and ask for its removal; empty where nobody can.
    pub removal: &'static str,
    /// For lists of domains: a domain that is always listed, where that is not `test`
    /// (RFC 5782 section 5).
    pub test_domain: Option<&'static str>,
    /// Since when it is dead, and how it ended; `None` while it is alive.
    pub ended: Option<End>,
}

/// What a range of return codes means. Both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The first.
    pub first: [u8; 4],
    /// The last.
    pub last: [u8; 4],
    /// In plain words.
    pub means: &'static str,
}

/// How a list ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// When, as exactly as it is known.
    pub when: &'static str,
    /// What became of it.
    pub how: &'static str,
}

impl Blocklist {
    /// What `code` means on this list, where that is known.
    #[must_use]
    pub fn meaning(&self, code: Ipv4Addr) -> Option<&'static str> {
        let code = code.octets();
        let found = self.codes.iter().find(|known| (known.first..=known.last).contains(&code));
        found.map(|known| known.means)
    }
}

/// The well-known list of this zone. A customer's key before the zone does not matter
/// (`KEY.zen.dq.spamhaus.net`), nor do case and a final dot.
#[must_use]
pub fn find(zone: &str) -> Option<&'static Blocklist> {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    let keyless = without_key(&zone);
    let of = |name: &str| KNOWN.iter().find(|known| known.zone == name);
    of(keyless).or_else(|| {
        let public = keyless.strip_suffix(".dq.spamhaus.net")?;
        of(&format!("{public}.spamhaus.org"))
    })
}

/// Providers that put a customer's key before the list's name.
const KEYED: &[&str] = &[".dq.spamhaus.net", ".mail.abusix.zone"];

/// The zone without a customer's key, which is a secret: as evidence and metrics show it.
#[must_use]
pub fn without_key(zone: &str) -> &str {
    for suffix in KEYED {
        if let Some(before) = zone.strip_suffix(suffix)
            && let Some(dot) = before.rfind('.')
        {
            return &zone[dot + 1..];
        }
    }
    zone
}

/// What a listing's codes (as evidence has them: `127.0.0.2,127.0.0.4`) mean, and where to go.
#[must_use]
pub fn explain(zone: &str, codes: &str) -> Option<(String, &'static str)> {
    let known = find(zone)?;
    let mut means: Vec<&str> = Vec::new();
    for code in codes.split(',').filter_map(|code| code.trim().parse().ok()) {
        if let Some(meaning) = known.meaning(code)
            && !means.contains(&meaning)
        {
            means.push(meaning);
        }
    }
    let means = if means.is_empty() { known.lists.to_owned() } else { means.join("; ") };
    Some((means, known.removal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_found_however_it_is_written() {
        let check = |zone: &str, expect: Option<&str>| {
            assert_eq!(find(zone).map(|known| known.zone), expect, "{zone}");
        };
        check("zen.spamhaus.org", Some("zen.spamhaus.org"));
        check("ZEN.spamhaus.org.", Some("zen.spamhaus.org"));
        check("abcdef.zen.dq.spamhaus.net", Some("zen.spamhaus.org"));
        check("zen.dq.spamhaus.net", Some("zen.spamhaus.org"));
        check("bl.example.org", None);
        check("dnsbl.sorbs.net", Some("dnsbl.sorbs.net"));
    }

    #[test]
    fn a_customers_key_is_not_shown() {
        let check = |zone: &str, expect: &str| assert_eq!(without_key(zone), expect);
        check("abcdef.zen.dq.spamhaus.net", "zen.dq.spamhaus.net");
        check("abcdef.combined.mail.abusix.zone", "combined.mail.abusix.zone");
        check("zen.dq.spamhaus.net", "zen.dq.spamhaus.net");
        check("zen.spamhaus.org", "zen.spamhaus.org");
    }

    #[test]
    fn codes_are_told_in_words() {
        let told = |zone: &str, codes: &str| explain(zone, codes).map(|(means, _)| means);
        let zen = told("zen.spamhaus.org", "127.0.0.2,127.0.0.4,127.0.0.4").unwrap();
        assert_eq!(zen, "SBL: sends or supports spam; XBL: infected or misused machine");
        assert_eq!(told("bl.example.org", "127.0.0.2"), None);
        // a code that is not in the table still says what the list is
        assert!(told("zen.spamhaus.org", "127.0.0.200").unwrap().contains("addresses"));
    }

    #[test]
    fn the_table_is_in_order() {
        for (at, known) in KNOWN.iter().enumerate() {
            let zone = known.zone;
            assert!(!zone.ends_with('.') && *zone == zone.to_ascii_lowercase(), "{zone}");
            assert!(KNOWN.iter().skip(at + 1).all(|other| other.zone != zone), "{zone} twice");
            for code in known.codes {
                assert!(code.first <= code.last && code.first[0] == 127, "{zone}: {code:?}");
            }
            if known.ended.is_none() {
                let page = |url: &str| url.starts_with("https://");
                assert!(page(known.policy), "{zone}: {}", known.policy);
                assert!(known.removal.is_empty() || page(known.removal), "{zone}");
                assert!(!known.codes.is_empty(), "{zone}: what do its codes mean");
            }
        }
        assert!(AS_OF.parse::<jiff::civil::Date>().is_ok());
    }
}
