//! Painting: every point of the month goes into the first part that fits (rule 6), and what
//! is counted is counted one by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use mailward_evidence::Verdict;

use super::{Answer, Naive, Reading, Three};
use crate::world::{Excluded, Policy};

impl Naive<'_> {
    fn in_hours(&self, first: Date, end: Date) -> Box<dyn Fn(i64) -> bool> {
        let since = self.world.since.map(|date| self.first_of(date.parse().unwrap()));
        let mut spans = Vec::new();
        if let Some(hours) = &self.world.hours {
            let mut date = first.yesterday().unwrap().yesterday().unwrap();
            while date <= end {
                let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap();
                if !hours.holidays.contains(&date.to_string()) {
                    for (from, to) in &hours.weekly[day] {
                        let at = |minutes: u16| {
                            let date =
                                if minutes >= 1440 { date.tomorrow().unwrap() } else { date };
                            let date =
                                if minutes >= 2880 { date.tomorrow().unwrap() } else { date };
                            let minutes = i8::try_from(minutes % 1440 / 60)
                                .map(|h| (h, i8::try_from(minutes % 60).unwrap()))
                                .unwrap();
                            self.instant_of(date.at(minutes.0, minutes.1, 0, 0))
                        };
                        spans.push((at(*from), at(*to)));
                    }
                }
                date = date.tomorrow().unwrap();
            }
        }
        let (always, not) = (self.world.hours.is_none(), self.world.not);
        Box::new(move |at| {
            let open = spans.iter().any(|(from, to)| *from <= at && at < *to);
            since.is_none_or(|since| at >= since) && (always || open != not)
        })
    }

    /// The points that are excluded, and what was refused.
    fn excluded(&self, from: i64, to: i64, answer: &mut Answer) -> Vec<bool> {
        let points = usize::try_from((to - from) / self.grid).unwrap();
        let mut out = vec![false; points];
        let inside = |e: &Excluded, i: usize| {
            let at = from + i64::try_from(i).unwrap() * self.grid;
            e.from <= at && at < e.to
        };
        let all: Vec<(usize, &Excluded)> = self.world.exclusions.iter().enumerate().collect();
        let touches =
            |e: &Excluded| e.from < to && e.to > from && (0..points).any(|i| inside(e, i));
        let approved = |e: &Excluded| e.approved.filter(|at| *at <= self.world.now && e.by);
        for (id, e) in all.iter().filter(|(_, e)| e.third_party && touches(e)) {
            if approved(e).is_none() {
                answer.rejected.push((*id, "approval"));
                continue;
            }
            for (i, out) in out.iter_mut().enumerate() {
                *out |= inside(e, i);
            }
        }
        let mut planned: Vec<_> =
            all.iter().filter(|(_, e)| !e.third_party && touches(e)).collect();
        planned.sort_by_key(|(id, e)| (e.from, *id));
        let mut used = 0;
        for (id, e) in planned {
            if approved(e).is_none_or(|at| at > e.from) {
                answer.rejected.push((*id, "approval"));
                continue;
            }
            let latest = e.from - self.world.notice_ms.unwrap_or(0);
            if e.announced.is_none_or(|at| at > latest) {
                answer.rejected.push((*id, "notice"));
                continue;
            }
            let mut refused = false;
            let mut granted = false;
            for (i, out) in out.iter_mut().enumerate() {
                if !inside(e, i) || *out {
                    continue;
                }
                if self.world.cap_ms.is_some_and(|cap| used + self.grid > cap) {
                    refused = true;
                } else {
                    *out = true;
                    granted = true;
                    used += self.grid;
                }
            }
            answer.saw.split_cap |= refused && granted;
            if refused {
                answer.rejected.push((*id, "cap"));
            }
        }
        out
    }

    #[allow(clippy::too_many_lines, reason = "one pass over the points reads best in one piece")]
    pub(crate) fn answer(&self) -> Answer {
        let mut answer = Answer::default();
        let (year, month) = self.world.month.split_once('-').unwrap();
        let first = Date::new(year.parse().unwrap(), month.parse().unwrap(), 1).unwrap();
        let mut end = first;
        while end.month() == first.month() {
            answer.days.insert(end, [0; 6]);
            end = end.tomorrow().unwrap();
        }
        let (from, whole_to) = (self.first_of(first), self.first_of(end));
        let to = whole_to.min(self.world.now);
        (answer.from, answer.to) = (from, to);
        let in_hours = self.in_hours(first, end);
        let excluded = self.excluded(from, to, &mut answer);
        let since = self.world.since.map_or(i64::MIN, |d| self.first_of(d.parse().unwrap()));
        answer.whole_s = self.grid
            * i64::try_from(
                (0..(whole_to - from) / self.grid)
                    .filter(|i| in_hours(from + i * self.grid))
                    .count(),
            )
            .unwrap();

        let mut saw = answer.saw;
        let (mut down, mut shortest, mut longest) = (Vec::new(), Vec::new(), Vec::new());
        for (i, excluded) in excluded.iter().enumerate() {
            let at = from + i64::try_from(i).unwrap() * self.grid;
            let (state, degraded) = self.component(at, Reading::Measured, &mut saw);
            let (short, _) = self.component(at, Reading::Shortest, &mut saw);
            let (long, _) = self.component(at, Reading::Longest, &mut saw);
            let counts = in_hours(at) && !excluded;
            if in_hours(at) {
                answer.s += self.grid;
                answer.x += if *excluded { self.grid } else { 0 };
            }
            let paint = |so: bool| if counts && so { self.grid } else { 0 };
            answer.d += paint(state == Three::Down);
            answer.u += paint(state == Three::Unknown);
            answer.degraded += paint(degraded);
            answer.shortest += paint(short == Three::Down);
            answer.doubtful +=
                paint(long == Three::Down || long == Three::Unknown || state == Three::Unknown);
            down.push(counts && state == Three::Down);
            shortest.push(counts && short == Three::Down);
            longest.push(counts && long == Three::Down);
            let part = match () {
                () if at < since => 5,
                () if *excluded => 3,
                () if state == Three::Down => 2,
                () if state == Three::Unknown => 4,
                () if degraded => 1,
                () => 0,
            };
            answer.days.get_mut(&self.local(at).date()).unwrap()[part] += self.grid;
        }
        answer.outages = outages(self.grid, from, &down, &shortest, &longest);
        saw.outage = !answer.outages.is_empty();
        saw.carried_in = answer.outages.first().is_some_and(|o| o.0 == from);
        saw.unproven = answer.shortest != answer.doubtful;
        saw.roster_change = self.world.rosters.iter().any(|r| from < r.at && r.at < to);
        let offset = |at| self.zone.to_offset(Timestamp::from_millisecond(at).unwrap());
        saw.clock_change = offset(from) != offset(to);
        answer.saw = saw;
        self.count(&in_hours, &excluded, &mut answer);
        answer
    }

    fn count(&self, in_hours: &dyn Fn(i64) -> bool, excluded: &[bool], answer: &mut Answer) {
        let (from, to) = (answer.from, answer.to);
        for (key, stream) in &self.streams {
            let confirm = self.world.probes[key.1].confirm as usize;
            let mut run_began = None;
            for (i, seen) in stream.iter().enumerate() {
                let inside = from <= seen.due && seen.due < to;
                if let Some(run) = &self.runs[key][i] {
                    // the first failure of a run is the first since the last success
                    if run_began.is_none() && inside && run.failures.len() < confirm {
                        answer.blips += 1;
                    }
                    run_began = Some(i);
                } else if self.good(seen) {
                    run_began = None;
                }
                let point = (seen.due - from) / self.grid;
                let counts = inside
                    && seen.attempt == 0
                    && in_hours(seen.due)
                    && !excluded[usize::try_from(point).unwrap()];
                if !counts || seen.verdict == Verdict::Unknown {
                    continue;
                }
                answer.success.1 += 1;
                if self.good(seen) {
                    answer.success.0 += 1;
                    answer.response.1 += 1;
                    answer.response.0 += u64::from(seen.took_ms <= 4000.0);
                }
            }
        }
        for i in 0..(to - from) / self.grid {
            let at = from + i * self.grid;
            let mut lists = BTreeSet::new();
            for stream in self.streams.values() {
                if let Some(i) = self.speaking(stream, at) {
                    lists.extend(stream[i].lists.iter().copied());
                }
            }
            answer.listed += self.grid * i64::try_from(lists.len()).unwrap();
            answer.exposed += if lists.is_empty() { 0 } else { self.grid };
        }
    }

    /// pct, met, low, high, provable, coverage, budget – by the letter of rules 6 and 10.
    pub(crate) fn judge(&self, answer: &Answer) -> Verdicts {
        let world = self.world;
        let rest = answer.s - answer.x;
        let (bad, all) = match world.unknown {
            Policy::Exclude => (answer.d, rest - answer.u),
            Policy::Up => (answer.d, rest),
            Policy::Down => (answer.d + answer.u, rest),
        };
        let share = |bad: i64, all: i64| (all > 0).then_some((all - bad, all));
        let availability = share(bad, all);
        let (low, high) = (share(answer.doubtful, rest), share(answer.shortest, rest));
        let coverage = share(answer.u, rest);
        let at_least = |share: (i64, i64), target: &str| {
            let target: f64 = target.parse().unwrap();
            // the worlds' targets have at most two places
            let hundredths = (target * 100.0).round() as i128;
            i128::from(share.0) * 10_000 >= hundredths * i128::from(share.1)
        };
        let high_missed = high.is_some_and(|h| !at_least(h, world.target));
        let thin = world.unknown == Policy::Exclude
            && coverage.is_some_and(|c| !at_least(c, world.min_coverage));
        let met = availability.and_then(|a| match thin {
            true if high_missed => Some(false),
            true => None,
            false => Some(at_least(a, world.target)),
        });
        let low_met = low.is_some_and(|l| at_least(l, world.target));
        let left_out = if world.unknown == Policy::Exclude { answer.u } else { 0 };
        let whole = (answer.whole_s - answer.x - left_out) as f64;
        let target: f64 = world.target.parse().unwrap();
        let pct = |share: Option<(i64, i64)>| share.map(|(n, d)| n as f64 / d as f64 * 100.0);
        Verdicts {
            availability: pct(availability),
            low: pct(low),
            high: pct(high),
            coverage: pct(coverage),
            met,
            provable: availability.is_some() && (low_met || high_missed),
            budget_s: whole / 1000.0 * (1.0 - target / 100.0),
            bad_s: bad as f64 / 1000.0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Verdicts {
    pub availability: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub coverage: Option<f64>,
    pub met: Option<bool>,
    pub provable: bool,
    pub budget_s: f64,
    pub bad_s: f64,
}

fn outages(
    grid: i64,
    from: i64,
    down: &[bool],
    shortest: &[bool],
    longest: &[bool],
) -> Vec<(i64, i64, i64, i64)> {
    let mut outages = Vec::new();
    let mut i = 0;
    while i < down.len() {
        if !down[i] {
            i += 1;
            continue;
        }
        let start = i;
        while i < down.len() && down[i] {
            i += 1;
        }
        let least = shortest[start..i].iter().filter(|d| **d).count();
        let mut left = start;
        while left > 0 && longest[left - 1] {
            left -= 1;
        }
        let mut right = start;
        while right < longest.len() && longest[right] {
            right += 1;
        }
        let ms = |n: usize| i64::try_from(n).unwrap() * grid;
        outages.push((from + ms(start), from + ms(i), ms(least), ms(right - left)));
    }
    outages
}
