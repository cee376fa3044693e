//! Many agents come back at once after an outage of the reporter, each with a backlog. The full
//! size of it, 200 agents with a day each, is `cargo bench -p mailward --bench returning`.

#[path = "../../bench/returning/fleet.rs"]
mod fleet;

use fleet::Backlog;
use mailward_evidence::{Clock, SystemClock};

use super::judge::{judge, stored};
use super::ledger::{Told, but};
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::scratch;
use super::times;

const PROBES: usize = 40;
const MINUTES: usize = 60;

#[test]
fn agents_that_return_together_are_all_heard() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    // one that is no imitation probes and delivers beside them
    let mut agent = Agent::new(scratch.path(), "beside", &text, &reporter);
    let from_s = SystemClock.now().as_second() - 2 * 3600;
    let agents = times(20, 100);
    let backlogs: Vec<Backlog> = (0..agents)
        .map(|number| {
            let name = format!("agent-{number}");
            Backlog::of(&name, &reporter.enrol(&name), PROBES, MINUTES, from_s)
        })
        .collect();
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    agent.wait_outcomes(PROBES as f64);
    let drained = fleet::drain_all(reporter.address, &backlogs);
    for (backlog, drained) in backlogs.iter().zip(&drained) {
        let had = drained.accepted + drained.duplicates;
        assert_eq!(had, backlog.records as u64, "{}: {drained:?}", backlog.agent);
    }
    agent.wait_outcomes(PROBES as f64);
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let stored = stored(&reporter.data);
    let fleet = stored.keys().filter(|key| key.0 != "beside").cloned().collect::<Vec<_>>();
    let expected = agents as usize * PROBES * MINUTES;
    let mut verdict = judge(agents, &reporter.config, &reporter.data, []);
    verdict.lost += expected.saturating_sub(fleet.len()) as u64;
    let own = but(&stored, &fleet);
    verdict.lost += told.vanished(&agent, &own) + told.unexplained(&agent, &own);
    verdict.pass("agents that return together");
}
