//! The network between hosts: cut, slow, lossy, doubling and reordering packets, between an agent
//! and its reporter and between an agent and the service. What one agent of three cannot reach is
//! no outage, and what an agent that is cut off sees is unknown.

use super::away::keep_minutes;
use super::judge::{judge, stored};
use super::ledger::{Told, but, outcomes};
use super::network::Network;
use super::scene::{Agent, Reporter, definition};
use super::support::{scratch, wait_for};
use super::times;

const PROBES: usize = 10;
const WEB: u16 = 8000;
const REPORTER: u16 = 7025;

/// A reporter on the host of that name, started, and what it watches.
fn reporter(
    network: &mut Network,
    directory: &std::path::Path,
    timeout: &str,
) -> (Reporter, String) {
    let empty = directory.join("empty");
    std::fs::create_dir_all(&empty).expect("make a directory");
    let service = network.serve("service", WEB, &empty);
    let text = definition(PROBES, service).replace("timeout = \"1s\"", timeout);
    let mut reporter = Reporter::new(directory, &text);
    reporter.address = network.address("reporter", REPORTER);
    reporter.around = network.on("reporter");
    reporter.start();
    reporter.wait_ready();
    (reporter, text)
}

fn agent(
    network: &Network,
    directory: &std::path::Path,
    name: &str,
    of: &(Reporter, String),
) -> Agent {
    let mut agent = Agent::new(directory, name, &of.1, &of.0);
    agent.around = network.on(name);
    agent
}

#[test]
fn a_network_that_delays_loses_doubles_and_reorders_changes_nothing() {
    let scratch = scratch();
    let mut network = Network::of(&["reporter", "service", "far"]);
    let mut watched = reporter(&mut network, scratch.path(), "timeout = \"5s\"");
    let mut agent = agent(&network, scratch.path(), "far", &watched);
    network.between("far", "reporter", "delay=20 jitter=20 lose=8 double=15 late=20");
    network.between("far", "service", "delay=5 jitter=10 double=15 late=20");
    let backlog = keep_minutes(&agent, PROBES, 240);
    agent.start();
    agent.wait_alive();
    for _ in 0..times(8, 120) {
        agent.wait_outcomes(PROBES as f64);
    }
    let to_reporter = wait_for("packets to be dropped, doubled and overtaken", || {
        let way = network.count("far", "reporter");
        ["dropped", "doubled", "overtaken"].iter().all(|what| way[*what] > 0).then_some(way)
    });
    let to_service = network.count("far", "service");
    assert!(to_service["doubled"] > 0 && to_service["overtaken"] > 0, "{to_service:?}");
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    let reporter = &mut watched.0;
    assert!(reporter.stop().success());
    let own = but(&stored(&reporter.data), &backlog);
    let made = to_reporter["dropped"] + to_reporter["doubled"] + to_reporter["overtaken"];
    let mut verdict = judge(made, &reporter.config, &reporter.data, &backlog);
    verdict.lost += told.vanished(&agent, &own) + told.unexplained(&agent, &own);
    verdict.pass("packets delayed, lost, doubled and reordered");
}

#[test]
fn a_network_that_is_cut_again_and_again_loses_nothing() {
    let scratch = scratch();
    let mut network = Network::of(&["reporter", "service", "cut-off"]);
    let mut watched = reporter(&mut network, scratch.path(), "timeout = \"5s\"");
    let mut agent = agent(&network, scratch.path(), "cut-off", &watched);
    let backlog = keep_minutes(&agent, PROBES, 480);
    agent.start();
    agent.wait_alive();
    let cuts = times(4, 100);
    for _ in 0..cuts {
        let dropped = network.count("cut-off", "reporter")["dropped"];
        network.between("cut-off", "reporter", "cut");
        wait_for("packets to be dropped", || {
            (network.count("cut-off", "reporter")["dropped"] > dropped).then_some(())
        });
        agent.wait_outcomes(PROBES as f64);
        network.between("cut-off", "reporter", "");
        let delivered = || agent.metric("mailward_delivered_records_total").unwrap_or_default();
        let before = delivered();
        wait_for("a delivery", || (delivered() > before).then_some(()));
    }
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    let reporter = &mut watched.0;
    assert!(reporter.stop().success());
    let own = but(&stored(&reporter.data), &backlog);
    let mut verdict = judge(cuts, &reporter.config, &reporter.data, &backlog);
    verdict.lost += told.vanished(&agent, &own) + told.unexplained(&agent, &own);
    verdict.pass("network between agent and reporter cut");
}

