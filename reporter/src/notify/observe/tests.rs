//! What is found in the live state, with what anybody may read of it and what only operators.

use mailward_evidence::Record;

use super::*;
use crate::publish::tests::ms;
use crate::render::page::instant;
use crate::report::model::Figure;
use crate::status::evaluate::{evaluate, window};
use crate::store::{Source, Store};

const DEFINITION: &str = r#"
[service]
name = "Post"
zone = "Europe/London"

[[component]]
id = "owa"
name = "Outlook Web Access"
severity = "1"

[[probe]]
id = "owa-page"
component = "owa"
kind = "http"
url = "https://mail.example.org/owa/"
every = "60s"
confirm = 1

[[component]]
id = "reputation"
name = "Reputation"

[[probe]]
id = "lists"
component = "reputation"
kind = "dnsbl"
addresses = ["192.0.2.10"]
lists = ["bl.example.org"]
every = "60s"

[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.9%"
"#;

struct World {
    catalogue: Catalogue,
    store: Store,
    _dir: tempfile::TempDir,
}

fn outcome(probe: &str, due: &str, verdict: &str, rest: &str) -> String {
    format!(
        r#"{{"v":1,"kind":"outcome","agent":"leeds-1","probe":"{probe}","due":"{due}","attempt":0,"next_due_s":60,"took_ms":20,"verdict":"{verdict}",{rest},"phases":{{}},"facts":{{}}}}"#
    )
}

impl World {
    /// A store that holds a roster and these outcomes.
    fn new(outcomes: &[String]) -> Self {
        let parsed = mailward_catalogue::parse("probes.toml", DEFINITION);
        let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
        let dir = tempfile::tempdir().unwrap();
        let clock = crate::publish::tests::clock_at("2026-11-22T12:00:00Z");
        let store = Store::open(dir.path(), clock).unwrap();
        let roster = r#"{"v":1,"kind":"roster","agent":"leeds-1","site":"internet","at":"2026-11-22T00:00:00Z","probes":[{"id":"owa-page","every_s":60},{"id":"lists","every_s":60}]}"#;
        let lines = std::iter::once(roster).chain(outcomes.iter().map(String::as_str));
        let records: Vec<Record> = lines
            .map(|line| mailward_evidence::wire::decode_line(line.as_bytes()).unwrap())
            .collect();
        store.ingest(records, Source::Agent(AgentName::new("leeds-1").unwrap())).unwrap();
        Self { catalogue, store, _dir: dir }
    }

    fn look(&self, now: &str, others: &Others<'_>) -> Vec<Scope> {
        let now_ms = ms(now);
        let zone = &self.catalogue.service.zone;
        let span = window(now_ms, zone);
        let evidence = self.store.evidence(span.from_ms, span.to_ms, now_ms).unwrap();
        scopes(&Facts {
            catalogue: &self.catalogue,
            evaluation: &evaluate(&self.catalogue, &evidence, None, now_ms),
            evidence: &evidence,
            month: Month::of(now_ms, zone),
            so_far: others.so_far,
            agents: others.agents,
            letters: others.letters,
            accounts: others.accounts,
            running_ms: others.running_ms.unwrap_or(i64::MAX),
            now_ms,
        })
    }
}

/// What is looked at beside evidence.
#[derive(Default)]
struct Others<'a> {
    so_far: Option<&'a Report>,
    agents: &'a [AgentSeen],
    letters: &'a [Addressee],
    accounts: &'a [Account],
    running_ms: Option<i64>,
}

/// The scopes of a topic, a line each: what holds, for anybody and for operators.
fn told(scopes: &[Scope], topic: Topic) -> String {
    let mut lines = Vec::new();
    for scope in scopes.iter().filter(|scope| scope.topic == topic) {
        let sure = if scope.sure { "" } else { " (unsure)" };
        lines.push(format!("{}{sure}", scope.of));
        for condition in &scope.holds {
            let About { title, why, operators, detail, .. } = &condition.about;
            let since = condition.since_ms.map(instant).unwrap_or_default();
            lines.push(format!("  {title} | {} | {since}", why.as_deref().unwrap_or("")));
            let operators = operators.as_deref().unwrap_or("");
            lines.push(format!("  {operators} {}", detail.join("; ")).trim_end().to_owned());
        }
    }
    lines.join("\n")
}

