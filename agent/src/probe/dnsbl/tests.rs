//! Rounds over the lab's lists, good and bad.

use std::net::Ipv4Addr;
use std::time::Duration;

use mailward_lab::{Lab, lists};

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
