//! Joins the reporter's parts: opens the store, keeps the live state current, wakes the
//! calendar, serves pages and ingest, hands a definition that was read again to all of them,
//! and stops in order within five seconds.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Catalogue, InForce, Pulse};
use mailward_evidence::Clock;
use tokio::sync::watch;
use tokio::time::timeout;

mod certificates;
mod posting;
mod pulse;
mod refresh;

use crate::calendar::{Calendar, CalendarError};
use crate::http::archive::Archive;
use crate::http::tls::{PairError, Tls};
use crate::http::{Site, leases, router, serve};
use crate::ingest;
use crate::ingest::receipts::Receipts;
use crate::notify;
use crate::post::PostError;
use crate::sign::{SignError, SigningKey};
use crate::store::{Store, StoreError};
use refresh::Refresh;
pub use refresh::RefreshError;

/// How long the parts may take to stop once connections are closed.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// What the reporter runs with.
pub struct Settings {
    /// The definition. Each new one is taken up by all parts, but for what [`run`] names.
    pub definition: watch::Receiver<Arc<InForce>>,
    /// The data directory.
    pub data: PathBuf,
    /// Where pages and ingest are served: bound already, so that its address is known.
    pub listener: TcpListener,
    /// Where the same is served in the clear, for an agent of the same process: on loopback.
    pub beside: Option<TcpListener>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Marks pages and reports DEMO.
    pub demo: bool,
    /// Told how the reporter is: once it answers, whenever it works by another definition, and
    /// as often as `beat_every` while somebody listens.
    pub pulse: watch::Sender<Option<Pulse>>,
    /// How often it looks after itself.
    pub beat_every: Duration,
}

/// Why the reporter could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store could not be opened.
    #[error("open the store")]
    Store(#[from] StoreError),
    /// The listener cannot be used.
    #[error("listen for connections")]
    Listen(#[source] std::io::Error),
    /// The first state could not be evaluated.
    #[error("evaluate the state of the service")]
    Refresh(#[from] RefreshError),
    /// There is no key to sign editions with.
    #[error("get the key that signs editions")]
    Key(#[from] SignError),
    /// Letters cannot be sent.
    #[error("set up the post")]
    Post(#[from] PostError),
    /// The calendar could not be set up.
    #[error("set up the calendar")]
    Calendar(#[from] CalendarError),
    /// The reporter's own certificate is of no use.
    #[error("set up [reporter.tls]")]
    Certificate(#[from] PairError),
    /// A part ended by a fault of the program.
    #[error("a part of the reporter ended before its time")]
    Ended,
}

/// Runs the reporter until `shutdown` is true. Of a new definition, all but
/// `[report] signing_key`, and whether there is a `[reporter.tls]`, is taken up while it runs.
///
/// # Errors
/// When it cannot start: see [`RunError`]. What fails later is logged and tried again.
pub async fn run(settings: Settings, shutdown: watch::Receiver<bool>) -> Result<(), RunError> {
    let Settings { mut definition, data, listener, beside, clock, demo, pulse, beat_every } =
        settings;
    let in_force = Arc::clone(&definition.borrow_and_update());
    let receipts = Arc::new(Receipts::default());
    let tls = in_force.catalogue.reporter.tls.as_ref();
    let tls = tls.map(|of| Tls::new(of, clock.clone())).transpose()?;
    let opened = {
        let (clock, definition, data) = (clock.clone(), definition.clone(), data.clone());
        let in_force = in_force.clone();
        let receipts = receipts.clone();
        tokio::task::spawn_blocking(move || {
            let store = Store::open(&data, clock.clone())?;
            store.note_definition(&in_force.normal)?;
            let signing = in_force.catalogue.report.signing_key.as_ref();
            let key = SigningKey::of(signing, &data)?;
            store.note_signing_key(&key.public().id(), &key.public().to_pem())?;
            let mut refresh = Refresh::new(store.clone(), definition, clock, demo, receipts);
            let bundle = refresh.first()?;
            Ok::<_, RunError>((store, key, refresh, bundle))
        })
    };
    let (store, key, refresh, bundle) = opened.await.map_err(|_| RunError::Ended)??;
    let listener = listening(listener)?;
    let beside = beside.map(listening).transpose()?;

    let (publish, bundle) = watch::channel(Arc::new(bundle));
    let (looked_to, looked) = watch::channel(refresh.looked());
    let told = refresh.told();
    let keeper = tokio::spawn(refresh::keep(refresh, publish, looked_to, shutdown.clone()));
    let calendar = Calendar {
        store: store.clone(),
        catalogue: in_force.catalogue.clone(),
        definition: in_force.normal.clone(),
        clock: clock.clone(),
        demo,
        data,
        key: Arc::new(key),
    };
    let posting =
        posting::start(store.clone(), definition.clone(), clock.clone(), shutdown.clone())?;
    let telling = notify::start(
        store.clone(),
        definition.clone(),
        told,
        clock.clone(),
        demo,
        shutdown.clone(),
    );
    let waking = calendar.wake(definition.clone()).await?;
    let warning = tokio::spawn(warn_of_restarts(in_force, definition.clone()));
    let beating =
        tokio::spawn(pulse::keep(store.clone(), bundle.clone(), looked, pulse, beat_every));
    let renewing = tls.clone().map(|tls| tls.keep(definition.clone(), shutdown.clone()));
    let renewing = renewing.map(tokio::spawn);
    let site = Site::new(bundle, Archive::new(store.clone()), definition).with_tls(tls.clone());
    let deliveries = ingest::http::router(store.clone(), receipts);
    let router = router(Arc::new(site), deliveries.merge(leases::router(store)));
    let beside = beside.map(|beside| serve::serve(beside, None, router.clone(), shutdown.clone()));
    let beside = beside.map(tokio::spawn);
    serve::serve(listener, tls, router, shutdown).await;
    beating.abort();
    warning.abort();
    let ended = async {
        let _ = tokio::join!(waking.stop(), keeper, posting, telling);
        for aside in [renewing, beside].into_iter().flatten() {
            let _ = aside.await;
        }
    };
    if timeout(STOP_TIMEOUT, ended).await.is_err() {
        tracing::warn!("stopped while the calendar or the live state was still at work");
    }
    Ok(())
}

/// Says, whenever another definition is taken up, what of it takes a restart.
async fn warn_of_restarts(start: Arc<InForce>, mut definition: watch::Receiver<Arc<InForce>>) {
    while definition.changed().await.is_ok() {
        let now = Arc::clone(&definition.borrow_and_update().catalogue);
        for key in only_at_start(&start.catalogue, &now) {
            tracing::warn!("{key} is another by now, which takes a restart of the reporter");
        }
    }
}

/// The keys that are another by now, of those that are read at the start alone.
fn only_at_start(start: &Catalogue, now: &Catalogue) -> Vec<&'static str> {
    let mut keys = Vec::new();
    if start.report.signing_key != now.report.signing_key {
        keys.push("[report] signing_key");
    }
    if start.reporter.tls.is_some() != now.reporter.tls.is_some() {
        keys.push("[reporter.tls]");
    }
    keys
}

fn listening(listener: TcpListener) -> Result<tokio::net::TcpListener, RunError> {
    listener.set_nonblocking(true).map_err(RunError::Listen)?;
    tokio::net::TcpListener::from_std(listener).map_err(RunError::Listen)
}
