//! Names to addresses, by hickory everywhere: a static binary has no getaddrinfo. Nothing is
//! cached, so that a name that vanishes is seen by the next run; the hosts file is read once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_proto::op::{Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError as HickoryError};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use mailward_evidence::Reason;

use super::{Deadline, Fault, Net, NetError, Trace};

/// How long a family of addresses is waited for once the other one is there (RFC 8305
/// section 3, "Resolution Delay").
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// The most addresses of one name that are used.
const MAX_ADDRESSES: usize = 16;

/// The agent's resolver.
pub(crate) struct Resolver {
    hickory: TokioResolver,
    hosts: Hosts,
    servers: Vec<SocketAddr>,
}

/// How long the second family of addresses is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Families {
    /// A moment, once there is an address.
    Hurried,
    /// Until it is there: somebody wants all of them.
    Both,
}

impl Families {
    const fn is_hurried(self) -> bool {
        matches!(self, Self::Hurried)
    }
}

impl Resolver {
    /// One that asks `only`, or whom resolv.conf names.
    pub(crate) fn new(only: Option<SocketAddr>) -> Result<Self, NetError> {
        let (config, mut options) = match only {
            Some(server) => (one_server(server), ResolverOpts::default()),
            // resolv.conf(5): without a nameserver line, the one on this machine
            None => system_conf::read_system_conf().unwrap_or_else(|_| {
                let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
                (one_server(local), ResolverOpts::default())
            }),
        };
        let servers = addresses_of(&config);
        options.cache_size = 1;
        options.positive_max_ttl = Some(Duration::ZERO);
        options.negative_max_ttl = Some(Duration::ZERO);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_tls_config(
                    unencrypted().map_err(|error| NetError::Resolver(error.to_string()))?,
                );
        *builder.options_mut() = options;
        let hickory = builder.build().map_err(|error| NetError::Resolver(error.to_string()))?;
        Ok(Self { hickory, hosts: Hosts::from_system().unwrap_or_default(), servers })
    }

    /// Whom it asks, for those who ask questions of their own.
    pub(crate) fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// The library's resolver, for libraries that ask on their own.
    pub(crate) fn hickory(&self) -> TokioResolver {
        self.hickory.clone()
    }

    /// What the hosts file says, and what RFC 6761 section 6.3 says of localhost.
    fn known(&self, name: &Name) -> Vec<IpAddr> {
        let mut found = Vec::new();
        for kind in [RecordType::AAAA, RecordType::A] {
            let query = Query::query(name.clone(), kind);
            if let Some(lookup) = self.hosts.lookup_static_host(&query) {
                found.extend(lookup.answers().iter().filter_map(|r| r.data.ip_addr()));
            }
        }
        if found.is_empty() && name.is_localhost() {
            found = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        }
        found
    }
}

fn one_server(server: SocketAddr) -> ResolverConfig {
    let mut named = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut named.connections {
        connection.port = server.port();
    }
    ResolverConfig::from_name_servers(vec![named])
}

fn addresses_of(config: &ResolverConfig) -> Vec<SocketAddr> {
    let port = |server: &NameServerConfig| server.connections.first().map_or(53, |c| c.port);
    let servers = config.name_servers().iter();
    servers.map(|server| SocketAddr::new(server.ip, port(server))).collect()
}

