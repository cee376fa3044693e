//! A mailbox's budget step by step, and under any order of ten agents, lost answers, restarts
//! and steps of the clock.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

/// Asks, and answers at once.
fn try_once(budget: &mut Budget, id: &str, said: Said, now_ms: i64) -> Result<(), Refusal> {
    let name = budget.ask(id, now_ms)?;
    budget.answer(&name, id, said, now_ms);
    Ok(())
}

#[test]
fn one_confirmation_after_five_minutes_and_then_none() {
    let mut budget = Budget::default();
    assert_eq!(budget.state("a", 0), AccountState::Untried);
    assert_eq!(try_once(&mut budget, "a", Said::Rejected, 0), Ok(()));
    assert_eq!(budget.state("a", 0), AccountState::Refused);
    assert_eq!(budget.ask("a", MINUTE), Err(Refusal::Later(4 * MINUTE)));
    let name = budget.ask("a", 5 * MINUTE).unwrap();
    assert_eq!(budget.ask("a", 5 * MINUTE), Err(Refusal::Busy), "one at a time");
    budget.answer(&name, "a", Said::Rejected, 5 * MINUTE);
    assert_eq!(budget.ask("a", 5_000 * MINUTE), Err(Refusal::Held));
    assert_eq!(budget.state("a", 5_000 * MINUTE), AccountState::Held);
    budget.clear("a", 5_000 * MINUTE);
    assert_eq!(try_once(&mut budget, "a", Said::Accepted, 5_000 * MINUTE), Ok(()));
    assert_eq!(budget.state("a", 5_000 * MINUTE), AccountState::Good);
}

#[test]
fn two_credentials_of_a_mailbox_share_its_budget() {
    let mut budget = Budget::default();
    assert_eq!(try_once(&mut budget, "a", Said::Rejected, 0), Ok(()));
    assert_eq!(try_once(&mut budget, "b", Said::Rejected, 0), Ok(()));
    assert_eq!(try_once(&mut budget, "a", Said::Rejected, 5 * MINUTE), Ok(()));
    assert_eq!(budget.ask("b", 10 * MINUTE), Err(Refusal::Held));
    assert_eq!(budget.ask("c", 10 * MINUTE), Err(Refusal::Held));
    budget.clear("a", 10 * MINUTE);
    assert_eq!(try_once(&mut budget, "b", Said::Accepted, 10 * MINUTE), Ok(()));
}

#[test]
fn an_account_that_is_proven_may_be_tried_by_two_at_once() {
    let mut budget = Budget::default();
    let first = budget.ask("a", 0).unwrap();
    assert_eq!(budget.ask("a", 0), Err(Refusal::Busy), "unproven: one at a time");
    budget.answer(&first, "a", Said::Accepted, 0);
    let names = [budget.ask("a", 1).unwrap(), budget.ask("a", 1).unwrap()];
    assert_eq!(budget.ask("a", 1), Err(Refusal::Busy));
    budget.answer(&names[0], "a", Said::Rejected, 2);
    // it was begun before the rejection came, so it does not prove that all is well again
    budget.answer(&names[1], "a", Said::Accepted, 3);
    assert_eq!(budget.state("a", 3), AccountState::Refused);
    assert_eq!(try_once(&mut budget, "a", Said::Accepted, 2 + 5 * MINUTE), Ok(()));
    assert_eq!(budget.state("a", 6 * MINUTE), AccountState::Good);
    assert_eq!(budget.state("a", 6 * MINUTE + PROVEN_MS), AccountState::Untried);
}

#[test]
fn what_is_never_answered_counts() {
    let mut budget = Budget::default();
    let late = budget.ask("a", 0).unwrap();
    assert_eq!(budget.ask("a", ATTEMPT_MS), Err(Refusal::Busy));
    let waits = budget.ask("a", ATTEMPT_MS + 1).unwrap_err();
    assert_eq!(waits, Refusal::Later(CONFIRM_AFTER_MS), "as if it had been rejected");
    budget.answer(&late, "a", Said::Nothing, ATTEMPT_MS + 2);
    assert!(budget.ask("a", ATTEMPT_MS + 2).is_ok(), "it was not, after all");

    // one that is proven good is not made to wait, and yet it cannot go on for ever
    let mut budget = Budget::default();
    assert_eq!(try_once(&mut budget, "a", Said::Accepted, 0), Ok(()));
    let mut crashes = 0;
    while budget.ask("a", 0).is_ok() {
        assert_eq!(budget.lose_all(0), 1);
        crashes += 1;
    }
    assert_eq!((crashes, budget.state("a", 0)), (3, AccountState::Held));
}

