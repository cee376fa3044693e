//! The kind `mail`: its keys, and what must hold between them. How a message is sent, found and
//! judged is the agent's.

use std::net::IpAddr;
use std::time::Duration;

use super::{Advice, BASE, Declared, Kind, SMTP_TLS, Settings, Shape, Value, error};
use crate::fault::Gravity;
use crate::key::Key;
use crate::quantity::show_duration;

/// The deadline where none is declared.
const TIMEOUT: Duration = Duration::from_secs(300);
/// What is left of a local part beside the tag that a sink's addresses bear (RFC 5321 section
/// 4.5.3.1.1 allows 64 bytes).
const MAX_TAGGED_LOCAL_BYTES: usize = 31;

/// `mail`
pub static MAIL: Kind = Kind {
    name: "mail",
    about: "sends a message, finds it where it arrives, and measures how long it took",
    timeout: TIMEOUT,
    tokens: true,
    keys: &[
        Key::required(
            "direction",
            Shape::Word(&["incoming", "outgoing", "internal"]),
            "which way through the service the message goes",
        ),
        Key::required("send", Shape::Group(SEND), "how it is handed over"),
        Key::required("receive", Shape::Group(RECEIVE), "where it arrives"),
        Key::optional(
            "bounces",
            Shape::Group(RECEIVE),
            "where bounces arrive, if not where the message does",
        ),
        Key::optional("subject", Shape::Text, "its subject").or("\"Mailward probe\""),
        Key::optional("expect", Shape::Group(EXPECT), "what must hold of the arrived message"),
        Key::optional(
            "lost_after",
            Shape::Period,
            "one that has not arrived so long after the \
            hand-over is lost",
        )
        .or("\"15m\""),
    ],
    depth: |_| "to the arrival of a test message",
    settle: settle_mail,
    ..BASE
};

const SEND: &[Key] = &[
    Key::optional("host", Shape::Host, "the server that takes it; this or mx_of"),
    Key::optional("mx_of", Shape::Name, "the domain whose MX take it, best first"),
    Key::optional(
        "port",
        Shape::Port,
        "465 with tls = \"implicit\", 587 with a credential, else 25, where absent",
    ),
    Key::optional(
        "tls",
        Shape::Word(SMTP_TLS),
        "how the connection is encrypted; starttls with a credential, else none, where absent",
    ),
    Key::optional("credential", Shape::Ids, "the account that sends it"),
    Key::required("mail_from", Shape::Mailbox, "its sender; bounces go there"),
    Key::optional(
        "rcpt_to",
        Shape::Mailbox,
        "its recipient; where a sink receives it, a tag is put \
        behind a + in the local part, and probe@HOSTNAME stands where it is absent",
    ),
    Key::optional("helo", Shape::Host, "the name to greet with; else the machine's"),
];

const RECEIVE: &[Key] = &[
    Key::optional("sink", Shape::Id, "the sink that receives it; this or host"),
    Key::optional("host", Shape::Host, "the IMAP server of the mailbox"),
    Key::optional("port", Shape::Port, "993 with tls = \"implicit\", else 143, where absent"),
    Key::optional("tls", Shape::Word(SMTP_TLS), "how the connection is encrypted")
        .or("\"implicit\""),
    Key::optional("credential", Shape::Ids, "the mailbox's account"),
    Key::optional("folder", Shape::Text, "where it should arrive; elsewhere is found as well")
        .or("\"INBOX\""),
    Key::optional(
        "junk",
        Shape::Texts,
        "further folders that are junk, beside those the server \
        marks and those of well-known names",
    )
    .or("[]"),
    Key::optional(
        "authserv_id",
        Shape::Text,
        "whose Authentication-Results header is believed; none \
        where absent",
    ),
];

const EXPECT: &[Key] = &[
    Key::optional(
        "header",
        Shape::HeaderPatterns,
        "headers and the pattern that one of that name must match",
    ),
    Key::optional("attachment", Shape::Pattern, "the name of an attachment must match it"),
    Key::optional("body", Shape::Pattern, "a text part must match it, in its first 1 MiB"),
];

