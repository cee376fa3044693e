//! `dnsbl`: asks blocklists for addresses and domains. In each round a list is believed only if
//! its test entries answer as RFC 5782 section 5 says; otherwise it neither lists nor clears.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hickory_proto::rr::{RData, RecordType};
use mailward_catalogue::Probe;
use mailward_evidence::record::MAX_LISTINGS;
use mailward_evidence::{Extra, Listing, Reason};

use super::{BuildError, Context, Observe, Seen};
use crate::net::dns::{Answer, ask_any, full_name, txt_text};
use crate::net::{Deadline, Fault, Net, Trace};

mod judge;

use judge::{Family, Heard, TestEntries, hear};

/// The most questions that are open at a time.
const MAX_OPEN: usize = 64;
/// The most listings whose TXT reason is asked for.
const MAX_REASONS: usize = 16;

struct Dnsbl {
    net: Arc<Net>,
    resolver: Option<SocketAddr>,
    host: String,
    lists: Vec<List>,
    targets: Vec<Target>,
}

struct List {
    zone: String,
    /// The zone as evidence and metrics show it: without a customer's key, which is a secret.
    shown: String,
}

/// An address or a domain that is looked for.
struct Target {
    family: Family,
    /// What stands before the zone: reversed octets or nibbles, or the domain.
    label: String,
    shown: String,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let addresses = settings.addresses("addresses").iter();
    let domains = settings.texts("domains").iter();
    let targets: Vec<Target> = addresses
        .map(|address| address_target(*address))
        .chain(domains.map(|domain| domain_target(domain)))
        .collect();
    let lists: Vec<List> = settings.texts("lists").iter().map(|z| list(z)).collect();
    if targets.is_empty() {
        let problem = "expected addresses or domains to look for, got none";
        return Err(BuildError::key(probe, "addresses", problem));
    }
    if lists.is_empty() {
        return Err(BuildError::key(probe, "lists", "expected lists to ask, got none"));
    }
    for list in &lists {
        for target in &targets {
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
        targets,
    }))
}

fn list(zone: &str) -> List {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    List { shown: without_key(&zone).to_owned(), zone }
}

/// Providers that put a customer's key before the list's name.
const KEYED: &[&str] = &[".dq.spamhaus.net", ".mail.abusix.zone"];

fn without_key(zone: &str) -> &str {
    for suffix in KEYED {
        if let Some(before) = zone.strip_suffix(suffix)
            && let Some(dot) = before.rfind('.')
        {
            return &zone[dot + 1..];
        }
    }
    zone
}

fn address_target(address: IpAddr) -> Target {
    let (family, label) = match address {
        IpAddr::V4(_) => (Family::V4, judge::reversed(address)),
        IpAddr::V6(_) => (Family::V6, judge::reversed(address)),
    };
    Target { family, label, shown: address.to_string() }
}

