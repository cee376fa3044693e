//! Transactions at the lab's desk, and at servers that misbehave in one way each.

use std::time::Duration;

use crate::net::tls::testing::endpoint_saying;
use crate::probe::Seen;
use crate::probe::trial::{
    Table, answers, fact, good_accounts, lab, plain_net, run, run_for, trusting, word,
};
use mailward_lab::{Fault, Lab, Part};

const SIGN_IN: &str = r#"
[[probe.step]]
name = "form"
path = "/desk/login"
capture = { form = { regex = 'name="token" value="([^"]+)"' } }
[[probe.step]]
name = "sign-in"
path = "/desk/login"
form = { token = "{form}", user = "{username}", password = "{password}" }
expect_body = "Sign out"
capture = { api = { regex = "window.api = '([^']+)'" } }
"#;

const REJECTED: &str = "rejected_by = { status = [403], body = \"Wrong user name or password\" }\n";

const PEOPLE: &str = r#"
[[probe.step]]
name = "search"
path = "/desk/api/people"
headers = { X-Api-Token = "{api}" }
body = '{"find": "{api}\n"}'
[probe.step.capture]
person = { json = "$.people[0].id" }
total = { json = "$.total", show = true }
request = { header = "X-Request-Id" }
[[probe.step]]
name = "person"
url = "/desk/people/{person}"
expect_body = "telephone 1234"
[[probe.step]]
name = "sign-out"
path = "/desk/logout"
follow = false
expect_status = 302
"#;

fn keys(lab: &Lab, steps: &str) -> String {
    let url = format!("https://{}/", lab.addresses().portal);
    format!("kind = \"http\"\nurl = \"{url}\"\ncredential = \"a\"\n{steps}")
}

fn whole() -> String {
    format!("{SIGN_IN}{REJECTED}{PEOPLE}")
}

