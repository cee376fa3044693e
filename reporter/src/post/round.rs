//! One round through the queue: who is due, one connection, a message each, and what became of
//! it. Each step is noted before the next is taken.

use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use lettre::Address;
use mailward_catalogue::{Distribution, Relay};
use mailward_evidence::Clock;

use super::PostError;
use super::letter::{self, From};
use super::relay::{Handed, Limits, PutOff, Session};
use crate::clock::duration_ms;
use crate::outward::resolver;
use crate::store::{Addressee, LetterState, NewLetter, Store, StoreError};

/// The most recipients of one round.
const MAX_ROUND: u32 = 200;
/// How long until a letter is tried again: doubled each time, from a minute to an hour.
const FIRST_WAIT_MS: i64 = 60_000;
const LONGEST_WAIT_MS: i64 = 3_600_000;
/// The same where the account was refused: many tries would lock it.
const FIRST_WAIT_ACCOUNT_MS: i64 = 3_600_000;
const LONGEST_WAIT_ACCOUNT_MS: i64 = 86_400_000;
/// How long between two tries to note that a letter is at the dot.
const NOTE_AGAIN: Duration = Duration::from_millis(500);

/// Which letters a sender sends, from whom and through whom.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The way that the letters take; empty for published reports.
    pub via: String,
    /// Who they are from: the envelope's sender, and the header's.
    pub from: String,
    /// The relay.
    pub relay: Relay,
    /// How long one that is put off is tried again.
    pub give_up_after: Duration,
    /// How often the queue is looked at.
    pub look_every: Duration,
    /// Whether a letter is sent again, under the same id, of which nobody knows whether it
    /// arrived: twice is better than never.
    pub rather_twice: bool,
}

impl Outgoing {
    /// Published reports: those of which nobody knows are not sent again by themselves.
    #[must_use]
    pub fn reports(distribution: &Distribution) -> Self {
        Self {
            via: String::new(),
            from: distribution.from.clone(),
            relay: distribution.relay.clone(),
            give_up_after: distribution.give_up_after,
            look_every: Duration::from_secs(15),
            rather_twice: false,
        }
    }
}

/// Sends what stands in the queue.
pub struct Sender {
    store: Store,
    outgoing: Outgoing,
    service: String,
    clock: Arc<dyn Clock>,
    resolver: TokioResolver,
    limits: Limits,
}

