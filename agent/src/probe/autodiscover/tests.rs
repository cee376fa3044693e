//! The search in a domain made for the test, with the lab as its service.

use std::sync::Arc;

use mailward_lab::{Certificate, Fault as Trouble, Lab, Part};
use proptest::prelude::*;

use super::*;
use crate::net::testing::zone;
use crate::net::tls::testing::endpoint;
use crate::net::xml;
use crate::probe::trial::{
    Table, answers, fact, good_accounts, lab, plain_net, run, trusting, word,
};

const DOMAIN: (&str, &str) = ("example.test. A", "127.0.0.1");
const HOST: (&str, &str) = ("autodiscover.example.test. A", "127.0.0.1");
const MAIL: (&str, &str) = ("mail.example.test. A", "127.0.0.1");

/// A search in a zone of these records; `port` is where https is tried.
async fn search(
    (lab, net): (&Lab, &Arc<Net>),
    records: &[(&str, &str)],
    port: u16,
    accounts: &Table,
    keys: &str,
) -> Seen {
    let net = Arc::new(net.asking(zone(records).await).unwrap());
    let keys = format!(
        "kind = \"autodiscover\"\nemail = \"probe@example.test\"\nport = {port}\n\
         http_port = {}\n{keys}",
        lab.addresses().http.port()
    );
    run(&net, accounts, &keys).await
}

#[tokio::test]
async fn every_step_leads_to_the_settings() {
    let (lab, net) = lab().await;
    let port = lab.addresses().outlook.port();
    let with = "credential = \"a\"\nexpect = [\"mapi\", \"ews\", \"oab\", \"rpc\", \"eas\"]";
    let found = |seen: &Seen, step: &str| {
        assert_eq!(word(seen), "up", "{step}: {seen:?}");
        assert_eq!((fact(seen, "step"), fact(seen, "depth")), (step, WAYS));
        assert!(fact(seen, "mapi_url").ends_with("/mapi/emsmdb/?MailboxId=lab@example.test"));
        assert!(fact(seen, "ews_url").ends_with("/EWS/Exchange.asmx"));
        assert!(fact(seen, "eas_url").ends_with("/Microsoft-Server-ActiveSync"));
        assert_eq!(fact(seen, "rpc_server"), "mail.example.test");
    };
    let accounts = good_accounts();
    let seen = search((&lab, &net), &[DOMAIN], port, &accounts, with).await;
    found(&seen, "domain");
    assert_eq!(accounts.told(), ["+a"]);
    assert!(seen.phases.get("domain").is_some() && seen.phases.get("logon").is_some());

    let seen = search((&lab, &net), &[HOST], port, &good_accounts(), with).await;
    found(&seen, "host");
    assert!(fact(&seen, "step_domain").starts_with("dns_not_found"), "{seen:?}");

    let srv = format!("0 0 {port} mail.example.test.");
    let records = [("_autodiscover._tcp.example.test. SRV", srv.as_str()), MAIL];
    let seen = search((&lab, &net), &records, port, &good_accounts(), with).await;
    found(&seen, "srv");

    // nobody listens on https where it is guessed; http leads to where somebody does
    let shut = lab.addresses().owa.port();
    lab.set(Part::Owa, Trouble::Refuse).await.unwrap();
    let to = |host: &str| {
        Trouble::Redirect(format!("https://{host}:{port}/autodiscover/moved/autodiscover.xml"))
    };
    lab.set(Part::Outlook, to("mail.example.test")).await.unwrap();
    let seen = search((&lab, &net), &[HOST, MAIL], shut, &good_accounts(), with).await;
    found(&seen, "redirect");
    assert!(fact(&seen, "step_host").starts_with("connect_refused"), "{seen:?}");

    // an answer without TLS can be anybody's: who is outside the domain is shown no account
    lab.set(Part::Outlook, to("localhost")).await.unwrap();
    let accounts = good_accounts();
    let seen = search((&lab, &net), &[HOST], shut, &accounts, with).await;
    assert_eq!(word(&seen), "unknown redirect_refused", "{seen:?}");
    assert!(fact(&seen, "detail").contains("localhost"), "{seen:?}");
    assert!(accounts.told().is_empty());
    let declared = format!("{with}\nredirect_hosts = \"localhost\"");
    let seen = search((&lab, &net), &[HOST], shut, &good_accounts(), &declared).await;
    found(&seen, "redirect");
    assert_eq!(lab.account("probe@example.test").unwrap().rejected, 0);
}

