//! The latest value of one fact in what each agent saw with each probe. What the fact says is
//! left to others.

use mailward_evidence::{AgentName, ProbeId};

use super::View;
use crate::store::codec::{self, Key};
use crate::store::error::StoreError;
use crate::store::run::Want;

/// What was looked through of an agent's outcomes of a probe, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastFact {
    /// Who looked.
    pub(crate) agent: AgentName,
    /// With which probe.
    pub(crate) probe: ProbeId,
    /// Due of the last outcome that was looked at, in nanoseconds.
    pub(crate) looked_ns: i64,
    /// The fact's value in the last outcome that bears it, if one does.
    pub(crate) value: Option<Box<str>>,
}

impl View<'_> {
    /// Looks through the outcomes due after `looked_ns` says, and before `now_ms`; where it says
    /// nothing, from the last one in the blocks on. Streams without any are left out.
    pub(in crate::store) fn last_facts(
        &self,
        fact: &str,
        looked_ns: &dyn Fn(&AgentName, &ProbeId) -> Option<i64>,
        now_ms: i64,
    ) -> Result<Vec<LastFact>, StoreError> {
        let to = Key::at_ms(now_ms);
        let mut found = Vec::new();
        for (id, info) in self.ordered() {
            let from_ns = match looked_ns(&info.agent, &info.probe) {
                Some(looked_ns) => looked_ns.saturating_add(1),
                None => info.last_ns.unwrap_or(i64::MIN),
            };
            let from = Key { due_ns: from_ns, attempt: 0 };
            if from >= to {
                continue;
            }
            let mut last: Option<LastFact> = None;
            let fresh = self.head.fresh(id);
            self.raw(id).merged(fresh, (from, to), (Want::All, false), &mut |packed| {
                let outcome = codec::unpack(packed, &info.agent, &info.probe, &self.head.words)
                    .map_err(|broken| StoreError::Damaged(format!("an outcome: {broken}")))?;
                let value = outcome.facts.get(fact).cloned();
                let before = last.take().and_then(|last| last.value);
                last = Some(LastFact {
                    agent: outcome.agent,
                    probe: outcome.probe,
                    looked_ns: packed.key.due_ns,
                    value: value.or(before),
                });
                Ok(())
            })?;
            found.extend(last);
        }
        Ok(found)
    }
}