impl Sender {
    /// A sender of one service's letters.
    ///
    /// # Errors
    /// When the system's resolver cannot be set up.
    pub fn new(
        store: Store,
        outgoing: Outgoing,
        service: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PostError> {
        let resolver =
            resolver().map_err(|error| PostError::Setup(format!("the resolver: {error}")))?;
        let limits = Limits::default();
        let service = service.to_owned();
        Ok(Self { store, outgoing, service, clock, resolver, limits })
    }

    /// The same with other limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Settles what a program that ended was at: what the relay cannot have taken waits again;
    /// of what was at the dot nobody knows.
    ///
    /// # Errors
    /// When the queue cannot be read or written.
    pub fn recover(&self) -> Result<(), StoreError> {
        let now_ms = self.now_ms();
        for at in self.store.addressees(&self.outgoing.via)? {
            let (state, said) = match at.state {
                LetterState::Begun => (LetterState::Waiting, "broken off before the final dot"),
                LetterState::AtTheDot if self.outgoing.rather_twice => {
                    (LetterState::Waiting, "broken off at the final dot")
                }
                LetterState::AtTheDot => (LetterState::Uncertain, "broken off at the final dot"),
                _ => continue,
            };
            let from = at.state;
            let said = Some(said.to_owned());
            self.settle(from, Addressee { state, said, next_ms: now_ms, ..at })?;
        }
        Ok(())
    }

    /// Sends what is due; gives how many the relay took.
    ///
    /// # Errors
    /// When the queue cannot be read or written; what the relay does is noted in it.
    pub async fn round(&self) -> Result<usize, PostError> {
        let now_ms = self.now_ms();
        let mut due = Vec::new();
        for at in self.store.addressees_due(&self.outgoing.via, now_ms, MAX_ROUND)? {
            let age_ms = now_ms.saturating_sub(at.made_ms);
            if at.attempts > 0 && age_ms > duration_ms(self.outgoing.give_up_after) {
                self.settle(at.state, Addressee { state: LetterState::GivenUp, ..at })?;
            } else {
                due.push(at);
            }
        }
        if due.is_empty() {
            return Ok(0);
        }
        let (relay, from) = (&self.outgoing.relay, &self.outgoing.from);
        let session = Session::open(relay, from, self.limits, &self.resolver).await;
        let mut session = match session {
            Ok(session) => session,
            Err(why) => {
                let said = &why.said;
                tracing::warn!(said, letters = due.len(), "the relay takes no letters now");
                due.into_iter().try_for_each(|at| self.put_off(at, &why))?;
                return Ok(0);
            }
        };
        let mut taken = 0;
        for at in due {
            if session.broken {
                // the rest waits for the next round, at once
                break;
            }
            taken += usize::from(self.send(&mut session, at).await?);
        }
        session.close().await;
        Ok(taken)
    }

    async fn send(&self, session: &mut Session, waiting: Addressee) -> Result<bool, PostError> {
        let parsed = (self.outgoing.from.parse::<Address>(), waiting.address.parse::<Address>());
        let (message, from, to) = match (self.message(&waiting)?, parsed) {
            (Ok(message), (Ok(from), Ok(to))) => (message, from, to),
            (message, _) => {
                let why = message.err().unwrap_or_else(|| "no mail address".to_owned());
                let state = LetterState::Bounced;
                let bounced = Addressee { state, said: Some(why), ..waiting };
                self.settle(LetterState::Waiting, bounced)?;
                return Ok(false);
            }
        };
        let attempts = waiting.attempts.saturating_add(1);
        let begun = Addressee { state: LetterState::Begun, attempts, ..waiting };
        if !self.settle(LetterState::Waiting, begun.clone())? {
            return Ok(false);
        }
        let at_the_dot = Addressee { state: LetterState::AtTheDot, ..begun.clone() };
        let mut reached = false;
        let mut before_dot = || {
            self.note_for_good(LetterState::Begun, &at_the_dot);
            reached = true;
        };
        let handed = session.hand_over((&from, &to), &message, &mut before_dot).await;
        let was = if reached { LetterState::AtTheDot } else { LetterState::Begun };
        Ok(self.ended(was, begun, handed))
    }

    /// Notes how handing over ended.
    fn ended(&self, was: LetterState, at: Addressee, handed: Handed) -> bool {
        let (about, address) = (at.about.clone(), at.address.clone());
        let end = |state, said: String| Addressee { state, said: Some(said), ..at.clone() };
        match handed {
            Handed::Taken(said) => {
                tracing::info!(about, address, said, "the relay took a letter");
                self.note_for_good(was, &self.now(end(LetterState::Sent, said)));
                return true;
            }
            Handed::Refused(said) => {
                tracing::warn!(about, address, said, "the relay refuses a letter for good");
                self.note_for_good(was, &self.now(end(LetterState::Bounced, said)));
            }
            Handed::Unknown(said) if !self.outgoing.rather_twice => {
                tracing::warn!(
                    about,
                    address,
                    said,
                    "nobody knows whether a letter arrived; it is not sent again unless \
                     `mailward distribution again` says so"
                );
                self.note_for_good(was, &self.now(end(LetterState::Uncertain, said)));
            }
            Handed::PutOff(said) | Handed::Unknown(said) => {
                let wait_ms = wait_ms(at.attempts, false);
                tracing::warn!(about, address, said, wait_s = wait_ms / 1000, "put off");
                let next_ms = self.now_ms().saturating_add(wait_ms);
                let waiting = Addressee { next_ms, ..end(LetterState::Waiting, said) };
                self.note_for_good(was, &self.now(waiting));
            }
        }
        false
    }

    fn put_off(&self, at: Addressee, why: &PutOff) -> Result<(), PostError> {
        let attempts = at.attempts.saturating_add(1);
        let next_ms = self.now_ms().saturating_add(wait_ms(attempts, why.account));
        let said = Some(why.said.clone());
        self.settle(LetterState::Waiting, Addressee { attempts, next_ms, said, ..at })?;
        Ok(())
    }

    /// The message to a recipient, or why there is none.
    fn message(&self, to: &Addressee) -> Result<Result<Vec<u8>, String>, PostError> {
        let Some(letter) = self.store.letter(to.letter)? else {
            return Ok(Err("the letter is gone".to_owned()));
        };
        let pdf = self.pdf(&letter)?;
        let from = From { name: &self.service, address: &self.outgoing.from };
        let written = letter::message(&letter, (&to.address, &to.message_id), &from, pdf);
        Ok(written.map_err(|error| error.to_string()))
    }

    fn pdf(&self, letter: &NewLetter) -> Result<Option<(String, Vec<u8>)>, PostError> {
        let Some((month, edition)) = &letter.edition else { return Ok(None) };
        let kept = self.store.edition(month, Some(*edition))?;
        Ok(kept.map(|kept| (format!("performance-{month}.pdf"), kept.pdf)))
    }

    fn settle(&self, from: LetterState, to: Addressee) -> Result<bool, StoreError> {
        self.store.move_addressee(from, &self.now(to))
    }

    fn now(&self, at: Addressee) -> Addressee {
        Addressee { changed_ms: self.now_ms(), ..at }
    }

    /// Notes a step without which the next must not be taken: while the disk is full, it waits.
    /// The relay gives up before it does, and then nothing was sent.
    fn note_for_good(&self, from: LetterState, to: &Addressee) {
        let mut said = false;
        while let Err(error) = self.store.move_addressee(from, to) {
            if !said {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "a letter waits until the store can be written");
                said = true;
            }
            std::thread::sleep(NOTE_AGAIN);
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// See [`super::hand_over_now`].
pub(super) async fn hand_over_now(
    outgoing: &Outgoing,
    service: &str,
    letter: &NewLetter,
) -> Result<Vec<(String, Result<String, String>)>, PostError> {
    let resolver = resolver().map_err(PostError::Setup)?;
    let (relay, from) = (&outgoing.relay, &outgoing.from);
    let mut answers = Vec::new();
    for (address, message_id) in &letter.to {
        let opened = Session::open(relay, from, Limits::default(), &resolver).await;
        let answer = match opened {
            Err(why) => Err(why.said),
            Ok(mut session) => {
                let heads = From { name: service, address: from };
                let message = letter::message(letter, (address, message_id), &heads, None);
                let parsed = (from.parse::<Address>(), address.parse::<Address>());
                let answer = match (message, parsed) {
                    (Ok(message), (Ok(from), Ok(to))) => {
                        match session.hand_over((&from, &to), &message, &mut || {}).await {
                            Handed::Taken(said) => Ok(said),
                            Handed::Refused(said)
                            | Handed::PutOff(said)
                            | Handed::Unknown(said) => Err(said),
                        }
                    }
                    (Err(error), _) => Err(error.to_string()),
                    (Ok(_), _) => Err("no mail address".to_owned()),
                };
                session.close().await;
                answer
            }
        };
        answers.push((address.clone(), answer));
    }
    Ok(answers)
}

/// How long to wait after this many tries.
fn wait_ms(attempts: u32, account: bool) -> i64 {
    let (first_ms, longest_ms) = match account {
        true => (FIRST_WAIT_ACCOUNT_MS, LONGEST_WAIT_ACCOUNT_MS),
        false => (FIRST_WAIT_MS, LONGEST_WAIT_MS),
    };
    super::wait_ms(attempts, first_ms, longest_ms)
}
