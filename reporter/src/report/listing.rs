//! The figure of a listing level (rule 13): how long addresses stood on blocklists. Service
//! hours and exclusions do not apply.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailward_catalogue::{Level, blocklist};
use mailward_evidence::Verdict;

use super::model::{At, Figure, ListedTime, ListingSpan, ListingTime, Ms};
use super::{Case, Judged, ReportError};
use crate::clock::duration_ms;
use crate::interval::{Set, Span};
use crate::segment::{Segment, Stream};
use crate::timeline::spoken;

pub(super) fn figure(
    case: &Case<'_>,
    level: &Level,
    target: Duration,
) -> Result<Judged, ReportError> {
    let row = case.row(level)?;
    let probes: Vec<&str> = case
        .catalogue
        .probes_of(&row.component.id)
        .filter(|probe| probe.kind.name == "dnsbl")
        .map(|probe| probe.id.as_str())
        .collect();
    let mut listed: BTreeMap<(&str, &str), Pair<'_>> = BTreeMap::new();
    let mut observed = Vec::new();
    // when a listing was first seen may lie before the month
    let so_far = Span::new(i64::MIN, case.period.to_ms);
    let own = |probe: &str| probes.contains(&probe);
    for stream in case.evidence.streams.iter().filter(|s| own(s.probe.as_str())) {
        let settled_ms = settled_ms(stream, case.period);
        for (segment, span) in spoken(stream, so_far, case.now_ms) {
            let inside = span.clip(case.period);
            let reaches_back = segment.verdict == Verdict::Down && segment.first_ms > settled_ms;
            if segment.verdict != Verdict::Unknown && !inside.is_empty() {
                observed.push(inside);
            }
            for listing in &segment.listings {
                let pair = listed.entry((&listing.address, &listing.list)).or_default();
                pair.spans.push(if reaches_back { span } else { inside });
                if !inside.is_empty() {
                    let codes = listing.code.as_deref().unwrap_or_default().split(',');
                    pair.codes.extend(codes.filter(|code| !code.is_empty()));
                }
            }
        }
    }
    let ends_ms = case.period.to_ms.min(case.now_ms);
    let pairs: Vec<((&str, &str), Set, ListingSpan)> = listed
        .into_iter()
        .map(|(pair, seen)| {
            let told = seen.told(pair, case.period, ends_ms);
            (pair, Set::of(seen.spans).clip(case.period), told)
        })
        .filter(|(_, set, _)| !set.is_empty())
        .collect();
    let exposed: Set = pairs.iter().flat_map(|(_, set, _)| set.spans()).copied().collect();
    let (exposed_ms, target_ms) = (exposed.len_ms(), duration_ms(target));
    let figure = ListingTime {
        exposed_s: Ms(exposed_ms),
        list_s: Ms(pairs.iter().map(|(_, set, _)| set.len_ms()).sum()),
        observed_s: Ms(Set::of(observed).len_ms()),
        target_s: Ms(target_ms),
        listings: pairs.into_iter().map(|(.., told)| told).collect(),
    };
    Ok(Judged {
        figure: Figure::Listing(figure),
        met: Some(exposed_ms <= target_ms),
        share: None,
        credited: None,
    })
}

/// When the last run of up or degraded outcomes before the period began. Evidence reaches back to
/// it whatever the way it was read; what lies before may be there or not, and counts for nothing.
fn settled_ms(stream: &Stream, period: Span) -> i64 {
    let settled = |segment: &&Segment| {
        matches!(segment.verdict, Verdict::Up | Verdict::Degraded)
            && segment.first_ms < period.from_ms
    };
    stream.segments.iter().rfind(settled).map_or(i64::MIN, |segment| segment.first_ms)
}

/// What was seen of one address on one list.
#[derive(Default)]
struct Pair<'a> {
    spans: Vec<Span>,
    codes: BTreeSet<&'a str>,
}

impl Pair<'_> {
    /// The facts of it that a reader acts on.
    fn told(&self, (address, list): (&str, &str), period: Span, ends_ms: i64) -> ListingSpan {
        let set = Set::of(self.spans.iter().copied());
        let codes: Vec<String> = self.codes.iter().map(|code| (*code).to_owned()).collect();
        let explained = blocklist::explain(list, &codes.join(","));
        let (means, removal) = explained.unwrap_or_default();
        let times = set.spans().iter().filter(|span| !span.clip(period).is_empty());
        let times = times.map(|span| ListedTime {
            from: At(span.from_ms),
            to: At(span.to_ms),
            still_open: span.to_ms >= ends_ms,
        });
        ListingSpan {
            address: address.to_owned(),
            list: list.to_owned(),
            listed_s: Ms(set.len_within_ms(period)),
            codes,
            means,
            removal: removal.to_owned(),
            times: times.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_listing() {
        let seen = |spans: &[(i64, i64)], codes: &[&'static str]| Pair {
            spans: spans.iter().map(|(from, to)| Span::new(*from, *to)).collect(),
            codes: codes.iter().copied().collect(),
        };
        let month = Span::new(1000, 2000);
        let check = |pair: Pair<'_>, ends_ms: i64, expect: &[(i64, i64, bool)], listed_ms: i64| {
            let told = pair.told(("192.0.2.10", "zen.spamhaus.org"), month, ends_ms);
            let times: Vec<(i64, i64, bool)> =
                told.times.iter().map(|t| (t.from.0, t.to.0, t.still_open)).collect();
            assert_eq!(times, expect);
            assert_eq!(told.listed_s, Ms(listed_ms));
            told
        };
        // first seen before the month, seen by two agents, and again at its end
        let pair = seen(&[(900, 1100), (1050, 1200), (1900, 2000)], &["127.0.0.2", "127.0.0.4"]);
        let told = check(pair, 2000, &[(900, 1200, false), (1900, 2000, true)], 300);
        assert_eq!(told.codes, ["127.0.0.2", "127.0.0.4"]);
        assert_eq!(told.means, "SBL: sends or supports spam; XBL: infected or misused machine");
        assert_eq!(told.removal, "https://check.spamhaus.org/");
        // what ended before the month is not of it
        check(seen(&[(100, 200), (1500, 1600)], &[]), 1600, &[(1500, 1600, true)], 100);
    }
}
