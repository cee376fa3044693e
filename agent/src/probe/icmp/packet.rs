//! Echo requests and replies (RFC 792, RFC 4443 section 4) as unprivileged sockets carry them:
//! identifier and checksum are the system's, and no IP header comes with them.

use std::net::IpAddr;

/// The length of what tells our requests from others.
pub(crate) const TOKEN_BYTES: usize = 16;
const HEADER_BYTES: usize = 8;
/// The length of a request's contents; 56 bytes is what `ping` sends.
const CONTENT_BYTES: usize = 56;

/// Which ICMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// ICMP (RFC 792).
    V4,
    /// ICMPv6 (RFC 4443).
    V6,
}

impl Family {
    /// The one that speaks to this address.
    pub(super) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    const fn request_type(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }

    const fn reply_type(self) -> u8 {
        match self {
            Self::V4 => 0,
            Self::V6 => 129,
        }
    }
}

/// An echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) sequence: u16,
    pub(crate) token: [u8; TOKEN_BYTES],
}

/// A request; identifier and checksum are left for the system to fill in.
pub(super) fn request(family: Family, sequence: u16, token: [u8; TOKEN_BYTES]) -> Vec<u8> {
    let mut packet = vec![0; HEADER_BYTES + CONTENT_BYTES];
    packet[0] = family.request_type();
    packet[6..8].copy_from_slice(&sequence.to_be_bytes());
    packet[HEADER_BYTES..HEADER_BYTES + TOKEN_BYTES].copy_from_slice(&token);
    packet
}

/// Reads a reply; `None` for anything else.
pub(crate) fn read_reply(family: Family, packet: &[u8]) -> Option<Echo> {
    let [kind, code, _, _, _, _, high, low, content @ ..] = packet else { return None };
    if *kind != family.reply_type() || *code != 0 {
        return None;
    }
    let token = content.first_chunk::<TOKEN_BYTES>()?;
    Some(Echo { sequence: u16::from_be_bytes([*high, *low]), token: *token })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The reply that a machine gives to a request: all of it, with another type.
    fn answered(family: Family, mut packet: Vec<u8>) -> Vec<u8> {
        packet[0] = family.reply_type();
        packet
    }

    proptest! {
        #[test]
        fn a_reply_bears_its_request(sequence: u16, token: [u8; TOKEN_BYTES]) {
            for family in [Family::V4, Family::V6] {
                let packet = request(family, sequence, token);
                prop_assert_eq!(read_reply(family, &packet), None, "our own request");
                let reply = read_reply(family, &answered(family, packet));
                prop_assert_eq!(reply, Some(Echo { sequence, token }));
            }
        }

        #[test]
        fn any_bytes_are_read(packet in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(echo) = read_reply(Family::V4, &packet) {
                prop_assert!(packet.len() >= HEADER_BYTES + TOKEN_BYTES);
                prop_assert_eq!(&packet[8..24], &echo.token);
            }
        }
    }

    #[test]
    fn errors_are_no_replies() {
        let check = |kind: u8, code: u8, len: usize, expect: bool| {
            let mut packet = vec![0; len];
            (packet[0], packet[1]) = (kind, code);
            assert_eq!(read_reply(Family::V4, &packet).is_some(), expect, "{kind} {code} {len}");
        };
        check(0, 0, 24, true);
        check(0, 0, 23, false);
        check(0, 1, 24, false);
        // destination unreachable
        check(3, 1, 56, false);
        check(129, 0, 56, false);
    }
}
