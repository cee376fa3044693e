//! The places where an address's settings may be found (MS-OXDISCO section 3.1.5), and which of
//! them may be shown an account. Asking there is `caller`'s.

use mailward_evidence::Reason;
use url::Url;

use super::caller::Caller;
use crate::net::names::Names;
use crate::net::{Net, Trace};
use crate::probe::Seen;

/// Where the service is below a host.
const PATH: &str = "/autodiscover/autodiscover.xml";

/// One step of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The place that is declared.
    Declared(Url),
    /// The domain itself, over https.
    Domain(String),
    /// `autodiscover` below it, over https.
    Host(String),
    /// The same over http, only to be sent elsewhere.
    Redirect(String),
    /// The SRV record `_autodiscover._tcp` of the domain.
    Srv(String),
}

/// Where is asked, and whether an answer over TLS of a trusted host led there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) url: Url,
    pub(super) proven: bool,
}

impl Step {
    /// All steps for a domain, in their order; `ports` of https and of http.
    pub(super) fn of(domain: &str, ports: (u16, u16)) -> Vec<Self> {
        let url = |scheme: &str, host: &str, port: u16| format!("{scheme}://{host}:{port}{PATH}");
        let host = format!("autodiscover.{domain}");
        vec![
            Self::Domain(url("https", domain, ports.0)),
            Self::Host(url("https", &host, ports.0)),
            Self::Redirect(url("http", &host, ports.1)),
            Self::Srv(domain.to_owned()),
        ]
    }

    /// The word for facts and phases.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Declared(_) => "url",
            Self::Domain(_) => "domain",
            Self::Host(_) => "host",
            Self::Redirect(_) => "redirect",
            Self::Srv(_) => "srv",
        }
    }

    /// Where the step begins to ask, or what it means that there is no such place.
    pub(super) async fn place(
        &self,
        net: &Net,
        caller: &mut Caller<'_>,
        trace: &mut Trace,
    ) -> Result<Place, Seen> {
        match self {
            Self::Declared(url) => Ok(Place { url: url.clone(), proven: true }),
            Self::Domain(url) | Self::Host(url) => Ok(Place { url: read(url)?, proven: false }),
            Self::Redirect(url) => {
                let to = caller.sent_elsewhere(&read(url)?, self.word(), trace).await?;
                if to.scheme() != "https" {
                    trace.fact("detail", "redirected to a place without TLS");
                    return Err(Seen::down(Reason::RedirectRefused));
                }
                trace.fact("landed", &to[..url::Position::AfterPath]);
                Ok(Place { url: to, proven: false })
            }
            Self::Srv(domain) => {
                trace.skip();
                let found = service(net, domain, caller).await;
                trace.lap(self.word());
                let url = found?.ok_or_else(|| Seen::down(Reason::NotOffered))?;
                Ok(Place { url, proven: false })
            }
        }
    }
}

fn read(url: &str) -> Result<Url, Seen> {
    Url::parse(url).map_err(|_| Seen::unknown(Reason::ProbeFault))
}

/// RFC 2782: the record of the lowest priority, and of those the heaviest.
async fn service(net: &Net, domain: &str, caller: &Caller<'_>) -> Result<Option<Url>, Seen> {
    use hickory_proto::rr::{RData, RecordType};
    let name = format!("_autodiscover._tcp.{domain}");
    let names = Names::new(net, None, caller.until());
    let found = names
        .data(&name, RecordType::SRV, |data| match data {
            RData::SRV(srv) => {
                let host = srv.target.to_ascii();
                let host = host.trim_end_matches('.').to_owned();
                Some((srv.priority, u16::MAX - srv.weight, host, srv.port))
            }
            _ => None,
        })
        .await
        .map_err(|fault| Seen::fault(&fault))?;
    // a target of the root says that there is decidedly none
    let best = found.into_iter().filter(|(_, _, host, _)| !host.is_empty()).min();
    Ok(best.and_then(|(_, _, host, port)| Url::parse(&format!("https://{host}:{port}{PATH}")).ok()))
}

/// Which hosts may be shown an account: those of the address's domain, those that a trusted
/// host named over TLS, and those that are declared. A record of the DNS or an answer without
/// TLS can be anybody's, so what only these name is asked about nothing secret.
#[derive(Debug)]
pub(super) struct Trust {
    domains: Vec<String>,
}

impl Trust {
    pub(super) fn new(domain: &str, declared: &[String], url: Option<&Url>) -> Self {
        let declared = declared.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let host = url.and_then(|url| url.host_str().map(str::to_owned));
        Self { domains: declared.chain(host).chain([domain.to_owned()]).collect() }
    }

