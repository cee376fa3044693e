//! GetFolder to the lab and to servers made for the test.

use mailward_lab::{Fault as Trouble, Part};

use super::*;
use crate::probe::trial::{Table, answers, fact, good_accounts, lab, plain_net, run, word};

#[tokio::test]
async fn the_inbox_and_the_way_to_it() {
    let (lab, net) = lab().await;
    let keys = format!(
        "kind = \"ews\"\nurl = \"https://{}/EWS/Exchange.asmx\"\n",
        lab.addresses().outlook
    );
    let accounts = good_accounts();
    let seen = run(&net, &accounts, &format!("{keys}credential = \"a\"")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!((fact(&seen, "depth"), fact(&seen, "messages")), ("to the inbox", "42"));
    assert_eq!(fact(&seen, "ews_version"), "15.2.1544.4");
    assert_eq!(accounts.told(), ["+a"]);
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(
        (word(&seen).as_str(), fact(&seen, "depth")),
        ("up", "to the request for a password")
    );
    let other = |mailbox: &str| format!("{keys}credential = \"a\"\nmailbox = \"{mailbox}\"");
    let seen = run(&net, &good_accounts(), &other("probe2@example.test")).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let seen = run(&net, &good_accounts(), &other("nobody@example.test")).await;
    assert_eq!(word(&seen), "unknown account_disabled", "{seen:?}");
    assert_eq!(fact(&seen, "ews_code"), "ErrorNonExistentMailbox");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let (lab, net) = lab().await;
    let keys = format!(
        "kind = \"ews\"\nurl = \"https://{}/EWS/Exchange.asmx\"\ncredential = \"a\"",
        lab.addresses().outlook
    );
    let code = |code: &str| Trouble::Code(code.to_owned());
    let soap = |code: &str| Trouble::SoapFault(code.to_owned());
    let cases = [
        (Trouble::RejectLogons, "unknown credential", "-a"),
        (Trouble::Offers("NTLM".to_owned()), "unknown logon_unsupported", ""),
        (code("ErrorAccessDenied"), "unknown account_disabled", "+a"),
        (code("ErrorServerBusy"), "unknown too_often", "+a"),
        (soap("ErrorServerBusy"), "unknown too_often", "+a"),
        (soap("ErrorInternalServerError"), "down server_error", "+a"),
        (soap("ErrorSchemaValidation"), "down protocol_error", "+a"),
        (soap("ErrorPasswordExpired"), "unknown credential_expired", "+a"),
        (code("ErrorMailboxStoreUnavailable"), "down service_unavailable", "+a"),
        (code("ErrorMailboxMoveInProgress"), "down service_unavailable", "+a"),
        (code("ErrorWhatever"), "down server_error", "+a"),
        (Trouble::Maintenance, "down wrong_content", ""),
        (Trouble::Status(403), "unknown account_disabled", ""),
        (Trouble::Status(404), "down not_offered", ""),
        (Trouble::Status(429), "unknown too_often", ""),
        (Trouble::Status(500), "down server_error", ""),
        (Trouble::Status(503), "down service_unavailable", ""),
        (Trouble::Flood, "down answer_too_large", ""),
    ];
    for (trouble, expect, told) in cases {
        lab.set(Part::Outlook, trouble.clone()).await.unwrap();
        let accounts = good_accounts();
        let seen = run(&net, &accounts, &keys).await;
        assert_eq!(word(&seen), expect, "{trouble:?}: {seen:?}");
        assert_eq!(accounts.told().join(" "), told, "{trouble:?}");
        if matches!(&trouble, Trouble::Code(code) if code == "ErrorServerBusy") {
            assert_eq!(fact(&seen, "back_off_ms"), "30000");
        }
    }
}

/// A server that asks for peace gets it: the probe asks nobody until it is over.
#[tokio::test]
async fn a_busy_server_is_left_in_peace() {
    use crate::devices::Devices;
    use crate::probe::trial::catalogue;
    use crate::probe::{Context, Deadline, build};
    use crate::turn::Turn;
    let (lab, net) = lab().await;
    let definition = catalogue(&format!(
        "kind = \"ews\"\nurl = \"https://{}/EWS/Exchange.asmx\"\ncredential = \"a\"",
        lab.addresses().outlook
    ));
    let probe = build(&definition.probes[0], &net).unwrap();
    let accounts = good_accounts();
    let devices = Devices::new("trial", None);
    let turn = Turn { due_ms: 0, attempt: 0 };
    let deadline = Deadline::after(Duration::from_secs(5));
    let cx = Context { deadline, accounts: &accounts, turn, post: None, devices: &devices };
    lab.set(Part::Outlook, Trouble::Code("ErrorServerBusy".to_owned())).await.unwrap();
    assert_eq!(word(&probe.observe(&cx).await), "unknown too_often");
    lab.clear(Part::Outlook).await;
    let seen = probe.observe(&cx).await;
    assert_eq!(word(&seen), "unknown too_often");
    assert!(!fact(&seen, "peace_until").is_empty());
    assert_eq!(lab.account("probe@example.test").unwrap().accepted, 1);
}

#[tokio::test]
async fn what_only_a_test_server_answers() {
    let check = async |status: &str, body: &str, expect: &str| {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        let address = answers(answer.as_bytes()).await;
        let keys = format!("kind = \"ews\"\nurl = \"http://{address}/\"");
        let seen = run(&plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{answer:?}: {seen:?}");
    };
    // no prefixes, other prefixes, no version and no count: what matters is there
    let bare = "<Envelope><Body><GetFolderResponse><x:ResponseMessages xmlns:x='u'>\
                <GetFolderResponseMessage ResponseClass='Success'><ResponseCode>NoError\
                </ResponseCode><Folders><Folder><FolderId Id='a'/></Folder></Folders>\
                </GetFolderResponseMessage></x:ResponseMessages></GetFolderResponse></Body></Envelope>";
    check("200 OK", bare, "up").await;
    check("200 OK", &bare.replace("<FolderId Id='a'/>", ""), "down wrong_content").await;
    check("200 OK", &bare.replace("Success", "Error"), "down server_error").await;
    check("200 OK", "<html></html>", "down wrong_content").await;
    check("200 OK", "<!DOCTYPE html><html></html>", "down wrong_content").await;
    check("200 OK", &"<a>".repeat(10_000), "down answer_too_large").await;
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
    check("200 OK", bomb, "down wrong_content").await;
    let fault = "<s:Envelope xmlns:s='u'><s:Body><s:Fault><faultcode>s:Client</faultcode></s:Fault></s:Body></s:Envelope>";
    check("500 x", fault, "down protocol_error").await;
    check("500 x", "oops", "down server_error").await;
}

#[test]
fn a_mailbox_is_named_where_the_token_stands_for_none() {
    assert!(!get_folder(None).contains("Impersonation"));
    let other = get_folder(Some("a&b@x.test"));
    assert!(other.contains("<t:PrimarySmtpAddress>a&amp;b@x.test</t:PrimarySmtpAddress>"));
    crate::net::xml::read(other.as_bytes()).unwrap();
}
