//! `icmp`: echo requests over the system's unprivileged ICMP sockets, a few in a row; how many
//! were answered, and how fast. No raw socket, and so no privilege, is ever asked for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::{Percent, Probe};
use mailward_evidence::{Reason, Stopwatch};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{BuildError, Context, Ended, Observe, Seen};
use crate::net::{Deadline, Fault, Net, Trace};

pub(crate) mod packet;

use packet::{Family, TOKEN_BYTES};

/// How long after one request the next is sent.
const APART: Duration = Duration::from_millis(100);
/// How long answers are waited for after the last request.
const PATIENCE: Duration = Duration::from_secs(2);
/// What to do where the system gives nobody such a socket.
const REMEDY: &str = "let the agent's group open such sockets, as root: \
                      sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"";

struct Icmp {
    net: Arc<Net>,
    host: String,
    count: u16,
    max_loss: Percent,
    max_rtt: Option<Duration>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let host = settings.text("host");
    let host = host.ok_or_else(|| BuildError::key(probe, "host", "expected a host, got none"))?;
    let count = settings.integer("count").and_then(|n| u16::try_from(n).ok());
    Ok(Box::new(Icmp {
        net: Arc::clone(net),
        host: host.to_owned(),
        count: count.unwrap_or(3).max(1),
        max_loss: settings.percent("max_loss").unwrap_or(Percent::NOTHING),
        max_rtt: settings.duration("max_rtt"),
    }))
}

impl Observe for Icmp {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.ping(cx.deadline, &mut trace).await {
                Ok(echoes) => self.judge(&echoes, &mut trace),
                Err(ended) => ended.into_seen(),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

/// What became of the requests: milliseconds until the answer, for each that was sent.
#[derive(Debug, Default)]
struct Echoes(Vec<Option<f64>>);

impl Icmp {
    async fn ping(&self, deadline: Deadline, trace: &mut Trace) -> Result<Echoes, Ended> {
        let addresses = self.net.resolve(&self.host, deadline, trace).await?;
        let (socket, address) = open(&addresses)?;
        trace.fact("address", address.to_string());
        let mut token = [0; TOKEN_BYTES];
        getrandom::fill(&mut token).map_err(|error| {
            Fault::new(Reason::ProbeFault, format!("while making a token: {error}"))
        })?;
        trace.skip();
        let echoes = exchange(&socket, Family::of(address), self.count, token, deadline).await;
        trace.lap("echo");
        Ok(echoes?)
    }

    fn judge(&self, echoes: &Echoes, trace: &mut Trace) -> Seen {
        let answered: Vec<f64> = echoes.0.iter().copied().flatten().collect();
        let (sent, received) = (echoes.0.len(), answered.len());
        trace.fact("sent", sent.to_string());
        trace.fact("received", received.to_string());
        if answered.is_empty() {
            let detail = format!("none of {sent} echo requests was answered");
            return Seen::fault(&Fault::new(Reason::Timeout, detail));
        }
        #[allow(clippy::cast_precision_loss, reason = "a mean of at most 20 numbers")]
        let mean = answered.iter().sum::<f64>() / received as f64;
        let bounds = answered
            .iter()
            .fold((f64::MAX, 0.0_f64), |(low, high), ms| (low.min(*ms), high.max(*ms)));
        trace.fact("rtt_min_ms", format!("{:.3}", bounds.0));
        trace.fact("rtt_mean_ms", format!("{mean:.3}"));
        trace.fact("rtt_max_ms", format!("{:.3}", bounds.1));
        let (sent, lost) = (sent as u64, (sent - received) as u64);
        trace.fact("loss_pct", (lost * 100 / sent).to_string());
        if lost * Percent::WHOLE > self.max_loss.units() * sent {
            return Seen::degraded(Reason::PacketLoss);
        }
        match self.max_rtt {
            Some(most) if mean > most.as_secs_f64() * 1000.0 => Seen::degraded(Reason::Slow),
            _ => Seen::up(),
        }
    }
}

/// A socket towards the first address that there is a way to.
fn open(addresses: &[IpAddr]) -> Result<(UdpSocket, IpAddr), Ended> {
    let mut first = None;
    for address in addresses {
        match open_towards(*address) {
            Ok(socket) => return Ok((socket, *address)),
            // the system lets this group have no such socket, whatever the address
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let mut seen = Seen::unknown(Reason::ProbeFault);
                let detail = format!("while opening an unprivileged ICMP socket: {error}");
                seen.facts.set("detail", detail.into());
                seen.facts.set("remedy", REMEDY.into());
                return Err(Ended::Judged(seen));
            }
            Err(error) => {
                let fault = Fault::io(&error, &format!("opening an ICMP socket to {address}"));
                first.get_or_insert(fault);
            }
        }
    }
    let none = || Fault::new(Reason::DnsNotFound, "there is no address to ask");
    Err(first.unwrap_or_else(none).into())
}

/// An ICMP socket is read and written as a UDP socket is (Linux: icmp(7), "ping sockets"): the
/// system fills in identifier and checksum, and hands over answers to it alone.
fn open_towards(address: IpAddr) -> std::io::Result<UdpSocket> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_nonblocking(true)?;
    socket.connect(&SocketAddr::new(address, 0).into())?;
    UdpSocket::from_std(socket.into())
}

/// Sends `count` requests and waits for their answers.
async fn exchange(
    socket: &UdpSocket,
    family: Family,
    count: u16,
    token: [u8; TOKEN_BYTES],
    deadline: Deadline,
) -> Result<Echoes, Fault> {
    let mut echoes = Echoes::default();
    let mut watches: Vec<Stopwatch> = Vec::new();
    let mut buffer = [0; 2048];
    while watches.len() < usize::from(count) && !deadline.left().is_zero() {
        let sequence = u16::try_from(watches.len()).unwrap_or(u16::MAX);
        let request = packet::request(family, sequence, token);
        watches.push(Stopwatch::start());
        let doing = "sending an echo request";
        let sent = deadline.bound(socket.send(&request)).await;
        sent.ok_or_else(|| Fault::timeout(doing))?.map_err(|error| Fault::io(&error, doing))?;
        echoes.0.push(None);
        let is_last = watches.len() == usize::from(count);
        let until = deadline.within(if is_last { PATIENCE } else { APART });
        while !(is_last && echoes.0.iter().all(Option::is_some)) {
            let Some(read) = until.bound(socket.recv(&mut buffer)).await else { break };
            let doing = "waiting for an echo reply";
            let read = read.map_err(|error| Fault::io(&error, doing))?;
            let Some(echo) = packet::read_reply(family, &buffer[..read]) else { continue };
            let index = usize::from(echo.sequence);
            // an answer to somebody else, or a second one
            if echo.token != token || echoes.0.get(index) != Some(&None) {
                continue;
            }
            echoes.0[index] = watches.get(index).map(Stopwatch::elapsed_ms);
        }
    }
    Ok(echoes)
}

#[cfg(test)]
mod tests;
