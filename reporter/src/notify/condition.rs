//! What there is to tell of: conditions that hold now, in the scopes that can be judged. Shapes
//! only; what holds is found by `observe`, and what is told of it decided by `memory`.

use mailward_catalogue::Topic;
use serde::{Deserialize, Serialize};

/// Something that can be judged: a component, an agent, a level … What is in no scope is nobody's
/// concern any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// What kind of trouble it is looked at for.
    pub topic: Topic,
    /// Which component, agent, level …
    pub of: String,
    /// The component it belongs to, for the filters of channels.
    pub part: Option<Part>,
    /// Whether what does not hold is known not to. Without data, nothing ends.
    pub sure: bool,
    /// When what held last ended, where the evidence tells.
    pub ended_ms: Option<i64>,
    /// What holds.
    pub holds: Vec<Condition>,
}

/// The component that something is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its severity.
    pub severity: String,
}

/// Something that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What of the scope: empty where there is only one thing.
    pub what: String,
    /// Since when, where the evidence tells.
    pub since_ms: Option<i64>,
    /// How it is told.
    pub about: About,
}

/// How a condition is told. What the public may not read stands apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// A sentence without a full stop, for anybody.
    pub title: String,
    /// The same once it is over.
    pub over: String,
    /// Why, as a clause in plain words, for anybody.
    pub why: Option<String>,
    /// What operators read instead of the title.
    #[serde(default)]
    pub operators: Option<String>,
    /// What operators read below it, a line each.
    #[serde(default)]
    pub detail: Vec<String>,
    /// The component it is about.
    pub part: Option<Part>,
    /// Where on the status page there is more, as a path.
    pub path: Option<String>,
}

/// Which condition it is, for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// What kind of trouble.
    #[serde(with = "word")]
    pub topic: Topic,
    /// Of which component, agent, level …
    pub of: String,
    /// What of it.
    pub what: String,
}

/// A topic by its word.
mod word {
    use mailward_catalogue::Topic;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this form")]
    pub(super) fn serialize<S: Serializer>(topic: &Topic, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(topic.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Topic, D::Error> {
        let word = String::deserialize(from)?;
        Topic::parse(&word)
            .ok_or_else(|| de::Error::custom(format!("expected a topic, got {word:?}")))
    }
}
