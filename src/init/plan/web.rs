//! Ways in by HTTPS: webmail, phones, Outlook. Which of the usual places exist is the trial's.

use super::{Check, Row, Slot, usual_hosts};
use crate::init::Scope;
use crate::init::look::Published;
use crate::init::toml::Value;

/// What a page holds that asks for a password.
const PASSWORD_FIELD: &str = "(?i)type=[\"']?password";
/// Where webmail stands that is not Outlook's.
const WEBMAIL_PATHS: [&str; 5] = ["/", "/SOGo/", "/webmail/", "/roundcube/", "/mail/"];

pub(super) fn slots(scope: &Scope, found: &Published) -> Vec<Slot> {
    let mut hosts = Vec::new();
    for offer in found.services.get("autodiscover").into_iter().flatten() {
        hosts.push(offer.host.clone());
    }
    let labels = ["webmail", "owa", "mail", "outlook", "exchange", "email", "mobile", "eas"];
    for host in usual_hosts(scope, found, &labels) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let all = [webmail(scope, &hosts), mobile(scope, &hosts), outlook(scope, found)];
    all.into_iter().filter(|slot| !slot.candidates.is_empty()).collect()
}

fn address(scope: &Scope, host: &str, path: &str) -> String {
    match scope.https_port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    }
}

fn check(row: Row, id: &str, kind: &'static str, url: String, about: String) -> Check {
    let keys = vec![("url", Value::Text(url))];
    Check { row, id: id.to_owned(), kind, keys, every: "60s", about }
}

fn guessed(candidates: Vec<Check>) -> Slot {
    Slot { candidates, is_declared: false, is_opportunistic: false }
}

fn webmail(scope: &Scope, hosts: &[String]) -> Slot {
    let mut candidates = Vec::new();
    for host in hosts {
        let about = format!("Outlook on the web at {host}: up to its sign-in page.");
        candidates.push(check(Row::Webmail, "owa", "owa", address(scope, host, "/owa/"), about));
    }
    for host in hosts.iter().filter(|host| host.ends_with(&scope.domain)) {
        for path in WEBMAIL_PATHS {
            let url = address(scope, host, path);
            let about = format!("Webmail at {host}: a page that asks for a password.");
            let mut page = check(Row::Webmail, "webmail", "http", url, about);
            page.keys.push(("expect_body", Value::Text(PASSWORD_FIELD.to_owned())));
            candidates.push(page);
        }
    }
    let plain = hosts.iter().find(|host| host.starts_with("webmail."));
    candidates.extend(plain.map(|host| {
        let about = format!("Webmail at {host}: its first page.");
        check(Row::Webmail, "webmail", "http", address(scope, host, "/"), about)
    }));
    guessed(candidates)
}

fn mobile(scope: &Scope, hosts: &[String]) -> Slot {
    let candidates = hosts.iter().map(|host| {
        let about = format!("ActiveSync at {host}, which phones use: up to where they sign in.");
        let url = address(scope, host, "/Microsoft-Server-ActiveSync");
        check(Row::Mobile, "activesync", "eas", url, about)
    });
    guessed(candidates.collect())
}

/// How Outlook finds the mailbox's server.
fn outlook(scope: &Scope, found: &Published) -> Slot {
    let offered = found.services.get("autodiscover").is_some_and(|offers| !offers.is_empty());
    let named = found.autodiscover_alias.is_some()
        || found.hosts.contains(&format!("autodiscover.{}", scope.domain));
    if !(offered || named) {
        return guessed(Vec::new());
    }
    let about = match &found.autodiscover_alias {
        Some(alias) => format!("Autodiscover, by which Outlook finds its server; it is {alias}."),
        None => "Autodiscover, by which Outlook finds its server.".to_owned(),
    };
    let email = Value::Text(format!("postmaster@{}", scope.domain));
    guessed(vec![Check {
        row: Row::Outlook,
        id: "autodiscover".to_owned(),
        kind: "autodiscover",
        keys: vec![("email", email)],
        every: "5m",
        about,
    }])
}
