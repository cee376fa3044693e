//! Keeps the live state current: looks every second whether anything was stored or a minute
//! has turned, evaluates, renders, and hands the new pages over. It spends at most a tenth of
//! its time on that, however large the store is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::{AgentName, Clock, ProbeId, Stopwatch};
use tokio::sync::watch;
use tokio::time::sleep;

use super::certificates::Certificates;
use super::pulse::Looked;
use crate::brand::Brand;
use crate::http::bundle::Bundle;
use crate::http::serve::stopped;
use crate::http::skin::Skin;
use crate::ingest::receipts::Receipts;
use crate::language::Language;
use crate::metrics::{self, Facts, latency};
use crate::month::{self, Month};
use crate::notify::{Told, observe};
use crate::publish::differs::{self, DiffersError};
use crate::publish::figures;
use crate::render::page::Shell;
use crate::render::words::Standing;
use crate::report::model::Report;
use crate::status::evaluate::{Evaluation, evaluate, window};
use crate::status::{MonthEntry, Status};
use crate::store::{AgentSeen, EditionHead, LetterState, Store, StoreError};

/// The least time between two looks.
const LEAST: Duration = Duration::from_secs(1);
/// How many times as long as it worked it rests.
const REST: u32 = 9;
/// The least age of the month's figures before they are computed again.
const MONTH_LEAST: Duration = Duration::from_secs(5);
/// How many times as long as they took they are left alone.
const MONTH_REST: u32 = 19;

