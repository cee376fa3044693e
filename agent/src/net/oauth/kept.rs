//! A refresh token that the endpoint gave in place of the declared one (RFC 6749 section 6), in
//! a file that only the agent's own user can read: one that can be used once only would be lost
//! with the program, and the account with it. When it is asked with is left to `oauth`.

use std::fs::File;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use mailward_catalogue::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::file;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// A refresh token, and which declared one it took the place of.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) token: Secret,
    /// SHA-256 of the declared one.
    instead_of: String,
}

impl Replaced {
    pub(super) fn new(declared: &Secret, token: Secret) -> Self {
        Self { token, instead_of: digest(declared) }
    }

    /// Whether it took the place of this one.
    pub(super) fn stands_for(&self, declared: &Secret) -> bool {
        self.instead_of == digest(declared)
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    instead_of: String,
    refresh_token: String,
}

/// The file of one account; removing it makes the declared token the one that is used.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
}

impl Kept {
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What took the place of `declared`, if that was kept.
    pub(super) fn read(&self, declared: &Secret) -> Option<Replaced> {
        match read(&self.path) {
            Ok(written) => {
                let token = Secret::new(written.refresh_token);
                let kept = Replaced { token, instead_of: written.instead_of };
                kept.stands_for(declared).then_some(kept)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let path = self.path.display();
                tracing::error!(%path, %error, "a kept refresh token cannot be read");
                None
            }
        }
    }

    /// Keeps it, on disk before this returns. Where that fails it is good until the program ends.
    pub(super) fn write(&self, replaced: &Replaced) {
        let written = Written {
            instead_of: replaced.instead_of.clone(),
            refresh_token: replaced.token.expose().to_owned(),
        };
        if let Err(error) = write(&self.path, &written) {
            let path = self.path.display();
            tracing::error!(%path, %error, "a new refresh token cannot be kept");
        }
    }
}

fn digest(secret: &Secret) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.expose().as_bytes()))
}

fn read(path: &Path) -> std::io::Result<Written> {
    use std::io::Read;
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    // an error of the parser could repeat the token
    serde_json::from_str(&text).map_err(|_| std::io::Error::other("not as it was written"))
}

fn write(path: &Path, written: &Written) -> std::io::Result<()> {
    file::replace_surely(path, &serde_json::to_vec(written)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn it_is_kept_for_the_declared_one_and_for_nobody_else_to_read() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tokens").join("m365");
        let kept = Kept::at(path.clone());
        assert!(kept.read(&secret("declared")).is_none());
        kept.write(&Replaced::new(&secret("declared"), secret("newer")));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let again = Kept::at(path.clone());
        assert_eq!(again.read(&secret("declared")).unwrap().token, secret("newer"));
        assert!(again.read(&secret("declared anew")).is_none());
        assert!(!fs::read_to_string(&path).unwrap().contains("declared"));
        fs::write(&path, "{\"refresh_token\":").unwrap();
        assert!(again.read(&secret("declared")).is_none());
    }

    #[test]
    fn a_stale_file_does_not_lend_its_mode() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("m365");
        fs::write(path.with_extension("new"), "left behind").unwrap();
        Kept::at(path.clone()).write(&Replaced::new(&secret("a"), secret("b")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
