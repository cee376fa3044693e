//! Whether an answer of the DNS is proved (RFC 4033 to 4035). The proof is hickory's, over our
//! own questions; a resolver on this machine that has proved it itself is believed (RFC 6840
//! section 5.7). What follows from it for a domain is the probes'.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use futures_util::{Stream, StreamExt, stream};
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::{Proof, TrustAnchors};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, DnsHandle, NetError as HickoryError};
use mailward_evidence::Reason;

use super::dns::{Manner, ask_any_whole, code_word};
use super::{Deadline, Fault};

/// The most questions that the proof of everything in one run may take.
const MAX_QUESTIONS: usize = 500;

/// The keys that DNSSEC is judged by.
#[derive(Clone)]
pub struct Anchors {
    keys: Arc<TrustAnchors>,
    /// The zones they are keys of.
    zones: Vec<Name>,
    /// Whether they were given, and not the root's that everybody has.
    given: bool,
}

impl Default for Anchors {
    fn default() -> Self {
        let keys = Arc::new(TrustAnchors::default());
        Self { keys, zones: vec![Name::root()], given: false }
    }
}

impl Anchors {
    /// Reads DNSKEY records, one a line, as a zone file has them and with full names.
    ///
    /// # Errors
    /// A sentence, when the file cannot be read or a line is no such record.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| format!("read {shown}: {e}"))?;
        Self::parse(&text).map_err(|problem| format!("{shown}: {problem}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let keys = TrustAnchors::from_str(text).map_err(|e| format!("expected DNSKEYs: {e}"))?;
        let lines = text.lines().map(|line| line.split(';').next().unwrap_or_default());
        let mut zones = Vec::new();
        for owner in lines.filter_map(|line| line.split_whitespace().next()) {
            let name = Name::from_ascii(owner).map_err(|e| format!("{owner:?}: {e}"))?;
            if !name.is_fqdn() {
                return Err(format!("expected names with a final dot, got {owner:?}"));
            }
            if !zones.contains(&name) {
                zones.push(name);
            }
        }
        if zones.is_empty() {
            return Err("expected DNSKEY records, found none".to_owned());
        }
        Ok(Self { keys: Arc::new(keys), zones, given: true })
    }
}

/// What is known of an answer's truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// It should be proved and is not: somebody changed it, or the signing is broken.
    Bogus,
    /// The resolver does not pass on what a proof needs.
    Unseen,
    /// Nobody signed it, and that is proved.
    Insecure,
    /// It is proved.
    Secure,
}

/// An answer, and what is known of its truth.
#[derive(Clone, Debug)]
pub struct Proved {
    /// What is known of it.
    pub security: Security,
    /// Its code.
    pub code: ResponseCode,
    /// The records of the type asked for, wherever aliases led.
    pub records: Vec<Record>,
    /// How that was found out, for operators.
    pub how: &'static str,
}

/// One run's questions with proof. Nothing is kept from run to run, so that a signature that
/// expires is seen by the next one.
pub struct Prover {
    asking: Asking,
    handle: DnssecDnsHandle<Asking>,
    anchors: Anchors,
    /// Whether the resolver hands the anchors' own keys on, once that was asked.
    fit: tokio::sync::OnceCell<bool>,
}

impl Prover {
    /// Asks `servers` and judges by `anchors`, until the deadline.
    #[must_use]
    pub fn new(servers: &[SocketAddr], anchors: &Anchors, deadline: Deadline) -> Self {
        let asking = Asking {
            servers: servers.into(),
            deadline,
            failed: Arc::new(AtomicBool::new(false)),
            asked: Arc::new(AtomicUsize::new(0)),
        };
        Self {
            handle: DnssecDnsHandle::with_trust_anchor(asking.clone(), anchors.keys.clone()),
            asking,
            anchors: anchors.clone(),
            fit: tokio::sync::OnceCell::new(),
        }
    }

    /// Asks for `name` and proves the answer, be it that there is none.
    ///
    /// # Errors
    /// When the DNS does not answer.
    pub async fn look(&self, name: &Name, kind: RecordType) -> Result<Proved, Fault> {
        if let Some(proved) = self.by_the_resolver(name, kind).await? {
            return Ok(proved);
        }
        if !*self.fit.get_or_init(|| self.is_fit()).await {
            return self.without_proof(name, kind).await;
        }
        self.by_ourselves(name, kind).await
    }

