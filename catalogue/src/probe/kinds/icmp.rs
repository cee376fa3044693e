//! The kind `icmp`: its keys.

use super::{ADDRESSES, BASE, Kind, Shape};
use crate::key::Key;

/// `icmp`
pub static ICMP: Kind = Kind {
    name: "icmp",
    about: "sends echo requests (ping) without privileges, and counts the answers",
    keys: &[
        Key::required("host", Shape::Host, "the machine"),
        Key::optional("count", Shape::Integer(1, 20), "how many requests are sent").or("3"),
        Key::optional("max_loss", Shape::Percent, "degraded when a larger share gets no answer")
            .or("\"34%\""),
        Key::optional("max_rtt", Shape::Period, "degraded when answers take longer on average"),
        ADDRESSES,
    ],
    depth: |_| "to the machine's network",
    ..BASE
};
