//! TCP listeners that can be shut and opened again on the same port, and the faults of a bare
//! connection. What is said on a connection is left to `smtp` and `web`.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::House;
use crate::fault::{Fault, Part};

/// The most connections of one listener at a time; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// The longest life of a connection, whatever happens on it.
const MAX_LIFE: Duration = Duration::from_secs(180);
/// The most rubbish on one connection, in bytes.
const RUBBISH_BYTES: usize = 4096;

/// What the first bytes of an honest server look like; a drip makes use of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FirstBytes {
    Smtp,
    Http,
    Sip,
    Tls,
}

impl FirstBytes {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Smtp => b"220-",
            Self::Http => b"HTTP/1.1 200 OK\r\nX-Drip: ",
            Self::Sip => b"SIP/2.0 200 OK\r\nSubject: ",
            // a TLS record of type handshake, 16 KiB long (RFC 8446 §5.1)
            Self::Tls => &[22, 3, 3, 0x40, 0],
        }
    }
}

/// A port that stays ours while nobody listens on it. The holding socket is bound and never
/// listens, so a connection meets a reset from the kernel, and nobody else gets the port.
#[derive(Debug)]
pub(crate) struct Port {
    _holder: TcpSocket,
    address: SocketAddr,
    open: watch::Sender<bool>,
    first: Option<TcpListener>,
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl Port {
    /// Takes a free port and listens on it.
    pub(crate) fn hold() -> io::Result<Self> {
        let holder = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = holder.local_addr()?;
        let first = bound(address)?.listen(1024)?;
        Ok(Self { _holder: holder, address, open: watch::Sender::new(true), first: Some(first) })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn is_open(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }

    fn listen(&mut self) -> io::Result<TcpListener> {
        match self.first.take() {
            Some(listener) => Ok(listener),
            None => bound(self.address)?.listen(1024),
        }
    }
}

/// Serves a port until the task is dropped.
pub(crate) async fn serve<S, F>(
    mut port: Port,
    part: Part,
    first_bytes: FirstBytes,
    house: Arc<House>,
    conversation: S,
) where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut changes = house.switch.changes();
    let limit = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        if house.switch.refuses(part) {
            drop(port.first.take());
            port.open.send_replace(false);
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let listener = match port.listen() {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%part, %error, "the lab cannot listen again; it will try on");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        port.open.send_replace(true);
        while !house.switch.refuses(part) {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                accepted = accept(&listener, &limit) => {
                    let Some((stream, permit)) = accepted else { continue };
                    let talk = met(stream, part, first_bytes, &house, &conversation);
                    connections.spawn(async move {
                        let _permit = permit;
                        // a conversation that outlives its time is dropped, as its socket is
                        let _ = tokio::time::timeout(MAX_LIFE, talk).await;
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    limit: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(limit).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // a socket that refuses it only answers later
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            tracing::debug!(%error, "the lab could not accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// The conversation, or the fault that stands in its place.
fn met<F: Future<Output = ()> + Send + 'static>(
    stream: TcpStream,
    part: Part,
    first_bytes: FirstBytes,
    house: &House,
    conversation: &impl Fn(TcpStream) -> F,
) -> impl Future<Output = ()> + Send + 'static {
    let fault = house.switch.fault(part);
    // the conversation is made, not yet run, so that this future borrows nothing
    let instead = match fault {
        Some(Fault::Hang | Fault::Rubbish | Fault::Drip(_)) => fault,
        Some(Fault::Close) if matches!(part, Part::Smtp | Part::Submission) => fault,
        _ => None,
    };
    let (talk, spoilt) = match instead {
        None => (Some(conversation(stream)), None),
        Some(fault) => (None, Some((stream, fault))),
    };
    async move {
        if let Some(talk) = talk {
            talk.await;
        }
        if let Some((stream, fault)) = spoilt {
            spoil(stream, first_bytes, &fault).await;
        }
    }
}

async fn spoil(mut stream: TcpStream, first_bytes: FirstBytes, fault: &Fault) {
    match fault {
        Fault::Rubbish => {
            // one that has closed already is found out by the reading
            let _ = stream.write_all(&rubbish(RUBBISH_BYTES)).await;
            until_closed(&mut stream).await;
        }
        Fault::Drip(each) => drip(stream, first_bytes, *each).await,
        Fault::Hang => until_closed(&mut stream).await,
        // Close: dropping the stream is all there is to do
        _ => {}
    }
}

/// Reads and forgets until the other side has closed.
async fn until_closed(stream: &mut TcpStream) {
    let mut forgotten = [0; 1024];
    while matches!(stream.read(&mut forgotten).await, Ok(n) if n > 0) {}
}

async fn drip(stream: TcpStream, first_bytes: FirstBytes, each: Duration) {
    let (mut from, mut to) = stream.into_split();
    let bytes = first_bytes.prefix().iter().copied().chain(std::iter::repeat(b'a'));
    let dripping = async {
        for byte in bytes {
            tokio::time::sleep(each).await;
            if to.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    let mut forgotten = [0; 1024];
    let closed = async { while matches!(from.read(&mut forgotten).await, Ok(n) if n > 0) {} };
    tokio::select! {
        () = dripping => {}
        () = closed => {}
    }
}

/// Bytes that are no protocol: the same ones each time, so that a failure can be repeated.
pub(crate) fn rubbish(count: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let byte = move || {
        // xorshift64 (Marsaglia, 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(byte).take(count).collect()
}
