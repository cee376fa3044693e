//! Whether the agent itself is fit to judge: its own way to the network, and its own event loop.
//! It is asked before "down" is recorded; what an unfit agent then records is left to others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mailward_evidence::Clock;
use url::Url;

use crate::metrics::Metrics;
use crate::net::http::{Ask, Client, Phases};
use crate::net::{Deadline, Net, Trace};

/// How long a reference may take to answer.
const REFERENCE_TIMEOUT: Duration = Duration::from_secs(3);
/// The least time between two looks at the references.
const MIN_BETWEEN: Duration = Duration::from_secs(1);
/// How often the references are looked at when nothing is down.
const BACKGROUND: Duration = Duration::from_secs(30);
/// How often the event loop is measured.
const TICK: Duration = Duration::from_millis(250);
/// A stall shorter than this is not remembered.
const NOTABLE: Duration = Duration::from_millis(100);
/// A stall longer than this makes a run's judgement void, whatever its timeout.
const MAX_STALL: Duration = Duration::from_secs(1);
/// So does one longer than this share of the run's timeout.
const MAX_STALL_SHARE: u32 = 4;
/// The most stalls that are remembered.
const MAX_STALLS: usize = 1024;

/// A target for the agent's own connectivity.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reference {
    Tcp { host: String, port: u16 },
    Http(Url),
}

/// A reference that is neither `HOST:PORT` nor an http(s) URL.
#[derive(Debug, thiserror::Error)]
#[error("reference {0:?}: expected HOST:PORT or an http or https URL")]
pub struct ReferenceError(pub String);

fn reference(text: &str) -> Result<Reference, ReferenceError> {
    let wrong = || ReferenceError(text.to_owned());
    if text.starts_with("http://") || text.starts_with("https://") {
        return Url::parse(text).map(Reference::Http).map_err(|_| wrong());
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(Reference::Tcp { host: host.to_owned(), port })
}

fn read_all(references: &[String]) -> Result<Arc<[Reference]>, ReferenceError> {
    references.iter().map(|text| reference(text)).collect()
}

/// Whether the agent was fit to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// It was.
    Fit,
    /// All its references were out of reach: the fault is ours.
    Isolated,
    /// Its own event loop stood still for too long.
    Starved,
}

/// When a run was, on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its start.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// Its timeout.
    pub timeout: Duration,
}

/// The last look at the references.
#[derive(Debug, Default)]
struct Look {
    /// When it began, on the monotonic clock; `None` before the first.
    began: Option<Duration>,
    lost: bool,
    /// When the last look that found all lost began.
    lost_at: Option<Duration>,
    /// When it was last found that the agent was isolated no more.
    regained_at: Option<Duration>,
}

impl Look {
    /// Whether a look from then on found the agent isolated, or isolated no more: a run that
    /// began before that was noticed saw the isolation, not the service.
    fn was_lost_since(&self, from: Duration) -> bool {
        self.lost_at.is_some_and(|at| at >= from) || self.regained_at.is_some_and(|at| at > from)
    }
}

/// The agent's knowledge of itself.
#[derive(Debug)]
pub struct Health {
    net: Arc<Net>,
    clock: Arc<dyn Clock>,
    references: RwLock<Arc<[Reference]>>,
    look: tokio::sync::Mutex<Look>,
    stalls: Stalls,
    metrics: Arc<Metrics>,
}

