//! Answers as resolvers give them, and how records are compared.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use mailward_lab::{Fault, Part, Rcode};

use super::canonical;
use crate::probe::trial::{Table, fact, lab, run, run_for, word};

#[tokio::test]
async fn answers_and_what_they_say() {
    let (lab, net) = lab().await;
    let resolver = lab.addresses().dns;
    let check = async |keys: &str, expect: &str| {
        let keys = format!("kind = \"dns\"\nresolver = \"{resolver}\"\n{keys}");
        let seen = run(&net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{keys}: {seen:?}");
        seen
    };
    let seen = check("name = \"mail.example.test\"", "up").await;
    assert_eq!(fact(&seen, "answer"), "127.0.0.1");
    assert_eq!(fact(&seen, "rcode"), "NOERROR");
    check("name = \"mail.example.test\"\nexpect = [\"127.0.0.1\"]", "up").await;
    let wrong = "name = \"mail.example.test\"\nexpect = [\"192.0.2.1\"]";
    let seen = check(wrong, "down dns_wrong").await;
    assert_eq!(fact(&seen, "missing"), "192.0.2.1");
    check("name = \"nothing.example.test\"", "down dns_not_found").await;
    check("name = \"example.test\"\ntype = \"MX\"", "up").await;
    lab.set(Part::Dns, Fault::Rcode(Rcode::ServFail)).await.unwrap();
    check("name = \"mail.example.test\"", "down dns_failure").await;
    for (fault, expect) in [(Fault::Rubbish, "down protocol_error"), (Fault::Hang, "down timeout")]
    {
        lab.set(Part::Dns, fault).await.unwrap();
        let name = "name = \"mail.example.test\"";
        let keys = format!("kind = \"dns\"\nresolver = \"{resolver}\"\n{name}");
        let timeout = Duration::from_millis(200);
        let seen = run_for(timeout, &net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{seen:?}");
    }
}

#[tokio::test]
async fn a_resolver_that_is_not_there() {
    let (_lab, net) = lab().await;
    // nobody listens: the kernel says so
    let free = {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.local_addr().unwrap()
    };
    let keys = format!("kind = \"dns\"\nresolver = \"{free}\"\nname = \"a.test\"");
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "down connect_refused", "{seen:?}");
}

#[test]
fn records_are_compared_as_zone_files_mean_them() {
    let check = |kind, a: &str, b: &str| assert_eq!(canonical(kind, a), canonical(kind, b));
    check(RecordType::MX, "10 MX.Example.org.", "10  mx.example.org");
    check(RecordType::AAAA, "2001:DB8:0::1", "2001:db8::1");
    check(RecordType::TXT, "\"v=spf1 \" \"-all\"", "v=spf1 -all");
    check(RecordType::TXT, "\"a \\\" b\"", "a \" b");
    check(RecordType::TLSA, "3 1 1 AB CD", "3 1 1 abcd");
    check(RecordType::CAA, "0 issue \"ca.test\"", "0 issue ca.test");
    assert_ne!(canonical(RecordType::TXT, "V=spf1"), canonical(RecordType::TXT, "v=spf1"));
}
