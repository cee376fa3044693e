//! Keeps the post going by the definition that is in force: it is started anew when another
//! distribution, or another name of the service, is declared.

use std::sync::Arc;

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::serve::stopped;
use crate::post::{Post, PostError};
use crate::store::Store;

/// What letters are sent by.
struct Posting {
    store: Store,
    clock: Arc<dyn Clock>,
    catalogue: Arc<Catalogue>,
    /// The post, and what stops it; `None` where nothing is mailed.
    post: Option<(Post, watch::Sender<bool>)>,
}

/// Starts the post; it ends, in order, when `shutdown` is true.
///
/// # Errors
/// When what it needs cannot be had.
pub(super) fn start(
    store: Store,
    mut definition: watch::Receiver<Arc<InForce>>,
    clock: Arc<dyn Clock>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, PostError> {
    let catalogue = Arc::clone(&definition.borrow_and_update().catalogue);
    let mut posting = Posting { store, clock, catalogue, post: None };
    posting.post = posting.open()?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stopped(&mut shutdown) => return posting.close().await,
                Ok(()) = definition.changed() => {
                    let catalogue = Arc::clone(&definition.borrow_and_update().catalogue);
                    posting.take(catalogue).await;
                }
            }
        }
    }))
}

impl Posting {
    fn open(&self) -> Result<Option<(Post, watch::Sender<bool>)>, PostError> {
        let (stop, stopping) = watch::channel(false);
        let post = Post::start(self.store.clone(), &self.catalogue, self.clock.clone(), stopping)?;
        Ok(post.map(|post| (post, stop)))
    }

    async fn take(&mut self, catalogue: Arc<Catalogue>) {
        let same = self.catalogue.distribution == catalogue.distribution
            && self.catalogue.service.name == catalogue.service.name;
        self.catalogue = catalogue;
        if same {
            return;
        }
        self.close().await;
        match self.open() {
            Ok(post) => self.post = post,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "letters are not sent until the definition is read again");
            }
        }
    }

    async fn close(&mut self) {
        if let Some((post, stop)) = self.post.take() {
            stop.send_replace(true);
            post.ended().await;
        }
    }
}
