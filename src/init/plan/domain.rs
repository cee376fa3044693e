//! What the domain publishes about its mail: which of the policies are there to be watched, and
//! which are worth telling the person about.

use mailward_evidence::{Outcome, Reason};

use super::{Check, Choice, Row, Slot};
use crate::init::Scope;
use crate::init::look::Published;
use crate::init::toml::Value;

/// A policy of the `domain` check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Spf,
    Dkim,
    Dmarc,
    MtaSts,
    TlsRpt,
    Dane,
    Dnssec,
}

impl Policy {
    const ALL: [Self; 7] =
        [Self::Spf, Self::Dkim, Self::Dmarc, Self::MtaSts, Self::TlsRpt, Self::Dane, Self::Dnssec];

    /// The word of `require`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::MtaSts => "mta-sts",
            Self::TlsRpt => "tls-rpt",
            Self::Dane => "dane",
            Self::Dnssec => "dnssec",
        }
    }

    /// What stands in the DNS, and what it is for.
    const fn advice(self) -> &'static str {
        match self {
            Self::Spf => "SPF (who may send mail of the domain)",
            Self::Dkim => {
                "DKIM keys at usual selectors; if mail is signed, give --dkim-selector, or \
                 dkim_selectors in the file"
            }
            Self::Dmarc => "DMARC (what to do with forged mail)",
            Self::MtaSts => "MTA-STS (senders must encrypt)",
            Self::TlsRpt => "TLS-RPT (where failed encryption is reported)",
            Self::Dane => "DANE (certificates of mail servers in the DNS)",
            Self::Dnssec => "DNSSEC (the domain is signed)",
        }
    }

    /// The fact of the check that tells of it.
    const fn fact(self) -> &'static str {
        match self {
            Self::MtaSts => "mta_sts",
            Self::TlsRpt => "tls_rpt",
            other => other.word(),
        }
    }
}

pub(super) fn slot(scope: &Scope, found: &Published) -> Slot {
    let wanted = Policy::ALL.into_iter().filter(|policy| match policy {
        Policy::Dkim => !found.selectors.is_empty(),
        Policy::MtaSts => found.has_mta_sts,
        Policy::TlsRpt => found.has_tls_rpt,
        _ => true,
    });
    let check = check(scope, found, &wanted.collect::<Vec<_>>());
    Slot { candidates: vec![check], is_declared: true, is_opportunistic: false }
}

fn check(scope: &Scope, found: &Published, require: &[Policy]) -> Check {
    let mut keys = vec![("domain", Value::Text(scope.domain.clone()))];
    if require.contains(&Policy::Dkim) {
        keys.push(("dkim_selectors", Value::List(found.selectors.clone())));
    }
    keys.push(("require", words(require)));
    if let Some(anchors) = &scope.anchors {
        keys.push(("trust_anchors", Value::Text(anchors.display().to_string())));
    }
    if scope.mx_port != 25 {
        keys.push(("mx_port", Value::Whole(scope.mx_port.into())));
    }
    if scope.https_port != 443 {
        keys.push(("policy_port", Value::Whole(scope.https_port.into())));
    }
    Check {
        row: Row::Policy,
        id: "domain".to_owned(),
        kind: "domain",
        keys,
        every: "1h",
        about: "What the domain publishes about its mail is there and in order.".to_owned(),
    }
}

fn words(require: &[Policy]) -> Value {
    Value::List(require.iter().map(|policy| policy.word().to_owned()).collect())
}