impl Health {
    /// Health with these references (`HOST:PORT` or an http or https URL). Without any, isolation
    /// is never claimed.
    ///
    /// # Errors
    /// When a reference is neither.
    pub fn new(
        references: &[String],
        net: Arc<Net>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ReferenceError> {
        let references = RwLock::new(read_all(references)?);
        let look = tokio::sync::Mutex::default();
        Ok(Self { net, clock, references, look, stalls: Stalls::default(), metrics })
    }

    /// From now on, these references are looked at.
    ///
    /// # Errors
    /// When one of them cannot be read; then those before stay.
    pub fn refer_to(&self, references: &[String]) -> Result<(), ReferenceError> {
        let references = read_all(references)?;
        *self.references.write().unwrap_or_else(PoisonError::into_inner) = references;
        Ok(())
    }

    fn references(&self) -> Arc<[Reference]> {
        Arc::clone(&self.references.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the event loop stood still during a run.
    #[must_use]
    pub fn starved(&self, run: Span) -> bool {
        let worst = self.stalls.worst_during(run.from, run.to);
        worst > MAX_STALL.min(run.timeout / MAX_STALL_SHARE)
    }

    /// Whether a run that saw something down may be believed. It looks at the references after
    /// the run's end, unless somebody just did; so it may take a few seconds.
    pub async fn judge(&self, run: Span) -> Fitness {
        if self.starved(run) {
            return Fitness::Starved;
        }
        if self.references().is_empty() {
            return Fitness::Fit;
        }
        let mut look = self.look.lock().await;
        if !look.was_lost_since(run.from) && look.began.is_none_or(|began| began < run.to) {
            self.look_again(&mut look).await;
        }
        let isolated = look.lost || look.was_lost_since(run.from);
        if isolated { Fitness::Isolated } else { Fitness::Fit }
    }

    async fn look_again(&self, look: &mut Look) {
        if let Some(began) = look.began {
            let since = self.clock.read().mono.saturating_sub(began);
            tokio::time::sleep(MIN_BETWEEN.saturating_sub(since)).await;
        }
        let began = self.clock.read().mono;
        look.began = Some(began);
        let lost = !self.any_reachable().await;
        if lost {
            look.lost_at = Some(began);
        }
        if lost != look.lost {
            self.metrics.isolated.set(i64::from(lost));
            if lost {
                tracing::error!(
                    references = self.references().len(),
                    "all references are out of reach: what seems down is recorded as unknown"
                );
            } else {
                look.regained_at = Some(self.clock.read().mono);
                tracing::info!("a reference can be reached again");
            }
        }
        look.lost = lost;
    }

    async fn any_reachable(&self) -> bool {
        let references = self.references();
        let mut asked: FuturesUnordered<_> =
            references.iter().map(|reference| self.reachable(reference)).collect();
        while let Some(reachable) = asked.next().await {
            if reachable {
                return true;
            }
        }
        false
    }

    async fn reachable(&self, reference: &Reference) -> bool {
        let deadline = Deadline::after(REFERENCE_TIMEOUT);
        let mut trace = Trace::start();
        let answered = match reference {
            Reference::Tcp { host, port } => {
                self.net.dial(host, *port, deadline, &mut trace).await.map(drop)
            }
            // any answer will do: a way there is all that is asked
            Reference::Http(url) => Client::new(&self.net, deadline)
                .send(&Ask::get(url.clone()), Phases::Whole("request"), &mut trace)
                .await
                .map(drop),
        };
        if let Err(fault) = &answered {
            tracing::debug!(?reference, %fault, "a reference is out of reach");
        }
        answered.is_ok()
    }

    /// Watches the event loop and, now and then, the references; runs until it is dropped.
    pub async fn watch(&self) {
        tokio::join!(self.watch_loop(), self.watch_references());
    }

    async fn watch_references(&self) {
        loop {
            tokio::time::sleep(BACKGROUND).await;
            if self.references().is_empty() {
                continue;
            }
            let mut look = self.look.lock().await;
            self.look_again(&mut look).await;
        }
    }

    async fn watch_loop(&self) {
        loop {
            let before = self.clock.read().mono;
            self.stalls.ticked(before);
            tokio::time::sleep(TICK).await;
            let now = self.clock.read().mono;
            let stall = now.saturating_sub(before).saturating_sub(TICK);
            self.metrics.loop_lag.set(stall.as_secs_f64());
            self.stalls.note(now, stall);
        }
    }
}

/// Times at which the event loop stood still.
#[derive(Debug, Default)]
struct Stalls(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// (end, length), oldest first.
    stalls: VecDeque<(Duration, Duration)>,
    /// When the loop last began to wait, once it has.
    ticked: Option<Duration>,
}

impl Stalls {
    fn lock(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticked(&self, now: Duration) {
        self.lock().ticked = Some(now);
    }

    fn note(&self, now: Duration, stall: Duration) {
        if stall < NOTABLE {
            return;
        }
        let mut noted = self.lock();
        if noted.stalls.len() >= MAX_STALLS {
            noted.stalls.pop_front();
        }
        noted.stalls.push_back((now, stall));
    }

    /// The longest stall that touches the time between, also one that is not over yet.
    fn worst_during(&self, from: Duration, to: Duration) -> Duration {
        let noted = self.lock();
        let overlapping = noted.stalls.iter().rev().take_while(|(end, _)| *end >= from);
        let past = overlapping.filter(|(end, stall)| end.saturating_sub(*stall) <= to);
        let worst = past.map(|(_, stall)| *stall).max().unwrap_or_default();
        let overdue = noted.ticked.map(|at| to.saturating_sub(at + TICK)).unwrap_or_default();
        worst.max(overdue)
    }
}

#[cfg(test)]
mod tests {
    use mailward_evidence::SystemClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn health(references: &[String]) -> Health {
        let net = Arc::new(Net::new(None, None).unwrap());
        let metrics = Arc::new(Metrics::new().unwrap());
        Health::new(references, net, Arc::new(SystemClock), metrics).unwrap()
    }

    fn just_now(health: &Health) -> Span {
        let to = health.clock.read().mono;
        Span { from: to, to, timeout: 10 * SECOND }
    }

    async fn listener() -> (tokio::net::TcpListener, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    #[test]
    fn references_are_read() {
        let tcp = |host: &str, port| Reference::Tcp { host: host.to_owned(), port };
        assert_eq!(reference("192.0.2.53:53").unwrap(), tcp("192.0.2.53", 53));
        assert_eq!(reference("[2001:db8::1]:53").unwrap(), tcp("2001:db8::1", 53));
        assert!(matches!(reference("https://example.net/").unwrap(), Reference::Http(_)));
        for wrong in ["example.net", "example.net:", ":53", "example.net:0", "http://"] {
            assert!(reference(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn isolated_only_when_all_references_are_lost() {
        let (open, reachable) = listener().await;
        let (closed, lost) = listener().await;
        drop(closed);
        let check = |references: Vec<String>| async move {
            let health = health(&references);
            health.judge(just_now(&health)).await
        };
        assert_eq!(check(Vec::new()).await, Fitness::Fit, "no references, no claim");
        assert_eq!(check(vec![lost.clone(), reachable]).await, Fitness::Fit);
        assert_eq!(check(vec![lost.clone()]).await, Fitness::Isolated);
        assert_eq!(check(vec![format!("http://{lost}/")]).await, Fitness::Isolated);
        drop(open);
    }

    #[tokio::test]
    async fn a_look_serves_all_runs_that_ended_before_it() {
        let (closed, lost) = listener().await;
        drop(closed);
        let health = health(&[lost]);
        let run = just_now(&health);
        assert_eq!(health.judge(run).await, Fitness::Isolated);
        let began = health.look.lock().await.began;
        assert_eq!(health.judge(run).await, Fitness::Isolated);
        assert_eq!(health.look.lock().await.began, began, "no second look");
        assert_eq!(health.metrics.isolated.get(), 1);
    }

    #[tokio::test]
    async fn what_began_before_the_way_was_found_again_is_not_believed() {
        let (closed, address) = listener().await;
        drop(closed);
        let health = health(std::slice::from_ref(&address));
        assert_eq!(health.judge(just_now(&health)).await, Fitness::Isolated);
        let run = just_now(&health);
        let _open = tokio::net::TcpListener::bind(address).await.unwrap();
        assert_eq!(health.judge(run).await, Fitness::Isolated, "it ended before the look");
        assert_eq!(health.judge(just_now(&health)).await, Fitness::Fit);
        assert_eq!(health.metrics.isolated.get(), 0);
    }

    #[test]
    fn stalls_void_the_runs_they_touch() {
        let stalls = Stalls::default();
        stalls.note(10 * SECOND, 3 * SECOND);
        let check = |from: u32, to: u32| stalls.worst_during(from * SECOND, to * SECOND);
        assert_eq!(check(0, 6), Duration::ZERO);
        assert_eq!(check(0, 8), 3 * SECOND);
        assert_eq!(check(9, 20), 3 * SECOND);
        assert_eq!(check(11, 20), Duration::ZERO);
        stalls.ticked(15 * SECOND);
        assert_eq!(check(11, 20), 5 * SECOND - TICK, "a stall that is not over");
    }
}
