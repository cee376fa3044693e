//! What one probe run saw: the outcome and its verdict.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exhibit::Exhibit;
use crate::ids::{AgentName, ProbeId};
use crate::reason::Reason;
use crate::record::{Extra, Pairs};
use crate::time::Instant;

/// What a run says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It works.
    Up,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Down,
    /// The run could not tell.
    Unknown,
}

impl Verdict {
    /// All verdicts, in the order of the wire's documentation.
    pub const ALL: [Self; 4] = [Self::Up, Self::Degraded, Self::Down, Self::Unknown];

    /// The word on the wire, in metrics and in the terminal.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// One address (or domain) on one blocklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The address or domain that is listed.
    pub address: Box<str>,
    /// The list's zone.
    pub list: Box<str>,
    /// The answer, such as 127.0.0.2; `None` where it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<str>>,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What one run of one probe saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Who looked.
    pub agent: AgentName,
    /// With which probe.
    pub probe: ProbeId,
    /// When this run was due; a re-probe has its own.
    pub due: Instant,
    /// Re-probes since the first failure; 0 for a scheduled run.
    pub attempt: u32,
    /// A higher revision supersedes a lower one.
    pub revision: u32,
    /// Time to the next due run, in milliseconds (`next_due_s` on the wire, in seconds).
    pub next_due_ms: u64,
    /// How long the run took, in milliseconds.
    pub took_ms: Option<f64>,
    /// What it says about the service.
    pub verdict: Verdict,
    /// Why, where the verdict is not plainly up.
    pub reason: Option<Reason>,
    /// How long the mail took from hand-over to arrival, in seconds.
    pub delivery_s: Option<f64>,
    /// What is listed where; sorted. Only a `dnsbl` probe has any.
    pub listings: Vec<Listing>,
    /// Phase → milliseconds.
    pub phases: Pairs<f64>,
    /// Fact → value. Never a secret.
    pub facts: Pairs<Box<str>>,
    /// What was met, for operators; only where the verdict is not up.
    pub exhibit: Option<Box<Exhibit>>,
    /// Fields of a newer version, kept as they came.
    pub extra: Extra,
}

impl Outcome {
    /// An outcome with nothing but its identity and verdict, to be filled in.
    #[must_use]
    pub fn new(
        agent: AgentName,
        probe: ProbeId,
        due: Instant,
        next_due_ms: u64,
        verdict: Verdict,
    ) -> Self {
        Self {
            agent,
            probe,
            due,
            attempt: 0,
            revision: 0,
            next_due_ms,
            took_ms: None,
            verdict,
            reason: None,
            delivery_s: None,
            listings: Vec::new(),
            phases: Pairs::default(),
            facts: Pairs::default(),
            exhibit: None,
            extra: Extra::default(),
        }
    }

    /// The delivery time in whole milliseconds, cut off.
    #[must_use]
    pub fn delivery_ms(&self) -> Option<i64> {
        self.delivery_s.map(|s| cut_ms(s * 1000.0, s, 1000.0))
    }
}

/// Milliseconds of a decimal number of seconds as its shortest decimal form has them, cut off.
/// `1.005 s` is 1005 ms although the nearest double times 1000 is below it.
#[must_use]
pub fn seconds_to_ms(seconds: f64) -> i64 {
    cut_ms(seconds * 1000.0, seconds, 1000.0)
}

#[allow(clippy::cast_possible_truncation, reason = "bounded by the limits of the wire form")]
#[allow(clippy::float_cmp, reason = "the nearest double to a decimal is compared with itself")]
fn cut_ms(scaled: f64, original: f64, factor: f64) -> i64 {
    let near = scaled.round();
    if near / factor == original { near as i64 } else { scaled.floor() as i64 }
}

