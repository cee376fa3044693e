//! The planner on simulated time, with probes that see what they are told to see.

use std::future::pending;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use mailward_evidence::clock::Reading;
use mailward_evidence::{Outcome, Reason, Verdict, wire};

use super::planner::Planned;
use super::*;
use crate::probe::{Context, Observe, Seen};
use crate::schedule::phase_ms;

/// Both clocks follow tokio's; the wall clock can be put to another time.
#[derive(Debug)]
struct SimulatedClock {
    origin: tokio::time::Instant,
    start: Timestamp,
    step_ms: AtomicI64,
}

impl SimulatedClock {
    fn new() -> Arc<Self> {
        let start = "2026-01-01T00:00:00Z".parse().unwrap();
        Arc::new(Self { origin: tokio::time::Instant::now(), start, step_ms: AtomicI64::new(0) })
    }

    fn since_start_ms(&self, at: mailward_evidence::Instant) -> i64 {
        at.ms() - self.start.as_millisecond()
    }
}

impl Clock for SimulatedClock {
    fn read(&self) -> Reading {
        let mono = self.origin.elapsed();
        let step = jiff::SignedDuration::from_millis(self.step_ms.load(Ordering::Relaxed));
        Reading { wall: self.start + mono + step, mono }
    }
}

type Script = Box<dyn Fn(u32) -> BoxFuture<'static, Seen> + Send + Sync>;

/// Sees what its script says for its nth run.
struct Fake {
    runs: AtomicU32,
    script: Script,
}

impl Observe for Fake {
    fn observe<'a>(&'a self, _: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        (self.script)(self.runs.fetch_add(1, Ordering::Relaxed))
    }

    fn host_key(&self) -> &str {
        "fake.example.org"
    }
}

fn says(seen: impl Fn(u32) -> Seen + Send + Sync + 'static) -> Script {
    Box::new(move |run| std::future::ready(seen(run)).boxed())
}

fn hangs() -> Script {
    Box::new(|_| pending().boxed())
}

struct Bench {
    clock: Arc<SimulatedClock>,
    metrics: Arc<Metrics>,
    directory: tempfile::TempDir,
    host: Arc<Semaphore>,
    overall: usize,
    planned: Vec<Planned>,
    /// What is declared anew, each after a time.
    later: Vec<(Duration, Vec<Planned>)>,
}

const RETRY_MS: i64 = 10_000;

impl Bench {
    fn new(overall: usize) -> Self {
        Self {
            clock: SimulatedClock::new(),
            metrics: Arc::new(Metrics::new().unwrap()),
            directory: tempfile::tempdir().unwrap(),
            host: Arc::new(Semaphore::new(64)),
            overall,
            planned: Vec::new(),
            later: Vec::new(),
        }
    }

    fn watch(&mut self, id: &str, every_ms: i64, script: Script) {
        self.add(id, Rhythm::every("agent", id, every_ms), script);
    }

    fn add(&mut self, id: &str, rhythm: Rhythm, script: Script) {
        let planned = self.plan(id, rhythm, script);
        self.planned.push(planned);
    }

    fn plan(&self, id: &str, rhythm: Rhythm, script: Script) -> Planned {
        let runnable = Runnable {
            id: ProbeId::new(id).unwrap(),
            observe: Box::new(Fake { runs: AtomicU32::new(0), script }),
            host: Arc::clone(&self.host),
            timeout: Duration::from_secs(10),
            slow: None,
        };
        Planned {
            probe: Arc::new(runnable),
            cron: matches!(rhythm, Rhythm::Cron(_)),
            rhythm,
            retry_every_ms: RETRY_MS,
            keeps_time: false,
            component: "component".to_owned(),
            kind: "http",
        }
    }

