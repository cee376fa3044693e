//! The desk where messages under way are kept: it takes note of hand-overs, arrivals and looks,
//! waits for what is due, and tells outcomes. What each means is `flight`'s; keeping is
//! `ledger`'s; sending and finding are others'.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailward_evidence::clock::Reading;
use mailward_evidence::record::{MAX_FACT_BYTES, Pairs};
use mailward_evidence::{
    AgentName, Clock, Instant, Outcome, ProbeId, Reason, Record, Verdict, wire,
};
use tokio::sync::{Notify, mpsc, oneshot};

use super::flight::{Arrived, Flight, How, Sight, Stage, Telling};
use super::ledger::{Ledger, LedgerError};
use super::token::Token;
use crate::health::{Fitness, Health, Span};
use crate::net::clean;
use crate::outbox::keeper::OutboxHandle;

/// The most messages under way; beyond, none is sent.
pub const MAX_UNDER_WAY: usize = 20_000;
/// How long a mailbox may take to be looked at once a message is due there.
const LOOK_MS: i64 = 15_000;
/// The longest wait, so that a step of the clock is noticed.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// An outcome that is to be recorded; `kept` is answered once it is in the outbox.
#[derive(Debug)]
pub struct Told {
    /// The outcome.
    pub outcome: Outcome,
    /// To be answered when it is recorded.
    pub kept: oneshot::Sender<()>,
}

/// Why no message is sent.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// There are too many.
    #[error("expected at most {MAX_UNDER_WAY} messages under way")]
    TooMany,
    /// It could not be written down.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// When something arrived: by the wall clock, and by the monotonic one if we saw it ourselves.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
    /// The monotonic clock of this process.
    pub mono: Option<Duration>,
}

impl From<Reading> for Moment {
    fn from(reading: Reading) -> Self {
        Self { wall_ms: reading.wall.as_millisecond(), mono: Some(reading.mono) }
    }
}

/// What is known of a place where mail arrives.
#[derive(Clone, Debug)]
enum Place {
    /// It takes mail by itself since then.
    Open { since_ms: i64 },
    /// It has to be looked at: when that last went well, and what went wrong since.
    Looked { last_ms: i64, fault: Option<(Reason, String)> },
}

#[derive(Debug)]
struct Entry {
    flight: Flight,
    handed_mono: Option<Duration>,
    /// It arrived, and more is being found out about it before that is told.
    held: bool,
}

#[derive(Debug, Default)]
struct State {
    flights: HashMap<String, Entry>,
    places: HashMap<String, Place>,
}

/// The desk.
#[derive(Debug)]
pub struct Desk {
    agent: AgentName,
    state: Mutex<State>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    /// Something may have to be told.
    stirred: Notify,
    /// Something new is under way, or somebody should look.
    wanted: tokio::sync::watch::Sender<u64>,
}

