//! From what a domain publishes to checks that need no account. Each slot has candidates, best
//! first; a trial decides which of them is written down, and whether one is at all.

use std::collections::{BTreeMap, BTreeSet};

use mailward_evidence::{Outcome, Reason, Verdict};

use super::Scope;
use super::look::Published;
use super::toml::Value;

mod domain;
mod web;

/// Blocklists of addresses that are widely believed and may be asked for little.
const ADDRESS_LISTS: [&str; 5] = [
    "zen.spamhaus.org",
    "bl.spamcop.net",
    "psbl.surriel.com",
    "b.barracudacentral.org",
    "bl.mailspike.net",
];
/// Blocklists of domains.
const DOMAIN_LISTS: [&str; 2] = ["dbl.spamhaus.org", "multi.surbl.org"];

/// The rows of the page, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Incoming,
    Sending,
    Webmail,
    Outlook,
    Mobile,
    Clients,
    Policy,
    Reputation,
}

impl Row {
    pub(crate) const ALL: [Self; 8] = [
        Self::Incoming,
        Self::Sending,
        Self::Webmail,
        Self::Outlook,
        Self::Mobile,
        Self::Clients,
        Self::Policy,
        Self::Reputation,
    ];

    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Incoming => "incoming-internet",
            Self::Sending => "sending",
            Self::Webmail => "webmail",
            Self::Outlook => "outlook",
            Self::Mobile => "mobile",
            Self::Clients => "mail-clients",
            Self::Policy => "domain-policy",
            Self::Reputation => "reputation",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Incoming => "Incoming Internet Email",
            Self::Sending => "Sending Email",
            Self::Webmail => "Webmail",
            Self::Outlook => "Email Client Access (Outlook)",
            Self::Mobile => "Mobile/Tablet Access",
            Self::Clients => "Email Client Access (IMAP and POP)",
            Self::Policy => "Domain Policy",
            Self::Reputation => "Reputation",
        }
    }
}

/// A check, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) row: Row,
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) keys: Vec<(&'static str, Value)>,
    pub(crate) every: &'static str,
    /// Why it is there and what it does, for the person; foreign text in it is as it came.
    pub(crate) about: String,
}

/// One place on the page, and what may stand there.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Best first.
    pub(crate) candidates: Vec<Check>,
    /// Whether the domain says that it has this: then it is watched even where it fails.
    pub(crate) is_declared: bool,
    /// Whether whoever comes does so without verifying a certificate, as mail servers do.
    pub(crate) is_opportunistic: bool,
}

/// All slots for what was found.
pub(crate) fn slots(scope: &Scope, found: &Published) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (at, host) in found.mail_servers.iter().enumerate() {
        slots.push(mail_server(scope, found, at, host));
    }
    slots.extend(submission(scope, found));
    slots.extend(web::slots(scope, found));
    slots.extend(mailbox(scope, found, "imap", ["imaps", "imap"], (993, 143), &["imap", "mail"]));
    slots.extend(mailbox(
        scope,
        found,
        "pop3",
        ["pop3s", "pop3"],
        (995, 110),
        &["pop", "pop3", "mail"],
    ));
    slots.push(domain::slot(scope, found));
    slots.extend(blocklists(scope));
    slots
}

fn mail_server(scope: &Scope, found: &Published, at: usize, host: &str) -> Slot {
    let id = match found.mail_servers.len() {
        1 => "mx".to_owned(),
        _ => format!("mx-{}", at + 1),
    };
    let about = match found.is_implicit {
        true => "There is no MX record, so that mail goes to the domain's own address.".to_owned(),
        false => format!("{host} takes mail from the internet, and offers encryption."),
    };
    let plain_about = format!(
        "{host} takes mail from the internet. Its certificate is not looked at: it is none that \
         a sender can verify, or no encryption is offered; senders deliver all the same."
    );
    let check = |tls: &'static str, about: String| Check {
        row: Row::Incoming,
        id: id.clone(),
        kind: "smtp",
        keys: server_keys(host, scope.mx_port, 25, Some(tls)),
        every: "60s",
        about,
    };
    Slot {
        candidates: vec![check("starttls", about), check("none", plain_about)],
        is_declared: !found.is_implicit,
        is_opportunistic: true,
    }
}

/// `host`, `port` where it is not the usual one, `tls`.
fn server_keys(
    host: &str,
    port: u16,
    usual: u16,
    tls: Option<&'static str>,
) -> Vec<(&'static str, Value)> {
    let mut keys = vec![("host", Value::Text(host.to_owned()))];
    if port != usual {
        keys.push(("port", Value::Whole(port.into())));
    }
    keys.extend(tls.map(|tls| ("tls", Value::Text(tls.to_owned()))));
    keys
}

