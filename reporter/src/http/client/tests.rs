//! Whom trusted proxies speak for, and that nobody else can put on another's address.

use axum::http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn trusted() -> Vec<(IpAddr, u8)> {
    vec![("10.0.0.0".parse().unwrap(), 8), ("::1".parse().unwrap(), 128)]
}

fn client(peer: &str, lines: &[(&'static str, &str)]) -> Client {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let value = HeaderValue::from_str(value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    let peer =
        Peer { address: SocketAddr::new(peer.parse().unwrap(), 40_000), is_encrypted: false };
    Client::of(peer, &headers, &trusted())
}

const PLAIN: &str = "x-forwarded-for";
const FORMAL: &str = "forwarded";

#[test]
fn the_origin_is_what_the_last_trusted_proxy_saw() {
    let check = |peer: &str, lines: &[(&'static str, &str)], expect: Option<&str>| {
        let found = client(peer, lines).origin;
        assert_eq!(found, expect.map(|ip| ip.parse().unwrap()), "{peer} {lines:?}");
    };
    let outside = "198.51.100.7";
    check(outside, &[], Some(outside));
    check("::ffff:198.51.100.7", &[], Some(outside));
    // nobody makes himself somebody else, nor a neighbour
    check(outside, &[(PLAIN, "127.0.0.1")], None);
    check(outside, &[(FORMAL, "for=127.0.0.1")], None);
    check("127.0.0.1", &[("via", "1.1 proxy")], None);
    check("10.0.0.1", &[], Some("10.0.0.1"));
    check("10.0.0.1", &[("x-real-ip", "192.0.2.1")], None);
    check("10.0.0.1", &[("via", "1.1 proxy")], None);
    check("10.0.0.1", &[(PLAIN, "192.0.2.1")], Some("192.0.2.1"));
    check("10.0.0.1", &[(PLAIN, "192.0.2.1:4711")], Some("192.0.2.1"));
    check("10.0.0.1", &[(PLAIN, "2001:db8::1")], Some("2001:db8::1"));
    check("10.0.0.1", &[(PLAIN, "[2001:db8::1]:4711")], Some("2001:db8::1"));
    check("::1", &[(PLAIN, "::ffff:192.0.2.1")], Some("192.0.2.1"));
    // from right to left: what stands before the first stranger is his own word
    check("10.0.0.1", &[(PLAIN, "127.0.0.1, 192.0.2.1")], Some("192.0.2.1"));
    check("10.0.0.1", &[(PLAIN, "127.0.0.1, 192.0.2.1, 10.2.2.2")], Some("192.0.2.1"));
    check("10.0.0.1", &[(PLAIN, "127.0.0.1"), (PLAIN, "192.0.2.1")], Some("192.0.2.1"));
    check("10.0.0.1", &[(PLAIN, "10.3.3.3, 10.2.2.2")], Some("10.3.3.3"));
    check("10.0.0.1", &[(PLAIN, "192.0.2.1, unknown")], None);
    check("10.0.0.1", &[(PLAIN, "unknown, 192.0.2.1")], Some("192.0.2.1"));
    check("10.0.0.1", &[(PLAIN, "")], None);
    check("10.0.0.1", &[(PLAIN, "192.0.2.1,")], None);
    check("10.0.0.1", &[(FORMAL, "for=192.0.2.1")], Some("192.0.2.1"));
    check("10.0.0.1", &[(FORMAL, "For=\"[2001:db8::1]:4711\"")], Some("2001:db8::1"));
    check("10.0.0.1", &[(FORMAL, "for=\"[2001:db8::1]:_x\"")], Some("2001:db8::1"));
    check("10.0.0.1", &[(FORMAL, "by=10.0.0.1; for=192.0.2.1;proto=https")], Some("192.0.2.1"));
    check("10.0.0.1", &[(FORMAL, "for=127.0.0.1, for=192.0.2.1")], Some("192.0.2.1"));
    check("10.0.0.1", &[(FORMAL, "for=_hidden")], None);
    check("10.0.0.1", &[(FORMAL, "for=unknown, for=10.2.2.2")], None);
    check("10.0.0.1", &[(FORMAL, "for=127.0.0.1;for=192.0.2.1")], None);
    check("10.0.0.1", &[(FORMAL, "for=\"127.0.0.1, for=192.0.2.1")], None);
    check("10.0.0.1", &[(FORMAL, "for=\"192.0.2.1\"x")], None);
    check("10.0.0.1", &[(FORMAL, "proto=https")], None);
    // a comma inside quotes does not part elements
    check("10.0.0.1", &[(FORMAL, "for=192.0.2.1;x=\", for=127.0.0.1\"")], Some("192.0.2.1"));
    // a proxy writes one and passes the other on
    check("10.0.0.1", &[(PLAIN, "192.0.2.1"), (FORMAL, "for=127.0.0.1")], None);
    check("10.0.0.1", &[(PLAIN, "192.0.2.1"), (FORMAL, "for=192.0.2.1")], Some("192.0.2.1"));
    let long = vec!["10.1.1.1"; 40].join(",");
    check("10.0.0.1", &[(PLAIN, &long)], None);
}

#[test]
fn encryption_is_the_nearest_proxys_word() {
    let check = |peer: &str, lines: &[(&'static str, &str)], expect: bool| {
        assert_eq!(client(peer, lines).is_encrypted, expect, "{peer} {lines:?}");
    };
    const PROTO: &str = "x-forwarded-proto";
    check("198.51.100.7", &[(PROTO, "https")], false);
    check("10.0.0.1", &[(PROTO, "https")], true);
    check("10.0.0.1", &[(PROTO, "HTTPS")], true);
    check("10.0.0.1", &[(PROTO, "https, http")], false);
    check("10.0.0.1", &[(FORMAL, "for=192.0.2.1;proto=https")], true);
    check("10.0.0.1", &[], false);
}

proptest! {
    /// Whatever a stranger sends before it, what the trusted proxy adds is what counts.
    #[test]
    fn a_stranger_cannot_put_on_an_address(said in "[ -~]{0,80}") {
        let line = format!("{said}, 192.0.2.9");
        prop_assert_eq!(client("10.0.0.1", &[(PLAIN, &line)]).origin, "192.0.2.9".parse().ok());
        // quotes that he opens are his own affair: then the origin is unknown, never his choice
        let line = format!("{said}, for=192.0.2.9");
        let found = client("10.0.0.1", &[(FORMAL, &line)]).origin;
        prop_assert!(found.is_none() || found == "192.0.2.9".parse().ok(), "{:?}", found);
        let stranger = client("198.51.100.7", &[(PLAIN, &said), (FORMAL, &said)]);
        prop_assert_eq!(stranger.nearest, "198.51.100.7".parse::<IpAddr>().unwrap());
        prop_assert_eq!(stranger.origin, None);
    }

    #[test]
    fn any_bytes_are_read(text in "\\PC{0,200}", more in "[\"\\\\=;,:a-z0-9\\[\\]. ]{0,200}") {
        let _ = (elements(&text), elements(&more), address(&text), address(&more));
    }

    #[test]
    fn what_is_written_by_the_rules_is_read(
        ips in prop::collection::vec(any::<IpAddr>(), 1..8), quoted: bool, port: Option<u16>,
    ) {
        let written = |ip: &IpAddr| {
            let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
            let node = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
            // colons and brackets stand in quotes only
            if quoted || node.contains(':') { format!("for=\"{node}\"") } else { format!("for={node}") }
        };
        let line = ips.iter().map(written).collect::<Vec<_>>().join(", ");
        let read: Vec<_> = elements(&line).unwrap().iter().map(Element::address).collect();
        let expect: Vec<_> = ips.iter().map(|ip| Some(ip.to_canonical())).collect();
        prop_assert_eq!(read, expect);
    }
}
