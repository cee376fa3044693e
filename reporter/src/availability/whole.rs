//! Several components as one figure: weighted by their users, or as one component that is down
//! while any of them is. Integers in, integers out; which components those are is the report's.

use mailward_catalogue::{Percent, UnknownPolicy};

use super::exact::{self, Ratio};
use super::{Account, Judgement, Sums};
use crate::interval::Set;

/// Sums of components, each as often as it has users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    users: i128,
    service: i128,
    whole_service: i128,
    excluded: i128,
    down: i128,
    unknown: i128,
    degraded: i128,
    shortest: i128,
    doubtful: i128,
}

impl Weighed {
    /// Adds up sums, each taken as often as it has users.
    #[must_use]
    pub fn of(groups: &[(u64, Sums)]) -> Self {
        let sum = |part: fn(&Sums) -> i64| -> i128 {
            groups.iter().map(|(users, sums)| i128::from(*users) * i128::from(part(sums))).sum()
        };
        Self {
            users: groups.iter().map(|(users, _)| i128::from(*users)).sum(),
            service: sum(|sums| sums.service_ms),
            whole_service: sum(|sums| sums.whole_service_ms),
            excluded: sum(|sums| sums.excluded_ms),
            down: sum(|sums| sums.down_ms),
            unknown: sum(|sums| sums.unknown_ms),
            degraded: sum(|sums| sums.degraded_ms),
            shortest: sum(|sums| sums.shortest_ms),
            doubtful: sum(|sums| sums.doubtful_ms),
        }
    }

    /// Judges by a target. `min_coverage` matters under [`UnknownPolicy::Exclude`] only. The
    /// budget is the mean user's.
    #[must_use]
    pub fn judge(
        &self,
        target: Percent,
        unknown: UnknownPolicy,
        min_coverage: Percent,
    ) -> Judgement {
        let countable = self.service - self.excluded;
        let left_out =
            self.excluded + if unknown == UnknownPolicy::Exclude { self.unknown } else { 0 };
        let bad = self.down + if unknown == UnknownPolicy::Down { self.unknown } else { 0 };
        let without = |bad: i128, whole: i128| Ratio::new(whole - bad, whole);
        let availability = without(bad, self.service - left_out);
        let coverage = without(self.unknown, countable);
        let high = without(self.shortest, countable);
        let low = without(self.doubtful, countable);
        let surely_met = low.is_some_and(|low| low.reaches(target));
        let surely_missed = high.is_some_and(|high| !high.reaches(target));
        let thin = unknown == UnknownPolicy::Exclude
            && coverage.is_some_and(|coverage| !coverage.reaches(min_coverage));
        let met = match availability {
            None => None,
            Some(_) if thin => surely_missed.then_some(false),
            Some(availability) => Some(availability.reaches(target)),
        };
        let (budget_ms, budget_left_ms) =
            exact::allowance(self.whole_service - left_out, bad, target, self.users);
        Judgement {
            availability,
            low,
            high,
            coverage,
            thin,
            budget_ms,
            budget_left_ms,
            met,
            provable: availability.is_some() && (surely_met || surely_missed),
        }
    }

    /// The mean user's times, each cut off to the millisecond.
    #[must_use]
    pub fn mean(&self) -> Sums {
        let mean = |sum: i128| exact::share_of(sum, self.users);
        Sums {
            service_ms: mean(self.service),
            whole_service_ms: mean(self.whole_service),
            excluded_ms: mean(self.excluded),
            down_ms: mean(self.down),
            unknown_ms: mean(self.unknown),
            degraded_ms: mean(self.degraded),
            shortest_ms: mean(self.shortest),
            doubtful_ms: mean(self.doubtful),
        }
    }
}

/// The components as one: at each instant those count that are in service hours and not
/// excluded. It is down while any of them is, else unknown while any of them is, else up; where
/// all that are in service hours are excluded, it is excluded.
#[must_use]
pub fn composite(accounts: &[&Account]) -> Account {
    let all = |part: &dyn Fn(&Account) -> Set| -> Set {
        accounts.iter().flat_map(|account| part(account).spans().to_vec()).collect()
    };
    let service = all(&|account| account.service.clone());
    let counted = all(&|account| account.service.subtract(&account.excluded));
    let down = all(&|account| account.down.clone());
    let unknown = all(&|account| account.unknown.clone()).subtract(&down);
    let degraded = all(&|account| account.degraded.clone()).subtract(&down.union(&unknown));
    Account {
        excluded: service.subtract(&counted),
        shortest: all(&|account| account.shortest.clone()),
        longest: all(&|account| account.longest.clone()),
        doubtful: all(&|account| account.doubtful.clone()),
        service,
        down,
        unknown,
        degraded,
    }
}

#[cfg(test)]
mod tests {
    use mailward_catalogue::{Percent, UnknownPolicy};
    use proptest::prelude::*;

    use super::{Weighed, composite};
    use crate::availability::{Account, Sums};
    use crate::interval::{Set, Span};

