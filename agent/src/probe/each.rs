//! Every address of a host, or every member of a pool, by itself: runs a kind once for each,
//! held to that address under the host's own name, and makes one verdict of what they saw. What
//! a run looks at is left to the kind.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use mailward_catalogue::{Probe, Shape};
use mailward_evidence::{Reason, Stopwatch, Verdict};

use super::{Account, Accounts, Build, BuildError, Context, Deadline, Observe, Seen};
use crate::net::{Net, Trace};

/// The most addresses of one run.
const MAX_ADDRESSES: usize = 16;

struct Each {
    net: Arc<Net>,
    probe: Probe,
    build: Build,
    host: String,
    members: Members,
    /// The probe of each address, kept as long as the address is.
    ready: Mutex<BTreeMap<IpAddr, Arc<dyn Observe>>>,
}

/// Whose addresses they are, which decides what one of them that fails means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Members {
    /// Those that the host's name has now: whoever looks it up may get any, so each must do.
    OfName,
    /// Those of a pool, which goes on without one of them.
    OfPool(Vec<IpAddr>),
}

/// What was seen at one address.
struct Sight {
    address: IpAddr,
    /// `None` where it was spared, since the account was refused before.
    seen: Option<Seen>,
    took: Duration,
}

/// The probe of a kind, or one that runs it for every address where `addresses` asks for that.
pub(super) fn build(
    probe: &Probe,
    net: &Arc<Net>,
    build: Build,
) -> Result<Box<dyn Observe>, BuildError> {
    let plain = build(probe, net)?;
    let is_pool = |shape: &Shape| matches!(shape, Shape::Pool);
    if !probe.kind.keys.iter().any(|key| key.name == "addresses" && is_pool(&key.shape)) {
        return Ok(plain);
    }
    let members = match (probe.settings.text("addresses"), probe.settings.addresses("addresses")) {
        (Some("each"), _) => Members::OfName,
        (None, members) if !members.is_empty() => Members::OfPool(members.to_vec()),
        _ => return Ok(plain),
    };
    Ok(Box::new(Each {
        net: Arc::clone(net),
        probe: probe.clone(),
        build,
        host: plain.host_key().to_owned(),
        members,
        ready: Mutex::default(),
    }))
}

impl Observe for Each {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let addresses = match self.addresses(cx, &mut trace).await {
                Ok(addresses) => addresses,
                Err(seen) => return seen.with(trace),
            };
            self.keep_only(&addresses);
            let sights = if self.probe.credentials.is_empty() {
                join_all(addresses.iter().map(|address| self.look(*address, cx))).await
            } else {
                self.in_turn(&addresses, cx).await
            };
            join(&self.members, sights, trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

impl Each {
    /// The addresses of this run. Phase `dns`; fact `addresses_left_out`.
    async fn addresses(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Vec<IpAddr>, Seen> {
        let mut addresses = match &self.members {
            Members::OfPool(members) => members.clone(),
            Members::OfName => {
                let found = self.net.resolve_all(&self.host, cx.deadline, trace).await;
                found.map_err(|fault| Seen::fault(&fault))?
            }
        };
        let mut left_out = Vec::new();
        if !addresses.iter().all(IpAddr::is_ipv4) && !has_ipv6() {
            left_out.extend(addresses.extract_if(.., |address| address.is_ipv6()));
        }
        if addresses.is_empty() {
            trace.fact("detail", "the host has IPv6 addresses only, and this machine has no IPv6");
            return Err(Seen::unknown(Reason::EgressBlocked));
        }
        left_out.extend(addresses.drain(addresses.len().min(MAX_ADDRESSES)..));
        if !left_out.is_empty() {
            let text: Vec<String> = left_out.iter().map(ToString::to_string).collect();
            trace.fact("addresses_left_out", text.join(" "));
        }
        Ok(addresses)
    }

    /// Forgets the probes of addresses that are gone.
    fn keep_only(&self, addresses: &[IpAddr]) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.retain(|address, _| addresses.contains(address));
    }

    fn ready(&self, address: IpAddr) -> Result<Arc<dyn Observe>, BuildError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(probe) = ready.get(&address) {
            return Ok(Arc::clone(probe));
        }
        let net = Arc::new(self.net.pinned(&self.host, address));
        let probe: Arc<dyn Observe> = Arc::from((self.build)(&self.probe, &net)?);
        ready.insert(address, Arc::clone(&probe));
        Ok(probe)
    }

    async fn look(&self, address: IpAddr, cx: &Context<'_>) -> Sight {
        let watch = Stopwatch::start();
        let seen = match self.ready(address) {
            Ok(probe) => probe.observe(cx).await,
            Err(error) => {
                let mut seen = Seen::unknown(Reason::ProbeFault);
                seen.facts.set("detail", error.to_string().into());
                seen
            }
        };
        Sight { address, seen: Some(seen), took: watch.elapsed() }
    }

    /// One address after the other, each with its share of the time, so that one rejection is
    /// known before the account is shown again.
    async fn in_turn(&self, addresses: &[IpAddr], cx: &Context<'_>) -> Vec<Sight> {
        let accounts = Sparing { inner: cx.accounts, refused: Mutex::default() };
        let mut sights = Vec::with_capacity(addresses.len());
        for (done, address) in addresses.iter().enumerate() {
            if accounts.all_refused(&self.probe.credentials) {
                sights.push(Sight { address: *address, seen: None, took: Duration::ZERO });
                continue;
            }
            let waiting = u32::try_from(addresses.len() - done).unwrap_or(u32::MAX);
            let deadline = cx.deadline.within(cx.deadline.left() / waiting);
            let cx = Context { deadline, accounts: &accounts, ..*cx };
            sights.push(self.look(*address, &cx).await);
        }
        sights
    }
}

/// Whether this machine has a way to IPv6 addresses at all. Nothing is sent: connecting a UDP
/// socket only looks a route up.
fn has_ipv6() -> bool {
    // a root name server's address (k.root-servers.net), as any place far away would do
    const FAR: Ipv6Addr = Ipv6Addr::new(0x2001, 0x7fd, 0, 0, 0, 0, 0, 1);
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0));
    socket.and_then(|socket| socket.connect((FAR, 53))).is_ok()
}

