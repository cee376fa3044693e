//! The lab as a plain client meets it: sockets, TLS and DNS by hand, nothing of the agent's.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mailward_lab::lists;
use mailward_lab::{Certificate, Event, Fault, Lab, LabSettings, Part, Rcode, Script, Stage, Step};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const DEADLINE: Duration = Duration::from_secs(10);

async fn lab() -> Lab {
    Lab::start(LabSettings::default()).await.expect("a lab")
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("an end within the deadline")
}

async fn tls_over(stream: TcpStream, lab: &Lab) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(lab.ca_pem().as_bytes()).expect("a certificate");
    roots.add(root).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mail.example.test").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn tls(address: SocketAddr, lab: &Lab) -> std::io::Result<TlsStream<TcpStream>> {
    tls_over(TcpStream::connect(address).await?, lab).await
}

/// Sends a request and gives back all that comes until the server closes.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, head: &str, body: &str) -> String {
    let request = format!(
        "{head}\r\nHost: mail.example.test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("a request sent");
    let mut answer = Vec::new();
    // the close of a TLS stream may come without its notice
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, lab: &Lab, head: &str) -> String {
    within(async { ask(tls(address, lab).await.expect("TLS"), head, "").await }).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("")
}

fn headers<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or("");
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// Reads one SMTP reply, all its lines.
async fn reply<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = String::new();
    loop {
        let byte = within(stream.read_u8()).await.expect("a reply");
        text.push(char::from(byte));
        let last = text.trim_end().lines().next_back().unwrap_or("");
        if byte == b'\n' && last.as_bytes().get(3) == Some(&b' ') {
            return text.replace("\r\n", "\n").trim_end().to_owned();
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.expect("a command sent");
    reply(stream).await
}

#[tokio::test]
async fn smtp_takes_a_message_over_starttls() {
    let lab = lab().await;
    let mut plain = TcpStream::connect(lab.addresses().smtp).await.expect("a connection");
    assert_eq!(reply(&mut plain).await, "220 mail.example.test ESMTP lab");
    assert!(say(&mut plain, "MAIL FROM:<a@b.test>").await.starts_with("503 "));
    assert!(say(&mut plain, "EHLO client.test").await.contains("\n250 STARTTLS"));
    assert!(say(&mut plain, "STARTTLS").await.starts_with("220 "));
    let mut tls = tls_over(plain, &lab).await.expect("TLS");
    assert!(say(&mut tls, "MAIL FROM:<a@b.test>").await.starts_with("503 "), "RFC 3207 §4.2");
    let hello = say(&mut tls, "EHLO client.test").await;
    assert!(!hello.contains("STARTTLS") && !hello.contains("AUTH"), "{hello}");
    assert!(say(&mut tls, "MAIL FROM:<a@b.test>").await.starts_with("250 2.1.0"));
    assert!(say(&mut tls, "RCPT TO:<nobody@example.test>").await.starts_with("550 5.1.1"));
    assert!(say(&mut tls, "RCPT TO:<x@elsewhere.test>").await.starts_with("554 5.7.1"));
    assert!(say(&mut tls, "DATA").await.starts_with("503 "));
    assert!(say(&mut tls, "RCPT TO:<probe@example.test>").await.starts_with("250 2.1.5"));
    assert!(say(&mut tls, "DATA").await.starts_with("354 "));
    assert!(say(&mut tls, "Subject: x\r\n\r\n..\r\n.").await.starts_with("250 2.0.0"));
    assert!(say(&mut tls, "QUIT").await.starts_with("221 "));
    assert_eq!(lab.messages(), 1);
}

#[tokio::test]
async fn submission_wants_tls_then_a_password() {
    let lab = lab().await;
    let mut plain = TcpStream::connect(lab.addresses().submission).await.expect("a connection");
    reply(&mut plain).await;
    say(&mut plain, "EHLO client.test").await;
    assert!(say(&mut plain, "AUTH PLAIN AHgAeQ==").await.starts_with("530 5.7.0"));
    assert!(say(&mut plain, "MAIL FROM:<a@b.test>").await.starts_with("530 5.7.0"));

    let mut tls = within(tls(lab.addresses().smtps, &lab)).await.expect("TLS");
    reply(&mut tls).await;
    assert!(say(&mut tls, "EHLO client.test").await.contains("\n250 AUTH PLAIN LOGIN"));
    assert!(say(&mut tls, "MAIL FROM:<a@b.test>").await.starts_with("530 5.7.0"));
    // NUL probe@example.test NUL wrong
    let wrong = "AUTH PLAIN AHByb2JlQGV4YW1wbGUudGVzdAB3cm9uZw==";
    assert!(say(&mut tls, wrong).await.starts_with("535 5.7.8"));
    assert_eq!(lab.account("probe@example.test").expect("an account").rejected, 1);
    assert!(say(&mut tls, "AUTH CRAM-MD5").await.starts_with("504 "));
    assert_eq!(say(&mut tls, "AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(say(&mut tls, "cHJvYmVAZXhhbXBsZS50ZXN0").await, "334 UGFzc3dvcmQ6");
    assert!(say(&mut tls, "Y29ycmVjdCBob3JzZQ==").await.starts_with("235 2.7.0"));
    assert!(say(&mut tls, "MAIL FROM:<probe@example.test>").await.starts_with("250 "));
    assert!(say(&mut tls, "RCPT TO:<x@elsewhere.test>").await.starts_with("250 "));
    let seen = lab.account("probe@example.test").expect("an account");
    assert_eq!((seen.accepted, seen.rejected, seen.locked), (1, 0, false));
}

#[tokio::test]
async fn an_account_is_locked_after_too_many_rejections() {
    let lab = lab().await;
    // probe@example.test with the right and with a wrong password
    let right = "OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\n\
                 Authorization: Basic cHJvYmVAZXhhbXBsZS50ZXN0OmNvcnJlY3QgaG9yc2U=";
    let wrong = right.replace("OmNvcnJlY3QgaG9yc2U=", "Ondyb25n");
    let eas = lab.addresses().eas;
    for _ in 0..12 {
        assert_eq!(status(&get(eas, &lab, right).await), "200");
        assert_eq!(status(&get(eas, &lab, &wrong).await), "401");
    }
    for _ in 1..12 {
        get(eas, &lab, &wrong).await;
    }
    assert!(lab.account("probe@example.test").expect("an account").locked);
    assert_eq!(status(&get(eas, &lab, right).await), "401");
    lab.unlock("probe@example.test");
    let answer = get(eas, &lab, right).await;
    assert_eq!(status(&answer), "200");
    assert!(headers(&answer, "MS-ASProtocolVersions")[0].contains("14.1"));
    assert!(headers(&answer, "MS-ASProtocolCommands")[0].contains("FolderSync"));
    let nobody = "OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1";
    assert_eq!(headers(&get(eas, &lab, nobody).await, "WWW-Authenticate").len(), 1);
}

async fn log_on(lab: &Lab, password: &str) -> String {
    let body = format!(
        "destination=https%3A%2F%2Fmail.example.test%2Fowa%2F&flags=4&forcedownlevel=0\
         &username=probe%40example.test&password={password}&passwordText=&isUtf8=1"
    );
    let stream = tls(lab.addresses().owa, lab).await.expect("TLS");
    within(ask(stream, "POST /owa/auth.owa HTTP/1.1", &body)).await
}

async fn with_cookies(lab: &Lab, head: &str, logon: &str) -> String {
    let cookies: Vec<_> =
        headers(logon, "set-cookie").iter().filter_map(|c| c.split(';').next()).collect();
    get(lab.addresses().owa, lab, &format!("{head}\r\nCookie: {}", cookies.join("; "))).await
}

#[tokio::test]
async fn owa_leads_from_the_form_to_the_mailbox_and_out_again() {
    let lab = lab().await;
    let owa = lab.addresses().owa;
    let home = "GET /owa/ HTTP/1.1";
    let answer = get(owa, &lab, home).await;
    assert_eq!(status(&answer), "302");
    let form = headers(&answer, "location")[0].to_owned();
    assert!(form.starts_with("/owa/auth/logon.aspx?url=https%3a%2f%2f"), "{form}");
    assert!(form.ends_with("&reason=0"), "{form}");
    assert!(get(owa, &lab, &format!("GET {form} HTTP/1.1")).await.contains("/owa/auth.owa"));

    let logon = log_on(&lab, "correct+horse").await;
    assert_eq!(headers(&logon, "location"), ["https://mail.example.test/owa/"]);
    assert_eq!(headers(&logon, "set-cookie").len(), 5);
    assert!(with_cookies(&lab, home, &logon).await.contains("window.clientId = '"));
    let data = "POST /owa/sessiondata.ashx?appcacheclient=0 HTTP/1.1";
    assert!(with_cookies(&lab, data, &logon).await.contains("Inbox"));
    assert_eq!(status(&get(owa, &lab, data).await), "440");
    assert_eq!(status(&with_cookies(&lab, "GET /owa/logoff.owa HTTP/1.1", &logon).await), "302");
    assert_eq!(status(&with_cookies(&lab, home, &logon).await), "302");
}

#[tokio::test]
async fn owa_fails_in_the_ways_that_are_documented() {
    let lab = lab().await;
    let home = "GET /owa/ HTTP/1.1";
    assert!(headers(&log_on(&lab, "wrong").await, "location")[0].ends_with("&reason=2"));
    let stream = tls(lab.addresses().owa, &lab).await.expect("TLS");
    let short = within(ask(stream, "POST /owa/auth.owa HTTP/1.1", "username=probe")).await;
    assert_eq!(status(&short), "400");

    lab.set(Part::Owa, Fault::LogonReason(4)).await.expect("a fault");
    assert!(headers(&log_on(&lab, "correct+horse").await, "location")[0].ends_with("&reason=4"));
    lab.set(Part::Owa, Fault::LogonLoop).await.expect("a fault");
    let logon = log_on(&lab, "correct+horse").await;
    assert_eq!(headers(&logon, "set-cookie").len(), 5, "cookies are no proof");
    assert_eq!(status(&with_cookies(&lab, home, &logon).await), "302");
    lab.set(Part::Owa, Fault::StoreDown).await.expect("a fault");
    let data = "POST /owa/sessiondata.ashx HTTP/1.1";
    assert_eq!(status(&with_cookies(&lab, data, &logon).await), "500");
    lab.clear(Part::Owa).await;
    assert_eq!(status(&with_cookies(&lab, home, &logon).await), "200");
}

#[tokio::test]
async fn health_pages_close_when_unwell() {
    let lab = lab().await;
    let health = lab.addresses().health;
    let page = |protocol: &str| format!("GET /{protocol}/healthcheck.htm HTTP/1.1");
    for protocol in ["owa", "ews", "Microsoft-Server-ActiveSync"] {
        let answer = get(health, &lab, &page(protocol)).await;
        assert!(answer.ends_with("\r\n\r\n200 OK<br/>LABEX01.example.test"), "{answer}");
    }
    assert_eq!(status(&get(health, &lab, &page("nothing")).await), "404");
    lab.set(Part::Health, Fault::Unhealthy("ews".to_owned())).await.expect("a fault");
    assert_eq!(get(health, &lab, &page("ews")).await, "");
    assert_eq!(status(&get(health, &lab, &page("owa")).await), "200");
    lab.set(Part::Health, Fault::Close).await.expect("a fault");
    assert_eq!(get(health, &lab, &page("owa")).await, "");
}

#[tokio::test]
async fn pages_fail_with_statuses_redirects_and_floods() {
    let lab = lab().await;
    let http = |path: &'static str| {
        let address = lab.addresses().http;
        async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            within(ask(stream, &format!("GET {path} HTTP/1.1"), "")).await
        }
    };
    assert!(http("/").await.contains("Portal"));
    assert_eq!(status(&http("/status/418").await), "418");
    assert_eq!(headers(&http("/redirect/2").await, "location"), ["/redirect/1"]);
    assert_eq!(headers(&http("/loop").await, "location"), ["/loop"]);
    assert_eq!(headers(&http("/secure").await, "location"), ["https://mail.example.test/"]);
    assert_eq!(status(&http("/missing").await), "404");
    lab.set(Part::Portal, Fault::Status(503)).await.expect("a fault");
    assert_eq!(headers(&http("/").await, "retry-after"), ["30"]);
    lab.set(Part::Portal, Fault::Maintenance).await.expect("a fault");
    let page = http("/").await;
    assert!(status(&page) == "200" && page.contains("maintenance"), "{page}");
    lab.set(Part::Portal, Fault::Flood).await.expect("a fault");
    let mut stream = TcpStream::connect(lab.addresses().http).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a request sent");
    let mut some = vec![0; 1 << 20];
    within(stream.read_exact(&mut some)).await.expect("a megabyte and no end");
}

#[tokio::test]
async fn a_refused_port_refuses_and_comes_back() {
    let lab = lab().await;
    let addresses = *lab.addresses();
    for part in [Part::Smtp, Part::Owa, Part::Portal] {
        let address = match part {
            Part::Smtp => addresses.smtp,
            Part::Owa => addresses.owa,
            _ => addresses.http,
        };
        for _ in 0..3 {
            TcpStream::connect(address).await.expect("open");
            lab.set(part, Fault::Refuse).await.expect("a fault");
            let error = TcpStream::connect(address).await.expect_err("refused");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{part}");
            lab.clear(part).await;
        }
        TcpStream::connect(address).await.expect("open again");
    }
}

#[tokio::test]
async fn connections_hang_drip_and_talk_rubbish() {
    let lab = lab().await;
    let address = lab.addresses().smtp;
    let mut byte = [0; 1];
    lab.set(Part::Smtp, Fault::Hang).await.expect("a fault");
    let mut hanging = TcpStream::connect(address).await.expect("a connection");
    let silent = tokio::time::timeout(Duration::from_millis(100), hanging.read(&mut byte)).await;
    assert!(silent.is_err(), "a byte came");

    lab.set(Part::Smtp, Fault::Drip(Duration::from_millis(1))).await.expect("a fault");
    let mut dripping = TcpStream::connect(address).await.expect("a connection");
    let mut some = [0; 12];
    within(dripping.read_exact(&mut some)).await.expect("bytes");
    assert_eq!(&some, b"220-aaaaaaaa");

    lab.set(Part::Smtp, Fault::Rubbish).await.expect("a fault");
    let mut rubbish = TcpStream::connect(address).await.expect("a connection");
    within(rubbish.read_exact(&mut some)).await.expect("bytes");
    assert!(!some.starts_with(b"220"));

    lab.set(Part::Smtp, Fault::Close).await.expect("a fault");
    let mut closed = TcpStream::connect(address).await.expect("a connection");
    assert_eq!(within(closed.read(&mut byte)).await.expect("an end"), 0);

    lab.set(Part::Owa, Fault::Rubbish).await.expect("a fault");
    assert!(within(tls(lab.addresses().owa, &lab)).await.is_err());
    lab.set(Part::Owa, Fault::Mute).await.expect("a fault");
    let mut mute = within(tls(lab.addresses().owa, &lab)).await.expect("TLS");
    mute.write_all(b"GET /owa/ HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a request sent");
    let silent = tokio::time::timeout(Duration::from_millis(100), mute.read(&mut byte)).await;
    assert!(silent.is_err(), "a byte came");
}

#[tokio::test]
async fn bad_certificates_are_refused_for_their_own_reasons() {
    let lab = lab().await;
    let check = async |certificate: Certificate, expect: &str| {
        lab.set(Part::Portal, Fault::Certificate(certificate)).await.expect("a fault");
        let error = within(tls(lab.addresses().portal, &lab)).await.expect_err("refused");
        assert!(error.to_string().contains(expect), "{certificate:?}: {error}");
    };
    check(Certificate::Expired, "expired").await;
    check(Certificate::NotYetValid, "not valid yet").await;
    check(Certificate::WrongName, "not valid for name").await;
    check(Certificate::SelfSigned, "UnknownIssuer").await;
    lab.clear(Part::Portal).await;
    within(tls(lab.addresses().portal, &lab)).await.expect("TLS");
}

#[tokio::test]
async fn smtp_replies_are_what_the_fault_says() {
    let lab = lab().await;
    let address = lab.addresses().smtp;
    let fault = |stage, reply: &str| Fault::SmtpReply { stage, reply: reply.to_owned() };
    lab.set(Part::Smtp, fault(Stage::Banner, "554-go\n554 away")).await.expect("a fault");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    assert_eq!(reply(&mut stream).await, "554-go\n554 away");
    assert_eq!(within(stream.read(&mut [0; 1])).await.expect("an end"), 0);

    lab.set(Part::Smtp, fault(Stage::StartTls, "454 4.7.0 TLS not available")).await.expect("ok");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    reply(&mut stream).await;
    say(&mut stream, "EHLO client.test").await;
    assert_eq!(say(&mut stream, "STARTTLS").await, "454 4.7.0 TLS not available");

    lab.set(Part::Smtp, Fault::NoStartTls).await.expect("a fault");
    assert!(!say(&mut stream, "EHLO client.test").await.contains("STARTTLS"));
    assert!(say(&mut stream, "STARTTLS").await.starts_with("502 "));

    lab.set(Part::Smtp, fault(Stage::Ehlo, "421 4.3.2 closing")).await.expect("a fault");
    assert_eq!(say(&mut stream, "EHLO client.test").await, "421 4.3.2 closing");
    assert_eq!(within(stream.read(&mut [0; 1])).await.expect("an end"), 0);

    lab.clear(Part::Smtp).await;
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    reply(&mut stream).await;
    assert!(say(&mut stream, &"x".repeat(20_000)).await.starts_with("500 "));
}

#[tokio::test]
async fn faults_that_mean_nothing_are_refused() {
    let lab = lab().await;
    let check = async |part, fault| {
        assert!(lab.set(part, fault).await.is_err(), "{part}");
    };
    check(Part::Dnsbl, Fault::Refuse).await;
    check(Part::Portal, Fault::StoreDown).await;
    check(Part::Smtp, Fault::Status(503)).await;
    check(Part::Health, Fault::Rcode(Rcode::ServFail)).await;
    assert!(lab.list("192.0.2.1", "no.such.list", Ipv4Addr::LOCALHOST, "").is_err());
}

/// Asks for an A record and gives back the response code and the last four bytes.
async fn look_up(address: SocketAddr, name: &str) -> (u8, [u8; 4]) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
    let mut query = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).expect("a short label"));
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send_to(&query, address).await.expect("a query sent");
    let mut answer = [0; 512];
    let length = within(socket.recv(&mut answer)).await.expect("an answer");
    assert_eq!(answer[..2], [7, 7], "the query's id");
    let tail = answer[length - 4..length].try_into().expect("four bytes");
    (answer[3] & 0x0f, tail)
}