#[test]
fn attempts_without_a_grant_count_too() {
    let mut budget = Budget::default();
    for _ in 0..3 {
        budget.answer("leeds-1/7", "a", Said::Rejected, 0);
    }
    assert_eq!(budget.rejections("a"), (1, Some(0)), "the same one three times");
    budget.answer("leeds-2/7", "a", Said::Accepted, 1);
    assert_eq!(budget.state("a", 1), AccountState::Refused, "nobody knows which came first");
}

#[test]
fn a_clock_put_back_makes_nobody_wait_for_years() {
    let mut budget = Budget::default();
    let year = 365 * 86_400_000;
    assert_eq!(try_once(&mut budget, "a", Said::Rejected, year), Ok(()));
    assert_eq!(budget.ask("a", 0), Err(Refusal::Later(CONFIRM_AFTER_MS)));
    assert!(budget.ask("a", CONFIRM_AFTER_MS).is_ok());
}

#[test]
fn it_is_kept_as_text() {
    let mut budget = Budget::default();
    let _ = try_once(&mut budget, "a", Said::Rejected, 7);
    budget.ask("b", 8).unwrap();
    let text = serde_json::to_string(&budget).unwrap();
    assert_eq!(serde_json::from_str::<Budget>(&text).unwrap(), budget);
}

#[derive(Clone, Debug)]
enum Step {
    /// One of ten agents asks for one of two credentials.
    Ask(u8),
    /// The server comes to its decision on one of the attempts.
    Decide(prop::sample::Index),
    /// The answer reaches the budget.
    Tell(prop::sample::Index),
    /// The attempt, or its answer, is never heard of again.
    Vanish(prop::sample::Index),
    /// An agent made an attempt without a grant before, and tells now.
    Late,
    Pass(i64),
    SetClock(i64),
    /// The password is changed at the server, for good.
    Change,
}

fn any_step() -> impl Strategy<Value = Step> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0..20u8).prop_map(Step::Ask),
        6 => any().prop_map(Step::Decide),
        6 => any().prop_map(Step::Tell),
        1 => any().prop_map(Step::Vanish),
        1 => Just(Step::Late),
        3 => (1..400_000i64).prop_map(Step::Pass),
        1 => (-500_000_000..500_000_000i64).prop_map(Step::SetClock),
        1 => Just(Step::Change),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whoever asks when, whatever is lost, and however the clock is set: after the password has
    /// changed, the server sees at most three rejections.
    #[test]
    fn never_more_than_three_rejections(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut budget = Budget::default();
        let mut now_ms = 1_700_000_000_000i64;
        let mut attempts: Vec<(Box<str>, &str, Option<Said>)> = Vec::new();
        let (mut is_changed, mut rejected, mut late) = (false, 0, 0);
        for step in steps {
            match step {
                Step::Ask(who) => {
                    let id = ["a", "b"][usize::from(who % 2)];
                    if let Ok(name) = budget.ask(id, now_ms) {
                        attempts.push((name, id, None));
                    }
                }
                Step::Decide(i) if !attempts.is_empty() => {
                    let i = i.index(attempts.len());
                    if attempts[i].2.is_none() {
                        attempts[i].2 = Some(if is_changed { Said::Rejected } else { Said::Accepted });
                        rejected += u32::from(is_changed);
                    }
                }
                Step::Tell(i) if !attempts.is_empty() => {
                    let (name, id, said) = attempts.swap_remove(i.index(attempts.len()));
                    // an agent that was not let in by then gives up and says so
                    budget.answer(&name, id, said.unwrap_or(Said::Nothing), now_ms);
                }
                Step::Vanish(i) if !attempts.is_empty() => {
                    attempts.swap_remove(i.index(attempts.len()));
                }
                Step::Late if !is_changed => {
                    late += 1;
                    budget.answer(&format!("x/{late}"), "a", Said::Accepted, now_ms);
                }
                Step::Pass(ms) => now_ms += ms,
                Step::SetClock(ms) => now_ms += ms,
                Step::Change => is_changed = true,
                _ => {}
            }
            // a restart of whoever keeps the budget
            let text = serde_json::to_string(&budget).unwrap();
            budget = serde_json::from_str(&text).unwrap();
            prop_assert!(rejected <= MAX_REJECTIONS, "{} rejections: {:?}", rejected, budget);
        }
    }
}
