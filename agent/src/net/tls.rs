//! TLS towards a server: always a full handshake, always verified by webpki against the system's
//! authorities. Beside that it records what the certificate says, also when it is refused, and
//! why it was. Revocation is not looked up.

use std::cell::RefCell;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use mailward_evidence::{Certificate, Extra, Instant, Reason};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Deadline, Fault, Net, NetError, Security, Stream, Trace};

mod identity;

pub use identity::{Identity, IdentityError};

/// The most certificates of a chain that are looked at.
const MAX_CHAIN: usize = 16;

/// TLS settings, shared by all probes.
#[derive(Clone)]
pub(crate) struct Tls {
    http: Arc<ClientConfig>,
    plain: Arc<ClientConfig>,
}

/// What is spoken inside the encrypted connection (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// HTTP/1.1, and it is said so.
    Http,
    /// Anything else; nothing is said.
    Other,
}

impl Tls {
    pub(crate) fn new(trust: Option<&Path>) -> Result<Self, NetError> {
        let roots = Arc::new(roots(trust)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| NetError::Tls(error.to_string()))?;
        let mut plain = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| NetError::Tls(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Witness { inner }))
            .with_no_client_auth();
        // a resumed session shows no certificate, and a probe is there to see it
        plain.resumption = Resumption::disabled();
        let mut http = plain.clone();
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { http: Arc::new(http), plain: Arc::new(plain) })
    }
}

/// The system's authorities, or a bundled set where there are none; and those of `trust`.
pub(crate) fn roots(trust: Option<&Path>) -> Result<RootCertStore, NetError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let Some(path) = trust else {
        return Ok(store);
    };
    let unreadable = |source| NetError::Trust { path: path.to_owned(), source };
    let more = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    let (added, _) = store.add_parsable_certificates(more);
    if added == 0 {
        return Err(NetError::TrustEmpty(path.to_owned()));
    }
    Ok(store)
}

tokio::task_local! {
    /// The chain that was refused in this handshake. The settings are shared by all
    /// connections, so the verifier cannot keep it itself.
    static REFUSED: RefCell<Vec<CertificateDer<'static>>>;
}

/// Lets webpki judge, and remembers the chain of a refusal. It accepts nothing that webpki
/// refuses.
#[derive(Debug)]
struct Witness {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if judged.is_err() {
            let chain = std::iter::once(end_entity).chain(intermediates);
            let chain = chain.take(MAX_CHAIN).map(|c| c.clone().into_owned());
            // outside of a probe's handshake there is nobody to tell
            let _ = REFUSED.try_with(|refused| *refused.borrow_mut() = chain.collect());
        }
        judged
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl Net {
    /// Begins to speak over a connection that was just made: over TLS where that comes first. Phase
    /// `tls`.
    ///
    /// # Errors
    /// As [`Net::secure`].
    pub async fn begin(
        &self,
        tcp: TcpStream,
        host: &str,
        security: Security,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Stream, Fault> {
        match security {
            Security::Implicit => self.secure(tcp, host, Inside::Other, deadline, trace).await,
            Security::None | Security::StartTls => Ok(Stream::Plain(tcp)),
        }
    }

    /// Encrypts a connection to `host`. Phase `tls`; facts `tls_version`, `tls_cipher`,
    /// `cert_subject`, `cert_issuer`, `cert_not_after`, `cert_names`, `cert_chain` and, where
    /// the certificate is refused, `cert_refused`.
    ///
    /// # Errors
    /// When the handshake fails, the certificate is refused, or time is up.
    pub async fn secure(
        &self,
        tcp: TcpStream,
        host: &str,
        inside: Inside,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Stream, Fault> {
        self.secure_as(None, tcp, host, inside, deadline, trace).await
    }

    /// As [`Net::secure`], showing `identity` where the server asks for a certificate.
    ///
    /// # Errors
    /// As [`Net::secure`]; with TLS 1.3 a certificate is refused only after the handshake.
    pub async fn secure_as(
        &self,
        identity: Option<&Identity>,
        tcp: TcpStream,
        host: &str,
        inside: Inside,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Stream, Fault> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(literal.to_owned()).map_err(|_| {
            let detail = format!("{host} cannot be the name in a certificate");
            Fault::new(Reason::ProbeFault, detail)
        })?;
        let settings = match inside {
            Inside::Http => &self.tls.http,
            Inside::Other => &self.tls.plain,
        };
        let settings = match identity {
            None => settings.clone(),
            Some(identity) => {
                let mut own = ClientConfig::clone(settings);
                let certified = SingleCertAndKey::from(identity.0.clone());
                own.client_auth_cert_resolver = Arc::new(certified);
                Arc::new(own)
            }
        };
        let connector = TlsConnector::from(settings);
        trace.skip();
        let handshake = async {
            let done = deadline.bound(connector.connect(name, tcp)).await;
            (done, REFUSED.with(RefCell::take))
        };
        let (done, refused) = REFUSED.scope(RefCell::default(), handshake).await;
        trace.lap("tls");
        match done {
            None => Err(Fault::timeout("setting up TLS")),
            Some(Ok(tls)) => {
                note_session(tls.get_ref().1, trace);
                Ok(Stream::Tls(Box::new(tls)))
            }
            Some(Err(error)) => {
                note_chain(&refused, trace);
                let fault = handshake_fault(&error, &refused);
                if !refused.is_empty() {
                    trace.fact("cert_refused", &*fault.detail);
                }
                Err(fault)
            }
        }
    }
}

fn note_session(session: &rustls::ClientConnection, trace: &mut Trace) {
    if let Some(version) = session.protocol_version() {
        let text = match version {
            rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
            rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
            other => format!("{other:?}"),
        };
        trace.fact("tls_version", text);
    }
    if let Some(suite) = session.negotiated_cipher_suite() {
        trace.fact("tls_cipher", suite.suite().as_str().unwrap_or("unnamed"));
    }
    note_chain(session.peer_certificates().unwrap_or_default(), trace);
}

fn note_chain(chain: &[CertificateDer<'_>], trace: &mut Trace) {
    let Some(leaf) = chain.first() else {
        return;
    };
    trace.fact("cert_chain", chain.len().to_string());
    trace.keep_chain(&chain[..chain.len().min(MAX_CHAIN)]);
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else {
        return;
    };
    trace.fact("cert_subject", leaf.subject().to_string());
    trace.fact("cert_issuer", leaf.issuer().to_string());
    let not_after = Instant::nearest_s(leaf.validity().not_after.timestamp());
    trace.fact("cert_not_after", not_after.to_string());
    if let Ok(Some(names)) = leaf.subject_alternative_name() {
        let named = |name: &&GeneralName<'_>| {
            matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_))
        };
        let count = names.value.general_names.iter().filter(named).count();
        trace.fact("cert_names", count.to_string());
    }
}

/// What is kept of a certificate where the run fails (RFC 5280 section 4.1).
pub(super) fn certificate(der: &CertificateDer<'_>) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let validity = parsed.validity();
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|names| &names.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(Box::from(*name)),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string().into()),
            16 => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string().into()),
            _ => None,
        },
        _ => None,
    });
    let digest = Sha256::digest(der.as_ref());
    Some(Certificate {
        subject: parsed.subject().to_string().into(),
        issuer: parsed.issuer().to_string().into(),
        names: names.collect(),
        not_before: Instant::nearest_s(validity.not_before.timestamp()),
        not_after: Instant::nearest_s(validity.not_after.timestamp()),
        sha256: HEXLOWER.encode(&digest).into(),
        extra: Extra::default(),
    })
}

