//! OPTIONS to the lab, with accounts and faults of every kind.

use mailward_lab::{Fault, Part};

use crate::probe::trial::{Table, answers, fact, good_accounts, lab, plain_net, run, word};

#[tokio::test]
async fn versions_with_an_account_and_the_way_in_without() {
    let (lab, net) = lab().await;
    let url = format!("https://{}/Microsoft-Server-ActiveSync", lab.addresses().eas);
    let keys = format!("kind = \"eas\"\nurl = \"{url}\"\n");
    let accounts = good_accounts();
    let seen = run(&net, &accounts, &format!("{keys}credential = \"a\"")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "to the logon");
    assert!(fact(&seen, "eas_versions").contains("16.1"));
    assert_eq!(fact(&seen, "eas_commands"), "23");
    assert_eq!(accounts.told(), ["+a"]);
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "depth"), "to the request for a password");
    assert_eq!(fact(&seen, "logon_by"), "basic");
    let mut held = good_accounts();
    held.held = vec!["a".to_owned()];
    let seen = run(&net, &held, &format!("{keys}credential = \"a\"")).await;
    assert_eq!(word(&seen), "unknown credential_held");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let url = format!("https://{}/Microsoft-Server-ActiveSync", lab.addresses().eas);
    let keys = format!("kind = \"eas\"\nurl = \"{url}\"\ncredential = \"a\"");
    let cases = [
        (Fault::RejectLogons, "unknown credential"),
        (Fault::Status(403), "unknown account_disabled"),
        (Fault::Status(404), "down not_offered"),
        (Fault::Status(501), "down not_offered"),
        (Fault::Status(500), "down server_error"),
        (Fault::Status(503), "down service_unavailable"),
        (Fault::Status(456), "unknown account_disabled"),
        (Fault::Status(457), "unknown credential_expired"),
        (Fault::Maintenance, "down wrong_content"),
        (Fault::Refuse, "down connect_refused"),
    ];
    for (fault, expect) in cases {
        lab.set(Part::Eas, fault.clone()).await.unwrap();
        let accounts = good_accounts();
        let seen = run(&net, &accounts, &keys).await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
        let told = accounts.told();
        assert_eq!(told.len(), usize::from(fault == Fault::RejectLogons));
    }
}

#[tokio::test]
async fn what_only_a_test_server_answers() {
    let check = async |answer: &str, credential: bool, expect: &str, told: &[&str]| {
        let address = answers(answer.as_bytes()).await;
        let mut keys = format!("kind = \"eas\"\nurl = \"http://{address}/\"\n");
        if credential {
            keys.push_str("credential = \"a\"");
        }
        let accounts = good_accounts();
        let seen = run(&plain_net(), &accounts, &keys).await;
        assert_eq!(word(&seen), expect, "{answer:?}: {seen:?}");
        assert_eq!(accounts.told(), told);
    };
    let head = |lines: &str| format!("HTTP/1.1 {lines}\r\nContent-Length: 0\r\n\r\n");
    let bearer = head("401 no\r\nWWW-Authenticate: Bearer realm=\"x\", error=\"y\"");
    check(&bearer, true, "unknown logon_unsupported", &[]).await;
    check(&bearer, false, "up", &[]).await;
    let several = head("401 no\r\nWWW-Authenticate: Negotiate, Basic realm=\"x\"");
    check(&several, true, "unknown credential", &["-a"]).await;
    check(&head("401 no"), false, "down protocol_error", &[]).await;
    let moved = head("451 elsewhere\r\nX-MS-Location: https://eas.example.org/x?User=secret");
    check(&moved, true, "unknown redirect_refused", &[]).await;
    check(&head("200 OK\r\nMS-ASProtocolVersions: none"), true, "down wrong_content", &[]).await;
    // who answers anybody has not looked at the account
    check(&head("200 OK\r\nMS-ASProtocolVersions: 14.1"), true, "up", &[]).await;
    let busy = head("503 busy\r\nRetry-After: Sun, 22 Nov 2026 15:00:00 GMT");
    check(&busy, true, "down service_unavailable", &[]).await;
}

mod deeper;
mod odd;
