//! The judge of every fault: what was acknowledged and is gone, what stands twice, and which
//! outages the report declares although the service was fine. It asks the program itself,
//! by `export` and `report`.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::Path;

use super::support::{run_ok, scratch};

/// What tells one outcome from another: agent, probe, due, attempt.
pub(crate) type Key = (String, String, String, u64);

/// What came of a fault.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How often the fault was made.
    pub(crate) times: u64,
    /// Outcomes that somebody was told are safe, and that are not there.
    pub(crate) lost: u64,
    /// Outcomes that stand more than once.
    pub(crate) doubled: u64,
    /// Outages in the report; the services of these tests are up unless a test says otherwise.
    pub(crate) false_outages: u64,
}

impl Verdict {
    /// Prints the line that docs/reliability.md quotes, and fails where it is not clean.
    pub(crate) fn pass(&self, fault: &str) {
        let Self { times, lost, doubled, false_outages } = self;
        println!(
            "fault {fault}: times {times}, lost {lost}, doubled {doubled}, \
             false outages {false_outages}"
        );
        assert_eq!((*lost, *doubled, *false_outages), (0, 0, 0), "fault {fault}");
    }
}

/// The key of an outcome, `None` for other records.
pub(crate) fn key_of(record: &serde_json::Value) -> Option<Key> {
    let word = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let attempt = record["attempt"].as_u64().unwrap_or_default();
    (record["kind"] == "outcome").then(|| (word("agent"), word("probe"), word("due"), attempt))
}

/// How often each outcome stands in a reporter's store. Revisions of one are kept beside it, and
/// count once each.
pub(crate) fn stored(data: &Path) -> HashMap<Key, u32> {
    let text = run_ok([Path::new("export"), Path::new("--data"), data]);
    let mut revisions: HashMap<(Key, u64), u32> = HashMap::new();
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("an exported record");
        if let Some(key) = key_of(&record) {
            let revision = record["revision"].as_u64().unwrap_or_default();
            *revisions.entry((key, revision)).or_default() += 1;
        }
    }
    let mut found = HashMap::new();
    for ((key, _), times) in revisions {
        let most = found.entry(key).or_default();
        *most = times.max(*most);
    }
    found
}

/// Judges a reporter's store, which nobody may be writing to: everything in `safe` must be there,
/// once.
pub(crate) fn judge<'a>(
    times: u64,
    config: &Path,
    data: &Path,
    safe: impl IntoIterator<Item = &'a Key>,
) -> Verdict {
    let stored = stored(data);
    let missing: BTreeSet<&Key> =
        safe.into_iter().filter(|key| !stored.contains_key(*key)).collect();
    if let Some(first) = missing.first() {
        println!("lost: {} outcomes, the first of them {first:?}", missing.len());
    }
    let months: BTreeSet<&str> = stored.keys().filter_map(|(_, _, due, _)| due.get(..7)).collect();
    let false_outages = months.into_iter().map(|month| outages(config, data, month)).sum();
    Verdict {
        times,
        lost: missing.len() as u64,
        doubled: stored.values().filter(|times| **times > 1).count() as u64,
        false_outages,
    }
}

/// How many outages the month's report declares, over all of its levels.
pub(crate) fn outages(config: &Path, data: &Path, month: &str) -> u64 {
    let report = report(config, data, month, None);
    let levels = report["levels"].as_array().expect("a report has levels");
    levels.iter().filter_map(|level| level["outages"].as_array()).map(|o| o.len() as u64).sum()
}

/// The month's report, as at another instant than now if one is given.
pub(crate) fn report(
    config: &Path,
    data: &Path,
    month: &str,
    now: Option<&str>,
) -> serde_json::Value {
    let out = scratch();
    let words: [&OsStr; 11] = [
        "report".as_ref(),
        "--month".as_ref(),
        month.as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--formats".as_ref(),
        "json".as_ref(),
        "--out".as_ref(),
        out.path().as_os_str(),
    ];
    let as_at = now.map(|now| [OsStr::new("--now"), OsStr::new(now)]);
    run_ok(words.into_iter().chain(as_at.into_iter().flatten()));
    let text = std::fs::read_to_string(out.path().join("report.json")).expect("read the report");
    serde_json::from_str(&text).expect("the report is JSON")
}
