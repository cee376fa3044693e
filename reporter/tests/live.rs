//! The live state from evidence: every state a row can be in, what users at different sites
//! meet, and that nothing is healthy before it was seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::{
    AgentName, Backlog, Exclusion, ExclusionClass, Extra, Instant, Listing, ProbeId, Reason,
    Roster, RosterProbe, SiteName, Verdict,
};
use mailward_reporter::ingest::receipts::Noted;
use mailward_reporter::metrics::{self, Facts, latency::Latencies};
use mailward_reporter::segment::{Evidence, SeenExclusion, Segment, Stream};
use mailward_reporter::status::evaluate::{Evaluation, evaluate};
use mailward_reporter::status::{Form, Row, STRIP_DAYS, Shade, State};
use mailward_reporter::store::{Accepted, AgentSeen, LetterState, Tally};

const MINUTE: i64 = 60_000;

fn now_ms() -> i64 {
    "2026-11-22T09:29:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// One row of which any probe is enough, watched by two probes every minute.
fn catalogue(rule: &str, site_rule: &str) -> Catalogue {
    let text = format!(
        r#"
[service]
name = "Mail"
zone = "Europe/London"

[[component]]
id = "owa"
name = "Outlook Web Access"
rule = {rule}
site_rule = {site_rule}
severity = "2"

[[probe]]
id = "a"
component = "owa"
kind = "http"
url = "https://a.example.org/"
every = "60s"
confirm = 2

[[probe]]
id = "b"
component = "owa"
kind = "http"
url = "https://b.example.org/"
every = "60s"
confirm = 2

[maintenance]
notice = "1d"
"#
    );
    let parsed = mailward_catalogue::parse("probes.toml", &text);
    parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults))
}

/// What an agent saw, oldest first: minutes before now, how many outcomes, verdict, reason.
type Story<'a> = &'a [(i64, u64, Verdict, Option<Reason>)];

#[derive(Default)]
struct Told {
    evidence: Evidence,
    rosters: BTreeMap<(String, String), Vec<RosterProbe>>,
}

impl Told {
    fn tell(mut self, agent: &str, site: &str, probe: &str, story: Story<'_>) -> Self {
        let segments: Vec<Segment> = story
            .iter()
            .map(|(ago, count, verdict, reason)| {
                let first_ms = now_ms() - ago * MINUTE;
                Segment {
                    first_ms,
                    last_ms: first_ms + (i64::try_from(*count).unwrap() - 1) * MINUTE,
                    next_due_ms: MINUTE,
                    count: *count,
                    verdict: *verdict,
                    reason: reason.clone(),
                    listings: Vec::new(),
                }
            })
            .collect();
        self.evidence.streams.push(Stream {
            agent: AgentName::new(agent).unwrap(),
            probe: ProbeId::new(probe).unwrap(),
            first_due_ms: segments.first().map_or(now_ms(), |s| s.first_ms),
            segments,
        });
        self.rosters.entry((agent.into(), site.into())).or_default().push(RosterProbe {
            id: ProbeId::new(probe).unwrap(),
            every_s: Some(60),
            extra: Extra::default(),
        });
        self
    }

    fn planned(mut self, from_min: i64, to_min: i64) -> Self {
        let at = |minutes: i64| Instant::from_ms(now_ms() + minutes * MINUTE).unwrap();
        self.evidence.exclusions.push(SeenExclusion {
            exclusion: Exclusion {
                id: "MW-1".into(),
                class: ExclusionClass::Maintenance,
                components: vec!["owa".parse().unwrap()],
                from: at(from_min),
                to: at(to_min),
                announced: Some(at(from_min - 3000)),
                approved: Some(at(from_min - 2000)),
                by: Some("the service manager".into()),
                reason: Some("patching".into()),
                cancelled: false,
                extra: Extra::default(),
            },
            first_seen_ms: 0,
        });
        self
    }

