//! What made a share of mails (rule 11): each mail that was late or lost.

use std::time::Duration;

use mailward_evidence::{AgentName, ProbeId};

use super::{Limits, Raw};
use crate::clock::duration_ms;
use crate::report::grounds::{Mail, MailGrounds};
use crate::report::model::{At, Ms};
use crate::segment::Delivery;

/// The mails of a level that count as sent, with who sent them.
pub type Mails = Vec<(AgentName, ProbeId, Delivery)>;

pub(super) fn grounds(
    raw: Raw,
    within: Duration,
    lost_after: Duration,
    limits: Limits,
) -> MailGrounds {
    let (within_ms, lost_after_ms) = (duration_ms(within), duration_ms(lost_after));
    let mut sent = match raw {
        Raw::Mails(sent) => sent,
        Raw::None | Raw::Runs(_) | Raw::Gone(_) => Vec::new(),
    };
    sent.sort_by(|a, b| (a.2.due_ms, &a.1, &a.0).cmp(&(b.2.due_ms, &b.1, &b.0)));
    let mut grounds = MailGrounds::default();
    for (agent, probe, delivery) in sent {
        let lost = delivery.delivery_ms.is_none_or(|took_ms| took_ms > lost_after_ms);
        if !lost && delivery.delivery_ms.is_some_and(|took_ms| took_ms <= within_ms) {
            continue;
        }
        grounds.lost += u64::from(lost);
        grounds.late += u64::from(!lost);
        if grounds.mails.len() >= limits.entries {
            grounds.left_out.entries += 1;
            continue;
        }
        grounds.mails.push(Mail {
            probe: probe.to_string(),
            agent: Some(agent.to_string()),
            due: At(delivery.due_ms),
            delivery_s: delivery.delivery_ms.map(Ms),
            lost,
        });
    }
    grounds
}