#[allow(clippy::cast_precision_loss, reason = "at most ten years in milliseconds")]
pub(crate) fn seconds_number(ms: u64) -> serde_json::Number {
    if ms.is_multiple_of(1000) {
        serde_json::Number::from(ms / 1000)
    } else {
        serde_json::Number::from_f64(ms as f64 / 1000.0).unwrap_or_else(|| (ms / 1000).into())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &crate::wire::VERSION)?;
        map.serialize_entry("kind", "outcome")?;
        map.serialize_entry("agent", &self.agent)?;
        map.serialize_entry("probe", &self.probe)?;
        map.serialize_entry("due", &self.due)?;
        map.serialize_entry("attempt", &self.attempt)?;
        if self.revision > 0 {
            map.serialize_entry("revision", &self.revision)?;
        }
        map.serialize_entry("next_due_s", &seconds_number(self.next_due_ms))?;
        if let Some(took_ms) = self.took_ms {
            map.serialize_entry("took_ms", &took_ms)?;
        }
        map.serialize_entry("verdict", &self.verdict)?;
        map.serialize_entry("reason", &self.reason)?;
        if let Some(delivery_s) = self.delivery_s {
            map.serialize_entry("delivery_s", &delivery_s)?;
        }
        if !self.listings.is_empty() {
            map.serialize_entry("listings", &self.listings)?;
        }
        map.serialize_entry("phases", &self.phases)?;
        map.serialize_entry("facts", &self.facts)?;
        if let Some(exhibit) = &self.exhibit {
            map.serialize_entry("exhibit", exhibit)?;
        }
        for (key, value) in self.extra.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

pub(crate) mod read {
    //! Decoding of an outcome, by hand because it is the hot path of ingest: unknown fields are
    //! kept without the buffering that serde's `flatten` needs.

    use std::borrow::Cow;

    use serde::de::{Error, MapAccess, Visitor};

    use super::{Exhibit, Outcome, Pairs, Reason, Verdict, fmt, seconds_to_ms};
    use crate::record::{Extra, MAX_FACT_BYTES, MAX_LISTINGS, MAX_PAIRS};

    const TEN_YEARS_S: f64 = 3653.0 * 86_400.0;

    pub(crate) struct OutcomeVisitor;

    impl<'de> Visitor<'de> for OutcomeVisitor {
        type Value = Outcome;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an outcome record")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcome, A::Error> {
            let (mut agent, mut probe, mut due, mut next_due_s) = (None, None, None, None);
            let (mut attempt, mut revision) = (0u32, 0u32);
            let (mut took_ms, mut delivery_s): (Option<f64>, Option<f64>) = (None, None);
            let mut verdict: Option<Verdict> = None;
            let mut reason: Option<Reason> = None;
            let mut listings: Option<Vec<_>> = None;
            let mut phases: Pairs<f64> = Pairs::default();
            let mut facts: Pairs<Box<str>> = Pairs::default();
            let mut exhibit: Option<Box<Exhibit>> = None;
            let mut extra = Extra::default();
            while let Some(key) = map.next_key::<Key<'de>>()? {
                match key.0.as_ref() {
                    "v" | "kind" => {
                        map.next_value::<serde::de::IgnoredAny>()?;
                    }
                    "agent" => agent = Some(map.next_value()?),
                    "probe" => probe = Some(map.next_value()?),
                    "due" => due = Some(map.next_value()?),
                    "attempt" => attempt = map.next_value()?,
                    "revision" => revision = map.next_value::<Option<u32>>()?.unwrap_or(0),
                    "next_due_s" => next_due_s = Some(map.next_value::<f64>()?),
                    "took_ms" => took_ms = map.next_value()?,
                    "verdict" => verdict = Some(map.next_value()?),
                    "reason" => reason = map.next_value()?,
                    "delivery_s" => delivery_s = map.next_value()?,
                    "listings" => listings = map.next_value()?,
                    "phases" => {
                        phases = map.next_value::<Option<Pairs<f64>>>()?.unwrap_or_default();
                    }
                    "facts" => {
                        facts = map.next_value::<Option<Pairs<Box<str>>>>()?.unwrap_or_default();
                    }
                    "exhibit" => exhibit = map.next_value()?,
                    other => extra.insert(other, map.next_value()?).map_err(A::Error::custom)?,
                }
            }
            let next_due_s: f64 =
                next_due_s.ok_or_else(|| A::Error::missing_field("next_due_s"))?;
            if !(0.001..=TEN_YEARS_S).contains(&next_due_s) {
                return Err(A::Error::custom(format_args!(
                    "next_due_s: expected seconds above 0 and at most ten years, got {next_due_s}"
                )));
            }
            for (name, value) in [("took_ms", took_ms), ("delivery_s", delivery_s)] {
                if value.is_some_and(|v| !(0.0..=TEN_YEARS_S * 1000.0).contains(&v)) {
                    return Err(A::Error::custom(format_args!(
                        "{name}: expected a number from 0 to ten years, got {}",
                        value.unwrap_or_default()
                    )));
                }
            }
            let mut listings: Vec<super::Listing> = listings.unwrap_or_default();
            listings.sort_unstable_by(|a, b| {
                (&a.address, &a.list, &a.code).cmp(&(&b.address, &b.list, &b.code))
            });
            if listings.len() > MAX_LISTINGS
                || phases.len() > MAX_PAIRS
                || facts.len() > MAX_PAIRS
                || facts.iter().any(|(_, v)| v.len() > MAX_FACT_BYTES)
            {
                return Err(A::Error::custom(format_args!(
                    "at most {MAX_LISTINGS} listings, {MAX_PAIRS} phases, {MAX_PAIRS} facts and \
                     {MAX_FACT_BYTES} bytes a fact are accepted"
                )));
            }
            let verdict: Verdict = verdict.ok_or_else(|| A::Error::missing_field("verdict"))?;
            if let Some(exhibit) = &exhibit {
                if verdict == Verdict::Up {
                    return Err(A::Error::custom("exhibit: an outcome that is up has none"));
                }
                exhibit.check().map_err(A::Error::custom)?;
            }
            Ok(Outcome {
                agent: agent.ok_or_else(|| A::Error::missing_field("agent"))?,
                probe: probe.ok_or_else(|| A::Error::missing_field("probe"))?,
                due: due.ok_or_else(|| A::Error::missing_field("due"))?,
                attempt,
                revision,
                #[allow(clippy::cast_sign_loss, reason = "checked to be positive above")]
                next_due_ms: seconds_to_ms(next_due_s) as u64,
                took_ms,
                verdict,
                reason,
                delivery_s,
                listings,
                phases,
                facts,
                exhibit,
                extra,
            })
        }
    }

    /// A key, borrowed from the line where it has no escapes.
    pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

    impl<'de> serde::Deserialize<'de> for Key<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct V;
            impl<'de> Visitor<'de> for V {
                type Value = Key<'de>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a field's name")
                }

                fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                    Ok(Key(Cow::Borrowed(text)))
                }

                fn visit_str<E: Error>(self, text: &str) -> Result<Key<'de>, E> {
                    Ok(Key(Cow::Owned(text.to_owned())))
                }
            }
            deserializer.deserialize_str(V)
        }
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(read::OutcomeVisitor)
    }
}