/// Watches what is there, and SPF and DMARC in any case: without them mail is forged.
pub(super) fn choose(candidates: &[Check], outcomes: &[Outcome], found: &Published) -> Choice {
    let (Some(check), Some(outcome)) = (candidates.first(), outcomes.first()) else {
        return Choice::default();
    };
    let mut notes = Vec::new();
    let mut missing = Vec::new();
    let mut require = Vec::new();
    let told = |policy: Policy| outcome.facts.get(policy.fact()).map_or("", AsRef::as_ref);
    let vouched = found.is_vouched_for && told(Policy::Dnssec) != "up";
    for policy in Policy::ALL {
        // without selectors there is nothing to watch, whatever was told
        let nothing = policy == Policy::Dkim && found.selectors.is_empty();
        match stands(policy, if nothing { "" } else { told(policy) }, vouched) {
            Stands::Watched => require.push(policy),
            Stands::Missing => missing.push(policy.advice()),
            Stands::Unproved(why) => {
                notes.push(format!("{} is left out: {why}", policy.word()));
            }
        }
    }
    if !missing.is_empty() {
        notes.push(format!("not published by the domain: {}", missing.join("; ")));
    }
    let mut check = check.clone();
    for (name, value) in &mut check.keys {
        if *name == "require" {
            *value = words(&require);
        }
    }
    Choice { check: Some(check), notes }
}

/// How a policy stands after a trial.
#[derive(Debug, PartialEq, Eq)]
enum Stands {
    Watched,
    Missing,
    /// It may be there, and cannot be proved from here.
    Unproved(String),
}

/// Reads the fact of a policy: verdict, reason, detail. `vouched`: the resolver has proved the
/// domain, and this program has not.
fn stands(policy: Policy, told: &str, vouched: bool) -> Stands {
    let (verdict, _) = told.split_once(": ").unwrap_or((told, ""));
    let (verdict, reason) = verdict.split_once(' ').unwrap_or((verdict, ""));
    let reason = Reason::parse(reason);
    let is_signature = matches!(policy, Policy::Dnssec | Policy::Dane);
    match (policy, verdict) {
        (Policy::Spf | Policy::Dmarc, _) | (_, "up" | "degraded") => Stands::Watched,
        (_, "") => Stands::Missing,
        (_, "down") if matches!(reason, Reason::DaneMissing | Reason::DnssecMissing) => {
            match vouched {
                true => Stands::Unproved(
                    "the resolver has proved the domain, but it does not lead up to the root's \
                     key; if your network has a root of its own, give --trust-anchors"
                        .to_owned(),
                ),
                false => Stands::Missing,
            }
        }
        // signatures that the resolver takes and this program does not lead to another root
        (_, "down") if is_signature && reason == Reason::DnssecBogus && vouched => {
            Stands::Unproved(
                "the resolver trusts another key than the root's; give --trust-anchors".to_owned(),
            )
        }
        (_, "down") => Stands::Watched,
        _ if is_signature => Stands::Unproved(match reason {
            Reason::DnssecUnseen => {
                "the resolver does not pass signatures on; give one that does with --resolver"
                    .to_owned()
            }
            reason => format!("it cannot be told from here ({reason})"),
        }),
        _ => Stands::Watched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_stand_by_what_was_told() {
        let check = |policy, told: &str, vouched: bool, expect: &str| {
            let word = match stands(policy, told, vouched) {
                Stands::Watched => "watched",
                Stands::Missing => "missing",
                Stands::Unproved(_) => "unproved",
            };
            assert_eq!(word, expect, "{policy:?} {told}");
        };
        check(Policy::Spf, "down spf_missing: there is none", false, "watched");
        check(Policy::Dmarc, "unknown dns_failure: x", false, "watched");
        check(Policy::MtaSts, "", false, "missing");
        check(Policy::MtaSts, "down mta_sts_policy: 404", false, "watched");
        check(Policy::MtaSts, "degraded mta_sts_not_enforced: testing", false, "watched");
        check(Policy::Dane, "up", true, "watched");
        check(Policy::Dane, "down dane_mismatch: x", false, "watched");
        check(Policy::Dane, "down dane_missing: x", false, "missing");
        check(Policy::Dane, "unknown dnssec_unseen: x", false, "unproved");
        check(Policy::Dnssec, "down dnssec_missing: x", false, "missing");
        check(Policy::Dnssec, "down dnssec_missing: x", true, "unproved");
        check(Policy::Dnssec, "down dnssec_bogus: x", false, "watched");
        check(Policy::Dnssec, "down dnssec_bogus: x", true, "unproved");
        check(Policy::Dnssec, "unknown dns_failure: x", true, "unproved");
    }
}
