//! `mailward verify`: checks an edition's files against its signature, and recomputes its figures
//! from its evidence. It needs neither a store nor a definition.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use mailward_reporter::publish::manifest::{
    MANIFEST, Manifest, PARTS, PUBLIC_KEY, SIGNATURE, sha256,
};
use mailward_reporter::publish::verify::{self, Files, Found, Verdict};
use mailward_reporter::sign::PublicKey;

use crate::Outcome;
use crate::cli::Verify;
use crate::failure::{Exit, Failure};
use crate::terminal;

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 30;
/// The most files of a directory.
const MAX_FILES: usize = 100;

pub(crate) fn run(args: &Verify) -> Outcome {
    let known = args.key.as_deref().map(keys).transpose()?;
    let whole = args.path.is_dir();
    let directory = match whole {
        true => args.path.as_path(),
        false => args.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    };
    let mut files = read_all(directory, whole)?;
    let own = (!whole).then(|| beside(&args.path, &mut files)).transpose()?;
    let pinned = known.as_deref().and_then(|known| of_edition(known, &files));
    let mut found = verify::check(&files, pinned, whole);
    if let Some(Some(check)) = own {
        found.checks.push(check);
    }
    print(&found);
    Ok(if found.holds() { Exit::Ok } else { Exit::Finding })
}

/// The keys of a file: the service's page lists the one in use first, then earlier ones.
fn keys(path: &Path) -> Result<Vec<PublicKey>, Failure> {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    let pem = read(path)?;
    let pem = String::from_utf8_lossy(&pem);
    let mut starts: Vec<usize> = pem.match_indices(BEGIN).map(|(at, _)| at).collect();
    if starts.is_empty() {
        starts.push(0);
    }
    let ends = starts.iter().skip(1).copied().chain([pem.len()]);
    let each = starts.iter().zip(ends).map(|(from, to)| PublicKey::from_pem(&pem[*from..to]));
    let read: Result<_, _> = each.collect();
    read.with_context(|| path.display().to_string()).map_err(Failure::usage)
}

/// Of keys that are known, that which signed; where none did, the first.
fn of_edition<'a>(known: &'a [PublicKey], files: &Files) -> Option<&'a PublicKey> {
    let signed = |key: &&PublicKey| match (files.get(MANIFEST), files.get(SIGNATURE)) {
        (Some(manifest), Some(signature)) => key.verifies(manifest, signature),
        _ => false,
    };
    known.iter().find(signed).or(known.first())
}

/// The files of an edition's directory: what the manifest names and what signs it, else what an
/// edition has. Where the directory is one edition's, others are in the answer by name, unread.
fn read_all(directory: &Path, whole: bool) -> Result<Files, Failure> {
    let reading = || format!("read {}", directory.display());
    let entries = std::fs::read_dir(directory).with_context(reading).map_err(Failure::io)?;
    let path = directory.join(MANIFEST);
    let manifest = path.is_file().then(|| read(&path)).transpose()?;
    let manifest = manifest.and_then(|bytes| Manifest::parse(&bytes).ok());
    let known = |name: &str| {
        let part = match &manifest {
            Some(manifest) => manifest.parts.iter().any(|(part, _)| part == name),
            None => PARTS.contains(&name),
        };
        part || [MANIFEST, SIGNATURE, PUBLIC_KEY].contains(&name)
    };
    let mut files = Files::new();
    for entry in entries {
        let entry = entry.with_context(reading).map_err(Failure::io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if !path.is_file() || (!whole && !known(&name)) {
            continue;
        }
        if files.len() >= MAX_FILES {
            let text = format!("{}: expected the files of one edition", directory.display());
            return Err(Failure::usage(anyhow!("{text}, got more than {MAX_FILES}")));
        }
        let bytes = if known(&name) { read(&path)? } else { Vec::new() };
        files.insert(name, bytes);
    }
    Ok(files)
}

/// A file that was named may bear another name than the part it is, as after a download: it is
/// looked for among the digests. What it is shown to be, where it is not an edition's by name.
fn beside(path: &Path, files: &mut Files) -> Result<Option<verify::Check>, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if files.contains_key(&name) {
        return Ok(None);
    }
    let bytes = read(path)?;
    let digest = sha256(&bytes);
    let manifest = files.get(MANIFEST).map(|text| String::from_utf8_lossy(text).into_owned());
    let part = manifest.as_deref().and_then(|text| {
        let mut lines = text.lines().filter_map(|line| line.split_once("  "));
        lines.find(|(known, _)| *known == digest).map(|(_, part)| part.to_owned())
    });
    let (result, detail) = match (&part, &manifest) {
        (Some(part), _) => (Verdict::Holds, format!("is {part}, as it was signed")),
        (None, Some(_)) => (Verdict::Fails, "is no part of this edition, or altered".to_owned()),
        (None, None) => (Verdict::Fails, format!("there is no {MANIFEST} beside it")),
    };
    Ok(Some(verify::Check { what: name, result, detail }))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let reading = || format!("read {}", path.display());
    let file = std::fs::File::open(path).with_context(reading).map_err(Failure::io)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(reading).map_err(Failure::io)?;
    if bytes.len() as u64 > MAX_BYTES {
        let text = format!("{}: expected a part of an edition, got over 1 GiB", path.display());
        return Err(Failure::usage(anyhow!(text)));
    }
    Ok(bytes)
}

fn print(found: &Found) {
    if !found.edition.is_empty() {
        terminal::line(&terminal::clean(&found.edition));
    }
    let widest = found.checks.iter().map(|check| check.what.chars().count()).max().unwrap_or(0);
    for check in &found.checks {
        let word = match check.result {
            Verdict::Holds => "ok     ",
            Verdict::Fails => "FAILED ",
            Verdict::NotChecked => "–      ",
        };
        let line = format!("  {:widest$}  {word}  {}", check.what, check.detail);
        terminal::line(&terminal::clean(&line));
    }
    let failed = found.checks.iter().filter(|check| check.result == Verdict::Fails).count();
    terminal::line(&match failed {
        0 if found.known_signer => "Nothing was altered, as far as was checked.".to_owned(),
        0 => "Who signed this is not verified: whoever forged it could have signed it. Check with \
              --key FILE, the key from the service's own page, /performance/keys.pem."
            .to_owned(),
        1 => "1 check failed: do not rely on this edition.".to_owned(),
        n => format!("{n} checks failed: do not rely on this edition."),
    });
}
