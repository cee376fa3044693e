//! What a domain publishes about its mail: mail servers, policies, services (RFC 6186, RFC 8314),
//! names that mail services usually have, DKIM selectors that are usual. Only the DNS is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mailward_agent::net::names::{Names, Offer};
use mailward_agent::net::{Deadline, Fault, Net};
use mailward_agent::policy::{dkim, dmarc, mta_sts, spf, tls_rpt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Scope;

/// How long all questions together may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most questions at once.
const MAX_AT_ONCE: usize = 16;
/// The most mail servers that are watched.
const MAX_MAIL_SERVERS: usize = 8;

/// Services whose place a domain may publish.
const SERVICES: [&str; 7] =
    ["imaps", "imap", "pop3s", "pop3", "submissions", "submission", "autodiscover"];

/// Names that mail services usually have below their domain.
const USUAL_NAMES: [&str; 15] = [
    "mail",
    "webmail",
    "owa",
    "outlook",
    "exchange",
    "autodiscover",
    "imap",
    "pop",
    "pop3",
    "smtp",
    "submission",
    "mx",
    "email",
    "mobile",
    "eas",
];

/// Selectors that are in wide use; the DNS does not list those of a domain.
const USUAL_SELECTORS: [&str; 58] = [
    "default",
    "dkim",
    "dkim1",
    "dkim2",
    "mail",
    "mail1",
    "mail2",
    "email",
    "smtp",
    "mx",
    "mta",
    "key1",
    "key2",
    "k1",
    "k2",
    "k3",
    "s1",
    "s2",
    "s3",
    "sel1",
    "sel2",
    "selector",
    "selector1",
    "selector2",
    "google",
    "20161025",
    "20210112",
    "20221208",
    "20230601",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "protonmail2",
    "protonmail3",
    "sig1",
    "zoho",
    "zmail",
    "mxvault",
    "mandrill",
    "mailjet",
    "pm",
    "postmark",
    "sendgrid",
    "smtpapi",
    "amazonses",
    "everlytickey1",
    "everlytickey2",
    "dk",
    "rsa",
    "rsa1",
    "rsa2048",
    "ed",
    "ed25519",
    "ed1",
    "a1",
    "main",
    "private",
];

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    /// Hosts that take its mail, best first.
    pub(crate) mail_servers: Vec<String>,
    /// Whether it names none, so that its own address stands for them (RFC 5321 section 5.1).
    pub(crate) is_implicit: bool,
    pub(crate) spf: Option<String>,
    pub(crate) dmarc: Option<String>,
    pub(crate) selectors: Vec<String>,
    pub(crate) has_mta_sts: bool,
    pub(crate) has_tls_rpt: bool,
    /// Whether the resolver says that it has proved the domain.
    pub(crate) is_vouched_for: bool,
    /// What it says of services; an empty list where it says that one is not offered.
    pub(crate) services: BTreeMap<&'static str, Vec<Offer>>,
    /// Usual names that exist, by the label below the domain; whole names otherwise.
    pub(crate) hosts: BTreeSet<String>,
    /// What `autodiscover` below the domain is another name of.
    pub(crate) autodiscover_alias: Option<String>,
    /// Whether every name below the domain exists, so that one that does says nothing.
    pub(crate) has_wildcard: bool,
}

impl Published {
    /// The same without names that no host can have: what the DNS holds may be anything.
    pub(crate) fn sound(mut self) -> Self {
        self.mail_servers.retain(|host| is_host(host));
        for offers in self.services.values_mut() {
            offers.retain(|offer| offer.port > 0 && is_host(&offer.host));
        }
        self.hosts.retain(|host| is_host(host));
        let part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        self.selectors.retain(|selector| {
            selector.len() <= 128
                && selector.split('.').all(|l| (1..=63).contains(&l.len()) && l.chars().all(part))
        });
        self
    }
}

