//! What the receiving side makes of a message's origin: SPF (RFC 7208), DKIM (RFC 6376), DMARC
//! (RFC 9989) and ARC (RFC 8617), computed on the sink by mail-auth. They are facts; no verdict
//! rests on them.

use std::net::IpAddr;
use std::time::Duration;

use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator};
use mailward_evidence::record::Pairs;
use tokio::sync::Semaphore;

use crate::net::{Net, clean};

/// How long it may take, the wait for a slot included; DNS decides.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most messages that are looked into at once.
const AT_ONCE: usize = 16;

/// Computes results.
pub(super) struct Judge {
    authenticator: MessageAuthenticator,
    hostname: String,
    slots: Semaphore,
}

/// Where a message came from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) ip: IpAddr,
    pub(super) helo: String,
    pub(super) mail_from: String,
}

impl Judge {
    pub(super) fn new(net: &Net, hostname: String) -> Self {
        let authenticator = MessageAuthenticator(net.resolver.hickory());
        Self { authenticator, hostname, slots: Semaphore::new(AT_ONCE) }
    }

    /// Facts `spf`, `dkim`, `dmarc` and `arc`.
    pub(super) async fn judge(&self, raw: &[u8], origin: &Origin) -> Pairs<Box<str>> {
        let mut facts = Pairs::default();
        // the wait for a slot counts: a DNS that does not answer must not hold mail up
        let judging = async {
            let Ok(_slot) = self.slots.acquire().await else { return None };
            self.results(raw, origin).await
        };
        let judged = tokio::time::timeout(PATIENCE, judging).await;
        match judged {
            Ok(Some(results)) => {
                for (name, result) in results {
                    facts.set(name, clean(&result, 200));
                }
            }
            Ok(None) => facts.set("origin", "the message has no headers to judge by".into()),
            Err(_) => facts.set("origin", "the DNS did not answer in time".into()),
        }
        facts
    }

    async fn results(&self, raw: &[u8], origin: &Origin) -> Option<[(&'static str, String); 4]> {
        let message = AuthenticatedMessage::parse(raw)?;
        let (helo, from) = (origin.helo.as_str(), origin.mail_from.as_str());
        let spf = SpfParameters::verify_mail_from(origin.ip, helo, &self.hostname, from);
        let spf = self.authenticator.verify_spf(spf).await;
        let dkim = self.authenticator.verify_dkim(&message).await;
        let domain = from.rsplit_once('@').map_or(helo, |(_, domain)| domain);
        let dmarc = DmarcParameters::new(&message, &dkim, domain, &spf);
        let dmarc = self.authenticator.verify_dmarc(dmarc).await;
        let arc = self.authenticator.verify_arc(&message).await;
        Some([
            ("spf", spf.result().to_string()),
            ("dkim", best(&dkim)),
            ("dmarc", of_dmarc(&dmarc.result())),
            ("arc", of_dkim(arc.result())),
        ])
    }
}

/// A pass, if one signature passes; else the first; else none.
fn best(outputs: &[DkimOutput<'_>]) -> String {
    let pass = outputs.iter().find(|output| *output.result() == DkimResult::Pass);
    pass.or(outputs.first()).map_or("none".to_owned(), |output| of_dkim(output.result()))
}

fn of_dkim(result: &DkimResult) -> String {
    match result {
        DkimResult::Pass => "pass".to_owned(),
        DkimResult::None => "none".to_owned(),
        DkimResult::Neutral(why) => format!("neutral ({why})"),
        DkimResult::Fail(why) => format!("fail ({why})"),
        DkimResult::PermError(why) => format!("permerror ({why})"),
        DkimResult::TempError(why) => format!("temperror ({why})"),
    }
}

fn of_dmarc(result: &DmarcResult) -> String {
    match result {
        DmarcResult::Pass => "pass".to_owned(),
        DmarcResult::None => "none".to_owned(),
        DmarcResult::Fail(why) => format!("fail ({why})"),
        DmarcResult::PermError(why) => format!("permerror ({why})"),
        DmarcResult::TempError(why) => format!("temperror ({why})"),
    }
}