    fn judge(mut self, catalogue: &Catalogue) -> Evaluation {
        for ((agent, site), probes) in self.rosters {
            self.evidence.rosters.push(Roster {
                agent: AgentName::new(&agent).unwrap(),
                site: SiteName::new(&site).unwrap(),
                at: Instant::from_ms(now_ms() - 10_000 * MINUTE).unwrap(),
                probes,
                extra: Extra::default(),
            });
        }
        evaluate(catalogue, &self.evidence, None, now_ms())
    }
}

fn up(ago: i64, count: u64) -> (i64, u64, Verdict, Option<Reason>) {
    (ago, count, Verdict::Up, None)
}

fn down(ago: i64, count: u64) -> (i64, u64, Verdict, Option<Reason>) {
    (ago, count, Verdict::Down, Some(Reason::ConnectRefused))
}

fn check(told: Told, rule: (&str, &str), state: State, shade: Shade, since: Option<i64>) -> Row {
    let row = told.judge(&catalogue(rule.0, rule.1)).rows.remove(0);
    let minutes = row.now.since_ms.map(|ms| (now_ms() - ms) / MINUTE);
    assert_eq!((row.now.state, row.now.shade, minutes), (state, shade, since), "{:?}", row.now);
    row
}

const ANY: (&str, &str) = ("\"any\"", "\"any\"");

#[test]
fn nothing_is_healthy_before_it_was_seen() {
    let row = check(Told::default(), ANY, State::NoData, Shade::Plain, None);
    assert_eq!(row.days.len(), STRIP_DAYS);
    assert!(row.days.iter().all(|d| d.form() == Form::Unknown));
    assert!(row.outages.is_empty());
}

#[test]
fn success_is_working_and_silence_is_no_data() {
    let told = Told::default().tell("x", "net", "a", &[up(60, 60)]);
    let row = check(told, ANY, State::Working, Shade::Plain, None);
    let today = row.days.last().unwrap();
    assert_eq!((today.up_ms, today.down_ms), (60 * MINUTE, 0));
    let told = Told::default().tell("x", "net", "a", &[up(60, 30)]);
    check(told, ANY, State::NoData, Shade::Plain, Some(30));
}

#[test]
fn a_confirmed_failure_is_backdated_and_ends_with_the_first_success() {
    let told = Told::default().tell("x", "net", "a", &[up(60, 36), down(24, 24)]);
    let row = check(told, ANY, State::NotWorking, Shade::Plain, Some(24));
    assert_eq!(row.now.why, Some("the connection was refused"));
    assert!(row.outages[0].open);
    let told = Told::default().tell("x", "net", "a", &[up(60, 36), down(24, 14), up(10, 10)]);
    let row = check(told, ANY, State::Working, Shade::Plain, None);
    let outage = &row.outages[0];
    assert_eq!((outage.open, outage.to_ms - outage.from_ms), (false, 14 * MINUTE));
    assert_eq!(row.days.last().unwrap().form(), Form::Down);
}

#[test]
fn one_failure_is_nothing_and_three_short_ones_in_half_an_hour_are_something() {
    let told = Told::default().tell("x", "net", "a", &[up(60, 55), down(5, 1), up(4, 4)]);
    check(told, ANY, State::Working, Shade::Plain, None);
    let blips = [up(60, 35), down(25, 1), up(24, 4), down(20, 1), up(19, 9), down(10, 1), up(9, 9)];
    let row = check(
        Told::default().tell("x", "net", "a", &blips),
        ANY,
        State::Slow,
        Shade::Flapping,
        Some(25),
    );
    assert!(row.outages.is_empty(), "no figure rests on blips");
}

#[test]
fn slow_answers_and_other_blemishes_are_told_apart() {
    let slow = (20, 20, Verdict::Degraded, Some(Reason::Slow));
    let told = Told::default().tell("x", "net", "a", &[up(60, 40), slow.clone()]);
    check(told, ANY, State::Slow, Shade::Slow, Some(20));
    let expiring = (20, 20, Verdict::Degraded, Some(Reason::CertExpiring));
    let told = Told::default().tell("x", "net", "a", &[up(60, 40), slow]).tell(
        "x",
        "net",
        "b",
        &[up(60, 40), expiring],
    );
    let row = check(told, ANY, State::Slow, Shade::Impaired, Some(20));
    assert_eq!(row.now.why, Some("its certificate expires soon"));
}

