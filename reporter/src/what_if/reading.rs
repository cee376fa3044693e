//! The other readings of a definition: what each changes, its name, and the definition and
//! evidence it makes of those that are.

use mailward_catalogue::{Catalogue, Effect, Measure, Need, UnknownPolicy};

use crate::segment::Evidence;

/// One change to a definition, or to the exclusions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// None.
    Nothing,
    /// Every probe counts as down after this many failures in a row.
    Confirm(u32),
    /// Every component needs this many agents of a site to agree.
    Quorum(Need),
    /// Every level of availability treats unknown time like this.
    Unknown(UnknownPolicy),
    /// This exclusion was never asked for.
    Without(Box<str>),
}

/// A reading of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its id: `confirm-3`.
    pub id: String,
    /// What it changes, in plain words.
    pub words: String,
    /// The change.
    pub change: Change,
    /// Whether it changes nothing, because the definition says so already.
    pub as_defined: bool,
}

impl Reading {
    /// The definition as it is, and every reading of it.
    #[must_use]
    pub fn all(catalogue: &Catalogue, exclusions: &[Box<str>]) -> Vec<Self> {
        use UnknownPolicy::{Down, Exclude, Up};
        let mut changes = vec![Change::Nothing];
        changes.extend([1, 2, 3, 5].map(Change::Confirm));
        changes.extend([Need::AtLeast(1), Need::Majority, Need::All].map(Change::Quorum));
        changes.extend([Exclude, Up, Down].map(Change::Unknown));
        changes.extend(exclusions.iter().cloned().map(Change::Without));
        changes
            .into_iter()
            .map(|change| Self {
                id: change.id(),
                words: change.words(),
                as_defined: change.is_declared(catalogue),
                change,
            })
            .collect()
    }
}

impl Change {
    fn id(&self) -> String {
        match self {
            Self::Nothing => "as-defined".to_owned(),
            Self::Confirm(n) => format!("confirm-{n}"),
            Self::Quorum(Need::All) => "quorum-all".to_owned(),
            Self::Quorum(Need::Majority) => "quorum-majority".to_owned(),
            Self::Quorum(need) => format!("quorum-{}", need.count(1)),
            Self::Unknown(policy) => format!("unknown-{}", word(*policy)),
            Self::Without(id) => format!("without-{id}"),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Nothing => "as defined".to_owned(),
            Self::Confirm(n) => format!("confirm {n}"),
            Self::Quorum(Need::All) => "quorum all".to_owned(),
            Self::Quorum(Need::Majority) => "quorum majority".to_owned(),
            Self::Quorum(need) => format!("quorum {}", need.count(1)),
            Self::Unknown(policy) => format!("unknown {}", word(*policy)),
            Self::Without(id) => format!("without {id}"),
        }
    }

    /// Whether the definition says so already.
    fn is_declared(&self, catalogue: &Catalogue) -> bool {
        match self {
            Self::Nothing => true,
            Self::Confirm(n) => {
                let mut counted =
                    catalogue.probes.iter().filter(|p| p.effect == Effect::Availability);
                counted.all(|probe| probe.confirm == *n)
            }
            Self::Quorum(need) => catalogue.components.iter().all(|c| same(c.quorum, *need)),
            Self::Unknown(policy) => {
                let measured = |l: &&mailward_catalogue::Level| {
                    matches!(l.measure, Measure::Availability { .. })
                };
                catalogue.levels.iter().filter(measured).all(|level| level.unknown == *policy)
            }
            Self::Without(_) => false,
        }
    }

    /// The definition with this change.
    #[must_use]
    pub fn catalogue(&self, catalogue: &Catalogue) -> Catalogue {
        let mut changed = catalogue.clone();
        match self {
            Self::Nothing | Self::Without(_) => {}
            Self::Confirm(n) => changed.probes.iter_mut().for_each(|probe| probe.confirm = *n),
            Self::Quorum(need) => changed.components.iter_mut().for_each(|c| c.quorum = *need),
            Self::Unknown(policy) => {
                changed.levels.iter_mut().for_each(|level| level.unknown = *policy);
            }
        }
        changed
    }

    /// The evidence with this change; `None` where it changes none.
    #[must_use]
    pub fn evidence(&self, evidence: &Evidence) -> Option<Evidence> {
        let Self::Without(id) = self else { return None };
        let mut fewer = evidence.clone();
        fewer.exclusions.retain(|seen| seen.exclusion.id != *id);
        Some(fewer)
    }
}

const fn word(policy: UnknownPolicy) -> &'static str {
    match policy {
        UnknownPolicy::Exclude => "exclude",
        UnknownPolicy::Up => "up",
        UnknownPolicy::Down => "down",
    }
}

/// Whether two needs are the same for any number of agents; one is at least one.
fn same(a: Need, b: Need) -> bool {
    let plain = |need| match need {
        Need::Any | Need::AtLeast(0) => Need::AtLeast(1),
        need => need,
    };
    plain(a) == plain(b)
}
