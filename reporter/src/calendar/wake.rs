//! What the calendar does when it is woken, and who wakes it: tokio-cron-scheduler, each
//! minute. What is due is decided elsewhere; here it is done, and noted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::Clock;
use tokio::sync::watch;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::{Task, drafts, due, last_digest};
use crate::brand::Brand;
use crate::clock::Month;
use crate::language::Language;
use crate::month::{self, ComputeError};
use crate::post::{self, PostError};
use crate::publish::{CALENDAR, Files, PublishError, Publisher};
use crate::sign::SigningKey;
use crate::store::{Store, StoreError};

/// The line of the ledger that holds the month in which the calendar first woke. Months before
/// it are somebody else's: imported evidence of long ago is not published by itself.
const SINCE: &str = "calendar/since";
/// The line of the ledger that holds the last local date on which old outcomes were deleted.
const FORGOTTEN: &str = "calendar/forgotten";

/// Why the calendar did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// The ledger could not be read or written.
    #[error("read the calendar's ledger")]
    Ledger(#[source] StoreError),
    /// Outcomes past their retention could not be deleted.
    #[error("delete outcomes past their retention")]
    Retention(#[source] StoreError),
    /// A month could not be drafted or published.
    #[error("{task}")]
    Task {
        /// What was to be done.
        task: String,
        /// Why it was not.
        #[source]
        source: PublishError,
    },
    /// The files of a draft could not be kept.
    #[error("keep the draft of {month}")]
    Draft {
        /// Which month.
        month: Month,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A letter could not be queued.
    #[error("queue a letter")]
    Post(#[from] PostError),
    /// The month so far, which a digest tells of, could not be computed.
    #[error("compute the digest of {month}")]
    Digest {
        /// Which month.
        month: Month,
        /// Why.
        #[source]
        source: ComputeError,
    },
    /// The scheduler could not be set up.
    #[error("set up the scheduler that wakes the calendar")]
    Scheduler(#[source] JobSchedulerError),
}

/// The calendar of one service.
#[derive(Clone)]
pub struct Calendar {
    /// Where evidence, editions and the ledger are.
    pub store: Store,
    /// What is watched and promised, and when it is published.
    pub catalogue: Arc<Catalogue>,
    /// The text of the definition.
    pub definition: Arc<str>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Marks what is published DEMO.
    pub demo: bool,
    /// The data directory, where drafts are kept as files.
    pub data: PathBuf,
    /// What editions are signed with.
    pub key: Arc<SigningKey>,
}

impl Calendar {
    /// Does what is due, the oldest first, and says what it did. What fails stays due. Blocks.
    ///
    /// # Errors
    /// At the first task that fails, or when the ledger cannot be read or written.
    pub fn turn(&self) -> Result<Vec<Task>, CalendarError> {
        let now_ms = self.clock.now().as_millisecond();
        let done = self.months(now_ms);
        // what is published is mailed, also where another month cannot be published
        let mailed = self.mail(now_ms);
        self.forget(now_ms)?;
        mailed.and(done)
    }

    /// Queues letters about what was published, by whomever, and the digest that is due.
    fn mail(&self, now_ms: i64) -> Result<(), CalendarError> {
        let Some(distribution) = &self.catalogue.distribution else { return Ok(()) };
        let since_ms = post::since_ms(&self.store, now_ms).map_err(CalendarError::Ledger)?;
        let queued = post::queue_editions(&self.store, distribution, since_ms, now_ms)?;
        if queued > 0 {
            tracing::info!(editions = queued, "queued letters about what was published");
        }
        let Some(day) = distribution.digest else { return Ok(()) };
        let zone = &self.catalogue.service.zone;
        let due = last_digest(now_ms, day, self.catalogue.report.publish_at, zone);
        let Some((date, _)) = due.filter(|(_, due_ms)| *due_ms >= since_ms) else {
            return Ok(());
        };
        if self.store.knows_letter(&format!("digest/{date}")).map_err(CalendarError::Ledger)? {
            return Ok(());
        }
        // on the first of a month there is nothing of it yet: tell of the day before
        let month = Month::of(now_ms.saturating_sub(86_400_000), zone);
        let judged = month::compute(&self.store, &self.catalogue, month, now_ms);
        let mut report = judged.map_err(|source| CalendarError::Digest { month, source })?;
        report.demo = self.demo;
        let branding = self.catalogue.branding.as_ref();
        report.brand = branding.map(|branding| Arc::new(Brand::of(branding)));
        let say = Language::of(&self.catalogue);
        post::queue_digest(&self.store, distribution, (date, &report, &say), now_ms)?;
        Ok(())
    }

    fn months(&self, now_ms: i64) -> Result<Vec<Task>, CalendarError> {
        let zone = &self.catalogue.service.zone;
        let running = Month::of(now_ms, zone);
        let since = self.since(running)?;
        let noted = self.noted(since, running)?;
        let open =
            |first| due(now_ms, &|task| noted.contains(&task), &self.catalogue.report, zone, first);
        if open(since).is_empty() {
            return Ok(Vec::new());
        }
        let Some(first) = self.first_evidence(now_ms)? else { return Ok(Vec::new()) };
        let tasks = open(since.max(first));
        for task in &tasks {
            self.do_task(*task, now_ms)?;
        }
        Ok(tasks)
    }

    /// Deletes raw outcomes past their retention, once a local day.
    fn forget(&self, now_ms: i64) -> Result<(), CalendarError> {
        let zone = self.catalogue.service.zone.clone();
        let today = self.clock.now().to_zoned(zone).date();
        let noted = self.store.ledger_get(FORGOTTEN).map_err(CalendarError::Ledger)?;
        let last: Option<jiff::civil::Date> = noted.and_then(|text| text.parse().ok());
        if last.is_some_and(|last| last >= today) {
            return Ok(());
        }
        let keep = self.catalogue.reporter.raw_retention;
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let gone = self.store.forget_raw(now_ms, keep_ms).map_err(CalendarError::Retention)?;
        if gone > 0 {
            tracing::info!(outcomes = gone, "deleted outcomes past their retention");
        }
        self.store.ledger_put(FORGOTTEN, &today.to_string()).map_err(CalendarError::Ledger)
    }

    /// The month in which the calendar first woke; noted the first time.
    fn since(&self, running: Month) -> Result<Month, CalendarError> {
        let noted = self.store.ledger_get(SINCE).map_err(CalendarError::Ledger)?;
        if let Some(month) = noted.and_then(|text| text.parse().ok()) {
            return Ok(month);
        }
        self.store.ledger_put(SINCE, &running.to_string()).map_err(CalendarError::Ledger)?;
        Ok(running)
    }

    /// What the ledger says was done.
    fn noted(&self, since: Month, running: Month) -> Result<Vec<Task>, CalendarError> {
        let mut done = Vec::new();
        let mut month = since;
        while month < running {
            for task in [Task::Draft(month), Task::Publish(month)] {
                if self.store.ledger_get(&task.key()).map_err(CalendarError::Ledger)?.is_some() {
                    done.push(task);
                }
            }
            month = month.next();
        }
        Ok(done)
    }

    /// The month of the very first evidence, if there is any.
    fn first_evidence(&self, now_ms: i64) -> Result<Option<Month>, CalendarError> {
        let evidence =
            self.store.evidence(now_ms - 1, now_ms, now_ms).map_err(CalendarError::Ledger)?;
        let outcomes = evidence.streams.iter().map(|stream| stream.first_due_ms);
        let rosters = evidence.rosters.iter().map(|roster| roster.at.ms());
        let first = outcomes.chain(rosters).min();
        Ok(first.map(|at_ms| Month::of(at_ms, &self.catalogue.service.zone)))
    }

    fn do_task(&self, task: Task, now_ms: i64) -> Result<(), CalendarError> {
        let failed = |source| CalendarError::Task { task: task.to_string(), source };
        let publisher = Publisher {
            store: &self.store,
            catalogue: &self.catalogue,
            definition: &self.definition,
            demo: self.demo,
            key: &self.key,
        };
        let note = match task {
            Task::Draft(month) => {
                let draft = publisher.draft(month, now_ms).map_err(failed)?;
                let files = Files::of(&draft, &Language::of(&self.catalogue))
                    .map_err(|e| failed(PublishError::Render(e)))?;
                drafts::keep(&self.data, month, &files)
                    .map_err(|source| CalendarError::Draft { month, source })?;
                files.report_json
            }
            Task::Publish(month) => {
                // somebody may have published it by hand, or this program may have stopped
                // between publishing and noting it
                let known = self.store.editions(Some(&month.to_string()));
                if known.map_err(CalendarError::Ledger)?.is_empty() {
                    publisher.publish(month, CALENDAR, None, now_ms).map_err(failed)?;
                }
                self.clock.now().to_string()
            }
        };
        self.store.ledger_put(&task.key(), &note).map_err(CalendarError::Ledger)?;
        tracing::info!(month = %task.month(), "{task}");
        Ok(())
    }

    /// The same calendar by another definition.
    fn by(&self, definition: &InForce) -> Self {
        let catalogue = definition.catalogue.clone();
        Self { catalogue, definition: definition.normal.clone(), ..self.clone() }
    }

    /// Takes a turn now and one each minute from now on, one at a time, until the
    /// [`Waking`] is stopped, each by the definition that is in force by then. What fails is logged and tried again.
    ///
    /// # Errors
    /// When the scheduler cannot be set up.
    pub async fn wake(
        self,
        definition: watch::Receiver<Arc<InForce>>,
    ) -> Result<Waking, CalendarError> {
        let busy = Arc::new(AtomicBool::new(false));
        let calendar = Arc::new((self, definition));
        let scheduler = JobScheduler::new().await.map_err(CalendarError::Scheduler)?;
        let (each, at_work) = (calendar.clone(), busy.clone());
        let job = Job::new_async("0 * * * * *", move |_, _| {
            Box::pin(one_turn(each.clone(), at_work.clone()))
        });
        let job = job.map_err(CalendarError::Scheduler)?;
        scheduler.add(job).await.map_err(CalendarError::Scheduler)?;
        scheduler.start().await.map_err(CalendarError::Scheduler)?;
        tokio::spawn(one_turn(calendar, busy));
        Ok(Waking { scheduler })
    }
}

/// A turn on a thread that may block; none where one is at work already.
async fn one_turn(calendar: Arc<(Calendar, watch::Receiver<Arc<InForce>>)>, busy: Arc<AtomicBool>) {
    if busy.swap(true, Ordering::AcqRel) {
        return;
    }
    let (calendar, definition) = &*calendar;
    let calendar = calendar.by(&definition.borrow());
    match tokio::task::spawn_blocking(move || calendar.turn()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the calendar could not do what is due; it tries again");
        }
        Err(error) => tracing::error!(%error, "the calendar broke off"),
    }
    busy.store(false, Ordering::Release);
}

/// The scheduler that wakes the calendar.
pub struct Waking {
    scheduler: JobScheduler,
}

impl Waking {
    /// Stops waking. A turn at work is finished.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop in order");
        }
    }
}