/// Whoever is not trusted cannot make a domain of his own trusted by naming it.
#[tokio::test]
async fn an_address_from_a_stranger_is_not_trusted() {
    let stranger = endpoint(|body| {
        let moved = "<Autodiscover><Response><Account><Action>redirectAddr</Action>\
                     <RedirectAddr>x@localhost</RedirectAddr></Account></Response></Autodiscover>";
        let is_first = body.contains("probe@example.test");
        if is_first { (200, moved.to_owned()) } else { (401, String::new()) }
    })
    .await;
    let port = stranger.address.port();
    let path = "autodiscover/autodiscover.xml";
    let sent = format!(
        "HTTP/1.1 302 x\r\nLocation: https://localhost:{port}/{path}\r\nContent-Length: 0\r\n\r\n"
    );
    let http = answers(sent.into_bytes()).await;
    let net = Arc::new(trusting(&stranger.pem).asking(zone(&[HOST]).await).unwrap());
    let accounts = good_accounts();
    let keys = format!(
        "kind = \"autodiscover\"\nemail = \"probe@example.test\"\nport = {port}\n\
         http_port = {}\ncredential = \"a\"",
        http.port()
    );
    let seen = run(&net, &accounts, &keys).await;
    assert_eq!(fact(&seen, "redirect_address"), "x@localhost", "{seen:?}");
    assert_eq!(word(&seen), "unknown redirect_refused", "{seen:?}");
    assert!(accounts.told().is_empty(), "{:?}", accounts.told());
    assert_eq!(stranger.bodies().len(), 2, "one request each, and none as an account");
}

#[tokio::test]
async fn another_address_leads_no_further_inwards() {
    let (lab, net) = lab().await;
    let to = Trouble::RedirectAddress("probe@inner.test".to_owned());
    lab.set(Part::Outlook, to).await.unwrap();
    let records = [DOMAIN, ("autodiscover.inner.test. A", "10.0.0.1")];
    let port = lab.addresses().outlook.port();
    let seen = search((&lab, &net), &records, port, &good_accounts(), "credential = \"a\"").await;
    assert_eq!(word(&seen), "down redirect_refused", "{seen:?}");
}

#[tokio::test]
async fn nothing_is_found_and_why() {
    let (lab, net) = lab().await;
    let port = lab.addresses().outlook.port();
    let ask = async |records: &[(&str, &str)], trouble: Trouble| {
        lab.set(Part::Outlook, trouble).await.unwrap();
        word(&search((&lab, &net), records, port, &Table::default(), "").await)
    };
    assert_eq!(ask(&[], Trouble::NoVersion2).await, "down not_offered");
    let servfail = [("example.test. SERVFAIL", ""), ("autodiscover.example.test. SERVFAIL", "")];
    assert_eq!(ask(&servfail, Trouble::NoVersion2).await, "down dns_failure");
    assert_eq!(ask(&[DOMAIN], Trouble::Status(404)).await, "down not_offered");
    assert_eq!(ask(&[DOMAIN], Trouble::Maintenance).await, "down not_offered");
    assert_eq!(ask(&[HOST], Trouble::Maintenance).await, "down wrong_content");
    assert_eq!(ask(&[HOST], Trouble::Status(503)).await, "down service_unavailable");
    assert_eq!(ask(&[DOMAIN], Trouble::Status(500)).await, "down server_error");
    let wrong = Trouble::Certificate(Certificate::WrongName);
    assert_eq!(ask(&[HOST], wrong).await, "down cert_wrong_name");
    assert_eq!(ask(&[HOST], Trouble::Refuse).await, "down connect_refused");
}

