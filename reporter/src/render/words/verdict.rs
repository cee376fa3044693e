//! The whole month in one sentence: how many levels were met, missed, and neither.

use super::{Standing, standing};
use crate::language::Language;
use crate::report::model::Report;

impl Language {
    /// The whole month in one sentence: `11 of 14 service levels were met, 2 were missed and 1 is
    /// not provable either way.`
    #[must_use]
    pub fn verdict(&self, report: &Report) -> String {
        let text = &self.verdict;
        let so_far = report.to_date;
        let count = |wanted: fn(Standing) -> bool| standing(report, wanted).count();
        let met = count(|s| s == Standing::Met);
        let missed = count(|s| s == Standing::Missed);
        let unprovable = count(|s| matches!(s, Standing::NotProvable { .. }));
        let unseen = count(|s| s == Standing::NotEnough);
        let nothing = count(|s| s == Standing::Nothing);
        let total = report.levels.len();
        if total == 0 {
            return text.none_agreed().to_owned();
        }
        if nothing == total {
            return text.nothing_measured().to_owned();
        }
        if let [only] = report.levels.as_slice() {
            return self.only(Standing::of(only), so_far).to_owned();
        }
        if met == total {
            return if so_far { text.all_met_so_far(total) } else { text.all_met(total) };
        }
        if missed == total {
            return if so_far { text.all_missed_so_far(total) } else { text.all_missed(total) };
        }
        let mut parts = vec![match (met, so_far) {
            (0, false) => text.none_met(total),
            (0, true) => text.none_met_so_far(total),
            (n, false) => text.met(n, total),
            (n, true) => text.met_so_far(n, total),
        }];
        if missed > 0 {
            parts.push(if so_far { text.missed_so_far(missed) } else { text.missed(missed) });
        }
        if unprovable > 0 {
            parts.push(text.unprovable(unprovable));
        }
        if unseen > 0 {
            parts.push(text.unseen(unseen));
        }
        if nothing > 0 {
            parts.push(text.nothing(nothing));
        }
        text.sentence(self.and_list(&parts))
    }

    /// What is said of a level that is the only one.
    fn only(&self, standing: Standing, so_far: bool) -> &str {
        let text = &self.verdict;
        match (standing, so_far) {
            (Standing::Met, false) => text.only_met(),
            (Standing::Met, true) => text.only_met_so_far(),
            (Standing::Missed, false) => text.only_missed(),
            (Standing::Missed, true) => text.only_missed_so_far(),
            (Standing::NotProvable { .. }, _) => text.only_unprovable(),
            (Standing::NotEnough, _) => text.only_unseen(),
            (Standing::Nothing, _) => text.only_nothing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::english;

    #[test]
    fn the_month_is_told_in_a_sentence() {
        let mut report = crate::render::fixture::october();
        let whole = report.levels.clone();
        let mut check = |pick: &[usize], to_date: bool, expect: &str| {
            report.levels = pick.iter().map(|&i| whole[i].clone()).collect();
            report.to_date = to_date;
            assert_eq!(english().verdict(&report), expect);
        };
        check(&[], false, "No service level was agreed for this month.");
        check(&[0], false, "The one service level was met.");
        check(&[4], false, "The one service level cannot be judged for want of evidence.");
        check(&[0, 2], false, "All 2 service levels were met.");
        check(&[0, 2], true, "All 2 service levels are met.");
        check(&[5, 6], false, "All 2 service levels were missed.");
        check(
            &[4, 6],
            false,
            "None of 2 service levels was met, 1 was missed and 1 cannot be judged for want of \
             evidence.",
        );
        check(&[0, 5], true, "1 of 2 service levels is met and 1 is missed.");
        check(
            &[0, 2, 4, 5, 7],
            false,
            "2 of 5 service levels were met, 1 was missed, 1 is not provable either way and 1 \
             cannot be judged for want of evidence.",
        );
    }

    #[test]
    fn nothing_measured_is_neither_met_nor_missed() {
        let mut report = crate::render::fixture::october();
        let level = report.levels.first_mut().unwrap();
        level.met = None;
        let figure = crate::render::fixture::figure(level);
        (figure.availability_pct, figure.provable) = (None, false);
        assert_eq!(Standing::of(&report.levels[0]), Standing::Nothing);
    }
}