    /// What a resolver on this machine has proved or refused. `None` where it says nothing.
    async fn by_the_resolver(
        &self,
        name: &Name,
        kind: RecordType,
    ) -> Result<Option<Proved>, Fault> {
        let trusted = self.asking.servers.iter().all(|server| server.ip().is_loopback());
        if !trusted || self.anchors.given {
            return Ok(None);
        }
        let manner = Manner { dnssec: true, unchecked: false };
        let answer = self.asking.ask(name, kind, manner).await?;
        let code = answer.metadata.response_code;
        if answer.metadata.authentic_data && is_told(code) {
            let how = "proved by the resolver on this machine";
            return Ok(Some(proved(Security::Secure, &answer, kind, how)));
        }
        if code != ResponseCode::ServFail {
            return Ok(None);
        }
        // it keeps back what it cannot prove, and gives it to those who do not mind
        let unchecked = Manner { dnssec: true, unchecked: true };
        let answer = self.asking.ask(name, kind, unchecked).await?;
        if is_told(answer.metadata.response_code) {
            let how = "refused by the resolver on this machine";
            return Ok(Some(proved(Security::Bogus, &answer, kind, how)));
        }
        Err(no_answer(name, answer.metadata.response_code))
    }

    /// Whether the keys we start from can be proved over this resolver: one that drops
    /// signatures would make every signed domain look broken.
    async fn is_fit(&self) -> bool {
        for zone in &self.anchors.zones {
            let query = Query::query(zone.clone(), RecordType::DNSKEY);
            // one that cannot reach the root may take long to say so
            let deadline = self.asking.deadline.within(self.asking.deadline.left() / 3);
            let answer = deadline.bound(self.handle.lookup(query, options()).next()).await;
            let Some(Some(Ok(answer))) = answer else { return false };
            let keys = answer.answers.iter().filter(|r| r.record_type() == RecordType::DNSKEY);
            if keys.map(|key| key.proof).min() != Some(Proof::Secure) {
                return false;
            }
        }
        true
    }

    /// A zone without keys is not signed, also where nothing can be proved.
    async fn without_proof(&self, name: &Name, kind: RecordType) -> Result<Proved, Fault> {
        let manner = Manner { dnssec: true, unchecked: true };
        let answer = self.asking.ask(name, kind, manner).await?;
        if !is_told(answer.metadata.response_code) {
            return Err(no_answer(name, answer.metadata.response_code));
        }
        let signed = |records: &[Record]| records.iter().any(|r| r.record_type().is_rrsig());
        let mut zone = name.clone();
        let mut has_keys = signed(&answer.answers) || signed(&answer.authorities);
        while !has_keys && zone.num_labels() > 1 {
            let keys = self.asking.ask(&zone, RecordType::DNSKEY, manner).await?;
            if !is_told(keys.metadata.response_code) {
                return Err(no_answer(&zone, keys.metadata.response_code));
            }
            has_keys = keys.answers.iter().any(|r| r.record_type() == RecordType::DNSKEY);
            zone = zone.base_name();
        }
        Ok(if has_keys {
            proved(Security::Unseen, &answer, kind, "the resolver passes no proof on")
        } else {
            proved(Security::Insecure, &answer, kind, "no zone above the name has keys")
        })
    }

    async fn by_ourselves(&self, name: &Name, kind: RecordType) -> Result<Proved, Fault> {
        self.asking.failed.store(false, Relaxed);
        let query = Query::query(name.clone(), kind);
        let (answer, security) = match self.handle.lookup(query, options()).next().await {
            Some(Ok(answer)) => {
                let security = security_of(&answer, kind);
                (answer.into_message(), security)
            }
            Some(Err(HickoryError::Dns(DnsError::Nsec { response, proof, .. }))) => {
                (response.into_message(), security_from(proof))
            }
            Some(Err(error)) => {
                let detail = format!("{name} gave no usable answer: {error}");
                return Err(Fault::new(Reason::DnsFailure, detail));
            }
            None => return Err(Fault::timeout(&format!("asking for {name}"))),
        };
        let code = answer.metadata.response_code;
        if !is_told(code) {
            return Err(no_answer(name, code));
        }
        // a question on the way went unanswered: that is no broken signature
        if security == Security::Bogus && self.asking.failed.load(Relaxed) {
            let detail = format!("the proof of {name} could not be looked up to its end");
            return Err(Fault::new(Reason::DnsFailure, detail));
        }
        Ok(proved(security, &answer, kind, "judged by the agent itself"))
    }
}

fn options() -> DnsRequestOptions {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = true;
    options
}

const fn is_told(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)
}

fn no_answer(name: &Name, code: ResponseCode) -> Fault {
    Fault::new(Reason::DnsFailure, format!("{name} was answered with {}", code_word(code)))
}

