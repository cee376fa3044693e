//! `spoof`: the keys of the forgery check, and what has to hold before it may be run at all.

use std::time::Duration;

use super::{BASE, SMTP_TLS, error, warning};
use crate::key::Value;
use crate::probe::{Advice, Declared, Effect, Key, Kind, Settings, Shape, Wants};

/// A forged message is offered at most once in this time.
const DAY: Duration = Duration::from_secs(86_400);

/// `spoof`
pub static SPOOF: Kind = Kind {
    name: "spoof",
    about: "offers the domain's mail servers a message that forges the domain, and a harmless one \
            beside it, and sees where they land; off without authorised_by and until",
    effect: Effect::Advisory,
    timeout: Duration::from_secs(120),
    credential: Wants::Required,
    keys: &[
        Key::required("domain", Shape::Name, "the domain that is forged"),
        Key::required("rcpt_to", Shape::Mailbox, "the mailbox of ours that it is sent to"),
        Key::required(
            "control_from",
            Shape::Mailbox,
            "a sender of ours that may send from here, for the harmless message",
        ),
        Key::optional("forged_from", Shape::Mailbox, "the sender that is forged; in the domain"),
        Key::optional("expect", Shape::Word(&["refused", "junk", "inbox"]), "where it should land")
            .or("\"refused\""),
        Key::optional("authorised_by", Shape::Text, "who has allowed this check"),
        Key::optional("until", Shape::Date, "the last day on which it is allowed"),
        Key::optional("mx", Shape::Host, "the mail server; else the domain's best MX"),
        Key::optional("mx_port", Shape::Port, "its port").or("25"),
        Key::required("host", Shape::Host, "the IMAP server of the mailbox"),
        Key::optional("port", Shape::Port, "993 with tls = \"implicit\", else 143, where absent"),
        Key::optional("tls", Shape::Word(SMTP_TLS), "how the connection to it is encrypted")
            .or("\"implicit\""),
        Key::optional("resolver", Shape::Resolver, "whom to ask; else the resolver of [agent]"),
    ],
    depth: |_| "to where a forged message lands",
    settle,
    ..BASE
};

fn settle(settings: &mut Settings, _: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    let missing: Vec<&str> = [
        ("authorised_by", settings.text("authorised_by").is_none()),
        ("until", settings.dates("until").is_empty()),
    ]
    .into_iter()
    .filter_map(|(key, missing)| missing.then_some(key))
    .collect();
    if !missing.is_empty() {
        let message = format!("the check is off: it needs {}", missing.join(" and "));
        advice.push(warning("kind", &message));
    }
    // one message is evidence enough, and another would come a day later
    settings.0.insert("confirm", Value::Integer(1));
    match settings.duration("every") {
        Some(every) if every >= DAY => {
            // a failure must not be followed by another forgery on the same day
            settings.0.entry("retry_every").or_insert(Value::Duration(every));
        }
        _ => advice.push(error("every", "expected every = \"1d\" or more: at most one a day")),
    }
    if settings.duration("retry_every").is_some_and(|retry| retry < DAY) {
        advice.push(error("retry_every", "expected \"1d\" or more: at most one a day"));
    }
    let domain = settings.text("domain").unwrap_or_default().to_owned();
    if let Some(from) = settings.text("forged_from")
        && !from.rsplit_once('@').is_some_and(|(_, at)| at.eq_ignore_ascii_case(&domain))
    {
        advice.push(error("forged_from", &format!("expected an address of {domain}, got {from}")));
    }
    if settings.port("port").is_none() {
        let implicit =
            settings.text("tls") != Some("starttls") && settings.text("tls") != Some("none");
        settings.0.insert("port", Value::Integer(if implicit { 993 } else { 143 }));
    }
    advice
}
