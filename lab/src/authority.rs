//! The lab's certificate authority: one right certificate and four that a client must refuse
//! (RFC 5280 §4.1.2.5 for dates, RFC 6125 §6.4 for names).

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::LabError;
use crate::fault::{Certificate, Fault};

/// Acceptors for every certificate the lab can show.
pub(crate) struct Authority {
    pem: String,
    good: TlsAcceptor,
    expired: TlsAcceptor,
    not_yet_valid: TlsAcceptor,
    wrong_name: TlsAcceptor,
    self_signed: TlsAcceptor,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    pub(crate) fn new(domain: &str) -> Result<Self, LabError> {
        let made = LabError::Certificate;
        let issuer_key = KeyPair::generate().map_err(made)?;
        let mut root = CertificateParams::new(Vec::new()).map_err(made)?;
        root.distinguished_name.push(DnType::CommonName, "Mailward lab authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (root.not_before, root.not_after) = (date_time_ymd(2015, 1, 1), date_time_ymd(2200, 1, 1));
        let pem = root.self_signed(&issuer_key).map_err(made)?.pem();
        let issuer = Issuer::new(root, issuer_key);

        let key = KeyPair::generate().map_err(made)?;
        let names = || {
            let host = |name: &str| format!("{name}.{domain}");
            vec![
                host("mail"),
                host("portal"),
                host("autodiscover"),
                domain.to_owned(),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ]
        };
        let signed = |params: CertificateParams| {
            let certificate = params.signed_by(&key, &issuer).map_err(made)?;
            acceptor(certificate.der(), &key)
        };
        let good = leaf(names()).map_err(made)?;
        let mut expired = leaf(names()).map_err(made)?;
        expired.not_after = date_time_ymd(2019, 2, 18);
        let mut not_yet_valid = leaf(names()).map_err(made)?;
        not_yet_valid.not_before = date_time_ymd(2150, 1, 1);
        let wrong_name = leaf(vec!["other.invalid".to_owned()]).map_err(made)?;
        let self_signed = leaf(names()).map_err(made)?.self_signed(&key).map_err(made)?;
        Ok(Self {
            pem,
            good: signed(good)?,
            expired: signed(expired)?,
            not_yet_valid: signed(not_yet_valid)?,
            wrong_name: signed(wrong_name)?,
            self_signed: acceptor(self_signed.der(), &key)?,
        })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The acceptor that a part with this fault shows itself with.
    pub(crate) fn acceptor(&self, fault: Option<&Fault>) -> TlsAcceptor {
        let chosen = match fault {
            Some(Fault::Certificate(Certificate::Expired)) => &self.expired,
            Some(Fault::Certificate(Certificate::NotYetValid)) => &self.not_yet_valid,
            Some(Fault::Certificate(Certificate::WrongName)) => &self.wrong_name,
            Some(Fault::Certificate(Certificate::SelfSigned)) => &self.self_signed,
            _ => &self.good,
        };
        chosen.clone()
    }
}

fn leaf(names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let common_name = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (date_time_ymd(2018, 1, 1), date_time_ymd(2200, 1, 1));
    Ok(params)
}

fn acceptor(certificate: &CertificateDer<'_>, key: &KeyPair) -> Result<TlsAcceptor, LabError> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(LabError::Tls)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone().into_owned()], key)
        .map_err(LabError::Tls)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
