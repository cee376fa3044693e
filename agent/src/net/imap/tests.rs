//! Conversations and sessions with servers made for the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a server answers: to a line that ends with the first, the second; `TAG` in it is the
/// line's first word. The empty one is the greeting.
type Script = Vec<(&'static str, Arc<str>)>;

fn script(rules: &[(&'static str, &str)]) -> Script {
    rules.iter().map(|(line, answer)| (*line, Arc::from(*answer))).collect()
}

async fn serve(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(follow(stream, script.clone()));
        }
    });
    address
}

async fn follow(stream: TcpStream, script: Script) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        let wanted = line.trim_end();
        let (tag, command) = wanted.split_once(' ').unwrap_or(("", wanted));
        let fits = |(rule, _): &&(&str, Arc<str>)| *rule == command || *rule == wanted;
        let answer = script.iter().find(fits).map_or("TAG BAD what", |(_, answer)| answer);
        if answer == "(closes)" {
            return;
        }
        let answer = answer.replace("TAG", tag).replace('\n', "\r\n");
        let sent = stream.write_all(format!("{answer}\r\n").as_bytes()).await;
        line.clear();
        let read = stream.read_line(&mut line).await;
        if sent.is_err() || !matches!(read, Ok(count) if count > 0) {
            return;
        }
    }
}

async fn talk(script: Script) -> Conversation {
    let address = serve(script).await;
    let tcp = TcpStream::connect(address).await.unwrap();
    Conversation::new(Stream::Plain(tcp), Deadline::after(Duration::from_secs(20)))
}

fn login(proof: Proof) -> Login {
    Login { username: "probe@x".to_owned(), proof, identity: None }
}

fn password(text: &str) -> Login {
    login(Proof::Password(Secret::new(text.to_owned())))
}

const HELLO: (&str, &str) = ("", "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2] hi");

