//! The journey of a message by its Received headers (RFC 5321 section 4.4): hop by hop, with the
//! delay each added as far as the servers' clocks allow. A clock that runs behind is said, never
//! shown as negative time; the whole time is the agent's own clock's and not these headers'.

use mail_parser::{Host, Message, Received, TlsVersion};
use mailward_evidence::record::Pairs;

use crate::net::clean;

/// The most hops that are told.
const MAX_HOPS: usize = 20;
/// Headers have whole seconds, so neighbours may seem off by one without any skew.
const ROUNDING_S: i64 = 1;

/// One server that passed the message on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hop {
    by: String,
    at_s: Option<i64>,
}

/// Notes the journey: `hops`, `hop_1` … (the first is the server that took it from us) and,
/// where clocks disagree, `clock_skew`. `sent_ms` is when the first server had it, by our clock.
pub fn note(message: &Message<'_>, sent_ms: i64, facts: &mut Pairs<Box<str>>) {
    let mut hops: Vec<Hop> = message.received_all().take(MAX_HOPS).map(hop).collect();
    hops.reverse();
    if hops.is_empty() {
        return;
    }
    facts.set("hops", hops.len().to_string().into());
    let mut skews = Vec::new();
    let mut before: Option<(&str, i64)> = Some(("this agent", sent_ms.div_euclid(1000)));
    for (number, hop) in hops.iter().enumerate() {
        let delay = match (before, hop.at_s) {
            (_, None) => "no time given".to_owned(),
            (None, Some(_)) => "unknown after a hop without a time".to_owned(),
            (Some((name, earlier)), Some(at)) if at + ROUNDING_S < earlier => {
                skews.push(format!("the clock of {} is {} s behind {name}", hop.by, earlier - at));
                "unknown, clocks disagree".to_owned()
            }
            (Some((_, earlier)), Some(at)) => format!("{} s", (at - earlier).max(0)),
        };
        let name = format!("hop_{}", number + 1);
        facts.set(&name, clean(&format!("{}: {delay}", hop.by), 200));
        before = hop.at_s.map(|at| (hop.by.as_str(), at));
    }
    if !skews.is_empty() {
        facts.set("clock_skew", clean(&skews.join("; "), 500));
    }
    let last = message.received_all().find(|hop| hop.tls_version.is_some());
    if let Some(last) = last {
        note_tls(last, facts);
    }
}

fn hop(received: &Received<'_>) -> Hop {
    let by = match &received.by {
        Some(Host::Name(name)) => name.to_string(),
        Some(Host::IpAddr(address)) => address.to_string(),
        None => "a server without a name".to_owned(),
    };
    let at_s = received.date.filter(mail_parser::DateTime::is_valid).map(|d| d.to_timestamp());
    Hop { by: clean(&by, 100).into(), at_s }
}

fn note_tls(hop: &Received<'_>, facts: &mut Pairs<Box<str>>) {
    let version = match hop.tls_version {
        Some(TlsVersion::TLSv1_3) => "TLS 1.3",
        Some(TlsVersion::TLSv1_2) => "TLS 1.2",
        Some(TlsVersion::TLSv1_1) => "TLS 1.1",
        Some(TlsVersion::TLSv1_0) => "TLS 1.0",
        _ => return,
    };
    facts.set("last_hop_tls", version.into());
    if let Some(cipher) = &hop.tls_cipher {
        facts.set("last_hop_cipher", clean(cipher, 100));
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;
    use proptest::prelude::*;

    use super::*;

    fn journey(received: &[&str], sent: &str) -> String {
        let mut text = String::new();
        for line in received {
            text.push_str(&format!("Received: {line}\r\n"));
        }
        text.push_str("Subject: x\r\n\r\nx\r\n");
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        let sent: jiff::Timestamp = sent.parse().unwrap();
        let mut facts = Pairs::default();
        note(&message, sent.as_millisecond(), &mut facts);
        facts.iter().map(|(name, fact)| format!("{name} = {fact}\n")).collect()
    }

    #[test]
    fn each_hop_and_its_delay() {
        let told = journey(
            &[
                "from mx.a by store.a with LMTP id x; Sun, 22 Nov 2026 10:00:09 +0000",
                "from out.b (out.b [192.0.2.1]) (using TLSv1.3 with cipher \
                 TLS_AES_256_GCM_SHA384 (256/256 bits)) by mx.a (Postfix) with ESMTPS id y; \
                 Sun, 22 Nov 2026 11:00:08 +0100",
                "from [192.0.2.7] by out.b with ESMTPSA id z; Sun, 22 Nov 2026 10:00:03 +0000",
            ],
            "2026-11-22T10:00:02.700Z",
        );
        insta::assert_snapshot!(told, @r"
        hop_1 = out.b: 1 s
        hop_2 = mx.a: 5 s
        hop_3 = store.a: 1 s
        hops = 3
        last_hop_cipher = TLS_AES_256_GCM_SHA384
        last_hop_tls = TLS 1.3
        ");
    }

    #[test]
    fn a_clock_behind_is_said() {
        let told = journey(
            &[
                "from a by b; Sun, 22 Nov 2026 09:59:00 +0000",
                "from x by a; Sun, 22 Nov 2026 10:00:03 +0000",
            ],
            "2026-11-22T10:00:02Z",
        );
        insta::assert_snapshot!(told, @r"
        clock_skew = the clock of b is 63 s behind a
        hop_1 = a: 1 s
        hop_2 = b: unknown, clocks disagree
        hops = 2
        ");
        assert_eq!(journey(&[], "2026-11-22T10:00:02Z"), "");
        let told = journey(&["nonsense", "from a by b; nonsense"], "2026-11-22T10:00:02Z");
        assert!(!told.contains("-"), "{told}");
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(lines in proptest::collection::vec("[ -~]{0,120}", 0..30)) {
            let mut text: String = lines.iter().map(|l| format!("Received: {l}\r\n")).collect();
            text.push_str("\r\nx");
            if let Some(message) = MessageParser::default().parse(text.as_bytes()) {
                note(&message, 0, &mut Pairs::default());
            }
        }
    }
}