#[test]
fn what_fails_at_one_site_only_is_partly_working() {
    let told = || {
        Told::default().tell("x", "hscn", "a", &[up(60, 42), down(18, 18)]).tell(
            "y",
            "internet",
            "a",
            &[up(60, 60)],
        )
    };
    let row = check(told(), ANY, State::Partly, Shade::Sites, Some(18));
    let sites: Vec<_> = row.sites.iter().map(|s| (s.site.as_str(), s.state)).collect();
    assert_eq!(sites, [("hscn", State::NotWorking), ("internet", State::Working)]);
    assert!(row.outages[0].open, "by its site rule it is down all the same");
    let row = check(told(), ("\"any\"", "\"all\""), State::Partly, Shade::Sites, Some(18));
    assert!(row.outages.is_empty(), "down at all sites is what this rule asks");
    let both = told().tell("z", "internet", "b", &[up(60, 42), down(18, 18)]);
    check(both, ANY, State::NotWorking, Shade::Plain, Some(18));
}

#[test]
fn failures_that_are_too_few_cost_resilience() {
    let told = Told::default().tell("x", "net", "a", &[up(60, 48), down(12, 12)]).tell(
        "x",
        "net",
        "b",
        &[up(60, 60)],
    );
    let row = check(told, ("\"all\"", "\"any\""), State::Partly, Shade::Resilience, Some(12));
    assert!(row.outages.is_empty());
    let told = Told::default().tell("x", "net", "a", &[up(60, 48), down(12, 12)]).tell(
        "y",
        "net",
        "a",
        &[up(60, 60)],
    );
    check(told, ANY, State::Partly, Shade::Resilience, Some(12));
}

#[test]
fn approved_work_is_maintenance_and_no_outage() {
    let told = Told::default().tell("x", "net", "a", &[up(60, 40), down(20, 20)]).planned(-30, 60);
    let catalogue = catalogue(ANY.0, ANY.1);
    let evaluation = told.judge(&catalogue);
    let row = &evaluation.rows[0];
    assert_eq!(row.now.state, State::Maintenance);
    assert_eq!(row.now.until_ms, Some(now_ms() + 60 * MINUTE));
    assert!(row.outages.is_empty());
    assert_eq!(row.days.last().unwrap().excluded_ms, 30 * MINUTE);
    assert_eq!(evaluation.maintenance[0].names, ["Outlook Web Access"]);
    assert_eq!(evaluation.maintenance[0].reason.as_deref(), Some("patching"));
}

/// What two agents told with their deliveries, one of which is not known any more.
fn noted() -> Noted {
    let backlog = Backlog { records: 12, oldest_ms: 3_250, dropped: 1, missed: 2 };
    let agents = ["x\"", "gone"].map(|name| (AgentName::new(name).unwrap(), backlog));
    Noted {
        ended: BTreeMap::from([("accepted", 40), ("put_off", 1)]),
        backlogs: BTreeMap::from(agents),
    }
}

