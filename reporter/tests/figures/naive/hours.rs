//! Service hours (rule 8), date by date.

use jiff::civil::Date;

use super::calendar::Kind;
use super::{Branch, Naive, Slip};

/// When the level's hours are open, as one asks at an instant.
pub(super) struct Open {
    spans: Vec<(i64, i64)>,
    always: bool,
    not: bool,
    since: Option<i64>,
}

impl Open {
    pub(super) fn at(&self, at: i64) -> bool {
        let open = self.always || self.inside(at) != self.not;
        open && self.since.is_none_or(|since| at >= since)
    }

    fn inside(&self, at: i64) -> bool {
        self.spans.iter().any(|(from, to)| *from <= at && at < *to)
    }

    /// The same hours over further dates.
    pub(super) fn and(&mut self, other: Self) {
        self.spans.extend(other.spans);
    }

    /// Where it may open or close.
    pub(super) fn edges(&self) -> impl Iterator<Item = i64> {
        self.spans.iter().flat_map(|(from, to)| [*from, *to]).chain(self.since)
    }
}

impl Naive<'_> {
    /// The hours of dates from `first` on until before `end`, and of nights that go on into them.
    pub(super) fn open(&self, first: Date, end: Date, of_component: bool) -> Open {
        let minded = of_component && self.slip != Slip::SinceForgotten;
        let since = self.world.since.as_ref().filter(|_| minded);
        let since = since.map(|date| self.first_of(date.parse().unwrap()));
        let mut open = Open {
            spans: Vec::new(),
            always: self.world.hours.is_none(),
            not: self.world.not && self.slip != Slip::ComplementForgotten,
            since,
        };
        let Some(hours) = &self.world.hours else { return open };
        self.saws.if_so(self.world.not, Branch::Complement);
        let mut date = first.yesterday().unwrap().yesterday().unwrap().yesterday().unwrap();
        while date <= end {
            let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap();
            let holiday = hours.holidays.contains(&date.to_string());
            self.saws.if_so(holiday && !hours.weekly[day].is_empty(), Branch::Holiday);
            if !holiday || self.slip == Slip::HolidayForgotten {
                for (from, to) in &hours.weekly[day] {
                    let to = if self.slip == Slip::NightCut { (*to).min(1440) } else { *to };
                    self.saws.if_so(to > 1440, Branch::Overnight);
                    let span = (self.wall(date, *from), self.wall(date, to));
                    let changes = self.calendar.changes_between(span.0, span.1.max(span.0));
                    self.saws.if_so(changes, Branch::ClockChangeInside);
                    open.spans.push(span);
                }
            }
            date = date.tomorrow().unwrap();
        }
        open
    }

    /// The instant of a wall-clock time, minutes after the midnight that begins `date`.
    fn wall(&self, date: Date, minutes: u16) -> i64 {
        let mut date = date;
        for _ in 0..minutes / 1440 {
            date = date.tomorrow().unwrap();
        }
        let hour = i8::try_from(minutes % 1440 / 60).unwrap();
        let local = date.at(hour, i8::try_from(minutes % 60).unwrap(), 0, 0);
        let (at, kind) = self.calendar.instant(local);
        match kind {
            Kind::Plain => at,
            Kind::Doubled => {
                self.saws.tick(Branch::HoursDoubled);
                if self.slip == Slip::SecondOccurrence { self.calendar.second(local) } else { at }
            }
            Kind::Skipped => {
                self.saws.tick(Branch::HoursSkipped);
                if self.slip == Slip::GapStart { self.calendar.change_before(at) } else { at }
            }
        }
    }
}
