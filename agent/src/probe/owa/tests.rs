//! Logons to the lab, with accounts and faults of every kind, and to servers made for a test
//! where it takes more than one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailward_lab::{Fault, Lab, Leads, Part, SignIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::Net;
use crate::probe::Seen;
use crate::probe::trial::{
    Table, answers, fact, good_accounts, lab, plain_net, run, run_for, server, word,
};

const WITH_ACCOUNT: &str = "credential = \"a\"";

async fn visit(lab: &Lab, net: &Arc<Net>, accounts: &Table, more: &str) -> Seen {
    let url = format!("https://{}/owa/", lab.addresses().owa);
    let keys = format!("kind = \"owa\"\nurl = \"{url}\"\n{more}");
    run(net, accounts, &keys).await
}

async fn visit_plain(address: SocketAddr, accounts: &Table, more: &str) -> Seen {
    let keys = format!("kind = \"owa\"\nurl = \"http://{address}/owa/\"\n{more}");
    run(&plain_net(), accounts, &keys).await
}

#[tokio::test]
async fn into_the_inbox_and_out_again() {
    let (lab, net) = lab().await;
    let accounts = good_accounts();
    let seen = visit(&lab, &net, &accounts, WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "to the inbox");
    assert_eq!(fact(&seen, "logged_off"), "yes");
    assert_eq!(fact(&seen, "cookies"), "yes");
    assert_eq!(accounts.told(), ["+a"]);
    let phases: Vec<&str> = seen.phases.iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, ["connect", "inbox", "logoff", "logon", "mailbox", "page", "tls"]);
    let text = format!("{seen:?}");
    assert!(!text.contains("correct") && !text.contains("lab-session"), "{text}");
}