impl Desk {
    /// A desk with what was under way when the agent stopped.
    #[must_use]
    pub fn new(
        agent: AgentName,
        ledger: Ledger,
        restored: Vec<Flight>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let flights = restored.into_iter().map(|mut flight| {
            // the run that sent it ended with the process
            flight.settled = true;
            (flight.token.clone(), Entry { flight, handed_mono: None, held: false })
        });
        let state = State { flights: flights.collect(), places: HashMap::new() };
        Self {
            agent,
            state: Mutex::new(state),
            ledger,
            clock,
            stirred: Notify::new(),
            wanted: tokio::sync::watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Takes note of a message before it is handed over; on disk when this returns.
    ///
    /// # Errors
    /// When there are too many, or the disk refuses: then it must not be sent.
    pub async fn begin(&self, flight: Flight) -> Result<(), BeginError> {
        let token = flight.token.clone();
        {
            let mut state = self.state();
            if state.flights.len() >= MAX_UNDER_WAY {
                return Err(BeginError::TooMany);
            }
            self.ledger.enter(&flight);
            state.flights.insert(token.clone(), Entry { flight, handed_mono: None, held: false });
        }
        self.wanted.send_modify(|count| *count += 1);
        if let Err(error) = self.ledger.sync().await {
            self.forget(&token);
            return Err(error.into());
        }
        Ok(())
    }

    /// The server said at `at` that it has the message.
    pub async fn handed(&self, token: &Token, at: Reading, greylisted: bool) {
        self.change(token.as_str(), |entry| {
            entry.flight.handed_ms = Some(at.wall.as_millisecond());
            entry.flight.greylisted = greylisted;
            entry.handed_mono = Some(at.mono);
        });
        self.keep().await;
    }

    /// The message was not handed over.
    pub fn forget(&self, token: &str) {
        self.state().flights.remove(token);
        self.ledger.close(token);
    }

    /// The run that sent a message is settled: what follows it, and what it saw, are known.
    pub fn settle(
        &self,
        run: (&str, i64, u32),
        next_due_ms: u64,
        phases: Pairs<f64>,
        facts: Pairs<Box<str>>,
    ) {
        {
            let mut state = self.state();
            let found = state.flights.values_mut().find(|entry| is_of(entry, run));
            let Some(entry) = found else { return };
            let flight = &mut entry.flight;
            (flight.settled, flight.next_due_ms) = (true, next_due_ms);
            (flight.phases, flight.facts) = (phases, facts);
            self.ledger.enter(flight);
        }
        self.stirred.notify_one();
    }

    /// The same for a run that was cut short; whether it had begun a message.
    pub fn settle_bare(&self, run: (&str, i64, u32), next_due_ms: u64) -> bool {
        let mut state = self.state();
        let Some(entry) = state.flights.values_mut().find(|entry| is_of(entry, run)) else {
            return false;
        };
        (entry.flight.settled, entry.flight.next_due_ms) = (true, next_due_ms);
        self.ledger.enter(&entry.flight);
        true
    }

    /// The run came to an end of its own: a message that it began was not handed over.
    pub fn abandon(&self, run: (&str, i64, u32)) {
        let mut state = self.state();
        state.flights.retain(|token, entry| {
            let stays = !is_of(entry, run);
            if !stays {
                self.ledger.close(token);
            }
            stays
        });
    }

    /// A message arrived, or came back. Whether it was awaited. With `hold` it is told only after
    /// [`Desk::release`].
    pub fn arrive(
        &self,
        token: &Token,
        at: Moment,
        how: How,
        facts: Pairs<Box<str>>,
        hold: bool,
    ) -> bool {
        let mut awaited = false;
        self.change(token.as_str(), |entry| {
            let flight = &mut entry.flight;
            awaited = flight.is_awaited();
            if !awaited {
                return;
            }
            // one clock for both ends where it can be; it does not step
            let by_mono = entry.handed_mono.zip(at.mono).map(|(from, to)| {
                i64::try_from(to.saturating_sub(from).as_millis()).unwrap_or(i64::MAX)
            });
            let delivery_ms = by_mono.unwrap_or(at.wall_ms - flight.start_ms());
            flight.arrival = Some(Arrived { delivery_ms, how, facts });
            entry.held = hold;
        });
        if awaited && !hold {
            self.stirred.notify_one();
        }
        awaited
    }

    /// Adds what was found out about a message that arrived, and lets it be told.
    pub fn release(&self, token: &Token, facts: &Pairs<Box<str>>) {
        self.change(token.as_str(), |entry| {
            entry.held = false;
            if let Some(arrived) = &mut entry.flight.arrival {
                for (name, fact) in facts.iter() {
                    arrived.facts.set(name, fact.clone());
                }
            }
        });
        self.stirred.notify_one();
    }

    /// Waits until what was taken note of so far is on disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn on_disk(&self) -> Result<(), LedgerError> {
        self.ledger.sync().await
    }

    fn change(&self, token: &str, change: impl FnOnce(&mut Entry)) {
        let mut state = self.state();
        if let Some(entry) = state.flights.get_mut(token) {
            change(entry);
            self.ledger.enter(&entry.flight);
        }
    }

    async fn keep(&self) {
        if let Err(error) = self.ledger.sync().await {
            let error = crate::outbox::keeper::chain(&error);
            tracing::error!(error, "what is known of messages under way cannot be kept");
        }
    }

    /// The hand-over and where it can be found, for whoever finds a message: when it was sent
    /// (wall clock), and by which probe.
    #[must_use]
    pub fn of(&self, token: &Token) -> Option<(i64, String)> {
        let state = self.state();
        let flight = &state.flights.get(token.as_str())?.flight;
        Some((flight.start_ms(), flight.probe.clone()))
    }

    /// The messages awaited at a place: when the first and the last of them were sent.
    #[must_use]
    pub fn awaited_at(&self, place: &str) -> Option<(i64, i64)> {
        let state = self.state();
        let sent = state.flights.values().filter_map(|entry| {
            let flight = &entry.flight;
            let here = flight.is_awaited() && flight.routes.iter().any(|route| route == place);
            here.then_some(flight.start_ms())
        });
        sent.fold(None, |range: Option<(i64, i64)>, at| {
            Some(range.map_or((at, at), |(from, to)| (from.min(at), to.max(at))))
        })
    }

    /// Changes when a place should be looked at.
    #[must_use]
    pub fn wanted(&self) -> tokio::sync::watch::Receiver<u64> {
        self.wanted.subscribe()
    }

    /// How many are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().flights.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From now on the place takes mail by itself.
    pub fn opened(&self, place: &str) {
        let since_ms = self.now_ms();
        self.state().places.insert(place.to_owned(), Place::Open { since_ms });
    }

    /// The place was looked at, all of it, beginning at `began_ms`.
    pub fn looked(&self, place: &str, began_ms: i64) {
        let looked = Place::Looked { last_ms: began_ms, fault: None };
        self.state().places.insert(place.to_owned(), looked);
        self.stirred.notify_one();
    }

    /// The place cannot be looked at.
    pub fn blind(&self, place: &str, reason: Reason, detail: &str) {
        let mut state = self.state();
        let last_ms = match state.places.get(place) {
            Some(Place::Looked { last_ms, .. }) => *last_ms,
            _ => i64::MIN,
        };
        let fault = Some((reason, detail.to_owned()));
        state.places.insert(place.to_owned(), Place::Looked { last_ms, fault });
        drop(state);
        self.stirred.notify_one();
    }

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

/// Whether the run sent this message, and is not settled.
fn is_of(entry: &Entry, run: (&str, i64, u32)) -> bool {
    let flight = &entry.flight;
    !flight.settled && (flight.probe.as_str(), flight.due_ms, flight.attempt) == run
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

#[cfg(test)]
mod tests;
