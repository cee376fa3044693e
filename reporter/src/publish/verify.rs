//! Checks an edition from nothing but its files: the signature, every digest, and whether the
//! figures follow from the evidence. Pure: files in, findings out.

use std::collections::BTreeMap;

use super::figures::sentence;
use super::manifest::{
    self, DEFINITION, EVIDENCE, MANIFEST, Manifest, PARTS, PUBLIC_KEY, REPORT, SIGNATURE,
};
use super::recompute::unfounded;
use crate::causes::causes;
use crate::language::english;
use crate::report::model::Report;
use crate::sign::PublicKey;
use crate::store::NewEdition;

/// The files of an edition by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The check of the signature.
const SIGNED: &str = "signature";
/// The check of the figures.
const FIGURES: &str = "figures";

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: a file's name, `signature`, `figures`, …
    pub what: String,
    /// How it came out.
    pub result: Verdict,
    /// What else is to be said: why, or what it rests on.
    pub detail: String,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It could not be checked; nothing is known to be wrong.
    NotChecked,
}

/// What was found out about an edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says it is: `NHSmail, 2026-10, edition 1`; empty where nothing could be read.
    pub edition: String,
    /// All that was checked, in order.
    pub checks: Vec<Check>,
    /// Whether the signature was checked against a key that is known from elsewhere. Where not,
    /// nothing shows who signed.
    pub known_signer: bool,
}

impl Found {
    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.result != Verdict::Fails)
    }

    fn add(&mut self, what: &str, result: Verdict, detail: impl Into<String>) {
        self.checks.push(Check { what: what.to_owned(), result, detail: detail.into() });
    }

    fn settle(&mut self, what: &str, holds: bool, well: &str, ill: impl Into<String>) {
        match holds {
            true => self.add(what, Verdict::Holds, well),
            false => self.add(what, Verdict::Fails, ill),
        }
    }
}

/// Checks the files of an edition. `pinned` is the public key that the signature must hold
/// under, known from elsewhere; without it the key among the files is taken, which shows nothing
/// about who signed, and that is said. Where not `whole`, parts that are missing are no finding.
/// Evidence that is not what was signed is not unpacked.
#[must_use]
pub fn check(files: &Files, pinned: Option<&PublicKey>, whole: bool) -> Found {
    let mut found =
        Found { edition: String::new(), checks: Vec::new(), known_signer: pinned.is_some() };
    let report: Option<Report> =
        files.get(REPORT).and_then(|bytes| serde_json::from_slice(bytes).ok());
    if let Some(report) = &report {
        let number = report.edition.map_or_else(|| "draft".to_owned(), |n| format!("edition {n}"));
        found.edition = format!("{}, {}, {number}", report.service, report.month);
    }
    match files.get(MANIFEST) {
        Some(bytes) => signed(files, bytes, pinned, whole, report.as_ref(), &mut found),
        None => found.add(
            SIGNED,
            Verdict::Fails,
            format!("unsigned: there is no {MANIFEST}, so nothing shows who made these files"),
        ),
    }
    match files.get(MANIFEST).is_none_or(|bytes| intact(files, bytes, &found)) {
        true => figures(files, report.as_ref(), whole, &mut found),
        false => found.add(
            FIGURES,
            Verdict::NotChecked,
            "not recomputed: the evidence is not what was signed",
        ),
    }
    found
}

/// Whether the signature holds, and the parts that figures are recomputed from are what it was
/// given for. A part that is not here is for [`figures`] to tell.
fn intact(files: &Files, manifest: &[u8], found: &Found) -> bool {
    let holds =
        found.checks.iter().any(|check| check.what == SIGNED && check.result == Verdict::Holds);
    let Ok(manifest) = Manifest::parse(manifest) else { return false };
    let as_signed = |name: &str| {
        files.get(name).is_none_or(|bytes| {
            let digest = manifest::sha256(bytes);
            manifest.parts.iter().any(|(part, known)| part == name && *known == digest)
        })
    };
    holds && [REPORT, DEFINITION, EVIDENCE].into_iter().all(as_signed)
}