#[tokio::test]
async fn dns_answers_for_the_domain_and_the_lists() {
    let lab = lab().await;
    let (dns, dnsbl) = (lab.addresses().dns, lab.addresses().dnsbl);
    assert_eq!(look_up(dns, "mail.example.test").await, (0, [127, 0, 0, 1]));
    assert_eq!(look_up(dns, "nobody.example.test").await.0, 3);
    assert_eq!(look_up(dns, "elsewhere.invalid").await.0, 5);
    assert_eq!(look_up(dnsbl, "2.0.0.127.bl.lists.test").await, (0, [127, 0, 0, 2]));
    assert_eq!(look_up(dnsbl, "25.2.0.192.bl.lists.test").await.0, 3);
    let code = Ipv4Addr::new(127, 0, 0, 4);
    lab.list("192.0.2.25", lists::BLOCKLIST, code, "spam").expect("a listing");
    assert_eq!(look_up(dnsbl, "25.2.0.192.bl.lists.test").await, (0, [127, 0, 0, 4]));
    lab.set(Part::Dnsbl, Fault::Rcode(Rcode::ServFail)).await.expect("a fault");
    assert_eq!(look_up(dnsbl, "25.2.0.192.bl.lists.test").await.0, 2);
    assert_eq!(look_up(dns, "mail.example.test").await.0, 0, "another part");
    lab.clear_all().await;
    assert_eq!(look_up(dnsbl, "25.2.0.192.bl.lists.test").await.0, 3);
}

#[tokio::test]
async fn a_script_is_played_in_order() {
    let lab = lab().await;
    let step = |at_ms, event, says: &str| Step {
        at: Duration::from_millis(at_ms),
        event,
        says: says.to_owned(),
    };
    let script = Script::new(
        vec![
            step(20, Event::Clear(Part::Owa), "and back"),
            step(0, Event::Set(Part::Owa, Fault::Status(500)), "owa fails"),
        ],
        None,
    );
    let mut told = Vec::new();
    within(lab.play(&script, |step| told.push(step.says.clone()))).await.expect("a script");
    assert_eq!(told, ["owa fails", "and back"]);
    assert_eq!(status(&get(lab.addresses().owa, &lab, "GET /owa/ HTTP/1.1").await), "302");
}
