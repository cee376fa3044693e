//! One run of one probe: a slot, a deadline, a verdict, and whether the agent was fit to give
//! it. When a run is due, and what becomes of what it saw, is left to others.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use mailward_evidence::record::{MAX_FACT_BYTES, Pairs};
use mailward_evidence::{Clock, Outcome, ProbeId, Reason, Stopwatch, Verdict};
use tokio::sync::Semaphore;

use crate::accounts::Purse;
use crate::devices::Devices;
use crate::health::{Fitness, Health, Span};
use crate::metrics::Metrics;
use crate::net::{Deadline, clean};
use crate::post::Post;
use crate::probe::{Context, Observe, Seen};
use crate::schedule::{LATE_MS, Settling};
use crate::turn::Turn;

/// How much later than its deadline a probe may return before it is cut off: it knows more
/// about why it was late than whoever cuts it off.
const GRACE: Duration = Duration::from_millis(250);

/// A probe, ready to run.
pub(crate) struct Runnable {
    pub(crate) id: ProbeId,
    pub(crate) observe: Box<dyn Observe>,
    /// The slots of its host.
    pub(crate) host: Arc<Semaphore>,
    pub(crate) timeout: Duration,
    pub(crate) slow: Option<Duration>,
}

/// What all runs share.
pub(crate) struct Runner {
    /// The slots of the agent.
    pub(crate) overall: Semaphore,
    pub(crate) purse: Arc<Purse>,
    /// Mail under way, once a probe sends any.
    pub(crate) post: OnceLock<Arc<Post>>,
    /// What the agent is to ActiveSync servers.
    pub(crate) devices: Devices,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) seen: Seen,
    pub(crate) said: Settling,
    pub(crate) took_ms: f64,
}

impl Runner {
    /// Runs a probe once. `None` if no slot was free in time.
    pub(crate) async fn run(
        &self,
        probe: &Runnable,
        turn: Turn,
        patience: Duration,
    ) -> Option<Sight> {
        // the host's slot first: who waits for a busy host must not hold one of the agent's
        let slots = async { (probe.host.acquire().await, self.overall.acquire().await) };
        let slots = tokio::time::timeout(patience, slots).await.ok()?;
        let started = self.clock.read();
        let late_ms = started.wall.as_millisecond() - turn.due_ms;
        #[allow(clippy::cast_precision_loss, reason = "a lag in milliseconds")]
        self.metrics.started(late_ms as f64 / 1000.0);

        let watch = Stopwatch::start();
        let (mut seen, waited) = self.observe(probe, turn).await;
        // the wait for an account is the agent's own affair
        let took = watch.elapsed().saturating_sub(waited);
        drop(slots);

        let is_over = !seen.is_under_way;
        if is_over && seen.verdict == Verdict::Up && probe.slow.is_some_and(|slow| took > slow) {
            (seen.verdict, seen.reason) = (Verdict::Degraded, Some(Reason::Slow));
        }
        let run = Span { from: started.mono, to: self.clock.read().mono, timeout: probe.timeout };
        let mut said = match seen.verdict {
            Verdict::Up | Verdict::Degraded => Settling::Good,
            Verdict::Down => Settling::Failed,
            Verdict::Unknown => Settling::Undecided,
        };
        if let Some(reason) = self.unfit(&seen, run).await {
            let overruled = seen.reason.as_ref().map_or("", Reason::as_str);
            seen.facts.set("overruled", format!("{}: {overruled}", seen.verdict).into());
            said = if seen.verdict == Verdict::Down { said } else { Settling::Undecided };
            (seen.verdict, seen.reason) = (Verdict::Unknown, Some(reason));
        }
        if late_ms >= LATE_MS {
            seen.facts.set("late_ms", late_ms.to_string().into());
        }
        Some(Sight { seen, said, took_ms: took.as_secs_f64() * 1000.0 })
    }

    /// What the probe saw, and how long it waited for accounts.
    async fn observe(&self, probe: &Runnable, turn: Turn) -> (Seen, Duration) {
        let accounts = self.purse.for_run();
        let deadline = Deadline::after(probe.timeout);
        let cx = Context {
            deadline,
            accounts: &accounts,
            turn,
            post: self.post.get().map(|post| &**post),
            devices: &self.devices,
        };
        // a fault in one probe must not end the others
        let observed = AssertUnwindSafe(async { probe.observe.observe(&cx).await }).catch_unwind();
        let seen = match tokio::time::timeout(probe.timeout + GRACE, observed).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) => {
                tracing::error!(probe = %probe.id, "the probe panicked; this is a bug in Mailward");
                Seen::unknown(Reason::ProbeFault)
            }
            Err(_) => Seen::down(Reason::Timeout),
        };
        (seen, accounts.waited())
    }

    /// Why what was seen cannot be believed, if it cannot. Only bad news is doubted.
    async fn unfit(&self, seen: &Seen, run: Span) -> Option<Reason> {
        match (seen.verdict, &seen.reason) {
            (Verdict::Down, _) => match self.health.judge(run).await {
                Fitness::Fit => None,
                Fitness::Isolated => Some(Reason::Isolated),
                Fitness::Starved => Some(Reason::Starved),
            },
            (Verdict::Degraded, Some(Reason::Slow)) if self.health.starved(run) => {
                Some(Reason::Starved)
            }
            _ => None,
        }
    }
}

impl Sight {
    /// Phases, and facts cut to what evidence may hold, for an outcome that is told later.
    pub(crate) fn into_parts(self) -> (Pairs<f64>, Pairs<Box<str>>) {
        let mut phases = Pairs::default();
        for (phase, ms) in self.seen.phases.iter() {
            phases.set(phase, tenths(*ms));
        }
        (phases, fitting(self.seen.facts))
    }
}

/// Facts that evidence may hold.
fn fitting(facts: Pairs<Box<str>>) -> Pairs<Box<str>> {
    if facts.iter().all(|(_, fact)| fact.len() <= MAX_FACT_BYTES) {
        return facts;
    }
    let mut cut = Pairs::default();
    for (name, fact) in facts.iter() {
        cut.set(name, clean(fact, MAX_FACT_BYTES));
    }
    cut
}

/// Writes what was seen into an outcome. Times are kept to a tenth of a millisecond.
pub(crate) fn write_down(sight: Sight, outcome: &mut Outcome) {
    let Sight { seen, took_ms, .. } = sight;
    outcome.verdict = seen.verdict;
    outcome.reason = seen.reason;
    outcome.took_ms = Some(tenths(took_ms));
    for (phase, ms) in seen.phases.iter() {
        outcome.phases.set(phase, tenths(*ms));
    }
    outcome.facts = fitting(seen.facts);
    outcome.exhibit = seen.exhibit.filter(|_| outcome.verdict != Verdict::Up);
    outcome.listings = seen.listings;
}

fn tenths(ms: f64) -> f64 {
    if ms.is_finite() && ms > 0.0 { (ms * 10.0).round() / 10.0 } else { 0.0 }
}
