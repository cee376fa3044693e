//! The kind `pop3`: its keys. What holds between them it shares with `imap`.

use super::imap::settle_mailbox;
use super::{ADDRESSES, BASE, Kind, SMTP_TLS, Shape, Wants, step_depth};
use crate::key::Key;

/// `pop3`
pub static POP3: Kind = Kind {
    name: "pop3",
    about: "opens a mailbox by POP3, counts what is in it, and leaves it as it was",
    credential: Wants::Optional,
    tokens: true,
    keys: &[
        Key::required("host", Shape::Host, "the server"),
        Key::optional("port", Shape::Port, "995 with tls = \"implicit\", else 110, where absent"),
        Key::optional("tls", Shape::Word(SMTP_TLS), "how the connection is encrypted")
            .or("\"implicit\""),
        Key::optional(
            "upto",
            Shape::Word(&["greeting", "tls", "auth", "stat"]),
            "the last step; where absent, the last one that the other keys make possible",
        ),
        ADDRESSES,
    ],
    depth: |probe| step_depth(probe.settings.text("upto")),
    settle: |settings, declared| settle_mailbox(settings, declared, (995, 110), "stat"),
    ..BASE
};