    /// Runs while `during` does, stops, and gives back what was recorded.
    async fn run(self, during: impl Future<Output = ()>) -> Ended {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let limits = Limits { max_bytes: 1 << 26, max_age: OUTBOX_MAX_AGE };
        let outbox = Outbox::open(self.directory.path(), limits).unwrap();
        let (keeper, outbox) = Keeper::start(outbox, Arc::clone(&clock)).unwrap();
        let net = Arc::new(Net::new(None, None).unwrap());
        let catalogue = Vec::new();
        let metrics = Arc::clone(&self.metrics);
        let health = Health::new(&catalogue, net, Arc::clone(&clock), metrics).unwrap();
        let runner = Runner {
            overall: Semaphore::new(self.overall),
            purse: Arc::new(Purse::empty(Arc::clone(&clock))),
            post: OnceLock::new(),
            devices: Devices::new("agent", None),
            health: Arc::new(health),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&self.metrics),
        };
        let agent = AgentName::new("agent").unwrap();
        let planner = Planner::new(agent, self.planned, Arc::new(runner), outbox.clone());
        let (changes, changed) = mpsc::channel(1);
        let declaring = tokio::spawn(async move {
            for (after, planned) in self.later {
                tokio::time::sleep(after).await;
                let (taken, answer) = tokio::sync::oneshot::channel();
                let change = planner::Change { planned, told: None, taken };
                changes.send(change).await.ok().unwrap();
                answer.await.unwrap();
            }
            // it stays open, as in an agent that may be told more
            pending::<()>().await;
        });
        let (stop, mut stopped) = watch::channel(false);
        let (call, wake) = wake::Wake::by_hand();
        let calls = tokio::spawn(async move {
            while call.send(()).await.is_ok() {
                minutes(1).await;
            }
        });
        let stop_when_done = async {
            during.await;
            stop.send_replace(true);
            tokio::time::Instant::now()
        };
        let (asked, ()) = tokio::join!(stop_when_done, planner.run(&mut stopped, wake, changed));
        let stopping = asked.elapsed();
        calls.abort();
        declaring.abort();
        outbox.flush().await.unwrap();
        assert_eq!(outbox.lost(), 0);
        let batch = outbox.read(usize::MAX, usize::MAX).await.unwrap();
        keeper.close();
        let outcomes = wire::decode_lines(&batch.body).unwrap().into_iter().map(|record| {
            let Record::Outcome(outcome) = record else { panic!("{record:?}") };
            outcome
        });
        let outcomes = outcomes.collect();
        Ended { outcomes, clock: self.clock, metrics: self.metrics, stopping }
    }
}

struct Ended {
    outcomes: Vec<Outcome>,
    clock: Arc<SimulatedClock>,
    metrics: Arc<Metrics>,
    stopping: Duration,
}

impl Ended {
    fn of<'a>(&'a self, probe: &'a str) -> impl Iterator<Item = &'a Outcome> {
        self.outcomes.iter().filter(move |outcome| outcome.probe.as_str() == probe)
    }

    fn shows(&self, line: &str) -> bool {
        let stats = crate::outbox::Stats::default();
        let text = self.metrics.render(&stats, 0, self.clock.now()).unwrap();
        text.lines().any(|shown| shown == line)
    }
}

