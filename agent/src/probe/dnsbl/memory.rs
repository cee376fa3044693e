//! The life of a listing as this agent has seen it since it was started: when it was first seen,
//! and when the list itself said that it was gone. The report works it out of the evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::judge::Heard;
use super::round::{Listed, Told};
use crate::net::Trace;

/// The most listings of a run whose life is told.
const MAX_TOLD: usize = 16;
/// The most listings that are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Listings that have been seen and not been seen to end: target and list → first seen.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<(String, String), Timestamp>);

impl Memory {
    /// Takes in a round. Facts `first_seen:…` and `delisted:…`. Gives the listings whose list
    /// said nothing this time: they are neither listed nor gone.
    pub(super) fn learn(
        &mut self,
        told: &[Told<'_>],
        listed: &[Listed<'_>],
        now: Timestamp,
        trace: &mut Trace,
    ) -> Vec<String> {
        for (at, (list, target, _)) in listed.iter().enumerate() {
            let pair = (target.shown.clone(), list.shown.clone());
            if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&pair) {
                continue;
            }
            let name = format!("first_seen:{}@{}", pair.0, pair.1);
            let first = *self.0.entry(pair).or_insert(now);
            if at < MAX_TOLD {
                trace.fact(&name, whole_second(first));
            }
        }
        let gone: Vec<(String, String)> = told
            .iter()
            .flat_map(|told| {
                told.targets.iter().map(move |(target, heard)| (told.list, target, heard))
            })
            .filter(|(.., heard)| **heard == Heard::NotListed)
            .map(|(list, target, _)| (target.shown.clone(), list.shown.clone()))
            .collect();
        let mut delisted = 0;
        for pair in gone {
            if let Some(first) = self.0.remove(&pair) {
                delisted += 1;
                if delisted <= MAX_TOLD {
                    let name = format!("delisted:{}@{}", pair.0, pair.1);
                    let since = whole_second(first);
                    trace.fact(&name, format!("{}, first seen {since}", whole_second(now)));
                }
            }
        }
        let is_listed = |pair: &(String, String)| {
            listed.iter().any(|(list, target, _)| target.shown == pair.0 && list.shown == pair.1)
        };
        let waiting = self.0.keys().filter(|pair| !is_listed(pair));
        waiting.map(|(target, list)| format!("{target}@{list}")).collect()
    }
}

fn whole_second(at: Timestamp) -> String {
    format!("{at:.0}")
}
