//! Bounces as Postfix, Exim and Exchange write them, classes by status and by words, and bytes
//! that are none of these.

use mail_parser::MessageParser;
use proptest::prelude::*;

use super::*;

fn report(action: &str, status: &str, diagnostic: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mail.test (Mail Delivery System)\r\n\
         Subject: Undelivered Mail Returned to Sender\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nThis is the mail system.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mail.test\r\nArrival-Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n\r\n\
         Final-Recipient: rfc822; nobody@x.test\r\nAction: {action}\r\nStatus: {status}\r\n\
         Diagnostic-Code: {diagnostic}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nX-Mailward-Id: x\r\n\r\n--b--\r\n"
    )
}

fn notice(text: &str) -> Option<(String, String)> {
    let message = MessageParser::default().parse(text.as_bytes())?;
    Some(match read(&message)? {
        Notice::Other => ("other".to_owned(), String::new()),
        Notice::Failed(bounce) => {
            let status = bounce.status.map_or(String::new(), |status| status.to_string());
            (bounce.class.word().to_owned(), status)
        }
    })
}

#[test]
fn delivery_status_notifications() {
    let check = |action: &str, status: &str, diagnostic: &str, expect: (&str, &str)| {
        let got = notice(&report(action, status, diagnostic)).unwrap();
        assert_eq!((got.0.as_str(), got.1.as_str()), expect, "{status} {diagnostic}");
    };
    check("failed", "5.1.1", "smtp; 550 5.1.1 <nobody@x.test>: unknown", ("mailbox", "5.1.1"));
    check("failed (never)", "5.2.2", "smtp; 552 5.2.2 over quota", ("quota", "5.2.2"));
    check("failed", "5.7.1", "smtp; 554 5.7.1 not on our list", ("policy", "5.7.1"));
    let listed = "smtp; 554 5.7.1 Client host [192.0.2.9]\r\n blocked using zen.spamhaus.org";
    check("failed", "5.7.1", listed, ("blocklist", "5.7.1"));
    check("failed", "5.0.0", "smtp; 550 5.1.1 no such user", ("mailbox", "5.1.1"));
    check("failed", "5.4.6", "x-postfix; mail for x.test loops back", ("loop", "5.4.6"));
    check("failed", "5.3.4", "smtp; 552 5.3.4 too big", ("size", "5.3.4"));
    check("failed", "4.4.1", "x-postfix; connect: Connection refused", ("temporary", "4.4.1"));
    let none = "smtp; 550 5.7.0 Message rejected: the limit is 0 recipients";
    check("failed", "5.7.0", none, ("account", "5.7.0"));
    check("delayed", "4.4.1", "x-postfix; connect: Connection refused", ("other", ""));
    check("relayed", "2.0.0", "smtp; 250 2.0.0 ok", ("other", ""));
}

#[test]
fn free_text() {
    let check = |headers: &str, body: &str, expect: Option<(&str, &str)>| {
        let got = notice(&format!("{headers}\r\nSubject: x\r\n\r\n{body}\r\n"));
        let got = got.as_ref().map(|(class, status)| (class.as_str(), status.as_str()));
        assert_eq!(got, expect, "{body}");
    };
    check(
        "From: Mail Delivery System <Mailer-Daemon@exim.test>\r\nX-Failed-Recipients: a@x.test",
        "SMTP error from remote mail server after RCPT TO:<a@x.test>:\r\n550 5.1.1 User unknown",
        Some(("mailbox", "5.1.1")),
    );
    check(
        "From: MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@x.test",
        "Generating server: ex1.x.test\r\n\r\na@x.test\r\nRemote Server returned '550 5.1.10 \
         RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'",
        Some(("mailbox", "5.1.10")),
    );
    check("From: postmaster@x.test", "Your message was delayed.", Some(("other", "")));
    check("From: postmaster@x.test", "Mailbox is full, giving up.", Some(("quota", "")));
    check("From: friend@x.test", "550 5.1.1 I write about errors", None);
}

#[test]
fn what_the_other_server_said_is_kept_for_operators() {
    let text = report("failed", "5.1.1", "smtp; 550 5.1.1 <nobody@x.test>:\r\n    unknown");
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    let Some(Notice::Failed(bounce)) = read(&message) else { panic!("no bounce") };
    assert_eq!(&*bounce.text, "smtp; 550 5.1.1 <nobody@x.test>: unknown");
}

proptest! {
    #[test]
    fn nothing_upsets_it(bytes in any::<Vec<u8>>(), status in ".{0,200}", text in ".{0,200}") {
        if let Some(message) = MessageParser::default().parse(&bytes) {
            let _ = read(&message);
        }
        let made = report("failed", &status, &text);
        if let Some(message) = MessageParser::default().parse(made.as_bytes()) {
            let _ = read(&message);
        }
        let _ = classify(status_in(&text), &text);
    }
}