/// Whether a name can stand in a URL and be looked up.
fn is_host(host: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let labels =
        host.split('.').all(|label| (1..=63).contains(&label.len()) && label.chars().all(part));
    let url = reqwest::Url::parse(&format!("https://{host}/"));
    labels
        && host.len() <= 253
        && host.contains(|c: char| c.is_ascii_alphabetic())
        && url.is_ok_and(|url| url.host_str() == Some(host))
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Nothing {
    /// The DNS does not answer.
    #[error("ask the DNS for {domain}: {detail}; give a resolver that answers with --resolver")]
    Dns {
        /// The domain.
        domain: String,
        /// What went wrong.
        detail: String,
    },
    /// There is no such domain.
    #[error("there is no domain {0} in the DNS: check its spelling")]
    NoDomain(String),
    /// It says that it takes no mail.
    #[error("{0} says that it takes no mail (a null MX, RFC 7505): there is no service to watch")]
    NullMx(String),
    /// Its MX records name nothing that can be connected to.
    #[error("the MX records of {0} name no host that mail can be delivered to")]
    OddMx(String),
    /// It has nothing that mail could be delivered to.
    #[error("{0} has neither an MX record nor an address: no mail can be delivered to it")]
    NoMx(String),
}

/// Looks at what a domain publishes.
///
/// # Errors
/// When there is no such domain, it takes no mail, or the DNS does not answer.
pub(crate) async fn look(net: &Net, scope: &Scope) -> Result<Published, Nothing> {
    let names = Names::new(net, None, Deadline::after(PATIENCE));
    let domain = scope.domain.as_str();
    let silent = |fault: Fault| Nothing::Dns {
        domain: domain.to_owned(),
        detail: fault.detail.into_string(),
    };
    let mut found = Published {
        mail_servers: names.mail_servers(domain).await.map_err(silent)?,
        ..Published::default()
    };
    if found.mail_servers.is_empty() {
        if !names.exists(domain).await.map_err(silent)? {
            return Err(Nothing::NoDomain(domain.to_owned()));
        }
        if names.addresses(domain).await.map_err(silent)?.is_empty() {
            return Err(Nothing::NoMx(domain.to_owned()));
        }
        found.is_implicit = true;
        found.mail_servers.push(domain.to_owned());
    }
    if found.mail_servers.iter().all(String::is_empty) {
        return Err(Nothing::NullMx(domain.to_owned()));
    }
    found.mail_servers.retain(|host| !host.is_empty());
    found.mail_servers.dedup();
    found.mail_servers.truncate(MAX_MAIL_SERVERS);
    policies(&names, domain, &mut found).await;
    for service in SERVICES {
        let name = format!("_{service}._tcp.{domain}");
        let mut offers = names.services(&name).await.unwrap_or_default();
        if offers.is_empty() {
            continue;
        }
        offers.retain(|offer| !offer.host.is_empty());
        found.services.insert(service, offers);
    }
    hosts(&names, domain, &mut found).await;
    found.selectors = selectors(&names, scope).await;
    let found = found.sound();
    match found.mail_servers.is_empty() {
        true => Err(Nothing::OddMx(domain.to_owned())),
        false => Ok(found),
    }
}

/// Policies that are there; whether they are in order is the `domain` check's. One that could not
/// be asked for is taken for absent: the check will tell.
async fn policies(names: &Names, domain: &str, found: &mut Published) {
    let texts = names.texts(domain).await.unwrap_or_default();
    found.spf = texts.into_iter().find(|text| spf::is_spf(text));
    let texts = names.texts(&format!("_dmarc.{domain}")).await.unwrap_or_default();
    found.dmarc = texts.into_iter().find(|text| dmarc::is_dmarc(text));
    let texts = names.texts(&format!("_mta-sts.{domain}")).await.unwrap_or_default();
    found.has_mta_sts = texts.iter().any(|text| mta_sts::is_record(text));
    let texts = names.texts(&format!("_smtp._tls.{domain}")).await.unwrap_or_default();
    found.has_tls_rpt = texts.iter().any(|text| tls_rpt::is_record(text));
    found.is_vouched_for = names.is_vouched_for(domain).await.unwrap_or(false);
}

async fn hosts(names: &Names, domain: &str, found: &mut Published) {
    let nobody = format!("mailward-looks-for-wildcards.{domain}");
    found.has_wildcard = names.addresses(&nobody).await.is_ok_and(|found| !found.is_empty());
    found.autodiscover_alias =
        names.alias(&format!("autodiscover.{domain}")).await.unwrap_or_default();
    if found.has_wildcard {
        return;
    }
    let wanted = USUAL_NAMES.iter().map(|label| format!("{label}.{domain}"));
    let wanted: Vec<String> = wanted.chain([domain.to_owned()]).collect();
    let there = all(wanted, |host| {
        let names = names.clone();
        async move { names.addresses(&host).await.is_ok_and(|found| !found.is_empty()).then_some(host) }
    });
    found.hosts = there.await.into_iter().collect();
}

/// Selectors with a key that can be used: those that were given, and usual ones. Where a name
/// that nobody would use has one too, only those that were given count.
async fn selectors(names: &Names, scope: &Scope) -> Vec<String> {
    let below = format!("_domainkey.{}", scope.domain);
    let in_use = |selector: String| in_use(names.clone(), below.clone(), selector);
    let mut wanted = scope.selectors.clone();
    if in_use("mailward-looks-for-wildcards".to_owned()).await.is_none() {
        let usual = USUAL_SELECTORS.iter().map(|selector| (*selector).to_owned());
        wanted.extend(usual.filter(|selector| !scope.selectors.contains(selector)));
    }
    let mut found = all(wanted, in_use).await;
    found.sort();
    found
}

async fn in_use(names: Names, below: String, selector: String) -> Option<String> {
    let texts = names.texts(&format!("{selector}.{below}")).await.unwrap_or_default();
    texts.iter().any(|text| dkim::parse(text).is_ok()).then_some(selector)
}

/// Does `work` for each, some at a time, and keeps what comes of it.
async fn all<F>(of: Vec<String>, work: impl Fn(String) -> F) -> Vec<String>
where
    F: Future<Output = Option<String>> + Send + 'static,
{
    let turns = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let mut tasks = JoinSet::new();
    for one in of {
        let (turns, work) = (Arc::clone(&turns), work(one));
        tasks.spawn(async move {
            let _turn = turns.acquire().await.ok()?;
            work.await
        });
    }
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        found.extend(done.ok().flatten());
    }
    found
}