/// Why the live state could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The evidence could not be read.
    #[error("read the evidence of the live state")]
    Store(#[from] StoreError),
    /// A page could not be rendered.
    #[error("render the pages")]
    Render(#[from] askama::Error),
    /// The metrics could not be rendered.
    #[error("render the metrics")]
    Metrics(#[from] prometheus::Error),
}

/// What is needed to make the pages, and what of it is kept between two times.
pub(super) struct Refresh {
    store: Store,
    definition: watch::Receiver<Arc<InForce>>,
    /// The definition that the pages were made by, and what it says.
    in_force: Arc<InForce>,
    catalogue: Arc<Catalogue>,
    clock: Arc<dyn Clock>,
    skin: Arc<Skin>,
    shell: Shell,
    demo: bool,
    /// The store's generation and the minute that the pages were made for.
    made_for: Option<(u64, i64)>,
    so_far: Option<SoFar>,
    counted: HashMap<(String, u32), Counts>,
    /// Whether editions are compared with the evidence by now, and certificates looked for: at the
    /// start, nothing waits for that.
    compares: bool,
    /// Editions that could not be compared with the evidence, and its last change then.
    undecided: HashMap<(String, u32), u64>,
    latencies: latency::Latencies,
    certificates: Certificates,
    receipts: Arc<Receipts>,
    /// What channels of notifications can tell of.
    told: watch::Sender<Told>,
    /// How long agents could deliver.
    running: Stopwatch,
}

/// The running month's figures.
struct SoFar {
    month: Month,
    /// The store's generation and the minute that they were computed for.
    moment: (u64, i64),
    computed: Stopwatch,
    rest: Duration,
    report: Report,
}

#[derive(Clone, Copy)]
struct Counts {
    met: usize,
    missed: usize,
    open: usize,
}

impl Refresh {
    pub(super) fn new(
        store: Store,
        definition: watch::Receiver<Arc<InForce>>,
        clock: Arc<dyn Clock>,
        demo: bool,
        receipts: Arc<Receipts>,
    ) -> Self {
        let in_force = Arc::clone(&definition.borrow());
        let catalogue = Arc::clone(&in_force.catalogue);
        let (skin, shell) = dress(&catalogue, demo);
        let latencies = latency::Latencies::starting(clock.now().as_millisecond());
        Self {
            store,
            definition,
            in_force,
            catalogue,
            clock,
            skin,
            shell,
            demo,
            made_for: None,
            so_far: None,
            counted: HashMap::new(),
            compares: false,
            undecided: HashMap::new(),
            latencies,
            certificates: Certificates::default(),
            receipts,
            told: watch::Sender::new(None),
            running: Stopwatch::start(),
        }
    }

    /// What channels of notifications can tell of, as the live state has it.
    pub(super) fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// The pages as they are at the start, without the month's figures, which may take long.
    pub(super) fn first(&mut self) -> Result<Bundle, RefreshError> {
        self.make(self.clock.now().as_millisecond())
    }

    /// Works by the definition that is in force from now on, and notes it in the store.
    fn take_definition(&mut self) -> Result<(), RefreshError> {
        let in_force = Arc::clone(&self.definition.borrow_and_update());
        if Arc::ptr_eq(&in_force, &self.in_force) {
            return Ok(());
        }
        if !Arc::ptr_eq(&in_force.catalogue, &self.catalogue) {
            self.store.note_definition(&in_force.normal)?;
            self.catalogue = Arc::clone(&in_force.catalogue);
            (self.skin, self.shell) = dress(&self.catalogue, self.demo);
            // figures by the definition before are nobody's any more
            self.so_far = None;
        }
        self.in_force = in_force;
        self.made_for = None;
        Ok(())
    }

    /// That the live state was looked at just now, and is looked at again soon.
    pub(super) fn looked(&self) -> Looked {
        Looked { by: Arc::clone(&self.in_force), at: Stopwatch::start(), pause: LEAST }
    }

    /// New pages, if anything was stored, a minute has turned, or the definition is another.
    fn step(&mut self) -> Result<Option<Bundle>, RefreshError> {
        self.take_definition()?;
        let now_ms = self.clock.now().as_millisecond();
        let moment = (self.store.generation()?, now_ms.div_euclid(60_000));
        let reckoned = self.reckon_month(moment, now_ms);
        if self.made_for == Some(moment) && !reckoned {
            return Ok(None);
        }
        self.compares = true;
        let bundle = self.make(now_ms)?;
        // what was stored while this was made will be seen next time
        self.made_for = Some(moment);
        Ok(Some(bundle))
    }

    /// Computes the month's figures anew where they are out of date and have rested.
    fn reckon_month(&mut self, moment: (u64, i64), now_ms: i64) -> bool {
        let month = Month::of(now_ms, &self.catalogue.service.zone);
        let holds = self.so_far.as_ref().is_some_and(|kept| {
            kept.month == month && (kept.moment == moment || kept.computed.elapsed() < kept.rest)
        });
        if holds {
            return false;
        }
        let took = Stopwatch::start();
        match month::figures(&self.store, &self.catalogue, month, now_ms) {
            Ok(report) => {
                let rest = MONTH_LEAST.max(took.elapsed() * MONTH_REST);
                let computed = Stopwatch::start();
                self.so_far = Some(SoFar { month, moment, computed, rest, report });
                true
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "reckon the month so far");
                false
            }
        }
    }

    fn make(&mut self, now_ms: i64) -> Result<Bundle, RefreshError> {
        let zone = self.catalogue.service.zone.clone();
        let span = window(now_ms, &zone);
        let evidence = self.store.evidence(span.from_ms, span.to_ms, now_ms)?;
        self.read_latencies(now_ms)?;
        let months = self.months(now_ms)?;
        let month = Month::of(now_ms, &zone);
        let so_far =
            self.so_far.as_ref().filter(|kept| kept.month == month).map(|kept| &kept.report);
        let evaluation = evaluate(&self.catalogue, &evidence, so_far, now_ms);
        if self.compares {
            self.certificates.look(&self.store, &self.catalogue, now_ms)?;
        }
        let text = metrics::text(&Facts {
            definition: &self.in_force,
            evaluation: &evaluation,
            so_far,
            agents: &self.agents(now_ms)?,
            tallies: &self.store.tallies()?,
            latencies: &self.latencies,
            months: &months,
            letters: &self.letters()?,
            notices: &self.store.count_notices()?,
            accounts: &self.store.accounts()?,
            certificates: &self.certificates.expiries(&evaluation.voices),
            noted: &self.receipts.noted(),
            backup_ms: self.store.last_backup_ms()?,
            now_ms,
        })?;
        if !self.catalogue.notify.is_empty() {
            let running = self.running.elapsed();
            self.told.send_replace(Some(Arc::new(observe::scopes(&observe::Facts {
                catalogue: &self.catalogue,
                evaluation: &evaluation,
                evidence: &evidence,
                month,
                so_far,
                agents: &self.agents(now_ms)?,
                letters: &self.store.addressees("")?,
                accounts: &self.store.accounts()?,
                running_ms: i64::try_from(running.as_millis()).unwrap_or(i64::MAX),
                now_ms,
            }))));
        }
        let status = self.status(evaluation, months, now_ms);
        Ok(Bundle::new(status, text, &self.shell)?.dressed(Arc::clone(&self.skin)))
    }

    /// When agents last delivered that may still do so: one that was revoked or retired is
    /// silent for good.
    fn agents(&self, now_ms: i64) -> Result<Vec<AgentSeen>, StoreError> {
        let gone: HashSet<AgentName> = self
            .store
            .list_agents()?
            .into_iter()
            .filter(|agent| {
                agent.revoked_ms.is_some() || agent.retired_ms.is_some_and(|at_ms| at_ms <= now_ms)
            })
            .map(|agent| agent.name)
            .collect();
        let mut seen = self.store.agents_seen()?;
        seen.retain(|agent| !gone.contains(&agent.agent));
        Ok(seen)
    }

    /// Letters by state; none where nothing is mailed.
    fn letters(&self) -> Result<Vec<(LetterState, u64)>, StoreError> {
        match self.catalogue.distribution {
            Some(_) => self.store.count_addressees(),
            None => Ok(Vec::new()),
        }
    }

    fn status(&self, evaluation: Evaluation, months: Vec<MonthEntry>, now_ms: i64) -> Status {
        let intervals = || self.catalogue.probes.iter().filter_map(|probe| probe.every_s());
        Status {
            service: self.catalogue.service.name.clone(),
            zone: self.catalogue.service.zone.clone(),
            now_ms,
            demo: self.demo,
            rows: evaluation.rows,
            maintenance: evaluation.maintenance,
            months,
            last_evidence_ms: evaluation.last_evidence_ms,
            every_s: intervals().min().zip(intervals().max()),
        }
    }

    fn read_latencies(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let (from_ms, to_ms) = self.latencies.window(now_ms);
        let probes: Vec<ProbeId> =
            self.catalogue.probes.iter().filter_map(|p| ProbeId::new(&p.id).ok()).collect();
        let hours = self.store.histograms(from_ms, to_ms, &probes)?;
        let mut mails = BTreeMap::new();
        for probe in latency::mail_probes(&self.catalogue) {
            let sent = self.store.deliveries(from_ms, to_ms, std::slice::from_ref(&probe))?;
            mails.insert(probe.as_str().to_owned(), sent);
        }
        self.latencies.update(&hours, &mails, now_ms);
        Ok(())
    }

    /// Published months, latest first, each with its editions.
    fn months(&mut self, now_ms: i64) -> Result<Vec<MonthEntry>, StoreError> {
        let mut entries: Vec<MonthEntry> = Vec::new();
        for head in self.store.editions(None)?.iter().rev() {
            if let Some(entry) = entries.last_mut().filter(|e| e.month == head.month) {
                entry.editions.push(head.edition);
                continue;
            }
            let counts = self.count(head)?;
            let differs = self.differs(head, now_ms)?;
            entries.push(MonthEntry {
                month: head.month.clone(),
                edition: head.edition,
                editions: vec![head.edition],
                differs,
                met: counts.met,
                missed: counts.missed,
                open: counts.open,
            });
        }
        Ok(entries)
    }

    /// Which figures of an edition evidence that arrived since would change. Where that cannot
    /// be told, it is logged once for each change of the evidence.
    fn differs(&mut self, head: &EditionHead, now_ms: i64) -> Result<Vec<String>, StoreError> {
        let key = (head.month.clone(), head.edition);
        let change = self.store.last_change()?;
        if !self.compares || self.undecided.get(&key) == Some(&change) {
            return Ok(Vec::new());
        }
        match differs::since(&self.store, head, now_ms) {
            Ok(levels) => {
                let say = &self.shell.say;
                Ok(levels.iter().map(|level| figures::sentence(level, say)).collect())
            }
            Err(DiffersError::Store(error)) => Err(error),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, month = head.month, "compare an edition with the evidence");
                self.undecided.insert(key, change);
                Ok(Vec::new())
            }
        }
    }

    /// How the levels of an edition stand; an edition never changes, so it is read once.
    fn count(&mut self, head: &EditionHead) -> Result<Counts, StoreError> {
        let key = (head.month.clone(), head.edition);
        if let Some(counts) = self.counted.get(&key) {
            return Ok(*counts);
        }
        let mut counts = Counts { met: 0, missed: 0, open: 0 };
        let files = self.store.edition(&head.month, Some(head.edition))?;
        let report = files.and_then(|f| serde_json::from_str::<Report>(&f.report_json).ok());
        for level in report.iter().flat_map(|r| &r.levels) {
            match Standing::of(level) {
                Standing::Met => counts.met += 1,
                Standing::Missed => counts.missed += 1,
                Standing::NotProvable { .. } | Standing::NotEnough | Standing::Nothing => {
                    counts.open += 1;
                }
            }
        }
        self.counted.insert(key, counts);
        Ok(counts)
    }
}

