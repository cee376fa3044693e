//! The lab's blocklists (RFC 5782): two that work, one of domains, and one for each way in
//! which a real list has been seen to go wrong. Their names are constants of this module.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use super::{Answer, Datum, Question, TYPE_A, TYPE_TXT};
use crate::LabError;
use crate::fault::Rcode;

/// Works as RFC 5782 §5 asks, for IPv4 and IPv6.
pub const BLOCKLIST: &str = "bl.lists.test";
/// Works as well.
pub const SECOND: &str = "second.lists.test";
/// A list of domains; answers 127.0.1.255 when asked for an address, as Spamhaus DBL does.
pub const DOMAINS: &str = "domains.lists.test";
/// Lists everything, as AHBL did from January 2015 on.
pub const WILDCARDED: &str = "wild.lists.test";
/// Its domain was sold: answers 203.0.113.80 to everything, as SpamCop's did on 30 January 2021.
pub const PARKED: &str = "parked.lists.test";
/// Emptied: lists nothing, not even its test point, as SORBS since June 2024.
pub const DEAD: &str = "dead.lists.test";
/// Answers 127.255.255.252, "wrong zone" (Spamhaus).
pub const WRONG_ZONE: &str = "wrong-zone.lists.test";
/// Answers 127.255.255.254, "public resolver" (Spamhaus).
pub const PUBLIC_RESOLVER: &str = "public-resolver.lists.test";
/// Answers 127.255.255.255, "too many queries" (Spamhaus).
pub const VOLUME: &str = "volume.lists.test";
/// Answers SERVFAIL.
pub const FAILING: &str = "failing.lists.test";
/// Answers REFUSED.
pub const REFUSING: &str = "refusing.lists.test";
/// Never answers.
pub const SILENT: &str = "silent.lists.test";

/// Every list.
pub const ALL: [&str; 12] = [
    BLOCKLIST,
    SECOND,
    DOMAINS,
    WILDCARDED,
    PARKED,
    DEAD,
    WRONG_ZONE,
    PUBLIC_RESOLVER,
    VOLUME,
    FAILING,
    REFUSING,
    SILENT,
];

/// The most that can be listed at a time, in all.
const MAX_LISTINGS: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Address(IpAddr),
    Domain(String),
}

#[derive(Debug)]
struct Entry {
    code: Ipv4Addr,
    reason: String,
}

/// What is on the lists now.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    entries: Mutex<BTreeMap<(&'static str, Subject), Entry>>,
}

impl Listings {
    pub(crate) fn put(
        &self,
        subject: &str,
        list: &str,
        code: Ipv4Addr,
        reason: &str,
    ) -> Result<(), LabError> {
        let refused = || LabError::Listing { subject: subject.to_owned(), list: list.to_owned() };
        let zone = zone_named(list).ok_or_else(refused)?;
        let key = (zone, Subject::parse(subject).ok_or_else(refused)?);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_LISTINGS && !entries.contains_key(&key) {
            return Err(refused());
        }
        entries.insert(key, Entry { code, reason: reason.to_owned() });
        Ok(())
    }

    pub(crate) fn remove(&self, subject: &str, list: &str) {
        if let (Some(zone), Some(subject)) = (zone_named(list), Subject::parse(subject)) {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.remove(&(zone, subject));
        }
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The answer for a name in one of the lists; `None` for a name elsewhere.
    pub(super) fn answer(&self, question: &Question) -> Option<Answer> {
        let name = question.name();
        let zone =
            ALL.into_iter().find(|zone| name == *zone || name.ends_with(&format!(".{zone}")))?;
        let labels = &question.labels[..question.labels.len() - zone.split('.').count()];
        Some(match zone {
            FAILING => Answer::Code(Rcode::ServFail),
            REFUSING => Answer::Code(Rcode::Refused),
            SILENT => Answer::Silence,
            // the zone itself is there and has no address
            _ if labels.is_empty() => Answer::Records(Vec::new()),
            WILDCARDED => listed(question, Ipv4Addr::new(127, 0, 0, 2), "this list is closed"),
            PARKED => listed(question, Ipv4Addr::new(203, 0, 113, 80), "this domain is for sale"),
            DEAD => Answer::NxDomain,
            WRONG_ZONE => listed(question, error_code(252), "wrong zone"),
            PUBLIC_RESOLVER => listed(question, error_code(254), "asked by a public resolver"),
            VOLUME => listed(question, error_code(255), "too many queries"),
            _ => self.look_up(question, zone, &Subject::asked(labels)),
        })
    }

    fn look_up(&self, question: &Question, zone: &'static str, subject: &Subject) -> Answer {
        if let Some((code, reason)) = constant_entry(zone, subject) {
            return listed(question, code, reason);
        }
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match entries.get(&(zone, subject.clone())) {
            Some(entry) => listed(question, entry.code, &entry.reason),
            None => Answer::NxDomain,
        }
    }
}

/// Test points (RFC 5782 §5): 127.0.0.2 and ::FFFF:7F00:2 are listed, 127.0.0.1 and
/// ::FFFF:7F00:1 are not; of domains TEST is and INVALID is not.
fn constant_entry(zone: &str, subject: &Subject) -> Option<(Ipv4Addr, &'static str)> {
    match (zone == DOMAINS, subject) {
        (true, Subject::Address(_)) => {
            Some((Ipv4Addr::new(127, 0, 1, 255), "addresses are not asked for here"))
        }
        (true, Subject::Domain(domain)) if domain == "test" => {
            Some((Ipv4Addr::new(127, 0, 1, 2), "test point"))
        }
        (false, Subject::Address(address)) if is_test_point(*address) => {
            Some((Ipv4Addr::new(127, 0, 0, 2), "test point"))
        }
        _ => None,
    }
}

fn is_test_point(address: IpAddr) -> bool {
    let point = Ipv4Addr::new(127, 0, 0, 2);
    match address {
        IpAddr::V4(v4) => v4 == point,
        IpAddr::V6(v6) => v6 == point.to_ipv6_mapped(),
    }
}

const fn error_code(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 255, 255, last)
}

