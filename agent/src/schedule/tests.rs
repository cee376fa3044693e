//! The scheduler on simulated time.

use proptest::prelude::*;

use super::*;

const EVERY: i64 = 60_000;
const RETRY: i64 = 10_000;

fn at_zero(every_ms: i64) -> Rhythm {
    Rhythm::Every { every_ms, phase_ms: 0 }
}

/// Runs a course: each step is what a run says and how long it takes; the result is the due
/// second and attempt of each run, and the `next_due_s` it recorded.
fn check(every_ms: i64, retry_ms: i64, runs: &[(Settling, i64)], expect: &[(i64, u32, i64)]) {
    let mut course = Course::new(at_zero(every_ms), retry_ms, -1);
    let mut got = Vec::new();
    let mut now = 0;
    for (said, took) in runs {
        let turn = course.next().unwrap();
        now = turn.due_ms.max(now) + took;
        let settled = course.settle(turn, *said, now);
        let next_due_s = i64::try_from(settled.next_due_ms).unwrap() / 1000;
        got.push((turn.due_ms / 1000, turn.attempt, next_due_s));
    }
    assert_eq!(got, expect);
}

use Settling::{Failed, Good, Undecided};

#[test]
fn a_failure_is_probed_again_between_scheduled_runs() {
    check(
        EVERY,
        RETRY,
        &[(Good, 100), (Failed, 100), (Failed, 100), (Good, 100), (Good, 100)],
        &[(0, 0, 60), (60, 0, 10), (70, 1, 10), (80, 2, 40), (120, 0, 60)],
    );
}

#[test]
fn scheduled_runs_keep_their_grid_while_failing() {
    let runs = [(Failed, 100); 9];
    let expect = [
        (0, 0, 10),
        (10, 1, 10),
        (20, 2, 10),
        (30, 3, 10),
        (40, 4, 10),
        (50, 5, 10),
        (60, 0, 10),
        (70, 6, 10),
        (80, 7, 10),
    ];
    check(EVERY, RETRY, &runs, &expect);
}

#[test]
fn a_step_that_does_not_divide_the_interval_yields_to_the_grid() {
    check(
        20_000,
        9_000,
        &[(Failed, 10); 5],
        &[(0, 0, 9), (9, 1, 9), (18, 2, 2), (20, 0, 9), (29, 3, 9)],
    );
    // a retry_every that is longer than the interval never comes
    check(20_000, 30_000, &[(Failed, 10); 3], &[(0, 0, 20), (20, 0, 20), (40, 0, 20)]);
}

#[test]
fn unknown_neither_starts_nor_ends_re_probing() {
    check(EVERY, RETRY, &[(Undecided, 10), (Good, 10)], &[(0, 0, 60), (60, 0, 60)]);
    check(
        EVERY,
        RETRY,
        &[(Failed, 10), (Undecided, 10), (Good, 10), (Good, 10)],
        &[(0, 0, 10), (10, 1, 10), (20, 2, 40), (60, 0, 60)],
    );
}

#[test]
fn a_hanging_run_does_not_make_a_scheduled_one_late() {
    // each run takes 25 s: the steps at 10 and 20 pass meanwhile; one at 30 would end at 55
    check(EVERY, RETRY, &[(Failed, 25_000); 3], &[(0, 0, 30), (30, 1, 30), (60, 0, 30)]);
    // at 40 s it would run into the scheduled run
    check(EVERY, RETRY, &[(Failed, 31_000); 2], &[(0, 0, 60), (60, 0, 60)]);
}

#[test]
fn late_is_run_and_too_late_is_missed() {
    let mut course = Course::new(at_zero(EVERY), RETRY, -1);
    assert_eq!(course.catch_up(MAX_LATE_MS), 0, "late, but in time");
    assert_eq!(course.next(), Some(Turn { due_ms: 0, attempt: 0 }));
    assert_eq!(course.catch_up(MAX_LATE_MS + 1), 1);
    assert_eq!(course.next(), Some(Turn { due_ms: EVERY, attempt: 0 }));
    // asleep for an hour and five seconds: the slot five seconds ago may still start
    assert_eq!(course.catch_up(EVERY * 61 + 5_000), 60);
    assert_eq!(course.next(), Some(Turn { due_ms: EVERY * 61, attempt: 0 }));

    let mut course = Course::new(at_zero(1_000), RETRY, -1);
    assert_eq!(course.catch_up(5_500), 5, "an interval is the limit where it is shorter");
    assert_eq!(course.next(), Some(Turn { due_ms: 5_000, attempt: 0 }));
}

#[test]
fn a_run_without_a_slot_is_missed_and_the_next_stands() {
    let mut course = Course::new(at_zero(1_000), RETRY, -1);
    let turn = course.next().unwrap();
    assert_eq!(course.skip(turn, 1_001), 1);
    assert_eq!(course.next(), Some(Turn { due_ms: 1_000, attempt: 0 }));
}

#[test]
fn a_clock_put_back_a_little_waits_and_a_lot_moves_the_grid() {
    let mut course = Course::new(at_zero(EVERY), RETRY, -1);
    let turn = course.next().unwrap();
    course.settle(turn, Good, 100);
    assert_eq!(course.replan(-30_000), 0);
    assert_eq!(course.next(), Some(Turn { due_ms: EVERY, attempt: 0 }), "0 was used");

    assert_eq!(course.replan(-3_600_000), 0);
    let next = course.next().unwrap();
    assert_eq!(next.due_ms, -3_600_000 + 1, "the grid, moved by a millisecond");
}