/// Hosts where a service may be that the domain says nothing of: its usual names, and the hosts
/// that take its mail.
fn usual_hosts(scope: &Scope, found: &Published, labels: &[&str]) -> Vec<String> {
    let named = labels.iter().map(|label| format!("{label}.{}", scope.domain));
    let mut hosts: Vec<String> = named.filter(|host| found.hosts.contains(host)).collect();
    hosts.extend(providers(found).map(str::to_owned));
    hosts.extend(found.mail_servers.iter().take(2).cloned());
    let mut seen = BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    hosts
}

/// Where large providers let their customers in, by who takes the mail.
fn providers(found: &Published) -> impl Iterator<Item = &'static str> {
    let of = |suffix: &str| found.mail_servers.iter().any(|host| host.ends_with(suffix));
    let microsoft = of(".mail.protection.outlook.com");
    let google = of(".google.com") || of(".googlemail.com");
    let hosts = [
        (microsoft, "outlook.office365.com"),
        (microsoft, "smtp.office365.com"),
        (google, "imap.gmail.com"),
        (google, "pop.gmail.com"),
        (google, "smtp.gmail.com"),
    ];
    hosts.into_iter().filter_map(|(there, host)| there.then_some(host))
}

/// Where users hand their mail over, encrypted from the first byte and by STARTTLS.
fn submission(scope: &Scope, found: &Published) -> Vec<Slot> {
    let ways = [
        ("submissions", "submission", "implicit", 465),
        ("submission", "submission-starttls", "starttls", 587),
    ];
    let of = |(service, id, tls, port): (&'static str, &str, &'static str, u16)| {
        let check = |host: &str, at: u16| {
            let mut keys =
                server_keys(host, at, if tls == "implicit" { 465 } else { 25 }, Some(tls));
            keys.push(("upto", Value::Text("tls".to_owned())));
            Check {
                row: Row::Sending,
                id: id.to_owned(),
                kind: "smtp",
                keys,
                every: "60s",
                about: format!("{host} takes mail from users: up to where they would sign in."),
            }
        };
        let declared = found.services.get(service);
        let candidates: Vec<Check> = match declared {
            Some(offers) => offers.iter().map(|offer| check(&offer.host, offer.port)).collect(),
            None => usual_hosts(scope, found, &["smtp", "submission", "mail"])
                .iter()
                .map(|host| check(host, port))
                .collect(),
        };
        let is_declared = declared.is_some();
        Slot { candidates, is_declared, is_opportunistic: false }
    };
    ways.into_iter().map(of).filter(|slot| !slot.candidates.is_empty()).collect()
}

/// Where users read their mail; one encrypted from the first byte is preferred.
fn mailbox(
    scope: &Scope,
    found: &Published,
    kind: &'static str,
    services: [&'static str; 2],
    ports: (u16, u16),
    labels: &[&str],
) -> Option<Slot> {
    let check = |host: &str, port: u16, tls: &'static str| {
        let usual = if tls == "implicit" { ports.0 } else { ports.1 };
        Check {
            row: Row::Clients,
            id: kind.to_owned(),
            kind,
            keys: server_keys(host, port, usual, Some(tls)),
            every: "60s",
            about: format!("{host} lets users read their mail: up to where they would sign in."),
        }
    };
    let ways = [(services[0], "implicit"), (services[1], "starttls")];
    let says_so = ways.iter().any(|(service, _)| found.services.contains_key(service));
    let mut candidates = Vec::new();
    for (service, tls) in ways {
        let offers = found.services.get(service).into_iter().flatten();
        candidates.extend(offers.map(|offer| check(&offer.host, offer.port, tls)));
    }
    if !says_so {
        let hosts = usual_hosts(scope, found, labels);
        candidates.extend(hosts.iter().map(|host| check(host, ports.0, "implicit")));
        candidates.extend(hosts.iter().map(|host| check(host, ports.1, "starttls")));
    }
    let is_declared = says_so;
    (!candidates.is_empty()).then_some(Slot { candidates, is_declared, is_opportunistic: false })
}

fn blocklists(scope: &Scope) -> [Slot; 2] {
    let check = |id: &str, key: &'static str, lists: &[&str], about: &str| Check {
        row: Row::Reputation,
        id: id.to_owned(),
        kind: "dnsbl",
        keys: vec![
            (key, Value::Text(scope.domain.clone())),
            ("lists", Value::List(lists.iter().map(|list| (*list).to_owned()).collect())),
        ],
        every: "30m",
        about: about.to_owned(),
    };
    let slot =
        |check| Slot { candidates: vec![check], is_declared: false, is_opportunistic: false };
    [
        slot(check(
            "blocklists",
            "mx_of",
            &ADDRESS_LISTS,
            "Whether blocklists name the addresses of the mail servers. Add the addresses that \
             mail is sent from: addresses = [\"192.0.2.1\"], or spf_of for all that SPF allows.",
        )),
        slot(check(
            "blocklists-domain",
            "domains",
            &DOMAIN_LISTS,
            "Whether blocklists name the domain itself.",
        )),
    ]
}