fn signed(
    files: &Files,
    bytes: &[u8],
    pinned: Option<&PublicKey>,
    whole: bool,
    report: Option<&Report>,
    found: &mut Found,
) {
    let key = signature(files, bytes, pinned, found);
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return found.add(MANIFEST, Verdict::Fails, error.to_string()),
    };
    if let (Some(report), Some(key)) = (report, &key) {
        let misfits = manifest.misfits(report, key);
        found.settle(MANIFEST, misfits.is_empty(), "fits the report", misfits.join("; "));
    }
    let absent: Vec<&str> = PARTS
        .into_iter()
        .filter(|part| !manifest.parts.iter().any(|(name, _)| name == part))
        .collect();
    if !absent.is_empty() {
        found.add(MANIFEST, Verdict::Fails, format!("does not list {}", absent.join(", ")));
    }
    for (name, digest) in &manifest.parts {
        match files.get(name) {
            Some(bytes) => {
                let is = manifest::sha256(bytes);
                let ill = format!("altered: its SHA-256 is {is}, the manifest says {digest}");
                found.settle(name, is == *digest, "as it was signed", ill);
            }
            None if whole => found.add(name, Verdict::Fails, "missing"),
            None => found.add(name, Verdict::NotChecked, "not here"),
        }
    }
    let known = |name: &str| {
        [MANIFEST, SIGNATURE, PUBLIC_KEY].contains(&name)
            || manifest.parts.iter().any(|(part, _)| part == name)
    };
    for name in files.keys().filter(|name| !known(name)) {
        found.add(name, Verdict::NotChecked, "is no part of the edition, and not signed");
    }
}

/// Checks the signature; gives the key that it was checked with.
fn signature(
    files: &Files,
    manifest: &[u8],
    pinned: Option<&PublicKey>,
    found: &mut Found,
) -> Option<PublicKey> {
    let own = files.get(PUBLIC_KEY).map(|pem| {
        let key = std::str::from_utf8(pem).ok().and_then(|pem| PublicKey::from_pem(pem).ok());
        // in one spelling only, so that a changed byte is seen
        key.filter(|key| key.to_pem().as_bytes() == pem)
    });
    match (own, pinned) {
        (Some(None), _) => found.add(PUBLIC_KEY, Verdict::Fails, "is no public key of an edition"),
        (Some(Some(own)), Some(pinned)) if own != *pinned => found.add(
            PUBLIC_KEY,
            Verdict::Fails,
            format!("is key {}, and the one given is {}", own.id(), pinned.id()),
        ),
        _ => {}
    }
    let Some(key) = pinned.copied().or(own.flatten()) else {
        let detail = format!("there is no {PUBLIC_KEY} to check it with; give one with --key");
        found.add(SIGNED, Verdict::Fails, detail);
        return None;
    };
    let from = match pinned {
        Some(_) => format!("by key {}, the one given", key.id()),
        None => format!(
            "not checked against a known key: it holds under key {}, which came with the edition",
            key.id()
        ),
    };
    match files.get(SIGNATURE) {
        Some(signature) => {
            let ill = format!("does not hold under key {}", key.id());
            found.settle(SIGNED, key.verifies(manifest, signature), &from, ill);
        }
        None => found.add(SIGNED, Verdict::Fails, format!("there is no {SIGNATURE}")),
    }
    Some(key)
}

/// Judges the month again from its evidence.
fn figures(files: &Files, report: Option<&Report>, whole: bool, found: &mut Found) {
    let text = |name: &str| {
        let bytes = files.get(name)?;
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    };
    let (Some(report), Some(report_json)) = (report, text(REPORT)) else {
        let (result, detail) = match (files.contains_key(REPORT), whole) {
            (true, _) => (Verdict::Fails, "report.json cannot be read"),
            (false, true) => (Verdict::Fails, "there is no report.json"),
            (false, false) => (Verdict::NotChecked, "there is no report.json"),
        };
        return found.add(FIGURES, result, detail);
    };
    let (Some(definition_toml), Some(segments)) = (text(DEFINITION), files.get(EVIDENCE)) else {
        let result = if whole { Verdict::Fails } else { Verdict::NotChecked };
        let detail = "not recomputed: the definition and the evidence are not both here";
        return found.add(FIGURES, result, detail);
    };
    let edition = NewEdition {
        month: report.month.clone(),
        edition: report.edition.unwrap_or_default(),
        as_of_ms: report.as_of.0,
        published_ms: report.published_at.map_or(report.as_of.0, |at| at.0),
        by: String::new(),
        reason: None,
        report_json,
        pdf: Vec::new(),
        outages_csv: String::new(),
        daily_csv: String::new(),
        definition_toml,
        segments: segments.clone(),
        seal: None,
    };
    match unfounded(&edition) {
        Ok(differing) if differing.is_empty() => {
            let levels = report.levels.len();
            let plural = if levels == 1 { "level follows" } else { "levels follow" };
            let detail = format!("{levels} {plural} from the evidence, recomputed");
            found.add(FIGURES, Verdict::Holds, detail);
        }
        Ok(differing) => {
            let sentences: Vec<String> =
                differing.iter().map(|level| sentence(level, english())).collect();
            let detail = format!("the evidence gives otherwise: {}", sentences.join("; "));
            found.add(FIGURES, Verdict::Fails, detail);
        }
        Err(error) => {
            let detail = format!("cannot be recomputed: {}", causes(&error));
            found.add(FIGURES, Verdict::Fails, detail);
        }
    }
}
