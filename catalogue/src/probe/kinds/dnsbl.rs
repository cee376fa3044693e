//! `dnsbl`: its keys. What is known of well-known lists stands in `blocklist`.

use super::{BASE, error, warning};
use crate::blocklist;
use crate::probe::{Advice, Declared, Effect, Key, Kind, Settings, Shape};

/// `dnsbl`
pub static DNSBL: Kind = Kind {
    name: "dnsbl",
    about: "asks blocklists for addresses and domains; a list is believed only while its test \
            entries answer as RFC 5782 says",
    effect: Effect::Advisory,
    keys: &[
        Key::optional("addresses", Shape::Addresses, "addresses asked for, IPv4 or IPv6"),
        Key::optional("mx_of", Shape::Names, "domains whose mail servers' addresses are asked for"),
        Key::optional(
            "spf_of",
            Shape::Names,
            "domains; asked for are the addresses that their SPF records let send",
        ),
        Key::optional(
            "max_addresses",
            Shape::Integer(1, 1024),
            "the most addresses found by mx_of and spf_of; a range that does not fit is left out",
        )
        .or("128"),
        Key::optional("domains", Shape::Names, "domains asked for"),
        Key::required("lists", Shape::Names, "zones of the lists"),
        Key::optional(
            "untested",
            Shape::Names,
            "those of the lists that hold no test entry and are believed without it",
        ),
        Key::optional("resolver", Shape::Resolver, "whom to ask; else the resolver of [agent]"),
    ],
    depth: |_| "to the answers of the blocklists",
    settle,
    ..BASE
};

fn settle(settings: &mut Settings, _: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    let sources = ["mx_of", "spf_of", "domains"];
    if settings.addresses("addresses").is_empty()
        && sources.iter().all(|key| settings.texts(key).is_empty())
    {
        let message = "dnsbl needs addresses, mx_of, spf_of or domains, or several of them";
        advice.push(error("kind", message));
    }
    let lists = settings.texts("lists");
    for zone in settings.texts("untested") {
        if !lists.iter().any(|list| list.eq_ignore_ascii_case(zone)) {
            advice.push(error("untested", &format!("{zone} is none of the lists")));
        }
    }
    for zone in lists {
        if let Some(known) = blocklist::find(zone)
            && let Some(end) = &known.ended
        {
            let message =
                format!("{zone} is dead and is not asked: {} ({}); take it out", end.how, end.when);
            advice.push(warning("lists", &message));
        }
    }
    advice
}