#[test]
fn a_clock_put_forward_misses_what_it_jumped_over() {
    let mut course = Course::new(at_zero(EVERY), RETRY, -1);
    let turn = course.next().unwrap();
    course.settle(turn, Good, 100);
    assert_eq!(course.replan(EVERY * 10 + 30_000), 10);
    assert_eq!(course.next(), Some(Turn { due_ms: EVERY * 11, attempt: 0 }));
}

#[test]
fn a_cron_counts_what_it_missed() {
    let cron = Cron::parse("0 * * * * *", &jiff::tz::TimeZone::UTC).unwrap();
    let mut course = Course::new(Rhythm::Cron(cron), RETRY, -1);
    assert_eq!(course.next(), Some(Turn { due_ms: 0, attempt: 0 }));
    assert_eq!(course.catch_up(150_000), 3);
    assert_eq!(course.next(), Some(Turn { due_ms: 180_000, attempt: 0 }));
}

#[test]
fn phases_spread_and_keep_step() {
    assert_eq!(phase_ms("leeds-1", "owa", EVERY), phase_ms("leeds-1", "owa", EVERY));
    assert_ne!(phase_ms("ab", "c", EVERY), phase_ms("a", "bc", EVERY));
    let mut thirds = [0u32; 3];
    for probe in 0..3_000 {
        let phase = phase_ms("leeds-1", &format!("probe-{probe}"), EVERY);
        thirds[usize::try_from(phase * 3 / EVERY).unwrap()] += 1;
    }
    assert!(thirds.iter().all(|third| (900..1100).contains(third)), "{thirds:?}");
}

proptest! {
    /// Whatever happens: due times only grow, `next_due_s` is exactly the distance to the next
    /// run, scheduled runs stand on the grid, and every slot was either run or counted.
    #[test]
    fn a_course_never_loses_count(
        every in 1_000i64..120_000,
        retry in 500i64..90_000,
        runs in prop::collection::vec((0u8..3, 0i64..200_000, 0i64..200_000), 1..60),
    ) {
        let rhythm = Rhythm::every("agent", "probe", every);
        let mut course = Course::new(rhythm.clone(), retry, 0);
        let first = course.next().unwrap().due_ms;
        let (mut now, mut scheduled, mut missed) = (0, 0i64, 0i64);
        let mut last = None;
        for (said, wait, took) in runs {
            let turn = course.next().unwrap();
            now = turn.due_ms.max(now) + if wait > 190_000 { wait } else { 0 };
            missed += i64::from(course.catch_up(now));
            let turn = course.next().unwrap();
            now = now.max(turn.due_ms);
            prop_assert!(now - turn.due_ms <= course.patience_ms(turn));
            if let Some((due, next_due)) = last {
                prop_assert!(turn.due_ms >= due + next_due);
            }
            if turn.attempt == 0 {
                scheduled += 1;
                prop_assert_eq!(rhythm.next_after(turn.due_ms - 1), Some(turn.due_ms));
            }
            now += took;
            let said = [Good, Failed, Undecided][usize::from(said)];
            let settled = course.settle(turn, said, now);
            missed += i64::from(settled.missed);
            let next_due = i64::try_from(settled.next_due_ms).unwrap();
            prop_assert_eq!(course.next().unwrap().due_ms, turn.due_ms + next_due);
            last = Some((turn.due_ms, next_due));
        }
        let next = course.next().unwrap();
        let next_slot = if next.attempt == 0 {
            next.due_ms
        } else {
            rhythm.next_after(next.due_ms).unwrap()
        };
        prop_assert_eq!((next_slot - first) / every, scheduled + missed);
    }

    /// Another rhythm at any moment: due times only grow, and no run is later than the one before
    /// it has announced.
    #[test]
    fn another_rhythm_leaves_no_gap(
        steps in prop::collection::vec(
            (0u8..3, 0i64..9_000, prop::option::of((1_000i64..120_000, 500i64..90_000, 0u8..3))),
            1..60,
        ),
    ) {
        let mut course = Course::new(Rhythm::every("agent", "probe", 60_000), RETRY, 0);
        let mut announced: Option<(i64, i64)> = None;
        for (said, took, other) in steps {
            let take_over = |course: &mut Course, now: i64| {
                if let Some((every, retry, _)) = other {
                    course.take_over(Rhythm::every("agent", "probe", every), retry, now);
                }
            };
            let when = other.map_or(0, |(_, _, when)| when);
            let last = announced.map_or(0, |(due, _)| due);
            // before the next run, at the moment it starts, or while it is under way
            if when == 0 {
                let next = course.next().unwrap().due_ms;
                take_over(&mut course, last + (next - last) / 2);
            }
            let turn = course.next().unwrap();
            if let Some((due, at_most)) = announced {
                prop_assert!(due < turn.due_ms && turn.due_ms <= at_most, "{:?}", turn);
            }
            if when == 1 {
                take_over(&mut course, turn.due_ms);
                prop_assert_eq!(course.next(), Some(turn));
            }
            if when == 2 {
                take_over(&mut course, turn.due_ms + took / 2);
                prop_assert_eq!(course.next(), Some(turn));
            }
            let said = [Good, Failed, Undecided][usize::from(said)];
            let settled = course.settle(turn, said, turn.due_ms + took);
            announced = Some((turn.due_ms, turn.due_ms + i64::try_from(settled.next_due_ms).unwrap()));
        }
    }
}
