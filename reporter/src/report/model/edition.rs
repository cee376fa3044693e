//! What an edition says about itself: what it changes against the one it replaces, and how the
//! definition changed within the month. Words are ready to be shown; nobody is named in them.

use serde::{Deserialize, Serialize};

use super::{At, LevelFigure};

/// What an edition changes against the one it replaces. Who published it and why stands in the
/// report itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The edition that is replaced.
    pub since: u32,
    /// Levels whose figure differs, in the order of the report; those that are gone come last.
    pub levels: Vec<LevelChange>,
    /// What is promised or measured otherwise, a sentence each.
    pub definition: Vec<String>,
    /// What evidence came, went or was superseded since, a sentence each.
    pub evidence: Vec<String>,
}

/// A level whose figure differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelChange {
    /// The level.
    pub id: String,
    /// How the scorecard names it.
    pub name: String,
    /// What was published; `None` where the level is new.
    pub before: Option<Stated>,
    /// What holds now; `None` where the level is gone.
    pub after: Option<Stated>,
}

/// A level's figure as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stated {
    /// The result.
    pub shown: String,
    /// The least and the most it can have been, or what was counted; empty if neither.
    pub detail: String,
    /// The verdict in a word.
    pub verdict: String,
    /// Whether the promise was kept; null where it cannot be said.
    pub met: Option<bool>,
    /// The figures themselves, without outages and earlier months, to be worded again; absent
    /// in editions of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Box<LevelFigure>>,
}

impl LevelChange {
    /// The level's figures as they are now, or as they were last.
    #[must_use]
    pub fn stated(&self) -> Option<&LevelFigure> {
        let stated = self.after.as_ref().or(self.before.as_ref());
        stated.and_then(|stated| stated.level.as_deref())
    }
}

/// A change of the definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionChange {
    /// When the reporter first saw it.
    pub at: At,
    /// What is different from then on, a sentence each.
    pub what: Vec<String>,
}