    pub(super) fn add(&mut self, domain: &str) {
        self.domains.push(domain.to_owned());
    }

    /// Whether an account may be shown there.
    pub(super) fn allows(&self, place: &Place) -> bool {
        let Some(host) = place.url.host_str() else { return false };
        let within = |domain: &String| {
            host == domain || host.strip_suffix(domain.as_str()).is_some_and(|h| h.ends_with('.'))
        };
        place.url.scheme() == "https" && (place.proven || self.domains.iter().any(within))
    }
}

/// A failed step in a few words.
pub(super) fn told(seen: &Seen) -> String {
    let reason = seen.reason.as_ref().map(ToString::to_string).unwrap_or_default();
    match seen.facts.get("detail") {
        Some(detail) => format!("{reason}: {detail}"),
        None => reason,
    }
}

/// Which of the failures says most. A domain has a web site of its own more often than not, so
/// what that answers says little; a host named `autodiscover` is there for nothing else.
pub(super) fn sharpest(failed: Vec<(&Step, Seen)>) -> Seen {
    let rank = |(step, seen): &(&Step, Seen)| {
        let reason = seen.reason.clone().unwrap_or(Reason::NotOffered);
        let says = match (step, &reason) {
            (_, Reason::ProbeFault | Reason::EgressBlocked) => 0,
            (Step::Declared(_), _) => 1,
            (_, Reason::NotOffered | Reason::DnsNotFound) => 9,
            (Step::Host(_), _) => 2,
            (Step::Redirect(_), _) => 3,
            (Step::Srv(_), _) => 4,
            (Step::Domain(_), Reason::ServerError | Reason::ServiceUnavailable) => 5,
            (Step::Domain(_), Reason::DnsFailure) => 6,
            (Step::Domain(_), _) => 9,
        };
        (says == 9, says)
    };
    let best = failed.into_iter().min_by_key(rank);
    match best {
        Some(best) if !rank(&best).0 => best.1,
        _ => Seen::down(Reason::NotOffered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_in_outlooks_order() {
        let told: Vec<String> =
            Step::of("example.org", (443, 80)).iter().map(|step| format!("{step:?}")).collect();
        assert_eq!(
            told,
            [
                "Domain(\"https://example.org:443/autodiscover/autodiscover.xml\")",
                "Host(\"https://autodiscover.example.org:443/autodiscover/autodiscover.xml\")",
                "Redirect(\"http://autodiscover.example.org:80/autodiscover/autodiscover.xml\")",
                "Srv(\"example.org\")",
            ]
        );
    }

    #[test]
    fn who_may_be_shown_an_account() {
        let trust = Trust::new("example.org", &["Outlook.com.".to_owned()], None);
        let check = |url: &str, proven: bool, expect: bool| {
            let place = Place { url: Url::parse(url).unwrap(), proven };
            assert_eq!(trust.allows(&place), expect, "{url} {proven}");
        };
        check("https://example.org/", false, true);
        check("https://AutoDiscover.example.org/", false, true);
        check("https://notexample.org/", false, false);
        check("https://example.org.evil.test/", false, false);
        check("http://example.org/", true, false);
        check("https://mail.hoster.test/", false, false);
        check("https://mail.hoster.test/", true, true);
        check("https://autodiscover-s.outlook.com/", false, true);
    }

    #[test]
    fn the_failure_that_says_most() {
        let steps = Step::of("example.org", (443, 80));
        let check = |reasons: [Reason; 4], expect: Reason| {
            let failed = steps.iter().zip(reasons.clone().map(Seen::down)).collect();
            assert_eq!(sharpest(failed).reason, Some(expect), "{reasons:?}");
        };
        use Reason::{
            CertWrongName, ConnectRefused, DnsFailure, DnsNotFound, NotOffered, ServerError,
            ServiceUnavailable,
        };
        check([NotOffered, DnsNotFound, DnsNotFound, NotOffered], NotOffered);
        check([ConnectRefused, DnsNotFound, DnsNotFound, NotOffered], NotOffered);
        check([CertWrongName, ConnectRefused, NotOffered, NotOffered], ConnectRefused);
        check([ServerError, DnsNotFound, DnsNotFound, NotOffered], ServerError);
        check([ServerError, ServiceUnavailable, DnsNotFound, NotOffered], ServiceUnavailable);
        check([DnsFailure, DnsFailure, DnsFailure, DnsFailure], DnsFailure);
    }
}