fn domain_target(domain: &str) -> Target {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    Target { family: Family::Domain, label: domain.clone(), shown: domain }
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

/// One question of a round.
#[derive(Clone, Copy)]
enum What {
    /// The entry that must be listed.
    Present(Family),
    /// The entry that must not be.
    Absent(Family),
    /// The target of this index.
    Target(usize),
}

/// What a list told in one round.
struct Told<'a> {
    list: &'a List,
    tests: Vec<(Family, TestEntries)>,
    targets: Vec<(&'a Target, Heard)>,
}

impl Dnsbl {
    async fn look(&self, cx: &Context<'_>, trace: &mut Trace) -> Seen {
        // a silent list must not cost the answers of the others: they are judged in time
        let deadline = cx.deadline.within(cx.deadline.left() * 9 / 10);
        let heard = self.hear_all(deadline).await;
        trace.lap("query");
        let told = self.sort(heard);
        let (mut seen, listed) = conclude(&told, trace);
        if !listed.is_empty() {
            self.reasons(&listed, cx.deadline, trace).await;
            trace.lap("reason");
        }
        seen.listings = listed.into_iter().map(|(_, _, listing)| listing).collect();
        seen.listings.sort_unstable_by(|a, b| (&a.address, &a.list).cmp(&(&b.address, &b.list)));
        seen.listings.truncate(MAX_LISTINGS);
        seen
    }

    /// Asks everything, so many questions at a time.
    async fn hear_all(&self, deadline: Deadline) -> Vec<(usize, What, Heard)> {
        let mut waiting = self.questions().into_iter();
        let mut open = FuturesUnordered::new();
        let mut heard = Vec::with_capacity(waiting.len());
        loop {
            while open.len() < MAX_OPEN
                && let Some((list, what)) = waiting.next()
            {
                open.push(self.hear_one(list, what, deadline));
            }
            match open.next().await {
                Some(one) => heard.push(one),
                None => return heard,
            }
        }
    }

    async fn hear_one(&self, list: usize, what: What, deadline: Deadline) -> (usize, What, Heard) {
        let label = self.label(what);
        let answer = self.ask(&self.lists[list], &label, RecordType::A, deadline);
        (list, what, hear(answer.await))
    }

    /// Test entries of the families that are looked for, and every target, of every list.
    fn questions(&self) -> Vec<(usize, What)> {
        let families = Family::ALL.into_iter();
        let families: Vec<Family> =
            families.filter(|family| self.targets.iter().any(|t| t.family == *family)).collect();
        let mut questions = Vec::new();
        for list in 0..self.lists.len() {
            for family in &families {
                questions.push((list, What::Present(*family)));
                questions.push((list, What::Absent(*family)));
            }
        }
        for target in 0..self.targets.len() {
            questions.extend((0..self.lists.len()).map(|list| (list, What::Target(target))));
        }
        questions
    }

    fn label(&self, what: What) -> String {
        match what {
            What::Present(family) => family.present(),
            What::Absent(family) => family.absent(),
            What::Target(index) => self.targets[index].label.clone(),
        }
    }

    async fn ask(
        &self,
        list: &List,
        label: &str,
        kind: RecordType,
        deadline: Deadline,
    ) -> Result<Answer, Fault> {
        let name = full_name(&format!("{label}.{}", list.zone))
            .map_err(|problem| Fault::new(Reason::ProbeFault, problem))?;
        let servers = match &self.resolver {
            Some(one) => std::slice::from_ref(one),
            None => self.net.resolver.servers(),
        };
        ask_any(servers, &name, kind, deadline).await.1
    }

    fn sort(&self, heard: Vec<(usize, What, Heard)>) -> Vec<Told<'_>> {
        let mut told: Vec<Told<'_>> = self
            .lists
            .iter()
            .map(|list| Told { list, tests: Vec::new(), targets: Vec::new() })
            .collect();
        for (list, what, heard) in heard {
            let told = &mut told[list];
            match what {
                What::Present(family) => entry(&mut told.tests, family).present = heard,
                What::Absent(family) => entry(&mut told.tests, family).absent = heard,
                What::Target(index) => told.targets.push((&self.targets[index], heard)),
            }
        }
        told
    }

    /// Why the first few are listed, in the list's own words (RFC 5782 section 2.1).
    async fn reasons(
        &self,
        listed: &[(&List, &Target, Listing)],
        deadline: Deadline,
        trace: &mut Trace,
    ) {
        let mut open = FuturesUnordered::new();
        for (list, target, _) in listed.iter().take(MAX_REASONS) {
            open.push(self.reason(list, target, deadline));
        }
        while let Some((name, text)) = open.next().await {
            if let Some(text) = text {
                trace.fact(&name, text);
            }
        }
    }

    async fn reason(
        &self,
        list: &List,
        target: &Target,
        deadline: Deadline,
    ) -> (String, Option<String>) {
        let answer = self.ask(list, &target.label, RecordType::TXT, deadline).await;
        let text = answer.ok().and_then(|answer| {
            answer.records.iter().find_map(|record| match &record.data {
                RData::TXT(txt) => Some(txt_text(&txt.txt_data)),
                _ => None,
            })
        });
        (format!("txt:{}@{}", target.shown, list.shown), text)
    }
}

fn entry(tests: &mut Vec<(Family, TestEntries)>, family: Family) -> &mut TestEntries {
    let at = tests.iter().position(|(of, _)| *of == family);
    let at = at.unwrap_or_else(|| {
        tests.push((family, TestEntries::default()));
        tests.len() - 1
    });
    &mut tests[at].1
}

type Listed<'a> = (&'a List, &'a Target, Listing);

/// Down if a usable list lists, else up if at least one is usable, else unknown.
fn conclude<'a>(told: &[Told<'a>], trace: &mut Trace) -> (Seen, Vec<Listed<'a>>) {
    let mut listed = Vec::new();
    let (mut usable, mut unusable) = (Vec::new(), Vec::new());
    for Told { list, tests, targets } in told {
        let mut clear = false;
        let mut why = None;
        for (family, tests) in tests {
            if let Err(state) = tests.usable() {
                why.get_or_insert(state.word());
                continue;
            }
            let mut all_told = true;
            for (target, heard) in targets.iter().filter(|(t, _)| t.family == *family) {
                match heard {
                    Heard::Listed(codes) => {
                        listed.push((*list, *target, listing(target, list, codes)))
                    }
                    Heard::NotListed => {}
                    other => {
                        all_told = false;
                        why.get_or_insert(other.word());
                    }
                }
            }
            clear |= all_told;
        }
        if clear {
            usable.push(list.shown.as_str());
        }
        if let Some(why) = why {
            unusable.push(format!("{} ({why})", list.shown));
        }
    }
    trace.fact("lists_usable", usable.len().to_string());
    if !unusable.is_empty() {
        unusable.sort_unstable();
        trace.fact("lists_unusable", unusable.join(", "));
    }
    let seen = match (listed.is_empty(), usable.is_empty()) {
        (false, _) => Seen::down(Reason::Listed),
        (true, false) => Seen::up(),
        (true, true) => Seen::unknown(Reason::ListUnusable),
    };
    (seen, listed)
}

fn listing(target: &Target, list: &List, codes: &[std::net::Ipv4Addr]) -> Listing {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    Listing {
        address: target.shown.as_str().into(),
        list: list.shown.as_str().into(),
        code: Some(codes.join(",").into()),
        extra: Extra::default(),
    }
}

#[cfg(test)]
mod tests;