impl Net {
    /// The addresses of `host` in the order they are tried, IPv6 first where there is any
    /// (RFC 8305 section 4). A literal address is its own answer. Phase `dns`.
    ///
    /// # Errors
    /// When the name does not exist or the DNS does not answer.
    pub async fn resolve(
        &self,
        host: &str,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Vec<IpAddr>, Fault> {
        if let Some((pinned, address)) = &self.pinned
            && pinned.eq_ignore_ascii_case(host)
        {
            return Ok(vec![*address]);
        }
        let mut found = self.look_up(host, Families::Hurried, deadline, trace).await?;
        found.truncate(MAX_ADDRESSES);
        Ok(found)
    }

    /// Every address of `host`, of both families, in the order they are tried. Phase `dns`.
    ///
    /// # Errors
    /// When the name does not exist or the DNS does not answer.
    pub async fn resolve_all(
        &self,
        host: &str,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Vec<IpAddr>, Fault> {
        self.look_up(host, Families::Both, deadline, trace).await
    }

    async fn look_up(
        &self,
        host: &str,
        families: Families,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Vec<IpAddr>, Fault> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse() {
            return Ok(vec![address]);
        }
        trace.skip();
        let found = deadline.bound(self.ask(host, families)).await;
        trace.lap("dns");
        let found = found.unwrap_or_else(|| {
            let detail = format!("no answer from the DNS in time for {host}");
            Err(Fault::new(Reason::DnsFailure, detail))
        })?;
        Ok(interleave(found))
    }

    async fn ask(&self, host: &str, families: Families) -> Result<Vec<IpAddr>, Fault> {
        let mut name = Name::from_utf8(host).map_err(|error| {
            let detail = format!("{host} is not a name the DNS can hold: {error}");
            Fault::new(Reason::ProbeFault, detail)
        })?;
        let known = self.resolver.known(&name);
        if !known.is_empty() {
            return Ok(known);
        }
        // a name with a dot is meant as it stands; the search list is for short names only
        if name.num_labels() > 1 {
            name.set_fqdn(true);
        }
        let hickory = &self.resolver.hickory;
        let v6 = std::pin::pin!(hickory.lookup(name.clone(), RecordType::AAAA));
        let v4 = std::pin::pin!(hickory.lookup(name, RecordType::A));
        let (first, second) = match select(v6, v4).await {
            Either::Left((first, rest)) => {
                let first = addresses(host, first);
                let second = wait_for(rest, first.is_ok() && families.is_hurried()).await;
                (first, second)
            }
            Either::Right((first, rest)) => {
                let first = addresses(host, first);
                let second = wait_for(rest, first.is_ok() && families.is_hurried()).await;
                (first, second)
            }
        };
        let second = second.map(|answer| addresses(host, answer));
        let (mut found, mut fault) = (Vec::new(), None);
        for answer in std::iter::once(first).chain(second) {
            match answer {
                Ok(more) => found.extend(more),
                // a name that exists without addresses of one family is no fault
                Err(new) if fault.is_none() || new.reason != Reason::DnsNotFound => {
                    fault = Some(new);
                }
                Err(_) => {}
            }
        }
        match (found.is_empty(), fault) {
            (false, _) => Ok(found),
            (true, Some(fault)) => Err(fault),
            (true, None) => {
                let detail = format!("{host} has no address");
                Err(Fault::new(Reason::DnsNotFound, detail))
            }
        }
    }
}

fn addresses(host: &str, answer: Result<Lookup, HickoryError>) -> Result<Vec<IpAddr>, Fault> {
    let lookup = answer.map_err(|error| dns_fault(host, &error))?;
    let found: Vec<IpAddr> = lookup.answers().iter().filter_map(|r| r.data.ip_addr()).collect();
    if found.is_empty() {
        return Err(Fault::new(Reason::DnsNotFound, format!("{host} has no address")));
    }
    Ok(found)
}

async fn wait_for<F: Future + Unpin>(rest: F, enough: bool) -> Option<F::Output> {
    if enough { tokio::time::timeout(RESOLUTION_DELAY, rest).await.ok() } else { Some(rest.await) }
}

fn dns_fault(host: &str, error: &HickoryError) -> Fault {
    let (reason, what) = match error {
        HickoryError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => (Reason::DnsNotFound, "does not exist".to_owned()),
            _ => (Reason::DnsNotFound, "has no address".to_owned()),
        },
        HickoryError::Dns(DnsError::ResponseCode(code)) => {
            (Reason::DnsFailure, format!("was answered with {code}"))
        }
        HickoryError::Timeout => (Reason::DnsFailure, "was not answered in time".to_owned()),
        HickoryError::Io(error) if Fault::io(error, "").is_ours() => {
            (Reason::ProbeFault, format!("could not be asked for: {error}"))
        }
        other => (Reason::DnsFailure, format!("gave no usable answer: {other}")),
    };
    Fault::new(reason, format!("{host} {what}"))
}

/// Alternates the families, IPv6 first (RFC 8305 section 4).
fn interleave(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut out = Vec::new();
    loop {
        let pair = [v6.next(), v4.next()];
        if pair.iter().all(Option::is_none) {
            return out;
        }
        for address in pair.into_iter().flatten() {
            if !out.contains(&address) {
                out.push(address);
            }
        }
    }
}

/// No name server is asked over TLS; but what the library would make up for that needs the
/// system's authorities, which a container does not have.
fn unencrypted() -> Result<rustls::ClientConfig, rustls::Error> {
    let ring = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let nobody = rustls::RootCertStore::empty();
    Ok(versions.with_root_certificates(nobody).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_and_doubles_go() {
        let list = |text: &str| -> Vec<IpAddr> {
            text.split_whitespace().map(|a| a.parse().unwrap()).collect()
        };
        let check = |found: &str, expect: &str| assert_eq!(interleave(list(found)), list(expect));
        check("", "");
        check("192.0.2.1 192.0.2.1", "192.0.2.1");
        check("192.0.2.1 192.0.2.2 2001:db8::1", "2001:db8::1 192.0.2.1 192.0.2.2");
    }

    #[tokio::test]
    async fn names_are_asked_of_the_resolver() {
        use mailward_lab::{Fault as Trouble, Lab, LabSettings, Part, Rcode};
        let lab = Lab::start(LabSettings::default()).await.unwrap();
        let net = Net::new(None, Some(lab.addresses().dns)).unwrap();
        let resolve = async |name: &str| {
            let mut trace = Trace::start();
            let deadline = Deadline::after(Duration::from_secs(10));
            let found = net.resolve(name, deadline, &mut trace).await;
            assert!(trace.into_parts().0.get("dns").is_some());
            found.map_err(|fault| fault.reason)
        };
        let home = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(resolve("mail.example.test").await, Ok(vec![home]));
        assert_eq!(resolve("nothing.example.test").await, Err(Reason::DnsNotFound));
        let broken = Trouble::Rcode(Rcode::ServFail);
        lab.set(Part::Dns, broken).await.unwrap();
        assert_eq!(resolve("mail.example.test").await, Err(Reason::DnsFailure));
    }

    #[tokio::test]
    async fn a_literal_needs_no_resolver() {
        let net = Net::new(None, Some("127.0.0.1:9".parse().unwrap())).unwrap();
        let deadline = Deadline::after(Duration::from_secs(5));
        let mut trace = Trace::start();
        let found = net.resolve("[::1]", deadline, &mut trace).await.unwrap();
        assert_eq!(found, [IpAddr::from(Ipv6Addr::LOCALHOST)]);
        let found = net.resolve("localhost", deadline, &mut trace).await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
    }
}
