//! TLS-RPT: one valid record that says where failed encryption is reported to (RFC 8460).

use mailward_evidence::Reason;

use super::{Finding, Look};
use crate::net::Trace;
use crate::policy::tls_rpt::{is_record, parse};

pub(super) async fn look(look: &Look<'_>, trace: &mut Trace) -> Finding {
    let texts = match look.names.texts(&format!("_smtp._tls.{}", look.domain)).await {
        Ok(texts) => texts,
        Err(fault) => return fault.into(),
    };
    let records: Vec<String> = texts.into_iter().filter(|text| is_record(text)).collect();
    match records.as_slice() {
        [] => Finding::down(Reason::TlsRptMissing, "there is no record at _smtp._tls"),
        [only] => match parse(only) {
            Ok(places) => {
                trace.fact("tls_rpt_to", places.join(", "));
                Finding::good()
            }
            Err(problem) => Finding::down(Reason::TlsRptInvalid, problem),
        },
        several => {
            let detail = format!("there are {} records, so none counts", several.len());
            Finding::down(Reason::TlsRptInvalid, detail)
        }
    }
}
