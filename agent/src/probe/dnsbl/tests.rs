//! Rounds over the lab's lists, good and bad.

use std::net::Ipv4Addr;
use std::time::Duration;

use mailward_lab::{Lab, lists};

use crate::devices::Devices;
use crate::net::Net;
use crate::probe::Seen;
use crate::probe::trial::{Table, fact, lab, run_for, word};
use std::sync::Arc;

async fn round(lab: &Lab, net: &Arc<Net>, targets: &str, lists: &[&str]) -> Seen {
    let resolver = lab.addresses().dnsbl;
    let keys = format!("kind = \"dnsbl\"\nresolver = \"{resolver}\"\nlists = {lists:?}\n{targets}");
    run_for(Duration::from_secs(2), net, &Table::default(), &keys).await
}

const ADDRESS: &str = "addresses = [\"192.0.2.10\"]";

#[tokio::test]
async fn only_a_usable_list_is_believed() {
    let (lab, net) = lab().await;
    let check = async |list: &str, expect: &str, unusable: &str| {
        let seen = round(&lab, &net, ADDRESS, &[list]).await;
        assert_eq!(word(&seen), expect, "{list}: {seen:?}");
        let why = if unusable.is_empty() { String::new() } else { format!("{list} ({unusable})") };
        assert_eq!(fact(&seen, "lists_unusable"), why);
        assert!(seen.listings.is_empty());
    };
    check(lists::BLOCKLIST, "up", "").await;
    check(lists::WILDCARDED, "unknown list_unusable", "wildcarded").await;
    check(lists::PARKED, "unknown list_unusable", "parked").await;
    check(lists::DEAD, "unknown list_unusable", "dead").await;
    check(lists::WRONG_ZONE, "unknown list_unusable", "refusing").await;
    check(lists::PUBLIC_RESOLVER, "unknown list_unusable", "refusing").await;
    check(lists::VOLUME, "unknown list_unusable", "refusing").await;
    check(lists::FAILING, "unknown list_unusable", "no answer").await;
    check(lists::REFUSING, "unknown list_unusable", "no answer").await;
    check(lists::SILENT, "unknown list_unusable", "no answer").await;
}

#[tokio::test]
async fn a_listing_is_told_with_code_and_reason() {
    let (lab, net) = lab().await;
    let code = Ipv4Addr::new(127, 0, 0, 4);
    let text = "https://bl.lists.test/?192.0.2.10";
    lab.list("192.0.2.10", lists::BLOCKLIST, code, text).unwrap();
    let all = [lists::SECOND, lists::WILDCARDED, lists::BLOCKLIST];
    let seen = round(&lab, &net, ADDRESS, &all).await;
    assert_eq!(word(&seen), "down listed", "{seen:?}");
    let [listing] = &seen.listings[..] else {
        panic!("{:?}", seen.listings);
    };
    assert_eq!(&*listing.address, "192.0.2.10");
    assert_eq!(&*listing.list, lists::BLOCKLIST);
    assert_eq!(listing.code.as_deref(), Some("127.0.0.4"));
    let name = format!("txt:192.0.2.10@{}", lists::BLOCKLIST);
    assert_eq!(fact(&seen, &name), text);
    lab.delist("192.0.2.10", lists::BLOCKLIST);
    let seen = round(&lab, &net, ADDRESS, &all).await;
    assert_eq!(word(&seen), "up", "one usable list is enough: {seen:?}");
}

#[tokio::test]
async fn ipv6_and_domains() {
    let (lab, net) = lab().await;
    let code = Ipv4Addr::new(127, 0, 0, 2);
    lab.list("2001:db8::10", lists::BLOCKLIST, code, "six").unwrap();
    lab.list("bad.test", lists::DOMAINS, code, "name").unwrap();
    let v6 = "addresses = [\"2001:db8::10\", \"2001:db8::11\"]";
    let seen = round(&lab, &net, v6, &[lists::BLOCKLIST]).await;
    assert_eq!(word(&seen), "down listed", "{seen:?}");
    assert_eq!(seen.listings.len(), 1);
    let domains = "domains = [\"bad.test\", \"Good.test\"]";
    let seen = round(&lab, &net, domains, &[lists::DOMAINS]).await;
    assert_eq!(word(&seen), "down listed", "{seen:?}");
    assert_eq!(&*seen.listings[0].address, "bad.test");
    // a list of domains that is asked for an address says so by listing everything
    let seen = round(&lab, &net, ADDRESS, &[lists::DOMAINS]).await;
    assert_eq!(word(&seen), "unknown list_unusable", "{seen:?}");
}

