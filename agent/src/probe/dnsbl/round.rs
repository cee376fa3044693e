//! One round over all lists: each is asked for its test entries first, and for what is watched
//! only if it may be believed. A list that does not answer holds up no other.

use std::net::SocketAddr;

use futures_util::future::{join, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use hickory_proto::rr::{RData, RecordType};
use mailward_evidence::{Listing, Reason};
use tokio::sync::Semaphore;

use super::judge::{Family, Heard, TestEntries, hear};
use super::{List, Target};
use crate::net::dns::{Answer, ask_any, full_name, txt_text};
use crate::net::{Deadline, Fault, Trace};

/// The most questions of a round that are open at a time: each takes a socket.
const MAX_OPEN: usize = 200;
/// The most of them that go to one list, so that one that falls silent leaves room.
const MAX_OPEN_PER_LIST: usize = 50;
/// The most listings whose TXT reason is asked for.
const MAX_REASONS: usize = 16;

/// What a list told in one round.
pub(super) struct Told<'a> {
    pub(super) list: &'a List,
    pub(super) tests: Vec<(Family, TestEntries)>,
    /// Every target of a family for which the list may be believed.
    pub(super) targets: Vec<(&'a Target, Heard)>,
}

/// Asks every list that is not known to be dead.
pub(super) async fn ask_all<'a>(
    lists: &'a [List],
    targets: &'a [Target],
    servers: &[SocketAddr],
    deadline: Deadline,
) -> Vec<Told<'a>> {
    let gate = Semaphore::new(MAX_OPEN);
    let asking = Asking { servers, gate: &gate, deadline };
    let alive = lists.iter().filter(|list| list.ended().is_none());
    join_all(alive.map(|list| asking.ask_list(list, targets))).await
}

struct Asking<'s> {
    servers: &'s [SocketAddr],
    gate: &'s Semaphore,
    deadline: Deadline,
}

impl Asking<'_> {
    async fn ask_list<'a>(&self, list: &'a List, targets: &'a [Target]) -> Told<'a> {
        let watched = |family: &Family| targets.iter().any(|target| target.family == *family);
        let families = Family::ALL.into_iter().filter(watched);
        let tests = families.map(|family| async move {
            let (present, absent) = (list.present(family), family.absent());
            let (present, absent) = join(self.hear(list, &present), self.hear(list, &absent)).await;
            (family, TestEntries { present, absent, untested: list.untested })
        });
        let tests: Vec<(Family, TestEntries)> = join_all(tests).await;
        let believed = |target: &&Target| {
            let mut tests = tests.iter();
            tests.any(|(family, test)| *family == target.family && test.usable().is_ok())
        };
        let asked: Vec<_> = targets
            .iter()
            .filter(believed)
            .map(|target| async move { (target, self.hear(list, &target.label).await) })
            .collect();
        let targets = stream::iter(asked).buffer_unordered(MAX_OPEN_PER_LIST).collect().await;
        Told { list, tests, targets }
    }

    async fn hear(&self, list: &List, label: &str) -> Heard {
        // the gate is never closed; were it, nothing would be heard
        let Some(Ok(_open)) = self.deadline.bound(self.gate.acquire()).await else {
            return Heard::Silent;
        };
        hear(ask(self.servers, list, label, RecordType::A, self.deadline).await)
    }
}

async fn ask(
    servers: &[SocketAddr],
    list: &List,
    label: &str,
    kind: RecordType,
    deadline: Deadline,
) -> Result<Answer, Fault> {
    let name = full_name(&format!("{label}.{}", list.zone))
        .map_err(|problem| Fault::new(Reason::ProbeFault, problem))?;
    ask_any(servers, &name, kind, deadline).await.1
}

/// A listing, and where it was found.
pub(super) type Listed<'a> = (&'a List, &'a Target, Listing);

/// Why the first few are listed, in the list's own words (RFC 5782 section 2.1).
pub(super) async fn reasons(
    listed: &[Listed<'_>],
    servers: &[SocketAddr],
    deadline: Deadline,
    trace: &mut Trace,
) {
    let mut open = FuturesUnordered::new();
    for (list, target, _) in listed.iter().take(MAX_REASONS) {
        open.push(reason(list, target, servers, deadline));
    }
    while let Some((name, text)) = open.next().await {
        if let Some(text) = text {
            trace.fact(&name, text);
        }
    }
}

async fn reason(
    list: &List,
    target: &Target,
    servers: &[SocketAddr],
    deadline: Deadline,
) -> (String, Option<String>) {
    let answer = ask(servers, list, &target.label, RecordType::TXT, deadline).await;
    let text = answer.ok().and_then(|answer| {
        answer.records.iter().find_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt_text(&txt.txt_data)),
            _ => None,
        })
    });
    (format!("txt:{}@{}", target.shown, list.shown), text)
}
