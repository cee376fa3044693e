//! What the desk tells, and when: waits for what is due, asks for a look where one is needed, and
//! makes outcomes of it. What is due is `flight`'s; who records outcomes is not known here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mailward_evidence::record::MAX_FACT_BYTES;
use mailward_evidence::{AgentName, Instant, Outcome, ProbeId, Reason, Record, Verdict, wire};
use tokio::sync::{mpsc, oneshot};

use super::{Desk, Flight, LOOK_MS, MAX_WAIT, Place, Stage, State, Told};
use crate::health::{Fitness, Health, Span};
use crate::net::clean;
use crate::outbox::keeper::OutboxHandle;
use crate::post::flight::{Sight, Telling};

impl Desk {
    /// Tells what is to be told until `tell` is closed. What was told before a restart is told
    /// again: an equal record changes nothing.
    ///
    /// `health` is asked before something is said of what a sink should have had; `outbox` is
    /// flushed before the ledger lets go of a message.
    pub async fn run(
        &self,
        tell: mpsc::Sender<Told>,
        outbox: Option<OutboxHandle>,
        health: Option<Arc<Health>>,
    ) {
        let again: Vec<(String, String)> = {
            let state = self.state();
            let told = state
                .flights
                .values()
                .filter_map(|entry| Some((entry.flight.token.clone(), entry.flight.told.clone()?)));
            told.collect()
        };
        for (token, line) in again {
            if let Ok(Record::Outcome(outcome)) = wire::decode_line(line.as_bytes()) {
                if !self.hand_in(&tell, outcome).await {
                    return;
                }
            } else {
                tracing::warn!(token, "what was told of a message cannot be read again");
            }
        }
        loop {
            let isolated = match &health {
                Some(health) if self.misses_at_a_sink() => self.is_isolated(health).await,
                _ => false,
            };
            let (outcomes, wait) = self.collect(isolated);
            if !outcomes.is_empty() {
                self.keep().await;
                for outcome in outcomes {
                    if !self.hand_in(&tell, outcome).await {
                        return;
                    }
                }
            }
            // what is told for good leaves the ledger once the outbox has it
            if self.has_over() {
                let is_kept = match &outbox {
                    Some(outbox) => outbox.flush().await.is_ok(),
                    None => true,
                };
                if is_kept {
                    self.clear();
                }
            }
            tokio::select! {
                () = self.stirred.notified() => {}
                () = tokio::time::sleep(wait) => {}
                () = tell.closed() => return,
            }
        }
    }

    /// Whether something bad is about to be said of a message that a sink should have had.
    fn misses_at_a_sink(&self) -> bool {
        let now_ms = self.now_ms();
        let state = self.state();
        state.flights.values().filter(|entry| !entry.held).any(|entry| {
            let flight = &entry.flight;
            let is_due = flight.next_ms().is_some_and(|at| at <= now_ms);
            let place = flight.routes.first().and_then(|route| state.places.get(route));
            let bad =
                flight.arrival.is_none() && matches!(flight.stage, Stage::UnderWay | Stage::Late);
            is_due && bad && matches!(place, Some(Place::Open { .. }))
        })
    }

    async fn is_isolated(&self, health: &Health) -> bool {
        let now = self.clock.read().mono;
        let run = Span { from: now, to: now, timeout: MAX_WAIT };
        health.judge(run).await == Fitness::Isolated
    }

    async fn hand_in(&self, tell: &mpsc::Sender<Told>, outcome: Outcome) -> bool {
        let (kept, answer) = oneshot::channel();
        tell.send(Told { outcome, kept }).await.is_ok() && answer.await.is_ok()
    }

    fn has_over(&self) -> bool {
        self.state().flights.values().any(|entry| entry.flight.stage == Stage::Over)
    }

    fn clear(&self) {
        let mut state = self.state();
        state.flights.retain(|token, entry| {
            let stays = entry.flight.stage != Stage::Over;
            if !stays {
                self.ledger.close(token);
            }
            stays
        });
    }