fn handshake_fault(error: &std::io::Error, chain: &[CertificateDer<'_>]) -> Fault {
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Fault::new(cert_reason(why, chain), why.to_string())
        }
        Some(other) => Fault::new(reason_of(other), other.to_string()),
        None => {
            let fault = Fault::io(error, "setting up TLS");
            match fault.reason {
                // TCP was there, so it is the encryption that the server does not set up
                Reason::ConnectionLost | Reason::ConnectRefused | Reason::ProbeFault => {
                    Fault::new(Reason::TlsHandshake, fault.detail)
                }
                _ => fault,
            }
        }
    }
}

/// What an error of an encrypted connection means. A server speaks of certificates only where it
/// means the client's (RFC 8446 section 6.2): the account's, or that there is none.
pub(super) fn reason_of(error: &rustls::Error) -> Reason {
    use rustls::AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error else { return Reason::TlsHandshake };
    match alert {
        Alert::CertificateRequired | Alert::NoCertificate => Reason::LogonUnsupported,
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => Reason::Credential,
        _ => Reason::TlsHandshake,
    }
}

fn cert_reason(why: &CertificateError, chain: &[CertificateDer<'_>]) -> Reason {
    use CertificateError as Why;
    match why {
        Why::Expired | Why::ExpiredContext { .. } => Reason::CertExpired,
        Why::NotValidYet | Why::NotValidYetContext { .. } => Reason::CertNotYetValid,
        Why::NotValidForName | Why::NotValidForNameContext { .. } => Reason::CertWrongName,
        // a known name with another key behind it is as unknown as no name at all
        Why::UnknownIssuer | Why::BadSignature => Reason::CertUntrusted,
        // webpki calls a self-signed authority that serves as its own leaf "CA used as end
        // entity"; what matters to a reader is that nobody known has signed it
        Why::Other(OtherError(_)) if is_self_signed(chain) => Reason::CertUntrusted,
        _ => Reason::CertInvalid,
    }
}

fn is_self_signed(chain: &[CertificateDer<'_>]) -> bool {
    let leaf = chain.first().map(|leaf| X509Certificate::from_der(leaf));
    matches!(leaf, Some(Ok((_, leaf))) if leaf.subject() == leaf.issuer())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
