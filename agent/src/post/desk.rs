//! The desk where messages under way are kept: it takes note of hand-overs, arrivals and looks.
//! What it tells of them, and when, is `tell`'s. What each means is `flight`'s; keeping is
//! `ledger`'s; sending and finding are others'.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailward_evidence::clock::Reading;
use mailward_evidence::record::Pairs;
use mailward_evidence::{AgentName, Clock, Outcome, Reason};
use tokio::sync::{Notify, oneshot};

use super::flight::{Arrived, Flight, How, Stage};
use super::ledger::{Ledger, LedgerError};
use super::token::Token;

mod tell;

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
            let error = crate::causes::causes(&error);
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

    /// Whether a place is needed: a message is awaited there, or what arrived is still looked into.
    #[must_use]
    pub fn needs(&self, place: &str) -> bool {
        self.state().flights.values().any(|entry| {
            let flight = &entry.flight;
            let here = flight.routes.iter().any(|route| route == place);
            here && (flight.is_awaited() || entry.held)
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
}

/// Whether the run sent this message, and is not settled.
fn is_of(entry: &Entry, run: (&str, i64, u32)) -> bool {
    let flight = &entry.flight;
    !flight.settled && (flight.probe.as_str(), flight.due_ms, flight.attempt) == run
}

#[cfg(test)]
mod tests;
