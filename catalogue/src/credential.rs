//! Accounts by reference: where a secret is kept, never the secret. Reading one happens when
//! a probe needs it, and what was read never shows in `Debug`.

use std::fmt;
use std::path::PathBuf;

/// `[[credential]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: String,
    /// The account's name.
    pub username: String,
    /// What proves it.
    pub means: Means,
    /// What it shows when a connection is encrypted, beside that or alone.
    pub certificate: Option<ClientCertificate>,
    /// Whether more than one agent may use the account.
    pub shared: bool,
}

impl Credential {
    /// Where its password is kept; `None` where a token or a certificate stands for it.
    #[must_use]
    pub const fn password(&self) -> Option<&SecretRef> {
        match &self.means {
            Means::Password(place) => Some(place),
            Means::OAuth(_) | Means::Certificate => None,
        }
    }
}

/// What proves an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A password, kept here.
    Password(SecretRef),
    /// Access tokens that are fetched when they are needed.
    OAuth(OAuth),
    /// Its certificate alone.
    Certificate,
}

/// A certificate for the client's side of TLS (RFC 8446 section 4.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Where the certificate and its chain are kept, as PEM.
    pub certificate: SecretRef,
    /// Where its private key is kept, as PEM.
    pub key: SecretRef,
}

/// How access tokens are fetched (OAuth 2.0, RFC 6749).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// The token endpoint; https.
    pub token_url: String,
    /// Who asks.
    pub client_id: String,
    /// What proves who asks; a public client has none.
    pub client_secret: Option<SecretRef>,
    /// What the token is asked for with.
    pub grant: Grant,
    /// What the token is to be good for.
    pub scope: Option<String>,
}

/// What an access token is asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A refresh token, kept here (RFC 6749 section 6).
    RefreshToken(SecretRef),
    /// Nothing but the client itself (RFC 6749 section 4.4).
    ClientCredentials,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In this file; one trailing newline is cut off.
    File(PathBuf),
    /// In this environment variable.
    Env(String),
    /// In this file of `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`).
    Systemd(String),
}

/// A secret that was read. It shows itself to nobody but [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Never log, store or show it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret could not be read; never says what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("read secret from {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The environment variable is not set or not text.
    #[error("environment variable {0} is not set, or is not UTF-8")]
    Env(String),
    /// systemd passed no credentials.
    #[error("credential {0} was asked of systemd, but CREDENTIALS_DIRECTORY is not set")]
    NoDirectory(String),
    /// What was read is empty.
    #[error("the secret in {0} is empty")]
    Empty(String),
}

/// The largest secret accepted, in bytes.
pub const MAX_SECRET_BYTES: u64 = 64 * 1024;

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// When the place is not there, not readable, not UTF-8 or empty.
    pub fn read(&self) -> Result<Secret, SecretError> {
        let text = match self {
            Self::File(path) => read_file(path)?,
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
            Self::Systemd(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| SecretError::NoDirectory(name.clone()))?;
                read_file(&PathBuf::from(directory).join(name))?
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SecretError::Empty(self.to_string()));
        }
        Ok(Secret::new(text.to_owned()))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Systemd(name) => write!(f, "systemd credential {name}"),
        }
    }
}

fn read_file(path: &std::path::Path) -> Result<String, SecretError> {
    use std::io::Read;
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