#[tokio::test]
async fn as_deep_as_it_is_told() {
    let (lab, net) = lab().await;
    let seen = visit(&lab, &net, &Table::default(), "").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "to the sign-in page");
    assert_eq!(fact(&seen, "sign_in"), "form");
    lab.set(Part::Owa, Fault::StoreDown).await.unwrap();
    let accounts = good_accounts();
    let mailbox = format!("{WITH_ACCOUNT}\ndepth = \"mailbox\"");
    let seen = visit(&lab, &net, &accounts, &mailbox).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "to the mailbox page");
    assert_eq!(fact(&seen, "logged_off"), "yes");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let leads = Fault::LogonLeads;
    let cases: [(Fault, &str, &[&str]); 25] = [
        (Fault::Maintenance, "down wrong_content", &[]),
        (Fault::Status(503), "down service_unavailable", &[]),
        (Fault::Status(404), "down http_status", &[]),
        (Fault::Flood, "down wrong_content", &[]),
        (Fault::Refuse, "down connect_refused", &[]),
        (Fault::Close, "down connection_lost", &[]),
        (Fault::RejectLogons, "unknown credential", &["-a"]),
        (Fault::LogonLoop, "down logon_failed", &[]),
        (Fault::LogonReason(1), "down logon_failed", &[]),
        (Fault::LogonReason(2), "unknown credential", &["-a"]),
        (Fault::LogonReason(3), "down logon_failed", &[]),
        (Fault::LogonReason(4), "unknown credential", &["-a"]),
        (Fault::LogonReason(5), "unknown account_disabled", &[]),
        (Fault::LogonReason(6), "unknown account_disabled", &[]),
        (leads(Leads::ExpiredPassword), "unknown credential_expired", &["-a"]),
        (leads(Leads::FirstRun), "unknown account_unready", &["+a"]),
        (leads(Leads::FirstRunInPlace), "unknown account_unready", &["+a"]),
        (leads(Leads::TimeOut), "down logon_failed", &[]),
        (leads(Leads::Maintenance), "down wrong_content", &[]),
        (leads(Leads::Options), "up", &["+a"]),
        (leads(Leads::Away), "unknown redirect_refused", &[]),
        (Fault::StoreDown, "down server_error", &["+a"]),
        (Fault::StoreEmpty, "down logon_failed", &["+a"]),
        (Fault::SignIn(SignIn::Browser), "unknown logon_unsupported", &[]),
        (Fault::SignIn(SignIn::Custom), "up", &["+a"]),
    ];
    for (fault, expect, told) in cases {
        lab.set(Part::Owa, fault.clone()).await.unwrap();
        let accounts = good_accounts();
        let seen = visit(&lab, &net, &accounts, WITH_ACCOUNT).await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
        assert_eq!(accounts.told(), told, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_account_is_tried_once_and_the_second_decides() {
    let (lab, net) = lab().await;
    for fault in [None, Some(Fault::SignIn(SignIn::Custom))] {
        match fault {
            Some(fault) => lab.set(Part::Owa, fault).await.unwrap(),
            None => lab.clear(Part::Owa).await,
        }
        let mut accounts = good_accounts();
        let wrong = ("probe@example.test".to_owned(), "wrong".to_owned());
        accounts.known.insert("a".to_owned(), wrong);
        let both = "credential = [\"a\", \"b\"]";
        let before = lab.account("probe@example.test").unwrap().rejected;
        let seen = visit(&lab, &net, &accounts, both).await;
        assert_eq!(word(&seen), "up", "{seen:?}");
        assert_eq!(accounts.told(), ["-a", "+b"]);
        assert_eq!(lab.account("probe@example.test").unwrap().rejected, before + 1);
    }
    let both = "credential = [\"a\", \"b\"]";
    lab.set(Part::Owa, Fault::RejectLogons).await.unwrap();
    let mut accounts = good_accounts();
    let seen = visit(&lab, &net, &accounts, both).await;
    assert_eq!(word(&seen), "unknown credential");
    accounts.proven = vec!["a".to_owned(), "b".to_owned()];
    let seen = visit(&lab, &net, &accounts, both).await;
    assert_eq!(word(&seen), "down auth_rejected");
}

#[tokio::test]
async fn a_held_account_is_not_tried_and_the_page_still_is() {
    let (lab, net) = lab().await;
    let mut accounts = good_accounts();
    accounts.held = vec!["a".to_owned()];
    let seen = visit(&lab, &net, &accounts, WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "unknown credential_held");
    lab.set(Part::Owa, Fault::Status(500)).await.unwrap();
    let seen = visit(&lab, &net, &accounts, WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "down server_error");
    assert!(accounts.told().is_empty());
}

#[tokio::test]
async fn somebody_elses_sign_in_is_judged_up_to_its_page() {
    let (lab, net) = lab().await;
    let strict = format!("{WITH_ACCOUNT}\ndepth = \"inbox\"");
    for (sign_in, way) in
        [(SignIn::OAuth, "oauth"), (SignIn::WsFed, "ws-fed"), (SignIn::Saml, "saml")]
    {
        lab.set(Part::Owa, Fault::SignIn(sign_in)).await.unwrap();
        for (more, expect) in
            [("", "up"), (WITH_ACCOUNT, "up"), (strict.as_str(), "unknown logon_unsupported")]
        {
            let accounts = good_accounts();
            let seen = visit(&lab, &net, &accounts, more).await;
            assert_eq!(word(&seen), expect, "{sign_in:?} {more}: {seen:?}");
            assert_eq!(fact(&seen, "depth"), "to the sign-in page");
            assert_eq!(fact(&seen, "sign_in"), way);
            assert!(seen.phases.get("sign_in").is_some());
            assert!(accounts.told().is_empty());
        }
        for (fault, expect) in [
            (Fault::Maintenance, "down wrong_content"),
            (Fault::Status(500), "down server_error"),
            (Fault::Close, "down connection_lost"),
        ] {
            lab.set(Part::Portal, fault.clone()).await.unwrap();
            let seen = visit(&lab, &net, &Table::default(), "").await;
            assert_eq!(word(&seen), expect, "{sign_in:?} {fault:?}: {seen:?}");
            assert_eq!(fact(&seen, "depth"), "");
        }
        lab.clear(Part::Portal).await;
    }
}

fn found(place: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn page(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

#[tokio::test]
async fn somebody_elses_sign_in_at_another_host() {
    let form = "<form method=post><input name=UserName><input type=password name=Password></form>";
    let sts = answers(page(form)).await;
    let away = answers(found(&format!("http://{sts}/adfs/ls/?wa=wsignin1.0&wctx=x"))).await;
    let accounts = good_accounts();
    for more in ["", WITH_ACCOUNT] {
        let seen = visit_plain(away, &accounts, more).await;
        assert_eq!(word(&seen), "up", "{seen:?}");
        assert_eq!(fact(&seen, "depth"), "to the sign-in page");
        assert_eq!(fact(&seen, "landed"), format!("http://{sts}/adfs/ls/"));
    }
    assert!(accounts.told().is_empty());
    // a form that would send what it holds to a file, or to the machine's link
    for action in ["file:///etc/passwd", "http://169.254.169.254/sso"] {
        let text = format!(
            "<form method=post action='{action}'><input type=hidden name=SAMLRequest value=x></form>"
        );
        let idp = answers(page(&text)).await;
        let seen = visit_plain(idp, &accounts, "").await;
        assert_eq!(word(&seen), "down redirect_refused", "{seen:?}");
    }
    // forms that send themselves in a circle
    let text = "<form method=post action='/a'><input type=hidden name=SAMLRequest value=x></form>";
    let circle = answers(page(text)).await;
    assert_eq!(word(&visit_plain(circle, &accounts, "").await), "down redirect_loop");
}

#[tokio::test]
async fn a_third_partys_sign_in_that_is_out_of_reach() {
    // the net of this test asks a resolver that is not there
    let place = "https://login.microsoftonline.com/common/oauth2/authorize?client_id=1";
    let seen = visit_plain(answers(found(place)).await, &good_accounts(), WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "degraded dns_failure", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "to the way to the sign-in page");
    // a federation of the service's own is part of the service
    let place = "https://sts.invalid/adfs/ls/?wa=wsignin1.0";
    let seen = visit_plain(answers(found(place)).await, &good_accounts(), WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "down dns_not_found", "{seen:?}");
}

#[tokio::test]
async fn a_page_that_sends_by_script() {
    let refused = "HTTP/1.1 302 Found\r\nLocation: /owa/auth/logon.aspx?reason=2\r\n\
                   Content-Length: 0\r\n\r\n";
    for page in [
        "<script>post('auth.owa', {password: 1})</script>",
        "<form action='/owa/auth.owa'><input name=username><input name=password></form>",
    ] {
        let (address, mut posts) = front(page.to_owned(), refused).await;
        let seen = visit_plain(address, &good_accounts(), WITH_ACCOUNT).await;
        assert_eq!(word(&seen), "unknown credential", "{page}: {seen:?}");
        let post = posts.recv().await.unwrap();
        assert!(post.starts_with("POST /owa/auth.owa HTTP/1.1\r\n"), "{post}");
        let body = post.split("\r\n\r\n").nth(1).unwrap();
        assert_eq!(body.matches("username=").count(), 1, "{body}");
        assert_eq!(body.matches("password=").count(), 1, "{body}");
        assert!(body.contains("&password=correct+horse"), "{body}");
    }
}

#[tokio::test]
async fn another_host_gets_no_password() {
    let away = answers(found("https://login.invalid/x")).await;
    let accounts = good_accounts();
    let seen = visit_plain(away, &accounts, WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "unknown redirect_refused");
    assert_eq!(fact(&seen, "landed"), "https://login.invalid/x");
    // without an account to lose, the page is looked at wherever it is
    let form =
        "<form action='/owa/auth.owa' method=post><input name=u><input type=password name=p>";
    let moved = answers(page(form)).await;
    let away = answers(found(&format!("http://{moved}/owa/auth/logon.aspx"))).await;
    let seen = visit_plain(away, &accounts, "").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let seen = visit_plain(away, &accounts, WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "unknown redirect_refused", "{seen:?}");
    assert!(accounts.told().is_empty());
}

/// A server with this page, which answers what is sent to it by `to_post`, and tells what that
/// was.
async fn front(
    form: String,
    to_post: &'static str,
) -> (SocketAddr, tokio::sync::mpsc::Receiver<String>) {
    let (told, posts) = tokio::sync::mpsc::channel(8);
    let address = server(move |mut stream| {
        let (told, form) = (told.clone(), form.clone());
        async move {
            let mut request = vec![0; 16384];
            while let Ok(count) = stream.read(&mut request).await {
                let text = String::from_utf8_lossy(&request[..count]).into_owned();
                let answer = match text.split(' ').next() {
                    Some("GET") => page(&form),
                    Some("POST") => {
                        let _ = told.send(text).await;
                        to_post.as_bytes().to_vec()
                    }
                    _ => return,
                };
                let _ = stream.write_all(&answer).await;
            }
        }
    })
    .await;
    (address, posts)
}

#[tokio::test]
async fn a_form_that_leads_away_gets_no_password() {
    let to = "302 Away\r\nLocation: https://away.invalid/\r\nContent-Length: 0\r\n\r\n";
    let answer: &'static str = Box::leak(format!("HTTP/1.1 {to}").into_boxed_str());
    for (action, method, expect) in [
        ("https://away.invalid/owa/auth.owa", "post", "unknown redirect_refused"),
        ("http://127.0.0.1:9/owa/auth.owa", "post", "unknown redirect_refused"),
        ("/logon", "get", "unknown probe_fault"),
        ("javascript:void(0)", "post", "down redirect_refused"),
    ] {
        let form = format!(
            "<form action='{action}' method={method}><input name=u><input type=password name=p>"
        );
        let (address, mut posts) = front(form, answer).await;
        let accounts = good_accounts();
        let seen = visit_plain(address, &accounts, WITH_ACCOUNT).await;
        assert_eq!(word(&seen), expect, "{action}: {seen:?}");
        assert!(posts.try_recv().is_err(), "{action}");
        assert!(accounts.told().is_empty());
    }
    // a logon that leads away once the password was shown to the right place
    let form =
        "<form action='/owa/auth.owa' method=post><input name=u><input type=password name=p>";
    let (address, mut posts) = front(form.to_owned(), answer).await;
    let seen = visit_plain(address, &good_accounts(), WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "unknown redirect_refused", "{seen:?}");
    assert_eq!(fact(&seen, "landed"), "https://away.invalid/");
    assert!(posts.try_recv().is_ok());
}

#[tokio::test]
async fn the_form_is_sent_as_a_browser_sends_it() {
    let form = "<form action=\"/owa/auth.owa\" method=POST>\
                <input type=hidden name=destination value=\"http://host/owa/?a=1&amp;b=2\">\
                <input type=hidden name=flags value=0><input type=hidden name=__token value=t>\
                <input name=username><input type=password name=password>\
                <input type=checkbox name=chkBsc></form>";
    let refused = "HTTP/1.1 302 Found\r\nLocation: auth/logon.aspx?reason=2\r\n\
                   Content-Length: 0\r\n\r\n";
    let (address, mut posts) = front(form.to_owned(), refused).await;
    let seen = visit_plain(address, &good_accounts(), WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "unknown credential", "{seen:?}");
    let post = posts.recv().await.unwrap();
    let (head, body) = post.split_once("\r\n\r\n").unwrap();
    insta::assert_snapshot!(
        body,
        @"__token=t&destination=http%3A%2F%2Fhost%2Fowa%2F%3Fa%3D1%26b%3D2&flags=4&forcedownlevel=0&passwordText=&isUtf8=1&username=probe%40example.test&password=correct+horse"
    );
    assert!(head.to_ascii_lowercase().contains("\r\ncookie: pback=0\r\n"), "{head}");
    assert!(head.contains("Mozilla/5.0"), "{head}");
}

#[tokio::test]
async fn cookies_and_no_end_of_redirects() {
    // KB 3032024 in its other shape: the address leads to itself for whoever has the cookies
    let address = server(|mut stream| async move {
        let form = "<form action='/owa/auth.owa' method=post><input name=u>\
                    <input type=password name=p></form>";
        let mut request = vec![0; 16384];
        while let Ok(count @ 1..) = stream.read(&mut request).await {
            let text = String::from_utf8_lossy(&request[..count]).into_owned();
            let answer = if text.starts_with("POST") {
                b"HTTP/1.1 302 Found\r\nSet-Cookie: cadata=1; path=/\r\nLocation: /owa/\r\n\
                  Content-Length: 0\r\n\r\n"
                    .to_vec()
            } else if text.contains("cadata=1") {
                found("/owa/")
            } else {
                page(form)
            };
            let _ = stream.write_all(&answer).await;
        }
    })
    .await;
    let accounts = good_accounts();
    let seen = visit_plain(address, &accounts, WITH_ACCOUNT).await;
    assert_eq!(word(&seen), "down redirect_loop", "{seen:?}");
    assert_eq!(fact(&seen, "cookies"), "yes");
    assert!(accounts.told().is_empty());
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let (lab, net) = lab().await;
    lab.set(Part::Owa, Fault::Mute).await.unwrap();
    let url = format!("https://{}/owa/", lab.addresses().owa);
    let keys = format!("kind = \"owa\"\nurl = \"{url}\"");
    let seen = run_for(Duration::from_millis(300), &net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "down timeout", "{seen:?}");
}

#[tokio::test]
async fn what_a_failed_run_keeps_shows_no_mailbox() {
    let (lab, net) = lab().await;
    lab.set(Part::Owa, Fault::Status(503)).await.unwrap();
    let seen = visit(&lab, &net, &good_accounts(), WITH_ACCOUNT).await;
    let exhibit = seen.exhibit.unwrap();
    assert_eq!(exhibit.status.as_deref(), Some("HTTP/1.1 503 Service Unavailable"));
    assert!(exhibit.text.unwrap().contains("Service Unavailable"));
    assert!(!exhibit.certificates.is_empty());
    lab.set(Part::Owa, Fault::StoreEmpty).await.unwrap();
    let seen = visit(&lab, &net, &good_accounts(), WITH_ACCOUNT).await;
    let exhibit = seen.exhibit.unwrap();
    assert_eq!(exhibit.status.as_deref(), Some("HTTP/1.1 200 OK"));
    assert_eq!(exhibit.text, None);
    lab.set(Part::Owa, Fault::StoreDown).await.unwrap();
    let seen = visit(&lab, &net, &good_accounts(), WITH_ACCOUNT).await;
    assert!(seen.exhibit.unwrap().text.unwrap().contains("store"));
    lab.clear(Part::Owa).await;
    let seen = visit(&lab, &net, &good_accounts(), WITH_ACCOUNT).await;
    assert_eq!(seen.exhibit, None);
}
