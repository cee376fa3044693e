//! Domains and blocklists against real servers: every `domain` requirement met, missing and
//! broken in zones that Knot signs, and rbldnsd's lists good and bad, each with its one verdict.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::probed::{Peers, open_up, probe_all, word};
use super::support::{scratch, write};

/// Ports of their own, beside those of the other tests that start real servers.
const PORT_BASE: u16 = 24_000;

/// A definition with these probes: id and keys.
fn definition(head: &str, probes: &[(&str, String)]) -> String {
    let mut text = format!(
        "[service]\nname = \"Reputation\"\nzone = \"Europe/London\"\n\
         [[component]]\nid = \"it\"\nname = \"It\"\n{head}\n"
    );
    for (id, keys) in probes {
        let written =
            write!(text, "[[probe]]\nid = \"{id}\"\ncomponent = \"it\"\nevery = \"1h\"\n{keys}\n");
        assert!(written.is_ok());
    }
    text
}

/// Runs every probe once: id → verdict and reason, and the whole outcome.
fn outcomes(directory: &Path, text: &str) -> BTreeMap<String, (String, Value)> {
    let seen = probe_all(&write(directory, "probes.toml", text));
    seen.into_iter().map(|(id, outcome)| (id, (word(&outcome), outcome))).collect()
}

/// What each `domain` requirement says of each domain of the signed zone.
const DOMAINS: &[(&str, &str, &str)] = &[
    // domain, requirement (for dkim with a selector), verdict and reason
    ("good", "spf", "up"),
    ("none", "spf", "down spf_missing"),
    ("spf-syntax", "spf", "down spf_invalid"),
    ("spf-two", "spf", "down spf_invalid"),
    ("spf-include", "spf", "down spf_invalid"),
    ("spf-many", "spf", "down spf_too_many_lookups"),
    ("spf-loop", "spf", "down spf_too_many_lookups"),
    ("spf-void", "spf", "down spf_void_lookups"),
    ("spf-all", "spf", "down spf_allows_all"),
    ("spf-neutral", "spf", "degraded spf_not_enforced"),
    ("spf-redirect", "spf", "up"),
    ("good", "dkim s1", "up"),
    ("good", "dkim ed", "up"),
    ("good", "dkim short", "degraded dkim_weak"),
    ("good", "dkim weak", "down dkim_weak"),
    ("good", "dkim gone", "down dkim_revoked"),
    ("good", "dkim bad", "down dkim_invalid"),
    ("good", "dkim nosuch", "down dkim_missing"),
    ("good", "dmarc", "up"),
    ("below.good", "dmarc", "up"),
    ("none", "dmarc", "down dmarc_missing"),
    ("dmarc-bad", "dmarc", "down dmarc_invalid"),
    ("dmarc-none", "dmarc", "degraded dmarc_not_enforced"),
    ("dmarc-far", "dmarc", "degraded dmarc_reports_refused"),
    ("good", "mta-sts", "up"),
    ("none", "mta-sts", "down mta_sts_missing"),
    ("sts-noid", "mta-sts", "down mta_sts_invalid"),
    ("sts-gone", "mta-sts", "down mta_sts_policy"),
    ("sts-moved", "mta-sts", "down mta_sts_policy"),
    ("sts-html", "mta-sts", "down mta_sts_policy"),
    ("sts-name", "mta-sts", "down mta_sts_policy"),
    ("sts-mx", "mta-sts", "down mta_sts_mx"),
    ("sts-testing", "mta-sts", "degraded mta_sts_not_enforced"),
    ("good", "tls-rpt", "up"),
    ("none", "tls-rpt", "down tls_rpt_missing"),
    ("rpt-bad", "tls-rpt", "down tls_rpt_invalid"),
    ("good", "dane", "up"),
    ("dane-ta", "dane", "down dane_mismatch"),
    ("dane-two", "dane", "up"),
    ("nomail", "dane", "up"),
    ("none", "dane", "down dane_missing"),
    ("dane-wrong", "dane", "down dane_mismatch"),
    ("dane-pkix", "dane", "down dane_invalid"),
    ("open", "dane", "down dnssec_missing"),
    ("good", "dnssec", "up"),
    ("none", "dnssec", "up"),
    ("open", "dnssec", "down dnssec_missing"),
    ("bad", "dnssec", "down dnssec_bogus"),
];

