//! Networks as probes.toml writes them, and which addresses are inner ones, where nobody from
//! outside has business. Pure: nothing is looked up or connected to.

use std::net::{IpAddr, Ipv4Addr};

/// Whether `ip` lies in any of these networks (address and prefix length). An IPv4 address that
/// is written as IPv6 is the IPv4 address.
#[must_use]
pub fn lies_in(ip: IpAddr, networks: &[(IpAddr, u8)]) -> bool {
    let ip = ip.to_canonical();
    networks.iter().any(|(network, bits)| contains(*network, *bits, ip))
}

fn contains(network: IpAddr, bits: u8, ip: IpAddr) -> bool {
    let bits = u32::from(bits);
    match (network.to_canonical(), ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let shift = 32u32.saturating_sub(bits);
            (u32::from(network) ^ u32::from(ip)).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let shift = 128u32.saturating_sub(bits);
            (u128::from(network) ^ u128::from(ip)).checked_shr(shift).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Which addresses are no place for the public to be sent to (RFC 6890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// This machine.
    Loopback,
    /// Its link, where clouds keep their machines' secrets.
    Link,
    /// A private network.
    Private,
    /// No machine at all: a group of them, or kept for later.
    Nobody,
}

/// What kind of inner address this is; `None` for one of the public's. Addresses that carry an
/// IPv4 address inside (RFC 4291 section 2.5.5, RFC 6052, RFC 3056) are judged by that one.
#[must_use]
pub fn inner(address: IpAddr) -> Option<Inner> {
    let v6 = match address.to_canonical() {
        IpAddr::V4(v4) => return inner_v4(v4),
        IpAddr::V6(v6) => v6,
    };
    if v6.is_loopback() || v6.is_unspecified() {
        return Some(Inner::Loopback);
    }
    if v6.is_unicast_link_local() {
        return Some(Inner::Link);
    }
    if v6.is_unique_local() {
        return Some(Inner::Private);
    }
    if v6.is_multicast() {
        return Some(Inner::Nobody);
    }
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        // NAT64's well-known prefix, and 6to4
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner_v4(v4(high, low)),
        // NAT64 of one's own network (RFC 8215), and the site-local addresses of old (RFC 3879)
        [0x64, 0xff9b, 1, ..] | [0xfec0..=0xfeff, ..] => Some(Inner::Private),
        // IPv4-compatible addresses, which nobody has had since RFC 4291
        [0, 0, 0, 0, 0, 0, high, low] => inner_v4(v4(high, low)),
        _ => None,
    }
}

fn inner_v4(v4: Ipv4Addr) -> Option<Inner> {
    let [a, b, c, _] = v4.octets();
    if v4.is_loopback() || a == 0 {
        Some(Inner::Loopback)
    } else if v4.is_link_local() {
        Some(Inner::Link)
    } else if v4.is_private() || (a == 100 && (64..128).contains(&b)) || (a == 198 && b & 254 == 18)
    {
        // beside the private ones: shared address space, behind carriers' NAT (RFC 6598), and
        // networks for measurements (RFC 2544)
        Some(Inner::Private)
    } else if a >= 224 || (a, b, c) == (192, 0, 0) {
        Some(Inner::Nobody)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let networks: Vec<(IpAddr, u8)> =
            vec![("192.0.2.0".parse().unwrap(), 24), ("2001:db8::".parse().unwrap(), 32)];
        for (ip, expect) in [
            ("192.0.2.200", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.3.1", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("198.51.100.1", false),
        ] {
            assert_eq!(lies_in(ip.parse().unwrap(), &networks), expect, "{ip}");
        }
        let all = [("0.0.0.0".parse().unwrap(), 0)];
        assert!(lies_in("203.0.113.9".parse().unwrap(), &all));
        assert!(!lies_in("2001:db8::1".parse().unwrap(), &all));
    }

    #[test]
    fn inner_addresses() {
        let check = |text: &str, expect: Option<Inner>| {
            assert_eq!(inner(text.parse().unwrap()), expect, "{text}");
        };
        for text in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "::1", "::"] {
            check(text, Some(Inner::Loopback));
        }
        for text in ["::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"] {
            check(text, Some(Inner::Loopback));
        }
        for text in ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"] {
            check(text, Some(Inner::Link));
        }
        for text in ["10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "198.19.0.1"] {
            check(text, Some(Inner::Private));
        }
        for text in ["fd00:ec2::254", "fec0::1", "64:ff9b:1::a00:1", "2002:a00:1::"] {
            check(text, Some(Inner::Private));
        }
        for text in ["224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.8", "ff02::1"] {
            check(text, Some(Inner::Nobody));
        }
        for text in ["198.51.100.2", "172.32.0.1", "100.128.0.1", "192.0.2.1", "8.8.8.8"] {
            check(text, None);
        }
        for text in ["2001:db8::2", "64:ff9b::c633:6402", "2002:c633:6402::1"] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn an_address_within_another_is_judged_alike(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let expect = inner(v4.into());
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for v6 in [
                v4.to_ipv6_mapped(),
                std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                std::net::Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(inner(v6.into()), expect, "{}", v6);
            }
        }
    }
}
