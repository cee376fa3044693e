//! The probe kinds of this version and their keys: one table from which reading, advice, the
//! JSON schema and the reference follow. How a kind is run is the agent's.

use std::time::Duration;

mod autodiscover;
mod command;
mod ews;
mod graph;
mod http;
mod icmp;
mod imap;
mod mail;
mod mapi;
mod pop3;
mod sip;
mod tcp;

use super::{Advice, Declared, Effect, Key, Kind, Probe, Settings, Shape, Value, Wants};
use crate::fault::Gravity;

mod dnsbl;
mod domain;
mod spoof;

pub use dnsbl::DNSBL;
pub use domain::DOMAIN;
pub use spoof::SPOOF;

/// Every kind of this version.
pub const KINDS: &[&Kind] = &[
    &HTTP,
    &EXCHANGE_HEALTH,
    &OWA,
    &EAS,
    &AUTODISCOVER,
    &MAPI,
    &EWS,
    &GRAPH,
    &SMTP,
    &IMAP,
    &POP3,
    &TLS,
    &DNS,
    &DNSBL,
    &DOMAIN,
    &SPOOF,
    &MAIL,
    &TCP,
    &ICMP,
    &SIP,
    &COMMAND,
];

pub use autodiscover::AUTODISCOVER;
pub use command::COMMAND;
pub use ews::EWS;
pub use graph::GRAPH;
pub use http::{HTTP, STEP};
pub use icmp::ICMP;
pub use imap::IMAP;
pub use mail::MAIL;
pub use mapi::MAPI;
pub use pop3::POP3;
pub use sip::SIP;
pub use tcp::TCP;

/// The kind of this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

const BASE: Kind = Kind {
    name: "",
    about: "",
    effect: Effect::Availability,
    timeout: Duration::from_secs(10),
    credential: Wants::Never,
    tokens: false,
    passwords: true,
    certificates: false,
    keys: &[],
    later: &[],
    depth: |_| "to the answer",
    settle: |_, _| Vec::new(),
};

/// `addresses`, for kinds that talk to one host.
pub const ADDRESSES: Key = Key::optional(
    "addresses",
    Shape::Pool,
    "which of the host's addresses must do: any of them, each of them, or these instead (a pool)",
)
.or("\"any\"");

/// `exchange-health`
pub static EXCHANGE_HEALTH: Kind = Kind {
    name: "exchange-health",
    about: "fetches Exchange's own healthcheck.htm of each protocol; says nothing about logon",
    keys: &[
        Key::required("url", Shape::Url, "the server; its path, if any, is put before the rest"),
        Key::optional(
            "protocols",
            Shape::Words(PROTOCOLS),
            "the protocols whose page is fetched, all of which must be well; where absent, all \
            that the server publishes",
        ),
        ADDRESSES,
    ],
    depth: |_| "to the server's own health page",
    ..BASE
};

const PROTOCOLS: &[&str] =
    &["owa", "ecp", "ews", "mapi", "rpc", "oab", "autodiscover", "activesync"];

/// `owa`
pub static OWA: Kind = Kind {
    name: "owa",
    about: "Outlook on the web: up to the sign-in page, or with a credential into the mailbox",
    timeout: Duration::from_secs(30),
    credential: Wants::Optional,
    keys: &[
        Key::required("url", Shape::Url, "the address users type, as …/owa/"),
        Key::optional(
            "depth",
            Shape::Word(&["sign-in", "mailbox", "inbox"]),
            "how far a run goes; where absent, with a credential to the inbox, unless somebody \
            else signs people in, and without one to the sign-in page",
        ),
        ADDRESSES,
    ],
    depth: owa_depth,
    settle: settle_owa,
    ..BASE
};

/// `eas`
pub static EAS: Kind = Kind {
    name: "eas",
    about: "Exchange ActiveSync, as telephones and tablets use it",
    timeout: Duration::from_secs(30),
    credential: Wants::Optional,
    tokens: true,
    certificates: true,
    keys: &[
        Key::required("url", Shape::Url, "as …/Microsoft-Server-ActiveSync"),
        Key::optional("depth", Shape::Word(EAS_DEPTHS), "how far a run goes").or("\"options\""),
        ADDRESSES,
    ],
    settle: settle_eas,
    depth: eas_depth,
    ..BASE
};

const EAS_DEPTHS: &[&str] = &["options", "provision", "folders", "inbox"];

fn settle_eas(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    match settings.text("depth") {
        Some(depth @ ("provision" | "folders" | "inbox")) if !declared.credential => {
            vec![error("depth", &format!("depth = \"{depth}\" needs a credential"))]
        }
        _ => Vec::new(),
    }
}

fn owa_depth(probe: &Probe) -> &'static str {
    match (probe.settings.text("depth"), probe.credentials.is_empty()) {
        (Some("inbox"), _) => "to the inbox",
        (Some("mailbox"), _) => "to the mailbox page",
        (None, false) => "to the inbox, or to a sign-in elsewhere",
        _ => "to the sign-in page",
    }
}

fn settle_owa(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    match (settings.text("depth"), declared.credential) {
        (Some("sign-in"), true) => {
            advice.push(error("depth", "depth = \"sign-in\" ends before the credential is used"))
        }
        (Some(depth @ ("mailbox" | "inbox")), false) => {
            advice.push(error("depth", &format!("depth = \"{depth}\" needs a credential")));
        }
        _ => {}
    }
    advice
}