/// The accounts of a run that shows none again which one of the addresses refused.
struct Sparing<'a> {
    inner: &'a dyn Accounts,
    refused: Mutex<Vec<Box<str>>>,
}

impl Sparing<'_> {
    fn is_refused(&self, id: &str) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().any(|refused| **refused == *id)
    }

    fn all_refused(&self, ids: &[String]) -> bool {
        ids.iter().all(|id| self.is_refused(id))
    }
}

impl Accounts for Sparing<'_> {
    fn account<'a>(
        &'a self,
        credential_id: &'a str,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Account, Reason>> {
        if self.is_refused(credential_id) {
            return std::future::ready(Err(Reason::CredentialHeld)).boxed();
        }
        self.inner.account(credential_id, deadline)
    }

    fn accepted(&self, credential_id: &str) {
        self.inner.accepted(credential_id);
    }

    fn rejected(&self, credential_id: &str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.push(Box::from(credential_id));
        drop(refused);
        self.inner.rejected(credential_id);
    }

    fn undecided(&self, credential_id: &str) {
        self.inner.undecided(credential_id);
    }

    fn proven(&self, credential_id: &str) -> bool {
        self.inner.proven(credential_id)
    }
}

/// One verdict of all: that of the address that decides it, with its phases and facts, and fact
/// `addresses`, which names them all. Where all are alike, the slowest one is told of.
fn join(members: &Members, sights: Vec<Sight>, mut trace: Trace) -> Seen {
    let mut told = String::new();
    for Sight { address, seen, .. } in &sights {
        let parted = if told.is_empty() { "" } else { ", " };
        // writing to a String cannot fail
        let _ = match seen {
            None => write!(told, "{parted}{address} not tried"),
            Some(Seen { verdict, reason: None, .. }) => {
                write!(told, "{parted}{address} {verdict}")
            }
            Some(Seen { verdict, reason: Some(reason), .. }) => {
                write!(told, "{parted}{address} {verdict} {reason}")
            }
        };
    }
    trace.fact("addresses", told);
    let verdicts: Vec<Verdict> =
        sights.iter().filter_map(|sight| sight.seen.as_ref().map(|seen| seen.verdict)).collect();
    let (verdict, of) = decide(members, &verdicts);
    let tried = sights.into_iter().filter_map(|sight| Some((sight.seen?, sight.took)));
    let of_verdict = tried.filter(|(seen, _)| seen.verdict == of);
    let chosen = if of == Verdict::Up {
        of_verdict.max_by_key(|(_, took)| *took)
    } else {
        { of_verdict }.next()
    };
    let mut seen = chosen.map_or_else(|| Seen::unknown(Reason::ProbeFault), |(seen, _)| seen);
    seen.verdict = verdict;
    let (phases, facts) = trace.into_parts();
    for (phase, ms) in phases.iter() {
        seen.phases.set(phase, *ms);
    }
    for (fact, value) in facts.iter() {
        seen.facts.set(fact, value.clone());
    }
    seen
}

/// The verdict of all, and the verdict of those of which one is told.
fn decide(members: &Members, verdicts: &[Verdict]) -> (Verdict, Verdict) {
    use Verdict::{Degraded, Down, Unknown, Up};
    let any = |verdict| verdicts.contains(&verdict);
    let works = any(Up) || any(Degraded);
    match members {
        Members::OfName if any(Down) => (Down, Down),
        Members::OfPool(_) if any(Down) && works => (Degraded, Down),
        Members::OfPool(_) if any(Down) && !any(Unknown) => (Down, Down),
        _ if any(Unknown) => (Unknown, Unknown),
        _ if any(Degraded) => (Degraded, Degraded),
        _ => (Up, Up),
    }
}

#[cfg(test)]
mod tests;
