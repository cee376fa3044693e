//! Addresses to a connection: each address in turn, the next one while the first is still
//! silent (RFC 8305 section 5), all within the deadline. The sharpest failure is the one told.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mailward_evidence::Reason;
use tokio::net::TcpStream;

use super::{Deadline, Fault, Net, Trace};

/// How long one address is waited for before the next one is tried beside it (RFC 8305
/// section 5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

impl Net {
    /// Resolves `host` and connects. Phases `dns` and `connect`; fact `address`.
    ///
    /// # Errors
    /// When there is no address, or none that takes a connection in time.
    pub async fn dial(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<TcpStream, Fault> {
        let addresses = self.resolve(host, deadline, trace).await?;
        self.connect(&addresses, port, deadline, trace).await
    }

    /// Connects to the first of `addresses` that takes a connection. Phase `connect`; fact
    /// `address`.
    ///
    /// # Errors
    /// When none takes a connection in time.
    pub async fn connect(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<TcpStream, Fault> {
        trace.skip();
        let connected = race(addresses, port, deadline).await;
        trace.lap("connect");
        let stream = connected?;
        if let Ok(peer) = stream.peer_addr() {
            trace.fact("address", peer.to_string());
        }
        // a probe sends small requests and waits: nothing is gained by holding bytes back
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

async fn race(addresses: &[IpAddr], port: u16, deadline: Deadline) -> Result<TcpStream, Fault> {
    let mut waiting = addresses.iter().map(|ip| SocketAddr::new(*ip, port));
    let mut running = FuturesUnordered::new();
    let mut worst: Option<Fault> = None;
    loop {
        if let Some(address) = waiting.next() {
            running.push(attempt(address, deadline));
        }
        let Some(done) = next_done(&mut running, waiting.len() > 0).await else {
            if waiting.len() > 0 {
                continue;
            }
            let none = || Fault::new(Reason::DnsNotFound, "there is no address to connect to");
            return Err(worst.unwrap_or_else(none));
        };
        match done {
            Ok(stream) => return Ok(stream),
            Err(fault) => {
                if worst.as_ref().is_none_or(|w| sharpness(&fault) > sharpness(w)) {
                    worst = Some(fault);
                }
            }
        }
    }
}

type Attempt = Result<TcpStream, Fault>;

/// The next attempt that ended; `None` when it is time to start another, or none is left.
async fn next_done<F: Future<Output = Attempt>>(
    running: &mut FuturesUnordered<F>,
    more: bool,
) -> Option<Attempt> {
    if more {
        tokio::time::timeout(ATTEMPT_DELAY, running.next()).await.ok().flatten()
    } else {
        running.next().await
    }
}

async fn attempt(address: SocketAddr, deadline: Deadline) -> Attempt {
    match deadline.bound(TcpStream::connect(address)).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => Err(Fault::io(&error, &format!("connecting to {address}"))),
        None => {
            let detail = format!("no connection to {address} in time");
            Err(Fault::new(Reason::ConnectTimeout, detail))
        }
    }
}

/// Which failure says most about the service, where several addresses failed.
fn sharpness(fault: &Fault) -> u8 {
    match fault.reason {
        Reason::ConnectRefused => 4,
        Reason::ConnectTimeout => 3,
        Reason::Unreachable => 2,
        Reason::ConnectionLost => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn dial(addresses: &str, port: u16) -> Result<TcpStream, Fault> {
        let addresses: Vec<IpAddr> =
            addresses.split_whitespace().map(|a| a.parse().unwrap()).collect();
        race(&addresses, port, Deadline::after(Duration::from_secs(5))).await
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = dial("127.0.0.3 127.0.0.2", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.2");
    }

    #[tokio::test]
    async fn refusal_is_told_as_refusal() {
        // a port that was free a moment ago and that nobody listens on
        let port = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let fault = dial("127.0.0.1", port).await.unwrap_err();
        assert_eq!(fault.reason, Reason::ConnectRefused, "{fault}");
        assert!(!fault.is_ours());
        let fault = dial("", port).await.unwrap_err();
        assert_eq!(fault.reason, Reason::DnsNotFound);
    }
}
