//! The way from an agent to its reporter over HTTP: where it is, whom it trusts there, and the
//! token that every request bears. What is sent is left to others.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mailward_catalogue::Secret;
use reqwest::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use url::Url;

use crate::net::{Deadline, Net, NetError, Trace};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Why delivery cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The reporter's address is not one.
    #[error("reporter {url}: expected an http or https URL")]
    Url {
        /// What was given.
        url: Url,
    },
    /// The token cannot stand in a header.
    #[error("the agent's token holds characters that no token has")]
    Token,
    /// The authorities could not be read.
    #[error("set up trust for the reporter")]
    Trust(#[source] NetError),
    /// TLS or HTTP could not be set up.
    #[error("set up the way to the reporter")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where records go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The reporter's address; the path of ingest is added to it.
    pub reporter: Url,
    /// The agent's token.
    pub token: Secret,
    /// PEM file of authorities trusted beside the system's.
    pub trust: Option<PathBuf>,
}

/// The way to one reporter. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Way {
    client: reqwest::Client,
    base: Url,
    authorization: Arc<RwLock<HeaderValue>>,
}

impl Way {
    /// Sets it up; nothing is sent yet.
    ///
    /// # Errors
    /// When the address, the token or the authorities cannot be used.
    pub fn new(to: &Destination, net: Arc<Net>) -> Result<Self, DeliverError> {
        let base = base(&to.reporter)?;
        let authorization = Arc::new(RwLock::new(bearer(&to.token)?));
        let client = client(&base, to.trust.as_deref(), net)?;
        Ok(Self { client, base, authorization })
    }

    /// From now on, requests bear this token.
    ///
    /// # Errors
    /// When it cannot stand in a header; then the one before stays.
    pub fn renew(&self, token: &Secret) -> Result<(), DeliverError> {
        let renewed = bearer(token)?;
        *self.authorization.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    fn authorization(&self) -> HeaderValue {
        self.authorization.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A request to this part of the reporter's `/api/v1`.
    pub fn post(&self, part: &[&str]) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(["api", "v1"]).extend(part);
        }
        self.client
            .post(url)
            .header(AUTHORIZATION, self.authorization())
            .header(USER_AGENT, concat!("mailward/", env!("CARGO_PKG_VERSION")))
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, DeliverError> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        .map_err(|_| DeliverError::Token)?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// The reporter's address, checked.
fn base(reporter: &Url) -> Result<Url, DeliverError> {
    let wrong = || DeliverError::Url { url: reporter.clone() };
    if !matches!(reporter.scheme(), "http" | "https") {
        return Err(wrong());
    }
    let mut base = reporter.clone();
    base.path_segments_mut().map_err(|()| wrong())?.pop_if_empty();
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

fn client(url: &Url, trust: Option<&Path>, net: Arc<Net>) -> Result<reqwest::Client, DeliverError> {
    let failed = |error: rustls::Error| DeliverError::Client(Box::new(error));
    // over plain HTTP no authority is ever asked, and a set of them is large
    let roots = if url.scheme() == "https" {
        crate::net::tls::roots(trust).map_err(DeliverError::Trust)?
    } else {
        rustls::RootCertStore::empty()
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Names(net))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_max_idle_per_host(1);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| DeliverError::Client(Box::new(error)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Names are resolved as probes resolve them: a static binary has no getaddrinfo.
struct Names(Arc<Net>);

impl reqwest::dns::Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let net = Arc::clone(&self.0);
        Box::pin(async move {
            let deadline = Deadline::after(CONNECT_TIMEOUT);
            let found = net.resolve(name.as_str(), deadline, &mut Trace::start()).await?;
            let addresses = found.into_iter().map(|ip| std::net::SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_ingest() {
        let check = |reporter: &str, expect: Option<&str>| {
            let reporter: Url = reporter.parse().unwrap();
            let to = Destination { reporter, token: Secret::new("hush".to_owned()), trust: None };
            let way = Way::new(&to, Arc::new(Net::new(None, None).unwrap()));
            let request = way.ok().map(|way| way.post(&["evidence"]).build().unwrap());
            let url = request.map(|request| request.url().clone());
            assert_eq!(url.as_ref().map(Url::as_str), expect, "{to:?}");
        };
        check("http://127.0.0.1:7025", Some("http://127.0.0.1:7025/api/v1/evidence"));
        check("https://r.example.org/mail/", Some("https://r.example.org/mail/api/v1/evidence"));
        check("https://r.example.org/mail?x=1", Some("https://r.example.org/mail/api/v1/evidence"));
        check("ftp://r.example.org/", None);
        check("mailto:x@example.org", None);
    }

    #[test]
    fn a_renewed_token_is_borne_by_every_clone() {
        let to = Destination {
            reporter: "http://127.0.0.1:7025".parse().unwrap(),
            token: Secret::new("first".to_owned()),
            trust: None,
        };
        let way = Way::new(&to, Arc::new(Net::new(None, None).unwrap())).unwrap();
        let other = way.clone();
        way.renew(&Secret::new("second".to_owned())).unwrap();
        assert!(way.renew(&Secret::new("no\ntoken".to_owned())).is_err());
        let request = other.post(&["evidence"]).build().unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer second");
        assert!(!format!("{other:?}").contains("second"));
    }

    #[test]
    fn debug_shows_no_token() {
        let destination = Destination {
            reporter: "http://127.0.0.1:7025".parse().unwrap(),
            token: Secret::new("hush".to_owned()),
            trust: None,
        };
        assert!(!format!("{destination:?}").contains("hush"));
    }
}
