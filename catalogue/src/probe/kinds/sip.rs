//! The kind `sip`: its keys, and what may stand in an address of SIP.

use super::{ADDRESSES, Advice, BASE, Kind, Settings, Shape, Value, error};
use crate::key::Key;

/// `sip`
pub static SIP: Kind = Kind {
    name: "sip",
    about: "asks a SIP server what it can do (OPTIONS), as the edge of a conferencing service",
    keys: &[
        Key::required("host", Shape::Host, "the server; a certificate must be for it"),
        Key::optional("port", Shape::Port, "5061 over TLS, 5060 over TCP, where absent"),
        Key::optional("transport", Shape::Word(&["tls", "tcp"]), "what it is spoken over")
            .or("\"tls\""),
        Key::optional("uri", Shape::Text, "whom is asked, as sip:…; the host where absent"),
        Key::optional("from", Shape::Text, "who asks, as sip:…; mailward at the host where absent"),
        Key::optional(
            "expect_status",
            Shape::Statuses,
            "final statuses that are up, and no others; where absent, any that proves that the \
             server does its work",
        ),
        ADDRESSES,
    ],
    depth: |_| "to the answer to OPTIONS",
    settle: |settings, _| settle_sip(settings),
    ..BASE
};

fn settle_sip(settings: &mut Settings) -> Vec<Advice> {
    if settings.port("port").is_none() {
        let port = if settings.text("transport") == Some("tcp") { 5060 } else { 5061 };
        settings.0.insert("port", Value::Integer(port));
    }
    let mut advice = Vec::new();
    for key in ["uri", "from"] {
        if settings.text(key).is_some_and(|uri| !is_sip_uri(uri)) {
            advice.push(error(key, "expected an address as sip:name@example.org, without spaces"));
        }
    }
    advice
}

/// Whether it can stand between `<` and `>` of a header (RFC 3261 section 25.1); what comes after
/// the scheme is the server's to judge.
fn is_sip_uri(uri: &str) -> bool {
    let rest = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"));
    let fine = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"');
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(fine))
}
