//! `[distribution]`: to whom published reports are mailed, and through which relay. When
//! something is due, and sending it, are the reporter's business.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Weekday;

use crate::credential::SecretRef;
use crate::key::{Key, Shape};
use crate::section::{DAYS, Form, Section};

/// `[distribution]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Who receives each published edition; a message each.
    pub to: Vec<String>,
    /// Who they are from: the envelope's sender, to whom bounces go, and the header's.
    pub from: String,
    /// The subject; `{service}` and `{month}` are filled in.
    pub subject: String,
    /// The relay.
    pub relay: Relay,
    /// The day of the week on which the month so far is sent as well.
    pub digest: Option<Weekday>,
    /// How long a message that is put off is tried again; default 5 days.
    pub give_up_after: Duration,
}

/// The mail server that takes messages for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Its name or address; also the name that its certificate must bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: RelayTls,
    /// The account it is used with, and where its password is kept.
    pub account: Option<(String, SecretRef)>,
    /// PEM file of further authorities that its certificate may be signed by.
    pub trust: Option<PathBuf>,
}

/// How the connection to a relay is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayTls {
    /// Not at all.
    None,
    /// By STARTTLS; a relay that offers none is not used.
    StartTls,
    /// From the first byte.
    Implicit,
}

pub(crate) const PORT: Key = Key::optional(
    "port",
    Shape::Port,
    "its port; 465 with tls = \"implicit\", 587 with a username, else 25, where absent",
);
pub(crate) const TLS: Key = Key::optional(
    "tls",
    Shape::Word(&["none", "starttls", "implicit"]),
    "how the connection is encrypted",
)
.or("\"starttls\"");
pub(crate) const USERNAME: Key =
    Key::optional("username", Shape::Text, "the account it is used with; needs password");
pub(crate) const PASSWORD: Key =
    Key::optional("password", Shape::Secret, "where the account's password is kept");
pub(crate) const TRUST: Key = Key::optional(
    "trust",
    Shape::Path,
    "PEM file of authorities that may have signed its certificate, beside the public ones",
);

/// `[distribution]`
pub static DISTRIBUTION: Section = Section {
    name: "distribution",
    form: Form::Table,
    about: "to whom published reports are mailed, and through which relay",
    keys: &[
        Key::required("to", Shape::Mailboxes, "who receives each published edition"),
        Key::required("from", Shape::Mailbox, "who it is from; bounces come back to it"),
        Key::optional(
            "subject",
            Shape::Text,
            "the subject; `{service}` and `{month}` are filled in",
        )
        .or("\"{service}: Performance Summary, {month}\""),
        Key::required("host", Shape::Host, "the relay: the mail server that takes it"),
        PORT,
        TLS,
        USERNAME,
        PASSWORD,
        TRUST,
        Key::optional(
            "digest",
            Shape::Word(&DAYS),
            "the day of the week on which the month so far is sent as well",
        ),
        Key::optional(
            "give_up_after",
            Shape::Period,
            "how long a message that is put off is tried again",
        )
        .or("\"5d\""),
    ],
};
