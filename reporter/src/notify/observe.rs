//! From the live state to what can be told of: each component, agent, level, account and report
//! with what is wrong with it now. Pure. Titles are for anybody; what only operators may read
//! stands apart.

mod budget;

use std::collections::BTreeMap;

use mailward_catalogue::{Catalogue, Component, Topic};
use mailward_evidence::lease::AccountState;
use mailward_evidence::{AgentName, Reason};

use super::condition::{About, Condition, Part, Scope};
use crate::clock::Month;
use crate::leases::Account;
use crate::render::page::{component_href, outage_href};
use crate::report::model::Report;
use crate::segment::{Evidence, Segment, Stream};
use crate::status::evaluate::{AgentVoice, Evaluation};
use crate::status::{Row, State};
use crate::store::{Addressee, AgentSeen, LetterState};
use crate::timeline::Voice;

/// An agent is silent when nothing came from it for this long, or for three intervals of its
/// most frequent probe, if that is longer.
const SILENT_MS: i64 = 10 * 60_000;
/// The same for an agent whose probes all run by the calendar.
const SILENT_CRON_MS: i64 = 26 * 3_600_000;
/// A letter that failed is told for this long.
const LETTER_MS: i64 = 7 * 86_400_000;
/// The most lines of detail.
const MAX_DETAIL: usize = 10;

/// What conditions are found in.
pub struct Facts<'a> {
    /// The definition.
    pub catalogue: &'a Catalogue,
    /// The live state.
    pub evaluation: &'a Evaluation,
    /// The evidence that it rests on.
    pub evidence: &'a Evidence,
    /// The running month, and its figures once they are there.
    pub month: Month,
    /// Its figures, once they are there.
    pub so_far: Option<&'a Report>,
    /// When each agent last delivered that may still do so.
    pub agents: &'a [AgentSeen],
    /// Published reports on their way.
    pub letters: &'a [Addressee],
    /// How accounts stand that agents sign in with.
    pub accounts: &'a [Account],
    /// How long the reporter has been there to be delivered to.
    pub running_ms: i64,
    /// The instant it holds for.
    pub now_ms: i64,
}

/// Everything that can be told of.
#[must_use]
pub fn scopes(facts: &Facts<'_>) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let rows = facts.evaluation.rows.iter().zip(&facts.catalogue.components);
    for (row, component) in rows.filter(|(row, component)| row.id == component.id) {
        let part = part(component);
        let down = is_down(facts, row);
        scopes.push(down_scope(facts, row, &part, down));
        scopes.push(degraded_scope(facts, row, &part, down));
        scopes.extend(listed_scope(facts, &part));
    }
    scopes.extend(certificates(facts));
    scopes.extend(facts.agents.iter().filter_map(|seen| silence(facts, seen)));
    scopes.extend(budget::scopes(facts));
    scopes.extend(facts.letters.iter().filter_map(|at| letter(facts, at)));
    scopes.extend(facts.accounts.iter().map(account));
    scopes
}

fn part(component: &Component) -> Part {
    Part {
        id: component.id.clone(),
        name: component.name.clone(),
        severity: component.severity.clone(),
    }
}

/// Whether a row is down as its figures have it; planned work is no outage.
fn is_down(facts: &Facts<'_>, row: &Row) -> bool {
    let measured = facts.evaluation.measured.iter().find(|m| m.component == row.id);
    let down = measured.is_some_and(|m| m.up == Some(false));
    down && matches!(row.now.state, State::NotWorking | State::Partly)
}

fn down_scope(facts: &Facts<'_>, row: &Row, part: &Part, down: bool) -> Scope {
    let works_elsewhere = row.now.state == State::Partly;
    let title = match works_elsewhere {
        true => format!("{} is not working from everywhere", row.name),
        false => format!("{} is not working", row.name),
    };
    let path = match row.now.since_ms {
        Some(since_ms) => outage_href(&row.id, since_ms),
        None => component_href(&row.id),
    };
    let about = About {
        title,
        over: format!("{} is working again", row.name),
        why: row.now.why.map(str::to_owned),
        operators: None,
        detail: voices(facts, &row.id, Voice::Down),
        part: Some(part.clone()),
        path: Some(path),
    };
    Scope {
        topic: Topic::Down,
        of: row.id.clone(),
        part: Some(part.clone()),
        sure: !matches!(row.now.state, State::NoData | State::Maintenance),
        ended_ms: row.outages.iter().filter(|outage| !outage.open).map(|o| o.to_ms).max(),
        holds: holds(down, || Condition {
            what: String::new(),
            since_ms: Some(row.now.since_ms.unwrap_or(facts.now_ms)),
            about,
        }),
    }
}

