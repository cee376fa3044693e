//! Requests as they are written.

use std::time::Duration;

use mailward_catalogue::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::tls::testing::{Made, authority, authority_called, trusting};

/// The address of a server that lets in clients with a certificate of `made` only.
async fn for_clients(made: &Made) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = made.acceptor_for_clients();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let known = stream.get_ref().1.peer_certificates().is_some();
                while matches!(stream.read(&mut [0; 4096]).await, Ok(count) if count > 0) {
                    let status = if known { "200 known" } else { "500 unknown" };
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}

fn identity((certificate, key): (String, String)) -> Identity {
    Identity::read(&Secret::new(certificate), &Secret::new(key)).unwrap()
}

#[tokio::test]
async fn a_certificate_is_shown_to_whom_it_is_meant_for() {
    let (made, stranger) = (authority(), authority_called("another"));
    let net = trusting(&made.pem);
    let here = Url::parse(&format!("https://{}/", for_clients(&made).await)).unwrap();
    let there = Url::parse(&format!("https://{}/", for_clients(&made).await)).unwrap();
    let get = async |client: &mut Client<'_>, url: &Url| {
        let mut trace = Trace::start();
        let answer = client.send(&Ask::get(url.clone()), Phases::Split, &mut trace).await;
        answer.map(|answer| answer.status.as_u16()).map_err(|fault| fault.reason)
    };
    let mut client = Client::new(&net, Deadline::after(Duration::from_secs(10)));
    assert_eq!(get(&mut client, &here).await, Err(Reason::LogonUnsupported));
    let known = identity(made.client());
    client.identify(&here, Some(&known));
    assert_eq!(get(&mut client, &here).await, Ok(200));
    assert_eq!(get(&mut client, &here).await, Ok(200));
    assert_eq!(get(&mut client, &there).await, Err(Reason::LogonUnsupported));
    assert_eq!(get(&mut client, &here).await, Ok(200));
    client.identify(&here, Some(&identity(stranger.client())));
    assert_eq!(get(&mut client, &here).await, Err(Reason::Credential));
    client.identify(&here, None);
    assert_eq!(get(&mut client, &here).await, Err(Reason::LogonUnsupported));
}

#[test]
fn a_certificate_needs_its_own_key() {
    let made = authority();
    let ((certificate, key), (_, other)) = (made.client(), made.client());
    let check = |certificate: &str, key: &str, expect: Option<&str>| {
        let secret = |text: &str| Secret::new(text.to_owned());
        let read = Identity::read(&secret(certificate), &secret(key));
        assert_eq!(read.err().map(|error| error.to_string()).as_deref(), expect);
    };
    check(&certificate, &key, None);
    check("", &key, Some("expected a certificate as PEM, found none"));
    check(&key, &key, Some("expected a certificate as PEM, found none"));
    check(&certificate, "x", Some("expected a private key as PEM, found none"));
    let strange = "expected an RSA, ECDSA or Ed25519 key that belongs to the certificate";
    check(&certificate, &other, Some(strange));
}

#[test]
fn the_request_names_host_and_agent() {
    let url = Url::parse("http://mail.example.org:8080/a b?c=d#e").unwrap();
    let made = request(&Ask::get(url)).unwrap();
    assert_eq!(made.uri(), "/a%20b?c=d");
    assert_eq!(made.headers()[HOST], "mail.example.org:8080");
    assert_eq!(made.headers()[USER_AGENT], AGENT);
    assert_eq!(made.headers()[ACCEPT_ENCODING], "identity");
}