    /// A component's month of 60 ms: at each of them one letter. `.` out of hours, `x` excluded,
    /// `d` down in every reading, `m` measured down but not for certain, `p` perhaps down, `u`
    /// unknown, `g` degraded, `a` up.
    fn month() -> impl Strategy<Value = Vec<char>> {
        let letter = proptest::sample::select("..xddmpuga".chars().collect::<Vec<_>>());
        proptest::collection::vec((letter, 1usize..12), 1..20).prop_map(|runs| {
            let long = runs.into_iter().flat_map(|(letter, n)| std::iter::repeat_n(letter, n));
            let mut long: Vec<char> = long.take(60).collect();
            long.resize(60, 'a');
            long
        })
    }

    fn set(month: &[char], letters: &str) -> Set {
        let at = |i: usize| i64::try_from(i).unwrap();
        let of = |(i, _): (usize, &char)| Span::new(at(i), at(i) + 1);
        month.iter().enumerate().filter(|(_, c)| letters.contains(**c)).map(of).collect()
    }

    fn account(month: &[char]) -> Account {
        Account {
            service: set(month, "xdmpuga"),
            excluded: set(month, "x"),
            down: set(month, "dm"),
            unknown: set(month, "u"),
            degraded: set(month, "g"),
            shortest: set(month, "d"),
            longest: set(month, "dmp"),
            doubtful: set(month, "dmpu"),
        }
    }

    proptest! {
        #[test]
        fn a_composite_is_what_its_components_are_point_by_point(
            months in proptest::collection::vec(month(), 1..5)
        ) {
            let accounts: Vec<Account> = months.iter().map(|month| account(month)).collect();
            let whole = composite(&accounts.iter().collect::<Vec<_>>());
            for i in 0..60 {
                let at = i64::try_from(i).unwrap();
                let here: Vec<char> =
                    months.iter().map(|m| m[i]).filter(|c| *c != '.' && *c != 'x').collect();
                let any = |letters: &str| here.iter().any(|c| letters.contains(*c));
                let served = months.iter().any(|m| m[i] != '.');
                prop_assert_eq!(whole.service.contains(at), served);
                prop_assert_eq!(whole.excluded.contains(at), served && here.is_empty());
                prop_assert_eq!(whole.down.contains(at), any("dm"));
                prop_assert_eq!(whole.unknown.contains(at), any("u") && !any("dm"));
                prop_assert_eq!(whole.degraded.contains(at), any("g") && !any("dmu"));
                prop_assert_eq!(whole.shortest.contains(at), any("d"));
                prop_assert_eq!(whole.longest.contains(at), any("dmp"));
                prop_assert_eq!(whole.doubtful.contains(at), any("dmpu"));
            }
        }

        #[test]
        fn one_component_is_its_own_composite(month in month()) {
            prop_assert_eq!(composite(&[&account(&month)]), account(&month));
        }

        #[test]
        fn weights_are_as_many_users_side_by_side(
            months in proptest::collection::vec((0u64..7, month()), 0..5),
            units in 0..=Percent::WHOLE,
            policy in 0usize..3,
        ) {
            let policy = [UnknownPolicy::Exclude, UnknownPolicy::Up, UnknownPolicy::Down][policy];
            let groups: Vec<(u64, Sums)> =
                months.iter().map(|(users, month)| (*users, account(month).sums(60))).collect();
            let target = Percent::from_units(units).unwrap();
            let none = Percent::from_units(0).unwrap();
            let judged = Weighed::of(&groups).judge(target, policy, none);
            // every user counts every millisecond for himself
            let (mut bad, mut all, mut users_seen) = (0i128, 0i128, 0i64);
            for (users, month) in &months {
                for _ in 0..*users {
                    users_seen += 1;
                    for letter in month.iter().filter(|c| **c != '.' && **c != 'x') {
                        let unknown = *letter == 'u';
                        all += i128::from(!unknown || policy != UnknownPolicy::Exclude);
                        bad += i128::from("dm".contains(*letter));
                        bad += i128::from(unknown && policy == UnknownPolicy::Down);
                    }
                }
            }
            let share = judged.availability.map(|ratio| ratio.parts());
            prop_assert_eq!(share, (all > 0).then_some((all - bad, all)));
            let reached = (all - bad) * i128::from(Percent::WHOLE) >= i128::from(units) * all;
            prop_assert_eq!(judged.met, (all > 0).then_some(reached));
            prop_assert!(users_seen > 0 || judged.budget_ms == 0);
        }
    }

    #[test]
    fn the_mean_user_is_cut_off() {
        let sums = |down_ms| Sums { service_ms: 100, down_ms, ..Sums::default() };
        let weighed = Weighed::of(&[(2, sums(10)), (1, sums(1))]);
        assert_eq!(weighed.mean().down_ms, 7);
        assert_eq!(weighed.mean().service_ms, 100);
        assert_eq!(Weighed::of(&[]).mean(), Sums::default());
        assert_eq!(Weighed::of(&[(u64::MAX, sums(i64::MAX))]).mean().down_ms, i64::MAX);
    }
}
