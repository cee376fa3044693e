//! The agent's own small HTTP face: `/metrics` and `/healthz`. It takes no orders.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mailward_evidence::Clock;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::metrics::Metrics;
use crate::outbox::keeper::OutboxHandle;

/// How long a client may take to ask.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one connection may stay; a reader that stands still holds its place no longer.
const MAX_CONNECTION: Duration = Duration::from_secs(20);
/// The most connections at once.
const MAX_CONNECTIONS: usize = 16;
/// How long after a failed accept (too many open files) the next one is tried.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

#[derive(Clone)]
struct Face {
    metrics: Arc<Metrics>,
    outbox: OutboxHandle,
    clock: Arc<dyn Clock>,
}

/// Serves until it is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    outbox: OutboxHandle,
    clock: Arc<dyn Clock>,
) {
    let router = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state(Face { metrics, outbox, clock });
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection for metrics");
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // how a scraper's connection ends is of no interest
            let _ = tokio::time::timeout(MAX_CONNECTION, served).await;
            drop(slot);
            Ok::<(), Infallible>(())
        });
    }
}

async fn show_metrics(State(face): State<Face>) -> Response {
    match face.metrics.render(&face.outbox.stats(), face.outbox.lost(), face.clock.now()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot show metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use mailward_evidence::SystemClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::outbox::keeper::Keeper;
    use crate::outbox::{Limits, Outbox};

    #[tokio::test]
    async fn metrics_and_health_are_served() {
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { max_bytes: 1 << 20, max_age: Duration::from_secs(60) };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let outbox = Outbox::open(directory.path(), limits).unwrap();
        let (_keeper, outbox) = Keeper::start(outbox, Arc::clone(&clock)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        tokio::spawn(serve(listener, metrics, outbox, clock));
        for (path, status, holds) in [
            ("/healthz", "200", "ok"),
            ("/metrics", "200", "mailward_build_info{version="),
            ("/metrics", "200", "mailward_outbox_records 0"),
            ("/", "404", ""),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let ask = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(ask.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
            assert!(answer.contains(holds), "{path}: {answer}");
        }
    }
}
