//! The inbox in the lab's Graph, with tokens of the lab's endpoint.

use mailward_catalogue::{Grant, OAuth, SecretRef};
use mailward_lab::{Fault as Trouble, Lab, Part};

use super::*;
use crate::net::oauth::Tokens;
use crate::probe::trial::{Table, answers, fact, good_accounts, lab, plain_net, run, word};

fn keys(lab: &Lab, more: &str) -> String {
    // the account is declared with a password in the trial's definition, so it stands here anew
    let outlook = lab.addresses().outlook;
    format!(
        "kind = \"graph\"\nurl = \"https://{outlook}\"\ncredential = \"t\"\n{more}\n\
         [[credential]]\nid = \"t\"\nusername = \"probe@example.test\"\n\
         oauth = {{ token_url = \"https://{outlook}/oauth2/token\", client_id = \"lab-client\", \
         refresh_token = {{ env = \"NOT_READ_IN_TESTS\" }} }}"
    )
}

fn with(tokens: Tokens) -> Table {
    let known = [("t", "probe@example.test", "")];
    Table { tokens: Some(Arc::new(tokens)), ..Table::with(&known) }
}

/// Accounts whose tokens are the client's own, or their owner's.
fn accounts(lab: &Lab, of_client: bool) -> (Table, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    };
    let means = OAuth {
        token_url: format!("https://{}/oauth2/token", lab.addresses().outlook),
        client_id: "lab-client".to_owned(),
        client_secret: Some(place("client", "lab-client-secret")),
        grant: if of_client {
            Grant::ClientCredentials
        } else {
            Grant::RefreshToken(place("refresh", "lab-refresh-0"))
        },
        scope: None,
    };
    (with(Tokens::new(means, Some(home.path().join("kept")))), home)
}

#[tokio::test]
async fn the_inbox_of_the_client_and_of_the_owner() {
    let (lab, net) = lab().await;
    let (client, _home) = accounts(&lab, true);
    let seen = run(&net, &client, &keys(&lab, "")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!((fact(&seen, "depth"), fact(&seen, "messages")), ("to the inbox", "42"));
    assert!(seen.phases.get("token").is_some() && seen.phases.get("folder").is_some());
    assert_eq!(client.told(), ["+t"]);
    let seen = run(&net, &client, &keys(&lab, "mailbox = \"nobody@example.test\"")).await;
    assert_eq!(word(&seen), "unknown account_disabled", "{seen:?}");
    assert_eq!(fact(&seen, "graph_code"), "ErrorInvalidUser");
    // refresh tokens are good once at the lab, so the second start needs the one that was kept
    let (owner, _home) = accounts(&lab, false);
    assert_eq!(word(&run(&net, &owner, &keys(&lab, "")).await), "up");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let code = |code: &str| Trouble::Code(code.to_owned());
    let cases = [
        (code("ErrorAccessDenied"), "unknown account_disabled"),
        (code("MailboxNotEnabledForRESTAPI"), "unknown account_disabled"),
        (code("TooManyRequests"), "unknown too_often"),
        (code("ErrorMailboxMoveInProgress"), "unknown in_use"),
        (code("generalException"), "down server_error"),
        (Trouble::RejectLogons, "unknown credential"),
        (Trouble::Status(404), "down not_offered"),
        (Trouble::Status(503), "down service_unavailable"),
        (Trouble::Status(504), "down service_unavailable"),
        (Trouble::Status(502), "down server_error"),
        (Trouble::Maintenance, "down wrong_content"),
        (Trouble::Mute, "down timeout"),
    ];
    for (trouble, expect) in cases {
        lab.set(Part::Outlook, trouble.clone()).await.unwrap();
        let (accounts, _home) = accounts(&lab, true);
        let span = std::time::Duration::from_secs(2);
        let seen = crate::probe::trial::run_for(span, &net, &accounts, &keys(&lab, "")).await;
        assert_eq!(word(&seen), expect, "{trouble:?}: {seen:?}");
        let told = format!("{seen:?}");
        assert!(!told.contains("lab-access") && !told.contains("lab-client-secret"), "{told}");
    }
    lab.clear(Part::Outlook).await;
    for (word_of_endpoint, expect) in
        [("invalid_client", "unknown credential"), ("server_error", "unknown token_unavailable")]
    {
        lab.set(Part::Token, code(word_of_endpoint)).await.unwrap();
        let (accounts, _home) = accounts(&lab, true);
        let seen = run(&net, &accounts, &keys(&lab, "")).await;
        assert_eq!(word(&seen), expect, "{seen:?}");
    }
}

#[tokio::test]
async fn what_only_a_test_server_answers() {
    let check = async |status: &str, body: &str, expect: &str| {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        let address = answers(answer.as_bytes()).await;
        let keys = format!(
            "kind = \"graph\"\nurl = \"http://{address}/v1.0/\"\ncredential = \"t\"\n\
             [[credential]]\nid = \"t\"\nusername = \"probe@example.test\"\n\
             oauth = {{ token_url = \"https://x.test/\", client_id = \"c\", \
             refresh_token = {{ env = \"NOT_READ_IN_TESTS\" }} }}"
        );
        // a password in its place: what is shown is not what is judged here
        let accounts = Table::with(&[("t", "probe@example.test", "x")]);
        let seen = run(&plain_net(), &accounts, &keys).await;
        assert_eq!(word(&seen), expect, "{answer:?}: {seen:?}");
    };
    check("200 OK", "{\"id\":\"a\"}", "up").await;
    check("200 OK", "{\"id\":7}", "down wrong_content").await;
    check("200 OK", &"[".repeat(100_000), "down wrong_content").await;
    check("403 x", "{\"error\":{\"code\":\"a b\"}}", "unknown account_disabled").await;
    check("404 x", "no JSON", "down not_offered").await;
    let _ = good_accounts();
}
