//! What a round means: down if a usable list lists, else up if at least one is usable and
//! everything could be looked for, else unknown.

use std::net::Ipv4Addr;

use mailward_evidence::record::MAX_LISTINGS;
use mailward_evidence::{Extra, Listing, Reason};

use super::judge::{Family, Heard};
use super::round::{Listed, Told};
use super::targets::Found;
use super::{List, Target};
use crate::net::Trace;
use crate::probe::Seen;

/// The most listings whose codes are explained.
const MAX_EXPLAINED: usize = 16;

/// What a round means so far.
pub(super) struct Verdict<'a> {
    pub(super) listed: Vec<Listed<'a>>,
    seen: Seen,
}

impl Verdict<'_> {
    /// Listings that were seen before and whose list says nothing now: where nothing else is
    /// listed, that they are gone cannot be said either.
    pub(super) fn wait_for(&mut self, waiting: Vec<String>, trace: &mut Trace) {
        if waiting.is_empty() {
            return;
        }
        trace.fact("not_told", waiting.join(", "));
        if self.listed.is_empty() {
            self.seen = Seen::unknown(Reason::ListUnusable);
        }
    }

    pub(super) fn into_seen(self) -> Seen {
        let mut seen = self.seen;
        seen.listings = self.listed.into_iter().map(|(_, _, listing)| listing).collect();
        seen.listings.sort_unstable_by(|a, b| (&a.address, &a.list).cmp(&(&b.address, &b.list)));
        seen.listings.truncate(MAX_LISTINGS);
        seen
    }
}

/// Sorts out what was told. Facts `addresses`, `left_out`, `lists_usable`, `lists_unusable` and
/// `means:…`.
pub(super) fn conclude<'a>(
    lists: &'a [List],
    told: &[Told<'a>],
    found: &Found,
    trace: &mut Trace,
) -> Verdict<'a> {
    let addresses = found.targets.iter().filter(|target| target.family != Family::Domain);
    trace.fact("addresses", addresses.map(|t| t.shown.as_str()).collect::<Vec<_>>().join(", "));
    if !found.left_out.is_empty() {
        trace.fact("left_out", format!("too large: {}", found.left_out.join(", ")));
    }
    let mut listed = Vec::new();
    let (mut usable, mut unusable) = (0usize, Vec::new());
    for told in told {
        let (clear, why) = of_list(told, &mut listed);
        usable += usize::from(clear);
        unusable.extend(why.map(|why| format!("{} ({why})", told.list.shown)));
    }
    for list in lists {
        if let Some(when) = list.ended() {
            unusable.push(format!("{} (dead since {when}, not asked)", list.shown));
        }
    }
    trace.fact("lists_usable", usable.to_string());
    if !unusable.is_empty() {
        unusable.sort_unstable();
        trace.fact("lists_unusable", unusable.join(", "));
    }
    explain(&listed, trace);
    let seen = match (&found.fault, listed.is_empty(), usable) {
        (_, false, _) => Seen::down(Reason::Listed),
        (Some(fault), true, _) => {
            trace.fact("detail", &*fault.detail);
            Seen::unknown(fault.reason.clone())
        }
        (None, true, _) if found.targets.is_empty() => {
            trace.fact("detail", "no address is left to ask for; raise max_addresses");
            Seen::unknown(Reason::ProbeFault)
        }
        (None, true, 0) => Seen::unknown(Reason::ListUnusable),
        (None, true, _) => Seen::up(),
    };
    Verdict { listed, seen }
}

/// Whether the list has told everything of at least one family, and why not of another.
fn of_list<'a>(told: &Told<'a>, listed: &mut Vec<Listed<'a>>) -> (bool, Option<String>) {
    let mut clear = false;
    let mut why: Option<String> = None;
    for (family, tests) in &told.tests {
        // of several families it is said which one the list is of no use for
        let of = |word: &str| match told.tests.len() {
            1 => word.to_owned(),
            _ => format!("{}: {word}", family.word()),
        };
        if let Err(state) = tests.usable() {
            why.get_or_insert(of(state.word()));
            continue;
        }
        let mut all_told = true;
        for (target, heard) in told.targets.iter().filter(|(t, _)| t.family == *family) {
            match heard {
                Heard::Listed(codes) => {
                    listed.push((told.list, target, listing(target, told.list, codes)));
                }
                Heard::NotListed => {}
                other => {
                    all_told = false;
                    why.get_or_insert(of(other.word()));
                }
            }
        }
        clear |= all_told;
    }
    (clear, why)
}

fn listing(target: &Target, list: &List, codes: &[Ipv4Addr]) -> Listing {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    Listing {
        address: target.shown.as_str().into(),
        list: list.shown.as_str().into(),
        code: Some(codes.join(",").into()),
        extra: Extra::default(),
    }
}

/// What the codes of well-known lists mean, and where to go.
fn explain(listed: &[Listed<'_>], trace: &mut Trace) {
    for (list, target, listing) in listed.iter().take(MAX_EXPLAINED) {
        let codes = listing.code.as_deref().unwrap_or_default();
        let Some((means, removal)) = mailward_catalogue::blocklist::explain(&list.zone, codes)
        else {
            continue;
        };
        let told = match removal {
            "" => means,
            page => format!("{means}; see {page}"),
        };
        trace.fact(&format!("means:{}@{}", target.shown, list.shown), told);
    }
}
