//! Single outcomes behind a figure, with who saw them: runs of chosen stretches, and mails.

use std::collections::BTreeMap;

use mailward_evidence::{AgentName, Outcome, ProbeId, Verdict};

use super::{View, raw_gone, sent};
use crate::segment::{Delivery, Run};
use crate::store::codec::{self, Key};
use crate::store::error::StoreError;
use crate::store::run::Want;

/// A stretch of an agent's outcomes of a probe.
pub(crate) struct Wanted {
    /// Who looked.
    pub(crate) agent: AgentName,
    /// With which probe.
    pub(crate) probe: ProbeId,
    /// Due of the first, in milliseconds.
    pub(crate) first_ms: i64,
    /// Due of the last, in milliseconds.
    pub(crate) last_ms: i64,
}

impl View<'_> {
    /// Scheduled runs due in any of the stretches, which are in order of agent, probe and due.
    pub(in crate::store) fn runs_of(
        &self,
        wanted: &[Wanted],
        each: &mut dyn FnMut(&Wanted, Run),
    ) -> Result<(), StoreError> {
        let streams: BTreeMap<_, _> =
            self.ordered().into_iter().map(|s| ((&s.1.agent, &s.1.probe), s)).collect();
        for own in wanted.chunk_by(|a, b| (&a.agent, &a.probe) == (&b.agent, &b.probe)) {
            let Some((id, info)) = streams.get(&(&own[0].agent, &own[0].probe)) else { continue };
            let fresh = self.head.fresh(*id);
            // one for all of them: stretches that lie in one block open it once
            let mut raw = self.raw(*id);
            for stretch in own {
                let from = Key::at_ms(stretch.first_ms);
                if from.due_ns < info.raw_from_ns && info.first_ns < Some(info.raw_from_ns) {
                    return Err(raw_gone(info));
                }
                let range = (from, Key::at_ms(stretch.last_ms.saturating_add(1)));
                raw.merged(fresh, range, (Want::Front, false), &mut |outcome| {
                    if outcome.key.attempt == 0 {
                        let run = Run {
                            due_ms: outcome.key.due_ms(),
                            took_ms: outcome.took_ms,
                            verdict: outcome.verdict,
                        };
                        each(stretch, run);
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Mails of the probes that count as sent, with who sent them.
    pub(in crate::store) fn mails(
        &self,
        (from_ms, to_ms): (i64, i64),
        probes: &[ProbeId],
    ) -> Result<Vec<(AgentName, ProbeId, Delivery)>, StoreError> {
        let (from, to) = (Key::at_ms(from_ms), Key::at_ms(to_ms));
        let mut mails = Vec::new();
        let mut kept = Vec::new();
        for (id, info) in self.of_probes(probes) {
            self.kept_deliveries(id, from.due_ns, to.due_ns, &mut kept)?;
            let fresh = self.head.fresh(id);
            self.raw(id).merged(fresh, (from, to), (Want::All, false), &mut |outcome| {
                if let Some(delivery_ms) = sent(outcome)? {
                    kept.push(Delivery { due_ms: outcome.key.due_ms(), delivery_ms });
                }
                Ok(())
            })?;
            let told = |delivery| (info.agent.clone(), info.probe.clone(), delivery);
            mails.extend(kept.drain(..).map(told));
        }
        mails.sort_by_key(|(_, _, delivery)| delivery.due_ms);
        Ok(mails)
    }

    /// Runs due in the range that were not up, by agent and probe; the current version of each.
    pub(in crate::store) fn failures(
        &self,
        (from_ms, to_ms): (i64, i64),
        wanted: &dyn Fn(&AgentName, &ProbeId) -> bool,
        each: &mut dyn FnMut(Outcome),
    ) -> Result<(), StoreError> {
        let range = (Key::at_ms(from_ms), Key::at_ms(to_ms));
        for (id, info) in self.ordered() {
            if !wanted(&info.agent, &info.probe) {
                continue;
            }
            let fresh = self.head.fresh(id);
            self.raw(id).merged(fresh, range, (Want::All, false), &mut |packed| {
                if packed.verdict != Verdict::Up {
                    let outcome = codec::unpack(packed, &info.agent, &info.probe, &self.head.words);
                    each(outcome.map_err(|b| StoreError::Damaged(format!("an outcome: {b}")))?);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
