//! Metrics of agents as the reporter knows them: what they deliver, what waits at them, their
//! accounts. Nobody has to reach an agent for it.

use std::collections::BTreeMap;

use mailward_evidence::lease::AccountState;
use mailward_evidence::{AgentName, Backlog};
use prometheus::proto::{MetricFamily, MetricType};

use super::{Facts, count, counter, family, gauge, seconds};

/// Accounts of one credential's id in several mailboxes are told by the worst of them.
pub(super) fn credentials(facts: &Facts<'_>) -> MetricFamily {
    let mut states: BTreeMap<&str, AccountState> = BTreeMap::new();
    for account in facts.accounts {
        let worst = states.entry(&account.credential).or_insert(account.state);
        *worst = (*worst).max(account.state);
    }
    let samples = states.into_iter().flat_map(|(id, state)| {
        AccountState::ALL.map(|known| {
            let pairs = [("credential", id), ("state", known.label())];
            gauge(&pairs, f64::from(u8::from(known == state)))
        })
    });
    family(
        "mailward_credential_state",
        "1 for the state an account is in that agents sign in with: good, untried, refused or held.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn records(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.tallies.iter().map(|tally| {
        let pairs = [("agent", tally.agent.as_str()), ("kind", tally.kind)];
        counter(&pairs, tally.counted.accepted)
    });
    family(
        "mailward_evidence_records_total",
        "Evidence records accepted, by agent (empty for imports) and kind.",
        MetricType::COUNTER,
        samples.collect(),
    )
}

pub(super) fn last_seen(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts
        .agents
        .iter()
        .map(|seen| gauge(&[("agent", seen.agent.as_str())], seconds(seen.last_seen_ms)));
    family(
        "mailward_agent_last_seen_timestamp_seconds",
        "When the agent last delivered, in seconds since the epoch.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn skew(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.agents.iter().filter_map(|seen| {
        seen.skew_ms.map(|skew| gauge(&[("agent", seen.agent.as_str())], seconds(skew)))
    });
    family(
        "mailward_agent_clock_skew_seconds",
        "How far the agent's clock is ahead of the reporter's; negative when behind.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn deliveries(facts: &Facts<'_>) -> MetricFamily {
    let ended = facts.noted.ended.iter();
    family(
        "mailward_ingest_deliveries_total",
        "Deliveries of evidence, by how they ended, since the reporter started.",
        MetricType::COUNTER,
        ended.map(|(result, n)| counter(&[("result", result)], *n)).collect(),
    )
}

/// What agents told of their outboxes with their last delivery.
pub(super) fn backlogs(facts: &Facts<'_>) -> [MetricFamily; 4] {
    let known = |agent: &AgentName| facts.agents.iter().any(|seen| seen.agent == *agent);
    let told: Vec<(&str, &Backlog)> = facts
        .noted
        .backlogs
        .iter()
        .filter(|(agent, _)| known(agent))
        .map(|(agent, backlog)| (agent.as_str(), backlog))
        .collect();
    let gauges = |value: fn(&Backlog) -> f64| {
        told.iter().map(|(agent, told)| gauge(&[("agent", agent)], value(told))).collect()
    };
    let counters = |value: fn(&Backlog) -> u64| {
        told.iter().map(|(agent, told)| counter(&[("agent", agent)], value(told))).collect()
    };
    [
        family(
            "mailward_agent_outbox_records",
            "Records that waited at the agent when it last delivered, those of the delivery among \
             them.",
            MetricType::GAUGE,
            gauges(|told| count(told.records)),
        ),
        family(
            "mailward_agent_outbox_oldest_seconds",
            "How long the oldest of them had waited.",
            MetricType::GAUGE,
            gauges(|told| count(told.oldest_ms) / 1000.0),
        ),
        family(
            "mailward_agent_outbox_dropped_records_total",
            "Records that the agent lost undelivered, by its limits or its disk, since it started.",
            MetricType::COUNTER,
            counters(|told| told.dropped),
        ),
        family(
            "mailward_agent_schedule_missed_total",
            "Scheduled runs that the agent did not make because their time had passed, since it \
             started.",
            MetricType::COUNTER,
            counters(|told| told.missed),
        ),
    ]
}
