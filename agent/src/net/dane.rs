//! DANE for mail (RFC 7672): whether the certificates that a server shows are those that TLSA
//! records name. Looking the records up, and proving them, is `dnssec`'s.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::rdata::TLSA;
use hickory_proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use mailward_evidence::Reason;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Deadline, Fault, Net};

/// The most certificates of a chain that are looked at.
const MAX_CHAIN: usize = 16;
/// The most records that are compared.
const MAX_RECORDS: usize = 32;

/// Whether a sender can use a record: only DANE-TA and DANE-EE are for mail, and what is
/// unassigned is for nobody (RFC 7672 section 3.1).
#[must_use]
pub fn is_usable(record: &TLSA) -> bool {
    let length = record.cert_data.len();
    matches!(record.cert_usage, CertUsage::DaneTa | CertUsage::DaneEe)
        && matches!(record.selector, Selector::Full | Selector::Spki)
        && match record.matching {
            Matching::Raw => length > 0,
            Matching::Sha256 => length == 32,
            Matching::Sha512 => length == 64,
            _ => false,
        }
}

/// Whether a chain is one that the records allow, for a server of one of these names.
///
/// # Errors
/// A sentence on why not.
pub fn judge(
    records: &[TLSA],
    chain: &[CertificateDer<'_>],
    names: &[&str],
    now: UnixTime,
) -> Result<(), String> {
    let Some((leaf, above)) = chain.split_first() else {
        return Err("the server shows no certificate".to_owned());
    };
    let mut why = "no TLSA record names what the server shows".to_owned();
    for record in records.iter().take(MAX_RECORDS).filter(|record| is_usable(record)) {
        if record.cert_usage == CertUsage::DaneEe {
            // names and dates do not matter with DANE-EE (RFC 7672 section 3.1.1)
            if is_named(record, leaf) {
                return Ok(());
            }
            continue;
        }
        let mut anchors: Vec<CertificateDer<'_>> =
            above.iter().take(MAX_CHAIN).filter(|cert| is_named(record, cert)).cloned().collect();
        if (&record.selector, &record.matching) == (&Selector::Full, &Matching::Raw) {
            anchors.push(CertificateDer::from(record.cert_data.clone()));
        }
        for anchor in anchors {
            match leads_to(&anchor, leaf, above, names, now) {
                Ok(()) => return Ok(()),
                Err(problem) => why = problem,
            }
        }
    }
    Err(why)
}

fn is_named(record: &TLSA, cert: &CertificateDer<'_>) -> bool {
    let selected = match record.selector {
        Selector::Full => cert.as_ref(),
        _ => match X509Certificate::from_der(cert) {
            Ok((_, parsed)) => parsed.tbs_certificate.subject_pki.raw,
            Err(_) => return false,
        },
    };
    let digest = |algorithm| ring::digest::digest(algorithm, selected).as_ref().to_vec();
    let expected = match record.matching {
        Matching::Sha256 => digest(&ring::digest::SHA256),
        Matching::Sha512 => digest(&ring::digest::SHA512),
        _ => selected.to_vec(),
    };
    expected == record.cert_data
}

/// RFC 7672 section 3.1.2: the chain must lead to the authority, and the certificate be for one
/// of the names.
fn leads_to(
    anchor: &CertificateDer<'_>,
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    names: &[&str],
    now: UnixTime,
) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| {
        format!("the authority that a TLSA record names does not vouch for it: {error}")
    };
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone().into_owned()).map_err(|error| told(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| told(&error))?;
    let mut why = "there is no name to compare".to_owned();
    for name in names {
        let Ok(name) = ServerName::try_from((*name).to_owned()) else { continue };
        match verifier.verify_server_cert(leaf, above, &name, &[], now) {
            Ok(_) => return Ok(()),
            Err(error) => why = told(&error),
        }
    }
    Err(why)
}

