//! DMARC: the record that holds for the domain, found by a tree walk, asks for something to be
//! done, and its reports are taken where they go (RFC 9989, RFC 9990 section 4).

use mailward_evidence::Reason;

use super::{Finding, Look};
use crate::net::{Deadline, Fault, Trace};
use crate::policy::dmarc::{Policy, Record, is_dmarc, organization, parse, tree};

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    match find(look, trace).await {
        Ok(Ok(held)) => {
            note(&held, trace);
            let policy = judge(&held);
            let reports = match reports(look, &held).await {
                Ok(finding) => finding,
                Err(fault) => fault.into(),
            };
            Finding::worst([policy, reports])
        }
        Ok(Err(finding)) => finding,
        Err(fault) => fault.into(),
    }
}

/// The record that holds for a domain.
struct Held {
    /// Where it stands.
    at: String,
    /// What it asks for, for this domain.
    policy: Policy,
    record: Record,
}

async fn find(look: &Look<'_>, trace: &mut Trace) -> Result<Result<Held, Finding>, Fault> {
    let own = match at_name(look, look.domain, look.deadline).await? {
        Ok(own) => own,
        Err(finding) => return Ok(Err(finding)),
    };
    if let Some((text, record)) = own {
        trace.fact("dmarc_record", text);
        let (at, policy) = (look.domain.to_owned(), record.policy);
        return Ok(Ok(Held { at, policy, record }));
    }
    let found = match above(look).await? {
        Ok(found) => found,
        Err(finding) => return Ok(Err(finding)),
    };
    let records: Vec<(String, Record)> =
        found.iter().map(|(name, _, record)| (name.clone(), record.clone())).collect();
    let organization = organization(look.domain, &records);
    let holds = found.iter().find(|(name, ..)| *name == organization).or_else(|| found.last());
    let Some((at, text, record)) = holds else {
        let detail = "neither the domain nor one above it has a DMARC record";
        return Ok(Err(Finding::down(Reason::DmarcMissing, detail)));
    };
    trace.fact("dmarc_record", text);
    Ok(Ok(Held { at: at.clone(), policy: record.below, record: record.clone() }))
}

type Named = (String, String, Record);

/// The records of the names above the domain, nearest first.
async fn above(look: &Look<'_>) -> Result<Result<Vec<Named>, Finding>, Fault> {
    let mut found = Vec::new();
    for name in tree(look.domain).into_iter().skip(1) {
        let top = !name.contains('.');
        let share = if top { look.deadline.left() / 2 } else { look.deadline.left() };
        match at_name(look, &name, look.deadline.within(share)).await {
            Ok(Ok(Some((text, record)))) => found.push((name, text, record)),
            Ok(Ok(None)) => {}
            Ok(Err(finding)) => return Ok(Err(finding)),
            // a top-level domain that closed networks do not know has no record to hide
            Err(_) if top => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Ok(found))
}

/// The one record at a name, and how it stands there.
async fn at_name(
    look: &Look<'_>,
    name: &str,
    deadline: Deadline,
) -> Result<Result<Option<(String, Record)>, Finding>, Fault> {
    let asked = format!("_dmarc.{name}");
    let texts = match deadline.bound(look.names.texts(&asked)).await {
        Some(texts) => texts?,
        None => return Err(Fault::timeout(&format!("waiting for {asked}"))),
    };
    let records: Vec<String> = texts.into_iter().filter(|text| is_dmarc(text)).collect();
    let invalid = |detail: String| Ok(Err(Finding::down(Reason::DmarcInvalid, detail)));
    match records.as_slice() {
        [] => Ok(Ok(None)),
        [only] => match parse(only) {
            Ok(record) => Ok(Ok(Some((only.clone(), record)))),
            Err(problem) => invalid(format!("{name}: {problem}")),
        },
        several => invalid(format!("{name} has {} DMARC records", several.len())),
    }
}

fn note(held: &Held, trace: &mut Trace) {
    let record = &held.record;
    let strict = |strict: bool| if strict { "strict" } else { "relaxed" };
    let (dkim, spf) = (strict(record.strict_dkim), strict(record.strict_spf));
    trace.fact("dmarc_at", &held.at);
    trace.fact("dmarc_policy", held.policy.word());
    trace.fact("dmarc_alignment", format!("DKIM {dkim}, SPF {spf}"));
    let lists = [
        ("dmarc_reports_to", &record.reports_to),
        ("dmarc_ignored", &record.ignored),
        // told and never judged: RFC 9989 has done away with them
        ("dmarc_historic", &record.historic),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        trace.fact(name, list.join(", "));
    }
}

fn judge(held: &Held) -> Finding {
    if held.policy == Policy::None {
        let detail = format!("the record of {} asks for nothing to be done", held.at);
        return Finding::weak(Reason::DmarcNotEnforced, detail);
    }
    if held.record.testing {
        let detail = format!("the record of {} is only being tried (t=y)", held.at);
        return Finding::weak(Reason::DmarcNotEnforced, detail);
    }
    Finding::good()
}

/// Another organization has to say that it takes the reports (RFC 9990 section 4).
async fn reports(look: &Look<'_>, held: &Held) -> Result<Finding, Fault> {
    let outside = |place: &&String| !is_below(place, &held.at);
    let foreign: Vec<&String> = held.record.reports_to.iter().filter(outside).collect();
    if foreign.is_empty() {
        return Ok(Finding::good());
    }
    let mut records = vec![(held.at.clone(), held.record.clone())];
    if held.at == look.domain {
        // where the names above cannot be read, the nearest organization is taken
        let above = above(look).await.ok().and_then(Result::ok).unwrap_or_default();
        records.extend(above.into_iter().map(|(name, _, record)| (name, record)));
    }
    let organization = organization(look.domain, &records);
    let mut findings = Vec::new();
    for place in foreign.into_iter().filter(|place| !is_below(place, &organization)) {
        let name = format!("{}._report._dmarc.{place}", held.at);
        if !look.names.texts(&name).await?.iter().any(|text| is_dmarc(text)) {
            let detail = format!("{place} does not say that it takes reports about {}", held.at);
            findings.push(Finding::weak(Reason::DmarcReportsRefused, detail));
        }
    }
    Ok(Finding::worst(findings))
}

/// Whether a name is `domain` or lies below it.
fn is_below(name: &str, domain: &str) -> bool {
    let below = name.strip_suffix(domain);
    below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
