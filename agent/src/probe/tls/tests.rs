//! Handshakes with the lab, directly and over SMTP.

use std::net::SocketAddr;

use mailward_lab::{Certificate, Fault, Part};

use super::days_left;
use crate::probe::trial::{Table, fact, lab, plain_net, run, says, word};

fn keys(address: SocketAddr, more: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!("kind = \"tls\"\nhost = \"{ip}\"\nport = {port}\n{more}")
}

#[tokio::test]
async fn directly_and_over_smtp() {
    let (lab, net) = lab().await;
    let none = Table::default();
    let seen = run(&net, &none, &keys(lab.addresses().portal, "")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert!(fact(&seen, "cert_days_left").parse::<i64>().unwrap() > 10_000);
    let seen = run(&net, &none, &keys(lab.addresses().smtp, "starttls = \"smtp\"")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    lab.set(Part::Smtp, Fault::NoStartTls).await.unwrap();
    let seen = run(&net, &none, &keys(lab.addresses().smtp, "starttls = \"smtp\"")).await;
    assert_eq!(word(&seen), "down tls_not_offered");
    let fault = Fault::Certificate(Certificate::SelfSigned);
    lab.set(Part::Smtp, fault).await.unwrap();
    let seen = run(&net, &none, &keys(lab.addresses().smtp, "starttls = \"smtp\"")).await;
    assert_eq!(word(&seen), "down cert_untrusted");
    let exhibit = seen.exhibit.unwrap();
    assert!(!exhibit.certificates.is_empty(), "{exhibit:?}");
}

#[tokio::test]
async fn over_imap_and_pop3() {
    let check = async |bytes: &'static [u8], protocol: &str, expect: &str| {
        let address = says(bytes, true).await;
        let keys = keys(address, &format!("starttls = \"{protocol}\""));
        let seen = run(&plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{}: {seen:?}", String::from_utf8_lossy(bytes));
    };
    check(b"* BYE busy\r\n", "imap", "down service_unavailable").await;
    check(b"* PREAUTH in\r\n", "imap", "down tls_not_offered").await;
    check(b"* OK hi\r\nM1 BAD what\r\n", "imap", "down tls_not_offered").await;
    check(b"* OK hi\r\nM1 OK go\r\n* 1 EXISTS\r\n", "imap", "down protocol_error").await;
    check(b"220 mail\r\n", "imap", "down protocol_error").await;
    check(b"-ERR busy\r\n", "pop3", "down service_unavailable").await;
    check(b"+OK hi\r\n-ERR what\r\n", "pop3", "down tls_not_offered").await;
    check(b"+OK hi\r\n+OK go\r\n+OK more\r\n", "pop3", "down protocol_error").await;
}

#[tokio::test]
async fn plain_text_is_no_handshake() {
    let address = says(b"220 this is not TLS\r\n", true).await;
    let seen = run(&plain_net(), &Table::default(), &keys(address, "")).await;
    assert_eq!(word(&seen), "down tls_handshake", "{seen:?}");
    let address = says(b"", false).await;
    let seen = run(&plain_net(), &Table::default(), &keys(address, "")).await;
    assert_eq!(word(&seen), "down tls_handshake", "{seen:?}");
}

#[tokio::test]
async fn soon_over_is_degraded() {
    // the lab's certificate is good for centuries; one of a few days is made here
    let (pem, address) = crate::net::tls::testing::server_until_days(10).await;
    let net = crate::probe::trial::trusting(&pem);
    let none = Table::default();
    let seen = run(&net, &none, &keys(address, "")).await;
    assert_eq!(word(&seen), "degraded cert_expiring", "{seen:?}");
    assert_eq!(fact(&seen, "cert_days_left"), "9");
    let seen = run(&net, &none, &keys(address, "min_days = 9")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
}

#[test]
fn days_are_whole() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let check = |now: &str, end: &str, expect| assert_eq!(days_left(at(now), at(end)), expect);
    check("2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z", 14);
    check("2026-01-01T00:00:01Z", "2026-01-15T00:00:00Z", 13);
    check("2026-01-15T00:00:01Z", "2026-01-15T00:00:00Z", -1);
}
