//! The kind `autodiscover`: its keys.

use std::time::Duration;

use super::{Advice, BASE, Declared, Kind, Settings, Shape, Wants, error};
use crate::key::Key;

/// `autodiscover`
pub static AUTODISCOVER: Kind = Kind {
    name: "autodiscover",
    about: "finds a mailbox's ways in from its address alone, as Outlook and telephones do",
    timeout: Duration::from_secs(30),
    credential: Wants::Optional,
    tokens: true,
    certificates: true,
    keys: &[
        Key::required("email", Shape::Mailbox, "the address that is looked up"),
        Key::optional(
            "url",
            Shape::Url,
            "where to ask instead of searching, as …/autodiscover/autodiscover.xml",
        ),
        Key::optional(
            "expect",
            Shape::Words(&["mapi", "ews", "oab", "rpc", "eas"]),
            "the ways in that must be among what is found",
        ),
        Key::optional(
            "redirect_hosts",
            Shape::Names,
            "hosts outside the address's domain, or domains of theirs, that get the credential \
             although only an answer without TLS or a DNS record names them",
        ),
        Key::optional("port", Shape::Port, "of the addresses that are tried over https").or("443"),
        Key::optional("http_port", Shape::Port, "of the address that is tried over http").or("80"),
    ],
    depth: |probe| {
        if probe.credentials.is_empty() {
            "to the request for a password"
        } else {
            "to the ways in"
        }
    },
    settle,
    ..BASE
};

/// Without an account the service tells of few ways in.
fn settle(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    let needs = |way: &&String| matches!(way.as_str(), "mapi" | "oab" | "rpc");
    match settings.texts("expect").iter().find(needs) {
        Some(way) if !declared.credential => {
            vec![error(
                "expect",
                &format!("{way:?} is told to an account only: needs a credential"),
            )]
        }
        _ => Vec::new(),
    }
}
