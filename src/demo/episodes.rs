//! The plot: what went wrong when, for whom. Every episode lies wholly inside its month and
//! before the end of the story, or is left out.

use anyhow::Result;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use mailward_evidence::{Listing, Reason};

use super::months::{Month, Role};
use super::runs::{self, Habit, Weather, chance, seed};
use super::{LISTED_ADDRESS, LIVE, PAST, Watcher};

/// How an episode shows itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Every run fails.
    Down(Reason),
    /// This share of the scheduled runs fails, each once.
    Blips(f64, Reason),
    /// Everything takes so many times as long.
    Slow(f64),
    /// These addresses are listed.
    Listed(Vec<Listing>),
    /// The agent runs, and cannot tell.
    Isolated,
    /// The agent is silent.
    Silent,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Episode {
    /// Whose runs it touches.
    pub(crate) watchers: Vec<&'static str>,
    /// Which probes; none means all of them.
    pub(crate) probes: Vec<&'static str>,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) effect: Effect,
}

impl Episode {
    fn touches(&self, agent: &str, probe: &str, at_ms: i64) -> bool {
        (self.from_ms..self.to_ms).contains(&at_ms)
            && self.watchers.contains(&agent)
            && (self.probes.is_empty() || self.probes.contains(&probe))
    }
}

/// What a run due at `at_ms` is up against; `None` when it does not happen. The first episode
/// that touches it decides.
pub(crate) fn weather(
    episodes: &[Episode],
    (agent, probe): (&str, &str),
    at_ms: i64,
    attempt: u32,
) -> Option<Weather> {
    let Some(episode) = episodes.iter().find(|e| e.touches(agent, probe, at_ms)) else {
        return Some(Weather::Fair);
    };
    match &episode.effect {
        Effect::Silent => None,
        Effect::Down(reason) => Some(Weather::Down(reason.clone())),
        Effect::Isolated => Some(Weather::Unknown(Reason::Isolated)),
        Effect::Slow(times) => Some(Weather::Heavy(*times)),
        Effect::Listed(listings) => Some(Weather::Listed(listings.clone())),
        Effect::Blips(share, reason) => {
            let words = [seed(agent), seed(probe), at_ms.unsigned_abs(), 3];
            let hit = attempt == 0 && chance(&words) < *share;
            Some(if hit { Weather::Down(reason.clone()) } else { Weather::Fair })
        }
    }
}

fn listing(address: &str, list: &str, code: &str) -> Listing {
    Listing {
        address: address.into(),
        list: list.into(),
        code: Some(code.into()),
        extra: mailward_evidence::Extra::default(),
    }
}

/// Collects the episodes of one month.
struct Plot<'a> {
    zone: &'a TimeZone,
    month: &'a Month,
    episodes: Vec<Episode>,
}

/// A local time in a month: day, hour, minute.
type Time = (i8, i8, i8);

impl Plot<'_> {
    fn at(&self, (day, hour, minute): Time) -> Result<i64> {
        self.month.at(self.zone, day, hour, minute)
    }

    fn tell(
        &mut self,
        watchers: &[Watcher],
        probes: &[Habit],
        (from, to): (Time, Time),
        effect: Effect,
    ) -> Result<()> {
        let span = (self.at(from)?, self.at(to)?);
        self.tell_at(watchers, probes, span, effect);
        Ok(())
    }

    fn tell_at(
        &mut self,
        watchers: &[Watcher],
        probes: &[Habit],
        (from_ms, to_ms): (i64, i64),
        effect: Effect,
    ) {
        // what ends within two hours of the end of the story is left out, so that the newcomer
        // finds everything working
        let latest_ms = if self.month.is_complete() { 0 } else { 2 * 3_600_000 };
        if from_ms < self.month.from_ms || to_ms > self.month.to_ms - latest_ms {
            return;
        }
        self.episodes.push(Episode {
            watchers: watchers.iter().map(|watcher| watcher.name).collect(),
            probes: probes.iter().map(|habit| habit.probe).collect(),
            from_ms,
            to_ms,
            effect,
        });
    }
}

/// When planned work was done on the web front ends: the second Tuesday of the first month.
pub(crate) fn planned_work_day(month: &Month) -> Result<i8> {
    month.nth(2, Weekday::Tuesday)
}

/// When the work of short notice was done: the third Thursday of the second month.
pub(crate) fn hasty_work_day(month: &Month) -> Result<i8> {
    month.nth(3, Weekday::Thursday)
}

/// When the network provider failed: the second Monday of the third month.
pub(crate) fn provider_failure_day(month: &Month) -> Result<i8> {
    month.nth(2, Weekday::Monday)
}