fn eas_depth(probe: &Probe) -> &'static str {
    match (probe.settings.text("depth"), probe.credentials.is_empty()) {
        (Some("inbox"), _) => "to the inbox",
        (Some("folders"), _) => "to the list of folders",
        (Some("provision"), _) => "to the device's policy",
        (_, true) => "to the request for a password",
        (_, false) => "to the logon",
    }
}

/// What the step of a mail server's `upto` is called.
fn step_depth(upto: Option<&str>) -> &'static str {
    match upto {
        Some("banner" | "greeting") => "to the greeting",
        Some("tls") => "to the encrypted connection",
        Some("auth") => "to the logon",
        Some("rcpt") => "to the recipient's acceptance",
        Some("select" | "stat") => "to the inbox",
        _ => "to the greeting's answer",
    }
}

/// `smtp`
pub static SMTP: Kind = Kind {
    name: "smtp",
    about: "speaks SMTP up to a step, and never sends a message",
    credential: Wants::Optional,
    tokens: true,
    keys: &[
        Key::required("host", Shape::Host, "the server"),
        Key::optional("port", Shape::Port, "25, or 465 with tls = \"implicit\", where absent"),
        Key::optional("tls", Shape::Word(SMTP_TLS), "how the connection is encrypted")
            .or("\"none\""),
        Key::optional("mail_from", Shape::Sender, "sender for upto = \"rcpt\"; empty for <>")
            .or("\"\""),
        Key::optional("rcpt_to", Shape::Mailbox, "recipient for upto = \"rcpt\""),
        Key::optional(
            "upto",
            Shape::Word(SMTP_STEPS),
            "the last step; where absent, the last one \
            that the other keys make possible, at least ehlo",
        ),
        Key::optional("helo", Shape::Host, "the name to greet with; else the machine's"),
        ADDRESSES,
    ],
    depth: |probe| step_depth(probe.settings.text("upto")),
    settle: settle_smtp,
    ..BASE
};

const SMTP_TLS: &[&str] = &["none", "starttls", "implicit"];
const SMTP_STEPS: &[&str] = &["banner", "ehlo", "tls", "auth", "rcpt"];

fn settle_smtp(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    let tls = settings.text("tls").unwrap_or("none").to_owned();
    if settings.port("port").is_none() {
        let port = if tls == "implicit" { 465 } else { 25 };
        settings.0.insert("port", Value::Integer(port));
    }
    let reachable = if settings.text("rcpt_to").is_some() {
        "rcpt"
    } else if declared.credential {
        "auth"
    } else if tls != "none" {
        "tls"
    } else {
        "ehlo"
    };
    let upto = settings.text("upto").unwrap_or(reachable).to_owned();
    match upto.as_str() {
        "tls" if tls == "none" => {
            advice.push(error("upto", "upto = \"tls\" needs tls = \"starttls\" or \"implicit\""));
        }
        "auth" if !declared.credential => {
            advice.push(error("upto", "upto = \"auth\" needs a credential"));
        }
        "rcpt" if settings.text("rcpt_to").is_none() => {
            advice.push(error("upto", "upto = \"rcpt\" needs rcpt_to"));
        }
        "banner" | "ehlo" | "tls" if declared.credential => advice
            .push(error("upto", &format!("upto = \"{upto}\" ends before the credential is used"))),
        _ => {}
    }
    if declared.credential && tls == "none" {
        advice.push(Advice {
            gravity: Gravity::Warning,
            key: "tls",
            message: "the password travels unencrypted; expected tls = \"starttls\" or \
                      \"implicit\""
                .to_owned(),
        });
    }
    settings.0.insert("upto", Value::Text(upto));
    advice
}

/// `tls`
pub static TLS: Kind = Kind {
    name: "tls",
    about: "makes a full TLS handshake and judges the certificate chain",
    keys: &[
        Key::required("host", Shape::Host, "the server"),
        Key::optional("port", Shape::Port, "443, or that of starttls (25, 143, 110), where absent"),
        Key::optional(
            "starttls",
            Shape::Word(&["smtp", "imap", "pop3"]),
            "the protocol to ask for encryption in",
        ),
        Key::optional(
            "min_days",
            Shape::Integer(0, 3650),
            "degraded when the certificate has \
            fewer whole days left",
        )
        .or("14"),
        ADDRESSES,
    ],
    depth: |_| "to the certificate",
    settle: |settings, _| {
        if settings.port("port").is_none() {
            let port = match settings.text("starttls") {
                Some("smtp") => 25,
                Some("imap") => 143,
                Some(_) => 110,
                None => 443,
            };
            settings.0.insert("port", Value::Integer(port));
        }
        Vec::new()
    },
    ..BASE
};

/// `dns`
pub static DNS: Kind = Kind {
    name: "dns",
    about: "asks for a name, and compares the answer",
    keys: &[
        Key::required("name", Shape::Name, "the name asked for"),
        Key::optional("type", Shape::Word(RECORD_TYPES), "the type asked for").or("\"A\""),
        Key::optional(
            "expect",
            Shape::Texts,
            "records that must be in the answer, as a zone file \
            has them; any answer will do where absent",
        ),
        Key::optional("resolver", Shape::Resolver, "whom to ask; else the resolver of [agent]"),
    ],
    depth: |_| "to the answer of the DNS",
    ..BASE
};

const RECORD_TYPES: &[&str] =
    &["A", "AAAA", "MX", "TXT", "CNAME", "NS", "SOA", "PTR", "SRV", "CAA", "TLSA"];

fn error(key: &'static str, message: &str) -> Advice {
    Advice { gravity: Gravity::Error, key, message: message.to_owned() }
}

fn warning(key: &'static str, message: &str) -> Advice {
    Advice { gravity: Gravity::Warning, key, message: message.to_owned() }
}
