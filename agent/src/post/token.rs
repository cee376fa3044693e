//! The id that a message bears: which run it belongs to, and the proof that this agent made it.
//! Nobody without the agent's key can make one, so a mailbox may hold what it likes.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use ring::hmac;

use crate::file;

/// RFC 4648 section 6, in lower case: it survives local parts that are not case sensitive.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const PROOF_BYTES: usize = 12;
/// The length of a token as text.
pub const TOKEN_CHARS: usize = (ID_BYTES + PROOF_BYTES) * 8 / 5;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refuses.
    #[error("{what} {path}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("expected {KEY_BYTES} bytes in {path}, got {got}")]
    Length {
        /// Which file.
        path: PathBuf,
        /// How many there are.
        got: usize,
    },
    /// The system gives no random bytes.
    #[error("ask the system for random bytes: {0}")]
    Random(getrandom::Error),
}

/// The id of a message, as it stands in headers and addresses.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(Box<str>);

impl Token {
    /// The text; it is no secret to the servers it passes, and never shown to readers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Makes tokens and knows its own again.
pub struct Mint {
    agent: Box<str>,
    key: hmac::Key,
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint").finish_non_exhaustive()
    }
}

impl Mint {
    /// The mint of an agent whose key stands in `path`; a new key is made where there is none.
    ///
    /// # Errors
    /// When the key can neither be read nor made.
    pub fn open(agent: &str, path: &Path) -> Result<Self, KeyError> {
        let failed = |what| move |source| KeyError::Io { what, path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let bytes = random::<KEY_BYTES>()?;
                file::replace_surely(path, &bytes).map_err(failed("write"))?;
                bytes.to_vec()
            }
            Err(source) => return Err(failed("read")(source)),
        };
        if bytes.len() != KEY_BYTES {
            return Err(KeyError::Length { path: path.to_owned(), got: bytes.len() });
        }
        Ok(Self::with_key(agent, &bytes))
    }

    /// A mint whose key nobody keeps.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn passing(agent: &str) -> Result<Self, KeyError> {
        Ok(Self::with_key(agent, &random::<KEY_BYTES>()?))
    }

    fn with_key(agent: &str, key: &[u8]) -> Self {
        Self { agent: Box::from(agent), key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// A token for a run. No two are the same, also for the same run.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn make(&self, probe: &str, due_ms: i64, attempt: u32) -> Result<Token, KeyError> {
        let salt = random::<16>()?;
        let mut of_run = hmac::Context::with_key(&self.key);
        of_run.update(b"run\0");
        of_run.update(self.agent.as_bytes());
        of_run.update(b"\0");
        of_run.update(probe.as_bytes());
        of_run.update(b"\0");
        of_run.update(&due_ms.to_be_bytes());
        of_run.update(&attempt.to_be_bytes());
        of_run.update(&salt);
        let mut bytes = of_run.sign().as_ref()[..ID_BYTES].to_vec();
        let proof = self.proof(&bytes);
        bytes.extend_from_slice(&proof);
        Ok(Token(encode(&bytes).into()))
    }

    fn proof(&self, id: &[u8]) -> [u8; PROOF_BYTES] {
        let mut of_id = hmac::Context::with_key(&self.key);
        of_id.update(b"id\0");
        of_id.update(self.agent.as_bytes());
        of_id.update(b"\0");
        of_id.update(id);
        let mut proof = [0; PROOF_BYTES];
        proof.copy_from_slice(&of_id.sign().as_ref()[..PROOF_BYTES]);
        proof
    }

    /// The token that `text` is, if this agent made it.
    #[must_use]
    pub fn know(&self, text: &str) -> Option<Token> {
        let text = text.trim().to_ascii_lowercase();
        if text.len() != TOKEN_CHARS {
            return None;
        }
        let bytes = decode(&text)?;
        let (id, proof) = bytes.split_at(ID_BYTES);
        // the time it takes tells nothing about how much of it was right
        let mut differ = 0;
        for (a, b) in self.proof(id).iter().zip(proof) {
            differ |= a ^ b;
        }
        (differ == 0).then(|| Token(text.into()))
    }

    /// The tag of an address (`local+TOKEN@domain`), if this agent made it.
    #[must_use]
    pub fn know_address(&self, address: &str) -> Option<Token> {
        let (local, _) = address.rsplit_once('@')?;
        let (_, tag) = local.rsplit_once('+')?;
        self.know(tag)
    }

    /// All tokens of this agent in a text, each once, at most `limit`.
    #[must_use]
    pub fn find(&self, text: &[u8], limit: usize) -> Vec<Token> {
        let mut found: Vec<Token> = Vec::new();
        let in_token = |b: &u8| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(b);
        for word in text.split(|b| !in_token(b)).filter(|word| word.len() == TOKEN_CHARS) {
            let known = std::str::from_utf8(word).ok().and_then(|word| self.know(word));
            if let Some(token) = known.filter(|token| !found.contains(token)) {
                found.push(token);
                if found.len() >= limit {
                    break;
                }
            }
        }
        found
    }
}

/// `address` with the token behind a `+` in its local part (RFC 5233).
#[must_use]
pub fn tagged(address: &str, token: &Token) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}+{}@{domain}", token.as_str()),
        None => format!("{address}+{}", token.as_str()),
    }
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

/// Five bits a character; the lengths used here leave none over.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0u32, 0u32);
    for c in text.bytes() {
        let value = match c {
            b'a'..=b'z' => c - b'a',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        held = (held << 5 | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_agent_knows_its_own_tokens_and_no_other() {
        let mint = Mint::passing("leeds-1").unwrap();
        let token = mint.make("mail-in", 1_000, 0).unwrap();
        assert_eq!(token.as_str().len(), TOKEN_CHARS);
        assert_ne!(token, mint.make("mail-in", 1_000, 0).unwrap());
        assert_eq!(mint.know(&token.as_str().to_uppercase()), Some(token.clone()));
        let address = tagged("probe@sink.test", &token);
        assert_eq!(mint.know_address(&address), Some(token.clone()));
        assert_eq!(Mint::passing("leeds-1").unwrap().know(token.as_str()), None);
        let text = format!("Message-ID: <{}@x>\r\nagain {}", token.as_str(), token.as_str());
        assert_eq!(mint.find(text.as_bytes(), 5), std::slice::from_ref(&token));
        for at in 0..TOKEN_CHARS {
            let mut forged = token.as_str().as_bytes().to_vec();
            forged[at] = if forged[at] == b'a' { b'b' } else { b'a' };
            assert_eq!(mint.know(std::str::from_utf8(&forged).unwrap()), None, "at {at}");
        }
    }

    #[test]
    fn the_key_is_kept_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.key");
        let token = Mint::open("a", &path).unwrap().make("p", 0, 0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Mint::open("a", &path).unwrap().know(token.as_str()).is_some());
        assert!(Mint::open("b", &path).unwrap().know(token.as_str()).is_none());
        fs::write(&path, "short").unwrap();
        let error = Mint::open("a", &path).unwrap_err();
        assert!(error.to_string().contains("expected 32 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let mint = Mint::with_key("a", &[7; 32]);
            prop_assert_eq!(mint.know(&text), None);
            prop_assert_eq!(mint.know_address(&text), None);
            prop_assert!(mint.find(&bytes, 3).is_empty());
        }

        #[test]
        fn text_and_bytes_agree(bytes in proptest::collection::vec(any::<u8>(), 20..=20)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
