//! The way out to URLs that somebody wrote into the definition, such as webhooks: no redirects,
//! no proxies, and nowhere inside, be it by a literal address or by what a name leads to. Names
//! are resolved by hickory, since a static program has no getaddrinfo.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use mailward_catalogue::network::{Inner, inner};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::{Host, Url};

/// How long looking a name up and connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take until its answer is read.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The most of an answer that a caller should read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Why nothing can be sent out. Texts name hosts, never paths and queries: a webhook's address
/// is a secret.
#[derive(Debug, thiserror::Error)]
pub enum OutwardError {
    /// The URL is not one that is sent to.
    #[error("expected an http or https URL with a host, and without a name or a password in it")]
    Url,
    /// The host is an inner address, or its name leads to one.
    #[error("{host} is {address}, {what}; allow_private allows private networks and this machine")]
    Inward {
        /// The host as the URL has it.
        host: String,
        /// Its address.
        address: IpAddr,
        /// What kind of place that is.
        what: &'static str,
    },
    /// The name has no address, or the DNS does not answer.
    #[error("{0}")]
    Name(String),
    /// The system's resolver cannot be set up.
    #[error("set up the resolver: {0}")]
    Resolver(String),
    /// The file of authorities cannot be read, or holds none.
    #[error("{path}: expected certificates of authorities as PEM: {why}")]
    Trust {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// TLS or HTTP cannot be set up.
    #[error("set up the way out")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends requests to addresses outside. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Outward {
    client: reqwest::Client,
    allow_private: bool,
}

impl Outward {
    /// A way out. `allow_private` also lets it reach this machine and private networks; links
    /// (where clouds keep their machines' secrets) and multicast never. `trust` is a PEM file of
    /// authorities beside the public ones.
    ///
    /// # Errors
    /// When the resolver, the authorities or TLS cannot be set up.
    pub fn new(allow_private: bool, trust: Option<&Path>) -> Result<Self, OutwardError> {
        let failed = |error: rustls::Error| OutwardError::Client(Box::new(error));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(roots(trust)?)
            .with_no_client_auth();
        let resolver = resolver().map_err(OutwardError::Resolver)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Guarded { resolver, allow_private })
            // a proxy would look names up itself, and a redirect is a URL that nobody wrote
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("mailward/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutwardError::Client(Box::new(error.without_url())))?;
        Ok(Self { client, allow_private })
    }

    /// A request to this URL. What its host's name leads to is judged when it is sent; see
    /// [`told`] for what a failure then says.
    ///
    /// # Errors
    /// When the URL is not one that is sent to, or its host is an inner address.
    pub fn post(&self, url: &Url) -> Result<reqwest::RequestBuilder, OutwardError> {
        let named = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !named {
            return Err(OutwardError::Url);
        }
        let literal = match url.host() {
            None => return Err(OutwardError::Url),
            // a name is judged by what it leads to
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
        };
        if let Some(address) = literal {
            let host = url.host_str().unwrap_or_default();
            admit(host, &[address], self.allow_private)?;
        }
        Ok(self.client.post(url.clone()))
    }
}

/// What went wrong, with its reasons, in a line and without the URL.
#[must_use]
pub fn told(error: reqwest::Error) -> String {
    crate::render::columns::clean(&causes(&error.without_url()))
}

/// The public authorities, and those of `trust`.
fn roots(trust: Option<&Path>) -> Result<rustls::RootCertStore, OutwardError> {
    let mut store = rustls::RootCertStore::empty();
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let Some(path) = trust else { return Ok(store) };
    let wrong = |why: String| OutwardError::Trust { path: path.to_owned(), why };
    let more = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    match store.add_parsable_certificates(more) {
        (0, _) => Err(wrong("it holds none".to_owned())),
        _ => Ok(store),
    }
}

/// Whether all addresses of a host may be reached; one that may not spoils the rest, since a
/// name that leads both in and out is meant to slip through.
fn admit(host: &str, addresses: &[IpAddr], allow_private: bool) -> Result<(), OutwardError> {
    for address in addresses {
        let what = match inner(*address) {
            None => continue,
            Some(Inner::Loopback | Inner::Private) if allow_private => continue,
            Some(Inner::Loopback) => "this machine",
            Some(Inner::Private) => "in a private network",
            Some(Inner::Link) => "on this machine's link, which is never allowed",
            Some(Inner::Nobody) => "no machine's, which is never allowed",
        };
        return Err(OutwardError::Inward { host: host.to_owned(), address: *address, what });
    }
    Ok(())
}

/// Looks names up and keeps back those that lead inwards. What was judged is what is connected
/// to: nothing is looked up a second time in between.
struct Guarded {
    resolver: TokioResolver,
    allow_private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, allow_private) = (self.resolver.clone(), self.allow_private);
        Box::pin(async move {
            let host = name.as_str();
            let found = addresses(host, &resolver).await.map_err(OutwardError::Name)?;
            admit(host, &found, allow_private)?;
            let found = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// A resolver that asks whom the system asks.
pub(crate) fn resolver() -> Result<TokioResolver, String> {
    // no name server is asked over TLS; but what the library would make up for that needs the
    // system's authorities, which a container does not have
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let nobody = rustls::RootCertStore::empty();
    let unencrypted = versions.with_root_certificates(nobody).with_no_client_auth();
    let builder = TokioResolver::builder_tokio().map_err(|error| error.to_string())?;
    builder.with_tls_config(unencrypted).build().map_err(|error| error.to_string())
}

/// The addresses of a name; a literal is its own.
pub(crate) async fn addresses(host: &str, resolver: &TokioResolver) -> Result<Vec<IpAddr>, String> {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = literal.parse() {
        return Ok(vec![address]);
    }
    // RFC 6761 section 6.3
    if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let found = resolver.lookup_ip(host).await;
    found.map(|found| found.iter().collect()).map_err(|error| format!("look {host} up: {error}"))
}

#[cfg(test)]
mod tests;

use crate::causes::causes;
