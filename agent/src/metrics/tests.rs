//! Which series are there, and when they are not.

use mailward_evidence::{AgentName, Instant, Listing, ProbeId, Reason};

use super::*;

fn outcome(verdict: Verdict, listed: &[(&str, &str)]) -> Outcome {
    let mut outcome = Outcome::new(
        AgentName::new("a").unwrap(),
        ProbeId::new("p").unwrap(),
        Instant::from_ms(0).unwrap(),
        60_000,
        verdict,
    );
    outcome.took_ms = Some(120.0);
    outcome.phases.set("dns", 20.0);
    outcome.facts.set("cert_not_after", Box::from("2027-01-01T00:00:00Z"));
    for (address, list) in listed {
        outcome.listings.push(Listing {
            address: Box::from(*address),
            list: Box::from(*list),
            code: None,
            extra: mailward_evidence::Extra::default(),
        });
    }
    if verdict == Verdict::Down {
        outcome.reason = Some(Reason::Listed);
    }
    outcome
}

fn shown(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.render(&Stats::default(), 0, Timestamp::UNIX_EPOCH).unwrap();
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

#[test]
fn up_is_absent_while_unknown() {
    let metrics = Metrics::new().unwrap();
    let mut probe = metrics.of_probe("p", "owa", "http");
    assert_eq!(shown(&metrics, "mailward_probe_up"), Vec::<String>::new());
    for (verdict, expect) in [
        (Verdict::Up, Some("1")),
        (Verdict::Down, Some("0")),
        (Verdict::Unknown, None),
        (Verdict::Degraded, Some("1")),
    ] {
        metrics.observed(&mut probe, &outcome(verdict, &[]));
        let expect: Vec<String> = expect
            .map(|value| {
                format!("mailward_probe_up{{component=\"owa\",kind=\"http\",probe=\"p\"}} {value}")
            })
            .into_iter()
            .collect();
        assert_eq!(shown(&metrics, "mailward_probe_up"), expect);
    }
}

#[test]
fn a_listing_ends_when_no_probe_sees_it() {
    let metrics = Metrics::new().unwrap();
    let mut one = metrics.of_probe("one", "reputation", "dnsbl");
    let mut two = metrics.of_probe("two", "reputation", "dnsbl");
    let pair = [("192.0.2.10", "bl.example.org")];
    let line = "mailward_dnsbl_listed{address=\"192.0.2.10\",list=\"bl.example.org\"} 1";
    metrics.observed(&mut one, &outcome(Verdict::Down, &pair));
    metrics.observed(&mut two, &outcome(Verdict::Down, &pair));
    metrics.observed(&mut one, &outcome(Verdict::Up, &[]));
    assert_eq!(shown(&metrics, "mailward_dnsbl_listed"), [line]);
    metrics.observed(&mut two, &outcome(Verdict::Unknown, &[]));
    assert_eq!(shown(&metrics, "mailward_dnsbl_listed"), [line]);
    metrics.observed(&mut two, &outcome(Verdict::Up, &[]));
    assert_eq!(shown(&metrics, "mailward_dnsbl_listed"), Vec::<String>::new());
}

#[test]
fn certificates_phases_and_counts_are_shown() {
    let metrics = Metrics::new().unwrap();
    let mut probe = metrics.of_probe("p", "owa", "http");
    metrics.observed(&mut probe, &outcome(Verdict::Up, &[]));
    metrics.missed("p", 3);
    let expect = [
        ("mailward_certificate_expiry", "timestamp_seconds{probe=\"p\"} 1798761600"),
        ("mailward_probe_phase", "_seconds{phase=\"dns\",probe=\"p\"} 0.02"),
        ("mailward_probe_outcomes", "_total{probe=\"p\",reason=\"\",verdict=\"up\"} 1"),
        ("mailward_schedule_missed", "_total{probe=\"p\"} 3"),
    ];
    for (name, rest) in expect {
        let lines = shown(&metrics, name);
        assert!(lines.len() == 1 && lines[0].ends_with(rest), "{lines:?}");
    }
}