#[tokio::test]
async fn the_lists_that_answer_are_judged_in_time() {
    let (lab, net) = lab().await;
    let lists = [lists::SILENT, lists::BLOCKLIST];
    let seen = round(&lab, &net, ADDRESS, &lists).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "lists_usable"), "1");
}

#[tokio::test]
async fn the_life_of_a_listing_is_told() {
    use crate::probe::{Context, Deadline, Turn, build};
    let (lab, net) = lab().await;
    let keys = |list: &str| {
        let resolver = lab.addresses().dnsbl;
        format!("kind = \"dnsbl\"\nresolver = \"{resolver}\"\nlists = [\"{list}\"]\n{ADDRESS}")
    };
    let catalogue = crate::probe::trial::catalogue(&keys(lists::BLOCKLIST));
    let probe = build(&catalogue.probes[0], &net).unwrap();
    let table = Table::default();
    let round = async || {
        let deadline = Deadline::after(Duration::from_secs(2));
        let turn = Turn { due_ms: 0, attempt: 0 };
        let devices = Devices::new("trial", None);
        let cx = Context { deadline, accounts: &table, turn, post: None, devices: &devices };
        probe.observe(&cx).await
    };
    let code = Ipv4Addr::new(127, 0, 0, 2);
    lab.list("192.0.2.10", lists::BLOCKLIST, code, "because").unwrap();
    let pair = format!("192.0.2.10@{}", lists::BLOCKLIST);
    let seen = round().await;
    let first = fact(&seen, &format!("first_seen:{pair}")).to_owned();
    assert!(!first.is_empty(), "{seen:?}");
    let seen = round().await;
    assert_eq!(fact(&seen, &format!("first_seen:{pair}")), first, "it is the same listing");
    // a list that falls silent has not delisted
    lab.set(mailward_lab::Part::Dnsbl, mailward_lab::Fault::Rcode(mailward_lab::Rcode::ServFail))
        .await
        .unwrap();
    let seen = round().await;
    assert_eq!(word(&seen), "unknown list_unusable");
    assert_eq!(fact(&seen, "not_told"), pair);
    lab.clear(mailward_lab::Part::Dnsbl).await;
    lab.delist("192.0.2.10", lists::BLOCKLIST);
    let seen = round().await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let told = fact(&seen, &format!("delisted:{pair}"));
    assert!(told.ends_with(&format!("first seen {first}")), "{told}");
    assert_eq!(fact(&round().await, &format!("delisted:{pair}")), "", "told once");
}

#[tokio::test]
async fn targets_are_found_in_mx_and_spf() {
    use crate::net::testing::zone;
    let (present, absent) = ("2.0.0.127.bl.test. A", "127.0.0.2");
    let server = zone(&[
        (present, absent),
        ("example.test. MX", "10 mx.example.test."),
        ("mx.example.test. A", "192.0.2.1"),
        ("example.test. TXT", "v=spf1 mx include:_spf.example.test ip4:10.0.0.0/8 -all"),
        ("_spf.example.test. TXT", "v=spf1 ip4:192.0.2.8/31 -ip4:192.0.2.66 ?ip4:192.0.2.67 -all"),
        ("9.2.0.192.bl.test. A", "127.0.0.3"),
        ("broken.test. TXT", "v=spf1 ip5:192.0.2.1 -all"),
    ])
    .await;
    let run = async |keys: &str| {
        let keys =
            format!("kind = \"dnsbl\"\nresolver = \"{server}\"\nlists = [\"bl.test\"]\n{keys}");
        let net = crate::probe::trial::plain_net();
        run_for(Duration::from_secs(3), &net, &Table::default(), &keys).await
    };
    let seen = run("spf_of = \"example.test\"").await;
    assert_eq!(word(&seen), "down listed", "{seen:?}");
    assert_eq!(fact(&seen, "addresses"), "192.0.2.1, 192.0.2.8, 192.0.2.9");
    assert_eq!(fact(&seen, "left_out"), "too large: 10.0.0.0/8");
    let seen = run("mx_of = [\"example.test\"]").await;
    assert_eq!((word(&seen).as_str(), fact(&seen, "addresses")), ("up", "192.0.2.1"));
    let check = async |keys: &str, expect: &str| {
        let seen = run(keys).await;
        assert_eq!(word(&seen), expect, "{keys}: {seen:?}");
    };
    check("spf_of = \"nobody.test\"", "unknown spf_missing").await;
    check("spf_of = \"broken.test\"", "unknown spf_invalid").await;
    check("mx_of = \"nobody.test\"", "unknown dns_not_found").await;
    // what is listed is listed, whatever else could not be asked
    check("mx_of = \"nobody.test\"\naddresses = \"192.0.2.9\"", "down listed").await;
}