#[tokio::test]
async fn answers_of_status_200_and_what_they_say() {
    let (lab, net) = lab().await;
    let port = lab.addresses().outlook.port();
    let moved = format!("https://localhost:{port}/autodiscover/moved/autodiscover.xml");
    let around = format!("https://example.test:{port}/autodiscover/autodiscover.xml");
    let cases = [
        (Trouble::Code("600".to_owned()), "down protocol_error", "+a"),
        (Trouble::Code("601".to_owned()), "down not_offered", "+a"),
        (Trouble::Code("500".to_owned()), "unknown account_disabled", "+a"),
        (Trouble::Code("603".to_owned()), "down server_error", "+a"),
        // a host that TLS proved says where to go on
        (Trouble::RedirectUrl(moved.clone()), "up", "+a"),
        (Trouble::Redirect(moved), "up", "+a"),
        (Trouble::Redirect("http://example.test/".to_owned()), "down not_offered", ""),
        (Trouble::Redirect("file:///etc/passwd".to_owned()), "down not_offered", ""),
        (Trouble::Redirect(around.clone()), "down redirect_loop", ""),
        (Trouble::RedirectUrl(around), "down redirect_loop", "+a"),
        (Trouble::RedirectAddress("probe2@example.test".to_owned()), "up", "+a"),
        (Trouble::RedirectAddress("nonsense".to_owned()), "down wrong_content", "+a"),
        (Trouble::RejectLogons, "unknown credential", "-a"),
        (Trouble::Offers("Negotiate\nNTLM".to_owned()), "unknown logon_unsupported", ""),
        // whoever does not say how to log on is shown the account all the same, once
        (Trouble::Offers(String::new()), "unknown credential", "-a"),
        (Trouble::NoVersion2, "up", "+a"),
    ];
    for (trouble, expect, told) in cases {
        lab.set(Part::Outlook, trouble.clone()).await.unwrap();
        let accounts = good_accounts();
        let keys = "credential = \"a\"\nexpect = [\"mapi\", \"eas\"]";
        let seen = search((&lab, &net), &[DOMAIN], port, &accounts, keys).await;
        assert_eq!(word(&seen), expect, "{trouble:?}: {seen:?}");
        assert_eq!(accounts.told().join(" "), told, "{trouble:?}");
    }
    assert_eq!(lab.account("probe@example.test").unwrap().rejected, 0);
}

#[tokio::test]
async fn without_an_account_version_2_tells_what_it_knows() {
    let (lab, net) = lab().await;
    let url = format!("https://{}/autodiscover/autodiscover.xml", lab.addresses().outlook);
    let keys =
        format!("kind = \"autodiscover\"\nemail = \"probe@example.test\"\nurl = \"{url}\"\n");
    let expect = format!("{keys}expect = [\"ews\", \"eas\"]");
    let seen = run(&net, &Table::default(), &expect).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!((fact(&seen, "step"), fact(&seen, "depth")), ("url", WAYS));
    assert!(fact(&seen, "ews_url").ends_with("/EWS/Exchange.asmx"));
    lab.set(Part::Outlook, Trouble::NoVersion2).await.unwrap();
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(
        (word(&seen).as_str(), fact(&seen, "depth")),
        ("up", "to the request for a password"),
        "{seen:?}"
    );
    assert_eq!(fact(&seen, "json"), "400 InvalidProtocol");
    let seen = run(&net, &Table::default(), &expect).await;
    assert_eq!(word(&seen), "down wrong_content");
    let mut held = good_accounts();
    held.held = vec!["a".to_owned()];
    let seen = run(&net, &held, &format!("{keys}credential = \"a\"")).await;
    assert_eq!(word(&seen), "unknown credential_held", "{seen:?}");
}

