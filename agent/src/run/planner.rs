//! One timer for all probes: takes the next due run off a heap, lets it run, and records what it
//! saw. It watches for steps of the wall clock and plans anew after one. The rules of what is
//! due are `schedule`'s; how a run is made is `runner`'s.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mailward_evidence::clock::Reading;
use mailward_evidence::{AgentName, Clock, Instant, Outcome, ProbeId, Reason, Record, Verdict};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::runner::{Runnable, Runner, Sight, write_down};
use super::wake::Wake;
use crate::metrics::{Metrics, ProbeMetrics};
use crate::outbox::keeper::OutboxHandle;
use crate::post::desk::Told;
use crate::schedule::{Course, Rhythm, Settling};
use crate::turn::Turn;

/// How often the clocks are compared.
const LOOK: Duration = Duration::from_secs(1);
/// A difference between wall and monotonic clock that grows by more than this is a step.
const STEP_MS: i64 = 500;
/// How far ahead crons are looked at; they are looked at once a minute.
const CRON_HORIZON_MS: i64 = 90_000;
/// How long a stopping agent waits for runs that are under way.
const LAST_RUNS: Duration = Duration::from_secs(2);

/// A probe as it is to run from now on.
pub(super) struct Planned {
    pub(super) probe: Arc<Runnable>,
    pub(super) rhythm: Rhythm,
    pub(super) retry_every_ms: i64,
    /// Whether it was on this rhythm before.
    pub(super) keeps_time: bool,
    pub(super) cron: bool,
    pub(super) component: String,
    pub(super) kind: &'static str,
}

/// What runs from now on, by a definition that was read again.
pub(super) struct Change {
    pub(super) planned: Vec<Planned>,
    /// Where mail is told of, if the agent had none to do with before.
    pub(super) told: Option<mpsc::Receiver<Told>>,
    /// To be answered when it is so.
    pub(super) taken: oneshot::Sender<()>,
}

/// A probe and where it is on its course.
pub(super) struct Watched {
    probe: Arc<Runnable>,
    course: Course,
    shown: ProbeMetrics,
    cron: bool,
    /// The run that is under way.
    running: Option<Turn>,
    /// It is not declared any more; its place is free once no run is under way.
    gone: bool,
    /// Whether its next run is on the heap.
    queued: bool,
    /// Whether the wall clock was put to another time while a run was under way.
    stepped: bool,
    last: Option<(Verdict, Option<Reason>)>,
    last_due: Option<Instant>,
}

impl Watched {
    /// A probe that starts now.
    pub(super) fn new(planned: Planned, metrics: &Metrics, now_ms: i64) -> Self {
        let Planned { probe, rhythm, retry_every_ms, cron, component, kind, .. } = planned;
        Self {
            course: Course::new(rhythm, retry_every_ms, now_ms),
            shown: metrics.of_probe(probe.id.as_str(), &component, kind),
            probe,
            cron,
            running: None,
            gone: false,
            queued: false,
            stepped: false,
            last: None,
            last_due: None,
        }
    }

    /// Goes on as it is declared now. A run that is under way ends as it began.
    fn take_over(&mut self, planned: Planned, metrics: &Metrics, now_ms: i64) {
        let Planned { probe, rhythm, retry_every_ms, keeps_time, cron, component, kind } = planned;
        if !keeps_time {
            self.course.take_over(rhythm, retry_every_ms, now_ms);
        }
        if !self.shown.is_of(&component, kind) {
            metrics.forget(&self.shown);
            self.shown = metrics.of_probe(probe.id.as_str(), &component, kind);
        }
        (self.probe, self.cron) = (probe, cron);
    }
}

type Ran = (usize, Turn, Option<Sight>);

/// Plans and records the runs of all probes.
pub(super) struct Planner {
    agent: AgentName,
    watched: Vec<Watched>,
    /// (due, index), earliest first.
    heap: BinaryHeap<Reverse<(i64, usize)>>,
    runs: JoinSet<Ran>,
    runner: Arc<Runner>,
    outbox: OutboxHandle,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// Wall minus monotonic time at the last look.
    offset_ms: i64,
    /// When the schedule was looked at last, on the monotonic clock.
    turned: watch::Sender<Option<Duration>>,
    /// What is told of mail later than its run, until nobody tells any more.
    told: Option<mpsc::Receiver<Told>>,
}

fn offset_ms(reading: Reading) -> i64 {
    let mono = i64::try_from(reading.mono.as_millis()).unwrap_or(i64::MAX);
    reading.wall.as_millisecond().saturating_sub(mono)
}

