//! The kind `tcp`: its keys, and the port that has to be declared.

use super::{ADDRESSES, BASE, Kind, Shape};
use crate::key::Key;

/// `tcp`
pub static TCP: Kind = Kind {
    name: "tcp",
    about: "connects to a port, and compares what is said there with a pattern",
    keys: &[
        Key::required("host", Shape::Host, "the server"),
        Key::required("port", Shape::Port, "its port"),
        Key::optional("tls", Shape::Word(&["none", "implicit"]), "how the connection is encrypted")
            .or("\"none\""),
        Key::optional("send", Shape::Text, "what is sent once the connection is there"),
        Key::optional("expect", Shape::Pattern, "what must come back, in its first 64 KiB"),
        ADDRESSES,
    ],
    depth: |probe| match (probe.settings.text("expect"), probe.settings.text("tls")) {
        (Some(_), _) => "to the answer",
        (None, Some("implicit")) => "to the encrypted connection",
        (None, _) => "to the connection",
    },
    ..BASE
};
