//! What stays of what arrived: every record is held against all versions of itself, in order.

use super::{Branch, Saws, Slip};
use crate::world::{CountDef, Excluded, RosterDef, Seen, TicketDef, World};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub accepted: u64,
    pub duplicates: u64,
    pub conflicts: u64,
}

pub(crate) struct Arrivals<'a> {
    pub outcomes: Vec<&'a Seen>,
    pub rosters: Vec<&'a RosterDef>,
    pub exclusions: Vec<&'a Excluded>,
    pub tickets: Vec<&'a TicketDef>,
    pub counts: Vec<&'a CountDef>,
    pub told: Told,
}

impl<'a> Arrivals<'a> {
    pub(crate) fn of(world: &'a World, slip: Slip, saws: &Saws) -> Self {
        let mut told = Told::default();
        let outcomes = outcomes(&world.outcomes, slip, saws, &mut told);
        let rosters = latest(&world.rosters, |a, b| (a.agent, a.at) == (b.agent, b.at), &mut told);
        saws.if_so(rosters.len() < world.rosters.len(), Branch::RosterSuperseded);
        let exclusions = latest(&world.exclusions, |a, b| a.id == b.id, &mut told);
        saws.if_so(exclusions.len() < world.exclusions.len(), Branch::ExclusionSuperseded);
        let tickets = latest(&world.tickets, |a, b| a.id == b.id, &mut told);
        saws.if_so(tickets.len() < world.tickets.len(), Branch::TicketSuperseded);
        let same = |a: &CountDef, b: &CountDef| (a.ours, a.from) == (b.ours, b.from);
        let counts = latest(&world.counts, same, &mut told);
        Self { outcomes, rosters, exclusions, tickets, counts, told }
    }
}

/// A higher revision supersedes; otherwise the first stays.
fn outcomes<'a>(all: &'a [Seen], slip: Slip, saws: &Saws, told: &mut Told) -> Vec<&'a Seen> {
    // sorted by identity and then by arrival, so that the versions of one stand together
    let identity = |seen: &Seen| (seen.agent, seen.probe, seen.due, seen.attempt);
    let mut sorted: Vec<&Seen> = all.iter().collect();
    sorted.sort_by_key(|seen| identity(seen));
    let mut kept = Vec::new();
    for versions in sorted.chunk_by(|a, b| identity(a) == identity(b)) {
        let mut stored: Vec<&Seen> = vec![versions[0]];
        told.accepted += 1;
        for seen in &versions[1..] {
            let current = stored[stored.len() - 1];
            let supersedes = seen.revision > current.revision && slip != Slip::FirstRevisionStays;
            if stored.iter().any(|known| **known == **seen) {
                told.duplicates += 1;
                saws.tick(Branch::Duplicate);
            } else if supersedes || slip == Slip::LastOutcomeWins {
                told.accepted += 1;
                saws.tick(Branch::Revision);
                stored.push(seen);
            } else {
                told.conflicts += 1;
                saws.tick(Branch::Conflict);
            }
        }
        kept.push(stored[stored.len() - 1]);
    }
    kept
}

/// The one that arrived last stays, unless it had been there before.
fn latest<'a, T: PartialEq>(
    all: &'a [T],
    same: impl Fn(&T, &T) -> bool,
    told: &mut Told,
) -> Vec<&'a T> {
    let mut kept: Vec<Vec<&T>> = Vec::new();
    for record in all {
        match kept.iter_mut().find(|versions| same(versions[0], record)) {
            Some(versions) if versions.contains(&record) => told.duplicates += 1,
            Some(versions) => {
                told.accepted += 1;
                versions.push(record);
            }
            None => {
                told.accepted += 1;
                kept.push(vec![record]);
            }
        }
    }
    kept.iter().map(|versions| versions[versions.len() - 1]).collect()
}
