//! MTA-STS: one valid record, a valid policy over HTTPS that names every mail server, and that
//! is enforced (RFC 8461).

use hyper::StatusCode;
use mailward_evidence::Reason;
use url::Url;

use super::{Finding, Look};
use crate::net::http::{Ask, Client, Phases};
use crate::net::{Fault, Trace};
use crate::policy::mta_sts::{MAX_POLICY_BYTES, Mode, Policy, is_record, names, parse, record_id};

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    if let Err(finding) = record(look, trace).await {
        return finding;
    }
    let policy = match fetch(look, trace).await {
        Ok(policy) => policy,
        Err(finding) => return finding,
    };
    trace.fact("mta_sts_mode", policy.mode.word());
    trace.fact("mta_sts_max_age_s", policy.max_age_s.to_string());
    trace.fact("mta_sts_mx", policy.patterns.join(", "));
    match look.names.mail_servers(look.domain).await {
        Ok(hosts) => judge(&policy, look.domain, &hosts),
        Err(fault) => fault.into(),
    }
}

async fn record(look: &Look<'_>, trace: &mut Trace) -> Result<(), Finding> {
    let texts = look.names.texts(&format!("_mta-sts.{}", look.domain)).await?;
    let records: Vec<String> = texts.into_iter().filter(|text| is_record(text)).collect();
    match records.as_slice() {
        [] => Err(Finding::down(Reason::MtaStsMissing, "there is no record at _mta-sts")),
        [only] => {
            let id =
                record_id(only).map_err(|problem| Finding::down(Reason::MtaStsInvalid, problem))?;
            trace.fact("mta_sts_id", id);
            Ok(())
        }
        several => {
            let detail = format!("there are {} records, so none counts", several.len());
            Err(Finding::down(Reason::MtaStsInvalid, detail))
        }
    }
}

/// Fetches the policy as senders do: over HTTPS with a certificate that holds, and without
/// following a redirect (section 3.3).
async fn fetch(look: &Look<'_>, trace: &mut Trace) -> Result<Policy, Finding> {
    let broken = |detail: String| Finding::down(Reason::MtaStsPolicy, detail);
    let port = look.probe.policy_port;
    let text = format!("https://mta-sts.{}:{port}/.well-known/mta-sts.txt", look.domain);
    let url = Url::parse(&text).map_err(|error| broken(format!("{text}: {error}")))?;
    let mut client = Client::new(&look.probe.net, look.deadline);
    // phases and facts of this connection are no phases of the domain's
    let mut aside = Trace::start();
    let answer = client.send(&Ask::get(url), Phases::Whole("policy"), &mut aside).await;
    if let Some(chain) = aside.noted("cert_not_after") {
        trace.fact("mta_sts_cert_not_after", chain);
    }
    let answer = answer.map_err(|fault| of_fault(&fault))?;
    if answer.status != StatusCode::OK {
        let detail = format!("the policy was answered with status {}", answer.status.as_u16());
        return Err(broken(detail));
    }
    let media = answer.header("content-type").split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("text/plain") {
        return Err(broken(format!("the policy is {media:?}, expected text/plain")));
    }
    if answer.body.len() > MAX_POLICY_BYTES {
        return Err(broken(format!("the policy has more than {MAX_POLICY_BYTES} bytes")));
    }
    parse(&answer.text()).map_err(|problem| broken(format!("the policy: {problem}")))
}

fn of_fault(fault: &Fault) -> Finding {
    if fault.is_ours() || fault.reason == Reason::DnsFailure {
        return Finding::unknown(fault.reason.clone(), &*fault.detail);
    }
    let detail = format!("the policy cannot be fetched: {}: {}", fault.reason, fault.detail);
    Finding::down(Reason::MtaStsPolicy, detail)
}

fn judge(policy: &Policy, domain: &str, hosts: &[String]) -> Finding {
    if policy.mode == Mode::None {
        return Finding::weak(Reason::MtaStsNotEnforced, "mode is none");
    }
    // without MX the domain is its own mail server (RFC 5321 section 5.1)
    let own = [domain.to_owned()];
    let hosts = if hosts.is_empty() { &own[..] } else { hosts };
    let unnamed: Vec<&str> = hosts
        .iter()
        .filter(|host| !host.is_empty() && !names(policy, host))
        .map(String::as_str)
        .collect();
    if !unnamed.is_empty() {
        let detail = format!("the policy does not name {}", unnamed.join(", "));
        return Finding::down(Reason::MtaStsMx, detail);
    }
    match policy.mode {
        Mode::Enforce => Finding::good(),
        _ => Finding::weak(Reason::MtaStsNotEnforced, "mode is testing"),
    }
}
