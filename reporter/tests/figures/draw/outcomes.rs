//! What agents saw, and when they were due to look.

use mailward_evidence::Verdict;

use super::{DAY, Draw, Frame};
use crate::world::{RosterDef, Seen, World};

pub(super) fn outcomes(d: &mut Draw, frame: &Frame, world: &mut World, agents: usize) {
    let calm = d.chance(40);
    let most = d.pick(&[12, 40, 40, 90]);
    let mut all = Vec::new();
    for agent in 0..agents {
        for probe in 0..world.probes.len() {
            if !d.chance(8) {
                all.extend(stream(d, (agent, probe), frame, (calm, most), world));
            }
        }
    }
    versions(d, &mut all);
    d.shuffle(&mut all);
    world.outcomes = all;
}

/// An agent's outcomes of a probe, about the month.
fn stream(
    d: &mut Draw,
    who: (usize, usize),
    frame: &Frame,
    (calm, most): (bool, usize),
    world: &World,
) -> Vec<Seen> {
    let grid = frame.grid;
    let mut seen: Vec<Seen> = Vec::new();
    let latest = if calm || d.chance(50) { 0 } else { 12 * DAY };
    let mut due = frame.from + grid * d.range(-3 * DAY / grid, latest / grid);
    let end = frame.to + grid * d.range(-5 * DAY / grid, 3 * DAY / grid);
    let (mut attempt, mut mood, mut lists) = (0, d.pick(&[0, 0, 2, 2, 3, 4]), Vec::new());
    // coarse intervals cover the month with few outcomes, fine ones lie close
    let coarse = d.pick(&[1, 1, 4, 8]);
    while due < end && seen.len() < most {
        if d.chance(if calm { 8 } else { 25 }) {
            mood = d.range(0, 4);
        }
        let verdict = match (mood, d.range(0, 9)) {
            (0 | 1, 0) | (4, 8 | 9) => Verdict::Degraded,
            (0 | 1, _) | (3, 0..=4) => Verdict::Up,
            (2, 9) | (3, 8 | 9) | (4, 0..=5) => Verdict::Unknown,
            _ => Verdict::Down,
        };
        if d.chance(15) {
            lists = (0..3).filter(|_| d.chance(30)).collect();
        }
        let next = grid * coarse * d.pick(&[1, 2, 4, 6, 12]);
        let mut one = Seen::new(who, frame.near(d, due), frame.near(d, next), verdict);
        one.attempt = attempt;
        one.took_ms = d.pick(&[100.0, 3999.9, 4000.0, 4000.1, 9000.0]);
        if world.probes[who.1].mail {
            let (within, lost) = (world.desk.deliver_within, world.desk.lost_after);
            let about = [within, within + 1, lost, lost + 1, 1000, 2000, 3000];
            one.delivery = (verdict != Verdict::Down && d.chance(80)).then(|| d.pick(&about));
        } else {
            one.lists.clone_from(&lists);
        }
        let step = match d.range(0, 99) {
            0..=64 => one.next,
            65..=74 => grid * d.range(1, next / grid),
            75..=82 => grid * d.range(next / grid, 3 * next / grid),
            83..=86 => 3 * one.next,
            87..=90 => 3 * one.next + d.pick(&[1, grid]),
            91..=93 if !calm => grid * d.range(3 * next / grid, 3 * next / grid + 60),
            94..=97 => 0,
            _ => next,
        };
        due = one.due + step;
        attempt = if step == 0 { attempt + 1 } else { u32::from(d.chance(20)) };
        seen.push(one);
    }
    // no identity twice: what is ragged may have met
    seen.sort_by_key(|one| (one.due, one.attempt));
    seen.dedup_by_key(|one| (one.due, one.attempt));
    seen
}

/// Some outcomes come again: corrected, contradicted, or as they were.
fn versions(d: &mut Draw, all: &mut Vec<Seen>) {
    if d.chance(40) || all.is_empty() {
        return;
    }
    for _ in 0..d.size(1, 6) {
        let mut again = all[d.size(0, all.len() - 1)].clone();
        if !d.chance(20) {
            again.verdict = d.pick(&[Verdict::Up, Verdict::Down, Verdict::Unknown]);
            again.revision = u32::try_from(d.range(0, 2)).unwrap();
            again.delivery = again.delivery.filter(|_| again.verdict != Verdict::Down);
        }
        all.push(again);
    }
}

pub(super) fn rosters(d: &mut Draw, frame: &Frame, world: &mut World, agents: usize) {
    let grid = frame.grid;
    let sites = d.pick(&[0, 0, 1, 2]);
    let mut rosters: Vec<RosterDef> = Vec::new();
    for agent in 0..agents {
        if d.chance(25) {
            continue;
        }
        let mut at = frame.from - grid * d.range(-2 * DAY / grid, 5 * DAY / grid);
        for _ in 0..d.size(1, 4) {
            let probes = match d.range(0, 9) {
                0 => Vec::new(),
                1..=6 => (0..world.probes.len()).collect(),
                _ => (0..world.probes.len()).filter(|_| d.chance(60)).collect(),
            };
            rosters.push(RosterDef {
                agent,
                at: frame.near(d, at),
                site: d.size(0, sites),
                probes,
            });
            at += grid * d.range(1, frame.steps() / 2);
        }
    }
    if d.chance(15) && !rosters.is_empty() {
        let mut again = rosters[d.size(0, rosters.len() - 1)].clone();
        again.site = d.size(0, sites);
        again.probes.retain(|_| d.chance(60));
        rosters.push(again);
    }
    d.shuffle(&mut rosters);
    world.rosters = rosters;
}
