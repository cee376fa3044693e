//! Conversations with the lab and with servers that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Grant, OAuth, Secret, SecretRef};
use mailward_lab::{Certificate, Fault, Part, Stage};

use crate::net::oauth::Tokens;
use crate::net::sasl;
use crate::net::tls::testing::{Endpoint, endpoint};
use crate::probe::Seen;
use crate::probe::trial::{
    Table, fact, good_accounts, lab, plain_net, run, run_for, says, server, trusting, until_closed,
    word,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

fn keys(address: SocketAddr, more: &str) -> String {
    format!("kind = \"smtp\"\nhost = \"{}\"\nport = {}\n{more}", address.ip(), address.port())
}

async fn speak(address: SocketAddr, more: &str) -> Seen {
    run(&plain_net(), &Table::default(), &keys(address, more)).await
}

#[tokio::test]
async fn up_to_every_step() {
    let (lab, net) = lab().await;
    let at = *lab.addresses();
    let cases = [
        (at.smtp, "upto = \"banner\"", "banner connect"),
        (at.smtp, "", "banner connect ehlo"),
        (at.smtp, "tls = \"starttls\"", "banner connect ehlo starttls tls"),
        (at.smtps, "tls = \"implicit\"", "banner connect ehlo tls"),
        (
            at.smtp,
            "tls = \"starttls\"\nrcpt_to = \"probe@example.test\"",
            "banner connect ehlo mail rcpt starttls tls",
        ),
        (
            at.submission,
            "tls = \"starttls\"\ncredential = \"a\"",
            "auth banner connect ehlo starttls tls",
        ),
        (
            at.smtps,
            "tls = \"implicit\"\ncredential = \"a\"\nmail_from = \"probe@example.test\"\n\
             rcpt_to = \"x@elsewhere.test\"",
            "auth banner connect ehlo mail rcpt tls",
        ),
    ];
    for (address, more, phases) in cases {
        let accounts = good_accounts();
        let seen = run(&net, &accounts, &keys(address, more)).await;
        assert_eq!(word(&seen), "up", "{more}: {seen:?}");
        let found: Vec<&str> = seen.phases.iter().map(|(phase, _)| phase).collect();
        assert_eq!(found.join(" "), phases, "{more}");
        if more.contains("credential") {
            assert_eq!(accounts.told(), ["+a"], "{more}");
            assert_eq!(fact(&seen, "auth"), "PLAIN");
        }
    }
    assert_eq!(lab.messages(), 0, "no message is ever sent");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let reply = |stage, reply: &str| Fault::SmtpReply { stage, reply: reply.to_owned() };
    let cases = [
        (Fault::Refuse, "down connect_refused"),
        (Fault::Close, "down connection_lost"),
        (Fault::Rubbish, "down protocol_error"),
        (Fault::Flood, "down answer_too_large"),
        (Fault::NoStartTls, "down tls_not_offered"),
        (Fault::Certificate(Certificate::Expired), "down cert_expired"),
        (Fault::Certificate(Certificate::WrongName), "down cert_wrong_name"),
        (reply(Stage::Banner, "421 4.3.2 later"), "down service_unavailable"),
        (reply(Stage::Banner, "554 no"), "down smtp_refused"),
        (reply(Stage::Banner, "220-a\n220-b\n220 c"), "up"),
        (reply(Stage::StartTls, "454 4.7.0 not now"), "down tls_not_offered"),
        (reply(Stage::Mail, "452 4.3.1 full"), "down smtp_temporary"),
        (reply(Stage::Rcpt, "450 4.7.1 greylisted"), "unknown greylisted"),
        (reply(Stage::Rcpt, "550 5.1.1 who"), "unknown recipient_refused"),
    ];
    let more = "tls = \"starttls\"\nrcpt_to = \"probe@example.test\"";
    let keys = keys(lab.addresses().smtp, more);
    for (fault, expect) in cases {
        lab.set(Part::Smtp, fault.clone()).await.unwrap();
        let seen = run(&net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
    }
    for fault in [Fault::Hang, Fault::Drip(Duration::from_millis(60))] {
        lab.set(Part::Smtp, fault.clone()).await.unwrap();
        let timeout = Duration::from_millis(300);
        let seen = run_for(timeout, &net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), "down timeout", "{fault:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let (lab, net) = lab().await;
    let accounts = Table::with(&[("a", "probe@example.test", "wrong")]);
    let more = "tls = \"starttls\"\ncredential = \"a\"";
    let seen = run(&net, &accounts, &keys(lab.addresses().submission, more)).await;
    assert_eq!(word(&seen), "unknown credential", "{seen:?}");
    assert_eq!(fact(&seen, "smtp_code"), "535");
    assert_eq!(fact(&seen, "answer"), "", "an answer to a password is not kept");
    assert_eq!(accounts.told(), ["-a"]);
    assert_eq!(lab.account("probe@example.test").unwrap().rejected, 1);
}

/// A server that answers each command by the first rule that its line begins with.
async fn scripted(rules: &'static [(&'static str, &'static str)]) -> SocketAddr {
    server(move |stream| async move {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        loop {
            let found = rules.iter().find(|(verb, _)| line.starts_with(verb));
            let answer = found.map_or("500 what", |(_, answer)| *answer);
            let answer = format!("{}\r\n", answer.replace('\n', "\r\n"));
            if stream.write_all(answer.as_bytes()).await.is_err() || line.starts_with("QUIT") {
                return;
            }
            line.clear();
            if !matches!(stream.read_line(&mut line).await, Ok(count) if count > 0) {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn old_and_odd_servers() {
    let old = scripted(&[("EHLO", "502 what"), ("HELO", "250 hi"), ("", "220 old")]).await;
    let seen = speak(old, "").await;
    assert_eq!(word(&seen), "up");
    assert_eq!(fact(&seen, "greeting"), "HELO");
    assert_eq!(word(&speak(old, "tls = \"starttls\"").await), "down tls_not_offered");
    let neither = scripted(&[("EHLO", "502 no"), ("HELO", "502 no"), ("", "220 x")]).await;
    assert_eq!(word(&speak(neither, "").await), "down protocol_error");
    let bare = says(b"220 bare line feeds\n250-x\n250 y\n221 bye\n", true).await;
    assert_eq!(word(&speak(bare, "").await), "up");
    let mixed = says(b"220-a\r\n250 b\r\n", true).await;
    assert_eq!(word(&speak(mixed, "").await), "down protocol_error");
    let web = says(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await;
    assert_eq!(word(&speak(web, "").await), "down protocol_error");
}

#[tokio::test]
async fn what_comes_before_the_handshake_is_an_injection() {
    let injecting = scripted(&[
        ("EHLO", "250-x\n250 STARTTLS"),
        ("STARTTLS", "220 go\n250 injected"),
        ("", "220 x"),
    ])
    .await;
    let seen = speak(injecting, "tls = \"starttls\"").await;
    assert_eq!(word(&seen), "down protocol_error", "{seen:?}");
    assert!(!fact(&seen, "injection").is_empty());
}

#[tokio::test]
async fn login_only_where_plain_is_not_offered() {
    let net = plain_net();
    let login = scripted(&[
        ("EHLO", "250-x\n250 AUTH LOGIN CRAM-MD5"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        // probe@example.test, then "correct horse"
        ("cHJvYmVAZXhhbXBsZS50ZXN0", "334 UGFzc3dvcmQ6"),
        ("Y29ycmVjdCBob3JzZQ==", "235 2.7.0 welcome"),
        ("", "220 x"),
    ])
    .await;
    let accounts = good_accounts();
    let seen = run(&net, &accounts, &keys(login, "credential = \"a\"")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "auth"), "LOGIN");
    assert_eq!(accounts.told(), ["+a"]);
    let neither = scripted(&[("EHLO", "250-x\n250 AUTH GSSAPI"), ("", "220 x")]).await;
    let seen = run(&net, &accounts, &keys(neither, "credential = \"a\"")).await;
    assert_eq!(word(&seen), "down not_offered");
}

#[tokio::test]
async fn plain_as_a_challenge() {
    let asks = scripted(&[
        ("EHLO", "250-x\n250 AUTH=PLAIN"),
        ("AUTH PLAIN", "334 "),
        // \0probe@example.test\0correct horse
        ("AHByb2JlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl", "235 welcome"),
        ("", "220 x"),
    ])
    .await;
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &keys(asks, "credential = \"a\"")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert!(!format!("{seen:?}").contains("AHByb2Jl"));
}

#[tokio::test]
async fn a_server_that_closes_in_the_middle() {
    let closes = server(|mut stream| async move {
        let _ = stream.write_all(b"220-half a gree").await;
    })
    .await;
    assert_eq!(word(&speak(closes, "").await), "down connection_lost");
    let slow = server(|mut stream| async move {
        let _ = stream.write_all(b"220 x\r\n").await;
        until_closed(&mut stream).await;
    })
    .await;
    let timeout = Duration::from_millis(200);
    let keys = keys(slow, "");
    let seen = run_for(timeout, &plain_net(), &Table::default(), &keys).await;
    assert_eq!(word(&seen), "down timeout");
    assert!(seen.phases.get("ehlo").is_some(), "the phase it failed in is told");
}

#[tokio::test]
async fn a_token_is_shown_and_its_refusal_told_by_status() {
    let message = sasl::xoauth2("probe@example.test", &Secret::new("ya29.one".to_owned()));
    let good: &'static str = Box::leak(format!("AUTH XOAUTH2 {}", message.expose()).into());
    let check = async |rules: Vec<(&'static str, &'static str)>, expect: &str, status: &str| {
        let address = scripted(Box::leak(rules.into_boxed_slice())).await;
        let endpoint = endpoint(|_| {
            let token = r#"{"access_token":"ya29.one","token_type":"Bearer","expires_in":3600}"#;
            (200, token.to_owned())
        })
        .await;
        let accounts = Table { tokens: Some(tokens_of(&endpoint)), ..good_accounts() };
        let net = trusting(&endpoint.pem);
        let seen = run(&net, &accounts, &keys(address, "credential = \"a\"")).await;
        assert_eq!(word(&seen), expect, "{seen:?}");
        assert_eq!(fact(&seen, "token_status"), status);
        assert!(!format!("{seen:?}").contains("ya29"), "{seen:?}");
        accounts.told()
    };
    let offer = ("EHLO", "250-x\n250 AUTH PLAIN XOAUTH2");
    let told = check(vec![offer, (good, "235 2.7.0 in"), ("", "220 x")], "up", "").await;
    assert_eq!(told, ["+a"]);
    // {"status":"401"}; the empty line that follows is answered by the last rule
    let challenge = ("AUTH XOAUTH2", "334 eyJzdGF0dXMiOiI0MDEifQ==");
    let empty = ("\r\n", "535 5.7.8 no");
    let rules = vec![offer, challenge, empty, ("", "220 x")];
    assert_eq!(check(rules, "unknown credential", "401").await, ["-a"]);
    let plain = ("EHLO", "250-x\n250 AUTH PLAIN");
    let told = check(vec![plain, ("", "220 x")], "down not_offered", "").await;
    assert!(told.is_empty());
}

/// Access tokens from an endpoint made for the test.
fn tokens_of(endpoint: &Endpoint) -> Arc<Tokens> {
    let means = OAuth {
        token_url: format!("https://{}/token", endpoint.address),
        client_id: "x".to_owned(),
        client_secret: None,
        // any secret that is there will do: the endpoint looks at none
        grant: Grant::RefreshToken(SecretRef::File("/proc/self/cmdline".into())),
        scope: None,
    };
    Arc::new(Tokens::new(means, None))
}

#[tokio::test]
async fn a_stranger_that_comes_back_in_time_is_let_in_and_told_apart() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let grey = server(move |stream| {
        let count = count.clone();
        async move {
            let mut stream = BufReader::new(stream);
            let mut answer = "220 x".to_owned();
            loop {
                if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    return;
                }
                let mut line = String::new();
                if !matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
                    return;
                }
                let first = line.starts_with("RCPT")
                    && count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
                let grey = "451 4.7.1 Greylisted, please come back in 1 second";
                answer = if first { grey } else { "250 fine" }.to_owned();
            }
        }
    })
    .await;
    let seen = speak(grey, "rcpt_to = \"probe@example.test\"").await;
    assert_eq!(word(&seen), "degraded greylisted", "{seen:?}");
    assert!(seen.phases.get("greylist").is_some_and(|ms| *ms >= 1000.0), "{seen:?}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert_eq!(word(&speak(grey, "rcpt_to = \"probe@example.test\"").await), "up");
}
