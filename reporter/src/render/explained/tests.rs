//! The grounds of a figure as a reader sees them.

use super::*;
use crate::render::fixture::{HOUR, MINUTE, at, october};
use crate::report::grounds::{
    Blip, CountsAs, ExclusionGround, Interval, ProbeGround, Record, RunGrounds, RunSeries,
    SiteGround, TimeGrounds, TimeSum,
};
use crate::report::model::Ms;

const EXPORT: &str = "mailward export --data data";

fn record(agent: &str, said: Said, reason: Option<&str>) -> Record {
    let spoke = said != Said::Silent;
    Record {
        agent: Some(agent.to_owned()),
        said,
        verdict: spoke.then(|| "down".to_owned()),
        reason: reason.map(str::to_owned),
        length_s: Ms(4 * HOUR),
        first_due: spoke.then(|| at("2026-10-14T00:10:00Z")),
        last_due: Some(at("2026-10-14T04:09:50Z")),
        outcomes: if spoke { 1439 } else { 0 },
    }
}

fn time() -> Grounds {
    let site = SiteGround {
        site: "internet".to_owned(),
        was: CountsAs::Down,
        length_s: Ms(4 * HOUR),
        why: "2 of 3 agents say down, 2 must".to_owned(),
        records: vec![
            record("leeds-1", Said::Down, Some("connect_refused")),
            record("york-1", Said::Down, Some("timeout")),
            record("hull-1\u{7}", Said::Silent, None),
        ],
    };
    let probe = ProbeGround {
        probe: "portal-page".to_owned(),
        was: CountsAs::Down,
        length_s: Ms(4 * HOUR),
        why: "down when it is at any of its sites".to_owned(),
        sites: vec![site],
    };
    let interval = |from: &str, hours: i64, counts_as, rule, why: &str| Interval {
        from: at(from),
        to: At(at(from).0 + hours * HOUR),
        length_s: Ms(hours * HOUR),
        counts_as,
        component: None,
        rule,
        why: why.to_owned(),
        probes: Vec::new(),
        exclusions: Vec::new(),
    };
    let mut down =
        interval("2026-10-14T00:10:00Z", 4, CountsAs::Down, 5, "down: any of its probes is down");
    down.probes = vec![probe];
    let mut excluded =
        interval("2026-10-18T00:00:00Z", 3, CountsAs::Excluded, 9, "excluded: agreed not to count");
    excluded.exclusions = vec![ExclusionGround {
        id: "MW-8".to_owned(),
        from: excluded.from,
        to: excluded.to,
        length_s: excluded.length_s,
    }];
    let unknown = interval(
        "2026-10-20T00:00:00Z",
        1,
        CountsAs::Unknown,
        5,
        "unknown: none of its probes was on an agent's roster",
    );
    Grounds::Time(TimeGrounds {
        sums: vec![TimeSum {
            component: "portal".to_owned(),
            service_s: Ms(745 * HOUR),
            excluded_s: Ms(3 * HOUR),
            down_s: Ms(4 * HOUR),
            unknown_s: Ms(HOUR),
            blips: 1,
        }],
        intervals: vec![down, excluded, unknown],
        blips: vec![Blip {
            component: None,
            probe: "portal-page".to_owned(),
            agent: Some("leeds-1".to_owned()),
            first_due: at("2026-10-21T09:00:00Z"),
            last_due: At(at("2026-10-21T09:00:00Z").0 + MINUTE),
            outcomes: 1,
            confirm: 2,
            reason: Some("timeout".to_owned()),
        }],
        left_out: LeftOut::default(),
    })
}

fn text(level: &str, grounds: Grounds, colour: bool) -> String {
    let mut report = october();
    let figure = report.levels.iter_mut().find(|figure| figure.id == level).unwrap();
    figure.grounds = Some(Box::new(grounds));
    let figure = report.levels.iter().find(|figure| figure.id == level).unwrap();
    explained(&report, figure, EXPORT, colour)
}

