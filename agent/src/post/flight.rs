//! A message under way: what is known of it, and what that makes of its run's outcome, one
//! revision after the other. Pure: times come in, tellings go out; who sends, finds and records
//! is left to others.

use mailward_evidence::record::Pairs;
use mailward_evidence::{Reason, Verdict};
use serde::{Deserialize, Serialize};

/// An arrival so long after it was lost is still recorded.
pub const AFTER_LOST_MS: i64 = 86_400_000;

/// What is known of a message under way. It is what the ledger keeps, so a restart forgets
/// nothing of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    /// Its token.
    pub token: String,
    /// The probe that sent it.
    pub probe: String,
    /// When the run was due.
    pub due_ms: i64,
    /// Which attempt the run was.
    pub attempt: u32,
    /// From this run's due time to the next.
    pub next_due_ms: u64,
    /// When sending began, on the wall clock.
    pub sent_ms: i64,
    /// When the server said that it has it; `None` while nobody knows.
    pub handed_ms: Option<i64>,
    /// No arrival by then is late.
    pub timeout_ms: i64,
    /// No arrival by then is lost.
    pub lost_after_ms: i64,
    /// Slower than this is degraded.
    pub slow_ms: Option<i64>,
    /// Where it, or its bounce, can arrive.
    pub routes: Vec<String>,
    /// Whether the server asked to come back later before it took it.
    pub greylisted: bool,
    /// Whether the run that sent it is settled, so that what follows it is known.
    pub settled: bool,
    /// Phases of the hand-over.
    pub phases: Pairs<f64>,
    /// Facts so far.
    pub facts: Pairs<Box<str>>,
    /// The last revision that was told.
    pub revision: Option<u32>,
    /// How far it has come.
    pub stage: Stage,
    /// What was told last, as the record has it: told again after a restart.
    pub told: Option<String>,
    /// The arrival, when it came before the run was settled.
    pub arrival: Option<Arrived>,
}

/// How far a message has come, as far as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nothing was told.
    UnderWay,
    /// It was told that it is late, or that nobody could look.
    Late,
    /// It was told that it is lost, or that nobody could look.
    Lost,
    /// Nothing more will be told.
    Over,
}

/// That a message arrived, or came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    /// From the hand-over, in milliseconds.
    pub delivery_ms: i64,
    /// What became of it.
    pub how: How,
    /// Facts about it.
    pub facts: Pairs<Box<str>>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It is where it should be.
    Well,
    /// It is in a junk folder.
    Junked,
    /// It is not as it should be.
    Altered,
    /// It came back as undeliverable.
    Bounced,
}

/// Whether the places a message can arrive at were looked at when it should have been there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// They were.
    Clear,
    /// They could not be: since when nobody knows, and why.
    Blind(Reason, String),
}

/// What is to be told of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// Of this revision.
    pub revision: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<Reason>,
    /// How long it took to arrive, if it did.
    pub delivery_ms: Option<i64>,
    /// How long the run took.
    pub took_ms: i64,
    /// Facts on top of those of the hand-over.
    pub facts: Pairs<Box<str>>,
}

