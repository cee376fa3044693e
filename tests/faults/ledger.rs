//! What an agent says that it did, held against what the reporter has of it: outcomes that it
//! counted and that are nowhere, and gaps in its schedule that it did not own up to.

use std::collections::{BTreeMap, HashMap};

use mailward_evidence::{Clock, SystemClock};

use super::judge::Key;
use super::scene::{Agent, EVERY_MS};

/// What an agent said at an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    at_ms: i64,
    outcomes: u64,
    missed: u64,
}

impl Told {
    /// Asks an agent that runs.
    pub(crate) fn by(agent: &Agent) -> Self {
        let at_ms = SystemClock.now().as_millisecond();
        let outcomes = counted(agent.metric("mailward_probe_outcomes_total"));
        let missed = counted(agent.metric("mailward_schedule_missed_total"));
        Self { at_ms, outcomes, missed }
    }

    /// How many scheduled runs it says it left out.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// How many outcomes it had counted, of an agent that has stopped since, that are neither in
    /// the store nor in its outbox. It was started once.
    pub(crate) fn vanished(&self, agent: &Agent, stored: &HashMap<Key, u32>) -> u64 {
        let name = agent.name();
        let there = stored.keys().filter(|(of, ..)| of == name).count();
        let left = agent.in_outbox();
        let left = left.iter().filter(|key| !stored.contains_key(*key)).count();
        self.outcomes.saturating_sub((there + left) as u64)
    }

    /// How many of the schedule's instants have no outcome although the agent did not say that
    /// it missed them. For clocks that were left alone.
    pub(crate) fn unexplained(&self, agent: &Agent, stored: &HashMap<Key, u32>) -> u64 {
        gaps(agent.name(), stored, self.at_ms).saturating_sub(self.missed)
    }
}

fn counted(metric: Option<f64>) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
    metric.map_or(0, |value| value as u64)
}

/// How many instants of the grid between the first and the last scheduled outcome of each probe
/// have none, up to an instant.
pub(crate) fn gaps(agent: &str, stored: &HashMap<Key, u32>, until_ms: i64) -> u64 {
    let mut dues: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (of, probe, due, attempt) in stored.keys() {
        let due_ms = due.parse::<jiff::Timestamp>().expect("an instant").as_millisecond();
        if of == agent && *attempt == 0 && due_ms <= until_ms {
            dues.entry(probe).or_default().push(due_ms);
        }
    }
    let missing = dues.into_values().map(|mut dues| {
        dues.sort_unstable();
        let steps = dues.windows(2).map(|pair| (pair[1] - pair[0]) / EVERY_MS - 1);
        steps.sum::<i64>()
    });
    u64::try_from(missing.sum::<i64>()).expect("instants in order")
}

/// What is stored without these: what an agent was given before it ran is not its own doing.
pub(crate) fn but(stored: &HashMap<Key, u32>, given: &[Key]) -> HashMap<Key, u32> {
    let mut own = stored.clone();
    for key in given {
        own.remove(key);
    }
    own
}

/// How many outcomes of that agent say down.
pub(crate) fn downs(data: &std::path::Path, agent: &str) -> usize {
    outcomes(data, agent).iter().filter(|outcome| outcome["verdict"] == "down").count()
}

/// Every outcome of an agent in a store.
pub(crate) fn outcomes(data: &std::path::Path, agent: &str) -> Vec<serde_json::Value> {
    let text = super::support::run_ok(["export".as_ref(), "--data".as_ref(), data.as_os_str()]);
    let records = text.lines().map(|line| serde_json::from_str(line).expect("a record"));
    records.filter(|r: &serde_json::Value| r["kind"] == "outcome" && r["agent"] == agent).collect()
}
