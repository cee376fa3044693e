//! Handshakes of kinds that the lab does not make: old versions, no resumption, short lives.

use std::time::Duration;

use mailward_evidence::Reason;
use tokio::io::AsyncReadExt;

use super::testing::{Made, authority, serve, trusting};
use super::{Deadline, Inside, Net, Trace};

async fn shake(net: &Net, address: std::net::SocketAddr, trace: &mut Trace) -> Result<(), Reason> {
    let deadline = Deadline::after(Duration::from_secs(5));
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    let secured = net.secure(tcp, "localhost", Inside::Other, deadline, trace).await;
    let mut stream = secured.map_err(|fault| fault.reason)?;
    // a TLS 1.3 ticket comes with the first bytes
    let _ = stream.read(&mut [0; 16]).await;
    Ok(())
}

#[tokio::test]
async fn old_and_new_versions_are_told() {
    let made = authority();
    let net = trusting(&made.pem);
    for (versions, expect) in
        [(&[&rustls::version::TLS12][..], "TLS 1.2"), (&[&rustls::version::TLS13][..], "TLS 1.3")]
    {
        let address = serve(&made, made.leaf(3650), versions).await.address;
        let mut trace = Trace::start();
        assert_eq!(shake(&net, address, &mut trace).await, Ok(()));
        assert_eq!(trace.noted("tls_version"), Some(expect));
        assert!(trace.noted("tls_cipher").is_some_and(|c| c.starts_with("TLS")));
        assert_eq!(trace.noted("cert_chain"), Some("1"));
    }
}

#[tokio::test]
async fn every_handshake_is_a_full_one() {
    let made = authority();
    let net = trusting(&made.pem);
    let mut server = serve(&made, made.leaf(3650), rustls::ALL_VERSIONS).await;
    for _ in 0..3 {
        assert_eq!(shake(&net, server.address, &mut Trace::start()).await, Ok(()));
        let kind = server.handshakes.recv().await.unwrap();
        assert_ne!(kind, Some(rustls::HandshakeKind::Resumed));
        assert!(kind.is_some());
    }
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    let made: Made = authority();
    let server = serve(&made, made.leaf(3650), rustls::ALL_VERSIONS).await;
    let net = trusting(&authority().pem);
    let mut trace = Trace::start();
    let shaken = shake(&net, server.address, &mut trace).await;
    assert_eq!(shaken, Err(Reason::CertUntrusted));
    assert_eq!(trace.noted("cert_subject"), Some("CN=localhost"));
    assert!(trace.noted("cert_refused").is_some());
    let exhibit = trace.take_exhibit().unwrap();
    let shown = &exhibit.certificates[0];
    assert_eq!((&*shown.subject, shown.sha256.len()), ("CN=localhost", 64));
    assert!(shown.names.iter().any(|name| &**name == "localhost"), "{shown:?}");
    assert!(shown.not_before < shown.not_after);
}

#[test]
fn trust_must_be_certificates() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let net = Net::new(Some(file.path()), None);
    assert!(matches!(net, Err(super::NetError::TrustEmpty(_))), "{net:?}");
    let net = Net::new(Some(std::path::Path::new("/nonexistent.pem")), None);
    assert!(matches!(net, Err(super::NetError::Trust { .. })), "{net:?}");
}
