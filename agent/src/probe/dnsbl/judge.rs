//! What a blocklist's answer is (RFC 5782 section 2.1), and whether its test entries (section 5)
//! allow it to be believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RData;

use crate::net::Fault;
use crate::net::dns::Answer;

/// What is looked for; each has test entries of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    Domain,
}

impl Family {
    pub(super) const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Domain];

    /// Its name for readers.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
            Self::Domain => "domains",
        }
    }

    /// The entry that every list must hold: 127.0.0.2, ::FFFF:7F00:2, or the domain TEST.
    pub(super) fn present(self) -> String {
        match self {
            Self::V4 => reversed(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
            Self::V6 => reversed(mapped(2)),
            Self::Domain => "test".to_owned(),
        }
    }

    /// The entry that no list may hold: 127.0.0.1, ::FFFF:7F00:1, or the domain INVALID.
    pub(super) fn absent(self) -> String {
        match self {
            Self::V4 => reversed(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Self::V6 => reversed(mapped(1)),
            Self::Domain => "invalid".to_owned(),
        }
    }
}

fn mapped(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, last))
}

/// An address as lists have it: octets (RFC 5782 section 2.1) or nibbles (section 2.4), last
/// first.
pub(super) fn reversed(address: IpAddr) -> String {
    let parts: Vec<String> = match address {
        IpAddr::V4(v4) => v4.octets().iter().rev().map(u8::to_string).collect(),
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            let nibbles = octets.iter().rev().flat_map(|o| [o & 15, o >> 4]);
            nibbles.map(|n| format!("{n:x}")).collect()
        }
    };
    parts.join(".")
}

/// What was heard of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Heard {
    /// Addresses in 127/8, sorted.
    Listed(Vec<Ipv4Addr>),
    /// No such name, or no address.
    NotListed,
    /// 127.255.255.x: the list refuses to tell us (as Spamhaus documents its error codes).
    Refusing,
    /// An address outside of 127/8: this is no list any more.
    Foreign,
    /// No answer, or none that says anything.
    #[default]
    Silent,
}

impl Heard {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Listed(_) => "listed",
            Self::NotListed => "not listed",
            Self::Refusing => "refusing",
            Self::Foreign => "parked",
            Self::Silent => "no answer",
        }
    }
}

/// Reads an answer, or its absence.
pub(super) fn hear(answer: Result<Answer, Fault>) -> Heard {
    let Ok(answer) = answer else {
        return Heard::Silent;
    };
    match answer.code {
        ResponseCode::NXDomain => return Heard::NotListed,
        ResponseCode::NoError => {}
        _ => return Heard::Silent,
    }
    let address = |data: &RData| match data {
        RData::A(a) => Some(a.0),
        _ => None,
    };
    let records = answer.records.iter();
    let mut codes: Vec<Ipv4Addr> = records.filter_map(|r| address(&r.data)).collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.is_empty() {
        Heard::NotListed
    } else if codes.iter().any(|code| !code.is_loopback()) {
        Heard::Foreign
    } else if codes.iter().any(|code| code.octets()[1..3] == [255, 255]) {
        Heard::Refusing
    } else {
        Heard::Listed(codes)
    }
}

/// What a list says of its two test entries.
#[derive(Clone, Debug, Default)]
pub(super) struct TestEntries {
    pub(super) present: Heard,
    pub(super) absent: Heard,
    /// Whether the list is believed without an entry that is listed.
    pub(super) untested: bool,
}

/// Why a list is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It lists everything.
    Wildcarded,
    /// Its domain belongs to somebody else.
    Parked,
    /// It lists nothing.
    Dead,
    /// It does not answer us.
    Refusing,
    /// It does not answer.
    Silent,
}

impl Unusable {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Wildcarded => "wildcarded",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Refusing => "refusing",
            Self::Silent => "no answer",
        }
    }
}

