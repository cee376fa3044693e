//! DNSSEC: what the domain publishes about its mail is signed, and the signatures hold.

use hickory_proto::rr::RecordType;
use mailward_evidence::Reason;

use super::{Finding, Look};
use crate::net::Trace;
use crate::net::dns::full_name;
use crate::net::dnssec::Security;

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    let mut findings = Vec::new();
    for (name, kind) in [
        (look.domain.to_owned(), RecordType::MX),
        (look.domain.to_owned(), RecordType::TXT),
        (format!("_dmarc.{}", look.domain), RecordType::TXT),
    ] {
        findings.push(of_name(look, &name, kind, trace).await);
    }
    Finding::worst(findings)
}

async fn of_name(look: &Look<'_>, name: &str, kind: RecordType, trace: &mut Trace) -> Finding {
    let full = match full_name(name) {
        Ok(full) => full,
        Err(problem) => return Finding::unknown(Reason::ProbeFault, problem),
    };
    match look.prover.look(&full, kind).await {
        Ok(proved) => {
            trace.fact("dnssec_how", proved.how);
            of_security(proved.security, &format!("{kind} of {name}"))
        }
        Err(fault) => fault.into(),
    }
}

/// What follows from how well an answer is proved, where it has to be.
pub(super) fn of_security(security: Security, what: &str) -> Finding {
    match security {
        Security::Secure => Finding::good(),
        Security::Insecure => Finding::down(Reason::DnssecMissing, format!("{what} is not signed")),
        Security::Bogus => {
            Finding::down(Reason::DnssecBogus, format!("the signature of {what} does not hold"))
        }
        Security::Unseen => {
            let detail = format!("whether {what} is proved cannot be seen through this resolver");
            Finding::unknown(Reason::DnssecUnseen, detail)
        }
    }
}