#[test]
fn metrics_have_help_and_type_and_leave_out_what_is_unknown() {
    let catalogue = catalogue(ANY.0, ANY.1);
    let seen = [AgentSeen {
        agent: AgentName::new("x\"\n").unwrap_or_else(|_| AgentName::new("x\"").unwrap()),
        last_seen_ms: 1_500,
        skew_ms: Some(-250),
    }];
    let counted = Accepted { accepted: 7, duplicates: 1, conflicts: 0 };
    let tallies = [Tally { agent: "x".into(), kind: "outcome", counted }];
    let months = [("2026-10", vec!["A figure.".to_owned()]), ("2026-09", Vec::new())];
    let months = months.map(|(month, differs)| mailward_reporter::status::MonthEntry {
        month: month.to_owned(),
        edition: 1,
        editions: vec![1],
        differs,
        met: 1,
        missed: 0,
        open: 0,
    });
    let in_force = InForce::new(Arc::new(catalogue.clone()), "", 0);
    let render = |evaluation: &Evaluation| {
        metrics::text(&Facts {
            definition: &in_force,
            evaluation,
            so_far: None,
            agents: &seen,
            tallies: &tallies,
            latencies: &Latencies::starting(now_ms()),
            months: &months,
            letters: &[(LetterState::Bounced, 2)],
            notices: &BTreeMap::new(),
            accounts: &[],
            certificates: &BTreeMap::from([("a".to_owned(), 1_798_761_600_000)]),
            noted: &noted(),
            backup_ms: None,
            now_ms: now_ms(),
        })
        .unwrap()
    };
    let unknown = render(&Told::default().judge(&catalogue));
    assert!(!unknown.contains("mailward_component_up{"), "{unknown}");
    for sample in ["{month=\"2026-10\"} 1", "{month=\"2026-09\"} 0"] {
        assert!(unknown.contains(&format!("mailward_edition_differs{sample}")), "{unknown}");
    }
    let told = Told::default().tell("x", "hscn", "a", &[up(60, 40), down(20, 20)]);
    let text = render(&told.judge(&catalogue));
    for line in [
        "mailward_component_up{component=\"owa\"} 0",
        "mailward_agent_probe_state{agent=\"x\",site=\"hscn\",probe=\"a\",component=\"owa\",\
         state=\"down\"} 1",
        "mailward_incidents_open{severity=\"2\"} 1",
        "mailward_letters{state=\"bounced\"} 2",
        "mailward_evidence_records_total{agent=\"x\",kind=\"outcome\"} 7",
        "mailward_agent_last_seen_timestamp_seconds{agent=\"x\\\"\"} 1.5",
        "mailward_agent_clock_skew_seconds{agent=\"x\\\"\"} -0.25",
        "mailward_agent_outbox_records{agent=\"x\\\"\"} 12",
        "mailward_agent_outbox_oldest_seconds{agent=\"x\\\"\"} 3.25",
        "mailward_agent_outbox_dropped_records_total{agent=\"x\\\"\"} 1",
        "mailward_agent_schedule_missed_total{agent=\"x\\\"\"} 2",
        "mailward_ingest_deliveries_total{result=\"put_off\"} 1",
        "mailward_certificate_expiry_timestamp_seconds{probe=\"a\"} 1798761600",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing from\n{text}");
    }
    assert!(!text.contains("gone"), "{text}");
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "no help for {name}");
        assert!(text.contains(&format!("# TYPE {name} ")), "no type for {name}");
        let counter = text.contains(&format!("# TYPE {name} counter"));
        assert_eq!(counter, name.ends_with("_total"), "{name}");
    }
}

#[test]
fn an_address_is_listed_while_an_outcome_that_speaks_names_it() {
    let text = r#"
[service]
name = "Mail"
zone = "Europe/London"
[[component]]
id = "reputation"
name = "Reputation"
severity = "3"
[[probe]]
id = "rbl"
component = "reputation"
kind = "dnsbl"
addresses = ["192.0.2.10"]
lists = ["bl.example.org"]
every = "60s"
"#;
    let parsed = mailward_catalogue::parse("probes.toml", text);
    let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
    let check = |probe: &str, ago: i64, count: u64, expect: usize| {
        let listed = (Verdict::Down, Some(Reason::Listed));
        let mut told = Told::default().tell("x", "", probe, &[(ago, count, listed.0, listed.1)]);
        told.evidence.streams[0].segments[0].listings.push(Listing {
            address: "192.0.2.10".into(),
            list: "bl.example.org".into(),
            code: None,
            extra: Extra::default(),
        });
        let listed = told.judge(&catalogue).listed;
        assert_eq!(listed.len(), expect, "{probe} {ago} {count}");
    };
    check("rbl", 10, 11, 1);
    // the last one was long ago
    check("rbl", 60, 10, 0);
    // of a probe that nobody declared
    check("rbl-2", 10, 11, 0);
}
