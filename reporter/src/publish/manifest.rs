//! The text that is signed: what an edition is, and each of its parts by name and SHA-256, in the
//! form that sha256sum checks. Lines that begin with # are about the edition as a whole.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::render::columns::clean;
use crate::report::model::Report;
use crate::sign::{PublicKey, SigningKey};
use crate::store::{NewEdition, Seal};

/// The first line.
const HEAD: &str = "# mailward edition, format 1";
/// The longest manifest that is read.
const MAX_BYTES: usize = 64 * 1024;

/// The file that holds the text.
pub const MANIFEST: &str = "manifest.txt";
/// The file that holds the signature: 64 bytes.
pub const SIGNATURE: &str = "manifest.sig";
/// The file that holds the public key.
pub const PUBLIC_KEY: &str = "public-key.pem";
/// The parts of an edition, in the order in which they are listed.
pub const PARTS: [&str; 6] =
    ["daily.csv", DEFINITION, EVIDENCE, "outages.csv", REPORT, "report.pdf"];
/// The evidence: JSON lines, packed with zstd.
pub const EVIDENCE: &str = "evidence.zst";
/// What was promised, and by which rules it was judged.
pub const DEFINITION: &str = "definition.toml";
/// The figures.
pub const REPORT: &str = "report.json";

/// The bytes of a part of an edition.
#[must_use]
pub fn part<'a>(edition: &'a NewEdition, name: &str) -> Option<&'a [u8]> {
    Some(match name {
        "daily.csv" => edition.daily_csv.as_bytes(),
        DEFINITION => edition.definition_toml.as_bytes(),
        EVIDENCE => &edition.segments,
        "outages.csv" => edition.outages_csv.as_bytes(),
        REPORT => edition.report_json.as_bytes(),
        "report.pdf" => &edition.pdf,
        MANIFEST => edition.seal.as_ref()?.manifest.as_bytes(),
        SIGNATURE => &edition.seal.as_ref()?.signature,
        PUBLIC_KEY => edition.seal.as_ref()?.public_key.as_bytes(),
        _ => return None,
    })
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Signs an edition.
pub(super) fn seal(edition: &NewEdition, report: &Report, key: &SigningKey) -> Seal {
    let digest = |name: &str| part(edition, name).map(|bytes| (name.to_owned(), sha256(bytes)));
    let manifest = Manifest {
        about: about(report, key.public()),
        parts: PARTS.iter().filter_map(|name| digest(name)).collect(),
    };
    let manifest = manifest.to_string();
    Seal { signature: key.sign(manifest.as_bytes()), public_key: key.public().to_pem(), manifest }
}

/// The first part of an edition that is not what was signed, as a disk that fails would leave it;
/// `None` where all are, and where nothing was signed.
#[must_use]
pub fn damaged(edition: &NewEdition) -> Option<String> {
    let seal = edition.seal.as_ref()?;
    let text = seal.manifest.as_bytes();
    let signed =
        PublicKey::from_pem(&seal.public_key).is_ok_and(|key| key.verifies(text, &seal.signature));
    let Some(manifest) = Manifest::parse(text).ok().filter(|_| signed) else {
        return Some(MANIFEST.to_owned());
    };
    let is_it = |(name, digest): &&(String, String)| {
        part(edition, name).is_some_and(|bytes| sha256(bytes) == **digest)
    };
    let found = manifest.parts.iter().find(|part| !is_it(part));
    found.map(|(name, _)| name.clone())
}

