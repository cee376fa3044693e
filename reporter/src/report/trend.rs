//! How a level's figure went over the months: points from reports that were published or
//! computed, and the exact change between two of them. Where points come from is not its business.

use super::model::{Figure, LevelFigure, Ms, TrendMonth};
use crate::availability::Sums;
use crate::availability::exact::Ratio;
use crate::availability::whole::Weighed;
use crate::clock::Month;
use mailward_catalogue::{Percent, UnknownPolicy};

/// How many months before its own a report looks back.
pub const MONTHS_BACK: usize = 12;

/// What a level came to in one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A share of a whole.
    Share(Ratio),
    /// Milliseconds on blocklists.
    ExposedMs(i64),
}

/// A level's month: what it came to, whether that met the target, and which edition says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its value, exactly.
    pub value: Value,
    /// As the report states it.
    pub stated: TrendMonth,
}

impl Point {
    /// A figure that was just computed.
    #[must_use]
    pub fn computed(month: Month, value: Value, met: Option<bool>) -> Self {
        let (pct, shown, exposed_s) = match value {
            Value::Share(share) => (Some(share.pct()), share.shown(), None),
            Value::ExposedMs(ms) => (None, (ms / 1000).to_string(), Some(Ms(ms))),
        };
        let month = month.to_string();
        Self { value, stated: TrendMonth { month, pct, shown, exposed_s, met, edition: None } }
    }

    /// The figure of a level as a report states it; `None` where it had nothing to measure.
    #[must_use]
    pub fn stated(month: Month, level: &LevelFigure, edition: Option<u32>) -> Option<Self> {
        let mut point = Self::computed(month, value(&level.figure)?, level.met);
        point.stated.edition = edition;
        Some(point)
    }
}

/// What a figure comes to, exactly, from the integers that a report states.
fn value(figure: &Figure) -> Option<Value> {
    let share = |good: u64, of: u64| Ratio::new(i128::from(good), i128::from(of));
    let share = match figure {
        Figure::Availability(a) => {
            let sums = |service: Ms, excluded: Ms, down: Ms, unknown: Ms| Sums {
                service_ms: service.0,
                excluded_ms: excluded.0,
                down_ms: down.0,
                unknown_ms: unknown.0,
                ..Sums::default()
            };
            let mut groups: Vec<(u64, Sums)> = Vec::new();
            for part in &a.parts {
                let own = sums(part.service_s, part.excluded_s, part.down_s, part.unknown_s);
                groups.extend(part.users.map(|users| (users, own)));
            }
            if groups.is_empty() {
                groups.push((1, sums(a.service_s, a.excluded_s, a.down_s, a.unknown_s)));
            }
            let policy = match a.unknown_policy.as_str() {
                "up" => UnknownPolicy::Up,
                "down" => UnknownPolicy::Down,
                _ => UnknownPolicy::Exclude,
            };
            let none = Percent::NOTHING;
            Weighed::of(&groups).judge(none, policy, none).availability
        }
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => share(s.good, s.total),
        Figure::DeliveryTime(d) => share(in_time(d.within_pct?, d.sent), d.sent),
        Figure::Resolution(r) => {
            let met = r.tickets.iter().filter(|ticket| ticket.met == Some(true)).count();
            share(met as u64, r.tickets.len() as u64)
        }
        Figure::Listing(l) => return Some(Value::ExposedMs(l.exposed_s.0)),
    };
    share.map(Value::Share)
}

/// How many of `sent` a percentage stands for: it was the double nearest to a whole number of
/// them.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a month's mails are far below 2^50, so that the nearest whole number is the one"
)]
fn in_time(within_pct: f64, sent: u64) -> u64 {
    (within_pct / 100.0 * sent as f64).round() as u64
}

/// States on a level how it went: `earlier` are the months before `month`, oldest first.
pub fn state(level: &mut LevelFigure, month: Month, mut earlier: Vec<Point>) {
    if earlier.is_empty() {
        return;
    }
    let here = Point::stated(month, level, None);
    let last = earlier.last().filter(|point| point.stated.month == month.previous().to_string());
    match (here.as_ref().map(|point| point.value), last.map(|point| point.value)) {
        (Some(Value::Share(here)), Some(Value::Share(last))) => {
            level.change = Some(points(here.thousandths_above(last)));
        }
        (Some(Value::ExposedMs(here)), Some(Value::ExposedMs(last))) => {
            level.change_s = Some(Ms(here - last));
        }
        _ => {}
    }
    earlier.extend(here);
    level.trend = earlier.into_iter().map(|point| point.stated).collect();
}

/// Thousandths of a percentage point, signed: `+0.012`.
fn points(thousandths: i64) -> String {
    let sign = match thousandths {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1000, size % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixture;

    fn month(text: &str) -> Month {
        text.parse().unwrap()
    }

    fn share(good: i128, whole: i128) -> Value {
        Value::Share(Ratio::new(good, whole).unwrap())
    }

    #[test]
    fn a_report_gives_back_what_it_was_made_of() {
        for level in &fixture::october().levels {
            let point = Point::stated(month("2026-10"), level, Some(2)).unwrap();
            let expect = match &level.figure {
                Figure::Availability(a) => a.availability_pct,
                Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => s.ratio_pct,
                Figure::DeliveryTime(d) => d.within_pct,
                Figure::Resolution(r) => r.within_pct,
                Figure::Listing(_) => None,
            };
            assert_eq!(point.stated.edition, Some(2));
            match (point.stated.pct, expect) {
                (Some(got), Some(expect)) => {
                    assert!((got - expect).abs() < 1e-9, "{}: {got} {expect}", level.id);
                }
                (got, expect) => assert_eq!(got, expect, "{}", level.id),
            }
        }
        let listing = &fixture::october().levels[3];
        let point = Point::stated(month("2026-10"), listing, None).unwrap();
        assert_eq!(point.stated.exposed_s, Some(Ms(20 * fixture::HOUR)));
    }

    #[test]
    fn change_is_to_the_month_before_and_to_no_other() {
        let check = |earlier: &[(&str, Value)], expect: (Option<&str>, usize)| {
            let mut level = fixture::october().levels.remove(8);
            let earlier = earlier.iter().map(|(m, v)| Point::computed(month(m), *v, Some(true)));
            state(&mut level, month("2026-10"), earlier.collect());
            assert_eq!((level.change.as_deref(), level.trend.len()), expect);
        };
        // 44,611 of 44,700 is 99.80089… %
        check(&[], (None, 0));
        check(&[("2026-09", share(998, 1000))], (Some("0.000"), 2));
        check(&[("2026-09", share(998_011, 1_000_000))], (Some("0.000"), 2));
        check(&[("2026-08", share(1, 2)), ("2026-09", share(1, 1))], (Some("-0.199"), 3));
        check(&[("2026-08", share(1, 2))], (None, 2));
        check(&[("2026-09", Value::ExposedMs(1000))], (None, 2));
    }

    #[test]
    fn blocklists_change_by_time() {
        let mut level = fixture::october().levels.remove(3);
        let earlier = vec![Point::computed(month("2026-09"), Value::ExposedMs(1500), Some(false))];
        state(&mut level, month("2026-10"), earlier);
        assert_eq!(level.change_s, Some(Ms(20 * fixture::HOUR - 1500)));
        assert_eq!(level.trend[0].shown, "1");
    }
}