#[test]
fn a_component_is_down_slow_or_unknown_and_ends_only_where_that_is_seen() {
    let world = World::new(&[
        outcome("owa-page", "2026-11-22T10:00:00Z", "up", r#""reason":null"#),
        outcome("owa-page", "2026-11-22T10:01:00Z", "down", r#""reason":"connect_refused""#),
        outcome("owa-page", "2026-11-22T10:02:00Z", "down", r#""reason":"connect_refused""#),
        outcome("owa-page", "2026-11-22T10:03:00Z", "degraded", r#""reason":"slow""#),
    ]);
    let down = world.look("2026-11-22T10:02:30Z", &Others::default());
    insta::assert_snapshot!(told(&down, Topic::Down), @r#"
    owa
      Outlook Web Access is not working | the connection was refused | 2026-11-22T10:01:00Z
       check owa-page of agent leeds-1 (internet): connect_refused
    reputation (unsure)
    "#);
    let path = down[0].holds[0].about.path.as_deref();
    assert_eq!(path, Some("/components/owa/outages/2026-11-22T10:01:00Z"));
    let slow = world.look("2026-11-22T10:03:30Z", &Others::default());
    assert_eq!(told(&slow, Topic::Down), "owa\nreputation (unsure)");
    assert_eq!(slow[0].ended_ms, Some(ms("2026-11-22T10:03:00Z")));
    insta::assert_snapshot!(told(&slow, Topic::Degraded), @r#"
    owa (unsure)
      Outlook Web Access is slow | it answers, but slower than it should | 2026-11-22T10:03:00Z
       check owa-page of agent leeds-1 (internet): slow
    reputation (unsure)
    "#);
    let silence = world.look("2026-11-22T11:00:00Z", &Others::default());
    assert_eq!(told(&silence, Topic::Down), "owa (unsure)\nreputation (unsure)");
}

#[test]
fn listings_and_certificates_are_found_in_what_was_said_last() {
    let listed = r#""reason":"listed","listings":[{"address":"192.0.2.10","list":"bl.example.org","code":"127.0.0.2"}]"#;
    let world = World::new(&[
        outcome("lists", "2026-11-22T10:00:00Z", "down", listed),
        outcome("lists", "2026-11-22T10:01:00Z", "down", listed),
        outcome("lists", "2026-11-22T10:02:00Z", "up", r#""reason":null"#),
        outcome("owa-page", "2026-11-22T10:01:00Z", "degraded", r#""reason":"cert_expiring""#),
    ]);
    let scopes = world.look("2026-11-22T10:01:30Z", &Others::default());
    insta::assert_snapshot!(told(&scopes, Topic::Listed), @r#"
    reputation
      Reputation: a blocklist names one of its addresses |  | 2026-11-22T10:00:00Z
      Reputation: 192.0.2.10 is on bl.example.org (127.0.0.2)
    "#);
    insta::assert_snapshot!(told(&scopes, Topic::Certificate), @r#"
    owa-page
      Outlook Web Access: its certificate expires soon |  | 2026-11-22T10:01:00Z
       check owa-page of agent leeds-1 (internet)
    lists
    "#);
    let public = &scopes.iter().find(|s| s.topic == Topic::Listed).unwrap().holds[0].about.title;
    assert!(!public.contains("192.0.2.10") && !public.contains("bl.example"), "{public}");
    let after = world.look("2026-11-22T10:02:30Z", &Others::default());
    assert_eq!(told(&after, Topic::Listed), "reputation");
}

#[test]
fn an_agent_is_silent_while_somebody_was_there_to_listen() {
    let world = World::new(&[]);
    let seen = [AgentSeen {
        agent: AgentName::new("leeds-1").unwrap(),
        last_seen_ms: ms("2026-11-22T09:00:00Z"),
        skew_ms: None,
    }];
    let look = |now: &str, running_ms: Option<i64>| {
        let others = Others { agents: &seen, running_ms, ..Others::default() };
        told(&world.look(now, &others), Topic::AgentSilent)
    };
    assert_eq!(look("2026-11-22T09:10:00Z", None), "leeds-1");
    insta::assert_snapshot!(look("2026-11-22T09:10:01Z", None), @r#"
    leeds-1
      One of the places we check from does not report |  | 2026-11-22T09:00:00Z
      Agent leeds-1 (internet) does not deliver
    "#);
    assert_eq!(look("2026-11-22T12:00:00Z", Some(1000)), "leeds-1", "just started");
}

#[test]
fn a_budget_is_low_then_spent_and_of_its_month_only() {
    let world = World::new(&[]);
    let report = |left_s: i64| {
        let mut report = crate::render::fixture::october();
        report.levels.retain(|level| matches!(level.figure, Figure::Availability(_)));
        report.levels.truncate(1);
        report.levels[0].id = "owa-availability".to_owned();
        let Figure::Availability(figure) = &mut report.levels[0].figure else { panic!() };
        figure.budget_s = crate::report::model::Ms(2_592_000);
        figure.budget_left_s = crate::report::model::Ms(left_s * 1000);
        report
    };
    let look = |now: &str, report: Option<&Report>| {
        let others = Others { so_far: report, ..Others::default() };
        told(&world.look(now, &others), Topic::Budget)
    };
    let now = "2026-11-22T12:00:00Z";
    insta::assert_snapshot!(look(now, Some(&report(600))), @r#"
    2026-11 owa-availability spent
    2026-11 owa-availability low
      Outlook Web Access: little of the month's allowed downtime is left |  | 
       level owa-availability, target 99.9 %: 10 min left of 43 min
    "#);
    insta::assert_snapshot!(look(now, Some(&report(-600))), @r#"
    2026-11 owa-availability spent
      Outlook Web Access: more downtime than was promised for the month |  | 
       level owa-availability, target 99.9 %: 10 min over 43 min
    "#);
    assert_eq!(
        look(now, Some(&report(2000))),
        "2026-11 owa-availability spent\n2026-11 owa-availability low"
    );
    let unknown = "2026-12 owa-availability low (unsure)\n2026-12 owa-availability spent (unsure)";
    assert_eq!(look("2026-12-01T00:00:01Z", None), unknown, "not reckoned yet");
}

#[test]
fn reports_that_failed_and_accounts_that_are_held() {
    let world = World::new(&[]);
    let letter = |state, changed: &str| Addressee {
        letter: 1,
        about: "edition/2026-10/1".to_owned(),
        via: String::new(),
        address: "board@example.org".to_owned(),
        message_id: String::new(),
        state,
        attempts: 1,
        next_ms: 0,
        changed_ms: ms(changed),
        said: Some("RCPT: 550 no such user".to_owned()),
        made_ms: 0,
    };
    let look = |state, changed: &str| {
        let letters = [letter(state, changed)];
        let others = Others { letters: &letters, ..Others::default() };
        told(&world.look("2026-11-22T12:00:00Z", &others), Topic::LetterFailed)
    };
    insta::assert_snapshot!(look(LetterState::Bounced, "2026-11-22T09:00:00Z"), @r#"
    edition/2026-10/1 board@example.org
      A published report did not surely arrive |  | 2026-11-22T09:00:00Z
      edition/2026-10/1 did not surely arrive at board@example.org bounced: RCPT: 550 no such user
    "#);
    let well = "edition/2026-10/1 board@example.org";
    assert_eq!(look(LetterState::Sent, "2026-11-22T09:00:00Z"), well);
    assert_eq!(look(LetterState::Bounced, "2026-11-01T09:00:00Z"), "", "long ago");

    let accounts = [AccountState::Held, AccountState::Refused].map(|state| Account {
        mailbox: "ab12".into(),
        credential: format!("owa-{}", state.label()).into(),
        state,
        rejections: 3,
        rejected_ms: Some(ms("2026-11-22T11:00:00Z")),
        accepted_ms: None,
        agents: vec!["leeds-1".into()],
        shared: false,
        cleared: None,
    });
    let others = Others { accounts: &accounts, ..Others::default() };
    let scopes = world.look("2026-11-22T12:00:00Z", &others);
    insta::assert_snapshot!(told(&scopes, Topic::HeldCredential), @r#"
    owa-held ab12
      An account that our checks sign in with is held | it was refused too often to be tried again before somebody looks at it | 2026-11-22T11:00:00Z
      The account owa-held is held refused 3 times; used by leeds-1
    owa-refused ab12
    "#);
}
