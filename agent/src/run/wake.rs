//! Wakes the planner once a minute, by tokio-cron-scheduler, so that it looks which crons are
//! due soon. It decides nothing: that scheduler keeps a fixed offset from UTC over a clock change
//! and reads the clock itself, so the calendar is `schedule::Cron`'s.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Every minute, in any zone.
const EVERY_MINUTE: &str = "0 * * * * *";

/// A wake-up call once a minute, or never.
pub(super) struct Wake {
    calls: mpsc::Receiver<()>,
    /// So that the channel stays open where nobody calls.
    _caller: mpsc::Sender<()>,
    scheduler: Option<JobScheduler>,
}

impl Wake {
    pub(super) async fn start(
        wanted: bool,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Self::start_at(wanted.then_some(EVERY_MINUTE)).await
    }

    async fn start_at(
        cron: Option<&str>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (caller, calls) = mpsc::channel(1);
        let mut scheduler = None;
        if let Some(cron) = cron {
            let started = JobScheduler::new().await?;
            let call = caller.clone();
            let job = Job::new(cron, move |_, _| {
                // a call that was not heard yet is call enough
                let _ = call.try_send(());
            })?;
            started.add(job).await?;
            started.start().await?;
            scheduler = Some(started);
        }
        Ok(Self { calls, _caller: caller, scheduler })
    }

    /// A wake-up that a test calls.
    #[cfg(test)]
    pub(super) fn by_hand() -> (mpsc::Sender<()>, Self) {
        let (caller, calls) = mpsc::channel(1);
        (caller.clone(), Self { calls, _caller: caller, scheduler: None })
    }

    /// Sees to it that somebody calls, if that is wanted from now on.
    pub(super) async fn ensure(&mut self, wanted: bool) {
        if !wanted || self.scheduler.is_some() {
            return;
        }
        match Self::start(true).await {
            Ok(wake) => *self = wake,
            Err(error) => {
                tracing::error!(%error, "crons are not woken; restart the agent");
            }
        }
    }

    /// Waits for the next call.
    pub(super) async fn called(&mut self) {
        self.calls.recv().await;
    }

    pub(super) async fn stop(mut self) {
        if let Some(scheduler) = &mut self.scheduler
            && let Err(error) = scheduler.shutdown().await
        {
            tracing::debug!(%error, "the wake-up for crons did not stop by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn it_calls_and_stops() {
        let mut wake = Wake::start_at(Some("* * * * * *")).await.unwrap();
        let called = tokio::time::timeout(std::time::Duration::from_secs(30), wake.called());
        called.await.expect("a call every second");
        wake.stop().await;
    }
}
