//! Requirements over a zone made for the test: how findings weigh, and that nothing hangs.

use std::time::Duration;

use mailward_evidence::{Reason, Verdict};

use super::Finding;
use crate::net::testing::zone;
use crate::probe::Seen;
use crate::probe::trial::{Table, fact, plain_net, run_for, word};

async fn look(records: &[(&str, &str)], keys: &str) -> Seen {
    let server = zone(records).await;
    let keys =
        format!("kind = \"domain\"\ndomain = \"example.test\"\nresolver = \"{server}\"\n{keys}");
    run_for(Duration::from_secs(3), &plain_net(), &Table::default(), &keys).await
}

#[tokio::test]
async fn the_requirement_that_weighs_most_is_the_verdict() {
    let spf = ("example.test. TXT", "v=spf1 ip4:192.0.2.1 -all");
    let weak = ("_dmarc.example.test. TXT", "v=DMARC1; p=none; pct=20");
    let check = async |records: &[(&str, &str)], expect: &str| {
        let seen = look(records, "").await;
        assert_eq!(word(&seen), expect, "{seen:?}");
        seen
    };
    let seen = check(&[spf, weak], "degraded dmarc_not_enforced").await;
    assert_eq!(fact(&seen, "spf"), "up");
    assert_eq!(fact(&seen, "dmarc_historic"), "pct=20");
    assert!(seen.phases.get("spf").is_some() && seen.phases.get("dmarc").is_some());
    check(&[weak], "down spf_missing").await;
    check(&[spf, ("_dmarc.example.test. SERVFAIL", "")], "unknown dns_failure").await;
    // not met for certain weighs more than what could not be told
    check(&[("_dmarc.example.test. SERVFAIL", "")], "down spf_missing").await;
    let reject = ("_dmarc.example.test. TXT", "v=DMARC1; p=reject");
    check(&[spf, reject], "up").await;
}

#[tokio::test]
async fn a_policy_above_holds_for_what_is_below() {
    let spf = ("example.test. TXT", "v=spf1 -all");
    let check = async |above: &str, expect: &str| {
        let seen = look(&[spf, ("_dmarc.test. TXT", above)], "").await;
        assert_eq!(word(&seen), expect, "{above}: {seen:?}");
    };
    check("v=DMARC1; p=reject", "up").await;
    check("v=DMARC1; p=reject; sp=none", "degraded dmarc_not_enforced").await;
    check("v=DMARC1; p=nonsense", "down dmarc_invalid").await;
    // a top-level domain that the resolver does not know hides nothing
    let seen = look(&[spf, ("_dmarc.test. SERVFAIL", "")], "").await;
    assert_eq!(word(&seen), "down dmarc_missing", "{seen:?}");
}

#[tokio::test]
async fn a_silent_name_costs_no_other_requirement() {
    let dmarc = ("_dmarc.example.test. TXT", "v=DMARC1; p=reject");
    let seen = look(&[("example.test. SILENT", ""), dmarc], "").await;
    assert_eq!(word(&seen), "unknown dns_failure", "{seen:?}");
    assert_eq!(fact(&seen, "dmarc"), "up");
}

#[test]
fn findings_weigh() {
    let down = || Finding::down(Reason::SpfMissing, "");
    let unknown = || Finding::unknown(Reason::DnsFailure, "");
    let weak = || Finding::weak(Reason::DkimWeak, "");
    let check = |findings: Vec<Finding>, expect: Verdict| {
        assert_eq!(Finding::worst(findings).verdict, expect);
    };
    check(Vec::new(), Verdict::Up);
    check(vec![Finding::good(), weak()], Verdict::Degraded);
    check(vec![weak(), unknown(), Finding::good()], Verdict::Unknown);
    check(vec![unknown(), down(), weak()], Verdict::Down);
    let first = Finding::worst([down(), Finding::down(Reason::DmarcMissing, "")]);
    assert_eq!(first.reason, Some(Reason::SpfMissing));
}