fn degraded_scope(facts: &Facts<'_>, row: &Row, part: &Part, down: bool) -> Scope {
    let (holds_now, state) = match row.now.state {
        State::Slow => (true, "slow"),
        State::Partly => (!down, "partly working"),
        _ => (false, ""),
    };
    let about = || About {
        title: format!("{} is {state}", row.name),
        over: format!("{} is working as usual again", row.name),
        why: row.now.why.map(str::to_owned),
        operators: None,
        detail: [Voice::Down, Voice::Degraded]
            .into_iter()
            .flat_map(|voice| voices(facts, &row.id, voice))
            .collect(),
        part: Some(part.clone()),
        path: Some(component_href(&row.id)),
    };
    Scope {
        topic: Topic::Degraded,
        of: row.id.clone(),
        part: Some(part.clone()),
        sure: row.now.state == State::Working,
        ended_ms: None,
        holds: holds(holds_now, || Condition {
            what: String::new(),
            since_ms: row.now.since_ms,
            about: about(),
        }),
    }
}

fn holds(holds: bool, condition: impl FnOnce() -> Condition) -> Vec<Condition> {
    if holds { vec![condition()] } else { Vec::new() }
}

/// Which checks of a component say so, from where, and why.
fn voices(facts: &Facts<'_>, component: &str, voice: Voice) -> Vec<String> {
    let said = facts.evaluation.voices.iter();
    let said = said.filter(|said| said.component == component && said.voice == voice);
    let line = |said: &AgentVoice| {
        let reason = last(facts.evidence, said).and_then(|segment| segment.reason.as_ref());
        let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
        format!("{}{why}", place(said))
    };
    let mut lines: Vec<String> = said.map(line).collect();
    let more = lines.len().saturating_sub(MAX_DETAIL);
    lines.truncate(MAX_DETAIL);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn place(said: &AgentVoice) -> String {
    match said.site.as_str() {
        "" => format!("check {} of agent {}", said.probe, said.agent),
        site => format!("check {} of agent {} ({site})", said.probe, said.agent),
    }
}

/// What an agent saw last with a probe.
fn stream<'e>(evidence: &'e Evidence, said: &AgentVoice) -> Option<&'e Stream> {
    let is_it = |stream: &&Stream| {
        stream.agent.as_str() == said.agent && stream.probe.as_str() == said.probe
    };
    evidence.streams.iter().find(is_it)
}

fn last<'e>(evidence: &'e Evidence, said: &AgentVoice) -> Option<&'e Segment> {
    stream(evidence, said)?.segments.last()
}

/// Addresses of a component that blocklists name, where it has checks for that.
fn listed_scope(facts: &Facts<'_>, part: &Part) -> Option<Scope> {
    let is_dnsbl =
        |probe: &str| facts.catalogue.probe(probe).is_some_and(|probe| probe.kind.name == "dnsbl");
    facts.catalogue.probes_of(&part.id).find(|probe| is_dnsbl(&probe.id))?;
    let voices = facts.evaluation.voices.iter();
    let voices: Vec<&AgentVoice> =
        voices.filter(|said| said.component == part.id && is_dnsbl(&said.probe)).collect();
    let mut found: BTreeMap<(&str, &str), (i64, Option<&str>)> = BTreeMap::new();
    let speaking = voices.iter().filter(|said| said.voice != Voice::Unknown);
    for stream in speaking.filter_map(|said| stream(facts.evidence, said)) {
        let Some(segment) = stream.segments.last() else { continue };
        for listing in &segment.listings {
            let names = |segment: &&Segment| {
                let of = segment.listings.iter();
                let mut of = of.map(|l| (&*l.address, &*l.list));
                of.any(|pair| pair == (&*listing.address, &*listing.list))
            };
            let since_ms = stream.segments.iter().rev().take_while(names).last();
            let since_ms = since_ms.map_or(facts.now_ms, |first| first.first_ms);
            let known = found
                .entry((&listing.address, &listing.list))
                .or_insert((since_ms, listing.code.as_deref()));
            known.0 = known.0.min(since_ms);
        }
    }
    let condition = |((address, list), (since_ms, code)): ((&str, &str), (i64, Option<&str>))| {
        let code = code.map_or(String::new(), |code| format!(" ({code})"));
        Condition {
            what: format!("{address} {list}"),
            since_ms: Some(since_ms),
            about: About {
                title: format!("{}: a blocklist names one of its addresses", part.name),
                over: format!("{}: a blocklist names one of its addresses no more", part.name),
                why: None,
                operators: Some(format!("{}: {address} is on {list}{code}", part.name)),
                detail: Vec::new(),
                part: Some(part.clone()),
                path: Some(component_href(&part.id)),
            },
        }
    };
    Some(Scope {
        topic: Topic::Listed,
        of: part.id.clone(),
        part: Some(part.clone()),
        sure: !voices.is_empty() && voices.iter().all(|said| said.voice != Voice::Unknown),
        ended_ms: None,
        holds: found.into_iter().map(condition).collect(),
    })
}

const fn is_of_certificate(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::CertExpired
            | Reason::CertNotYetValid
            | Reason::CertWrongName
            | Reason::CertUntrusted
            | Reason::CertInvalid
            | Reason::CertExpiring
    )
}