fn listed(question: &Question, code: Ipv4Addr, reason: &str) -> Answer {
    let mut records = Vec::new();
    if question.wants(TYPE_A) {
        records.push(Datum::A(code));
    }
    if question.wants(TYPE_TXT) {
        records.push(Datum::Txt(reason.to_owned()));
    }
    Answer::Records(records)
}

fn zone_named(list: &str) -> Option<&'static str> {
    ALL.into_iter().find(|zone| zone.eq_ignore_ascii_case(list))
}

impl Subject {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        let is_domain = !text.is_empty()
            && text.len() <= super::MAX_NAME_BYTES
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        is_domain.then(|| Self::Domain(text.to_ascii_lowercase()))
    }

    /// What the labels in front of a list's name ask for: reversed octets (RFC 5782 §2.1),
    /// reversed nibbles (§2.4) or a domain (§2.2).
    fn asked(labels: &[String]) -> Self {
        Self::octets(labels)
            .or_else(|| Self::nibbles(labels))
            .unwrap_or_else(|| Self::Domain(labels.join(".")))
    }

    fn octets(labels: &[String]) -> Option<Self> {
        let [d, c, b, a] = labels else { return None };
        let octet = |label: &String| label.parse::<u8>().ok();
        let address = Ipv4Addr::new(octet(a)?, octet(b)?, octet(c)?, octet(d)?);
        Some(Self::Address(address.into()))
    }

    fn nibbles(labels: &[String]) -> Option<Self> {
        if labels.len() != 32 {
            return None;
        }
        let mut bits: u128 = 0;
        for label in labels.iter().rev() {
            let [digit] = label.as_bytes() else {
                return None;
            };
            bits = bits << 4 | u128::from(char::from(*digit).to_digit(16)?);
        }
        Some(Self::Address(Ipv6Addr::from_bits(bits).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::question;
    use super::*;

    fn ask(listings: &Listings, name: &str) -> Answer {
        listings.answer(&question(name, TYPE_A)).expect("one of the lab's lists")
    }

    fn a(code: [u8; 4]) -> Answer {
        Answer::Records(vec![Datum::A(code.into())])
    }

    const POINT_6: &str = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";

    #[test]
    fn test_points_are_as_rfc_5782_has_them() {
        let lists = Listings::default();
        let check = |name: &str, expect: Answer| assert_eq!(ask(&lists, name), expect, "{name}");
        check("2.0.0.127.bl.lists.test", a([127, 0, 0, 2]));
        check("1.0.0.127.bl.lists.test", Answer::NxDomain);
        check(&format!("{POINT_6}.bl.lists.test"), a([127, 0, 0, 2]));
        check(&format!("1{}.bl.lists.test", &POINT_6[1..]), Answer::NxDomain);
        check("test.domains.lists.test", a([127, 0, 1, 2]));
        check("invalid.domains.lists.test", Answer::NxDomain);
        check("2.0.0.127.domains.lists.test", a([127, 0, 1, 255]));
        check("bl.lists.test", Answer::Records(Vec::new()));
    }

    #[test]
    fn each_broken_list_is_broken_in_its_own_way() {
        let lists = Listings::default();
        let check = |list: &str, expect: Answer| {
            for point in ["1.0.0.127", "2.0.0.127", "10.2.0.192"] {
                assert_eq!(ask(&lists, &format!("{point}.{list}")), expect, "{point} {list}");
            }
        };
        check(WILDCARDED, a([127, 0, 0, 2]));
        check(PARKED, a([203, 0, 113, 80]));
        check(DEAD, Answer::NxDomain);
        check(WRONG_ZONE, a([127, 255, 255, 252]));
        check(PUBLIC_RESOLVER, a([127, 255, 255, 254]));
        check(VOLUME, a([127, 255, 255, 255]));
        check(FAILING, Answer::Code(Rcode::ServFail));
        check(REFUSING, Answer::Code(Rcode::Refused));
        check(SILENT, Answer::Silence);
        assert_eq!(lists.answer(&question("2.0.0.127.elsewhere.test", TYPE_A)), None);
    }

    #[test]
    fn a_listing_comes_and_goes() {
        let lists = Listings::default();
        let put = |subject: &str, list: &str| {
            lists.put(subject, list, Ipv4Addr::new(127, 0, 0, 4), "why").is_ok()
        };
        assert!(put("192.0.2.25", BLOCKLIST));
        assert!(put("2001:db8::19", BLOCKLIST));
        assert!(put("Spam.Example", DOMAINS));
        assert!(!put("192.0.2.25", "elsewhere.test"));
        assert!(!put("two words", BLOCKLIST));
        let name_6 = format!("9.1.{}8.b.d.0.1.0.0.2.bl.lists.test", "0.".repeat(22));
        for name in ["25.2.0.192.bl.lists.test", &name_6, "spam.example.domains.lists.test"] {
            assert_eq!(ask(&lists, name), a([127, 0, 0, 4]), "{name}");
        }
        let txt = lists.answer(&question("25.2.0.192.bl.lists.test", TYPE_TXT));
        assert_eq!(txt, Some(Answer::Records(vec![Datum::Txt("why".to_owned())])));
        assert_eq!(ask(&lists, "25.2.0.192.second.lists.test"), Answer::NxDomain);
        lists.remove("192.0.2.25", BLOCKLIST);
        assert_eq!(ask(&lists, "25.2.0.192.bl.lists.test"), Answer::NxDomain);
    }
}