/// What the pages are dressed in by a definition, and their frame.
fn dress(catalogue: &Catalogue, demo: bool) -> (Arc<Skin>, Shell) {
    let brand = catalogue.branding.as_ref().map(Brand::of);
    let skin = brand.map_or_else(Skin::plain, Skin::of);
    let shell = skin.shell(&catalogue.service.name, &catalogue.service.zone_name, demo);
    let shell = shell.in_language(Language::of(catalogue));
    (skin, shell)
}

/// Refreshes until `shutdown` is true. A failure is logged, and the pages stay as they are: they
/// say as at when they hold.
pub(super) async fn keep(
    mut refresh: Refresh,
    publish: watch::Sender<Arc<Bundle>>,
    looked: watch::Sender<Looked>,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut pause = Duration::ZERO;
    let mut definition = refresh.definition.clone();
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => return,
            () = sleep(pause) => {}
            Ok(()) = definition.changed() => {}
        }
        let stepped = tokio::task::spawn_blocking(move || {
            let took = Stopwatch::start();
            let made = refresh.step();
            (refresh, made, took.elapsed())
        });
        let Ok((back, made, took)) = stepped.await else {
            tracing::error!("the live state is not kept current any more");
            return;
        };
        refresh = back;
        pause = LEAST.max(took * REST);
        match made {
            Ok(Some(bundle)) => {
                publish.send_replace(Arc::new(bundle));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "refresh the pages");
            }
        }
        looked.send_replace(Looked { pause, ..refresh.looked() });
    }
}
