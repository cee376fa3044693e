//! What a trial's outcomes lead to: the check that is written down, and what is said.

use mailward_evidence::{AgentName, Instant, ProbeId};

use super::*;

fn outcome(verdict: &str, facts: &[(&str, &str)]) -> Outcome {
    let (word, reason) = verdict.split_once(' ').unwrap_or((verdict, ""));
    let verdict = match word {
        "up" => Verdict::Up,
        "degraded" => Verdict::Degraded,
        "down" => Verdict::Down,
        _ => Verdict::Unknown,
    };
    let agent = AgentName::new("here").unwrap();
    let due = Instant::from_ms(0).unwrap();
    let mut outcome = Outcome::new(agent, ProbeId::new("c").unwrap(), due, 60_000, verdict);
    outcome.reason = (!reason.is_empty()).then(|| Reason::parse(reason));
    for (name, value) in facts {
        outcome.facts.set(name, (*value).into());
    }
    outcome
}

fn slot(kind: &'static str, ids: &[&str]) -> Slot {
    let check = |id: &&str| Check {
        row: Row::Clients,
        id: (*id).to_owned(),
        kind,
        keys: Vec::new(),
        every: "60s",
        about: String::new(),
    };
    let candidates = ids.iter().map(check).collect();
    Slot { candidates, is_declared: false, is_opportunistic: false }
}

#[test]
fn the_first_that_works_is_watched() {
    let check = |slot: &Slot, verdicts: [&str; 2], expect: Option<&str>| {
        let outcomes = verdicts.map(|verdict| outcome(verdict, &[]));
        let choice = choose(slot, &outcomes, &Published::default());
        let id = choice.check.map(|check| check.id);
        assert_eq!(id.as_deref(), expect, "{verdicts:?}");
    };
    let guessed = slot("imap", &["a", "b"]);
    check(&guessed, ["up", "up"], Some("a"));
    check(&guessed, ["down connect_refused", "degraded slow"], Some("b"));
    check(&guessed, ["down connect_refused", "down timeout"], None);
    check(&guessed, ["down timeout", "down cert_expired"], Some("b"));
    let declared = Slot { is_declared: true, ..slot("imap", &["a", "b"]) };
    check(&declared, ["down connect_refused", "down timeout"], Some("a"));
    // a web server with a foreign certificate may be there for anything
    check(&slot("eas", &["a", "b"]), ["down cert_wrong_name", "down not_offered"], None);
    let mx = Slot { is_opportunistic: true, is_declared: true, ..slot("smtp", &["tls", "none"]) };
    check(&mx, ["up", "up"], Some("tls"));
    check(&mx, ["down cert_untrusted", "up"], Some("none"));
    check(&mx, ["unknown egress_blocked", "unknown egress_blocked"], Some("none"));
}

#[test]
fn lists_that_answer_are_kept() {
    let check = |verdict: &str, usable: &str, unusable: &str, expect: &[&str], said: &[&str]| {
        let lists = slot("dnsbl", &["blocklists"]);
        let list = ["a.example", "b.example"].map(str::to_owned).to_vec();
        let mut lists = lists;
        lists.candidates[0].keys = vec![("lists", Value::List(list))];
        let facts = [("lists_usable", usable), ("lists_unusable", unusable)];
        let choice = choose(&lists, &[outcome(verdict, &facts)], &Published::default());
        let kept = choice.check.map_or(Vec::new(), |check| match &check.keys[0].1 {
            Value::List(list) => list.clone(),
            _ => Vec::new(),
        });
        assert_eq!(kept, expect, "{unusable}");
        assert_eq!(choice.notes.len(), said.len(), "{:?}", choice.notes);
        for (note, said) in choice.notes.iter().zip(said) {
            assert!(note.contains(said), "{note}");
        }
    };
    let both = ["a.example", "b.example"];
    check("up", "2", "", &both, &[]);
    check("down listed", "2", "", &both, &[]);
    let said = ["(refusing): a.example; they refuse this resolver"];
    check("up", "1", "a.example (refusing)", &["b.example"], &said);
    check("up", "2", "a.example (IPv6: dead)", &both, &[]);
    let none = "a.example (no answer), b.example (no answer)";
    check("unknown list_unusable", "0", none, &[], &["(no answer): a.example, b.example;"]);
    let of_one = "a.example (IPv4: refusing), b.example (IPv4: dead)";
    check("unknown list_unusable", "0", of_one, &[], &["IPv4: dead", "IPv4: refusing"]);
}
