//! The figure of a listing level (rule 13): how long addresses stood on blocklists. Service
//! hours and exclusions do not apply.

use std::collections::BTreeMap;
use std::time::Duration;

use mailward_catalogue::Level;

use super::model::{Figure, ListingSpan, ListingTime, Ms};
use super::{Case, Judged, ReportError};
use crate::clock::duration_ms;
use crate::interval::{Set, Span};
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
    let mut listed: BTreeMap<(&str, &str), Vec<Span>> = BTreeMap::new();
    let mut observed = Vec::new();
    let own = |probe: &str| probes.contains(&probe);
    for stream in case.evidence.streams.iter().filter(|s| own(s.probe.as_str())) {
        for (segment, span) in spoken(stream, case.period, case.now_ms) {
            if segment.verdict != mailward_evidence::Verdict::Unknown {
                observed.push(span);
            }
            for listing in &segment.listings {
                listed.entry((&listing.address, &listing.list)).or_default().push(span);
            }
        }
    }
    let pairs: Vec<((&str, &str), Set)> =
        listed.into_iter().map(|(pair, spans)| (pair, Set::of(spans))).collect();
    let exposed: Set = pairs.iter().flat_map(|(_, set)| set.spans()).copied().collect();
    let (exposed_ms, target_ms) = (exposed.len_ms(), duration_ms(target));
    let figure = ListingTime {
        exposed_s: Ms(exposed_ms),
        list_s: Ms(pairs.iter().map(|(_, set)| set.len_ms()).sum()),
        observed_s: Ms(Set::of(observed).len_ms()),
        target_s: Ms(target_ms),
        listings: pairs
            .iter()
            .filter(|(_, set)| !set.is_empty())
            .map(|((address, list), set)| ListingSpan {
                address: (*address).to_owned(),
                list: (*list).to_owned(),
                listed_s: Ms(set.len_ms()),
            })
            .collect(),
    };
    Ok(Judged {
        figure: Figure::Listing(figure),
        met: Some(exposed_ms <= target_ms),
        share: None,
        credited: None,
    })
}
