//! A client's certificate with its key, read from PEM. When it is shown, and to whom, is left to
//! those who make connections.

use std::sync::Arc;

use mailward_catalogue::Secret;
use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::MAX_CHAIN;

/// A certificate with its key, to be shown where a server asks for one in the handshake
/// (RFC 8446 section 4.4.2). `Debug` shows neither.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

/// Why a certificate cannot be shown; never says what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There is no certificate.
    #[error("expected a certificate as PEM, found none")]
    Certificate,
    /// There is no private key.
    #[error("expected a private key as PEM, found none")]
    Key,
    /// The key is of no use for TLS.
    #[error("expected an RSA, ECDSA or Ed25519 key that belongs to the certificate")]
    Mismatch,
}

impl Identity {
    /// Reads a certificate with its chain, and its key, both as PEM.
    ///
    /// # Errors
    /// When there is none of them, or they do not belong together.
    pub fn read(certificate: &Secret, key: &Secret) -> Result<Self, IdentityError> {
        let chain = CertificateDer::pem_slice_iter(certificate.expose().as_bytes())
            .take(MAX_CHAIN)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| IdentityError::Certificate)?;
        if chain.is_empty() {
            return Err(IdentityError::Certificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            .map_err(|_| IdentityError::Key)?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key)
            .map_err(|_| IdentityError::Mismatch)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // a kind of key whose public half cannot be told is taken at its word
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(certified)))
            }
            Err(_) => Err(IdentityError::Mismatch),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
