//! How each probe of the demonstration behaves on an ordinary day, and what one run of it saw:
//! made up, the same each time, and quicker by night than by day.

use mailward_evidence::record::Pairs;
use mailward_evidence::{AgentName, Instant, Listing, Outcome, ProbeId, Reason, Verdict};

/// Time between scheduled runs in the made-up past.
pub(crate) const EVERY_MS: i64 = 300_000;
/// Time between re-probes after a failure.
pub(crate) const RETRY_MS: i64 = 60_000;

/// A probe and how long its phases take on a quiet night, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Habit {
    /// Its id in the definition.
    pub(crate) probe: &'static str,
    /// Its phases.
    pub(crate) phases: &'static [(&'static str, f64)],
    /// Slower than this is degraded.
    pub(crate) slow_ms: f64,
    /// How long a run takes that gets no answer.
    pub(crate) timeout_ms: f64,
}

const fn habit(probe: &'static str, phases: &'static [(&'static str, f64)]) -> Habit {
    Habit { probe, phases, slow_ms: 2_000.0, timeout_ms: 10_000.0 }
}

pub(crate) const MX: Habit = habit(
    "mx-accepts",
    &[
        ("dns", 2.1),
        ("connect", 8.4),
        ("banner", 21.0),
        ("ehlo", 8.6),
        ("starttls", 8.5),
        ("tls", 24.0),
        ("mail", 8.8),
        ("rcpt", 14.0),
    ],
);
pub(crate) const MX_RECORD: Habit = habit("mx-record", &[("query", 6.5)]);
pub(crate) const OUTGOING: Habit = habit("submission", SUBMITTING);
pub(crate) const INTERNAL: Habit = habit("internal-mail", SUBMITTING);
const SUBMITTING: &[(&str, f64)] = &[
    ("dns", 2.0),
    ("connect", 8.1),
    ("banner", 17.0),
    ("ehlo", 8.2),
    ("starttls", 8.3),
    ("tls", 23.0),
    ("auth", 41.0),
    ("mail", 8.4),
    ("rcpt", 12.0),
];
pub(crate) const PORTAL: Habit = habit(
    "portal-page",
    &[("dns", 2.2), ("connect", 9.0), ("tls", 21.0), ("request", 160.0), ("body", 4.1)],
);
pub(crate) const PORTAL_CERTIFICATE: Habit =
    habit("portal-certificate", &[("dns", 2.1), ("connect", 9.2), ("tls", 23.0)]);
pub(crate) const OWA: Habit = Habit {
    slow_ms: 4_000.0,
    timeout_ms: 30_000.0,
    ..habit(
        "owa-logon",
        &[
            ("dns", 2.1),
            ("connect", 9.1),
            ("tls", 22.0),
            ("page", 35.0),
            ("logon", 285.0),
            ("mailbox", 240.0),
            ("logoff", 22.0),
        ],
    )
};
pub(crate) const OUTLOOK: Habit =
    habit("outlook-health", &[("mapi", 62.0), ("ews", 58.0), ("autodiscover", 66.0)]);
pub(crate) const EAS: Habit = Habit {
    timeout_ms: 30_000.0,
    ..habit("eas-options", &[("dns", 2.1), ("connect", 9.5), ("tls", 24.0), ("options", 75.0)])
};
pub(crate) const BLOCKLISTS: Habit = habit("blocklists", &[("query", 34.0)]);

/// What the agent on the internet watches.
pub(crate) const EVERYTHING: [Habit; 10] =
    [MX, MX_RECORD, OUTGOING, INTERNAL, PORTAL, PORTAL_CERTIFICATE, OWA, OUTLOOK, EAS, BLOCKLISTS];
/// What the agent on the health network watches: the ways in that its users have.
pub(crate) const USERS_WAYS_IN: [Habit; 4] = [PORTAL, OWA, OUTLOOK, EAS];

/// What a run is up against.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Weather {
    /// Nothing.
    Fair,
    /// Everything takes so many times as long.
    Heavy(f64),
    /// It fails, for this reason.
    Down(Reason),
    /// A blocklist names addresses.
    Listed(Vec<Listing>),
    /// The agent could not tell.
    Unknown(Reason),
}

/// A number from 0 to 1 that is the same for the same words each time (splitmix64, Steele,
/// Lea and Flood 2014).
pub(crate) fn chance(words: &[u64]) -> f64 {
    let mut state: u64 = 0x6d61_696c_7761_7264;
    for word in words {
        state = state.wrapping_add(*word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    #[allow(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    let share = (state >> 11) as f64 / (1u64 << 53) as f64;
    share
}

/// A number for a text, to be a word of [`chance`] (FNV-1a).
pub(crate) fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// How busy the service is at a local time of day, in hours: 1 by night, up to 1.8 on a
/// working day.
pub(crate) fn bustle(local_hour: f64, works: bool) -> f64 {
    let hump = |centre: f64| (-((local_hour - centre) / 2.2).powi(2)).exp();
    let day = hump(10.0) + 0.8 * hump(14.5);
    1.0 + if works { 0.65 * day } else { 0.12 * day }
}

/// A run that is to be made up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) agent: &'a AgentName,
    pub(crate) probe: &'a ProbeId,
    pub(crate) habit: &'a Habit,
    /// Of agent and probe, for [`chance`].
    pub(crate) seed: u64,
    pub(crate) due_ms: i64,
    pub(crate) attempt: u32,
    pub(crate) next_due_ms: u64,
    /// From [`bustle`].
    pub(crate) load: f64,
}

/// Cuts to a tenth of a millisecond, which is what is worth keeping.
fn tenth(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

impl Run<'_> {
    fn chance(&self, salt: u64) -> f64 {
        chance(&[self.seed, self.due_ms.unsigned_abs(), salt])
    }

    /// The outcome in this weather; `None` only for an instant outside the calendar.
    pub(crate) fn outcome(&self, weather: &Weather) -> Option<Outcome> {
        let due = Instant::from_ms(self.due_ms)?;
        let (agent, probe) = (self.agent.clone(), self.probe.clone());
        let mut outcome = Outcome::new(agent, probe, due, self.next_due_ms, Verdict::Up);
        outcome.attempt = self.attempt;
        match weather {
            Weather::Down(reason) => self.fail(&mut outcome, Verdict::Down, reason),
            Weather::Unknown(reason) => self.fail(&mut outcome, Verdict::Unknown, reason),
            Weather::Fair => self.succeed(&mut outcome, 1.0),
            Weather::Heavy(times) => self.succeed(&mut outcome, *times),
            Weather::Listed(listings) => {
                self.succeed(&mut outcome, 1.0);
                outcome.verdict = Verdict::Down;
                outcome.reason = Some(Reason::Listed);
                outcome.listings.clone_from(listings);
            }
        }
        Some(outcome)
    }

    fn succeed(&self, outcome: &mut Outcome, times: f64) {
        // now and then a run is slow for no reason anybody finds out
        let hiccup = if self.chance(1) < 0.0008 { 9.0 } else { 1.0 };
        let mut total = 0.0;
        for (index, (phase, quiet_ms)) in self.habit.phases.iter().enumerate() {
            let spread = self.chance(100 + index as u64);
            // most runs are near the least, a few far from it
            let ms = quiet_ms
                * self.load
                * times
                * hiccup
                * (0.85 + 0.3 * spread + 0.9 * spread.powi(9));
            outcome.phases.set(phase, tenth(ms));
            total += ms;
        }
        outcome.took_ms = Some(tenth(total + 0.4));
        if total > self.habit.slow_ms {
            outcome.verdict = Verdict::Degraded;
            outcome.reason = Some(Reason::Slow);
        }
        outcome.facts = self.facts();
    }

    fn fail(&self, outcome: &mut Outcome, verdict: Verdict, reason: &Reason) {
        outcome.verdict = verdict;
        outcome.reason = Some(reason.clone());
        let waits = matches!(reason, Reason::Timeout | Reason::ConnectTimeout);
        let took = if waits { self.habit.timeout_ms } else { 18.0 + 30.0 * self.chance(2) };
        outcome.took_ms = Some(tenth(took));
        if *reason == Reason::ServiceUnavailable {
            outcome.facts.set("http_status", Box::from("503"));
        }
    }

    fn facts(&self) -> Pairs<Box<str>> {
        let mut facts = Pairs::default();
        let speaks_http = |phase: &str| matches!(phase, "request" | "options" | "mailbox");
        if self.habit.phases.iter().any(|(phase, _)| speaks_http(phase)) {
            facts.set("http_status", Box::from("200"));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_spread_evenly_and_stays_the_same() {
        let mean = (0..10_000).map(|n| chance(&[7, n])).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert!((0..10_000).all(|n| (0.0..1.0).contains(&chance(&[n]))));
        assert!((chance(&[1, 2]) - chance(&[1, 2])).abs() < f64::EPSILON);
        assert!((chance(&[1, 2]) - chance(&[2, 1])).abs() > f64::EPSILON);
    }

    #[test]
    fn days_are_busier_than_nights_and_weekends() {
        assert!(bustle(10.0, true) > 1.5);
        assert!(bustle(3.0, true) < 1.05);
        assert!(bustle(10.0, false) < 1.2);
    }

    #[test]
    fn weather_decides_the_verdict() {
        let (agent, probe) =
            (AgentName::new("a").expect("an id"), ProbeId::new("p").expect("an id"));
        let check = |weather: Weather, verdict: Verdict, reason: Option<Reason>| {
            let run = Run {
                agent: &agent,
                probe: &probe,
                habit: &OWA,
                seed: 1,
                due_ms: 1_790_000_000_000,
                attempt: 0,
                next_due_ms: 300_000,
                load: 1.0,
            };
            let outcome = run.outcome(&weather).expect("an outcome");
            assert_eq!((outcome.verdict, &outcome.reason), (verdict, &reason), "{weather:?}");
        };
        check(Weather::Fair, Verdict::Up, None);
        check(Weather::Heavy(20.0), Verdict::Degraded, Some(Reason::Slow));
        check(Weather::Down(Reason::Timeout), Verdict::Down, Some(Reason::Timeout));
        check(Weather::Unknown(Reason::Isolated), Verdict::Unknown, Some(Reason::Isolated));
        check(Weather::Listed(Vec::new()), Verdict::Down, Some(Reason::Listed));
    }
}
