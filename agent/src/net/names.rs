//! Typed questions to one chosen resolver: texts, mail servers, addresses. A name that does not
//! exist and one without such records are the same empty answer; no answer is a fault.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use mailward_evidence::Reason;

use super::dns::{Manner, ask_any_whole, code_word, full_name, txt_text};
use super::{Deadline, Fault, Net};

/// The most addresses of one name that are used.
const MAX_ADDRESSES: usize = 64;

/// Where a service is, as a domain says (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Its port.
    pub port: u16,
    /// Its host, without the final dot; empty where the service is not offered.
    pub host: String,
}

/// Whom to ask, and until when.
#[derive(Clone, Debug)]
pub struct Names {
    servers: Vec<SocketAddr>,
    deadline: Deadline,
}

impl Names {
    /// Asks `resolver`, or those of the agent, until the deadline.
    #[must_use]
    pub fn new(net: &Net, resolver: Option<SocketAddr>, deadline: Deadline) -> Self {
        let servers = match resolver {
            Some(one) => vec![one],
            None => net.resolver.servers().to_vec(),
        };
        Self { servers, deadline }
    }

    /// Whom it asks.
    #[must_use]
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// TXT records, each as one text.
    ///
    /// # Errors
    /// When the DNS does not answer, or `name` is none.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, Fault> {
        self.data(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(txt_text(&txt.txt_data)),
            _ => None,
        })
        .await
    }

    /// Mail servers in the order they are tried, without the final dot; a null MX
    /// (RFC 7505) is the empty name.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn mail_servers(&self, domain: &str) -> Result<Vec<String>, Fault> {
        let mut found = self
            .data(domain, RecordType::MX, |data| match data {
                RData::MX(mx) => Some((mx.preference, plain(&mx.exchange))),
                _ => None,
            })
            .await?;
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, host)| host).collect())
    }

    /// Where a service such as `_imaps._tcp.example.org` is, best first.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn services(&self, name: &str) -> Result<Vec<Offer>, Fault> {
        let mut found = self
            .data(name, RecordType::SRV, |data| match data {
                RData::SRV(srv) => {
                    Some(Offer { priority: srv.priority, port: srv.port, host: plain(&srv.target) })
                }
                _ => None,
            })
            .await?;
        found.sort_unstable();
        Ok(found)
    }

    /// What `name` is another name of; `None` where it is none.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn alias(&self, name: &str) -> Result<Option<String>, Fault> {
        let found = self.data(name, RecordType::CNAME, |data| match data {
            RData::CNAME(alias) => Some(plain(&alias.0)),
            _ => None,
        });
        Ok(found.await?.pop())
    }

    /// Whether there is such a name, with whatever records.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn exists(&self, name: &str) -> Result<bool, Fault> {
        let message = self.ask(name, RecordType::SOA, Manner::default()).await?;
        Ok(message.metadata.response_code != ResponseCode::NXDomain)
    }

    /// Whether the resolver says that it has proved the name's mail servers by DNSSEC.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn is_vouched_for(&self, domain: &str) -> Result<bool, Fault> {
        let manner = Manner { dnssec: true, unchecked: false };
        let message = self.ask(domain, RecordType::MX, manner).await?;
        Ok(message.metadata.authentic_data)
    }

    /// Addresses, IPv4 first.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        let (v4, v6) = futures_util::future::join(
            self.data(host, RecordType::A, RData::ip_addr),
            self.data(host, RecordType::AAAA, RData::ip_addr),
        )
        .await;
        let mut found = v4?;
        found.extend(v6?);
        found.sort_unstable();
        found.dedup();
        found.truncate(MAX_ADDRESSES);
        Ok(found)
    }

    /// What `read` takes of the records of this type, wherever aliases led.
    ///
    /// # Errors
    /// As [`Names::texts`].
    pub async fn data<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, Fault> {
        let message = self.ask(name, kind, Manner::default()).await?;
        let records = message.answers.iter().filter(|record| record.record_type() == kind);
        Ok(records.filter_map(|record| read(&record.data)).collect())
    }

    /// The answer, if it says that there is something or nothing.
    async fn ask(&self, name: &str, kind: RecordType, manner: Manner) -> Result<Message, Fault> {
        let full = full_name(name).map_err(|problem| Fault::new(Reason::ProbeFault, problem))?;
        let answer = ask_any_whole(&self.servers, &full, kind, manner, self.deadline).await.1;
        let message = answer.map_err(|fault| match fault.reason {
            Reason::ProbeFault | Reason::EgressBlocked => fault,
            _ => Fault::new(Reason::DnsFailure, format!("{name} {kind}: {}", fault.detail)),
        })?;
        match message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(message),
            code => {
                let detail = format!("{name} {kind} was answered with {}", code_word(code));
                Err(Fault::new(Reason::DnsFailure, detail))
            }
        }
    }
}

/// A name as people write it: lower case, without the final dot; the root is empty.
#[must_use]
pub fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
