//! Pools and names with several addresses, on loopback addresses of their own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::net::testing::zone;
use crate::probe::trial::{Table, fact, good_accounts, plain_net, run, word};

/// A web server at `address` that answers every request with `status` and the request itself;
/// gives its port and how many it has answered.
async fn web(address: &str, port: u16, status: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let Ok(read) = stream.read(&mut request).await else { continue };
            counted.fetch_add(1, Ordering::Relaxed);
            let head = format!(
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                 Connection: close\r\nContent-Length: {read}\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&request[..read]).await;
        }
    });
    (port, count)
}

fn keys(port: u16, addresses: &str) -> String {
    format!(
        "kind = \"http\"\nurl = \"http://mail.example.test:{port}/\"\n\
         expect_body = \"(?i)host: mail.example.test\"\naddresses = {addresses}"
    )
}

#[tokio::test]
async fn a_pool_goes_on_without_one_of_its_members() {
    let (port, one) = web("127.0.0.1", 0, "200 OK").await;
    let (_, two) = web("127.0.0.2", port, "200 OK").await;
    web("127.0.0.3", port, "500 Broken").await;
    let check = async |addresses: &str, expect: &str, told: &str| {
        let seen = run(&plain_net(), &Table::default(), &keys(port, addresses)).await;
        assert_eq!(word(&seen), expect, "{addresses}: {seen:?}");
        assert_eq!(fact(&seen, "addresses"), told);
        seen
    };
    check("[\"127.0.0.1\", \"127.0.0.2\"]", "up", "127.0.0.1 up, 127.0.0.2 up").await;
    assert_eq!((one.load(Ordering::Relaxed), two.load(Ordering::Relaxed)), (1, 1));
    let told = "127.0.0.1 up, 127.0.0.3 down server_error, 127.0.0.4 down connect_refused";
    let list = "[\"127.0.0.1\", \"127.0.0.3\", \"127.0.0.4\"]";
    let seen = check(list, "degraded server_error", told).await;
    assert_eq!(fact(&seen, "address"), SocketAddr::from(([127, 0, 0, 3], port)).to_string());
    let told = "127.0.0.3 down server_error, 127.0.0.4 down connect_refused";
    check("[\"127.0.0.4\", \"127.0.0.3\"]", "down server_error", told).await;
}

#[tokio::test]
async fn each_address_of_a_name_must_do() {
    let (port, _) = web("127.0.0.1", 0, "200 OK").await;
    let (_, second) = web("127.0.0.2", port, "200 OK").await;
    let check = async |records: &[(&str, &str)], expect: &str, told: &str| {
        let net = Arc::new(Net::new(None, Some(zone(records).await)).unwrap());
        let seen = run(&net, &Table::default(), &keys(port, "\"each\"")).await;
        assert_eq!(word(&seen), expect, "{seen:?}");
        assert_eq!(fact(&seen, "addresses"), told);
        assert!(seen.phases.get("dns").is_some(), "{seen:?}");
    };
    let name = "mail.example.test. A";
    let both = [(name, "127.0.0.1"), (name, "127.0.0.2")];
    check(&both, "up", "127.0.0.1 up, 127.0.0.2 up").await;
    assert_eq!(second.load(Ordering::Relaxed), 1);
    let told = "127.0.0.1 up, 127.0.0.9 down connect_refused";
    check(&[(name, "127.0.0.1"), (name, "127.0.0.9")], "down connect_refused", told).await;
    check(&[("other.test. A", "127.0.0.1")], "down dns_not_found", "").await;
}

#[tokio::test]
async fn one_rejection_ends_the_logons_of_a_run() {
    let (port, first) = web("127.0.0.1", 0, "401 Unauthorized").await;
    let (_, second) = web("127.0.0.2", port, "401 Unauthorized").await;
    let eas = format!(
        "kind = \"eas\"\nurl = \"http://mail.example.test:{port}/Microsoft-Server-ActiveSync\"\n\
         credential = \"a\"\naddresses = [\"127.0.0.1\", \"127.0.0.2\"]"
    );
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &eas).await;
    assert_eq!(word(&seen), "unknown credential", "{seen:?}");
    assert_eq!(fact(&seen, "addresses"), "127.0.0.1 unknown credential, 127.0.0.2 not tried");
    assert_eq!(accounts.told(), ["-a"]);
    assert!(first.load(Ordering::Relaxed) > 0);
    assert_eq!(second.load(Ordering::Relaxed), 0);
}

#[test]
fn what_one_address_means_for_all() {
    use Verdict::{Degraded, Down, Unknown, Up};
    let check = |verdicts: &[Verdict], of_name: Verdict, of_pool: Verdict| {
        assert_eq!(decide(&Members::OfName, verdicts).0, of_name, "name: {verdicts:?}");
        assert_eq!(decide(&Members::OfPool(vec![]), verdicts).0, of_pool, "pool: {verdicts:?}");
    };
    check(&[Up, Up], Up, Up);
    check(&[Up, Degraded], Degraded, Degraded);
    check(&[Up, Down], Down, Degraded);
    check(&[Down, Down], Down, Down);
    check(&[Up, Unknown], Unknown, Unknown);
    check(&[Down, Unknown], Down, Unknown);
    check(&[Up, Down, Unknown], Down, Degraded);
    check(&[Degraded, Down], Down, Degraded);
}