async fn log_on(rules: &[(&'static str, &str)], login: &Login) -> (String, Option<String>) {
    let mut talk = talk(script(rules)).await;
    let (_, offered) = talk.greeting().await.unwrap();
    let offered = offered.unwrap_or_default();
    let way = Way::choose(&login.proof, &offered).unwrap();
    let mut trace = Trace::start();
    let (answer, _) = talk.log_on(login, way, &offered, &mut trace).await.unwrap();
    assert_eq!((&*answer.said.text, &*answer.said.arguments), ("", ""), "an answer is kept mute");
    let status = trace.noted("token_status").map(str::to_owned);
    (format!("{} {} {}", way.word(), answer.said.status, answer.said.code), status)
}

#[tokio::test]
async fn ways_to_log_on() {
    let check = async |rules: &[(&'static str, &str)], login: &Login, expect: &str| {
        assert_eq!(log_on(rules, login).await.0, expect, "{rules:?}");
    };
    // \0probe@x\0pass
    let message = "AHByb2JlQHgAcGFzcw==";
    let two_steps =
        [HELLO, ("AUTHENTICATE PLAIN", "+"), (message, "M1 OK [CAPABILITY IMAP4rev1] in")];
    check(&two_steps, &password("pass"), "PLAIN OK CAPABILITY").await;
    let at_once = [
        ("", "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi"),
        ("AUTHENTICATE PLAIN AHByb2JlQHgAcGFzcw==", "TAG NO [AUTHENTICATIONFAILED] not pass"),
    ];
    check(&at_once, &password("pass"), "PLAIN NO AUTHENTICATIONFAILED").await;
    let bare = ("", "* OK [CAPABILITY IMAP4rev1] hi");
    let quoted = [bare, ("LOGIN \"probe@x\" \"a\\\"b\\\\c\"", "TAG OK in")];
    check(&quoted, &password("a\"b\\c"), "LOGIN OK ").await;
    let literal =
        [bare, ("LOGIN \"probe@x\" {6}", "+ go on"), ("gr\u{fc}n!", "M1 OK in"), ("x", "y")];
    check(&literal, &password("gr\u{fc}n!"), "LOGIN OK ").await;
    let bye = [bare, ("LOGIN \"probe@x\" \"p\"", "* BYE [UNAVAILABLE] later\nTAG NO no")];
    check(&bye, &password("p"), "LOGIN BYE UNAVAILABLE").await;
    let many = "TAG NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded";
    check(&[bare, ("LOGIN \"probe@x\" \"p\"", many)], &password("p"), "LOGIN NO LIMIT").await;
}

#[tokio::test]
async fn a_refused_token_is_told_by_its_status() {
    let token = login(Proof::Token(Secret::new("ya29".to_owned())));
    let message = sasl::xoauth2("probe@x", &Secret::new("ya29".to_owned())).expose().to_owned();
    let message: &'static str = Box::leak(message.into_boxed_str());
    // {"status":"401"}
    let rules = [
        HELLO,
        ("AUTHENTICATE XOAUTH2", "+ "),
        (message, "+ eyJzdGF0dXMiOiI0MDEifQ=="),
        // the empty line that ends the exchange; the greeting's rule would answer it else
        ("x", ""),
    ];
    let mut script = script(&rules);
    script[0].1 = Arc::from("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hi");
    let mut talk = talk(script).await;
    let (_, offered) = talk.greeting().await.unwrap();
    let mut trace = Trace::start();
    // the script's answer to the empty line is the greeting again, which is no answer to it:
    // what matters here is what was noted before
    talk.until(Deadline::after(Duration::from_millis(300)));
    let _ = talk.log_on(&token, Way::XOAuth2, &offered.unwrap(), &mut trace).await;
    assert_eq!(trace.noted("token_status"), Some("401"));
    assert_eq!(Way::choose(&token.proof, &Capabilities::read("AUTH=PLAIN")), None);
    let bare = Capabilities::read("IMAP4rev1 LOGINDISABLED");
    assert_eq!(Way::choose(&password("p").proof, &bare), None);
}

#[tokio::test]
async fn rubbish_and_floods_end_at_once() {
    let check = async |answer: &str, expect: Reason| {
        let mut talk = talk(script(&[("", "* OK hi"), ("NOOP", answer)])).await;
        talk.greeting().await.unwrap();
        let fault = talk.command("NOOP", "waiting").await.unwrap_err();
        assert_eq!(fault.reason, expect, "{:?}: {fault}", &answer[..answer.len().min(40)]);
    };
    check("HTTP/1.1 400", Reason::ProtocolError).await;
    check("M9 OK another's tag", Reason::ProtocolError).await;
    check("+ go on", Reason::ProtocolError).await;
    check("(closes)", Reason::ConnectionLost).await;
    check("* X {1000000000}", Reason::AnswerTooLarge).await;
    check(&format!("* {}", "(".repeat(101)), Reason::AnswerTooLarge).await;
    check(&format!("* {}", "x".repeat(70_000)), Reason::AnswerTooLarge).await;
    check(&"* 1 EXISTS\n".repeat(10_001), Reason::AnswerTooLarge).await;
}

#[tokio::test]
async fn a_goodbye_is_an_answer() {
    let mut talk = talk(script(&[("", "* OK hi"), ("LOGOUT", "* BYE bye\nTAG OK done")])).await;
    talk.greeting().await.unwrap();
    assert!(talk.log_out().await.unwrap().is_ok());
    let closing = [("", "* OK hi"), ("NOOP", "* BYE [UNAVAILABLE] shutting down"), ("x", "")];
    let mut talk = self::talk(script(&closing)).await;
    talk.greeting().await.unwrap();
    // it says no more; whoever waits is told by the deadline, and told of the goodbye
    talk.until(Deadline::after(Duration::from_millis(300)));
    let answer = talk.command("NOOP", "waiting").await.unwrap();
    assert_eq!((answer.said.status, &*answer.said.code), (Status::Bye, "UNAVAILABLE"));
}