/// What an edition is, by name.
fn about(report: &Report, key: &PublicKey) -> Vec<(String, String)> {
    let number = |n: Option<u32>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let at = |at: crate::report::model::At| {
        mailward_evidence::Instant::from_ms(at.0).map(|at| at.to_string()).unwrap_or_default()
    };
    let lines = [
        ("service", report.service.clone()),
        ("month", report.month.clone()),
        ("zone", report.zone.clone()),
        ("edition", number(report.edition)),
        ("supersedes", number(report.supersedes)),
        ("as-of", at(report.as_of)),
        ("published", report.published_at.map(at).unwrap_or_default()),
        ("program", report.method.program.clone()),
        ("zone-data", report.method.zone_data.clone()),
        ("key", key.id()),
    ];
    lines.map(|(name, text)| (name.to_owned(), clean(&text))).into()
}

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What the edition is, by name.
    about: Vec<(String, String)>,
    /// Its parts: name and SHA-256.
    pub parts: Vec<(String, String)>,
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is too long, no text, or does not begin as one.
    #[error("expected a manifest that begins with {HEAD:?}")]
    Head,
    /// A line is not what it should be.
    #[error("line {0} of the manifest: expected \"# NAME: TEXT\" or a SHA-256 and a name")]
    Line(usize),
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is not what [`fmt::Display`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::Head)?;
        if text.len() > MAX_BYTES {
            return Err(ManifestError::Head);
        }
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(ManifestError::Head);
        }
        let mut read = Self { about: Vec::new(), parts: Vec::new() };
        for (i, line) in lines.enumerate() {
            let known = match line.strip_prefix("# ").and_then(|line| line.split_once(": ")) {
                Some((name, text)) => {
                    read.about.push((name.to_owned(), text.to_owned()));
                    true
                }
                None => line.split_once("  ").is_some_and(|(digest, name)| {
                    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
                    read.parts.push((name.to_owned(), digest.to_owned()));
                    digest.len() == 64 && digest.bytes().all(hex) && is_plain(name)
                }),
            };
            if !known {
                return Err(ManifestError::Line(i + 2));
            }
        }
        Ok(read)
    }

    /// What it says of the edition under this name.
    #[must_use]
    pub fn says(&self, name: &str) -> Option<&str> {
        self.about.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// Where it does not fit the report beside it: sentences, none where it does.
    #[must_use]
    pub fn misfits(&self, report: &Report, key: &PublicKey) -> Vec<String> {
        let expected = about(report, key);
        let differing = expected.iter().filter(|(name, text)| self.says(name) != Some(text));
        differing
            .map(|(name, text)| {
                let said = self.says(name).unwrap_or("nothing");
                format!("{name}: the manifest says {said:?}, the report {text:?}")
            })
            .collect()
    }
}

/// Whether this is the name of a file and not the way to one.
fn is_plain(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(fine)
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        self.about.iter().try_for_each(|(name, text)| writeln!(f, "# {name}: {text}"))?;
        self.parts.iter().try_for_each(|(name, digest)| writeln!(f, "{digest}  {name}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::fixture;
    use crate::sign;

    #[test]
    fn it_says_what_the_edition_is_in_lines() {
        let mut report = fixture::october();
        report.service = "Post\n# key: another".to_owned();
        let mut about = about(&report, sign::tests::key().public());
        about.retain(|(name, _)| !["program", "zone-data", "key"].contains(&name.as_str()));
        let parts = vec![("report.json".to_owned(), sha256(b"{}"))];
        let manifest = Manifest { about, parts };
        insta::assert_snapshot!(manifest, @r"
        # mailward edition, format 1
        # service: Post # key: another
        # month: 2026-10
        # zone: Europe/London
        # edition: 2
        # supersedes: 1
        # as-of: 2026-11-06T09:30:00Z
        # published: 2026-11-06T09:30:00Z
        44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a  report.json
        ");
        assert_eq!(Manifest::parse(manifest.to_string().as_bytes()), Ok(manifest));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let check = |text: &str, expect: Option<ManifestError>| {
            assert_eq!(Manifest::parse(text.as_bytes()).err(), expect, "{text}");
        };
        let digest = sha256(b"");
        check("", Some(ManifestError::Head));
        check("# mailward edition, format 2\n", Some(ManifestError::Head));
        let with = |line: &str| format!("{HEAD}\n{line}\n");
        check(&with(&format!("{digest}  report.json")), None);
        check(&with(&format!("{digest} *report.json")), Some(ManifestError::Line(2)));
        check(&with(&format!("{digest}  ../report.json")), Some(ManifestError::Line(2)));
        check(&with(&format!("{digest}  /etc/passwd")), Some(ManifestError::Line(2)));
        check(&with(&format!("{digest}  .hidden")), Some(ManifestError::Line(2)));
        check(
            &with(&format!("{}  report.json", digest.to_uppercase())),
            Some(ManifestError::Line(2)),
        );
        check(&with("#month: 2026-10"), Some(ManifestError::Line(2)));
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Manifest::parse(&bytes);
            let _ = Manifest::parse(&[HEAD.as_bytes(), b"\n", &bytes].concat());
        }
    }
}
