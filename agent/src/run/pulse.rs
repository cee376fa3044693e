//! How the agent is, told by what it really does: the schedule is looked at, and the outbox
//! answers and loses nothing. Whether anybody acts on it is the caller's.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{InForce, Pulse};
use mailward_evidence::{Clock, Stopwatch};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::outbox::keeper::{OutboxHandle, Unwritten};

/// How long the schedule may go without being looked at; it is looked at every second.
const STILL: Duration = Duration::from_secs(5);

/// What the agent works by.
#[derive(Clone)]
pub(super) struct Working {
    /// The last definition that it was given.
    pub(super) by: Arc<InForce>,
    /// How many probes it runs.
    pub(super) probes: usize,
    /// Why that definition could not be taken up, if so.
    pub(super) obstacle: Option<String>,
}

/// The parts that are looked at.
pub(super) struct Vitals {
    pub(super) working: watch::Receiver<Working>,
    /// When the schedule was looked at last, on the monotonic clock.
    pub(super) turned: watch::Receiver<Option<Duration>>,
    pub(super) outbox: OutboxHandle,
    pub(super) clock: Arc<dyn Clock>,
    /// Records that were lost until the last look.
    pub(super) lost: u64,
}

impl Vitals {
    /// Tells how the agent is from the first look at the schedule on, until it is dropped.
    pub(super) async fn keep(mut self, pulse: watch::Sender<Option<Pulse>>, every: Duration) {
        // one that is gone is not heard, and shows as a schedule that stands still
        let _ = self.turned.wait_for(Option::is_some).await;
        while !pulse.is_closed() {
            let Working { by, .. } = self.working.borrow_and_update().clone();
            let said = self.check(&by, &pulse, every).await;
            pulse.send_replace(Some(Pulse { by, said }));
            tokio::select! {
                () = sleep(every) => {}
                Ok(()) = self.working.changed() => {}
            }
        }
        // a part of the agent does not end by itself
        std::future::pending().await
    }

    async fn check(
        &mut self,
        by: &Arc<InForce>,
        pulse: &watch::Sender<Option<Pulse>>,
        every: Duration,
    ) -> Result<String, String> {
        let asked = Stopwatch::start();
        let outbox = self.outbox.clone();
        let mut answer = std::pin::pin!(outbox.flush());
        let answer = loop {
            match timeout(every, &mut answer).await {
                Ok(answer) => break answer,
                Err(_) => {
                    let seconds = asked.elapsed().as_secs();
                    let said = Err(format!("the outbox has not answered for {seconds} seconds"));
                    pulse.send_replace(Some(Pulse { by: Arc::clone(by), said }));
                }
            }
        };
        let refused = match answer {
            Ok(()) => false,
            // it is tried again every two seconds, and a restart would lose what waits in memory
            Err(Unwritten::Refused) => true,
            Err(error @ Unwritten::Closed(_)) => return Err(error.to_string()),
        };
        let lost = self.outbox.lost();
        let newly_lost = lost.saturating_sub(std::mem::replace(&mut self.lost, lost));
        if newly_lost > 0 {
            return Err(format!("{newly_lost} records were lost because the disk refuses them"));
        }
        let turned = *self.turned.borrow();
        let still = self.clock.read().mono.saturating_sub(turned.unwrap_or_default());
        if still > STILL {
            return Err(format!("the schedule has stood still for {} seconds", still.as_secs()));
        }
        Ok(self.line(refused))
    }

    fn line(&self, refused: bool) -> String {
        let Working { probes, obstacle, .. } = &*self.working.borrow();
        let records = self.outbox.stats().records;
        let mut line = format!("{probes} probes; {records} records wait for the reporter");
        if refused {
            line.push_str("; the disk refuses the outbox, records wait in memory");
        }
        if let Some(why) = obstacle {
            line.push_str("; the new definition cannot be taken up: ");
            line.push_str(why);
        }
        line
    }
}
