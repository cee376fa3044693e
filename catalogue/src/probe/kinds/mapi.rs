//! The kind `mapi`: its keys.

use std::time::Duration;

use super::{ADDRESSES, BASE, Kind, Shape, Wants};
use crate::key::Key;

/// `mapi`
pub static MAPI: Kind = Kind {
    name: "mapi",
    about: "MAPI over HTTP, as Outlook uses it: up to the server's answer to PING",
    timeout: Duration::from_secs(30),
    credential: Wants::Optional,
    tokens: true,
    certificates: true,
    keys: &[
        Key::required("url", Shape::Url, "as …/mapi/emsmdb/"),
        Key::optional(
            "mailbox_id",
            Shape::Text,
            "the mailbox, as autodiscover has it: GUID@DOMAIN; that of the account where absent",
        ),
        ADDRESSES,
    ],
    depth: |probe| {
        if probe.credentials.is_empty() {
            "to the request for a password"
        } else {
            "to the server behind the logon"
        }
    },
    ..BASE
};