/// Certificates, by the probe that meets them.
fn certificates(facts: &Facts<'_>) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for probe in &facts.catalogue.probes {
        let Some(component) = facts.catalogue.component(&probe.component) else { continue };
        let part = part(component);
        let voices = facts.evaluation.voices.iter();
        let speaking: Vec<&AgentVoice> =
            voices.filter(|said| said.probe == probe.id && said.voice != Voice::Unknown).collect();
        let ill = |said: &&AgentVoice| {
            let segment = last(facts.evidence, said)?;
            let reason = segment.reason.clone().filter(is_of_certificate)?;
            Some((segment.first_ms, reason, place(said)))
        };
        let ill: Vec<(i64, Reason, String)> = speaking.iter().filter_map(ill).collect();
        let first = ill.iter().min_by_key(|(since_ms, _, _)| *since_ms);
        let condition = first.map(|(since_ms, reason, _)| Condition {
            what: String::new(),
            since_ms: Some(*since_ms),
            about: About {
                title: format!("{}: {}", part.name, reason.plain()),
                over: format!("{}: its certificate is in order again", part.name),
                why: None,
                operators: None,
                detail: ill.iter().take(MAX_DETAIL).map(|(_, _, place)| place.clone()).collect(),
                part: Some(part.clone()),
                path: Some(component_href(&part.id)),
            },
        });
        scopes.push(Scope {
            topic: Topic::Certificate,
            of: probe.id.clone(),
            part: Some(part),
            sure: !speaking.is_empty(),
            ended_ms: None,
            holds: condition.into_iter().collect(),
        });
    }
    scopes
}

/// An agent that is expected to deliver.
fn silence(facts: &Facts<'_>, seen: &AgentSeen) -> Option<Scope> {
    let (site, every_s) = duty(facts.evidence, &seen.agent)?;
    let patience_ms = match every_s {
        Some(every_s) => i64::try_from(every_s).unwrap_or(i64::MAX).saturating_mul(3000),
        None => SILENT_CRON_MS,
    };
    // nobody can deliver to a reporter that is not there
    let silent_ms = (facts.now_ms - seen.last_seen_ms).min(facts.running_ms);
    let name = seen.agent.as_str();
    let at = if site.is_empty() { String::new() } else { format!(" ({site})") };
    let condition = Condition {
        what: String::new(),
        since_ms: Some(seen.last_seen_ms),
        about: About {
            title: "One of the places we check from does not report".to_owned(),
            over: "A place we check from reports again".to_owned(),
            why: None,
            operators: Some(format!("Agent {name}{at} does not deliver")),
            detail: Vec::new(),
            part: None,
            path: None,
        },
    };
    Some(Scope {
        topic: Topic::AgentSilent,
        of: name.to_owned(),
        part: None,
        sure: true,
        ended_ms: None,
        holds: holds(silent_ms > patience_ms.max(SILENT_MS), || condition),
    })
}

/// Where an agent stands, and how often its most frequent probe runs, by its latest roster;
/// `None` for one that has nothing to do.
fn duty<'e>(evidence: &'e Evidence, agent: &AgentName) -> Option<(&'e str, Option<u64>)> {
    let latest = evidence.rosters.iter().rfind(|roster| roster.agent == *agent)?;
    (!latest.probes.is_empty()).then(|| {
        (latest.site.as_str(), latest.probes.iter().filter_map(|probe| probe.every_s).min())
    })
}

/// A published report on its way to a reader, unless it failed long ago.
fn letter(facts: &Facts<'_>, at: &Addressee) -> Option<Scope> {
    if facts.now_ms - at.changed_ms > LETTER_MS {
        return None;
    }
    let failed = at.state.is_final() && at.state != LetterState::Sent;
    let said = at.said.as_deref().unwrap_or("nothing was said");
    let condition = || Condition {
        what: String::new(),
        since_ms: Some(at.changed_ms),
        about: About {
            title: "A published report did not surely arrive".to_owned(),
            over: "A published report that did not surely arrive is on its way again".to_owned(),
            why: None,
            operators: Some(format!("{} did not surely arrive at {}", at.about, at.address)),
            detail: vec![format!("{}: {said}", at.state.word())],
            part: None,
            path: None,
        },
    };
    Some(Scope {
        topic: Topic::LetterFailed,
        of: format!("{} {}", at.about, at.address),
        part: None,
        sure: true,
        ended_ms: None,
        holds: holds(failed, condition),
    })
}

fn account(account: &Account) -> Scope {
    let id = &account.credential;
    let agents = account.agents.join(", ");
    let condition = || Condition {
        what: String::new(),
        since_ms: account.rejected_ms,
        about: About {
            title: "An account that our checks sign in with is held".to_owned(),
            over: "An account that our checks sign in with may be tried again".to_owned(),
            why: Some(
                "it was refused too often to be tried again before somebody looks at it".to_owned(),
            ),
            operators: Some(format!("The account {id} is held")),
            detail: vec![format!("refused {} times; used by {agents}", account.rejections)],
            part: None,
            path: None,
        },
    };
    Scope {
        topic: Topic::HeldCredential,
        of: format!("{id} {}", account.mailbox),
        part: None,
        sure: true,
        ended_ms: None,
        holds: holds(account.state == AccountState::Held, condition),
    }
}

#[cfg(test)]
mod tests;