impl Planner {
    pub(super) fn new(
        agent: AgentName,
        planned: Vec<Planned>,
        runner: Arc<Runner>,
        outbox: OutboxHandle,
    ) -> Self {
        let (metrics, clock) = (Arc::clone(&runner.metrics), Arc::clone(&runner.clock));
        let offset_ms = offset_ms(clock.read());
        let now_ms = clock.now().as_millisecond();
        let watched: Vec<Watched> =
            planned.into_iter().map(|planned| Watched::new(planned, &metrics, now_ms)).collect();
        let heap = BinaryHeap::with_capacity(watched.len());
        let runs = JoinSet::new();
        let turned = watch::Sender::new(None);
        let told = None;
        Self { agent, watched, heap, runs, runner, outbox, metrics, clock, offset_ms, turned, told }
    }

    /// When the schedule was looked at last, on the monotonic clock; it is every second.
    pub(super) fn turned(&self) -> watch::Receiver<Option<Duration>> {
        self.turned.subscribe()
    }

    /// From now on, what is told of mail is recorded as well.
    pub(super) fn hear(&mut self, told: mpsc::Receiver<Told>) {
        self.told = Some(told);
    }

    /// Runs until `shutdown` says so; then waits a little for what is under way, and records the
    /// rest as unknown. What comes by `changes` holds at once.
    pub(super) async fn run(
        mut self,
        shutdown: &mut watch::Receiver<bool>,
        mut wake: Wake,
        mut changes: mpsc::Receiver<Change>,
    ) {
        self.queue_all();
        loop {
            let now_ms = self.look_at_clocks();
            self.start_due(now_ms);
            self.turned.send_replace(Some(self.clock.read().mono));
            let wait = self.wait(now_ms);
            tokio::select! {
                () = stopped(shutdown) => break,
                Some(ran) = self.runs.join_next(), if !self.runs.is_empty() => {
                    self.take(ran);
                    while let Some(ran) = self.runs.try_join_next() {
                        self.take(ran);
                    }
                }
                told = next_told(&mut self.told) => self.record_told(told),
                () = wake.called() => self.queue_all(),
                Some(change) = changes.recv() => {
                    let taken = self.take_over(change);
                    wake.ensure(self.watched.iter().any(|watched| watched.cron)).await;
                    // whoever waits for this may be gone
                    let _ = taken.send(());
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
        wake.stop().await;
        self.finish().await;
    }

    /// Runs what is declared now: what was declared before goes on where it is, what is new
    /// starts, and what is gone ends with the run that is under way.
    fn take_over(&mut self, change: Change) -> oneshot::Sender<()> {
        let now_ms = self.now_ms();
        let places: HashMap<ProbeId, usize> = self.present().collect();
        let mut stays = vec![false; self.watched.len()];
        let mut new = Vec::new();
        for planned in change.planned {
            match places.get(&planned.probe.id) {
                Some(index) => {
                    stays[*index] = true;
                    self.watched[*index].take_over(planned, &self.metrics, now_ms);
                }
                None => new.push(planned),
            }
        }
        for (watched, _) in self.watched.iter_mut().zip(stays).filter(|(_, stays)| !stays) {
            if !watched.gone {
                self.metrics.forget(&watched.shown);
            }
            watched.gone = true;
        }
        for planned in new {
            let watched = Watched::new(planned, &self.metrics, now_ms);
            match self.watched.iter_mut().find(|w| w.gone && w.running.is_none()) {
                Some(free) => *free = watched,
                None => self.watched.push(watched),
            }
        }
        if change.told.is_some() {
            self.told = change.told;
        }
        self.heap.clear();
        for watched in &mut self.watched {
            watched.queued = false;
        }
        self.queue_all();
        change.taken
    }

    /// The probes that are declared, each with its place.
    fn present(&self) -> impl Iterator<Item = (ProbeId, usize)> {
        let places = self.watched.iter().enumerate().filter(|(_, watched)| !watched.gone);
        places.map(|(index, watched)| (watched.probe.id.clone(), index))
    }

    fn position(&self, probe: &ProbeId) -> Option<usize> {
        self.watched.iter().position(|watched| !watched.gone && watched.probe.id == *probe)
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    fn wait(&self, now_ms: i64) -> Duration {
        let Some(Reverse((due_ms, _))) = self.heap.peek() else { return LOOK };
        let left = u64::try_from(due_ms - now_ms).unwrap_or(0);
        Duration::from_millis(left).min(LOOK)
    }

    /// Plans anew if the wall clock was put to another time.
    fn look_at_clocks(&mut self) -> i64 {
        let reading = self.clock.read();
        let now_ms = reading.wall.as_millisecond();
        let offset_ms = offset_ms(reading);
        let step_ms = offset_ms - self.offset_ms;
        self.offset_ms = offset_ms;
        if step_ms.abs() > STEP_MS {
            self.metrics.clock_steps.inc();
            tracing::warn!(step_ms, "the wall clock was put to another time; planning anew");
            self.heap.clear();
            for index in 0..self.watched.len() {
                let watched = &mut self.watched[index];
                watched.queued = false;
                // what is due from now on is news, also where its instant lies before the last
                watched.last_due = None;
                watched.stepped = watched.running.is_some();
                if !watched.stepped && !watched.gone {
                    let missed = watched.course.replan(now_ms);
                    self.tell_missed(index, missed);
                }
            }
            self.queue_all();
        }
        now_ms
    }

    fn queue_all(&mut self) {
        for index in 0..self.watched.len() {
            self.queue(index);
        }
    }

    /// Puts a probe's next run on the heap, unless it is there, runs, or is a cron's that is
    /// still far away.
    fn queue(&mut self, index: usize) {
        let horizon_ms = self.now_ms() + CRON_HORIZON_MS;
        let watched = &mut self.watched[index];
        let Some(turn) = watched.course.next() else { return };
        let far = watched.cron && turn.due_ms > horizon_ms;
        if watched.running.is_none() && !watched.queued && !watched.gone && !far {
            watched.queued = true;
            self.heap.push(Reverse((turn.due_ms, index)));
        }
    }

    fn start_due(&mut self, now_ms: i64) {
        while let Some(Reverse((due_ms, index))) = self.heap.peek().copied()
            && due_ms <= now_ms
        {
            self.heap.pop();
            let watched = &mut self.watched[index];
            watched.queued = false;
            let missed = watched.course.catch_up(now_ms);
            match watched.course.next() {
                Some(turn) if turn.due_ms <= now_ms => self.start(index, turn, now_ms),
                _ => self.queue(index),
            }
            self.tell_missed(index, missed);
        }
    }

    fn start(&mut self, index: usize, turn: Turn, now_ms: i64) {
        let watched = &mut self.watched[index];
        watched.running = Some(turn);
        let left_ms = watched.course.patience_ms(turn) - (now_ms - turn.due_ms);
        let patience = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        let (runner, probe) = (Arc::clone(&self.runner), Arc::clone(&watched.probe));
        self.runs.spawn(async move { (index, turn, runner.run(&probe, turn, patience).await) });
    }

    fn take(&mut self, ran: Result<Ran, tokio::task::JoinError>) {
        match ran {
            Ok((index, turn, sight)) => self.settle(index, turn, sight),
            // probes' own panics are caught where they run
            Err(error) => tracing::error!(%error, "a run ended without a result"),
        }
    }

    fn settle(&mut self, index: usize, turn: Turn, sight: Option<Sight>) {
        let now_ms = self.now_ms();
        let watched = &mut self.watched[index];
        watched.running = None;
        let missed = match sight {
            Some(sight) if sight.seen.is_under_way => {
                let settled = watched.course.settle(turn, sight.said, now_ms);
                if let Some(post) = self.runner.post.get() {
                    let (phases, facts) = sight.into_parts();
                    let run = (watched.probe.id.as_str(), turn.due_ms, turn.attempt);
                    post.desk.settle(run, settled.next_due_ms, phases, facts);
                    self.metrics.mail_under_way.set(count(post.desk.len()));
                }
                settled.missed
            }
            Some(sight) => {
                let settled = watched.course.settle(turn, sight.said, now_ms);
                if let Some(post) = self.runner.post.get() {
                    post.desk.abandon((watched.probe.id.as_str(), turn.due_ms, turn.attempt));
                }
                self.record(index, turn, settled.next_due_ms, |outcome| write_down(sight, outcome));
                settled.missed
            }
            None => watched.course.skip(turn, now_ms),
        };
        let watched = &mut self.watched[index];
        let missed = missed + watched.replan_if_stepped(now_ms);
        self.tell_missed(index, missed);
        self.queue(index);
    }

    fn record(
        &mut self,
        index: usize,
        turn: Turn,
        next_due_ms: u64,
        write: impl FnOnce(&mut Outcome),
    ) {
        let watched = &mut self.watched[index];
        let probe = watched.probe.id.clone();
        let Some(due) = Instant::from_ms(turn.due_ms) else { return };
        let mut outcome =
            Outcome::new(self.agent.clone(), probe, due, next_due_ms, Verdict::Unknown);
        outcome.attempt = turn.attempt;
        write(&mut outcome);
        self.keep(index, outcome);
    }

    fn keep(&mut self, index: usize, outcome: Outcome) {
        let watched = &mut self.watched[index];
        // what is told late of an older run says nothing of how things are now
        // nor does what was told of a probe that is gone
        if !watched.gone && watched.last_due.is_none_or(|last| last <= outcome.due) {
            watched.last_due = Some(outcome.due);
            self.metrics.observed(&mut watched.shown, &outcome);
            watched.tell_change(&outcome);
        }
        self.outbox.keep(&Record::Outcome(outcome));
    }

    /// Records what is told of a message after its run; `None` when nobody tells any more.
    fn record_told(&mut self, told: Option<Told>) {
        let Some(Told { outcome, kept }) = told else {
            self.told = None;
            return;
        };
        let post = self.runner.post.get();
        let route = post.and_then(|post| post.route(outcome.probe.as_str()));
        if let (Some(route), Some(delivery_s)) = (route, outcome.delivery_s) {
            self.metrics.mail_arrived(outcome.probe.as_str(), route.direction, delivery_s);
        }
        match self.position(&outcome.probe) {
            Some(index) => self.keep(index, outcome),
            // its probe is gone from the definition, and its evidence is not
            None => self.outbox.keep(&Record::Outcome(outcome)),
        }
        if let Some(post) = self.runner.post.get() {
            self.metrics.mail_under_way.set(count(post.desk.len()));
        }
        // whoever waits for this may be gone
        let _ = kept.send(());
    }

    fn tell_missed(&self, index: usize, missed: u32) {
        if missed > 0 {
            let probe = self.watched[index].probe.id.as_str();
            self.metrics.missed(probe, missed);
            tracing::warn!(probe, missed, "scheduled runs were missed; they are a gap in evidence");
        }
    }

    async fn finish(mut self) {
        let rest = async {
            while let Some(ran) = self.runs.join_next().await {
                self.take(ran);
            }
        };
        let _ = tokio::time::timeout(LAST_RUNS, rest).await;
        self.runs.abort_all();
        let now_ms = self.now_ms();
        for index in 0..self.watched.len() {
            let watched = &mut self.watched[index];
            if let Some(turn) = watched.running.take() {
                let settled = watched.course.settle(turn, Settling::Undecided, now_ms);
                // a message that may be under way is not forgotten: the next start goes on
                let run = (watched.probe.id.as_str(), turn.due_ms, turn.attempt);
                let post = self.runner.post.get();
                if post.is_some_and(|post| post.desk.settle_bare(run, settled.next_due_ms)) {
                    continue;
                }
                self.record(index, turn, settled.next_due_ms, |outcome| {
                    outcome.reason = Some(Reason::Shutdown);
                });
            }
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Waits for the word to stop. Whoever could give it may be gone: then it is time, too.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // the guard that comes back must not live across an await
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn next_told(told: &mut Option<mpsc::Receiver<Told>>) -> Option<Told> {
    match told {
        Some(told) => told.recv().await,
        None => std::future::pending().await,
    }
}

impl Watched {
    /// Plans anew after a run in which the wall clock was put to another time; how many scheduled
    /// runs were missed.
    fn replan_if_stepped(&mut self, now_ms: i64) -> u32 {
        if !std::mem::take(&mut self.stepped) {
            return 0;
        }
        self.last_due = None;
        self.course.replan(now_ms)
    }

    fn tell_change(&mut self, outcome: &Outcome) {
        let now = (outcome.verdict, outcome.reason.clone());
        if self.last.as_ref() == Some(&now) {
            return;
        }
        let reason = outcome.reason.as_ref().map_or("", Reason::as_str);
        let detail = outcome.facts.get("detail").map_or("", |detail| &**detail);
        if outcome.verdict == Verdict::Up {
            tracing::info!(probe = %outcome.probe, verdict = "up", "a probe changed");
        } else {
            let verdict = outcome.verdict.label();
            tracing::warn!(probe = %outcome.probe, verdict, reason, detail, "a probe changed");
        }
        self.last = Some(now);
    }
}
