//! Painting: every stretch of the month goes into the first part that fits (rule 6), and what is
//! counted is counted one by one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use mailward_evidence::Verdict;

use super::calendar::Kind;
use super::exclusions::Ruled;
use super::hours::Open;
use super::voices::Moment;
use super::{Branch, DeskAnswer, Naive, Slip, Three};
use crate::world::Policy;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub from: i64,
    pub to: i64,
    pub s: i64,
    pub whole_s: i64,
    pub x: i64,
    pub d: i64,
    pub u: i64,
    pub degraded: i64,
    pub shortest: i64,
    pub doubtful: i64,
    pub blips: u64,
    /// from, to, at least, at most.
    pub outages: Vec<(i64, i64, i64, i64)>,
    /// Exclusion, reason.
    pub rejected: Vec<(usize, &'static str)>,
    /// Date → up, degraded, down, excluded, unknown, outside.
    pub days: BTreeMap<Date, [i64; 6]>,
    /// good, total.
    pub success: (u64, u64),
    pub response: (u64, u64),
    pub exposed: i64,
    pub listed: i64,
    pub verdicts: Verdicts,
    pub desk: DeskAnswer,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Verdicts {
    pub availability: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub coverage: Option<f64>,
    pub met: Option<bool>,
    pub provable: bool,
    /// Good and all of the availability, in milliseconds.
    pub share: Option<(i64, i64)>,
    /// Cut off to the millisecond.
    pub budget: i64,
    pub bad: i64,
}

/// A stretch of the month in which nothing changes.
struct Stretch {
    from: i64,
    to: i64,
    moment: Moment,
    open: bool,
    excluded: bool,
}

impl Stretch {
    const fn len(&self) -> i64 {
        self.to - self.from
    }

    const fn counts(&self) -> bool {
        self.open && !self.excluded
    }
}

impl Naive<'_> {
    pub(crate) fn answer(&self) -> Answer {
        let (year, month) = self.world.month.split_once('-').unwrap();
        let first = Date::new(year.parse().unwrap(), month.parse().unwrap(), 1).unwrap();
        let mut end = first;
        let mut answer = Answer::default();
        while end.month() == first.month() {
            answer.days.insert(end, [0; 6]);
            end = end.tomorrow().unwrap();
        }
        let (from, whole_to) = (self.first_of(first), self.first_of(end));
        let to = whole_to.min(self.world.now);
        (answer.from, answer.to) = (from, to);
        let odd = |date: &Date| self.calendar.instant(date.at(0, 0, 0, 0)).1 != Kind::Plain;
        self.saws.if_so(answer.days.keys().any(odd), Branch::OddMidnight);
        self.saws.if_so(self.world.now < whole_to, Branch::Running);
        self.saws.if_so(self.calendar.changes_between(from, whole_to), Branch::ClockChange);
        let open = self.open(first, end, true);
        self.saws.if_so(open.edges().any(|at| self.starts_service(at, from, to)), Branch::Since);
        let ruled = self.excluded((from, to), &|at| open.at(at), &open.edges().collect());
        let stretches = self.stretches((from, to), end, &open, &ruled);
        answer.whole_s = self.whole_s((from, whole_to), &open);
        self.paint(&stretches, &mut answer);
        answer.outages = self.outages(&stretches);
        answer.rejected.clone_from(&ruled.refused);
        self.count(&open, &ruled, &mut answer);
        self.lists((from, to), &mut answer);
        answer.verdicts = self.judge(&answer);
        answer.desk = self.desk((from, whole_to), first);
        answer
    }

    fn starts_service(&self, at: i64, from: i64, to: i64) -> bool {
        let since = self.world.since.as_ref().map(|date| self.first_of(date.parse().unwrap()));
        since == Some(at) && from < at && at < to
    }

    /// Every instant of the period at which anything may change, and one stretch between each
    /// two; asked at its first, its second and its last millisecond.
    fn stretches(
        &self,
        (from, to): (i64, i64),
        end: Date,
        open: &Open,
        ruled: &Ruled,
    ) -> Vec<Stretch> {
        let mut points: BTreeSet<i64> = open.edges().collect();
        points.extend(self.outcomes().flat_map(|seen| [seen.due, seen.due + seen.next]));
        points.extend(self.arrivals.rosters.iter().map(|roster| roster.at));
        points.extend(ruled.out.iter().flat_map(|(a, b)| [*a, *b]));
        points.extend(self.world.since.as_ref().map(|date| self.first_of(date.parse().unwrap())));
        let mut date = end;
        while self.first_of(date) > from {
            points.insert(self.first_of(date));
            date = date.yesterday().unwrap();
        }
        points.insert(from);
        let mut points: Vec<i64> = points.range(from..to).copied().collect();
        points.push(to);
        let ask = |at: i64| (self.moment(at), open.at(at), ruled.holds(at));
        let stretch = |pair: &[i64]| {
            let (a, b) = (pair[0], pair[1]);
            let held = ask(a);
            for at in [a + 1, b - 1] {
                assert!(at == a || at >= b || ask(at) == held, "a change at {at}, after {a}");
            }
            Stretch { from: a, to: b, moment: held.0, open: held.1, excluded: held.2 }
        };
        points.windows(2).map(stretch).collect()
    }

    fn whole_s(&self, (from, to): (i64, i64), open: &Open) -> i64 {
        let mut points: Vec<i64> = open.edges().filter(|at| from < *at && *at < to).collect();
        points.extend([from, to]);
        points.sort_unstable();
        points.windows(2).filter(|w| open.at(w[0])).map(|w| w[1] - w[0]).sum()
    }

    fn paint(&self, stretches: &[Stretch], answer: &mut Answer) {
        let since = self.world.since.as_ref().map(|date| self.first_of(date.parse().unwrap()));
        let since = since.filter(|_| self.slip != Slip::SinceForgotten);
        for stretch in stretches {
            let Moment { state, degraded, shortest, longest } = stretch.moment;
            let down_first = self.slip == Slip::DownFirst && state == Three::Down;
            let excluded = stretch.excluded && !down_first;
            let counts = stretch.open && !excluded;
            let paint = |so: bool| if so { stretch.len() } else { 0 };
            answer.s += paint(stretch.open);
            answer.x += paint(stretch.open && excluded);
            self.saws.if_so(stretch.open && excluded && state == Three::Down, Branch::ExcludedDown);
            answer.d += paint(counts && state == Three::Down);
            answer.u += paint(counts && state == Three::Unknown);
            answer.degraded += paint(counts && degraded);
            self.saws.if_so(counts && degraded, Branch::Degraded);
            answer.shortest += paint(counts && shortest == Three::Down);
            let unknown = match self.slip {
                Slip::DoubtMeasuredOnly => longest == Three::Unknown,
                _ => longest == Three::Unknown || state == Three::Unknown,
            };
            answer.doubtful += paint(counts && (longest == Three::Down || unknown));
            let part = match () {
                () if since.is_some_and(|since| stretch.from < since) => 5,
                () if excluded => 3,
                () if state == Three::Down => 2,
                () if state == Three::Unknown => 4,
                () if degraded => 1,
                () => 0,
            };
            let begun = |date: &&Date| self.first_of(**date) <= stretch.from;
            let date = *answer.days.keys().rev().find(begun).unwrap();
            answer.days.get_mut(&date).unwrap()[part] += stretch.len();
        }
    }

    fn outages(&self, stretches: &[Stretch]) -> Vec<(i64, i64, i64, i64)> {
        let down = |i: usize| stretches[i].counts() && stretches[i].moment.state == Three::Down;
        let long = |i: usize| stretches[i].counts() && stretches[i].moment.longest == Three::Down;
        let mut outages = Vec::new();
        let mut i = 0;
        while i < stretches.len() {
            if !down(i) {
                i += 1;
                continue;
            }
            let start = i;
            let mut least = 0;
            while i < stretches.len() && down(i) {
                let short = stretches[i].moment.shortest == Three::Down;
                least += if short { stretches[i].len() } else { 0 };
                i += 1;
            }
            let (mut left, mut right) = (start, start + 1);
            while left > 0 && long(left - 1) {
                left -= 1;
            }
            while right < stretches.len() && long(right) {
                right += 1;
            }
            let most = if long(start) { stretches[right - 1].to - stretches[left].from } else { 0 };
            let edge = start == 0 || i == stretches.len();
            self.saws.if_so(edge, Branch::OutageOverEdge);
            let cut = |j: usize| !stretches[j].open && stretches[j].moment.state == Three::Down;
            let hours = (start > 0 && cut(start - 1)) || (i < stretches.len() && cut(i));
            self.saws.if_so(hours, Branch::OutageOverHours);
            outages.push((stretches[start].from, stretches[i - 1].to, least, most));
        }
        outages
    }

    fn count(&self, open: &Open, ruled: &Ruled, answer: &mut Answer) {
        let (from, to) = (answer.from, answer.to);
        for stream in &self.streams {
            for run in &stream.failures {
                let inside = from <= run.failures[0] && run.failures[0] < to;
                if run.failures.len() >= self.confirm(stream.probe) {
                    continue;
                }
                self.saws.tick(if inside { Branch::Blip } else { Branch::BlipOutside });
                self.saws.if_so(inside && run.next_success.is_none(), Branch::BlipAtNow);
                answer.blips += u64::from(inside || self.slip == Slip::BlipsEverywhere);
            }
            for seen in stream.outcomes.iter().filter(|o| from <= o.due && o.due < to) {
                self.saws.if_so(seen.attempt > 0, Branch::RunAgain);
                let timely = open.at(seen.due) && !ruled.holds(seen.due);
                self.saws.if_so(!timely, Branch::RunOutsideHours);
                let scheduled = seen.attempt == 0 || self.slip == Slip::RunsAgainCount;
                let told = seen.verdict != Verdict::Unknown || self.slip == Slip::UnknownRunsCount;
                if !scheduled || !told || !(timely || self.slip == Slip::RunsAnytime) {
                    continue;
                }
                answer.success.1 += 1;
                if self.good(seen) {
                    answer.success.0 += 1;
                    answer.response.1 += 1;
                    answer.response.0 += u64::from(seen.took_ms <= 4000.0);
                }
            }
            let pairs = stream.outcomes.windows(2);
            self.saws.if_so(pairs.into_iter().any(|w| w[0].due == w[1].due), Branch::NoTimeToSpeak);
            let carried = stream.outcomes.iter().any(|seen| seen.due < from);
            self.saws.if_so(carried, Branch::CarriedIn);
        }
        self.rosters_seen((from, to));
    }

    fn rosters_seen(&self, (from, to): (i64, i64)) {
        let mut rosters = self.arrivals.rosters.clone();
        rosters.sort_by_key(|r| (r.agent, r.at));
        for pair in rosters.windows(2).filter(|w| w[0].agent == w[1].agent) {
            let inside = from < pair[1].at && pair[1].at < to;
            self.saws.if_so(inside && pair[0] != pair[1], Branch::RosterChange);
            self.saws.if_so(inside && pair[0].site != pair[1].site, Branch::SiteChange);
            let drops = pair[0].probes.iter().any(|probe| !pair[1].probes.contains(probe));
            self.saws.if_so(inside && drops, Branch::ProbeDropped);
            self.saws.if_so(inside && drops && pair[1].probes.is_empty(), Branch::Retired);
        }
    }

    /// Listing (rule 13): what speaks, list by list.
    fn lists(&self, (from, to): (i64, i64), answer: &mut Answer) {
        let asked = |probe: usize| !self.world.probes[probe].mail;
        let mut points: BTreeSet<i64> =
            self.outcomes().flat_map(|seen| [seen.due, seen.due + seen.next]).collect();
        points.insert(from);
        let mut points: Vec<i64> = points.range(from..to).copied().collect();
        points.push(to);
        for pair in points.windows(2) {
            let mut lists: Vec<u8> = Vec::new();
            for stream in self.streams.iter().filter(|stream| asked(stream.probe)) {
                let mut speaks = self.speaking(stream, pair[0]);
                if self.slip == Slip::UnspokenListed {
                    speaks = stream.outcomes.iter().rposition(|seen| seen.due <= pair[0]);
                }
                lists.extend(speaks.iter().flat_map(|i| &stream.outcomes[*i].lists));
            }
            lists.sort_unstable();
            lists.dedup();
            let len = pair[1] - pair[0];
            self.saws.if_so(!lists.is_empty(), Branch::Listed);
            self.saws.if_so(lists.len() > 1, Branch::ListedTwice);
            let count = i64::try_from(lists.len()).unwrap();
            answer.listed += len * count;
            let once = if self.slip == Slip::OverlapTwice { count } else { count.min(1) };
            answer.exposed += len * once;
        }
    }

    /// pct, met, low, high, provable, coverage, budget – by the letter of rules 6 and 10.
    fn judge(&self, answer: &Answer) -> Verdicts {
        let world = self.world;
        let rest = answer.s - answer.x;
        let policy =
            if self.slip == Slip::PolicyForgotten { Policy::Exclude } else { world.unknown };
        let (bad, all) = match policy {
            Policy::Exclude => (answer.d, rest - answer.u),
            Policy::Up => (answer.d, rest),
            Policy::Down => (answer.d + answer.u, rest),
        };
        self.saws.if_so(policy == Policy::Up && answer.u > 0, Branch::UnknownIsUp);
        self.saws.if_so(policy == Policy::Down && answer.u > 0, Branch::UnknownIsDown);
        let share = |bad: i64, all: i64| (all > 0).then_some((all - bad, all));
        let availability = share(bad, all);
        let (low, high) = (share(answer.doubtful, rest), share(answer.shortest, rest));
        let coverage = share(answer.u, rest);
        let high_missed = high.is_some_and(|h| !at_least(h, world.target));
        let thin = policy == Policy::Exclude
            && self.slip != Slip::ThinIsSaid
            && coverage.is_some_and(|c| !at_least(c, world.min_coverage));
        let reached = |a: (i64, i64)| match self.slip {
            Slip::Rounded => {
                let pct = a.0 as f64 / a.1 as f64 * 100.0;
                (pct * 1000.0).round() / 1000.0 >= world.target.parse::<f64>().unwrap()
            }
            _ => at_least(a, world.target),
        };
        let met = availability.and_then(|a| match thin {
            true if high_missed => Some(false),
            true => None,
            false => Some(reached(a)),
        });
        let low_met = low.is_some_and(|l| at_least(l, world.target));
        let left_out = if policy == Policy::Exclude { answer.u } else { 0 };
        let whole = i128::from(answer.whole_s - answer.x - left_out);
        let budget = whole * (WHOLE - units(world.target)) / WHOLE;
        let provable = availability.is_some() && (low_met || high_missed);
        self.saws.if_so(availability.is_none(), Branch::NothingLeft);
        self.saws.if_so(provable, Branch::Provable);
        self.saws.if_so(availability.is_some() && !provable, Branch::NotProvable);
        self.saws.if_so(availability.is_some() && thin && high_missed, Branch::ThinMissed);
        self.saws.if_so(availability.is_some() && thin && !high_missed, Branch::ThinUnsaid);
        let exactly =
            |a: (i64, i64)| i128::from(a.0) * WHOLE == units(world.target) * i128::from(a.1);
        self.saws.if_so(availability.is_some_and(exactly), Branch::Exact);
        let pct = |share: Option<(i64, i64)>| share.map(|(n, d)| n as f64 / d as f64 * 100.0);
        Verdicts {
            availability: pct(availability),
            share: availability,
            low: pct(low),
            high: pct(high),
            coverage: pct(coverage),
            met,
            provable,
            budget: i64::try_from(budget).unwrap(),
            bad,
        }
    }
}

/// A percentage in units of a hundred-millionth of one per cent.
fn units(percentage: &str) -> i128 {
    let (whole, places) = percentage.split_once('.').unwrap_or((percentage, ""));
    format!("{whole}{places:0<8}").parse().unwrap()
}

const WHOLE: i128 = 10_000_000_000;

fn at_least(share: (i64, i64), target: &str) -> bool {
    i128::from(share.0) * WHOLE >= units(target) * i128::from(share.1)
}
