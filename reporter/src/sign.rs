//! Ed25519 keys (RFC 8032) that sign editions, in the forms that openssl reads and writes:
//! PKCS #8 and SubjectPublicKeyInfo in PEM (RFC 8410). What is signed is `publish/`'s business.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;
use mailward_catalogue::credential::SecretError;
use mailward_catalogue::{Secret, SecretRef};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The file of the key in the data directory, where the definition names no other.
pub const FILE: &str = "signing-key.pem";
/// PKCS #8 before the 32 bytes of the key (RFC 8410 section 7), without the public key: openssl
/// before version 3.2 does not read the form that has it.
const PRIVATE_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// SubjectPublicKeyInfo before the 32 bytes of the key (RFC 8410 section 4).
const PUBLIC_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The longest PEM that is looked at; a key has 120 bytes.
const MAX_PEM: usize = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The place that the definition names cannot be read.
    #[error("read the key that signs editions")]
    Secret(#[source] SecretError),
    /// The file in the data directory cannot be read or made.
    #[error("keep the key that signs editions in {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was read is no such key. It is not shown.
    #[error("expected an Ed25519 key in PKCS #8, PEM, such as `mailward keys new` makes")]
    NoKey,
    /// What was read is no public key.
    #[error("expected an Ed25519 public key in PEM, got something else")]
    NoPublicKey,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// A key that signs. It shows nothing of itself but its public half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

impl SigningKey {
    /// Makes a new key; also as PEM, to be kept.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<(Self, Secret), SignError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| SignError::Random)?;
        let der = [&PRIVATE_HEAD[..], &seed].concat();
        let pem = Secret::new(armour("PRIVATE KEY", &der));
        Ok((Self::from_pem(&pem)?, pem))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// When the text is not a key of this kind in PKCS #8, PEM.
    pub fn from_pem(pem: &Secret) -> Result<Self, SignError> {
        let der = bare("PRIVATE KEY", pem.expose()).ok_or(SignError::NoKey)?;
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| SignError::NoKey)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| SignError::NoKey)?;
        Ok(Self { pair, public: PublicKey(bytes) })
    }

    /// The key of this definition and data directory; one is made there where there is none.
    ///
    /// # Errors
    /// When it cannot be read, is no such key, or cannot be made.
    pub fn of(place: Option<&SecretRef>, data: &Path) -> Result<Self, SignError> {
        if let Some(place) = place {
            return Self::from_pem(&place.read().map_err(SignError::Secret)?);
        }
        let path = data.join(FILE);
        let failed = |source| SignError::File { path: path.clone(), source };
        match std::fs::read_to_string(&path) {
            Ok(pem) => Self::from_pem(&Secret::new(pem)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (_, pem) = Self::generate()?;
                keep(&path, &pem).map_err(failed)?;
                // whoever came first has made the key
                let pem = std::fs::read_to_string(&path).map_err(failed)?;
                Self::from_pem(&Secret::new(pem))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Signs a text.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.pair.sign(text).as_ref().to_vec()
    }

    /// What its signatures are checked with.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// Keeps a key in a file that only its owner may read. A file that is there stays as it is.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(path: &Path, pem: &Secret) -> std::io::Result<()> {
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty());
    if let Some(directory) = directory {
        std::fs::create_dir_all(directory)?;
    }
    // whole or not at all, and never over another key
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{number}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    let written = file.write_all(pem.expose().as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    std::fs::remove_file(&draft)?;
    linked
}

/// What signatures are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// When the text is not an Ed25519 key in SubjectPublicKeyInfo, PEM.
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let der = bare("PUBLIC KEY", pem).ok_or(SignError::NoPublicKey)?;
        let key = der.strip_prefix(&PUBLIC_HEAD).ok_or(SignError::NoPublicKey)?;
        key.try_into().map(Self).map_err(|_| SignError::NoPublicKey)
    }

    /// The key in PEM, as openssl writes it.
    #[must_use]
    pub fn to_pem(&self) -> String {
        armour("PUBLIC KEY", &self.der())
    }

    /// The key's id: the first 16 hexadecimal digits of the SHA-256 of its DER form.
    #[must_use]
    pub fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.der())[..8])
    }

    /// Whether this is a signature over the text by the key's other half.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(text, signature).is_ok()
    }

    fn der(&self) -> Vec<u8> {
        [&PUBLIC_HEAD[..], &self.0].concat()
    }
}

/// RFC 7468: text encoding in its strict form; these keys fit one line.
fn armour(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn bare(label: &str, pem: &str) -> Option<Vec<u8>> {
    if pem.len() > MAX_PEM {
        return None;
    }
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (text, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    /// A key for tests.
    pub(crate) fn key() -> &'static SigningKey {
        static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap().0);
        &KEY
    }

    /// RFC 8410 section 10.3, the key without its public half, and the public key of 10.1.
    #[test]
    fn it_reads_the_keys_of_the_standard() {
        let private = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        let key = SigningKey::from_pem(&Secret::new(private.to_owned())).unwrap();
        assert_eq!(key.public().to_pem(), public);
        assert_eq!(PublicKey::from_pem(public).unwrap(), *key.public());
    }

    #[test]
    fn what_it_signs_it_verifies_and_nothing_else() {
        let (key, pem) = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&pem).unwrap();
        let signature = again.sign(b"a month");
        assert!(key.public().verifies(b"a month", &signature));
        assert!(!key.public().verifies(b"A month", &signature));
        assert!(!self::key().public().verifies(b"a month", &signature));
        assert!(!key.public().verifies(b"a month", &signature[..63]));
        let shown = format!("{key:?} {pem:?}");
        assert!(!shown.contains(pem.expose().lines().nth(1).unwrap()), "{shown}");
    }

    #[test]
    fn the_first_to_need_it_makes_it_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let make = || SigningKey::of(None, dir.path()).unwrap().public().id();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let place = SecretRef::File(path.clone());
        let named = SigningKey::of(Some(&place), Path::new("/nowhere")).unwrap();
        assert_eq!(named.public().id(), keys[0]);
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");

        std::fs::write(&path, "no key").unwrap();
        let error = SigningKey::of(None, dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected an Ed25519 key in PKCS #8, PEM, such as `mailward keys new` makes"
        );
    }

    proptest! {
        #[test]
        fn rubbish_is_an_error(text in "(-----BEGIN P[A-Z]* KEY-----)?[ -~\n]{0,200}") {
            prop_assert!(PublicKey::from_pem(&text).is_err());
            prop_assert!(SigningKey::from_pem(&Secret::new(text)).is_err());
        }
    }
}