fn settle_mail(settings: &mut Settings, _: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    let timeout = settings.duration("timeout").unwrap_or(TIMEOUT);
    if let Some(lost_after) = settings.duration("lost_after")
        && lost_after < timeout
    {
        let message = format!(
            "lost_after: expected at least the timeout, which is {}; got {}",
            show_duration(timeout),
            show_duration(lost_after)
        );
        advice.push(error("lost_after", &message));
    }
    settle_send(settings, &mut advice);
    for key in ["receive", "bounces"] {
        settle_receive(settings, key, &mut advice);
    }
    let to_sink = settings.group("receive").is_some_and(|keys| keys.text("sink").is_some());
    let rcpt_to = settings.group("send").and_then(|keys| keys.text("rcpt_to"));
    match rcpt_to {
        None if !to_sink => advice.push(error("send", "send needs rcpt_to, the mailbox's address")),
        Some(address) if to_sink && !leaves_room(address) => {
            advice.push(error("send", &no_room("rcpt_to", address)));
        }
        _ => {}
    }
    let bounces = settings.group("bounces").and_then(|keys| keys.text("sink"));
    let mail_from = settings.group("send").and_then(|keys| keys.text("mail_from"));
    if let (Some(_), Some(address)) = (bounces, mail_from)
        && !leaves_room(address)
    {
        advice.push(error("send", &no_room("mail_from", address)));
    }
    if settings.text("direction") == Some("incoming") && to_sink {
        advice.push(Advice {
            gravity: Gravity::Warning,
            key: "direction",
            message: "incoming mail arrives in a mailbox of the service, and a sink is outside \
                      of it; this is outgoing"
                .to_owned(),
        });
    }
    advice
}

fn leaves_room(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    local.len() <= MAX_TAGGED_LOCAL_BYTES && !local.starts_with('"')
}

fn no_room(key: &str, address: &str) -> String {
    format!(
        "{key}: expected a local part of at most {MAX_TAGGED_LOCAL_BYTES} bytes, since a sink's \
         addresses bear a tag; got {address:?}"
    )
}

fn settle_send(settings: &mut Settings, advice: &mut Vec<Advice>) {
    let Some(Value::Group(send)) = settings.0.get_mut("send") else { return };
    match (send.text("host"), send.text("mx_of")) {
        (Some(_), Some(_)) => advice.push(error("send", "send: expected host or mx_of, got both")),
        (None, None) => advice.push(error("send", "send needs host or mx_of")),
        (None, Some(_)) if !send.texts("credential").is_empty() => {
            advice.push(error("send", "send: an MX takes no credential; expected host"));
        }
        (None, Some(name)) if name.parse::<IpAddr>().is_ok() => {
            advice.push(error("send", "send: mx_of: expected a domain, got an address"));
        }
        _ => {}
    }
    one_account(send, "send", advice);
    let with_account = !send.texts("credential").is_empty();
    if send.text("tls").is_none() {
        let tls = if with_account && send.port("port") == Some(465) {
            "implicit"
        } else if with_account {
            "starttls"
        } else {
            "none"
        };
        send.0.insert("tls", Value::Text(tls.to_owned()));
    }
    if with_account && send.text("tls") == Some("none") {
        advice.push(unencrypted("send"));
    }
    if send.port("port").is_none() {
        let port = match send.text("tls") {
            Some("implicit") => 465,
            _ if with_account => 587,
            _ => 25,
        };
        send.0.insert("port", Value::Integer(port));
    }
}

fn settle_receive(settings: &mut Settings, key: &'static str, advice: &mut Vec<Advice>) {
    let Some(Value::Group(receive)) = settings.0.get_mut(key) else { return };
    match (receive.text("sink"), receive.text("host")) {
        (Some(_), Some(_)) => {
            advice.push(error(key, &format!("{key}: expected sink or host, got both")));
        }
        (None, None) => advice.push(error(key, &format!("{key} needs sink or host"))),
        (Some(_), None) if !receive.texts("credential").is_empty() => {
            advice.push(error(key, &format!("{key}: a sink takes no credential")));
        }
        (None, Some(_)) if receive.texts("credential").is_empty() => {
            advice.push(error(key, &format!("{key} needs the mailbox's credential")));
        }
        _ => {}
    }
    one_account(receive, key, advice);
    if receive.text("sink").is_some() {
        return;
    }
    let implicit = receive.text("tls") == Some("implicit");
    if receive.port("port").is_none() {
        receive.0.insert("port", Value::Integer(if implicit { 993 } else { 143 }));
    }
    if receive.text("tls") == Some("none") {
        advice.push(unencrypted(key));
    }
}

fn one_account(keys: &Settings, key: &'static str, advice: &mut Vec<Advice>) {
    if keys.texts("credential").len() > 1 {
        advice.push(error(key, &format!("{key}: credential: expected one id, got a list of two")));
    }
}

fn unencrypted(key: &'static str) -> Advice {
    Advice {
        gravity: Gravity::Warning,
        key,
        message: format!(
            "{key}: the password travels unencrypted; expected tls = \"starttls\" or \"implicit\""
        ),
    }
}
