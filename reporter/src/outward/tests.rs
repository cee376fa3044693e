//! Where requests go that somebody else chose the address of, and where they never go.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn post(allow_private: bool, url: &str) -> Result<reqwest::Request, OutwardError> {
    let outward = Outward::new(allow_private, None).unwrap();
    outward.post(&url.parse().unwrap()).map(|request| request.build().unwrap())
}

#[tokio::test]
async fn literal_addresses_are_judged_however_they_are_written() {
    // the last of them are 127.0.0.1 in the forms that a URL allows for it
    for url in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://192.168.1.1:8080/x",
        "http://[fd00::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
    ] {
        let refused = post(false, url);
        assert!(matches!(refused, Err(OutwardError::Inward { .. })), "{url}: {refused:?}");
        assert!(post(true, url).is_ok(), "{url}");
    }
    for url in ["http://169.254.169.254/latest/", "http://[fe80::1]/", "http://224.0.0.1/"] {
        for allow_private in [false, true] {
            let refused = post(allow_private, url);
            assert!(matches!(refused, Err(OutwardError::Inward { .. })), "{url}: {refused:?}");
        }
    }
    for url in ["ftp://example.org/", "https://name:hush@example.org/", "mailto:a@example.org"] {
        assert!(matches!(post(true, url), Err(OutwardError::Url)), "{url}");
    }
    assert!(post(false, "https://hooks.example.org/services/hush").is_ok());
}

#[test]
fn a_name_that_leads_in_and_out_is_refused() {
    let outside: IpAddr = "198.51.100.1".parse().unwrap();
    assert!(admit("a.test", &[outside], false).is_ok());
    let mixed = admit("a.test", &[outside, Ipv4Addr::LOCALHOST.into()], false);
    assert_eq!(
        mixed.unwrap_err().to_string(),
        "a.test is 127.0.0.1, this machine; allow_private allows private networks and this machine"
    );
}

#[tokio::test]
async fn names_are_judged_when_they_are_looked_up_and_redirects_stay_where_they_are() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let url = Url::parse(&format!("http://localhost:{port}/hush")).unwrap();
    let refused = Outward::new(false, None).unwrap().post(&url).unwrap().send().await;
    let said = told(refused.unwrap_err());
    assert!(said.contains("localhost is 127.0.0.1, this machine"), "{said}");
    assert!(!said.contains("hush"), "{said}");
    let answer = Outward::new(true, None).unwrap().post(&url).unwrap().send().await;
    assert_eq!(answer.unwrap().status(), 302);
}