#[tokio::test]
async fn a_portal_is_used_as_its_users_do() {
    let (lab, net) = lab().await;
    let accounts = good_accounts();
    let seen = run(&net, &accounts, &keys(&lab, &whole())).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let phases: Vec<&str> = seen.phases.iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, ["connect", "form", "person", "search", "sign-in", "sign-out", "tls"]);
    assert_eq!(fact(&seen, "captured_total"), "1");
    assert_eq!(fact(&seen, "captured_request"), "");
    assert_eq!(accounts.told(), ["+a"]);
    assert_eq!(lab.account("probe@example.test").unwrap().accepted, 1);
    let told = format!("{seen:?}");
    for secret in ["correct horse", "api-of-session", "form+", "form%2B"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[tokio::test]
async fn a_step_that_fails_is_named() {
    let (lab, net) = lab().await;
    let check = async |steps: &str, expect: &str, step: &str| {
        let seen = run(&net, &good_accounts(), &keys(&lab, steps)).await;
        assert_eq!(word(&seen), expect, "{steps}: {seen:?}");
        assert_eq!(fact(&seen, "step"), step);
        seen
    };
    let all = whole();
    check(&all.replace("telephone 1234", "fax"), "down wrong_content", "person").await;
    let seen = check(&all.replace("$.total", "$.sum"), "down wrong_content", "search").await;
    assert_eq!(fact(&seen, "detail"), "nothing to capture as total");
    check(&all.replace("X-Api-Token", "X-Other"), "down http_status", "search").await;
    check(&all.replace("/people/{person}", "/people/x"), "down http_status", "person").await;
    check(&all.replace("= 302", "= 200"), "down http_status", "sign-out").await;
    // a token that was escaped wrongly is out of date: 403, which this definition takes for a
    // refusal
    let twice = all.replace("\"{form}\"", "\"{form}x\"");
    check(&twice, "unknown credential", "sign-in").await;
}

#[tokio::test]
async fn a_refused_account_counts_and_is_never_the_services_fault() {
    let check = async |accounts: Table, steps: &str, expect: &str, told: &[&str]| {
        let (lab, net) = lab().await;
        let two = keys(&lab, steps).replace("\"a\"", "[\"a\", \"b\"]");
        let seen = run(&net, &accounts, &two).await;
        assert_eq!(word(&seen), expect, "{seen:?}");
        assert_eq!(accounts.told(), told);
        let seen = lab.account("probe@example.test").unwrap();
        assert!(seen.rejected <= 1, "{seen:?}");
    };
    let table = |first: &str, second: &str, proven: &[&str]| {
        let mut table = Table::with(&[
            ("a", "probe@example.test", first),
            ("b", "probe2@example.test", second),
        ]);
        table.proven = proven.iter().map(|id| (*id).to_owned()).collect();
        table
    };
    let all = whole();
    let undeclared = format!("{SIGN_IN}{PEOPLE}");
    for steps in [&all, &undeclared] {
        check(table("no", "no", &[]), steps, "unknown credential", &["-a", "-b"]).await;
        check(table("no", "no", &["a", "b"]), steps, "down auth_rejected", &["-a", "-b"]).await;
        check(table("no", "correct horse", &[]), steps, "up", &["-a", "+b"]).await;
    }
    let (lab, net) = lab().await;
    let mut held = good_accounts();
    held.held = vec!["a".to_owned()];
    let seen = run(&net, &held, &keys(&lab, &all)).await;
    assert_eq!(word(&seen), "unknown credential_held");
    assert!(seen.phases.get("form").is_some(), "the way to signing in is looked at: {seen:?}");
    assert_eq!(lab.account("probe@example.test").unwrap().accepted, 0);
    // what needs no account is judged all the same
    lab.set(Part::Portal, Fault::Status(503)).await.unwrap();
    let seen = run(&net, &held, &keys(&lab, &all)).await;
    assert_eq!(word(&seen), "down service_unavailable");
}

#[tokio::test]
async fn a_fault_of_the_server_costs_no_account() {
    let (lab, net) = lab().await;
    for (fault, expect) in
        [(Fault::Status(500), "down server_error"), (Fault::Close, "down connection_lost")]
    {
        lab.set(Part::Portal, fault).await.unwrap();
        let accounts = good_accounts();
        let steps = "[[probe.step]]\nname = \"sign-in\"\npath = \"/desk/login\"\n\
                     form = { user = \"{username}\", password = \"{password}\" }\n";
        let seen = run(&net, &accounts, &keys(&lab, steps)).await;
        assert_eq!(word(&seen), expect, "{seen:?}");
        assert!(accounts.told().is_empty(), "{:?}", accounts.told());
        assert_eq!(fact(&seen, "step"), "sign-in");
    }
}

async fn plain(steps: &str, first: &str) -> Seen {
    let address = answers(first.as_bytes().to_vec()).await;
    let keys = format!("kind = \"http\"\nurl = \"http://{address}/\"\n{steps}");
    run(&plain_net(), &Table::default(), &keys).await
}

#[tokio::test]
async fn captured_places_are_gone_to_within_limits() {
    let check = async |place: &str, expect: &str| {
        let body = format!("next={place}");
        let first = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let steps =
            "step = [{ capture = { next = { regex = \"next=(.*)\" } } }, { url = \"{next}\" }]";
        let seen = plain(steps, &first).await;
        assert_eq!(word(&seen), expect, "{place}: {seen:?}");
    };
    check("/same", "up").await;
    check("file:///etc/passwd", "down wrong_content").await;
    check("gopher://example.org/", "down wrong_content").await;
    check("http://user:pw@127.0.0.1/", "down wrong_content").await;
    check("http://[", "down wrong_content").await;
}

#[tokio::test]
async fn what_cannot_stand_in_a_header_is_not_sent() {
    let body = r#"{"token":"a\r\nX-Evil: 1"}"#;
    let first = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let steps =
        "step = [{ capture = { t = { json = \"$.token\" } } }, { headers = { X-T = \"{t}\" } }]";
    let seen = plain(steps, &first).await;
    assert_eq!(word(&seen), "down wrong_content");
    assert!(fact(&seen, "detail").contains("cannot stand in header x-t"), "{seen:?}");
}

#[tokio::test]
async fn a_slow_step_is_degraded_and_named() {
    let (lab, net) = lab().await;
    lab.set(Part::Portal, Fault::Slow(Duration::from_millis(60))).await.unwrap();
    let steps = "[[probe.step]]\npath = \"/portal/\"\nslow = \"10s\"\n\
                 [[probe.step]]\npath = \"/\"\nslow = \"20ms\"\n";
    let keys = keys(&lab, steps).replace("credential = \"a\"\n", "");
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "degraded slow", "{seen:?}");
    assert_eq!(fact(&seen, "slow_steps"), "step2");
    lab.set(Part::Portal, Fault::Mute).await.unwrap();
    let seen = run_for(Duration::from_millis(300), &net, &Table::default(), &keys).await;
    assert_eq!((word(&seen).as_str(), fact(&seen, "step")), ("down timeout", "step1"));
}

/// A redirect that would carry the form, and with it the account, to another origin.
#[tokio::test]
async fn an_account_is_carried_to_no_other_origin() {
    let other = answers(&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..]).await;
    let first =
        format!("HTTP/1.1 307 Away\r\nLocation: http://{other}/\r\nContent-Length: 0\r\n\r\n");
    let seen = plain("step = [{ form = { a = \"b\" } }]", &first).await;
    assert_eq!(word(&seen), "down redirect_refused", "{seen:?}");
    let seen = plain("step = [{ path = \"/x\" }]", &first).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
}

/// A refusal by a redirect that keeps the form would be one at every place it leads to.
#[tokio::test]
async fn a_form_with_an_account_is_sent_once() {
    for (status, to) in [(307, "/again"), (308, "/again"), (307, "https://other.test/")] {
        let server = endpoint_saying(move |_| {
            format!("HTTP/1.1 {status} x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
        })
        .await;
        let keys = format!(
            "kind = \"http\"\nurl = \"https://{}/\"\ncredential = \"a\"\n\
             step = [{{ form = {{ user = \"{{username}}\", password = \"{{password}}\" }} }}]",
            server.address
        );
        let accounts = good_accounts();
        let seen = run(&trusting(&server.pem), &accounts, &keys).await;
        assert_eq!(word(&seen), "unknown credential", "{status} {to}: {seen:?}");
        assert_eq!(accounts.told(), ["-a"]);
        assert_eq!(server.bodies().len(), 1, "{status} {to}");
    }
}
