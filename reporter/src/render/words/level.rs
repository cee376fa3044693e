//! What a level is about, what it promised, what came of it and how it stands.

use super::{component_name, cut_pct};
use crate::language::Language;
use crate::report::model::{Availability, Figure, LevelFigure, Report, Share};

/// How a level stands at the end of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Kept, for every reading of the evidence.
    Met,
    /// Not kept, for every reading of the evidence.
    Missed,
    /// The evidence allows both; `as_measured` says which way the measured figure leans.
    NotProvable {
        /// Whether the measured figure meets the target.
        as_measured: bool,
    },
    /// Less evidence than the level demands.
    NotEnough,
    /// Nothing happened that could be measured.
    Nothing,
}

impl Standing {
    /// How this level stands.
    #[must_use]
    pub fn of(level: &LevelFigure) -> Self {
        match (&level.figure, level.met) {
            (Figure::Availability(a), None) if a.availability_pct.is_some() => Self::NotEnough,
            (_, None) => Self::Nothing,
            (Figure::Availability(a), Some(met)) if !a.provable => {
                Self::NotProvable { as_measured: met }
            }
            (_, Some(true)) => Self::Met,
            (_, Some(false)) => Self::Missed,
        }
    }

    /// A sign for it that does not need colour.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Met => '✓',
            Self::Missed => '✗',
            Self::NotProvable { .. } => '±',
            Self::NotEnough => '?',
            Self::Nothing => '–',
        }
    }

    /// How much it matters to a reader who cannot see all.
    pub(crate) const fn weight(self) -> i64 {
        match self {
            Self::Missed => 4,
            Self::NotProvable { .. } => 3,
            Self::NotEnough => 2,
            Self::Met => 1,
            Self::Nothing => 0,
        }
    }
}

/// What a level is about, for readers: the component's name, or the service.
#[must_use]
pub fn subject<'a>(report: &'a Report, level: &'a LevelFigure) -> &'a str {
    level.component.as_deref().map_or(report.service.as_str(), |id| component_name(report, id))
}

/// The levels that stand so, in the order of the report.
pub fn standing<'a>(
    report: &'a Report,
    wanted: impl Fn(Standing) -> bool + 'a,
) -> impl Iterator<Item = &'a LevelFigure> + 'a {
    report.levels.iter().filter(move |level| wanted(Standing::of(level)))
}

impl Language {
    /// The word for a standing.
    #[must_use]
    pub fn standing(&self, standing: Standing) -> &str {
        match standing {
            Standing::Met => self.standing.met(),
            Standing::Missed => self.standing.missed(),
            Standing::NotProvable { .. } => self.standing.not_provable(),
            Standing::NotEnough => self.standing.not_enough(),
            Standing::Nothing => self.standing.nothing(),
        }
    }

    /// What else must be said of it, where something must.
    #[must_use]
    pub fn remark(&self, standing: Standing) -> Option<&str> {
        match standing {
            Standing::NotProvable { as_measured: true } => Some(self.standing.measured_met()),
            Standing::NotProvable { as_measured: false } => Some(self.standing.measured_missed()),
            _ => None,
        }
    }

    /// What a level measures, in words: `Availability in core hours`.
    #[must_use]
    pub fn measure(&self, level: &LevelFigure) -> String {
        let text = &self.level;
        match &level.figure {
            Figure::Availability(a) => {
                let what = match level.over.as_deref() {
                    Some("users") => text.by_users(),
                    Some(_) => text.as_one(),
                    None => text.availability(),
                };
                match (a.hours.as_str(), a.hours.strip_prefix("not ")) {
                    ("24x7", _) => what.to_owned(),
                    (_, Some(name)) => text.outside_hours(what, name),
                    (name, None) => text.in_hours(what, name),
                }
            }
            Figure::Success(_) => text.success().to_owned(),
            Figure::ResponseTime(s) => match s.within_s {
                Some(within) => text.response_within(self.length(within)),
                None => text.response().to_owned(),
            },
            Figure::DeliveryTime(d) => text.delivery_within(self.length(d.within_s)),
            Figure::Resolution(r) => text.resolution(&r.severity),
            Figure::Listing(_) => text.listing().to_owned(),
            Figure::Ratio(_) => spoken(&level.id),
        }
    }

