//! Whatever the DNS holds, the file holds: as it is written, and with everything switched on.

use std::path::PathBuf;

use mailward_agent::net::names::Offer;
use mailward_catalogue::{Gravity, parse};
use mailward_evidence::{AgentName, Instant, Outcome, ProbeId, Verdict};
use proptest::prelude::*;

use super::{definition, trial};
use crate::init::Scope;
use crate::init::look::Published;
use crate::init::plan::{Check, Choice, choose, slots, trial_ids};

fn scope() -> Scope {
    Scope {
        domain: "example.org".to_owned(),
        resolver: Some("127.0.0.1:5353".parse().unwrap()),
        trust: Some(PathBuf::from("/etc/it's \"ours\"/ca.pem")),
        anchors: Some(PathBuf::from("/etc/keys.txt")),
        mx_port: 25,
        https_port: 443,
        selectors: vec!["mine".to_owned()],
        zone: "Europe/London".to_owned(),
        agent: "here".to_owned(),
        references: vec!["1.1.1.1:53".to_owned()],
        today: "22 November 2026".to_owned(),
    }
}

fn offer(host: &str, port: u16) -> Offer {
    Offer { priority: 0, port, host: host.to_owned() }
}

fn published() -> Published {
    let own = |labels: &[&str]| labels.iter().map(|label| format!("{label}.example.org")).collect();
    Published {
        mail_servers: vec!["mx1.example.org".to_owned(), "mx2.example.org".to_owned()],
        spf: Some("v=spf1 mx -all".to_owned()),
        dmarc: Some("v=DMARC1; p=reject".to_owned()),
        selectors: vec!["s1".to_owned()],
        has_mta_sts: true,
        has_tls_rpt: true,
        services: [
            ("imaps", vec![offer("imap.example.org", 10_993)]),
            ("submission", vec![offer("smtp.example.org", 587)]),
            ("submissions", vec![offer("smtp.example.org", 465)]),
        ]
        .into(),
        hosts: own(&["webmail", "mail", "pop", "autodiscover"]),
        ..Published::default()
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    let agent = AgentName::new("here").unwrap();
    let due = Instant::from_ms(0).unwrap();
    let mut outcome = Outcome::new(agent, ProbeId::new("c").unwrap(), due, 60_000, verdict);
    for (fact, told) in [("spf", "up"), ("dkim", "up"), ("dane", "down dane_missing: none")] {
        outcome.facts.set(fact, told.into());
    }
    outcome
}

/// The choices where every candidate came out alike.
fn chosen(scope: &Scope, found: &Published, verdict: Verdict) -> (Vec<Check>, Vec<String>) {
    let slots = slots(scope, found);
    let choices: Vec<Choice> = slots
        .iter()
        .map(|slot| {
            let outcomes: Vec<Outcome> = slot.candidates.iter().map(|_| outcome(verdict)).collect();
            choose(slot, &outcomes, found)
        })
        .collect();
    let checks = choices.iter().filter_map(|choice| choice.check.clone()).collect();
    (checks, choices.into_iter().flat_map(|choice| choice.notes).collect())
}

fn switched_on(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn errors(text: &str) -> Vec<String> {
    let parsed = parse("probes.toml", text);
    let wrong = parsed.faults.iter().filter(|fault| fault.gravity == Gravity::Error);
    wrong.map(ToString::to_string).collect()
}

#[test]
fn the_file_holds_as_it_is_and_with_everything_switched_on() {
    let (scope, found) = (scope(), published());
    for verdict in [Verdict::Up, Verdict::Down] {
        let (checks, notes) = chosen(&scope, &found, verdict);
        let text = definition(&scope, &checks, &notes);
        assert_eq!(parse("probes.toml", &text).faults, Vec::new(), "{text}");
        let on = switched_on(&text);
        assert_eq!(errors(&on), Vec::<String>::new(), "{on}");
        let parsed = parse("probes.toml", &on).catalogue.unwrap();
        assert!(
            parsed.probe("imap-signed-in").is_some() && parsed.probe("mail-round-trip").is_some()
        );
        assert!(parsed.probe("portal-sign-in").is_some() && !parsed.levels.is_empty());
    }
}

#[test]
fn the_trial_holds() {
    let (scope, found) = (scope(), published());
    let slots = slots(&scope, &found);
    let text = trial(&scope, &slots, &trial_ids(&slots));
    assert_eq!(errors(&text), Vec::<String>::new(), "{text}");
}

#[test]
fn what_a_person_reads() {
    let scope = Scope { resolver: None, trust: None, anchors: None, ..scope() };
    let found = Published {
        services: [("imaps", vec![offer("imap.example.org", 993)])].into(),
        hosts: Default::default(),
        ..published()
    };
    let (checks, notes) = chosen(&scope, &found, Verdict::Down);
    let text = definition(&scope, &checks, &notes);
    let until = text.find("Domain Policy").unwrap();
    insta::assert_snapshot!(text[..until].trim_end(), @r##"
    # What Mailward watches of example.org, as `mailward init` found it on 22 November 2026: everything
    # that can be checked without an account.
    #
    # Lines that begin with # and no space are settings that are switched off: take the # away.
    # `mailward check` tells whether the file holds, `mailward probe` runs every check once, `mailward
    # up` starts watching.

    [service]
    name = "example.org"
    zone = "Europe/London"    # months, days and hours are reckoned in it

    [agent]
    name = "here"
    site = "internet"
    # Places that always answer: if all are lost, the fault is ours, not the service's.
    references = ["1.1.1.1:53"]


    # ---------------------------------------------------------------- Incoming Internet Email

    [[component]]
    id = "incoming-internet"
    name = "Incoming Internet Email"
    rule = "all"             # mail still comes in while one of them is up

    # mx1.example.org takes mail from the internet. Its certificate is not looked at: it is none that a
    # sender can verify, or no encryption is offered; senders deliver all the same.
    [[probe]]
    id = "mx-1"
    component = "incoming-internet"
    kind = "smtp"
    host = "mx1.example.org"
    tls = "none"
    every = "60s"

    # mx2.example.org takes mail from the internet. Its certificate is not looked at: it is none that a
    # sender can verify, or no encryption is offered; senders deliver all the same.
    [[probe]]
    id = "mx-2"
    component = "incoming-internet"
    kind = "smtp"
    host = "mx2.example.org"
    tls = "none"
    every = "60s"

    # ---------------------------------------------------------------- Email Client Access (IMAP and POP)

    [[component]]
    id = "mail-clients"
    name = "Email Client Access (IMAP and POP)"

    # imap.example.org lets users read their mail: up to where they would sign in.
    [[probe]]
    id = "imap"
    component = "mail-clients"
    kind = "imap"
    host = "imap.example.org"
    tls = "implicit"
    every = "60s"

    # ----------------------------------------------------------------
    "##);
}

/// Text as somebody who means harm would publish it.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\"]\n[agent]\nname = \"x".to_owned()),
        Just("\r\n#references".to_owned()),
        Just("'''\"\"\"".to_owned()),
        Just("\u{1b}[2J\u{202e}\u{0}\u{7f}".to_owned()),
        Just("\\\\\"\\".to_owned()),
        "[a-z0-9.-]{1,30}",
        "\\PC{0,20}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_is_published_the_file_holds(
        servers in proptest::collection::vec(hostile(), 1..4),
        service in hostile(),
        selector in hostile(),
        spf in hostile(),
        alias in hostile(),
        up in any::<bool>(),
    ) {
        let mut found = published();
        found.mail_servers = servers;
        found.spf = Some(spf.clone());
        found.selectors = vec![selector];
        found.services.insert("imaps", vec![offer(&service, 993)]);
        found.autodiscover_alias = Some(alias);
        let found = found.sound();
        let verdict = if up { Verdict::Up } else { Verdict::Down };
        let (checks, _) = chosen(&scope(), &found, verdict);
        let text = definition(&scope(), &checks, &[spf]);
        prop_assert_eq!(parse("probes.toml", &text).faults, Vec::new(), "{}", text);
        let on = switched_on(&text);
        prop_assert_eq!(errors(&on), Vec::<String>::new(), "{}", on);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
