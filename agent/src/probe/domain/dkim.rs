//! DKIM: every selector has a key that is not revoked and long enough (RFC 6376, RFC 8301).

use mailward_evidence::Reason;

use super::{Finding, Look};
use crate::net::Trace;
use crate::policy::dkim::{Key, KeyKind, NoKey, parse};

/// Shorter keys are not believed (RFC 8301 section 3.2).
const LEAST_BITS: usize = 1024;
/// Signers should have at least this many (RFC 8301 section 3.2).
const GOOD_BITS: usize = 2048;

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    let mut findings = Vec::new();
    for selector in &look.probe.selectors {
        let selector = selector.trim_end_matches('.');
        let name = format!("{selector}._domainkey.{}", look.domain);
        let finding = match look.names.texts(&name).await {
            Ok(texts) => of_key(selector, &texts, trace),
            Err(fault) => fault.into(),
        };
        trace.fact(&format!("dkim:{selector}"), finding.told());
        findings.push(finding);
    }
    Finding::worst(findings)
}

fn of_key(selector: &str, texts: &[String], trace: &mut Trace) -> Finding {
    let text = match texts {
        [] => return Finding::down(Reason::DkimMissing, format!("selector {selector} has no key")),
        [only] => only,
        // what receivers make of several is up to each (RFC 6376 section 3.6.2.2)
        several => {
            let detail = format!("selector {selector} has {} TXT records", several.len());
            return Finding::down(Reason::DkimInvalid, detail);
        }
    };
    match parse(text) {
        Ok(key) => {
            let sort = match key.kind {
                KeyKind::Rsa(bits) => format!("RSA, {bits} bits"),
                KeyKind::Ed25519 => "Ed25519".to_owned(),
            };
            let testing = if key.testing { ", testing" } else { "" };
            trace.fact(&format!("dkim_key:{selector}"), format!("{sort}{testing}"));
            judge(selector, &key)
        }
        Err(NoKey::Revoked) => Finding::down(
            Reason::DkimRevoked,
            format!("selector {selector} is revoked (p is empty)"),
        ),
        Err(NoKey::Invalid(problem)) => {
            Finding::down(Reason::DkimInvalid, format!("selector {selector}: {problem}"))
        }
    }
}

fn judge(selector: &str, key: &Key) -> Finding {
    match key.kind {
        KeyKind::Rsa(bits) if bits < LEAST_BITS => {
            let detail = format!("selector {selector} has {bits} bits; {LEAST_BITS} are needed");
            Finding::down(Reason::DkimWeak, detail)
        }
        KeyKind::Rsa(bits) if bits < GOOD_BITS => {
            let detail = format!("selector {selector} has {bits} bits; {GOOD_BITS} are advised");
            Finding::weak(Reason::DkimWeak, detail)
        }
        _ => Finding::good(),
    }
}
