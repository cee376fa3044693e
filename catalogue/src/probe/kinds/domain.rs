//! `domain`: the keys of the check of a domain's own records: SPF, DKIM, DMARC and the rest.

use super::{BASE, error, warning};
use crate::probe::{Advice, Declared, Effect, Key, Kind, Settings, Shape};
use std::time::Duration;

/// `domain`
pub static DOMAIN: Kind = Kind {
    name: "domain",
    about: "judges what a domain publishes about its mail: SPF, DKIM, DMARC, MTA-STS, TLS-RPT, \
            DANE, DNSSEC",
    effect: Effect::Advisory,
    timeout: Duration::from_secs(30),
    keys: &[
        Key::required("domain", Shape::Name, "the domain, as in mail addresses"),
        Key::optional("dkim_selectors", Shape::Names, "selectors whose DKIM keys are looked up"),
        Key::optional("require", Shape::Words(REQUIREMENTS), "what must be there and in order")
            .or("[\"spf\", \"dmarc\"]"),
        Key::optional("resolver", Shape::Resolver, "whom to ask; else the resolver of [agent]"),
        Key::optional(
            "trust_anchors",
            Shape::Path,
            "a file of DNSKEY records that DNSSEC is judged by; the root's where absent",
        ),
        Key::optional("mx_port", Shape::Port, "where mail servers show the certificate for dane")
            .or("25"),
        Key::optional("policy_port", Shape::Port, "where the policy of mta-sts is fetched")
            .or("443"),
    ],
    depth: |_| "to what its domain publishes",
    settle,
    ..BASE
};

const REQUIREMENTS: &[&str] = &["spf", "dkim", "dmarc", "mta-sts", "tls-rpt", "dane", "dnssec"];

fn settle(settings: &mut Settings, _: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    let dkim = settings.texts("require").iter().any(|word| word == "dkim");
    let selectors = !settings.texts("dkim_selectors").is_empty();
    if dkim && !selectors {
        advice.push(error("require", "dkim needs dkim_selectors: the DNS does not list them"));
    }
    if selectors && !dkim {
        let message = "the keys are looked up only if require holds \"dkim\"";
        advice.push(warning("dkim_selectors", message));
    }
    advice
}