/// How many outcomes of an agent have this verdict, for this reason if one is given.
fn count(reporter: &Reporter, agent: &str, verdict: &str, reason: Option<&str>) -> usize {
    let is = |outcome: &&serde_json::Value| {
        outcome["verdict"] == verdict && reason.is_none_or(|reason| outcome["reason"] == reason)
    };
    outcomes(&reporter.data, agent).iter().filter(is).count()
}

#[test]
fn one_agent_of_three_that_reaches_nothing_is_no_outage() {
    let scratch = scratch();
    let mut network = Network::of(&["reporter", "service", "reference", "leeds", "york", "hull"]);
    let mut watched = reporter(&mut network, scratch.path(), "timeout = \"1s\"");
    let reference = network.serve("reference", WEB, &scratch.path().join("empty"));
    let names = ["leeds", "york", "hull"];
    let mut agents = names.map(|name| {
        let agent = agent(&network, scratch.path(), name, &watched);
        let mut text = std::fs::read_to_string(&agent.config).expect("a definition");
        text += &format!("references = [\"{reference}\"]\n");
        std::fs::write(&agent.config, text).expect("write a definition");
        agent
    });
    for agent in &mut agents {
        agent.start();
    }
    let reporter = &mut watched.0;
    for agent in &agents {
        agent.wait_alive();
        agent.wait_outcomes(2.0 * PROBES as f64);
    }
    let enough = 3 * PROBES;
    let cuts = times(1, 10);
    for round in 1..=usize::try_from(cuts).expect("small") {
        // Leeds loses the service alone: it says down, and nobody agrees
        network.between("leeds", "service", "cut");
        wait_for("Leeds to say down", || {
            (count(reporter, "leeds", "down", None) >= round * enough).then_some(())
        });
        let url = reporter.url("/api/v1/status");
        let (_, status) = reporter.around.fetch(&url).expect("a status");
        assert!(!status.contains("not_working"), "{status}");
        network.between("leeds", "service", "");
        // York loses its way out, so what it sees says nothing of the service
        network.between("york", "reference", "cut");
        network.between("york", "service", "cut");
        wait_for("York to say that it is isolated", || {
            let isolated = count(reporter, "york", "unknown", Some("isolated"));
            (isolated >= round * enough).then_some(())
        });
        // Hull loses everything, its reporter too: its silence is unknown
        for other in ["reference", "service", "reporter"] {
            network.between("hull", other, "cut");
        }
        agents[2].wait_outcomes(PROBES as f64);
        for (name, other) in [
            ("york", "service"),
            ("york", "reference"),
            ("hull", "service"),
            ("hull", "reference"),
            ("hull", "reporter"),
        ] {
            network.between(name, other, "");
        }
        let up = names.map(|name| count(reporter, name, "up", None));
        wait_for("all to say up again", || {
            let now = names.map(|name| count(reporter, name, "up", None));
            (0..names.len()).all(|n| now[n] > up[n] + PROBES).then_some(())
        });
    }
    let mut told = Vec::new();
    for agent in &mut agents {
        agent.wait_drained(5.0 * PROBES as f64);
        told.push(Told::by(agent));
        assert!(agent.stop().success());
    }
    assert!(reporter.stop().success());
    let stored = stored(&reporter.data);
    let mut verdict = judge(3 * cuts, &reporter.config, &reporter.data, []);
    for (agent, told) in agents.iter().zip(told) {
        verdict.lost += told.vanished(agent, &stored) + told.unexplained(agent, &stored);
    }
    verdict.pass("one agent of three cut off from the service, its references or everything");
}
