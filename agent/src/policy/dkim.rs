//! DKIM key records (RFC 6376 section 3.6.1; RFC 8301 on lengths and SHA-1; RFC 8463 on Ed25519).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::tags::Tags;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What sort, and how long.
    pub kind: KeyKind,
    /// Whether receivers are asked to treat signed mail as if it were not (`t=y`).
    pub testing: bool,
}

/// What sort of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA of so many bits.
    Rsa(usize),
    /// Ed25519.
    Ed25519,
}

/// Why a record is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// `p=` is empty.
    Revoked,
    /// It is not in order.
    Invalid(String),
}

/// Reads a key record.
///
/// # Errors
/// When it is revoked or not in order.
pub fn parse(text: &str) -> Result<Key, NoKey> {
    let invalid = |problem: &str| NoKey::Invalid(problem.to_owned());
    let tags = Tags::parse(text).map_err(NoKey::Invalid)?;
    if tags.get("v").is_some() && !tags.begins_with("DKIM1") {
        return Err(invalid("expected v=DKIM1 in the first place"));
    }
    let Some(key) = tags.get("p") else {
        return Err(invalid("there is no p"));
    };
    let key: String = key.split_ascii_whitespace().collect();
    if key.is_empty() {
        return Err(NoKey::Revoked);
    }
    let has = |tag: &str, word: &str| {
        tags.get(tag).is_none_or(|list| list.split(':').any(|w| w.trim() == word))
    };
    if !has("h", "sha256") {
        return Err(invalid("h does not allow sha256, and nothing else may be used"));
    }
    if !has("s", "*") && !has("s", "email") {
        return Err(invalid("s does not allow email"));
    }
    let flags = tags.get("t").unwrap_or_default();
    let testing = flags.split(':').any(|flag| flag.trim() == "y");
    let bytes = BASE64_STANDARD.decode(&key).map_err(|_| invalid("p is not base64"))?;
    let kind = match tags.get("k").unwrap_or("rsa") {
        "rsa" => KeyKind::Rsa(rsa_bits(&bytes).ok_or_else(|| invalid("p is no RSA key"))?),
        "ed25519" if bytes.len() == 32 => KeyKind::Ed25519,
        "ed25519" => return Err(invalid("expected 32 bytes of an Ed25519 key in p")),
        other => return Err(NoKey::Invalid(format!("nobody knows k={other}"))),
    };
    Ok(Key { kind, testing })
}

/// The length of a key as SubjectPublicKeyInfo, or, as some publish it, as bare RSAPublicKey.
fn rsa_bits(bytes: &[u8]) -> Option<usize> {
    if let Ok((_, info)) = SubjectPublicKeyInfo::from_der(bytes) {
        return match info.parsed() {
            Ok(PublicKey::RSA(key)) => Some(significant_bits(key.modulus)),
            _ => None,
        };
    }
    let (_, key) = x509_parser::public_key::RSAPublicKey::from_der(bytes).ok()?;
    Some(significant_bits(key.modulus))
}

fn significant_bits(modulus: &[u8]) -> usize {
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let rest = &modulus[zeros..];
    rest.first().map_or(0, |first| rest.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A SubjectPublicKeyInfo of a modulus of so many bytes, all of them 0xC1.
    fn rsa(bytes: usize) -> String {
        fn der(tag: u8, content: &[u8]) -> Vec<u8> {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            let mut out = vec![tag, 0x82, length[0], length[1]];
            out.extend_from_slice(content);
            out
        }
        let mut modulus = vec![0];
        modulus.extend(vec![0xC1; bytes]);
        let mut key = der(0x02, &modulus);
        key.extend(der(0x02, &[1, 0, 1]));
        let key = der(0x30, &key);
        let mut bits = vec![0];
        bits.extend(key);
        // AlgorithmIdentifier of rsaEncryption (RFC 3279 section 2.3.1)
        let oid = [6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
        let mut info = der(0x30, &oid);
        info.extend(der(0x03, &bits));
        BASE64_STANDARD.encode(der(0x30, &info))
    }

    #[test]
    fn keys_and_what_is_none() {
        let check = |text: &str, expect: Result<KeyKind, &str>| {
            let read = parse(text).map(|key| key.kind).map_err(|no| match no {
                NoKey::Revoked => "revoked".to_owned(),
                NoKey::Invalid(problem) => problem,
            });
            match (&read, expect) {
                (Ok(kind), Ok(expect)) => assert_eq!(*kind, expect, "{text}"),
                (Err(problem), Err(part)) => assert!(problem.contains(part), "{text}: {problem}"),
                (_, expect) => panic!("{text}: {read:?}, expected {expect:?}"),
            }
        };
        check(&format!("v=DKIM1; k=rsa; p={}", rsa(256)), Ok(KeyKind::Rsa(2048)));
        check(&format!("p={}", rsa(64)), Ok(KeyKind::Rsa(512)));
        let (head, tail) = (&rsa(128)[..20], &rsa(128)[20..]);
        check(&format!("v=DKIM1; p={head} {tail}"), Ok(KeyKind::Rsa(1024)));
        let ed = BASE64_STANDARD.encode([7; 32]);
        check(&format!("v=DKIM1; k=ed25519; p={ed}"), Ok(KeyKind::Ed25519));
        check("v=DKIM1; k=ed25519; p=AAAA", Err("32 bytes"));
        check("v=DKIM1; p=", Err("revoked"));
        check("v=DKIM1; k=rsa", Err("no p"));
        check("v=DKIM1; p=@@@", Err("not base64"));
        check("v=DKIM1; p=AAAA", Err("no RSA key"));
        check(&format!("v=DKIM2; p={ed}"), Err("v=DKIM1"));
        check(&format!("k=rsa; v=DKIM1; p={ed}"), Err("first place"));
        check(&format!("k=dsa; p={ed}"), Err("k=dsa"));
        check(&format!("h=sha1; p={}", rsa(256)), Err("sha256"));
        check(&format!("s=tlsrpt; p={}", rsa(256)), Err("email"));
        check("v=spf1 -all", Err("v=DKIM1"));
        let testing = parse(&format!("v=DKIM1; t=y:s; p={}", rsa(256))).unwrap();
        assert!(testing.testing);
    }

    proptest! {
        #[test]
        fn nothing_upsets_it(text in "(v=DKIM1; )?(k=(rsa|ed25519); )?p=[A-Za-z0-9+/=]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn nor_does_a_damaged_key(at in 0usize..60, byte in any::<u8>()) {
            let mut bytes = BASE64_STANDARD.decode(rsa(64)).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&format!("p={}", BASE64_STANDARD.encode(bytes)));
        }
    }
}