#[tokio::test]
async fn what_only_a_test_server_answers() {
    let check = async |answer: &str, expect: &str| {
        let address = answers(answer.as_bytes()).await;
        let keys = format!(
            "kind = \"autodiscover\"\nemail = \"a@x.test\"\n\
             url = \"http://{address}/autodiscover/autodiscover.xml\""
        );
        let seen = run(&plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{answer:?}: {seen:?}");
    };
    let of =
        |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    check(
        &of("<!DOCTYPE a [<!ENTITY b \"b\">]><Autodiscover>&b;</Autodiscover>"),
        "down wrong_content",
    )
    .await;
    check(&of(&"<a>".repeat(5_000)), "down answer_too_large").await;
    check(&of("<x:Autodiscover xmlns:x='u'><x:Response/></x:Autodiscover>"), "up").await;
    check(&of("<Autodiscover/>"), "down wrong_content").await;
    check("HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n", "down protocol_error").await;
}

#[test]
fn answers_in_other_hands() {
    let read = |text: &str| pox::read(&xml::read(text.as_bytes()).unwrap());
    let ways = |text: &str| match read(text) {
        Some(Pox::Ways(ways)) => ways.words(),
        other => format!("{other:?}"),
    };
    let account = |inside: &str| {
        format!("<Autodiscover><Response><Account>{inside}</Account></Response></Autodiscover>")
    };
    let mapi = "<Protocol Type='mapiHttp'><MailStore><InternalUrl>https://in/mapi/</InternalUrl>\
                </MailStore></Protocol>";
    assert_eq!(ways(&account(mapi)), "mapi");
    let expr = "<Protocol><Type>EXPR</Type><EwsUrl>ftp://x/</EwsUrl></Protocol>";
    assert_eq!(ways(&account(expr)), "");
    let web = "<Protocol><Type>WEB</Type><EwsUrl>https://x/</EwsUrl></Protocol>";
    assert_eq!(ways(&account(web)), "");
    assert_eq!(read("<html/>"), None);
    assert_eq!(read("<Autodiscover/>"), None);
    let status = "<Autodiscover><Response><Action><Error><Status>2</Status></Error></Action>\
                  </Response></Autodiscover>";
    assert!(matches!(read(status), Some(Pox::Error(_))));
    let redirect = "<Autodiscover><Response><Action><Redirect>b@x</Redirect></Action></Response>\
                    </Autodiscover>";
    assert_eq!(read(redirect), Some(Pox::Address("b@x".to_owned())));
    assert_eq!(
        json::read(b"{\"protocol\":\"x\",\"url\":\"https://x/\"}").unwrap().as_str(),
        "https://x/"
    );
    assert_eq!(json::read(b"{\"Url\":\"file:///x\"}"), Err(String::new()));
    assert_eq!(
        json::read(b"{\"ErrorCode\":\"InvalidProtocol\"}"),
        Err("InvalidProtocol".to_owned())
    );
    assert_eq!(json::read(b"{\"ErrorCode\":\"a b\"}"), Err(String::new()));
}

proptest! {
    #[test]
    fn json_never_upsets_it(text in "[{}\\[\\]\":,A-Za-z0-9/ ]{0,100}") {
        let _ = json::read(text.as_bytes());
    }

    #[test]
    fn answers_never_upset_it(
        names in proptest::collection::vec("Response|Account|Protocol|Type|EwsUrl|Error|ErrorCode|RedirectUrl|MailStore", 0..10),
        text in "[a-z:/0-9.]{0,20}",
    ) {
        let open: String = names.iter().map(|name| format!("<{name}>")).collect();
        let close: String = names.iter().rev().map(|name| format!("</{name}>")).collect();
        let document = format!("<Autodiscover>{open}{text}{close}</Autodiscover>");
        if let Ok(root) = xml::read(document.as_bytes()) {
            let _ = pox::read(&root);
        }
    }
}