impl Net {
    /// The certificates that a server shows after STARTTLS, whatever they are worth: nothing is
    /// said over this connection, and it is for [`judge`] to say.
    ///
    /// # Errors
    /// When the handshake fails or time is up.
    pub async fn shown_chain(
        &self,
        tcp: TcpStream,
        host: &str,
        deadline: Deadline,
    ) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let detail = format!("{host} cannot be the name in a certificate");
            Fault::new(Reason::ProbeFault, detail)
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut settings = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::new(Reason::ProbeFault, error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Onlooker(provider)))
            .with_no_client_auth();
        settings.resumption = Resumption::disabled();
        let connecting = TlsConnector::from(Arc::new(settings)).connect(name, tcp);
        match deadline.bound(connecting).await {
            None => Err(Fault::timeout("setting up TLS")),
            Some(Err(error)) => Err(Fault::new(Reason::TlsHandshake, error.to_string())),
            Some(Ok(tls)) => {
                let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
                Ok(chain.iter().take(MAX_CHAIN).map(|c| c.clone().into_owned()).collect())
            }
        }
    }

    /// Now, as certificates reckon it.
    #[must_use]
    pub fn certificate_time(&self) -> UnixTime {
        let seconds = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }
}

/// Takes any certificate, but only from a server that holds its key.
#[derive(Debug)]
struct Onlooker(Arc<CryptoProvider>);

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    struct Made {
        chain: Vec<CertificateDer<'static>>,
        authority: CertificateDer<'static>,
    }

    fn made(name: &str) -> Made {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &issuer).unwrap();
        let authority: CertificateDer<'static> = issuer.der().clone();
        Made { chain: vec![leaf.der().clone(), authority.clone()], authority }
    }

    fn record(usage: CertUsage, selector: Selector, cert: &CertificateDer<'_>) -> TLSA {
        let bytes = match selector {
            Selector::Full => cert.as_ref().to_vec(),
            _ => {
                let (_, parsed) = X509Certificate::from_der(cert).unwrap();
                parsed.tbs_certificate.subject_pki.raw.to_vec()
            }
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref().to_vec();
        TLSA::new(usage, selector, Matching::Sha256, digest)
    }

    #[test]
    fn what_records_allow() {
        let (ours, other) = (made("mx.example.test"), made("mx.example.test"));
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let check = |record: TLSA, name: &str, expect: bool| {
            let judged = judge(std::slice::from_ref(&record), &ours.chain, &[name], now);
            assert_eq!(judged.is_ok(), expect, "{record}: {judged:?}");
        };
        let name = "mx.example.test";
        check(record(CertUsage::DaneEe, Selector::Spki, &ours.chain[0]), name, true);
        check(record(CertUsage::DaneEe, Selector::Full, &ours.chain[0]), name, true);
        // with DANE-EE the name in the certificate does not matter
        check(record(CertUsage::DaneEe, Selector::Spki, &ours.chain[0]), "other.test", true);
        check(record(CertUsage::DaneEe, Selector::Spki, &other.chain[0]), name, false);
        check(record(CertUsage::DaneEe, Selector::Full, &ours.authority), name, false);
        check(record(CertUsage::DaneTa, Selector::Spki, &ours.authority), name, true);
        check(record(CertUsage::DaneTa, Selector::Full, &ours.authority), name, true);
        check(record(CertUsage::DaneTa, Selector::Full, &ours.authority), "other.test", false);
        check(record(CertUsage::DaneTa, Selector::Full, &other.authority), name, false);
        let mut whole = record(CertUsage::DaneTa, Selector::Full, &ours.authority);
        whole.matching = Matching::Raw;
        whole.cert_data = ours.authority.as_ref().to_vec();
        let judged = judge(&[whole], &ours.chain[..1], &[name], now);
        assert_eq!(judged, Ok(()), "the authority may stand in the record itself");
        assert!(judge(&[], &ours.chain, &[name], now).is_err());
        assert!(judge(&[], &[], &[name], now).is_err());
    }

    #[test]
    fn records_for_mail() {
        let cert = made("mx.example.test").authority;
        let check = |usage: CertUsage, change: fn(&mut TLSA), expect: bool| {
            let mut record = record(usage, Selector::Full, &cert);
            change(&mut record);
            assert_eq!(is_usable(&record), expect, "{record}");
        };
        check(CertUsage::DaneEe, |_| {}, true);
        check(CertUsage::DaneTa, |_| {}, true);
        check(CertUsage::PkixEe, |_| {}, false);
        check(CertUsage::PkixTa, |_| {}, false);
        check(CertUsage::DaneEe, |r| r.cert_data.truncate(31), false);
        check(CertUsage::DaneEe, |r| r.matching = Matching::Unassigned(9), false);
        check(CertUsage::DaneEe, |r| r.selector = Selector::Unassigned(2), false);
    }
}
