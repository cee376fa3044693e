//! `dnsbl`: asks blocklists for addresses and domains. In each round a list is believed only if
//! its test entries answer as RFC 5782 section 5 says; otherwise it neither lists nor clears.
//! What to look for is found by `targets`, the asking is `round`'s, the verdict `verdict`'s.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::blocklist::{self, Blocklist};
use mailward_catalogue::{Probe, Settings};

use super::{BuildError, Context, Observe, Seen};
use crate::net::dns::full_name;
use crate::net::names::Names;
use crate::net::{Net, Trace};

mod judge;
mod memory;
mod round;
mod targets;
mod verdict;

use judge::Family;
use memory::Memory;
use targets::{Sources, Target};

struct Dnsbl {
    net: Arc<Net>,
    resolver: Option<SocketAddr>,
    host: String,
    lists: Vec<List>,
    sources: Sources,
    memory: Mutex<Memory>,
}

/// A list that is asked, or that is known to be dead.
struct List {
    zone: String,
    /// The zone as evidence and metrics show it: without a customer's key, which is a secret.
    shown: String,
    known: Option<&'static Blocklist>,
    /// Whether it is believed without a test entry that is listed.
    untested: bool,
}

impl List {
    fn new(zone: &str, settings: &Settings) -> Self {
        let zone = zone.trim_end_matches('.').to_ascii_lowercase();
        let untested = settings.texts("untested").iter();
        let is_same = |other: &String| other.trim_end_matches('.').eq_ignore_ascii_case(&zone);
        Self {
            shown: blocklist::without_key(&zone).to_owned(),
            known: blocklist::find(&zone),
            untested: untested.into_iter().any(is_same),
            zone,
        }
    }

    /// Since when it is known to be dead.
    fn ended(&self) -> Option<&'static str> {
        Some(self.known?.ended.as_ref()?.when)
    }

    /// The entry of a family that must be listed.
    fn present(&self, family: Family) -> String {
        let own = self.known.and_then(|known| known.test_domain);
        match (family, own) {
            (Family::Domain, Some(own)) => own.to_owned(),
            _ => family.present(),
        }
    }
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let sources = Sources::read(settings);
    let lists: Vec<List> =
        settings.texts("lists").iter().map(|zone| List::new(zone, settings)).collect();
    if sources.is_empty() {
        let problem = "expected addresses, mx_of, spf_of or domains to look for, got none";
        return Err(BuildError::key(probe, "addresses", problem));
    }
    if lists.is_empty() {
        return Err(BuildError::key(probe, "lists", "expected lists to ask, got none"));
    }
    for list in &lists {
        for target in sources.given() {
            full_name(&format!("{}.{}", target.label, list.zone))
                .map_err(|problem| BuildError::key(probe, "lists", problem))?;
        }
    }
    let resolver = settings.socket("resolver");
    Ok(Box::new(Dnsbl {
        net: net.clone(),
        resolver,
        host: resolver.map_or_else(|| "the resolver".to_owned(), |r| r.ip().to_string()),
        lists,
        sources,
        memory: Mutex::default(),
    }))
}

impl Observe for Dnsbl {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = self.look(cx, &mut trace).await;
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

impl Dnsbl {
    async fn look(&self, cx: &Context<'_>, trace: &mut Trace) -> Seen {
        // a silent list must not cost the answers of the others: they are judged in time
        let deadline = cx.deadline.within(cx.deadline.left() * 9 / 10);
        let names = Names::new(&self.net, self.resolver, deadline);
        let found = self.sources.find(&names).await;
        if self.sources.has_to_search() {
            trace.lap("targets");
        }
        let told = round::ask_all(&self.lists, &found.targets, names.servers(), deadline).await;
        trace.lap("query");
        let mut verdict = verdict::conclude(&self.lists, &told, &found, trace);
        if !verdict.listed.is_empty() {
            let servers = names.servers();
            round::reasons(&verdict.listed, servers, cx.deadline, trace).await;
            trace.lap("reason");
        }
        let now = self.net.clock.now();
        let mut memory = self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waiting = memory.learn(&told, &verdict.listed, now, trace);
        verdict.wait_for(waiting, trace);
        verdict.into_seen()
    }
}

#[cfg(test)]
mod tests;
