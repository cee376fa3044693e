//! Wakes the planner once a minute, by tokio-cron-scheduler, so that it looks which crons are
//! due soon. It decides nothing: that scheduler keeps a fixed offset from UTC over a clock change
//! and reads the clock itself, so the calendar is `schedule::Cron`'s.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

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
        let (caller, calls) = mpsc::channel(1);
        let mut scheduler = None;
        if wanted {
            let started = JobScheduler::new().await?;
            let call = caller.clone();
            let job = Job::new("0 * * * * *", move |_, _| {
                // a call that was not heard yet is call enough
                let _ = call.try_send(());
            })?;
            started.add(job).await?;
            started.start().await?;
            scheduler = Some(started);
        }
        Ok(Self { calls, _caller: caller, scheduler })
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
