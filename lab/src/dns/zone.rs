//! The names of the mail domain, as RFC 1035 and RFC 7208 have them: an MX, two hosts on
//! loopback and an SPF record.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Answer, Datum, Question, TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_SOA, TYPE_TXT};

/// The answer for a name in `domain`; `None` for a name elsewhere.
pub(super) fn answer(question: &Question, domain: &str) -> Option<Answer> {
    let name = question.name();
    let domain = domain.to_ascii_lowercase();
    let host = if name == domain { "" } else { name.strip_suffix(&format!(".{domain}"))? };
    let mut records = Vec::new();
    match host {
        "" => {
            if question.wants(TYPE_MX) {
                records.push(Datum::Mx(10, format!("mail.{domain}")));
            }
            if question.wants(TYPE_TXT) {
                records.push(Datum::Txt("v=spf1 ip4:192.0.2.25 -all".to_owned()));
            }
            if question.wants(TYPE_SOA) {
                records.push(Datum::Soa(format!("ns.{domain}")));
            }
        }
        "mail" | "portal" => {
            if question.wants(TYPE_A) {
                records.push(Datum::A(Ipv4Addr::LOCALHOST));
            }
        }
        // a name with an IPv6 address alone, for clients that have to cope with both
        "six" => {
            if question.wants(TYPE_AAAA) {
                records.push(Datum::Aaaa(Ipv6Addr::LOCALHOST));
            }
        }
        // RFC 1912 §2.4 forbids it and it is met all the same: an MX that does not exist
        "nowhere" => {
            if question.wants(TYPE_MX) {
                records.push(Datum::Mx(10, format!("missing.{domain}")));
            }
        }
        _ => return Some(Answer::NxDomain),
    }
    Some(Answer::Records(records))
}

#[cfg(test)]
mod tests {
    use super::super::tests::question;
    use super::*;

    #[test]
    fn the_domain_has_what_a_mail_domain_needs() {
        let ask = |name: &str, record_type| answer(&question(name, record_type), "Example.test");
        let records = |data| Some(Answer::Records(data));
        let mx = Datum::Mx(10, "mail.example.test".to_owned());
        assert_eq!(ask("example.test", TYPE_MX), records(vec![mx]));
        let address = Datum::A(Ipv4Addr::LOCALHOST);
        assert_eq!(ask("mail.example.test", TYPE_A), records(vec![address]));
        assert_eq!(ask("mail.example.test", TYPE_AAAA), records(Vec::new()));
        assert_eq!(ask("missing.example.test", TYPE_A), Some(Answer::NxDomain));
        assert_eq!(ask("notexample.test", TYPE_A), None);
    }
}