fn proved(security: Security, answer: &Message, kind: RecordType, how: &'static str) -> Proved {
    let records = answer.answers.iter().filter(|r| r.record_type() == kind);
    Proved {
        security,
        code: answer.metadata.response_code,
        records: records.cloned().collect(),
        how,
    }
}

const fn security_from(proof: Proof) -> Security {
    match proof {
        Proof::Secure => Security::Secure,
        Proof::Insecure => Security::Insecure,
        Proof::Bogus => Security::Bogus,
        Proof::Indeterminate => Security::Unseen,
    }
}

/// An answer is as good as the worst of its records; one without records is as good as what
/// denies them.
fn security_of(answer: &Message, kind: RecordType) -> Security {
    let told = |record: &&Record| !record.record_type().is_rrsig();
    let given = answer.answers.iter().filter(told).map(|r| security_from(r.proof)).min();
    let has = answer.answers.iter().any(|r| r.record_type() == kind);
    let denies = |record: &&Record| {
        matches!(
            &record.data,
            RData::SOA(_) | RData::DNSSEC(DNSSECRData::NSEC(_) | DNSSECRData::NSEC3(_))
        )
    };
    let denied = answer.authorities.iter().filter(denies);
    let denied = denied.map(|r| security_from(r.proof)).min();
    match (given, has, denied) {
        (Some(given), true, _) => given,
        (Some(given), false, denied) => given.min(denied.unwrap_or(Security::Insecure)),
        (None, _, Some(denied)) => denied,
        // hickory lets an empty answer without denial pass only where nothing is signed
        (None, _, None) => Security::Insecure,
    }
}

/// Our own questions, as hickory's proof asks them.
#[derive(Clone)]
struct Asking {
    servers: Arc<[SocketAddr]>,
    deadline: Deadline,
    /// Whether a question went without an answer.
    failed: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Asking {
    async fn ask(&self, name: &Name, kind: RecordType, manner: Manner) -> Result<Message, Fault> {
        if self.asked.fetch_add(1, Relaxed) >= MAX_QUESTIONS {
            let detail = format!("the proof takes more than {MAX_QUESTIONS} questions");
            return Err(Fault::new(Reason::DnsFailure, detail));
        }
        ask_any_whole(&self.servers, name, kind, manner, self.deadline).await.1
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<DnsResponse, HickoryError>> + Send>>;

impl DnsHandle for Asking {
    type Response = Answers;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Answers {
        let asking = self.clone();
        Box::pin(stream::once(async move {
            let Some(query) = request.queries.first() else {
                return Err(HickoryError::Message("a question without a name"));
            };
            // the resolver is to give what it has: the judgement is ours
            let manner = Manner { dnssec: true, unchecked: true };
            let answer = asking.ask(query.name(), query.query_type(), manner).await;
            let answer = answer.inspect_err(|_| asking.failed.store(true, Relaxed));
            let answer = answer.map_err(|fault| HickoryError::Msg(fault.to_string()))?;
            if !is_told(answer.metadata.response_code) {
                asking.failed.store(true, Relaxed);
            }
            DnsResponse::from_message(answer).map_err(HickoryError::from)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_keys_with_full_names() {
        let key = "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+\
                   KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==";
        let read = |text: &str| Anchors::parse(text).map(|anchors| anchors.zones.len());
        assert_eq!(read(&format!("example.test. 3600 IN DNSKEY {key}\n")), Ok(1));
        assert_eq!(read(&format!("a.test. IN DNSKEY {key}\nb.test. IN DNSKEY {key}\n")), Ok(2));
        assert!(read(&format!("example.test IN DNSKEY {key}\n")).is_err());
        assert!(read("").is_err());
        assert!(read("rubbish").is_err());
    }

    #[test]
    fn the_worst_record_decides() {
        let record = |proof| {
            let mut record = Record::from_rdata(
                Name::root(),
                60,
                RData::A(std::net::Ipv4Addr::LOCALHOST.into()),
            );
            record.proof = proof;
            record
        };
        let check = |proofs: &[Proof], expect| {
            let mut message = Message::query();
            message.answers = proofs.iter().map(|proof| record(*proof)).collect();
            assert_eq!(security_of(&message, RecordType::A), expect, "{proofs:?}");
        };
        check(&[Proof::Secure, Proof::Secure], Security::Secure);
        check(&[Proof::Secure, Proof::Insecure], Security::Insecure);
        check(&[Proof::Insecure, Proof::Bogus], Security::Bogus);
        check(&[], Security::Insecure);
    }
}
