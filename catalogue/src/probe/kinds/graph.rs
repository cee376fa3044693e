//! The kind `graph`: its keys.

use std::time::Duration;

use super::{BASE, Kind, Shape, Wants};
use crate::key::Key;

/// `graph`
pub static GRAPH: Kind = Kind {
    name: "graph",
    about: "Microsoft Graph, for services that moved to Exchange Online: up to the inbox",
    timeout: Duration::from_secs(30),
    credential: Wants::Required,
    tokens: true,
    passwords: false,
    keys: &[
        Key::optional("url", Shape::Url, "the service; /v1.0 is added where no version stands")
            .or("\"https://graph.microsoft.com/v1.0\""),
        Key::optional(
            "mailbox",
            Shape::Mailbox,
            "the mailbox; where absent, that of the token, or the account's username with a token \
             for the client itself",
        ),
    ],
    depth: |_| "to the inbox",
    ..BASE
};
