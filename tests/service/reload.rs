//! A definition that is read again and again while evidence flows, and a token that is rotated
//! meanwhile: what is unchanged keeps its grid without a gap, what is changed goes over, and
//! nothing is doubled.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mailward_evidence::{Outcome, Record, Roster, wire};

use super::manager::Manager;
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::{get, run_ok, scratch, wait_for, write};
use super::told::hang_up;

/// How often it is read again.
const TIMES: usize = 20;
/// Probes that stay as they are.
const SAME: usize = 6;
const EVERY_MS: i64 = 2_000;

/// The definition in one of its two forms: `changing` runs at another interval, `coming` is there
/// or not, and the service has another name.
fn form(target: std::net::SocketAddr, second: bool) -> String {
    let probe = |id: &str, every: &str| {
        format!(
            "\n[[probe]]\nid = \"{id}\"\ncomponent = \"c\"\nkind = \"http\"\n\
             url = \"http://{target}/{every}\"\nevery = \"{every}\"\ntimeout = \"2s\"\n"
        )
    };
    let same = definition(SAME, target).replace("\"1s\"", "\"2s\"");
    match second {
        false => same + &probe("changing", "3s"),
        // what is unchanged stands elsewhere in the file
        true => {
            let same = same.replace("\"Tried\"", "\"Tried anew\"");
            format!("# moved\n\n{same}{}{}", probe("coming", "2s"), probe("changing", "7s"))
        }
    }
}

struct Told {
    outcomes: BTreeMap<String, Vec<Outcome>>,
    rosters: Vec<Roster>,
}

fn told(data: &Path) -> Told {
    let text = run_ok([Path::new("export"), Path::new("--data"), data]);
    let mut told = Told { outcomes: BTreeMap::new(), rosters: Vec::new() };
    for record in wire::decode_lines(text.as_bytes()).expect("what is exported can be read") {
        match record {
            Record::Outcome(o) => told.outcomes.entry(o.probe.to_string()).or_default().push(o),
            Record::Roster(roster) => told.rosters.push(roster),
            _ => {}
        }
    }
    for outcomes in told.outcomes.values_mut() {
        outcomes.sort_by_key(|outcome| (outcome.due, outcome.attempt));
    }
    told.rosters.sort_by_key(|roster| roster.at);
    told
}

#[test]
fn twenty_readings_while_evidence_flows_leave_no_gap_and_double_nothing() {
    let scratch = scratch();
    let managers = [Manager::at_name(), Manager::at_name()];
    let target = answering_server();
    let mut reporter = Reporter::new(scratch.path(), &form(target, false));
    reporter.around.environment = managers[0].environment(Duration::from_secs(60));
    reporter.start();
    reporter.wait_ready();
    let mut agent = Agent::new(scratch.path(), "reads", &form(target, false), &reporter);
    let own = std::fs::read_to_string(&agent.config).expect("the definition");
    let own = own.strip_prefix(&form(target, false)).expect("what is the agent's own").to_owned();
    agent.around.environment = managers[1].environment(Duration::from_secs(60));
    agent.start();
    managers[1].wait_count("READY=1", 1);

    let delivered = || agent.metric("mailward_delivered_records_total").unwrap_or_default();
    for time in 1..=TIMES {
        // good as before, broken, changed, broken, changed back
        let text = match time % 4 {
            1 => form(target, time % 8 == 5),
            2 | 0 => "[service\n".to_owned(),
            _ => form(target, time % 8 == 3),
        };
        if time == 7 {
            let token = run_ok([
                "agents".as_ref(),
                "rotate".as_ref(),
                "reads".as_ref(),
                "--data".as_ref(),
                reporter.data.as_os_str(),
            ]);
            write(&scratch.path().join("reads"), "token", token.trim());
        }
        write(scratch.path(), "probes.toml", &text);
        write(&scratch.path().join("reads"), "probes.toml", &(text + &own));
        for running in [&reporter.running, &agent.running] {
            hang_up(running.as_ref().expect("a process that runs"));
        }
        let good = if time % 2 == 0 { 0.0 } else { 1.0 };
        for manager in &managers {
            manager.wait_count("READY=1", time + 1);
        }
        assert_eq!(agent.metric("mailward_definition_reload_successful"), Some(good), "{time}");
        let shown = format!("\nmailward_definition_reload_successful {good}\n");
        wait_for("the reporter's metric", || {
            get(&reporter.url("/metrics")).1.contains(&shown).then_some(())
        });
        let second = matches!(time % 8, 3..=6);
        let name = if second { "Tried anew" } else { "Tried" };
        wait_for("the page by the definition in force", || {
            let page = get(&reporter.url("/api/v1/status")).1;
            page.contains(&format!("\"service\":\"{name}\"")).then_some(())
        });
        // between two readings evidence flows
        let before = delivered();
        wait_for("evidence", || (delivered() >= before + 4.0).then_some(()));
    }
    assert!(agent.stop().success());
    assert!(reporter.stop().success());

    let told = told(&reporter.data);
    for index in 0..SAME {
        let outcomes = &told.outcomes[&format!("p{index}")];
        assert!(outcomes.len() >= TIMES / 2, "p{index} ran {} times", outcomes.len());
        for pair in outcomes.windows(2) {
            let between = pair[1].due.ms() - pair[0].due.ms();
            assert_eq!((between, pair[1].attempt), (EVERY_MS, 0), "p{index} at {}", pair[1].due);
        }
    }
    let changing = &told.outcomes["changing"];
    for pair in changing.windows(2) {
        let between = pair[1].due.ms() - pair[0].due.ms();
        let announced = i64::try_from(pair[0].next_due_ms).expect("a distance");
        assert!(0 < between && between <= announced, "{between} ms after {:?}", pair[0]);
    }
    let distances: Vec<u64> = changing.iter().map(|outcome| outcome.next_due_ms).collect();
    assert!(distances.contains(&3_000) && distances.contains(&7_000), "{distances:?}");
    // the roster says which probes were due, each time that changed and no oftener
    let every = |roster: &Roster, id: &str| {
        let probe = roster.probes.iter().find(|probe| probe.id.as_str() == id);
        probe.and_then(|probe| probe.every_s)
    };
    let seen: Vec<_> =
        told.rosters.iter().map(|r| (every(r, "changing"), every(r, "coming"))).collect();
    let (first, second) = ((Some(3), None), (Some(7), Some(2)));
    assert_eq!(seen, [first, second, first, second, first, second]);
    // nothing of what came and went was observed outside its time
    for outcome in told.outcomes.get("coming").into_iter().flatten() {
        let roster = told.rosters.iter().rev().find(|roster| roster.at <= outcome.due);
        let due = roster.is_some_and(|roster| every(roster, "coming").is_some());
        assert!(due, "coming at {} was not on the roster", outcome.due);
    }
}
