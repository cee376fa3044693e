//! Faults on a timetable, so that somebody who watches sees an outage come and go.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::fault::{Fault, Part};
use crate::{Lab, LabError, lists};

/// Something that happens to the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part gets a fault.
    Set(Part, Fault),
    /// A part works again.
    Clear(Part),
    /// Something is put on a blocklist.
    List {
        /// An IP address or a domain.
        subject: String,
        /// The list.
        list: String,
        /// What the list answers.
        code: Ipv4Addr,
        /// What its TXT record says.
        reason: String,
    },
    /// Something is taken off a blocklist.
    Delist {
        /// An IP address or a domain.
        subject: String,
        /// The list.
        list: String,
    },
}

/// An event, when it happens, and what to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Time since the script's start.
    pub at: Duration,
    /// What happens.
    pub event: Event,
    /// The same as a clause in the present tense, such as `OWA stops answering`.
    pub says: String,
}

/// Steps in the order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    steps: Vec<Step>,
    repeat_every: Option<Duration>,
}

impl Script {
    /// A script of these steps, which are put in the order of time; `repeat_every` starts it
    /// anew each so long after its last start.
    #[must_use]
    pub fn new(mut steps: Vec<Step>, repeat_every: Option<Duration>) -> Self {
        steps.sort_by_key(|step| step.at);
        Self { steps, repeat_every }
    }

    /// The demonstration: within two minutes Outlook on the web stops answering and comes back,
    /// `address` is listed and delisted, and the portal becomes slow and quick again. All of it
    /// again every ten minutes.
    #[must_use]
    pub fn demo(address: &str) -> Self {
        let step = |at_s: u64, event: Event, says: &str| Step {
            at: Duration::from_secs(at_s),
            event,
            says: says.to_owned(),
        };
        let subject = address.to_owned();
        let list = lists::BLOCKLIST.to_owned();
        let listed = Event::List {
            subject: subject.clone(),
            list: list.clone(),
            code: Ipv4Addr::new(127, 0, 0, 2),
            reason: format!("listed for the demonstration, see https://{list}/{address}"),
        };
        let slow = Event::Set(Part::Portal, Fault::Slow(Duration::from_millis(2500)));
        let steps = vec![
            step(20, Event::Set(Part::Owa, Fault::Hang), "Outlook Web Access stops answering"),
            step(40, listed, &format!("{address} is put on the blocklist {list}")),
            step(60, slow, "the portal becomes slow"),
            step(80, Event::Clear(Part::Owa), "Outlook Web Access answers again"),
            step(90, Event::Clear(Part::Portal), "the portal is quick again"),
            step(100, Event::Delist { subject, list }, &format!("{address} is off the blocklist")),
        ];
        Self::new(steps, Some(Duration::from_secs(600)))
    }

    /// The steps in the order of time.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How long after its start the script starts anew.
    #[must_use]
    pub const fn repeat_every(&self) -> Option<Duration> {
        self.repeat_every
    }

    /// The steps as lines to print before the script starts: `in  20 s  OWA stops answering`.
    pub fn plan(&self) -> impl Iterator<Item = String> {
        self.steps.iter().map(|step| format!("in {:>3} s  {}", step.at.as_secs(), step.says))
    }
}

impl Lab {
    /// Plays a script, telling each step as it happens; ends with the last one, or never if the
    /// script repeats itself. A step that makes no sense to the lab ends it with an error.
    ///
    /// # Errors
    /// When a step's fault or listing makes no sense.
    pub async fn play(
        &self,
        script: &Script,
        mut tell: impl FnMut(&Step) + Send,
    ) -> Result<(), LabError> {
        let mut start = tokio::time::Instant::now();
        loop {
            for step in script.steps() {
                tokio::time::sleep_until(start + step.at).await;
                self.apply(&step.event).await?;
                tell(step);
            }
            let Some(every) = script.repeat_every() else {
                return Ok(());
            };
            start += every;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demonstration_ends_well_within_two_minutes() {
        let script = Script::demo("192.0.2.25");
        let mut broken = std::collections::BTreeSet::new();
        for step in script.steps() {
            match &step.event {
                Event::Set(part, fault) => {
                    assert!(part.takes(fault), "{part} has no {fault:?}");
                    broken.insert(part.to_string());
                }
                Event::Clear(part) => assert!(broken.remove(&part.to_string()), "{part}"),
                Event::List { subject, list, .. } => {
                    broken.insert(format!("{subject} {list}"));
                }
                Event::Delist { subject, list } => {
                    assert!(broken.remove(&format!("{subject} {list}")));
                }
            }
            assert!(step.at < Duration::from_secs(120), "{step:?}");
        }
        assert!(broken.is_empty(), "left broken: {broken:?}");
    }

    #[test]
    fn the_plan_reads_as_a_timetable() {
        let lines: Vec<_> = Script::demo("192.0.2.25").plan().collect();
        assert_eq!(lines[0], "in  20 s  Outlook Web Access stops answering");
        assert_eq!(lines[5], "in 100 s  192.0.2.25 is off the blocklist");
    }

    #[test]
    fn steps_come_in_the_order_of_time() {
        let step = |at_s| Step {
            at: Duration::from_secs(at_s),
            event: Event::Clear(Part::Owa),
            says: at_s.to_string(),
        };
        let script = Script::new(vec![step(3), step(1), step(2)], None);
        let order: Vec<_> = script.steps().iter().map(|step| step.says.as_str()).collect();
        assert_eq!(order, ["1", "2", "3"]);
    }
}
