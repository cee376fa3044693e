//! Logons to the lab, with accounts and faults of every kind.

use std::time::Duration;

use mailward_lab::{Fault, Lab, Part};

use crate::net::Net;
use crate::probe::trial::{
    Table, answers, fact, good_accounts, lab, plain_net, run, run_for, word,
};
use std::sync::Arc;

async fn visit(lab: &Lab, net: &Arc<Net>, accounts: &Table, more: &str) -> crate::probe::Seen {
    let url = format!("https://{}/owa/", lab.addresses().owa);
    let keys = format!("kind = \"owa\"\nurl = \"{url}\"\n{more}");
    run(net, accounts, &keys).await
}

#[tokio::test]
async fn into_the_mailbox_and_out_again() {
    let (lab, net) = lab().await;
    let accounts = good_accounts();
    let seen = visit(&lab, &net, &accounts, "credential = \"a\"").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "mailbox page");
    assert_eq!(fact(&seen, "logged_off"), "yes");
    assert_eq!(accounts.told(), ["+a"]);
    for phase in ["connect", "tls", "page", "logon", "mailbox", "logoff"] {
        assert!(seen.phases.get(phase).is_some(), "{phase}: {seen:?}");
    }
    let text = format!("{seen:?}");
    assert!(!text.contains("correct") && !text.contains("lab-session"), "{text}");
}

#[tokio::test]
async fn without_a_credential_up_to_the_sign_in_page() {
    let (lab, net) = lab().await;
    let seen = visit(&lab, &net, &Table::default(), "").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "sign-in page");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let cases = [
        (Fault::Maintenance, "down wrong_content"),
        (Fault::Status(503), "down service_unavailable"),
        (Fault::LogonLoop, "down logon_failed"),
        (Fault::LogonReason(1), "down logon_failed"),
        (Fault::LogonReason(3), "down logon_failed"),
        (Fault::LogonReason(4), "unknown credential"),
        (Fault::LogonReason(5), "unknown account_disabled"),
        (Fault::LogonReason(6), "unknown account_disabled"),
        (Fault::RejectLogons, "unknown credential"),
        (Fault::Refuse, "down connect_refused"),
        (Fault::Close, "down connection_lost"),
    ];
    for (fault, expect) in cases {
        lab.set(Part::Owa, fault.clone()).await.unwrap();
        let accounts = good_accounts();
        let seen = visit(&lab, &net, &accounts, "credential = \"a\"").await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
        let told: &[&str] = match fault {
            Fault::RejectLogons => &["-a"],
            _ => &[],
        };
        assert_eq!(accounts.told(), told, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_account_is_tried_once_and_the_second_decides() {
    let (lab, net) = lab().await;
    let mut accounts = good_accounts();
    let wrong = ("probe@example.test".to_owned(), "wrong".to_owned());
    accounts.known.insert("a".to_owned(), wrong);
    let both = "credential = [\"a\", \"b\"]";
    let seen = visit(&lab, &net, &accounts, both).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(accounts.told(), ["-a", "+b"]);
    assert_eq!(lab.account("probe@example.test").unwrap().rejected, 1);

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
    let seen = visit(&lab, &net, &accounts, "credential = \"a\"").await;
    assert_eq!(word(&seen), "unknown credential_held");
    lab.set(Part::Owa, Fault::Status(500)).await.unwrap();
    let seen = visit(&lab, &net, &accounts, "credential = \"a\"").await;
    assert_eq!(word(&seen), "down server_error");
    assert!(accounts.told().is_empty());
}

#[tokio::test]
async fn another_sign_in_gets_no_password() {
    let away = answers(
        &b"HTTP/1.1 302 Found\r\nLocation: https://login.invalid/x\r\nContent-Length: 0\r\n\r\n"[..],
    )
    .await;
    let keys = format!("kind = \"owa\"\nurl = \"http://{away}/owa/\"\ncredential = \"a\"");
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &keys).await;
    assert_eq!(word(&seen), "unknown redirect_refused");
    assert_eq!(fact(&seen, "landed"), "https://login.invalid/x");
    assert!(accounts.told().is_empty());
}

/// A server with the sign-in page whose logon leads to another host.
#[tokio::test]
async fn a_logon_that_leads_away_is_not_followed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let page = "<form action='/owa/auth.owa'><input type='password'></form>";
    let address = crate::probe::trial::server(move |mut stream| async move {
        let mut request = vec![0; 8192];
        while let Ok(count) = stream.read(&mut request).await {
            let answer = match request.first() {
                _ if count == 0 => return,
                Some(b'G') => format!("200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len()),
                _ => "302 Away\r\nLocation: https://away.invalid/\r\nContent-Length: 0\r\n\r\n"
                    .into(),
            };
            let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
        }
    })
    .await;
    let keys = format!("kind = \"owa\"\nurl = \"http://{address}/owa/\"\ncredential = \"a\"");
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &keys).await;
    assert_eq!(word(&seen), "unknown redirect_refused", "{seen:?}");
    assert_eq!(fact(&seen, "landed"), "https://away.invalid/");
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
