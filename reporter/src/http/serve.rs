//! Accepts connections and serves the router on them, within bounds: how many at once, how long
//! a head and a handshake may take, how long a reader may stand still. HTTP/1.1 only, plain or
//! over TLS; which certificate is shown is `tls`'s.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Sleep, sleep, timeout};
use tower::ServiceExt as _;

use super::crowd::{Crowd, Place};
use super::tls::Tls;

/// The most connections at once; then the idlest makes room.
pub const MAX_CONNECTIONS: usize = 2048;
/// How long a request's head may take, and how long a connection may idle between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The most handshakes of TLS at once; they cost the most of all that a stranger can ask for.
const MAX_HANDSHAKES: usize = 256;
/// How long a handshake may take, waiting for its turn included.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the other side may take no byte, or send none of a body it has begun.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long connections may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(1);

/// The other side of a connection; the router finds it among a request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
}

/// How connections to a listener are encrypted, if they are.
#[derive(Clone, Debug)]
struct Secured {
    tls: Tls,
    handshakes: Arc<Semaphore>,
}

/// Serves until `shutdown` is true, then lets what is under way finish, for a second at most.
/// With `tls`, connections begin with a handshake.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    mut shutdown: watch::Receiver<bool>,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    let secured = tls.map(|tls| Secured { tls, handshakes });
    let crowd = Crowd::new(MAX_CONNECTIONS);
    let mut refusing = false;
    loop {
        let place = tokio::select! {
            () = stopped(&mut shutdown) => break,
            place = crowd.enter() => place,
        };
        let accepted = tokio::select! {
            () = stopped(&mut shutdown) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if std::mem::take(&mut refusing) {
                    tracing::info!("connections are accepted again");
                }
                let (secured, router) = (secured.clone(), router.clone());
                let served = Arc::clone(&place);
                let connection =
                    connection(stream, peer, secured, router, served, shutdown.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection => {}
                        () = place.wanted() => tracing::debug!(%peer, "idle, and its place is wanted"),
                    }
                });
            }
            Err(error) => {
                // out of files, most likely: what is open must end before more can begin
                if !std::mem::replace(&mut refusing, true) {
                    tracing::warn!(%error, "connections cannot be accepted for now");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    crowd.emptied(DRAIN).await;
}

/// Waits for the word to stop; a sender that is gone counts as that.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // the guard that comes back must not live across an await
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    secured: Option<Secured>,
    router: Router,
    place: Arc<Place>,
    mut shutdown: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let stream = Unstalled::new(stream);
    let Some(secured) = secured else {
        let peer = Peer { address, is_encrypted: false };
        return speak(stream, peer, router, place, shutdown).await;
    };
    let handshake = tokio::select! {
        () = stopped(&mut shutdown) => return,
        handshake = timeout(HANDSHAKE_WITHIN, secured.handshake(stream)) => handshake,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let peer = Peer { address, is_encrypted: true };
            speak(stream, peer, router, place, shutdown).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, peer = %address, "handshake"),
        Err(_) => tracing::debug!(peer = %address, "no handshake in time"),
    }
}

impl Secured {
    async fn handshake(
        &self,
        stream: Unstalled,
    ) -> io::Result<tokio_rustls::server::TlsStream<Unstalled>> {
        let _turn = self.handshakes.acquire().await.map_err(io::Error::other)?;
        self.tls.acceptor().accept(stream).await
    }
}

/// Serves the requests of one connection.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    place: Arc<Place>,
    mut shutdown: watch::Receiver<bool>,
) {
    let service = router
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.map(axum::body::Body::new)
        })
        .map_future(move |answer| {
            let asked = place.asked();
            async move {
                let answer = answer.await;
                drop(asked);
                answer
            }
        });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, peer = %peer.address, "connection");
    }
}

/// A stream that gives up when the other side stands still. Reads are bounded only while bytes
/// keep being asked for in the middle of a request: an idle connection is hyper's to end.
struct Unstalled {
    stream: TcpStream,
    write: Option<Pin<Box<Sleep>>>,
    read: Option<Pin<Box<Sleep>>>,
}

impl Unstalled {
    const fn new(stream: TcpStream) -> Self {
        Self { stream, write: None, read: None }
    }
}

fn stalled<T>(
    timer: &mut Option<Pin<Box<Sleep>>>,
    polled: Poll<io::Result<T>>,
    limit: Duration,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if polled.is_ready() {
        *timer = None;
        return polled;
    }
    let timer = timer.get_or_insert_with(|| Box::pin(sleep(limit)));
    match timer.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Poll::Pending => Poll::Pending,
    }
}

impl AsyncRead for Unstalled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        // twice the head's limit, so that hyper ends an idle connection in order first; hyper
        // also reads while a slow answer is computed, to notice that the client went away
        stalled(&mut self.read, polled, HEAD_TIMEOUT * 2, cx)
    }
}

impl AsyncWrite for Unstalled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        stalled(&mut self.write, polled, STALL_TIMEOUT, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        stalled(&mut self.write, polled, STALL_TIMEOUT, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
