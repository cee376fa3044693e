//! SPF: one valid record that takes no more look-ups than receivers make, and that says what is
//! not allowed (RFC 7208).

use mailward_evidence::Reason;

use super::{Finding, Look};
use crate::net::Trace;
use crate::policy::spf::Qualifier;
use crate::policy::walk::{Broken, MAX_LOOKUPS, MAX_VOIDS, Walk, walk};

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    match walk(&look.names, look.domain).await {
        Ok(walked) => {
            note(&walked, trace);
            judge(&walked)
        }
        Err(Broken::Missing) => {
            Finding::down(Reason::SpfMissing, "there is no TXT record that begins with v=spf1")
        }
        Err(Broken::Invalid(problem)) => Finding::down(Reason::SpfInvalid, problem),
        Err(Broken::Dns(fault)) => fault.into(),
    }
}

fn note(walked: &Walk, trace: &mut Trace) {
    trace.fact("spf_record", &walked.text);
    trace.fact("spf_lookups", walked.lookups.to_string());
    trace.fact("spf_void_lookups", walked.voids.to_string());
    trace.fact("spf_ranges", walked.ranges.len().to_string());
    if !walked.open.is_empty() {
        trace.fact("spf_not_followed", walked.open.join(", "));
    }
}

fn judge(walked: &Walk) -> Finding {
    let (lookups, voids) = (walked.lookups, walked.voids);
    if walked.passes_all {
        return Finding::down(Reason::SpfAllowsAll, "+all lets every address pass");
    }
    if lookups > MAX_LOOKUPS {
        let detail = format!("it takes {lookups} look-ups; receivers make {MAX_LOOKUPS}");
        return Finding::down(Reason::SpfTooManyLookups, detail);
    }
    if voids > MAX_VOIDS {
        let detail = format!("{voids} look-ups have no answer; receivers take {MAX_VOIDS}");
        return Finding::down(Reason::SpfVoidLookups, detail);
    }
    let redirected = walked.open.iter().any(|term| term.starts_with("redirect="));
    match walked.all {
        Some(Qualifier::Fail | Qualifier::SoftFail | Qualifier::Pass) => Finding::good(),
        None if redirected => Finding::good(),
        Some(Qualifier::Neutral) => {
            Finding::weak(Reason::SpfNotEnforced, "?all says nothing of everybody else")
        }
        None => Finding::weak(Reason::SpfNotEnforced, "there is no all at its end"),
    }
}
