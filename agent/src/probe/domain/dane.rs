//! DANE: every mail server of the domain has proved TLSA records, and shows a certificate that
//! they name after STARTTLS (RFC 7672).

use hickory_proto::rr::rdata::TLSA;
use hickory_proto::rr::{RData, RecordType};
use mailward_evidence::Reason;

use super::dnssec::of_security;
use super::{Finding, Look};
use crate::net::dane::{is_usable, judge};
use crate::net::dns::full_name;
use crate::net::dnssec::{Proved, Security};
use crate::net::names::plain;
use crate::net::smtp::{Conversation, Offers, Reply};
use crate::net::{Deadline, Fault, Stream, Trace};

/// The most mail servers that are connected to.
const MAX_HOSTS: usize = 10;

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    let proved = match prove(look, look.domain, RecordType::MX).await {
        Ok(proved) => proved,
        Err(fault) => return fault.into(),
    };
    let mut hosts: Vec<(u16, String)> = proved
        .records
        .iter()
        .filter_map(|record| match &record.data {
            RData::MX(mx) => Some((mx.preference, plain(&mx.exchange))),
            _ => None,
        })
        .collect();
    hosts.sort_unstable();
    if hosts.is_empty() {
        hosts.push((0, look.domain.to_owned()));
    }
    if hosts.iter().all(|(_, host)| host.is_empty()) {
        trace.fact("dane_hosts", "the domain takes no mail (null MX)");
        return Finding::good();
    }
    // without it senders do not ask any further (section 2.2.1)
    if proved.security != Security::Secure {
        return of_security(proved.security, &format!("MX of {}", look.domain));
    }
    let mut findings = Vec::new();
    let count = hosts.len().min(MAX_HOSTS);
    for (at, (_, host)) in hosts.iter().take(MAX_HOSTS).enumerate() {
        let share = u32::try_from(count - at).unwrap_or(1);
        let deadline = look.deadline.within(look.deadline.left() / share);
        let finding = match of_host(look, host, deadline).await {
            Ok(finding) => finding,
            Err(fault) => fault.into(),
        };
        trace.fact(&format!("dane:{host}"), finding.told());
        findings.push(finding);
    }
    Finding::worst(findings)
}

async fn prove(look: &Look<'_>, name: &str, kind: RecordType) -> Result<Proved, Fault> {
    let full = full_name(name).map_err(|problem| Fault::new(Reason::ProbeFault, problem))?;
    look.prover.look(&full, kind).await
}

async fn of_host(look: &Look<'_>, host: &str, deadline: Deadline) -> Result<Finding, Fault> {
    let port = look.probe.mx_port;
    let mut addresses = Vec::new();
    for kind in [RecordType::A, RecordType::AAAA] {
        let proved = prove(look, host, kind).await?;
        // an unsigned host has no DANE (section 2.2.2)
        match proved.security {
            Security::Secure => {}
            Security::Insecure => {
                let detail = format!("{host} is not in a signed zone");
                return Ok(Finding::down(Reason::DaneMissing, detail));
            }
            other => return Ok(of_security(other, &format!("{kind} of {host}"))),
        }
        addresses.extend(proved.records.iter().filter_map(|record| record.data.ip_addr()));
    }
    let name = format!("_{port}._tcp.{host}");
    let proved = prove(look, &name, RecordType::TLSA).await?;
    let records: Vec<TLSA> = proved
        .records
        .into_iter()
        .filter_map(|record| match record.data {
            RData::TLSA(tlsa) => Some(tlsa),
            _ => None,
        })
        .collect();
    match proved.security {
        Security::Secure if records.is_empty() => {
            return Ok(Finding::down(Reason::DaneMissing, format!("there is no TLSA at {name}")));
        }
        Security::Insecure => {
            return Ok(Finding::down(Reason::DaneMissing, format!("{name} is not signed")));
        }
        Security::Secure => {}
        other => return Ok(of_security(other, &format!("TLSA of {name}"))),
    }
    if !records.iter().any(is_usable) {
        let detail = format!("no TLSA at {name} is one that mail servers can use");
        return Ok(Finding::down(Reason::DaneInvalid, detail));
    }
    if addresses.is_empty() {
        return Ok(Finding::unknown(Reason::DnsNotFound, format!("{host} has no address")));
    }
    let net = &look.probe.net;
    let mut aside = Trace::start();
    let tcp = net.connect(&addresses, port, deadline, &mut aside).await?;
    let mut talk = Conversation::new(Stream::Plain(tcp), deadline);
    if let Some(finding) = start_tls(&mut talk, host).await? {
        return Ok(finding);
    }
    let tcp = talk.into_tcp(&mut aside)?;
    let chain = net.shown_chain(tcp, host, deadline).await?;
    let names = [host, look.domain];
    Ok(match judge(&records, &chain, &names, net.certificate_time()) {
        Ok(()) => Finding::good(),
        Err(problem) => Finding::down(Reason::DaneMismatch, format!("{host}: {problem}")),
    })
}

/// Up to the handshake. A server with TLSA records has to offer it (section 2.2).
async fn start_tls(talk: &mut Conversation, host: &str) -> Result<Option<Finding>, Fault> {
    let busy = |reply: &Reply, at: &str| {
        let detail = format!("{host} answered {at} with {}", reply.text());
        Some(Finding::unknown(Reason::SmtpTemporary, detail))
    };
    let greeting = talk.reply("waiting for the greeting").await?;
    if greeting.code != 220 {
        return Ok(busy(&greeting, "the connection"));
    }
    let hello = match talk.local() {
        Some(local) if local.is_ipv6() => format!("EHLO [IPv6:{}]", local.ip()),
        Some(local) => format!("EHLO [{}]", local.ip()),
        None => "EHLO [127.0.0.1]".to_owned(),
    };
    let offers = talk.command(&hello, "waiting for the answer to EHLO").await?;
    if offers.code != 250 {
        return Ok(busy(&offers, "EHLO"));
    }
    if !Offers::read(&offers).start_tls() {
        let detail = format!("{host} has TLSA records and does not offer STARTTLS");
        return Ok(Some(Finding::down(Reason::TlsNotOffered, detail)));
    }
    let answer = talk.command("STARTTLS", "waiting for the answer to STARTTLS").await?;
    Ok((answer.code != 220).then(|| busy(&answer, "STARTTLS")).flatten())
}