/// The episodes of a month.
pub(crate) fn episodes(
    month: &Month,
    zone: &TimeZone,
    clock_change_ms: Option<i64>,
) -> Result<Vec<Episode>> {
    let mut plot = Plot { zone, month, episodes: Vec::new() };
    match month.role {
        Role::ClockChange => {}
        Role::Planned => planned(&mut plot)?,
        Role::Night => night(&mut plot)?,
        Role::Busy => busy(&mut plot)?,
        Role::Current => current(&mut plot)?,
    }
    if let Some(at_ms) = clock_change_ms {
        // telephones and tablets lose the service over the clock change: for 95 minutes that
        // take two hours and a half, or half an hour, on the wall
        let span = (at_ms - 65 * 60_000, at_ms + 30 * 60_000);
        plot.tell_at(&[LIVE, PAST], &[runs::EAS], span, Effect::Down(Reason::ServerError));
    }
    Ok(plot.episodes)
}

/// Planned work from 22:00 to 23:30 that overruns until 23:52.
fn planned(plot: &mut Plot<'_>) -> Result<()> {
    let both = [LIVE, PAST];
    let day = planned_work_day(plot.month)?;
    let web = [runs::OWA, runs::OUTLOOK];
    let down = Effect::Down(Reason::ServiceUnavailable);
    plot.tell(&both, &web, ((day, 22, 4), (day, 23, 52)), down)?;
    // a slow afternoon, and one lost quarter of an hour of outgoing mail
    let slow = Effect::Slow(12.0);
    plot.tell(&both, &[runs::PORTAL], ((19, 13, 10), (19, 16, 40)), slow)?;
    let temporary = Effect::Down(Reason::SmtpTemporary);
    plot.tell(&[LIVE], &[runs::OUTGOING], ((26, 11, 20), (26, 11, 34)), temporary)
}

/// A night outage, a blacklisting of two days, work of short notice.
fn night(plot: &mut Plot<'_>) -> Result<()> {
    let both = [LIVE, PAST];
    let down = Effect::Down(Reason::ServiceUnavailable);
    plot.tell(&both, &[runs::OWA], ((8, 2, 13), (8, 3, 41)), down)?;

    let first = listing(LISTED_ADDRESS, "bl.lists.test", "127.0.0.2");
    let second = listing("192.0.2.26", "second.lists.test", "127.0.0.2");
    let one = Effect::Listed(vec![first.clone()]);
    let two = Effect::Listed(vec![first, second]);
    let lists = [runs::BLOCKLISTS];
    plot.tell(&[LIVE], &lists, ((13, 8, 2), (13, 15, 30)), one)?;
    plot.tell(&[LIVE], &lists, ((13, 15, 30), (14, 17, 22)), two)?;

    let day = hasty_work_day(plot.month)?;
    let closed = Effect::Down(Reason::ConnectRefused);
    plot.tell(&both, &[runs::EAS], ((day, 21, 30), (day, 22, 10)), closed)?;

    // for three working days one front end in eight does not answer
    let blips = Effect::Blips(0.12, Reason::ConnectionLost);
    plot.tell(&both, &[runs::OUTLOOK], ((21, 7, 30), (23, 18, 45)), blips)
}

/// A slow portal, a failure of somebody else's network, an agent that falls silent, one that is
/// cut off, intermittent failure, and a certificate.
fn busy(plot: &mut Plot<'_>) -> Result<()> {
    let both = [LIVE, PAST];
    for day in [6, 7, 8] {
        plot.tell(&both, &[runs::PORTAL], ((day, 9, 0), (day, 17, 0)), Effect::Slow(11.5))?;
    }
    let day = provider_failure_day(plot.month)?;
    let unreachable = Effect::Down(Reason::ConnectTimeout);
    plot.tell(&[PAST], &[], ((day, 10, 5), (day, 12, 50)), unreachable)?;
    plot.tell(&[LIVE], &[], ((16, 23, 10), (17, 4, 30)), Effect::Silent)?;
    plot.tell(&[LIVE], &[], ((19, 6, 12), (19, 6, 40)), Effect::Isolated)?;
    let blips = Effect::Blips(0.05, Reason::Timeout);
    plot.tell(&both, &[runs::OWA], ((20, 8, 0), (23, 18, 0)), blips)?;
    let expired = Effect::Down(Reason::CertExpired);
    plot.tell(&both, &[runs::PORTAL], ((28, 0, 0), (28, 7, 48)), expired)?;
    let expired = Effect::Down(Reason::CertExpired);
    plot.tell(&[LIVE], &[runs::PORTAL_CERTIFICATE], ((28, 0, 0), (28, 7, 48)), expired)
}

/// A gateway that asks senders to come back, and a slow morning.
fn current(plot: &mut Plot<'_>) -> Result<()> {
    let temporary = Effect::Down(Reason::SmtpTemporary);
    plot.tell(&[LIVE], &[runs::MX], ((4, 14, 5), (4, 14, 37)), temporary)?;
    let slow = Effect::Slow(9.0);
    plot.tell(&[LIVE, PAST], &[runs::OWA], ((10, 8, 30), (10, 11, 15)), slow)?;
    let closed = Effect::Down(Reason::ConnectRefused);
    plot.tell(&[LIVE, PAST], &[runs::OUTLOOK], ((17, 3, 20), (17, 3, 44)), closed)
}
