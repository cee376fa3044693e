//! The kind `ews`: its keys.

use std::time::Duration;

use super::{ADDRESSES, BASE, Kind, Shape, Wants};
use crate::key::Key;

/// `ews`
pub static EWS: Kind = Kind {
    name: "ews",
    about: "Exchange Web Services, as Outlook for Mac and add-ins use them: up to the inbox",
    timeout: Duration::from_secs(30),
    credential: Wants::Optional,
    tokens: true,
    certificates: true,
    keys: &[
        Key::required("url", Shape::Url, "as …/EWS/Exchange.asmx"),
        Key::optional(
            "mailbox",
            Shape::Mailbox,
            "the mailbox that is opened in its owner's place; the account's own where absent",
        ),
        ADDRESSES,
    ],
    depth: |probe| {
        if probe.credentials.is_empty() { "to the request for a password" } else { "to the inbox" }
    },
    ..BASE
};
