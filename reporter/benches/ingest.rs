//! How fast deliveries are taken in: token, decoding, store, segments, histograms and an fsync
//! for each answer, in bodies of 10,000 and of 1,000 outcomes, four deliveries at a time.

#![allow(missing_docs, reason = "criterion_group makes a public function")]
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as it should be")]

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mailward_evidence::{AgentName, Instant, SystemClock};
use mailward_reporter::ingest::{self, Delivered};
use mailward_reporter::store::Store;

const AT_ONCE: usize = 4;

/// Makes bodies as an agent with some probes delivers them: one run of each after the other.
struct Agent {
    name: String,
    probes: u64,
    sent: u64,
}

impl Agent {
    fn body(&mut self, outcomes: u64) -> Bytes {
        let mut body = String::new();
        for n in self.sent..self.sent + outcomes {
            let (round, probe) = (n / self.probes, n % self.probes);
            let ms = i64::try_from(1_790_000_000_000 + round * 60_000 + probe * 7).unwrap();
            let due = Instant::from_ms(ms).unwrap();
            let jitter = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
            let (verdict, reason) =
                if n % 997 == 0 { ("down", "\"timeout\"") } else { ("up", "null") };
            writeln!(
                body,
                "{{\"v\":1,\"kind\":\"outcome\",\"agent\":\"{}\",\"probe\":\"probe-{probe}\",\
                 \"due\":\"{due}\",\"attempt\":0,\"next_due_s\":60,\"took_ms\":{}.{},\
                 \"verdict\":\"{verdict}\",\"reason\":{reason},\"phases\":{{\"dns\":1.{},\
                 \"connect\":3.4,\"tls\":20.{},\"first_byte\":{}.5}},\
                 \"facts\":{{\"http_status\":\"200\"}}}}",
                self.name,
                100 + jitter % 200,
                jitter % 10,
                jitter % 10,
                jitter % 10,
                jitter % 100,
            )
            .unwrap();
        }
        self.sent += outcomes;
        body.into()
    }
}

fn ingest(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10);
    for (outcomes, probes) in [(10_000, 20), (10_000, 1_000), (1_000, 20), (1_000, 1_000)] {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let store = Store::open(dir.path(), Arc::new(SystemClock)).unwrap();
        let mut agents = Vec::new();
        for i in 0..AT_ONCE {
            let name = format!("agent-{i}");
            let token = store.add_agent(&AgentName::new(&name).unwrap(), None).unwrap();
            let bearer = format!("Bearer {}", token.expose());
            agents.push((Agent { name, probes, sent: 0 }, bearer));
        }
        group.throughput(Throughput::Elements(outcomes * AT_ONCE as u64));
        let id = BenchmarkId::new(format!("bodies of {outcomes}"), format!("{probes} probes"));
        group.bench_function(id, |bencher| {
            bencher.iter_batched(
                || {
                    let each = agents.iter_mut();
                    each.map(|(agent, bearer)| (bearer.clone(), agent.body(outcomes))).collect()
                },
                |bodies: Vec<(String, Bytes)>| {
                    runtime.block_on(async {
                        let mut running = tokio::task::JoinSet::new();
                        for (bearer, body) in bodies {
                            let store = store.clone();
                            running.spawn(async move {
                                let authorization = Some(bearer.as_str());
                                let delivered =
                                    Delivered { authorization, body, ..Delivered::default() };
                                ingest::handle(&store, delivered).await
                            });
                        }
                        while let Some(done) = running.join_next().await {
                            assert_eq!(done.unwrap().unwrap().accepted, outcomes);
                        }
                    });
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