#[test]
fn what_domains_publish() {
    let scratch = scratch();
    open_up(scratch.path());
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    let peers = Peers::up(PORT_BASE, &["mail", "dns"], &directory);
    let dns = PORT_BASE + 54;
    let head = format!(
        "[agent]\nname = \"here\"\nsite = \"internet\"\nresolver = \"127.0.0.1:{dns}\"\n\
         trust = \"{}\"\n",
        directory.join("tls/ca.pem").display()
    );
    let keys = directory.join("dns/keys.txt");
    let mut probes = Vec::new();
    let ids: Vec<String> = DOMAINS
        .iter()
        .map(|(domain, require, _)| format!("{}-{domain}", require.replace(' ', "-")))
        .collect();
    for ((domain, require, _), id) in DOMAINS.iter().zip(&ids) {
        let (require, selector) = require.split_once(' ').unwrap_or((require, ""));
        let selectors = match selector {
            "" => String::new(),
            selector => format!("dkim_selectors = [\"{selector}\"]\n"),
        };
        probes.push((
            id.as_str(),
            format!(
                "kind = \"domain\"\ndomain = \"{domain}.sign.test\"\nrequire = [\"{require}\"]\n\
                 resolver = \"127.0.0.1:{dns}\"\ntrust_anchors = \"{}\"\nmx_port = {}\n\
                 policy_port = {}\n{selectors}",
                keys.display(),
                PORT_BASE + 25,
                PORT_BASE + 447
            ),
        ));
    }
    let seen = outcomes(scratch.path(), &definition(&head, &probes));
    let mut wrong = String::new();
    for ((.., expect), id) in DOMAINS.iter().zip(&ids) {
        let (verdict, outcome) = &seen[id];
        if verdict != expect {
            wrong.push_str(&format!(
                "{id}: expected {expect}, got {verdict}: {}\n",
                outcome["facts"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let facts = &seen["dmarc-good"].1["facts"];
    assert_eq!(facts["dmarc_historic"], "pct=50", "told, and never judged");
    drop(peers);
}

/// rbldnsd's lists, and what a run over each says of an address that none lists.
const LISTS: &[(&str, &str, &str)] = &[
    ("zen", "up", ""),
    ("plain", "up", ""),
    ("wild", "unknown list_unusable", "wild.peers.test (wildcarded)"),
    ("dead", "unknown list_unusable", "dead.peers.test (dead)"),
    ("refused", "unknown list_unusable", "refused.peers.test (refusing)"),
    ("volume", "unknown list_unusable", "volume.peers.test (refusing)"),
    ("typo", "unknown list_unusable", "typo.peers.test (refusing)"),
    ("parked", "unknown list_unusable", "parked.peers.test (parked)"),
    ("gone", "unknown list_unusable", "gone.peers.test (no answer)"),
];

#[test]
fn what_blocklists_say() {
    let scratch = scratch();
    open_up(scratch.path());
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    let peers = Peers::up(PORT_BASE, &["dnsbl"], &directory);
    let resolver = format!("resolver = \"127.0.0.1:{}\"\ntimeout = \"3s\"", PORT_BASE + 53);
    let keys = |addresses: &str, lists: &[&str]| {
        let lists: Vec<String> = lists.iter().map(|list| format!("{list}.peers.test")).collect();
        format!("kind = \"dnsbl\"\naddresses = [{addresses}]\nlists = {lists:?}\n{resolver}")
    };
    let mut probes: Vec<(&str, String)> =
        LISTS.iter().map(|(list, ..)| (*list, keys("\"192.0.2.99\"", &[list]))).collect();
    let all: Vec<&str> = LISTS.iter().map(|(list, ..)| *list).collect();
    probes.push(("every-list", keys("\"192.0.2.99\"", &all)));
    probes.push(("listed", keys("\"192.0.2.10\"", &all)));
    probes.push(("no-test-entry", {
        keys("\"192.0.2.99\"", &["dead"]) + "\nuntested = \"dead.peers.test\""
    }));
    probes.push(("known-dead", {
        format!("kind = \"dnsbl\"\naddresses = \"192.0.2.99\"\nlists = [\"dnsbl.sorbs.net\"]\n{resolver}")
    }));
    // 100 addresses on two lists, with the test entries more than 200 questions
    let hundred: Vec<String> = (1..=100).map(|n| format!("\"198.51.100.{n}\"")).collect();
    probes.push(("hundred", keys(&hundred.join(", "), &["zen", "plain"])));
    let text = definition("", &probes);
    let seen = outcomes(scratch.path(), &text);
    for (list, expect, unusable) in LISTS {
        let (verdict, outcome) = &seen[*list];
        assert_eq!(verdict, expect, "{list}: {outcome}");
        assert_eq!(outcome["facts"]["lists_unusable"].as_str().unwrap_or_default(), *unusable);
        assert!(outcome["listings"].is_null(), "a false alarm: {outcome}");
    }
    assert_eq!(seen["every-list"].0, "up", "{}", seen["every-list"].1);
    assert_eq!(seen["every-list"].1["facts"]["lists_usable"], "2");
    let (verdict, outcome) = &seen["listed"];
    assert_eq!(verdict, "down listed", "{outcome}");
    let codes: Vec<(&str, &str)> = outcome["listings"]
        .as_array()
        .expect("listings")
        .iter()
        .map(|l| (l["list"].as_str().unwrap_or(""), l["code"].as_str().unwrap_or("")))
        .collect();
    let expect = [("plain.peers.test", "127.0.0.2"), ("zen.peers.test", "127.0.0.2,127.0.0.4")];
    assert_eq!(codes, expect, "and no list that cannot be believed");
    let why = &outcome["facts"]["txt:192.0.2.10@plain.peers.test"];
    assert_eq!(why, "Blocked, see https://check.peers.test/?192.0.2.10");
    assert_eq!(seen["no-test-entry"].0, "up", "{}", seen["no-test-entry"].1);
    assert_eq!(seen["known-dead"].0, "unknown list_unusable");
    let (verdict, outcome) = &seen["hundred"];
    assert_eq!(verdict, "up", "{outcome}");
    let took_ms = outcome["took_ms"].as_f64().expect("how long it took");
    assert!(took_ms < 3000.0, "204 questions took {took_ms} ms");

    // delisted: the next run says so
    let zone = directory.join("dnsbl/plain4");
    let before = std::fs::read_to_string(&zone).expect("the list's zone");
    let delisted = before.replace("\n192.0.2.10\n", "\n");
    assert_ne!(before, delisted, "the address was listed");
    std::fs::write(&zone, delisted).expect("delist the address");
    let only = definition("", &[("plain", keys("\"192.0.2.10\"", &["plain"]))]);
    super::support::wait_for("the address to be delisted", || {
        (outcomes(scratch.path(), &only)["plain"].0 == "up").then_some(())
    });
    drop(peers);
}
