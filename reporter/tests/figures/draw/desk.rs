//! What a service desk and a mailbox would tell: promises, tickets and counts.

use mailward_evidence::TicketEventKind;

use super::{DAY, Draw, Frame, HOUR};
use crate::world::{CountDef, Desk, TicketDef, World};

pub(super) fn desk(d: &mut Draw, frame: &Frame, world: &mut World) {
    let deliver_within = d.pick(&[1000, 2000, 60_000]);
    world.desk = Desk {
        deliver_within,
        lost_after: deliver_within + d.pick(&[0, 1000, 840_000]),
        resolve_within: frame.grid * d.range(1, 20),
        reopen_within: d.chance(70).then(|| frame.grid * d.range(0, 72)),
        of_component: d.chance(40),
    };
}

pub(super) fn tickets(d: &mut Draw, frame: &Frame, world: &mut World) {
    for id in 0..d.size(0, 5) {
        let ticket = ticket(d, frame, &world.desk, id);
        world.tickets.push(ticket);
    }
    if d.chance(20) && !world.tickets.is_empty() {
        let mut again = world.tickets[d.size(0, world.tickets.len() - 1)].clone();
        again.events.push((frame.now - 1, TicketEventKind::Resolved));
        again.events.retain(|(at, _)| *at >= again.opened);
        world.tickets.push(again);
    }
}

fn ticket(d: &mut Draw, frame: &Frame, desk: &Desk, id: usize) -> TicketDef {
    use TicketEventKind::{Paused, Reopened, Resolved, Resumed};
    let start = frame.from + frame.grid * d.range(-10 * DAY / frame.grid, frame.steps());
    let opened = frame.near(d, start);
    let mut events = Vec::new();
    let mut at = opened;
    let mut what = d.pick(&[Paused, Resolved]);
    for _ in 0..d.size(0, 5) {
        at += match what {
            // on the limit, or beside it
            Reopened if d.chance(50) => {
                desk.reopen_within.unwrap_or(HOUR) + d.pick(&[0, 0, 1, -1, HOUR])
            }
            Resolved if d.chance(30) => desk.resolve_within,
            _ => frame.grid * d.range(0, 40),
        };
        let at = frame.near(d, at).max(opened);
        events.push((at, what));
        what = match (what, d.chance(15)) {
            (_, true) => d.pick(&[Paused, Resumed, Resolved, Reopened]),
            (Paused, _) => d.pick(&[Resumed, Resumed, Resolved]),
            (Resolved, _) => Reopened,
            _ => d.pick(&[Paused, Resolved]),
        };
    }
    if d.chance(15) {
        d.shuffle(&mut events);
    }
    TicketDef { id, severe: !d.chance(10), ours: d.chance(60), opened, events }
}

pub(super) fn counts(d: &mut Draw, frame: &Frame, world: &mut World) {
    if d.chance(20) {
        return;
    }
    for _ in 0..d.size(1, 6) {
        let start = frame.from + frame.grid * d.range(-30, frame.steps() + 5);
        let from = frame.near(d, start);
        let total = d.range(0, 50);
        world.counts.push(CountDef {
            ours: !d.chance(10),
            from,
            to: from + frame.grid * d.range(1, 40),
            good: u64::try_from(d.range(0, total)).unwrap(),
            total: u64::try_from(total).unwrap(),
        });
    }
}