/// What a trial says of the candidates of one slot: the check to write down, and what the person
/// should know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) check: Option<Check>,
    /// Said below the checks, as sentences.
    pub(crate) notes: Vec<String>,
}

/// Chooses among the candidates of a slot by their outcomes, which stand in the same order.
pub(crate) fn choose(slot: &Slot, outcomes: &[Outcome], found: &Published) -> Choice {
    let pairs = || slot.candidates.iter().zip(outcomes);
    match slot.candidates.first().map(|check| check.kind) {
        Some("domain") => return domain::choose(&slot.candidates, outcomes, found),
        Some("dnsbl") => return usable_lists(&slot.candidates, outcomes),
        _ => {}
    }
    if let Some((check, _)) = pairs().find(|(_, outcome)| works(outcome)) {
        return Choice { check: Some(check.clone()), notes: Vec::new() };
    }
    // a mail server that is there and has a certificate that its users cannot verify is worth
    // telling; a web server may be there for anything
    let is_there = |check: &Check, outcome: &Outcome| {
        let is_mail = matches!(check.kind, "smtp" | "imap" | "pop3");
        is_mail && outcome.reason.as_ref().is_some_and(is_certificates)
    };
    let wrong = pairs().find(|(check, outcome)| !slot.is_opportunistic && is_there(check, outcome));
    if let Some((check, _)) = wrong {
        return Choice { check: Some(check.clone()), notes: Vec::new() };
    }
    let last_resort = match slot.is_opportunistic {
        // whether it offers encryption cannot be told while it cannot be reached
        true => slot.candidates.last(),
        false => slot.candidates.first(),
    };
    Choice { check: last_resort.filter(|_| slot.is_declared).cloned(), notes: Vec::new() }
}

pub(crate) fn works(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Up | Verdict::Degraded)
}

fn is_certificates(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::CertExpired
            | Reason::CertNotYetValid
            | Reason::CertWrongName
            | Reason::CertUntrusted
            | Reason::CertInvalid
    )
}

/// Keeps the lists that answer; where none does, nothing is to be watched from here.
fn usable_lists(candidates: &[Check], outcomes: &[Outcome]) -> Choice {
    let (Some(check), Some(outcome)) = (candidates.first(), outcomes.first()) else {
        return Choice::default();
    };
    let fact = |name: &str| outcome.facts.get(name).map_or("", AsRef::as_ref);
    // a list that is of no use for one family of addresses may be for another: "IPv6: dead"
    let partly = fact("lists_usable") != "0";
    let unusable: BTreeMap<&str, &str> = fact("lists_unusable")
        .split(", ")
        .filter_map(|said| said.strip_suffix(')')?.split_once(" ("))
        .filter(|(_, why)| !(partly && why.contains(": ")))
        .collect();
    let mut by_why: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (list, why) in &unusable {
        by_why.entry(why).or_default().push(list);
    }
    let note = |(why, lists): (&str, Vec<&str>)| {
        let remedy = match why {
            why if why.ends_with("refusing") => {
                "they refuse this resolver: ask through a resolver of your own (resolver on the \
                 check), or with a key from their operator"
            }
            why if why.ends_with("no answer") => {
                "they do not answer: does this resolver reach the internet"
            }
            why if why.ends_with("dead") => {
                "they have no entries: is this a resolver that knows the internet"
            }
            _ => "they cannot be believed today",
        };
        format!("blocklists left out ({why}): {}; {remedy}", lists.join(", "))
    };
    let notes = by_why.into_iter().map(note).collect();
    let mut check = check.clone();
    for (_, value) in &mut check.keys {
        if let Value::List(lists) = value {
            lists.retain(|list| !unusable.contains_key(list.as_str()));
        }
    }
    let any = check.keys.iter().any(|(_, value)| matches!(value, Value::List(l) if !l.is_empty()));
    let told = outcome.verdict == Verdict::Down || works(outcome);
    Choice { check: (any && told).then_some(check), notes }
}

/// The longest that a candidate is tried; the whole trial takes little longer.
pub(crate) fn trial_timeout(check: &Check) -> &'static str {
    match check.kind {
        "domain" => "25s",
        _ => "8s",
    }
}

/// The places of `outcomes` that belong to each slot, by the ids that a trial gives: `c0`, `c1` …
pub(crate) fn trial_ids(slots: &[Slot]) -> Vec<Vec<String>> {
    let mut next = 0..;
    let mut id = || format!("c{}", next.next().unwrap_or(0));
    slots.iter().map(|slot| slot.candidates.iter().map(|_| id()).collect()).collect()
}

#[cfg(test)]
mod tests;
