//! Makes a world that tells something as small as it can be while it still tells it. Seeds do
//! not shrink – a smaller seed is another world – so this takes parts out instead.

use crate::world::{Desk, World};

/// The smallest world that is found by taking away from `world` and that still `tells`.
pub(crate) fn smallest(world: &World, tells: &dyn Fn(&World) -> bool) -> World {
    let mut small = world.clone();
    loop {
        let before = small.clone();
        simplify(&mut small, tells);
        thin(&mut small, tells, |w| &mut w.outcomes);
        thin(&mut small, tells, |w| &mut w.rosters);
        thin(&mut small, tells, |w| &mut w.exclusions);
        thin(&mut small, tells, |w| &mut w.tickets);
        thin(&mut small, tells, |w| &mut w.counts);
        for i in 0..small.tickets.len() {
            thin(&mut small, tells, |w| &mut w.tickets[i].events);
        }
        if small == before {
            return small;
        }
    }
}

fn try_it(small: &mut World, tells: &dyn Fn(&World) -> bool, change: impl FnOnce(&mut World)) {
    let mut other = small.clone();
    change(&mut other);
    if other != *small && tells(&other) {
        *small = other;
    }
}

/// Takes out as many elements of a list as possible, in ever smaller parts.
fn thin<T: Clone>(
    small: &mut World,
    tells: &dyn Fn(&World) -> bool,
    list: impl Fn(&mut World) -> &mut Vec<T>,
) {
    let mut part = list(small).len();
    while part > 0 {
        let mut at = 0;
        while at < list(small).len() {
            let mut other = small.clone();
            let own = list(&mut other);
            own.drain(at..(at + part).min(own.len()));
            if tells(&other) {
                *small = other;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
}

/// Tries plain values in place of those that were drawn.
fn simplify(small: &mut World, tells: &dyn Fn(&World) -> bool) {
    try_it(small, tells, |w| {
        *w = World {
            outcomes: w.outcomes.clone(),
            probes: w.probes.clone(),
            ..World::bare(w.zone, w.month, w.now)
        };
    });
    try_it(small, tells, |w| w.hours = None);
    try_it(small, tells, |w| w.not = false);
    try_it(small, tells, |w| w.since = None);
    try_it(small, tells, |w| w.cap_ms = None);
    try_it(small, tells, |w| w.notice_ms = None);
    try_it(small, tells, |w| w.rule = 1);
    try_it(small, tells, |w| w.quorum = 0);
    try_it(small, tells, |w| w.site_rule = 1);
    try_it(small, tells, |w| w.whole_streams = true);
    try_it(small, tells, |w| w.desk = Desk::default());
    try_it(small, tells, |w| w.desk.reopen_within = None);
    for i in 0..small.probes.len() {
        try_it(small, tells, |w| w.probes[i].confirm = 1);
        try_it(small, tells, |w| w.probes[i].advisory = false);
        try_it(small, tells, |w| w.probes[i].mail = false);
    }
    let last = small.probes.len() - 1;
    let used = small.outcomes.iter().any(|o| o.probe == last)
        || small.rosters.iter().any(|r| r.probes.contains(&last));
    if last > 0 && !used {
        try_it(small, tells, |w| w.probes.truncate(last));
    }
    for i in 0..small.outcomes.len() {
        try_it(small, tells, |w| {
            let one = &mut w.outcomes[i];
            (one.took_ms, one.attempt, one.revision, one.delivery) = (100.0, 0, 0, None);
            one.lists.clear();
        });
    }
    if let Some(hours) = small.hours.clone() {
        try_it(small, tells, |w| w.hours.as_mut().unwrap().holidays.clear());
        for day in 0..hours.weekly.len() {
            try_it(small, tells, |w| w.hours.as_mut().unwrap().weekly[day].clear());
        }
    }
}
