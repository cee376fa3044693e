//! What was agreed: service hours, and time that is not to count.

use super::{Draw, Frame};
use crate::world::{Excluded, HoursDef, World};

const SINCES: [(&str, &str); 12] = [
    ("", "2009-01-01"),
    ("", "2019-02-10"),
    ("", "2030-01-01"),
    ("2019-03", "2019-03-31"),
    ("2018-10", "2018-10-28"),
    ("2018-11", "2018-11-04"),
    ("2019-02", "2019-02-17"),
    ("2019-04", "2019-04-07"),
    ("2019-10", "2019-10-06"),
    ("2020-02", "2020-02-29"),
    ("2010-11", "2010-11-07"),
    ("2011-12", "2011-12-30"),
];

pub(super) fn hours(d: &mut Draw, frame: &Frame, world: &mut World) {
    world.not = d.chance(25);
    if d.chance(25) {
        let of_month = SINCES.iter().filter(|(month, _)| *month == frame.month);
        let fitting: Vec<&str> = of_month.map(|(_, date)| *date).collect();
        let any = SINCES[d.size(0, 2)].1;
        world.since = Some(if fitting.is_empty() { any } else { d.pick(&fitting) }.to_owned());
    }
    if d.chance(60) {
        world.hours = Some(week(d, frame.month));
    }
}

fn week(d: &mut Draw, month: &str) -> HoursDef {
    let kinds: [&[(u16, u16)]; 11] = [
        &[(420, 1320)],
        &[(1320, 1800)],
        &[(0, 1440)],
        &[(60, 150), (600, 720)],
        &[(90, 120), (150, 210)],
        &[(0, 60)],
        &[(1380, 1500), (30, 90)],
        &[(1410, 2880)],
        &[(135, 240)],
        &[(165, 200), (1425, 1445)],
        &[],
    ];
    let usual = d.size(0, 9);
    let weekly = std::array::from_fn(|_| {
        let kind = if d.chance(75) { usual } else { d.size(0, 10) };
        kinds[kind].to_vec()
    });
    let mut holidays: Vec<String> =
        (0..d.size(0, 2)).map(|_| format!("{month}-{:02}", d.range(1, 28))).collect();
    if month == "2020-02" && d.chance(50) {
        holidays.push("2020-02-29".to_owned());
    }
    HoursDef { weekly, holidays }
}

pub(super) fn exclusions(d: &mut Draw, frame: &Frame, world: &mut World) {
    world.cap_ms = d.chance(70).then(|| frame.grid * d.range(0, 30) + d.pick(&[0, 0, 1]));
    world.notice_ms = d.chance(60).then(|| frame.grid * d.range(0, 100));
    for _ in 0..d.size(0, 6) {
        let id = d.size(0, 99);
        let e = exclusion(d, frame, world.notice_ms, id);
        world.exclusions.push(e);
    }
    if d.chance(20) && !world.exclusions.is_empty() {
        let mut again = world.exclusions[d.size(0, world.exclusions.len() - 1)].clone();
        again.to += frame.grid;
        again.cancelled = d.chance(30);
        world.exclusions.push(again);
    }
}

fn exclusion(d: &mut Draw, frame: &Frame, notice: Option<i64>, id: usize) -> Excluded {
    let grid = frame.grid;
    let start = frame.from + grid * d.range(-20, frame.steps());
    let start = frame.near(d, start);
    let longest = if d.chance(10) { 400 } else { 20 };
    let end = start + grid * d.range(1, longest);
    let before = grid * d.range(0, 120);
    Excluded {
        id,
        third_party: d.chance(35),
        from: start,
        to: frame.near(d, end).max(start + 1),
        announced: match d.range(0, 9) {
            0 => None,
            1 => Some(start + 1),
            2 => Some(start - notice.unwrap_or(0)),
            _ => Some(frame.near(d, start - before)),
        },
        approved: match d.range(0, 9) {
            0 => None,
            1 => Some(start + grid * d.range(1, 300)),
            2 => Some(start + 1),
            3 => Some(frame.now + d.pick(&[0, 1])),
            _ => Some(start - grid * d.range(0, 5)),
        },
        by: !d.chance(7),
        cancelled: d.chance(5),
        ours: !d.chance(10),
    }
}
