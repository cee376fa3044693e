//! Sessions of the sink over real connections: what is taken, what is refused, and what a client
//! that means no good gets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailward_evidence::record::Pairs;
use mailward_evidence::{AgentName, SystemClock, Verdict};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;
use crate::metrics::Metrics;
use crate::post::desk::{Desk, Told};
use crate::post::flight::{Flight, Stage};
use crate::post::ledger::Ledger;
use crate::post::token::{Mint, Token, tagged};

const PATIENCE: Duration = Duration::from_secs(30);

fn catalogue() -> mailward_catalogue::Catalogue {
    let text = "[service]\nname=\"x\"\nzone=\"UTC\"\n[[component]]\nid=\"c\"\n\
                [[sink]]\nid=\"s\"\nlisten=\"127.0.0.1:0\"\nhostname=\"sink.test\"\n\
                max_message=\"100 kB\"\n\
                [[probe]]\nid=\"p\"\ncomponent=\"c\"\nkind=\"mail\"\nevery=\"5m\"\n\
                direction=\"outgoing\"\nsend={ host=\"h\", mail_from=\"a@b.test\" }\n\
                receive={ sink=\"s\" }\n";
    let parsed = mailward_catalogue::parse("x.toml", text);
    parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults))
}

struct Bench {
    post: Arc<Post>,
    address: SocketAddr,
    told: mpsc::Receiver<Told>,
    parts: JoinSet<()>,
}

impl Bench {
    async fn new() -> Self {
        let catalogue = catalogue();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sink = Sink::bind(&catalogue.sinks[0]).await.unwrap();
        let address = sink.address().unwrap();
        let agent = AgentName::new("a").unwrap();
        let desk = Desk::new(agent, Ledger::passing(), Vec::new(), Arc::clone(&clock));
        let mint = Mint::passing("a").unwrap();
        let sinks = [sink];
        let metrics = Arc::new(Metrics::new().unwrap());
        let post = Post::new(&catalogue, None, &sinks, mint, desk, metrics).unwrap();
        let post = Arc::new(post);
        let nobody = "127.0.0.1:9".parse().unwrap();
        let net = Arc::new(Net::new(None, Some(nobody)).unwrap());
        let mut parts = JoinSet::new();
        for sink in sinks {
            parts.spawn(sink.run(Arc::clone(&post), Arc::clone(&net), Arc::clone(&clock)));
        }
        let (tell, told) = mpsc::channel(2000);
        let desk = Arc::clone(&post);
        parts.spawn(async move { desk.desk.run(tell, None, None).await });
        Self { post, address, told, parts }
    }

    /// A message that was handed over just now; its token and its address.
    async fn flight(&self, number: i64) -> (Token, String) {
        let token = self.post.mint.make("p", number, 0).unwrap();
        let now = SystemClock.read();
        let flight = Flight {
            token: token.as_str().to_owned(),
            probe: "p".to_owned(),
            due_ms: number,
            attempt: 0,
            next_due_ms: 300_000,
            sent_ms: now.wall.as_millisecond(),
            handed_ms: None,
            timeout_ms: 300_000,
            lost_after_ms: 900_000,
            slow_ms: None,
            routes: vec!["sink:s".to_owned()],
            greylisted: false,
            settled: true,
            phases: Pairs::default(),
            facts: Pairs::default(),
            revision: None,
            stage: Stage::UnderWay,
            told: None,
            arrival: None,
        };
        self.post.desk.begin(flight).await.unwrap();
        self.post.desk.handed(&token, now, false).await;
        let address = tagged("probe@sink.test", &token);
        (token, address)
    }

    async fn talk(&self) -> Talk {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut talk = Talk(BufReader::new(stream));
        assert!(talk.reply().await.starts_with("220 sink.test"));
        talk
    }

    async fn next_told(&mut self) -> mailward_evidence::Outcome {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await.unwrap().unwrap();
        let _ = told.kept.send(());
        told.outcome
    }
}

/// Takes any certificate: whose it is matters to nobody here.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}

struct Talk(BufReader<TcpStream>);

