//! A month of outages whose beginning and end are known, watched as an agent would.

use std::sync::Arc;

use jiff::Timestamp;
use mailward_agent::schedule::{Course, Rhythm, Settling};
use mailward_catalogue::parse;
use mailward_evidence::{
    AgentName, Extra, Instant, ManualClock, Outcome, ProbeId, Record, Roster, RosterProbe,
    SiteName, Verdict,
};
use mailward_reporter::month::{Month, compute};
use mailward_reporter::report::model::Figure;
use mailward_reporter::store::{Source, Store};

/// 2019-02 in UTC.
const FROM_MS: i64 = 1_548_979_200_000;
const TO_MS: i64 = FROM_MS + 28 * 86_400_000;

/// How a service is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) every_s: i64,
    pub(crate) retry_s: i64,
    /// How long a run takes that fails; nothing where it is refused.
    pub(crate) failing_s: i64,
    pub(crate) agents: usize,
}

impl Setting {
    /// (`retry_every` − `every`) ÷ 2.
    pub(crate) fn bias_s(&self) -> f64 {
        (self.retry_s - self.every_s) as f64 / 2.0
    }

    /// Outages that are confirmed whenever they begin, and are over before the next.
    pub(crate) const fn lengths_ms(&self) -> (i64, i64) {
        ((self.every_s + 2 * self.retry_s) * 1000, 1_200_000)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

/// A true outage beside the measured one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) truth: Outage,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) at_least_ms: i64,
    pub(crate) at_most_ms: i64,
}

impl Seen {
    /// Measured less true.
    pub(crate) fn error_s(&self) -> f64 {
        ((self.to_ms - self.from_ms) - (self.truth.to_ms - self.truth.from_ms)) as f64 / 1000.0
    }
}

pub(crate) struct Watched {
    pub(crate) seen: Vec<Seen>,
    pub(crate) low_pct: f64,
    pub(crate) high_pct: f64,
}

impl Watched {
    pub(crate) fn true_pct(&self, truth: &[Outage]) -> f64 {
        let down: i64 = truth.iter().map(|outage| outage.to_ms - outage.from_ms).sum();
        (TO_MS - FROM_MS - down) as f64 / (TO_MS - FROM_MS) as f64 * 100.0
    }
}

/// SplitMix64: the same numbers everywhere.
struct Chance(u64);

impl Chance {
    fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let range = u64::try_from(high - low + 1).unwrap();
        low + i64::try_from((z ^ (z >> 31)) % range).unwrap()
    }
}

/// That many outages of a month, one in each of as many equal parts of it, at any millisecond.
pub(crate) fn outages(count: usize, (least_ms, most_ms): (i64, i64), seed: u64) -> Vec<Outage> {
    let mut chance = Chance(seed);
    let part_ms = (TO_MS - FROM_MS) / i64::try_from(count).unwrap();
    let calm_ms = 400_000;
    (0..count)
        .map(|i| {
            let length = chance.between(least_ms, most_ms);
            let earliest = FROM_MS + i64::try_from(i).unwrap() * part_ms + calm_ms;
            let latest = earliest - calm_ms + part_ms - calm_ms - length;
            let from_ms = chance.between(earliest, latest);
            Outage { from_ms, to_ms: from_ms + length }
        })
        .collect()
}

fn definition(setting: &Setting) -> String {
    format!(
        "[service]\nname = \"Known\"\nzone = \"Etc/UTC\"\n\n[[component]]\nid = \"c\"\n\n\
         [[probe]]\nid = \"p\"\ncomponent = \"c\"\nkind = \"http\"\nurl = \"https://192.0.2.1/\"\n\
         every = \"{}s\"\nretry_every = \"{}s\"\nconfirm = 2\n\n\
         [[level]]\nid = \"l\"\ncomponent = \"c\"\nmeasure = \"availability\"\ntarget = \"99.9%\"\n",
        setting.every_s, setting.retry_s
    )
}

/// Has the agents' own schedule watch the outages, and the reporter judge what they saw.
pub(crate) fn watch(setting: &Setting, truth: &[Outage]) -> Watched {
    let parsed = parse("probes.toml", &definition(setting));
    let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
    let now_ms = TO_MS + 86_400_000;
    let clock = ManualClock::new(Timestamp::from_millisecond(now_ms).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Arc::new(clock)).unwrap();
    for agent in 0..setting.agents {
        let records = records(setting, truth, &format!("agent-{agent}"));
        for body in records.chunks(20_000) {
            store.ingest(body.to_vec(), Source::Import).unwrap();
        }
    }
    let month: Month = "2019-02".parse().unwrap();
    let report = compute(&store, &catalogue, month, now_ms).unwrap();
    let Figure::Availability(figure) = &report.levels[0].figure else {
        panic!("expected availability, got {:?}", report.levels[0])
    };
    let seen = figure.outages.iter().map(|outage| {
        let after = truth.partition_point(|truth| truth.from_ms <= outage.from.0);
        Seen {
            truth: truth[after - 1],
            from_ms: outage.from.0,
            to_ms: outage.to.0,
            at_least_ms: outage.at_least_s.0,
            at_most_ms: outage.at_most_s.0,
        }
    });
    Watched {
        seen: seen.collect(),
        low_pct: figure.low_pct.unwrap(),
        high_pct: figure.high_pct.unwrap(),
    }
}

/// What one agent sees: a run tells what was so when it was due, and fails quickly or slowly.
fn records(setting: &Setting, truth: &[Outage], name: &str) -> Vec<Record> {
    let (agent, probe) = (AgentName::new(name).unwrap(), ProbeId::new("p").unwrap());
    let start_ms = FROM_MS - 3_600_000;
    let mut records = vec![Record::Roster(Roster {
        agent: agent.clone(),
        site: SiteName::new("internet").unwrap(),
        at: Instant::from_ms(start_ms).unwrap(),
        probes: vec![RosterProbe {
            id: probe.clone(),
            every_s: u64::try_from(setting.every_s).ok(),
            extra: Extra::default(),
        }],
        extra: Extra::default(),
    })];
    let rhythm = Rhythm::every(name, "p", setting.every_s * 1000);
    let mut course = Course::new(rhythm, setting.retry_s * 1000, start_ms);
    while let Some(turn) = course.next().filter(|turn| turn.due_ms < TO_MS + 3_600_000) {
        let began = truth.partition_point(|outage| outage.from_ms <= turn.due_ms);
        let down = began > 0 && turn.due_ms < truth[began - 1].to_ms;
        let (said, took_ms) = match down {
            true => (Settling::Failed, setting.failing_s * 1000),
            false => (Settling::Good, 180),
        };
        let settled = course.settle(turn, said, turn.due_ms + took_ms);
        let verdict = if down { Verdict::Down } else { Verdict::Up };
        let due = Instant::from_ms(turn.due_ms).unwrap();
        let mut outcome =
            Outcome::new(agent.clone(), probe.clone(), due, settled.next_due_ms, verdict);
        outcome.attempt = turn.attempt;
        outcome.took_ms = Some(took_ms as f64);
        records.push(Record::Outcome(outcome));
    }
    records
}
