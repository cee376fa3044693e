//! The month that is measured: 40 probes by 29 agents, a few changes of state a day, four
//! phases with noise, times to 0.1 ms. The same seed always makes the same month.

use std::fmt::Write as _;

use mailward_evidence::{
    AgentName, Extra, Instant, Outcome, ProbeId, Reason, Record, Roster, RosterProbe, SiteName,
    Verdict,
};
use mailward_reporter::store::{Source, Store};

pub(crate) const MONTH: &str = "2026-09";
const PROBES: u64 = 40;
const AGENTS: u64 = 29;
const COMPONENTS: u64 = 7;
const DAYS: u64 = 30;
/// 2026-09-01T00:00:00Z; the month in London begins an hour before.
const START_S: u64 = 1_788_220_800;
/// Changes of state lie on this grid, which every interval divides.
const GRID_S: u64 = 3000;
/// Runs of each probe in a body.
const ROUNDS: u64 = 250;

/// Seconds between two runs of a probe.
const fn every_s(millions: u64) -> u64 {
    GRID_S / millions
}

/// How many outcomes a month of about so many millions has.
pub(crate) const fn outcomes(millions: u64) -> u64 {
    DAYS * 86_400 / every_s(millions) * PROBES * AGENTS
}

/// A definition with seven components, judged by availability, and by success and response
/// time too.
pub(crate) fn definition(availability_alone: bool) -> String {
    let mut text = "[service]\nname = \"Scale\"\nzone = \"Europe/London\"\n".to_owned();
    for c in 0..COMPONENTS {
        let _ = write!(text, "\n[[component]]\nid = \"c{c}\"\nname = \"Component {c}\"\n");
    }
    for p in 0..PROBES {
        let c = p % COMPONENTS;
        let _ = write!(
            text,
            "\n[[probe]]\nid = \"p{p}\"\ncomponent = \"c{c}\"\nkind = \"http\"\n\
             url = \"https://mail.example.org/{p}\"\nevery = \"30s\"\nconfirm = 1\n"
        );
    }
    for c in 0..COMPONENTS {
        let mut level = |id: &str, rest: &str| {
            let _ = write!(text, "\n[[level]]\nid = \"c{c}-{id}\"\ncomponent = \"c{c}\"\n{rest}\n");
        };
        level("availability", "measure = \"availability\"\ntarget = \"99.9%\"");
        if !availability_alone {
            level("success", "measure = \"success\"\ntarget = \"99.5%\"");
            level("response", "measure = \"response_time\"\ntarget = \"95%\"\nwithin = \"250ms\"");
        }
    }
    text
}

/// Draws numbers.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> u64 {
        (self.next() >> 11) % most
    }

    /// A duration in tenths of a millisecond: around `middle`, with a tail.
    fn tenths(&mut self, middle: u64) -> u64 {
        let tail = if self.below(40) == 0 { self.below(middle * 3) } else { 0 };
        middle / 2 + self.below(middle / 2 + 1) + self.below(middle / 2 + 1) + tail
    }
}

fn mixed(a: u64, b: u64, c: u64) -> u64 {
    let mut draw = Draw(a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (b << 32) ^ (c + 1));
    (0..4).fold(0, |_, _| draw.next())
}

/// Whether a probe fails at a second: once a day everywhere, and once a day at this agent.
fn fails(agent: u64, probe: u64, second: u64) -> bool {
    let (day, slot) = (second / 86_400, second % 86_400 / GRID_S);
    let slots = 86_400 / GRID_S;
    mixed(probe, day, 0) % slots == slot || mixed(probe, day, agent + 1) % slots == slot
}

fn run(draw: &mut Draw, agent: u64, probe: u64, second: u64, every_s: u64) -> Outcome {
    let at_ms = i64::try_from((START_S + second) * 1000 + probe * 137).expect("in range");
    let due = Instant::from_ms(at_ms).expect("in range");
    let fails = fails(agent, probe, second);
    let verdict = if fails { Verdict::Down } else { Verdict::Up };
    let (agent, probe) = (agent_name(agent), probe_id(probe));
    let mut outcome = Outcome::new(agent, probe, due, every_s * 1000, verdict);
    let phases = [("dns", 20), ("connect", 50), ("tls", 240), ("first_byte", 1500)];
    let mut took = draw.below(10);
    for (name, middle) in phases {
        let tenths = draw.tenths(middle);
        took += tenths;
        outcome.phases.set(name, tenths as f64 / 10.0);
    }
    outcome.took_ms = Some(took as f64 / 10.0);
    outcome.reason = fails.then_some(Reason::HttpStatus);
    outcome.facts.set("http_status", if fails { "503" } else { "200" }.into());
    outcome
}

fn agent_name(agent: u64) -> AgentName {
    AgentName::new(&format!("agent-{agent}")).expect("a name")
}

fn probe_id(probe: u64) -> ProbeId {
    ProbeId::new(&format!("p{probe}")).expect("an id")
}

fn roster(agent: u64) -> Record {
    Record::Roster(Roster {
        agent: agent_name(agent),
        site: SiteName::new(["internet", "hscn"][agent as usize % 2]).expect("a site"),
        at: Instant::from_ms(START_S as i64 * 1000).expect("in range"),
        probes: (0..PROBES)
            .map(|p| RosterProbe { id: probe_id(p), every_s: Some(30), extra: Extra::default() })
            .collect(),
        extra: Extra::default(),
    })
}

/// Hands the month over in the order of time, a body of each agent after the other.
pub(crate) fn fill(store: &Store, millions: u64) {
    let every_s = every_s(millions);
    let rounds = DAYS * 86_400 / every_s;
    let mut draw = Draw(millions + 7);
    let take = |agent: u64, records: Vec<Record>| {
        let count = records.len() as u64;
        let done = store.ingest(records, Source::Agent(agent_name(agent))).expect("take in");
        assert_eq!(done.accepted, count, "every record is new");
    };
    (0..AGENTS).for_each(|agent| take(agent, vec![roster(agent)]));
    let mut first = 0;
    while first < rounds {
        let last = (first + ROUNDS).min(rounds);
        for agent in 0..AGENTS {
            let due = (first..last).flat_map(|round| (0..PROBES).map(move |p| (round, p)));
            let records = due.map(|(round, probe)| {
                Record::Outcome(run(&mut draw, agent, probe, round * every_s, every_s))
            });
            take(agent, records.collect());
        }
        first = last;
    }
    store.settle().expect("settle");
}
