//! Numbers and lengths of time as a language writes them.

use super::Language;
use crate::report::model::Ms;

/// A whole number with something between each three digits.
pub(super) fn grouped(n: u64, between: &str) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push_str(between);
        }
        text.push(digit);
    }
    text
}

/// Thousandths of a second as seconds: `3600`, `0.25`.
pub(crate) fn decimal_seconds(ms: u64) -> String {
    if ms.is_multiple_of(1000) {
        return (ms / 1000).to_string();
    }
    let digits = format!("{}.{:03}", ms / 1000, ms % 1000);
    digits.trim_end_matches('0').to_owned()
}

impl Language {
    /// A whole number: `40,210`.
    #[must_use]
    pub fn count(&self, n: u64) -> String {
        grouped(n, self.number.group())
    }

    /// A number as programs write it (`-1250.5`), as this language writes it (`−1,250.5`).
    pub(crate) fn figure(&self, machine: &str) -> String {
        let (sign, rest) = match machine.split_at_checked(1) {
            Some(("-", rest)) => (self.number.minus(), rest),
            Some(("+", rest)) => ("+", rest),
            _ => ("", machine),
        };
        let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), |n| self.count(n));
        let part = match part {
            "" => String::new(),
            digits => format!("{}{digits}", self.number.decimal()),
        };
        format!("{sign}{whole}{part}")
    }

    /// A number as programs write it, as a percentage: `99.851 %`.
    pub(crate) fn percent(&self, machine: &str) -> String {
        self.number.percent(self.figure(machine))
    }

    /// A figure that may be `n/a`, as a percentage.
    pub(crate) fn share(&self, machine: &str) -> String {
        if machine == "n/a" {
            self.level.not_applicable().to_owned()
        } else {
            self.percent(machine)
        }
    }

    /// A length of time in words, exact to the millisecond: `1 h 4 min`, `30 s`, `0.25 s`.
    #[must_use]
    pub fn length(&self, time: Ms) -> String {
        let total = time.0.unsigned_abs();
        let (hours, minutes) = (total / 3_600_000, total / 60_000 % 60);
        let rest = total % 60_000;
        let mut parts = Vec::new();
        if hours > 0 {
            parts.push(self.unit.hours(self.count(hours)));
        }
        if minutes > 0 {
            parts.push(self.unit.minutes(minutes));
        }
        if rest > 0 || parts.is_empty() {
            parts.push(self.unit.seconds(self.figure(&decimal_seconds(rest))));
        }
        let sign = if time.0 < 0 { self.number.minus() } else { "" };
        format!("{sign}{}", parts.join(" "))
    }

    /// [`Language::length`] in whole seconds, cut off towards less: what is left of a budget is
    /// never shown as more than it is.
    #[must_use]
    pub fn length_cut(&self, time: Ms) -> String {
        self.length(Ms(time.0.div_euclid(1000) * 1000))
    }

    /// A length of time in two units at most, cut off: `1 h 4 min`, `2 min 30 s`, `3 d 2 h`.
    pub(crate) fn about(&self, ms: i64) -> String {
        const SECOND: u64 = 1000;
        const MINUTE: u64 = 60 * SECOND;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let ms = u64::try_from(ms).unwrap_or(0);
        let days = |n| self.unit.days(self.count(n));
        let hours = |n: u64| self.unit.hours(n);
        let minutes = |n: u64| self.unit.minutes(n);
        let seconds = |n: u64| self.unit.seconds(n);
        let two = |big: String, small: u64, told: &dyn Fn(u64) -> String| match small {
            0 => big,
            n => format!("{big} {}", told(n)),
        };
        match ms {
            DAY.. => two(days(ms / DAY), ms % DAY / HOUR, &hours),
            HOUR.. => two(hours(ms / HOUR), ms % HOUR / MINUTE, &minutes),
            ..MINUTE => seconds(ms / SECOND),
            _ if ms >= 10 * MINUTE => minutes(ms / MINUTE),
            _ => two(minutes(ms / MINUTE), ms % MINUTE / SECOND, &seconds),
        }
    }

    /// How long ago something was: `24 minutes ago`.
    pub(crate) fn ago(&self, ms: i64, now_ms: i64) -> String {
        let minutes = u64::try_from((now_ms - ms) / 60_000).unwrap_or(0);
        match minutes {
            0 => self.ago.moments().to_owned(),
            1..60 => self.ago.minutes(minutes),
            60..2880 => self.ago.hours(minutes / 60),
            _ => self.ago.days(minutes / 1440),
        }
    }

    /// Seconds as people say an interval: `30 seconds`, `minute`, `5 minutes`, `hour`.
    pub(crate) fn interval(&self, seconds: u64) -> String {
        match seconds {
            s if s > 0 && s % 3600 == 0 => self.interval.hours(s / 3600),
            s if s > 0 && s % 60 == 0 => self.interval.minutes(s / 60),
            s => self.interval.seconds(s),
        }
    }
}