    /// What a level measures and what stands behind its result.
    pub(crate) fn measure_and_detail(&self, level: &LevelFigure) -> String {
        match self.detail(level).as_str() {
            "" => self.measure(level),
            detail => format!("{}, {detail}", self.measure(level)),
        }
    }

    /// The promise in words: `99.9 %`, `≤ 0 s`.
    #[must_use]
    pub fn target(&self, level: &LevelFigure) -> String {
        match &level.figure {
            Figure::Availability(a) => self.percent(&a.target_pct),
            Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => {
                self.percent(&s.target_pct)
            }
            Figure::DeliveryTime(d) => self.percent(&d.target_pct),
            Figure::Resolution(r) => self.percent(&r.target_pct),
            Figure::Listing(l) => self.level.at_most(self.length(l.target_s)),
        }
    }

    /// The result as it is shown: `99.851 %`, `n/a`, `10 h`.
    #[must_use]
    pub fn result(&self, level: &LevelFigure) -> String {
        let cut = |pct: Option<f64>| match pct {
            Some(pct) => self.percent(&cut_pct(pct)),
            None => self.level.not_applicable().to_owned(),
        };
        match &level.figure {
            Figure::Availability(a) => self.share(&a.availability_shown),
            Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => {
                self.share(&s.ratio_shown)
            }
            Figure::DeliveryTime(d) => cut(d.within_pct),
            Figure::Resolution(r) => cut(r.within_pct),
            Figure::Listing(l) => self.length(l.exposed_s),
        }
    }

    /// What stands behind the result, in a few words; empty where there is nothing to say.
    #[must_use]
    pub fn detail(&self, level: &LevelFigure) -> String {
        let text = &self.level;
        let of = |s: &Share| match s.total {
            0 => text.none_counted().to_owned(),
            total => text.of(self.count(s.good), self.count(total)),
        };
        match &level.figure {
            Figure::Availability(a) => self.availability_detail(a),
            Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => of(s),
            Figure::DeliveryTime(d) => match (d.sent, d.lost) {
                (0, _) => text.no_mail().to_owned(),
                (sent, 0) => text.sent(sent),
                (sent, lost) => text.lost(lost, self.count(sent)),
            },
            Figure::Resolution(r) => match (r.tickets.len(), r.open.len()) {
                (done, 0) => text.tickets(done),
                (done, open) => text.open(text.tickets(done), open),
            },
            Figure::Listing(l) => match l.listings.len() {
                0 => text.on_none().to_owned(),
                n => text.listings(n),
            },
        }
    }

    /// Coverage, unless it is whole, and blips, if there were any.
    fn availability_detail(&self, a: &Availability) -> String {
        let mut parts = Vec::new();
        match a.coverage_pct {
            Some(pct) if pct < 100.0 => {
                parts.push(self.level.covered(self.percent(&cut_pct(pct))));
            }
            Some(_) => {}
            None => parts.push(self.level.no_evidence().to_owned()),
        }
        if a.blips > 0 {
            parts.push(self.level.blips(a.blips));
        }
        parts.join(", ")
    }

    /// The least and the most a level can have been; `None` where that is not known.
    pub(crate) fn between(&self, a: &Availability) -> Option<String> {
        let (low, high) = (cut_pct(a.low_pct?), cut_pct(a.high_pct?));
        Some(self.level.between(self.figure(&low), self.percent(&high)))
    }
}

/// An id as words: `calls-answered` is `Calls answered`.
fn spoken(id: &str) -> String {
    Language::opening(&id.replace(['-', '_'], " "))
}