    /// What is to be told now, and how long nothing more will be.
    fn collect(&self, isolated: bool) -> (Vec<Outcome>, Duration) {
        let now_ms = self.now_ms();
        let mut outcomes = Vec::new();
        let mut wait_ms = i64::try_from(MAX_WAIT.as_millis()).unwrap_or(i64::MAX);
        let mut look = false;
        let mut state = self.state();
        let State { flights, places } = &mut *state;
        for entry in flights.values_mut().filter(|entry| !entry.held) {
            let flight = &mut entry.flight;
            let Some(next_ms) = flight.next_ms() else { continue };
            if next_ms > now_ms {
                wait_ms = wait_ms.min(next_ms - now_ms);
                continue;
            }
            let sight = match sight(flight, places, now_ms, next_ms, isolated) {
                Some(sight) => sight,
                None => {
                    look = true;
                    wait_ms = wait_ms.min((next_ms + LOOK_MS - now_ms).max(1));
                    continue;
                }
            };
            let before = flight.stage;
            if let Some(telling) = flight.tell(now_ms, &sight) {
                let outcome = outcome_of(&self.agent, flight, telling);
                if let Some(outcome) = outcome {
                    let mut line = Vec::new();
                    wire::encode_line(&Record::Outcome(outcome.clone()), &mut line);
                    flight.told = String::from_utf8(line).ok().map(|l| l.trim_end().to_owned());
                    outcomes.push(outcome);
                }
            }
            if before != flight.stage {
                self.ledger.enter(flight);
                wait_ms = wait_ms.min(flight.next_ms().map_or(i64::MAX, |ms| (ms - now_ms).max(1)));
            }
        }
        drop(state);
        if look {
            self.wanted.send_modify(|count| *count += 1);
        }
        (outcomes, Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }
}

/// Whether somebody looked where the message should be; `None` while that may still be done.
fn sight(
    flight: &Flight,
    places: &HashMap<String, Place>,
    now_ms: i64,
    due_ms: i64,
    isolated: bool,
) -> Option<Sight> {
    if flight.arrival.is_some() || flight.stage == Stage::Lost {
        return Some(Sight::Clear);
    }
    let place = flight.routes.first().and_then(|route| places.get(route));
    match place {
        Some(Place::Open { .. }) if isolated => {
            let detail = "all references of the agent were out of reach";
            Some(Sight::Blind(Reason::Isolated, detail.to_owned()))
        }
        Some(Place::Open { since_ms }) => {
            let away = *since_ms > flight.start_ms();
            let lost = now_ms - flight.start_ms() >= flight.lost_after_ms;
            // who found our door shut comes back in its own time
            if away && lost && now_ms - since_ms < flight.lost_after_ms {
                let detail = "the agent was not there to take it for a part of the time";
                return Some(Sight::Blind(Reason::Shutdown, detail.to_owned()));
            }
            Some(Sight::Clear)
        }
        Some(Place::Looked { last_ms, .. }) if *last_ms >= due_ms => Some(Sight::Clear),
        _ if now_ms < due_ms + LOOK_MS => None,
        Some(Place::Looked { fault: Some((reason, detail)), .. }) => {
            Some(Sight::Blind(reason.clone(), detail.clone()))
        }
        _ => {
            let detail = "the mailbox was not looked at in time";
            Some(Sight::Blind(Reason::ProbeFault, detail.to_owned()))
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of at most days")]
fn outcome_of(agent: &AgentName, flight: &Flight, telling: Telling) -> Option<Outcome> {
    let probe = ProbeId::new(&flight.probe).ok()?;
    let due = Instant::from_ms(flight.due_ms)?;
    let mut outcome = Outcome::new(agent.clone(), probe, due, flight.next_due_ms, Verdict::Unknown);
    (outcome.attempt, outcome.revision) = (flight.attempt, telling.revision);
    (outcome.verdict, outcome.reason) = (telling.verdict, telling.reason);
    outcome.took_ms = Some(telling.took_ms as f64);
    outcome.delivery_s = telling.delivery_ms.map(|ms| ms as f64 / 1000.0);
    outcome.phases = flight.phases.clone();
    outcome.facts = flight.facts.clone();
    for (name, fact) in telling.facts.iter() {
        outcome.facts.set(name, clean(fact, MAX_FACT_BYTES));
    }
    Some(outcome)
}