impl Flight {
    /// When it started its way: at the hand-over, or when it may have been handed over.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.handed_ms.unwrap_or(self.sent_ms)
    }

    /// When there is something to tell if nothing arrives before; `None` while its run is not
    /// settled or nothing more is to come.
    #[must_use]
    pub fn next_ms(&self) -> Option<i64> {
        if !self.settled {
            return None;
        }
        if self.arrival.is_some() {
            return Some(i64::MIN);
        }
        let start = self.start_ms();
        match self.stage {
            Stage::UnderWay => Some(start + self.timeout_ms),
            Stage::Late => Some(start + self.lost_after_ms),
            Stage::Lost => Some(start + self.lost_after_ms + AFTER_LOST_MS),
            Stage::Over => None,
        }
    }

    /// Whether an arrival would still be told.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.stage != Stage::Over && self.arrival.is_none()
    }

    /// What is to be told at `now_ms`, if anything; it counts as told.
    pub fn tell(&mut self, now_ms: i64, sight: &Sight) -> Option<Telling> {
        if !self.settled || self.stage == Stage::Over {
            return None;
        }
        if let Some(arrived) = self.arrival.take() {
            return Some(self.tell_arrival(arrived));
        }
        if self.next_ms()? > now_ms {
            return None;
        }
        let start = self.start_ms();
        let late = now_ms - start;
        match self.stage {
            // one that was lost while nobody told is told as lost at once
            Stage::UnderWay | Stage::Late if late >= self.lost_after_ms => {
                self.stage = Stage::Lost;
                Some(self.tell_absence(Verdict::Down, Reason::MailLost, self.lost_after_ms, sight))
            }
            Stage::UnderWay => {
                self.stage = Stage::Late;
                Some(self.tell_absence(Verdict::Degraded, Reason::MailLate, self.timeout_ms, sight))
            }
            Stage::Lost => {
                self.stage = Stage::Over;
                None
            }
            Stage::Late | Stage::Over => None,
        }
    }

    fn tell_absence(
        &mut self,
        verdict: Verdict,
        reason: Reason,
        took_ms: i64,
        sight: &Sight,
    ) -> Telling {
        let mut facts = Pairs::default();
        let (verdict, reason) = match (self.handed_ms, sight) {
            // nobody knows whether there is a message to wait for
            (None, _) => {
                let detail = "the server never said whether it has the message";
                facts.set("detail", detail.into());
                (Verdict::Unknown, Reason::Timeout)
            }
            (_, Sight::Blind(why, detail)) => {
                facts.set("overruled", format!("{verdict}: {reason}").into());
                facts.set("detail", detail.as_str().into());
                (Verdict::Unknown, why.clone())
            }
            (_, Sight::Clear) => (verdict, reason),
        };
        let revision = self.next_revision();
        Telling { revision, verdict, reason: Some(reason), delivery_ms: None, took_ms, facts }
    }

    fn tell_arrival(&mut self, arrived: Arrived) -> Telling {
        let delivery_ms = arrived.delivery_ms.max(0);
        let (verdict, reason) = match arrived.how {
            How::Bounced => (Verdict::Down, Some(Reason::MailBounced)),
            _ if delivery_ms > self.lost_after_ms => (Verdict::Down, Some(Reason::MailLost)),
            How::Altered => (Verdict::Down, Some(Reason::MailAltered)),
            How::Junked => (Verdict::Degraded, Some(Reason::MailJunked)),
            How::Well if delivery_ms > self.timeout_ms => {
                (Verdict::Degraded, Some(Reason::MailLate))
            }
            How::Well if self.greylisted => (Verdict::Degraded, Some(Reason::Greylisted)),
            How::Well if self.slow_ms.is_some_and(|slow| delivery_ms > slow) => {
                (Verdict::Degraded, Some(Reason::Slow))
            }
            How::Well => (Verdict::Up, None),
        };
        self.stage = Stage::Over;
        let revision = self.next_revision();
        let took_ms = delivery_ms;
        let delivery_ms = (arrived.how != How::Bounced).then_some(delivery_ms);
        Telling { revision, verdict, reason, delivery_ms, took_ms, facts: arrived.facts }
    }

    fn next_revision(&mut self) -> u32 {
        let revision = self.revision.map_or(0, |last| last + 1);
        self.revision = Some(revision);
        revision
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flight() -> Flight {
        Flight {
            token: "t".to_owned(),
            probe: "p".to_owned(),
            due_ms: 0,
            attempt: 0,
            next_due_ms: 300_000,
            sent_ms: 900,
            handed_ms: Some(1_000),
            timeout_ms: 60_000,
            lost_after_ms: 120_000,
            slow_ms: Some(5_000),
            routes: Vec::new(),
            greylisted: false,
            settled: true,
            phases: Pairs::default(),
            facts: Pairs::default(),
            revision: None,
            stage: Stage::UnderWay,
            told: None,
            arrival: None,
        }
    }

    fn arrived(delivery_ms: i64, how: How) -> Arrived {
        Arrived { delivery_ms, how, facts: Pairs::default() }
    }

    type Told = (u32, Verdict, Option<Reason>, Option<i64>);

    /// What is told when time passes in steps and the message arrives at the end.
    fn told(mut flight: Flight, looks_ms: &[i64], arrival: Option<Arrived>) -> Vec<Told> {
        let mut tellings: Vec<_> =
            looks_ms.iter().filter_map(|now| flight.tell(*now, &Sight::Clear)).collect();
        flight.arrival = arrival.filter(|_| flight.is_awaited());
        tellings.extend(flight.tell(i64::MAX, &Sight::Clear));
        tellings.into_iter().map(|t| (t.revision, t.verdict, t.reason, t.delivery_ms)).collect()
    }

    #[test]
    fn what_becomes_of_a_message() {
        use Verdict::{Degraded, Down, Up};
        let late = (0, Degraded, Some(Reason::MailLate), None);
        let lost = (1, Down, Some(Reason::MailLost), None);
        let check = |looks: &[i64], arrival, expect: &[Told]| {
            assert_eq!(told(flight(), looks, arrival), expect, "{looks:?}");
        };
        let some = |ms, how| Some(arrived(ms, how));
        check(&[60_999], some(4_000, How::Well), &[(0, Up, None, Some(4_000))]);
        check(&[], some(6_000, How::Well), &[(0, Degraded, Some(Reason::Slow), Some(6_000))]);
        check(&[], some(9, How::Junked), &[(0, Degraded, Some(Reason::MailJunked), Some(9))]);
        check(&[], some(9, How::Altered), &[(0, Down, Some(Reason::MailAltered), Some(9))]);
        check(&[], some(9, How::Bounced), &[(0, Down, Some(Reason::MailBounced), None)]);
        let then = (1, Degraded, Some(Reason::MailLate), Some(70_000));
        check(&[61_000, 61_001], some(70_000, How::Well), &[late.clone(), then]);
        let then = (2, Down, Some(Reason::MailLost), Some(200_000));
        check(&[61_000, 121_000], some(200_000, How::Well), &[late.clone(), lost.clone(), then]);
        let then = (1, Down, Some(Reason::MailBounced), None);
        check(&[61_000], some(70_000, How::Bounced), &[late.clone(), then]);
        // the agent was away in between
        let lost_at_once = (0, Down, Some(Reason::MailLost), None);
        check(&[130_000], None, &[lost_at_once]);
        let over = 121_000 + AFTER_LOST_MS;
        check(&[61_000, 121_000, over], some(AFTER_LOST_MS, How::Well), &[late, lost]);
    }

    #[test]
    fn what_nobody_could_see_is_unknown() {
        let blind = Sight::Blind(Reason::ConnectRefused, "no mailbox".to_owned());
        let mut one = flight();
        let telling = one.tell(61_000, &blind).unwrap();
        let said = (telling.verdict, telling.reason.clone());
        assert_eq!(said, (Verdict::Unknown, Some(Reason::ConnectRefused)));
        assert_eq!(telling.facts.get("overruled").map(AsRef::as_ref), Some("degraded: mail_late"));
        let lost = one.tell(121_000, &Sight::Clear).unwrap();
        let said = (lost.revision, lost.verdict, lost.reason);
        assert_eq!(said, (1, Verdict::Down, Some(Reason::MailLost)));

        let mut doubtful = Flight { handed_ms: None, ..flight() };
        let telling = doubtful.tell(60_900, &Sight::Clear).unwrap();
        assert_eq!((telling.verdict, telling.reason), (Verdict::Unknown, Some(Reason::Timeout)));
        doubtful.arrival = Some(arrived(70_000, How::Well));
        let telling = doubtful.tell(61_000, &Sight::Clear).unwrap();
        assert_eq!((telling.revision, telling.delivery_ms), (1, Some(70_000)));
    }

    #[test]
    fn nothing_is_told_before_the_run_is_settled() {
        let mut early = Flight { settled: false, ..flight() };
        early.arrival = Some(arrived(5, How::Well));
        assert_eq!((early.next_ms(), early.tell(i64::MAX, &Sight::Clear)), (None, None));
        early.settled = true;
        assert_eq!(early.tell(0, &Sight::Clear).map(|t| t.delivery_ms), Some(Some(5)));
    }

    proptest! {
        /// Revisions count up from 0, whatever happens in whatever order, and what is told is
        /// told once.
        #[test]
        fn revisions_count_up(
            mut looks in proptest::collection::vec(0..200_000_000i64, 0..12),
            arrival in proptest::option::of((0..200_000_000i64, 0..13usize)),
            how in 0..4usize,
        ) {
            looks.sort_unstable();
            let mut flight = flight();
            let how = [How::Well, How::Junked, How::Altered, How::Bounced][how];
            let mut revisions = Vec::new();
            for (at, now) in looks.iter().enumerate() {
                if let Some((ms, when)) = arrival && when == at && flight.is_awaited() {
                    flight.arrival = Some(arrived(ms, how));
                }
                revisions.extend(flight.tell(*now, &Sight::Clear).map(|t| t.revision));
            }
            let expect: Vec<u32> = (0..revisions.len() as u32).collect();
            prop_assert!(revisions.len() <= 3);
            prop_assert_eq!(revisions, expect);
        }

        #[test]
        fn the_ledger_keeps_it_whole(probe in "[a-z]{1,9}", due_ms in any::<i64>(), settled: bool) {
            let flight = Flight { probe, due_ms, settled, ..flight() };
            let line = serde_json::to_string(&flight).unwrap();
            prop_assert_eq!(serde_json::from_str::<Flight>(&line).unwrap(), flight);
        }
    }
}