#[test]
fn an_availability_is_followed_to_the_outcomes() {
    insta::assert_snapshot!(text("portal-availability", time(), false), @r#"
    NHSmail · October 2026 (Europe/London) · Edition 2
    portal-availability · Portal: Availability · target 99.5 % · result 99.463 % · ✗ Missed

    Not working (D): 1 interval

      1. Wed 14 Oct, 01:10 BST to 05:10 BST · 4 h
         down: any of its probes is down (rule 5)
         probe portal-page · down all the time · down when it is at any of its sites (rule 4)
           site internet · down all the time · 2 of 3 agents say down, 2 must (rule 4)
             agent    said    for  outcomes  first due             last due              why
             leeds-1  down    4 h     1,439  2026-10-14T00:10:00Z  2026-10-14T04:09:50Z  connect_refused: the connection was refused
             york-1   down    4 h     1,439  2026-10-14T00:10:00Z  2026-10-14T04:09:50Z  timeout: no answer came in time
             hull-1   silent  4 h         –  –                     2026-10-14T04:09:50Z  no outcome speaks after that (rule 2)
         in full: mailward export --data data --from 2026-10-14T00:10:00Z --to 2026-10-14T04:10:01Z

    No data (U): 1 interval

      1. Tue 20 Oct, 01:00 BST to 02:00 BST · 1 h
         unknown: none of its probes was on an agent's roster (rule 5)
         in full: mailward export --data data --from 2026-10-20T00:00:00Z --to 2026-10-20T01:00:01Z

    Agreed not to count (X): 1 interval

      1. Sun 18 Oct, 01:00 BST to 04:00 BST · 3 h
         excluded: agreed not to count (rule 9)
         MW-8 · 3 h of it · maintenance: monthly patching · announced Thu 8 Oct, 10:00 BST · approved Fri 9 Oct, 10:00 BST by Service manager

    Blips: failures too few in a row to count, so they speak up (rule 3)
      probe        agent    first due             last due              failures  to count  why
      portal-page  leeds-1  2026-10-21T09:00:00Z  2026-10-21T09:01:00Z         1         2  timeout: no answer came in time

    In sum
              service S  excluded X  not working D  no data U  blips
      Portal      745 h         3 h            4 h        1 h      1
      1 − D ÷ (S − X − U) = 1 − 14400 ÷ (2682000 − 10800 − 3600) = 99.463 % (rule 6)
    "#);
}

#[test]
fn runs_that_were_not_good_stand_in_series() {
    let series = RunSeries {
        probe: "owa-logon".to_owned(),
        agent: None,
        first_due: at("2026-10-06T08:12:00Z"),
        last_due: at("2026-10-06T09:40:00Z"),
        runs: 89,
        slowest_ms: None,
        reasons: vec!["timeout".to_owned()],
    };
    let grounds = RunGrounds { not_good: 89, series: vec![series], ..RunGrounds::default() };
    insta::assert_snapshot!(text("owa-success", Grounds::Runs(grounds), false), @r#"
    NHSmail · October 2026 (Europe/London) · Edition 2
    owa-success · Outlook Web Access: Successful checks · target 99.5 % · result 99.800 % · ✓ Met

    Not good: 89 runs, in series that no success interrupts (rule 15)
      probe      agent     first due             last due              runs  slowest ms  why
      owa-logon  an agent  2026-10-06T08:12:00Z  2026-10-06T09:40:00Z    89           –  timeout: no answer came in time
      in full: mailward export --data data --from 2026-10-06T08:12:00Z --to 2026-10-06T09:40:01Z

    In sum
      44,700 runs − 89 not good = 44,611 good: 99.800 % (rule 15)
    "#);
}

#[test]
fn nothing_speaks_to_the_terminal() {
    assert!(!text("portal-availability", time(), false).contains(['\u{1b}', '\u{7}']));
    let coloured = text("portal-availability", time(), true);
    assert!(coloured.contains("\u{1b}[1;31m4 h\u{1b}[0m") && !coloured.contains('\u{7}'));
}
