//! PING to the lab and to servers made for the test.

use mailward_lab::{Certificate, Fault as Trouble, Part};
use proptest::prelude::*;

use super::*;
use crate::probe::trial::{Table, answers, fact, good_accounts, lab, plain_net, run, word};

#[tokio::test]
async fn the_way_outlook_goes() {
    let (lab, net) = lab().await;
    let keys =
        format!("kind = \"mapi\"\nurl = \"https://{}/mapi/emsmdb/\"\n", lab.addresses().outlook);
    let accounts = good_accounts();
    let seen = run(&net, &accounts, &format!("{keys}credential = \"a\"")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(
        (fact(&seen, "depth"), fact(&seen, "mapi_code")),
        ("to the server behind the logon", "0")
    );
    assert_eq!((fact(&seen, "frontend"), fact(&seen, "backend")), ("LABEX01", "LABEX02"));
    assert!(seen.phases.get("ping").is_some() && seen.phases.get("tls").is_some());
    assert_eq!(accounts.told(), ["+a"]);
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "logon_by"), "negotiate, ntlm, basic");
    assert_eq!(fact(&seen, "depth"), "to the request for a password");
    let mut held = good_accounts();
    held.held = vec!["a".to_owned()];
    let seen = run(&net, &held, &format!("{keys}credential = \"a\"")).await;
    assert_eq!(word(&seen), "unknown credential_held");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let keys = format!(
        "kind = \"mapi\"\nurl = \"https://{}/mapi/emsmdb/\"\nmailbox_id = \"lab@example.test\"\n\
         credential = \"a\"",
        lab.addresses().outlook
    );
    let code = |code: &str| Trouble::Code(code.to_owned());
    let cases = [
        (Trouble::RejectLogons, "unknown credential", 1),
        (Trouble::Offers("Negotiate\nNTLM".to_owned()), "unknown logon_unsupported", 0),
        (code("1"), "down server_error", 1),
        (code("5"), "down protocol_error", 1),
        (code("6"), "down protocol_error", 1),
        (code("7"), "down protocol_error", 1),
        (code("8"), "unknown account_disabled", 0),
        (code("10"), "down protocol_error", 1),
        (code("11"), "unknown account_disabled", 1),
        (code("13"), "down protocol_error", 1),
        (code("16"), "down service_unavailable", 1),
        (code("18"), "down service_unavailable", 1),
        (Trouble::Unfinished, "down protocol_error", 0),
        (Trouble::Maintenance, "down wrong_content", 0),
        (Trouble::Status(403), "unknown account_disabled", 0),
        (Trouble::Status(404), "down not_offered", 0),
        (Trouble::Status(500), "down server_error", 0),
        (Trouble::Status(503), "down service_unavailable", 0),
        (Trouble::Close, "down connection_lost", 0),
        (Trouble::Certificate(Certificate::SelfSigned), "down cert_untrusted", 0),
        (Trouble::Refuse, "down connect_refused", 0),
    ];
    for (trouble, expect, told) in cases {
        lab.set(Part::Outlook, trouble.clone()).await.unwrap();
        let accounts = good_accounts();
        let seen = run(&net, &accounts, &keys).await;
        assert_eq!(word(&seen), expect, "{trouble:?}: {seen:?}");
        assert_eq!(accounts.told().len(), told, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_second_account_and_a_server_that_wants_peace() {
    let (lab, net) = lab().await;
    let keys = format!(
        "kind = \"mapi\"\nurl = \"https://{}/mapi/emsmdb/\"\ncredential = [\"a\", \"b\"]",
        lab.addresses().outlook
    );
    let mut accounts = good_accounts();
    accounts.known.get_mut("a").unwrap().1 = "wrong".to_owned();
    let seen = run(&net, &accounts, &keys).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(accounts.told(), ["-a", "+b"]);
    lab.set(Part::Outlook, Trouble::RejectLogons).await.unwrap();
    let mut accounts = good_accounts();
    accounts.proven = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(word(&run(&net, &accounts, &keys).await), "down auth_rejected");
}

#[tokio::test]
async fn what_only_a_test_server_answers() {
    let check = async |answer: &str, expect: &str| {
        let address = answers(answer.as_bytes()).await;
        let keys = format!("kind = \"mapi\"\nurl = \"http://{address}/mapi/nspi/?x=y\"");
        let seen = run(&plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{answer:?}: {seen:?}");
    };
    let of = |lines: &str, body: &str| {
        format!("HTTP/1.1 {lines}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let mapi = "200 OK\r\ncontent-type: Application/MAPI-HTTP; x=y";
    check(&of(&format!("{mapi}\r\nX-RESPONSECODE: 0"), ""), "up").await;
    check(
        &of(mapi, "PROCESSING\nPENDING\nDONE\nx-responsecode: 16\n\n"),
        "down service_unavailable",
    )
    .await;
    check(&of(mapi, "DONE\r\nX-ResponseCode: 0\r\n\r\n"), "up").await;
    check(&of(mapi, ""), "down wrong_content").await;
    check(&of("200 OK\r\nContent-Type: text/html", "<html>DONE</html>"), "down wrong_content")
        .await;
    check(&of("401 no", ""), "down protocol_error").await;
    check(&of("403 no", ""), "down http_status").await;
    check(&of("302 x\r\nLocation: https://other.test/?secret", ""), "unknown redirect_refused")
        .await;
}

#[test]
fn the_request_is_as_the_protocol_has_it() {
    let ask = ping(&Url::parse("https://x/mapi/emsmdb/").unwrap()).unwrap();
    assert_eq!(ask.headers["x-requesttype"], "PING");
    let id = ask.headers["x-requestid"].to_str().unwrap();
    let form = regex::Regex::new(r"^\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}:1$").unwrap();
    assert!(form.is_match(id), "{id}");
    assert_ne!(ping(&ask.url).unwrap().headers["x-requestid"], id);
}

proptest! {
    #[test]
    fn bodies_never_upset_it(
        words in proptest::collection::vec("PROCESSING|PENDING|DONE|X-ResponseCode: [0-9]{0,12}|[ -~]{0,20}", 0..20),
    ) {
        let _ = Body::read(words.join("\r\n").as_bytes());
    }
}