impl TestEntries {
    /// Whether the list may be believed in this round.
    pub(super) const fn usable(&self) -> Result<(), Unusable> {
        match (&self.present, &self.absent) {
            (Heard::Listed(_), Heard::NotListed) => Ok(()),
            (Heard::NotListed, Heard::NotListed) if self.untested => Ok(()),
            (Heard::Refusing, _) | (_, Heard::Refusing) => Err(Unusable::Refusing),
            (_, Heard::Listed(_)) => Err(Unusable::Wildcarded),
            (Heard::Foreign, _) | (_, Heard::Foreign) => Err(Unusable::Parked),
            (Heard::Silent, _) | (_, Heard::Silent) => Err(Unusable::Silent),
            (Heard::NotListed, Heard::NotListed) => Err(Unusable::Dead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::{Name, Record};
    use mailward_evidence::Reason;
    use proptest::prelude::*;

    fn answer(code: ResponseCode, addresses: &str) -> Heard {
        let record = |text: &str| {
            let address: Ipv4Addr = text.parse().unwrap();
            Record::from_rdata(Name::root(), 60, RData::A(address.into()))
        };
        let records = addresses.split_whitespace().map(record).collect();
        hear(Ok(Answer { code, records }))
    }

    #[test]
    fn answers_and_what_they_are() {
        use ResponseCode::{NXDomain, NoError, Refused, ServFail};
        let check = |code, addresses: &str, expect: Heard| {
            assert_eq!(answer(code, addresses), expect, "{code} {addresses}");
        };
        let two = Ipv4Addr::new(127, 0, 0, 2);
        let ten = Ipv4Addr::new(127, 0, 0, 10);
        check(NoError, "127.0.0.2", Heard::Listed(vec![two]));
        check(NoError, "127.0.0.10 127.0.0.2 127.0.0.2", Heard::Listed(vec![two, ten]));
        check(NoError, "", Heard::NotListed);
        check(NXDomain, "", Heard::NotListed);
        check(NoError, "127.255.255.254", Heard::Refusing);
        check(NoError, "127.0.0.2 127.255.255.255", Heard::Refusing);
        check(NoError, "192.0.2.80", Heard::Foreign);
        check(NoError, "127.0.0.2 192.0.2.80", Heard::Foreign);
        check(ServFail, "", Heard::Silent);
        check(Refused, "", Heard::Silent);
        assert_eq!(hear(Err(Fault::new(Reason::Timeout, ""))), Heard::Silent);
    }

    #[test]
    fn test_entries_decide() {
        let listed = || Heard::Listed(vec![Ipv4Addr::new(127, 0, 0, 2)]);
        let check = |present: Heard, absent: Heard, expect: Result<(), Unusable>| {
            let entries = TestEntries { present, absent, untested: false };
            assert_eq!(entries.usable(), expect, "{entries:?}");
        };
        check(listed(), Heard::NotListed, Ok(()));
        check(listed(), listed(), Err(Unusable::Wildcarded));
        check(Heard::NotListed, listed(), Err(Unusable::Wildcarded));
        check(Heard::Foreign, Heard::Foreign, Err(Unusable::Parked));
        check(Heard::NotListed, Heard::NotListed, Err(Unusable::Dead));
        check(Heard::Refusing, Heard::Refusing, Err(Unusable::Refusing));
        check(Heard::Refusing, Heard::NotListed, Err(Unusable::Refusing));
        check(Heard::Silent, Heard::NotListed, Err(Unusable::Silent));
        check(listed(), Heard::Silent, Err(Unusable::Silent));
        assert!(TestEntries::default().usable().is_err(), "nothing heard is nothing believed");
        let untested = |present, absent| TestEntries { present, absent, untested: true };
        assert_eq!(untested(Heard::NotListed, Heard::NotListed).usable(), Ok(()));
        assert_eq!(untested(listed(), listed()).usable(), Err(Unusable::Wildcarded));
        let silent = untested(Heard::Silent, Heard::Silent);
        assert_eq!(silent.usable(), Err(Unusable::Silent));
    }

    #[test]
    fn names_that_are_asked_for() {
        let check = |address: &str, expect: &str| {
            assert_eq!(reversed(address.parse().unwrap()), expect);
        };
        check("192.0.2.10", "10.2.0.192");
        let zeros = "0.".repeat(20);
        let expect = format!("2.0.0.0.0.0.f.7.f.f.f.f.{zeros}");
        assert_eq!(Family::V6.present(), expect.trim_end_matches('.'));
        assert_eq!(Family::V4.present(), "2.0.0.127");
        assert_eq!(Family::V4.absent(), "1.0.0.127");
        check("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2");
    }

    proptest! {
        #[test]
        fn only_answers_inside_127_list(octets in any::<[u8; 4]>()) {
            let address = Ipv4Addr::from(octets);
            let heard = answer(ResponseCode::NoError, &address.to_string());
            let may = octets[0] == 127 && octets[1..3] != [255, 255];
            prop_assert_eq!(matches!(heard, Heard::Listed(_)), may);
        }
    }
}