async fn minutes(count: u64) {
    tokio::time::sleep(Duration::from_secs(60 * count)).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_probed_again_and_every_run_is_where_it_was_due() {
    let mut bench = Bench::new(8);
    // the third run fails, and so do the four after it
    bench.watch(
        "p",
        60_000,
        says(|run| match run {
            2..=6 => Seen::down(Reason::ConnectRefused),
            _ => Seen::up(),
        }),
    );
    let ended = bench.run(minutes(6)).await;
    let phase = phase_ms("agent", "p", 60_000);
    let got: Vec<_> = ended
        .of("p")
        .map(|o| {
            let due_s = (ended.clock.since_start_ms(o.due) - phase) / 1000;
            (due_s, o.attempt, o.next_due_ms / 1000, o.verdict)
        })
        .collect();
    let expect = [
        (0, 0, 60, Verdict::Up),
        (60, 0, 60, Verdict::Up),
        (120, 0, 10, Verdict::Down),
        (130, 1, 10, Verdict::Down),
        (140, 2, 10, Verdict::Down),
        (150, 3, 10, Verdict::Down),
        (160, 4, 10, Verdict::Down),
        (170, 5, 10, Verdict::Up),
        (180, 0, 60, Verdict::Up),
        (240, 0, 60, Verdict::Up),
        (300, 0, 60, Verdict::Up),
    ];
    assert_eq!(got, expect);
    assert!(ended.shows(
        "mailward_probe_outcomes_total{probe=\"p\",reason=\"connect_refused\",verdict=\"down\"} 5"
    ));
}

#[tokio::test(start_paused = true)]
async fn hanging_and_panicking_probes_cost_only_themselves() {
    let mut bench = Bench::new(8);
    bench.watch("hangs", 60_000, hangs());
    bench.watch("panics", 60_000, says(|_| panic!("on purpose")));
    bench.watch("well", 1_000, says(|_| Seen::up()));
    let ended = bench.run(minutes(5)).await;
    let reasons = |probe| {
        let reasons: std::collections::BTreeSet<_> =
            ended.of(probe).map(|o| o.reason.clone()).collect();
        reasons
    };
    assert_eq!(reasons("hangs"), [Some(Reason::Timeout)].into());
    assert_eq!(reasons("panics"), [Some(Reason::ProbeFault)].into());
    assert_eq!(reasons("well"), [None].into());
    assert!(ended.of("well").count() >= 299);
    assert!(ended.of("panics").count() == 5);
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_runs_are_missed_and_counted_and_not_made_up() {
    let mut bench = Bench::new(1);
    bench.watch("hangs", 15_000, hangs());
    bench.watch("waits", 1_000, says(|_| Seen::up()));
    let ended = bench.run(minutes(2)).await;
    let made = ended.of("waits").count();
    let missed = (0..120).find(|missed| {
        ended.shows(&format!("mailward_schedule_missed_total{{probe=\"waits\"}} {missed}"))
    });
    let missed = missed.expect("some runs were missed");
    assert!((118..=121).contains(&(made + missed)), "{made} made and {missed} missed");
    assert!(made > 20 && missed > 20, "{made} made and {missed} missed");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_at_the_end_is_recorded_as_unknown() {
    let mut bench = Bench::new(8);
    bench.watch("hangs", 2_000, hangs());
    let ended = bench.run(tokio::time::sleep(Duration::from_secs(4))).await;
    let last = ended.outcomes.last().unwrap();
    assert_eq!((last.verdict, &last.reason), (Verdict::Unknown, &Some(Reason::Shutdown)));
    assert!(ended.stopping < Duration::from_secs(4), "{:?}", ended.stopping);
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_clock_is_told_and_no_instant_is_used_twice() {
    for step_ms in [3_600_000, -30_000, -3_600_000] {
        let mut bench = Bench::new(8);
        bench.watch("p", 10_000, says(|_| Seen::up()));
        // whenever the clock is put to another time, a run of this one is under way
        let nearly_always = Duration::from_millis(9_800);
        let slow = move |_| async move {
            tokio::time::sleep(nearly_always).await;
            Seen::up()
        };
        bench.watch("slow", 10_000, Box::new(move |run| slow(run).boxed()));
        let clock = Arc::clone(&bench.clock);
        let ended = bench
            .run(async move {
                minutes(2).await;
                clock.step_ms.store(step_ms, Ordering::Relaxed);
                minutes(2).await;
            })
            .await;
        assert!(ended.shows("mailward_clock_steps_total 1"), "{step_ms}");
        for probe in ["p", "slow"] {
            let mut dues: Vec<_> = ended.of(probe).map(|o| o.due.ms()).collect();
            let made = dues.len();
            dues.sort_unstable();
            dues.dedup();
            assert_eq!(dues.len(), made, "{probe} {step_ms}");
            let expect = if step_ms == -30_000 { 19..=22 } else { 22..=25 };
            assert!(expect.contains(&made), "{probe} {step_ms}: {made}");
            let up = ended.of(probe).filter(|o| o.verdict == Verdict::Up).count();
            let shown = format!(
                "mailward_probe_outcomes_total{{probe=\"{probe}\",reason=\"\",verdict=\"up\"}} {up}"
            );
            assert!(ended.shows(&shown), "{shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_probes_a_second() {
    let mut bench = Bench::new(64);
    for number in 0..1000 {
        bench.watch(&format!("p{number}"), 1_000, says(|_| Seen::up()));
    }
    let ended = bench.run(tokio::time::sleep(Duration::from_secs(5))).await;
    assert!((4990..=5010).contains(&ended.outcomes.len()), "{}", ended.outcomes.len());
    assert!(ended.outcomes.iter().all(|o| o.facts.get("late_ms").is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_cron_runs_at_its_local_times() {
    let mut bench = Bench::new(8);
    let zone = jiff::tz::TimeZone::get("Asia/Kolkata").unwrap();
    let cron = Cron::parse("0 0 */6 * * *", &zone).unwrap();
    bench.add("p", Rhythm::Cron(cron), says(|_| Seen::up()));
    let ended = bench.run(minutes(24 * 60)).await;
    let dues: Vec<_> = ended.of("p").map(|o| (o.due.to_string(), o.next_due_ms)).collect();
    let at = |hour: &str| (format!("2026-01-01T{hour}:30:00Z"), 6 * 3_600_000);
    assert_eq!(dues, [at("00"), at("06"), at("12"), at("18")]);
}

/// Each outcome says when the next one is due; the next one must not be later.
fn assert_no_gap(ended: &Ended, probe: &str) {
    let dues: Vec<_> = ended.of(probe).map(|o| (o.due.ms(), o.next_due_ms)).collect();
    for pair in dues.windows(2) {
        let ((due, next), (then, _)) = (pair[0], pair[1]);
        assert!(then > due && then - due <= i64::try_from(next).unwrap(), "{probe}: {dues:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_read_again_leaves_no_gap() {
    let mut bench = Bench::new(8);
    let every = |id: &str, ms| Rhythm::every("agent", id, ms);
    let fails = || says(|_| Seen::down(Reason::ConnectRefused));
    bench.watch("same", 20_000, says(|_| Seen::up()));
    bench.watch("slower", 1_000, says(|_| Seen::up()));
    bench.watch("faster", 60_000, says(|_| Seen::up()));
    bench.watch("failing", 60_000, fails());
    bench.watch("going", 20_000, says(|_| Seen::up()));
    let keeps = |planned: Planned| Planned { keeps_time: true, ..planned };
    let same = keeps(bench.plan("same", every("same", 20_000), says(|_| Seen::up())));
    let failing = keeps(bench.plan("failing", every("failing", 60_000), fails()));
    let again = |bench: &Bench, id: &str, ms| bench.plan(id, every(id, ms), says(|_| Seen::up()));
    let planned = vec![
        same,
        failing,
        again(&bench, "slower", 60_000),
        again(&bench, "faster", 1_000),
        again(&bench, "coming", 10_000),
    ];
    bench.later.push((Duration::from_secs(130), planned));
    let clock = Arc::clone(&bench.clock);
    let ended = bench.run(minutes(5)).await;
    for probe in ["same", "slower", "faster", "failing", "going", "coming"] {
        assert_no_gap(&ended, probe);
        assert!(!ended.shows(&format!("mailward_schedule_missed_total{{probe=\"{probe}\"}} 1")));
    }
    let after = |probe| ended.of(probe).filter(|o| clock.since_start_ms(o.due) > 130_000).count();
    assert_eq!(after("going"), 0);
    assert!((3..=4).contains(&after("slower")), "{}", after("slower"));
    assert!((169..=171).contains(&after("faster")), "{}", after("faster"));
    assert!((17..=18).contains(&after("coming")), "{}", after("coming"));
    // re-probes are counted on: the attempts of an outage go up by one, also across the change
    let attempts: Vec<_> = ended.of("failing").map(|o| o.attempt).filter(|a| *a > 0).collect();
    assert!(attempts.windows(2).all(|pair| pair[1] == pair[0] + 1), "{attempts:?}");
    assert_eq!(ended.of("same").count(), 15);
    assert!(
        ended.shows("mailward_probe_up{component=\"component\",kind=\"http\",probe=\"same\"} 1")
    );
    assert!(
        !ended.shows("mailward_probe_up{component=\"component\",kind=\"http\",probe=\"going\"} 1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_under_way_ends_as_it_began_whatever_is_declared_meanwhile() {
    let mut bench = Bench::new(8);
    let phase = phase_ms("agent", "p", 60_000);
    let slow = || -> Script { Box::new(|_| seven_seconds().boxed()) };
    bench.add("p", Rhythm::every("agent", "p", 60_000), slow());
    bench.add("gone", Rhythm::every("agent", "p", 60_000), slow());
    let fast = bench.plan("p", Rhythm::every("agent", "p", 1_000), says(|_| Seen::up()));
    // three seconds into the first run
    let into = Duration::from_millis(u64::try_from(phase + 3_000).unwrap());
    bench.later.push((into, vec![fast]));
    let ended = bench.run(minutes(2)).await;
    let first = ended.of("p").next().unwrap();
    assert_eq!((first.due.ms() - ended.clock.start.as_millisecond(), first.attempt), (phase, 0));
    // it ended seven seconds later; what the new rhythm could not make meanwhile is left out
    assert_eq!(first.next_due_ms, 6_000);
    assert_no_gap(&ended, "p");
    assert_eq!(ended.of("gone").count(), 1, "the run that was under way, and none after it");
    assert!(ended.of("gone").all(|o| o.verdict == Verdict::Up));
}

async fn seven_seconds() -> Seen {
    tokio::time::sleep(Duration::from_secs(7)).await;
    Seen::up()
}
