//! Whether mail can leave the network the agent stands in: many providers let nothing out on
//! port 25. When a connection there fails, well-known mail servers are tried; where none of them
//! can be connected to either, the fault is the network's and not the service's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use mailward_evidence::Reason;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Deadline, Fault, Net, Trace};

/// The port this is about: mail from server to server.
const PORT: u16 = 25;
/// How long what was found stands.
const STANDS: Duration = Duration::from_secs(300);
/// How long one reference is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// The references, and what was found when they were tried last.
#[derive(Debug, Default)]
pub(crate) struct Egress {
    references: Vec<(String, u16)>,
    found: Mutex<Option<(Open, Instant)>>,
}

/// What trying the references says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// One of them took a connection.
    Yes,
    /// All whose address is known refused, or were silent.
    No,
    /// None of their addresses could be found out.
    Unclear,
}

impl Egress {
    /// References as `HOST:PORT`; anything else is left out.
    pub(crate) fn new(references: &[String]) -> Self {
        let read = |target: &String| {
            let (host, port) = target.rsplit_once(':')?;
            Some((host.to_owned(), port.parse().ok()?))
        };
        Self { references: references.iter().filter_map(read).collect(), found: Mutex::default() }
    }
}

impl Net {
    /// Gives the mail servers that are tried when a connection on port 25 fails, as `HOST:PORT`.
    #[must_use]
    pub fn with_smtp_references(mut self, references: &[String]) -> Self {
        self.egress = Arc::new(Egress::new(references));
        self
    }

    /// As [`Net::dial`], to a mail server. On port 25 a failure is [`Reason::EgressBlocked`] when
    /// no reference can be connected to either. An address inside (RFC 1918 and the like) is
    /// taken at its word: that the way out is closed says nothing about it.
    ///
    /// # Errors
    /// As [`Net::dial`].
    pub async fn dial_smtp(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<TcpStream, Fault> {
        let addresses = self.resolve(host, deadline, trace).await?;
        let outside = port == PORT && addresses.iter().all(|address| !is_inside(*address));
        if !outside || self.egress.references.is_empty() {
            return self.connect(&addresses, port, deadline, trace).await;
        }
        self.connect_or_blame(&addresses, port, deadline, trace).await
    }

    async fn connect_or_blame(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<TcpStream, Fault> {
        // a blocked way out is mostly silent: the references are tried while there is time left
        let half = deadline.left() / 2;
        let blame = std::pin::pin!(async {
            tokio::time::sleep(half).await;
            self.way_out(deadline).await
        });
        let connecting = std::pin::pin!(self.connect(addresses, port, deadline, trace));
        let (failed, found) = match select(connecting, blame).await {
            Either::Left((Ok(stream), _)) => return Ok(stream),
            Either::Left((Err(fault), _)) => (fault, None),
            Either::Right((found, connecting)) => match connecting.await {
                Ok(stream) => return Ok(stream),
                Err(fault) => (fault, Some(found)),
            },
        };
        let reason = &failed.reason;
        if !matches!(reason, Reason::ConnectRefused | Reason::ConnectTimeout | Reason::Unreachable)
        {
            return Err(failed);
        }
        let found = match found {
            Some(found) => found,
            None => self.way_out(deadline).await,
        };
        if found != Open::No {
            return Err(failed);
        }
        let count = self.egress.references.len();
        let detail = format!("{}; nor does any of {count} other mail servers", failed.detail);
        Err(Fault::new(Reason::EgressBlocked, detail))
    }

    /// Tries the references, or says what was found a short while ago. Who asks while another
    /// asks waits for its answer.
    async fn way_out(&self, deadline: Deadline) -> Open {
        let egress = &self.egress;
        let Some(mut known) = deadline.bound(egress.found.lock()).await else {
            return Open::Unclear;
        };
        if let Some((found, at)) = *known
            && at.elapsed() < STANDS
        {
            return found;
        }
        let deadline = deadline.within(PATIENCE);
        let tries = egress.references.iter().map(|(host, port)| async move {
            let mut apart = Trace::start();
            self.dial(host, *port, deadline, &mut apart).await.map_err(|fault| fault.reason)
        });
        let tried = join_all(tries).await;
        let closed = |tried: &Result<TcpStream, Reason>| {
            use Reason::{ConnectRefused, ConnectTimeout, EgressBlocked, Unreachable};
            matches!(tried, Err(ConnectRefused | ConnectTimeout | EgressBlocked | Unreachable))
        };
        let found = if tried.iter().any(Result::is_ok) {
            Open::Yes
        } else if tried.iter().any(closed) {
            Open::No
        } else {
            Open::Unclear
        };
        *known = Some((found, Instant::now()));
        found
    }
}

/// Whether an address stands in a network of its own, which is reached without the way out
/// (RFC 1918, RFC 4193, RFC 6598, loopback and link).
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_unique_local()
                || v6.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A port on loopback that nobody listens on any more.
    async fn closed() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    }

    async fn failing(references: &[String]) -> Reason {
        let nobody = "127.0.0.1:9".parse().unwrap();
        let net = Net::new(None, Some(nobody)).unwrap().with_smtp_references(references);
        let target: std::net::SocketAddr = closed().await.parse().unwrap();
        let deadline = Deadline::after(Duration::from_secs(5));
        let mut trace = Trace::start();
        let done = net.connect_or_blame(&[target.ip()], target.port(), deadline, &mut trace).await;
        done.unwrap_err().reason
    }

    #[tokio::test]
    async fn only_when_nobody_is_reached_is_the_network_blamed() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = open.local_addr().map(|address| (address.to_string(), open)).unwrap();
        let (one, two) = (closed().await, closed().await);
        let unknown = "no-such-name.invalid:25".to_owned();
        assert_eq!(failing(&[one.clone(), two]).await, Reason::EgressBlocked);
        assert_eq!(failing(&[one.clone(), open.0.clone()]).await, Reason::ConnectRefused);
        assert_eq!(failing(&[one, unknown.clone()]).await, Reason::EgressBlocked);
        assert_eq!(failing(&[unknown]).await, Reason::ConnectRefused, "nothing can be said");
        assert_eq!(failing(&[]).await, Reason::ConnectRefused);
    }

    #[tokio::test]
    async fn what_was_found_stands_for_a_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reference = listener.local_addr().unwrap().to_string();
        let net = Net::new(None, None).unwrap().with_smtp_references(&[reference]);
        let deadline = Deadline::after(Duration::from_secs(5));
        assert_eq!(net.way_out(deadline).await, Open::Yes);
        drop(listener);
        assert_eq!(net.way_out(deadline).await, Open::Yes);
    }

    #[test]
    fn addresses_inside() {
        let check = |text: &str, expect| assert_eq!(is_inside(text.parse().unwrap()), expect);
        for inside in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "::1", "fd00::1"] {
            check(inside, true);
        }
        for outside in ["192.0.2.1", "100.128.0.1", "2001:db8::1", "8.8.8.8"] {
            check(outside, false);
        }
    }
}
