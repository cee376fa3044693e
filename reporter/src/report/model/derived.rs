//! What follows from the figures of the model and is not kept beside them: totals, lengths, what
//! went for the worse. Renderers ask here and reckon nothing.

use super::{ComponentMonth, Day, ExclusionEntry, Figure, LevelFigure, ListedTime, Ms};

impl LevelFigure {
    /// Whether it went for the worse since the month before.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        match (&self.change, self.change_s) {
            (Some(points), _) => points.starts_with('-'),
            (None, Some(time)) => time.0 > 0,
            (None, None) => false,
        }
    }

    /// The figures without what lies behind them and what came before.
    #[must_use]
    pub fn alone(mut self) -> Self {
        if let Figure::Availability(a) = &mut self.figure {
            a.outages.clear();
            a.rejected_exclusions.clear();
            a.parts.clear();
            a.unknown_by_reason.clear();
        }
        (self.trend, self.change, self.change_s) = (Vec::new(), None, None);
        (self.credits, self.grounds) = (None, None);
        self
    }

    /// What the target allows a month to fall short of, in per cent; of time on blocklists, in
    /// milliseconds.
    #[must_use]
    pub fn allowance(&self) -> f64 {
        let share = |target: &str| 100.0 - target.parse::<f64>().unwrap_or(100.0);
        match &self.figure {
            Figure::Availability(a) => share(&a.target_pct),
            Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => share(&s.target_pct),
            Figure::DeliveryTime(d) => share(&d.target_pct),
            Figure::Resolution(r) => share(&r.target_pct),
            #[allow(clippy::cast_precision_loss, reason = "a month in milliseconds is exact")]
            Figure::Listing(l) => l.target_s.0 as f64,
        }
    }
}

impl ListedTime {
    /// How long it was, also before the month.
    #[must_use]
    pub const fn length(&self) -> Ms {
        Ms(self.to.0 - self.from.0)
    }
}

impl ComponentMonth {
    fn total(&self, part: impl Fn(&Day) -> Ms) -> Ms {
        Ms(self.days.iter().map(|day| part(day).0).sum())
    }

    /// How long it was not working in the month, around the clock.
    #[must_use]
    pub fn not_working(&self) -> Ms {
        self.total(|day| day.down_s)
    }

    /// How long there was no evidence of it.
    #[must_use]
    pub fn without_evidence(&self) -> Ms {
        self.total(|day| day.unknown_s)
    }

    /// Whether anything was seen of it, working or not.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.total(|day| Ms(day.up_s.0 + day.degraded_s.0 + day.down_s.0)).0 > 0
    }
}

impl Day {
    /// The day's length in service so far.
    #[must_use]
    pub const fn length(&self) -> Ms {
        let seen = self.up_s.0 + self.degraded_s.0 + self.down_s.0;
        Ms(seen + self.excluded_s.0 + self.unknown_s.0)
    }

    /// Whether there was no service on it, or it is still to come.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.length().0 == 0
    }
}

impl ExclusionEntry {
    /// How long it is, also outside of the month.
    #[must_use]
    pub const fn length(&self) -> Ms {
        Ms(self.to.0 - self.from.0)
    }
}
