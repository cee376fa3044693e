//! When the certificates expire that agents last saw, kept between two looks at the store. It
//! spends at most a twentieth of its time on looking.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use mailward_catalogue::{Catalogue, Probe};
use mailward_evidence::{AgentName, ProbeId, Stopwatch};

use crate::status::evaluate::AgentVoice;
use crate::store::{Store, StoreError};

/// The fact that says until when the server's certificate holds.
const FACT: &str = "cert_not_after";
/// The least time between two looks.
const LEAST: Duration = Duration::from_secs(5);
/// How many times as long as a look took there is none.
const REST: u32 = 19;

/// A probe that runs at least so often is not looked for in what is settled.
const OFTEN_S: u64 = 120;
/// How far back its outcomes are looked at when nothing is known of it.
const RECENT_MS: i64 = 10_000;

/// What is known of certificates.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    seen: HashMap<(AgentName, ProbeId), Seen>,
    /// Since the last look, and how long it holds.
    looked: Option<(Stopwatch, Duration)>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Due of the last outcome that was looked at, in nanoseconds.
    looked_ns: i64,
    expires_ms: Option<i64>,
}

impl Certificates {
    /// Looks at what came since the last look, unless that was just now.
    pub(super) fn look(
        &mut self,
        store: &Store,
        catalogue: &Catalogue,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        if self.looked.as_ref().is_some_and(|(since, rest)| since.elapsed() < *rest) {
            return Ok(());
        }
        let took = Stopwatch::start();
        let key = |agent: &AgentName, probe: &ProbeId| (agent.clone(), probe.clone());
        // what runs often comes by itself; to read what is settled of thousands would take long
        let often = |probe: &ProbeId| {
            let every_s = catalogue.probe(probe.as_str()).and_then(Probe::every_s);
            every_s.is_some_and(|seconds| seconds <= OFTEN_S)
        };
        let started_ns = now_ms.saturating_sub(RECENT_MS).saturating_mul(1_000_000);
        let looked_ns = |agent: &AgentName, probe: &ProbeId| {
            let seen = self.seen.get(&key(agent, probe)).map(|seen| seen.looked_ns);
            seen.or_else(|| often(probe).then_some(started_ns))
        };
        let found = store.last_facts(FACT, &looked_ns, now_ms)?;
        for fact in found {
            let seen = self.seen.entry((fact.agent, fact.probe)).or_default();
            seen.looked_ns = fact.looked_ns;
            let value = fact.value.and_then(|text| text.parse::<Timestamp>().ok());
            // a run that met no certificate says nothing about the one before
            seen.expires_ms = value.map(Timestamp::as_millisecond).or(seen.expires_ms);
        }
        self.looked = Some((Stopwatch::start(), LEAST.max(took.elapsed() * REST)));
        Ok(())
    }

    /// By probe, when the first of the certificates expires that agents see which are due to
    /// run it; milliseconds since the epoch.
    pub(super) fn expiries(&self, voices: &[AgentVoice]) -> BTreeMap<String, i64> {
        let due: BTreeSet<(&str, &str)> =
            voices.iter().map(|voice| (voice.agent.as_str(), voice.probe.as_str())).collect();
        let mut earliest: BTreeMap<String, i64> = BTreeMap::new();
        for ((agent, probe), seen) in &self.seen {
            let Some(expires_ms) = seen.expires_ms else { continue };
            if due.contains(&(agent.as_str(), probe.as_str())) {
                let known = earliest.entry(probe.as_str().to_owned()).or_insert(expires_ms);
                *known = expires_ms.min(*known);
            }
        }
        earliest
    }
}
