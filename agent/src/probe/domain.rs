//! `domain`: judges what a domain publishes about its mail, one requirement at a time. Each
//! requirement is a file of its own; the grammar of the records is `policy`'s.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::{Reason, Verdict};

use super::{BuildError, Context, Observe, Seen};
use crate::net::dns::full_name;
use crate::net::dnssec::{Anchors, Prover};
use crate::net::names::Names;
use crate::net::{Deadline, Fault, Net, Trace};

mod dane;
mod dkim;
mod dmarc;
mod dnssec;
mod mta_sts;
mod spf;
mod tls_rpt;

struct Domain {
    net: Arc<Net>,
    resolver: Option<SocketAddr>,
    domain: String,
    selectors: Vec<String>,
    require: Vec<Requirement>,
    anchors: Anchors,
    mx_port: u16,
    policy_port: u16,
}

/// What may be required, in the order in which it is looked at: what takes longest comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Requirement {
    Spf,
    Dkim,
    Dmarc,
    TlsRpt,
    Dnssec,
    MtaSts,
    Dane,
}

impl Requirement {
    const ALL: [Self; 7] =
        [Self::Spf, Self::Dkim, Self::Dmarc, Self::TlsRpt, Self::Dnssec, Self::MtaSts, Self::Dane];

    /// The word in probes.toml.
    const fn word(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::TlsRpt => "tls-rpt",
            Self::Dnssec => "dnssec",
            Self::MtaSts => "mta-sts",
            Self::Dane => "dane",
        }
    }

    /// The word in facts and phases.
    const fn label(self) -> &'static str {
        match self {
            Self::TlsRpt => "tls_rpt",
            Self::MtaSts => "mta_sts",
            other => other.word(),
        }
    }
}

/// What was found of one requirement.
#[derive(Clone, Debug, PartialEq)]
struct Finding {
    verdict: Verdict,
    reason: Option<Reason>,
    /// A sentence for operators.
    detail: String,
}

impl Finding {
    fn good() -> Self {
        Self { verdict: Verdict::Up, reason: None, detail: String::new() }
    }

    /// It is not met.
    fn down(reason: Reason, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Down, reason: Some(reason), detail: detail.into() }
    }

    /// It is met, but not as it should be.
    fn weak(reason: Reason, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Degraded, reason: Some(reason), detail: detail.into() }
    }

    /// It could not be told.
    fn unknown(reason: Reason, detail: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, reason: Some(reason), detail: detail.into() }
    }

    /// How much it weighs among others: what is not met for certain before what could not be
    /// told, because that may be no better than weak.
    const fn weight(&self) -> u8 {
        match self.verdict {
            Verdict::Down => 3,
            Verdict::Unknown => 2,
            Verdict::Degraded => 1,
            Verdict::Up => 0,
        }
    }

    /// The one that weighs most; of two that weigh the same, the first.
    fn worst(findings: impl IntoIterator<Item = Self>) -> Self {
        let worse = |worst: Self, next: Self| {
            if next.weight() > worst.weight() { next } else { worst }
        };
        findings.into_iter().fold(Self::good(), worse)
    }

    fn told(&self) -> String {
        let word = match &self.reason {
            Some(reason) => format!("{} {reason}", self.verdict),
            None => self.verdict.to_string(),
        };
        if self.detail.is_empty() { word } else { format!("{word}: {}", self.detail) }
    }
}

impl From<Fault> for Finding {
    /// A question that went unanswered says nothing of the domain.
    fn from(fault: Fault) -> Self {
        Self::unknown(fault.reason, &*fault.detail)
    }
}

/// What a requirement may use in a run.
struct Look<'a> {
    probe: &'a Domain,
    domain: &'a str,
    names: Names,
    prover: Prover,
    deadline: Deadline,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    Ok(Box::new(Domain::read(probe, net)?))
}

impl Domain {
    fn read(probe: &Probe, net: &Arc<Net>) -> Result<Self, BuildError> {
        let settings = &probe.settings;
        let domain = settings.text("domain").unwrap_or_default();
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        full_name(&domain).map_err(|problem| BuildError::key(probe, "domain", problem))?;
        let required = settings.texts("require");
        let mut require: Vec<Requirement> = Requirement::ALL
            .into_iter()
            .filter(|known| required.iter().any(|word| word == known.word()))
            .collect();
        require.sort_unstable();
        let selectors = settings.texts("dkim_selectors").to_vec();
        if require.contains(&Requirement::Dkim) && selectors.is_empty() {
            return Err(BuildError::key(probe, "dkim_selectors", "dkim needs selectors, got none"));
        }
        let anchors = match settings.path("trust_anchors") {
            Some(path) => Anchors::read(path)
                .map_err(|problem| BuildError::key(probe, "trust_anchors", problem))?,
            None => Anchors::default(),
        };
        let resolver = settings.socket("resolver");
        let net = match resolver {
            Some(resolver) => {
                let made = net.asking(resolver);
                Arc::new(
                    made.map_err(|error| BuildError::key(probe, "resolver", error.to_string()))?,
                )
            }
            None => net.clone(),
        };
        Ok(Self {
            net,
            resolver,
            domain,
            selectors,
            require,
            anchors,
            mx_port: settings.port("mx_port").unwrap_or(25),
            policy_port: settings.port("policy_port").unwrap_or(443),
        })
    }

    async fn look(&self, cx: &Context<'_>, trace: &mut Trace) -> Seen {
        let mut findings = Vec::new();
        for (at, requirement) in self.require.iter().enumerate() {
            // one that hangs must not cost the answers of the rest
            let share = u32::try_from(self.require.len() - at).unwrap_or(1);
            let deadline = cx.deadline.within(cx.deadline.left() / share);
            let names = Names::new(&self.net, self.resolver, deadline);
            let prover = Prover::new(names.servers(), &self.anchors, deadline);
            let look = Look { probe: self, domain: &self.domain, names, prover, deadline };
            trace.skip();
            let finding = look.at(*requirement, trace).await;
            trace.lap(requirement.label());
            trace.fact(requirement.label(), finding.told());
            findings.push(finding);
        }
        let worst = Finding::worst(findings);
        if !worst.detail.is_empty() {
            trace.fact("detail", &worst.detail);
        }
        Seen::new(worst.verdict, worst.reason)
    }
}

impl Look<'_> {
    async fn at(&self, requirement: Requirement, trace: &mut Trace) -> Finding {
        match requirement {
            Requirement::Spf => spf::look(self, trace).await,
            Requirement::Dkim => dkim::look(self, trace).await,
            Requirement::Dmarc => dmarc::look(self, trace).await,
            Requirement::TlsRpt => tls_rpt::look(self, trace).await,
            Requirement::Dnssec => dnssec::look(self, trace).await,
            Requirement::MtaSts => mta_sts::look(self, trace).await,
            Requirement::Dane => dane::look(self, trace).await,
        }
    }
}

impl Observe for Domain {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = self.look(cx, &mut trace).await;
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.domain
    }
}

#[cfg(test)]
mod tests;