impl Talk {
    async fn reply(&mut self) -> String {
        let reading = async {
            let mut whole = String::new();
            loop {
                let mut line = String::new();
                let count = self.0.read_line(&mut line).await.unwrap();
                whole.push_str(&line);
                if count == 0 || line.as_bytes().get(3) != Some(&b'-') {
                    return whole;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap()
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }
}

#[tokio::test]
async fn a_message_is_taken_and_timed() {
    let mut bench = Bench::new().await;
    let (token, address) = bench.flight(1).await;
    let mut talk = bench.talk().await;
    assert!(talk.say("EHLO client.test").await.contains("SIZE 100000"));
    assert!(talk.say("MAIL FROM:<a@b.test> SIZE=200").await.starts_with("250"));
    assert!(talk.say(&format!("RCPT TO:<{address}>")).await.starts_with("250"));
    assert!(talk.say("DATA").await.starts_with("354"));
    let text = format!("X-Mailward-Id: {}\r\nSubject: x\r\n\r\nhi\r\n.", token.as_str());
    assert!(talk.say(&text).await.starts_with("250"));
    assert!(talk.say("QUIT").await.starts_with("221"));
    let outcome = bench.next_told().await;
    assert_eq!((outcome.verdict, outcome.revision), (Verdict::Up, 0));
    let delivery_s = outcome.delivery_s.unwrap();
    assert!((0.0..30.0).contains(&delivery_s), "{delivery_s}");
    assert_eq!(outcome.facts.get("last_hop_tls").map(AsRef::as_ref), Some("none"));
    assert!(outcome.facts.get("spf").is_some() || outcome.facts.get("origin").is_some());
    // the same once more tells nothing
    let mut talk = bench.talk().await;
    talk.say("EHLO c").await;
    talk.say("MAIL FROM:<>").await;
    talk.say(&format!("RCPT TO:<{address}>")).await;
    talk.say("DATA").await;
    assert!(talk.say(&text).await.starts_with("250"));
    assert!(bench.told.try_recv().is_err());
    drop(bench.parts);
}

#[tokio::test]
async fn what_is_refused() {
    let bench = Bench::new().await;
    let (_, address) = bench.flight(1).await;
    let foreign = Mint::passing("a").unwrap().make("p", 1, 0).unwrap();
    let mut talk = bench.talk().await;
    let check = async |talk: &mut Talk, line: &str, code: &str| {
        let reply = talk.say(line).await;
        assert!(reply.starts_with(code), "{line}: {reply}");
    };
    check(&mut talk, "MAIL FROM:<a@b.test>", "503").await;
    check(&mut talk, "EHLO", "501").await;
    check(&mut talk, "EHLO c.test", "250").await;
    check(&mut talk, "RCPT TO:<a@b.test>", "503").await;
    check(&mut talk, "MAIL FROM:<a@b.test> SIZE=50000000", "552").await;
    check(&mut talk, "MAIL FROM:a@b.test", "501").await;
    check(&mut talk, "MAIL FROM:<a@b.test> SMTPUTF8", "555").await;
    check(&mut talk, "MAIL FROM:<a@b.test> BODY=8BITMIME", "250").await;
    check(&mut talk, "RCPT TO:<probe@sink.test>", "550").await;
    check(&mut talk, &format!("RCPT TO:<{}>", tagged("probe@sink.test", &foreign)), "550").await;
    check(&mut talk, "DATA", "503").await;
    check(&mut talk, &format!("RCPT TO:<{}>", address.to_uppercase()), "250").await;
    check(&mut talk, &"x".repeat(3000), "500").await;
    check(&mut talk, "RSET", "250").await;
    check(&mut talk, "DATA", "503").await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_gone_and_the_session_goes_on() {
    let bench = Bench::new().await;
    let (_, address) = bench.flight(1).await;
    let mut talk = bench.talk().await;
    talk.say("EHLO c").await;
    talk.say("MAIL FROM:<>").await;
    talk.say(&format!("RCPT TO:<{address}>")).await;
    talk.say("DATA").await;
    // 50 MB of one header
    talk.send(b"X-Long: ").await;
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..50 {
        talk.send(&chunk).await;
    }
    talk.send(b"\r\n\r\nx\r\n.\r\n").await;
    assert!(talk.reply().await.starts_with("552 5.3.4"));
    assert!(talk.say("NOOP").await.starts_with("250"));
    assert_eq!(bench.post.desk.len(), 1);
}

#[tokio::test]
async fn whoever_only_makes_mistakes_is_sent_away() {
    let bench = Bench::new().await;
    // ten thousand recipients, pipelined
    let mut talk = bench.talk().await;
    let mut flood = "EHLO c\r\nMAIL FROM:<>\r\n".to_owned();
    for number in 0..10_000 {
        flood.push_str(&format!("RCPT TO:<u{number}@x.test>\r\n"));
    }
    // the other end may close before all of it is written
    let _ = talk.0.write_all(flood.as_bytes()).await;
    let mut all = Vec::new();
    let read = tokio::time::timeout(PATIENCE, talk.0.read_to_end(&mut all)).await;
    let _ = read.expect("the session ends");
    let text = String::from_utf8_lossy(&all);
    assert!(text.matches("550 5.1.1").count() <= 21, "{}", text.len());
    // and what speaks another protocol
    let mut talk = bench.talk().await;
    assert!(talk.say("GET / HTTP/1.1").await.starts_with("421"));
}

#[tokio::test]
async fn commands_ahead_of_the_handshake_are_discarded() {
    use rustls::pki_types::ServerName;
    let mut bench = Bench::new().await;
    let (token, address) = bench.flight(1).await;
    let mut talk = bench.talk().await;
    talk.say("EHLO c").await;
    // RSET would be answered inside TLS if it was kept
    talk.send(b"STARTTLS\r\nEHLO injected\r\nMAIL FROM:<evil@x.test>\r\n").await;
    assert!(talk.reply().await.starts_with("220"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(settings));
    let name = ServerName::try_from("sink.test").unwrap();
    let tls = connector.connect(name, talk.0.into_inner()).await.unwrap();
    let mut tls = BufReader::new(tls);
    let text = format!(
        "MAIL FROM:<a@b.test>\r\nEHLO c.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{address}>\r\n\
         DATA\r\nX-Mailward-Id: {}\r\n\r\nx\r\n.\r\nQUIT\r\n",
        token.as_str()
    );
    tls.write_all(text.as_bytes()).await.unwrap();
    let mut answers = String::new();
    // the server closes without a word of TLS once it said goodbye
    let _ = tokio::time::timeout(PATIENCE, tls.read_to_string(&mut answers)).await.unwrap();
    let codes: Vec<&str> = answers
        .lines()
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .filter_map(|line| line.get(..3))
        .collect();
    assert_eq!(codes, ["503", "250", "250", "250", "354", "250", "221"], "{answers}");
    assert!(!answers.contains("STARTTLS"));
    let outcome = bench.next_told().await;
    assert_eq!(outcome.facts.get("last_hop_tls").map(AsRef::as_ref), Some("TLS 1.3"));
}

#[tokio::test]
async fn a_bounce_that_comes_to_the_sink_is_told() {
    let mut bench = Bench::new().await;
    let (_, address) = bench.flight(1).await;
    let mut talk = bench.talk().await;
    let text = "From: MAILER-DAEMON@x.test\r\nMIME-Version: 1.0\r\n\
                Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
                --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n\
                Final-Recipient: rfc822; n@x\r\nAction: failed\r\nStatus: 5.7.1\r\n\
                Diagnostic-Code: smtp; 554 5.7.1 blocked using zen.spamhaus.org\r\n\r\n--b--\r\n";
    talk.say("EHLO c").await;
    talk.say("MAIL FROM:<>").await;
    talk.say(&format!("RCPT TO:<{address}>")).await;
    talk.say("DATA").await;
    assert!(talk.say(&format!("{text}.")).await.starts_with("250"));
    let outcome = bench.next_told().await;
    assert_eq!(outcome.reason, Some(mailward_evidence::Reason::MailBounced));
    assert_eq!(outcome.facts.get("bounce_class").map(AsRef::as_ref), Some("blocklist"));
}
