//! A record of any kind, its identity, and the small maps records carry.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::ids::{AgentName, ProbeId};
use crate::ledger::{Count, Exclusion, Ticket};
use crate::outcome::Outcome;
use crate::roster::Roster;
use crate::time::Instant;

/// The most phases or facts of one outcome.
pub const MAX_PAIRS: usize = 128;
/// The most listings of one outcome.
pub const MAX_LISTINGS: usize = 4096;
/// The longest value of a fact, in bytes.
pub const MAX_FACT_BYTES: usize = 8192;
/// The most unknown fields of one record.
pub const MAX_EXTRA: usize = 64;

/// A record of any kind.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "nearly all records are outcomes")]
pub enum Record {
    /// What one probe run saw.
    Outcome(Outcome),
    /// Which probes an agent is due to run.
    Roster(Roster),
    /// Time agreed not to count.
    Exclusion(Exclusion),
    /// An incident of the service desk.
    Ticket(Ticket),
    /// A count from elsewhere, such as calls answered in time.
    Count(Count),
}

/// What makes two records the same record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// Outcomes.
    Outcome(AgentName, ProbeId, Instant, u32),
    /// Rosters.
    Roster(AgentName, Instant),
    /// Exclusions.
    Exclusion(Box<str>),
    /// Tickets.
    Ticket(Box<str>),
    /// Counts.
    Count(Box<str>, Instant),
}

impl Record {
    /// What makes it the same record as another.
    #[must_use]
    pub fn identity(&self) -> Identity {
        match self {
            Self::Outcome(o) => {
                Identity::Outcome(o.agent.clone(), o.probe.clone(), o.due, o.attempt)
            }
            Self::Roster(r) => Identity::Roster(r.agent.clone(), r.at),
            Self::Exclusion(e) => Identity::Exclusion(e.id.clone()),
            Self::Ticket(t) => Identity::Ticket(t.id.clone()),
            Self::Count(c) => Identity::Count(c.series.clone(), c.from),
        }
    }

    /// The word for its kind on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Outcome(_) => "outcome",
            Self::Roster(_) => "roster",
            Self::Exclusion(_) => "exclusion",
            Self::Ticket(_) => "ticket",
            Self::Count(_) => "count",
        }
    }

    /// The agent that made it, for the kinds that agents make.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentName> {
        match self {
            Self::Outcome(o) => Some(&o.agent),
            Self::Roster(r) => Some(&r.agent),
            _ => None,
        }
    }
}

/// A small map with text keys, sorted by key, so that equal maps are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs<V>(Vec<(Box<str>, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> Pairs<V> {
    /// Sets `key` to `value`, replacing what was there.
    pub fn set(&mut self, key: &str, value: V) {
        match self.0.binary_search_by(|(k, _)| (**k).cmp(key)) {
            Ok(i) => self.0[i].1 = value,
            Err(i) => self.0.insert(i, (Box::from(key), value)),
        }
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok().map(|i| &self.0[i].1)
    }

    /// Pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.0.iter().map(|(k, v)| (&**k, v))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V: Serialize> Serialize for Pairs<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> serde::de::Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(4).min(MAX_PAIRS));
                while let Some((key, value)) = map.next_entry::<Box<str>, V>()? {
                    if pairs.len() >= MAX_PAIRS {
                        return Err(serde::de::Error::custom(format_args!(
                            "expected at most {MAX_PAIRS} entries"
                        )));
                    }
                    pairs.push((key, value));
                }
                let sorted = pairs.windows(2).all(|w| w[0].0 < w[1].0);
                if !sorted {
                    // stable, so that of two equal keys the last wins, as JSON readers do
                    pairs.sort_by(|a, b| a.0.cmp(&b.0));
                    pairs.reverse();
                    pairs.dedup_by(|a, b| a.0 == b.0);
                    pairs.reverse();
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(std::marker::PhantomData))
    }
}

/// Fields that this version does not know, kept as they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra(Option<Box<Pairs<Value>>>);

impl Extra {
    /// The fields in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().flat_map(|pairs| pairs.iter())
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn insert(&mut self, key: &str, value: Value) -> Result<(), String> {
        let pairs = self.0.get_or_insert_default();
        if pairs.len() >= MAX_EXTRA {
            return Err(format!("at most {MAX_EXTRA} fields that this version does not know"));
        }
        pairs.set(key, value);
        Ok(())
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = serde_json::Map::deserialize(deserializer)?;
        let mut extra = Self::default();
        for (key, value) in pairs {
            if key != "v" && key != "kind" {
                extra.insert(&key, value).map_err(serde::de::Error::custom)?;
            }
        }
        Ok(extra)
    }
}
