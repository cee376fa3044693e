//! Joins the reporter's parts: opens the store, keeps the live state current, wakes the
//! calendar, serves pages and ingest, and stops in order within five seconds.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::Catalogue;
use mailward_evidence::Clock;
use tokio::sync::watch;
use tokio::time::timeout;

mod refresh;

use crate::calendar::{Calendar, CalendarError};
use crate::http::archive::Archive;
use crate::http::{Site, asset_addresses, leases, router, serve};
use crate::ingest;
use crate::post::{Post, PostError};
use crate::render::page::Shell;
use crate::sign::{SignError, SigningKey};
use crate::store::{Store, StoreError};
use refresh::Refresh;
pub use refresh::RefreshError;

/// How long the parts may take to stop once connections are closed.
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// What the reporter runs with.
pub struct Settings {
    /// The definition.
    pub catalogue: Arc<Catalogue>,
    /// Its normal form, kept with every edition.
    pub definition: String,
    /// The data directory.
    pub data: PathBuf,
    /// Where pages and ingest are served: bound already, so that its address is known.
    pub listener: TcpListener,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Marks pages and reports DEMO.
    pub demo: bool,
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
    /// A part ended by a fault of the program.
    #[error("a part of the reporter ended before its time")]
    Ended,
}

/// Runs the reporter until `shutdown` is true.
///
/// # Errors
/// When it cannot start: see [`RunError`]. What fails later is logged and tried again.
pub async fn run(settings: Settings, shutdown: watch::Receiver<bool>) -> Result<(), RunError> {
    let Settings { catalogue, definition, data, listener, clock, demo } = settings;
    let (style, script) = asset_addresses();
    let service = &catalogue.service;
    let shell = Shell::new(&service.name, &service.zone_name, demo, style, script);
    let opened = {
        let (clock, catalogue, shell) = (clock.clone(), catalogue.clone(), shell.clone());
        let (in_force, data) = (definition.clone(), data.clone());
        tokio::task::spawn_blocking(move || {
            let store = Store::open(&data, clock.clone())?;
            store.note_definition(&in_force)?;
            let key = SigningKey::of(catalogue.report.signing_key.as_ref(), &data)?;
            store.note_signing_key(&key.public().id(), &key.public().to_pem())?;
            let mut refresh = Refresh::new(store.clone(), catalogue, clock, shell, demo);
            let bundle = refresh.first()?;
            Ok::<_, RunError>((store, key, refresh, bundle))
        })
    };
    let (store, key, refresh, bundle) = opened.await.map_err(|_| RunError::Ended)??;
    listener.set_nonblocking(true).map_err(RunError::Listen)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(RunError::Listen)?;

    let (publish, bundle) = watch::channel(Arc::new(bundle));
    let keeper = tokio::spawn(refresh::keep(refresh, publish, shutdown.clone()));
    let calendar = Calendar {
        store: store.clone(),
        catalogue: catalogue.clone(),
        definition: definition.into(),
        clock: clock.clone(),
        demo,
        data,
        key: Arc::new(key),
    };
    let post = Post::start(store.clone(), &catalogue, clock, shutdown.clone())?;
    let waking = calendar.wake().await?;
    let archive = Archive::new(store.clone(), catalogue.clone());
    let allow = catalogue.reporter.metrics_allow.clone();
    let site = Arc::new(Site::new(bundle, archive, shell, allow));
    let router = router(site, ingest::http::router(store.clone()).merge(leases::router(store)));
    serve::serve(listener, router, shutdown).await;
    let posted = async {
        if let Some(post) = post {
            post.ended().await;
        }
    };
    let ended = async { tokio::join!(waking.stop(), keeper, posted) };
    if timeout(STOP_TIMEOUT, ended).await.is_err() {
        tracing::warn!("stopped while the calendar or the live state was still at work");
    }
    Ok(())
}
