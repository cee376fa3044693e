//! Reading probes.toml: every fault with line and column, all of them at once. The stages are
//! `source` (TOML with recovery), `draft` (keys by their tables), `cross` (rules that span
//! keys) and `build`; `surprise` judges a definition together with the agents enrolled.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use toml::de::DeTable;

mod branding;
mod build;
mod credentials;
mod cross;
mod desk;
mod distribution;
mod draft;
mod faults;
mod hours;
mod normal;
mod notify;
mod source;
mod surprise;
mod text;
mod value;
mod wording;

use draft::{Draft, Fields, Reader};
use faults::{Faults, Place};
use source::{MAX_BYTES, Source};
use value::default_of;

pub use surprise::EnrolledAt;
pub use text::nearest;
pub use wording::{Offhand, read as wording};

use crate::credential::SecretRef;
use crate::fault::{Fault, Gravity};
use crate::key::Settings;
use crate::section::{AGENT, SECTIONS, Section};
use crate::service::Catalogue;

/// What reading a definition gave. `catalogue` is there exactly when no fault is an error.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The definition.
    pub catalogue: Option<Catalogue>,
    /// Errors and warnings in the order of the file.
    pub faults: Vec<Fault>,
    /// The definition in its normal form, for whoever keeps what was judged by: every default
    /// written out, keys in order, no comments, without `[agent]`, `[reporter]` and the sections
    /// on imports. Equal definitions have equal texts. Empty where it is refused.
    pub normal: String,
    /// Secrets by reference: what each is for, where it is kept, where that is said.
    secrets: Vec<(String, SecretRef, Fault)>,
    /// Where components, credentials and the logo stand, for what is judged later.
    places: BTreeMap<(&'static str, String), Fault>,
}

impl Parsed {
    /// Whether the definition is refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.catalogue.is_none()
    }

    /// A fault of the logo's file, which the catalogue does not read, in the place that names it.
    #[must_use]
    pub fn fault_of_logo(&self, message: String) -> Fault {
        let whole = Fault {
            gravity: Gravity::Error,
            file: String::new(),
            line: 1,
            column: 1,
            message: String::new(),
        };
        let place = self.places.get(&("branding", "logo".to_owned())).cloned().unwrap_or(whole);
        Fault { message, ..place }
    }

    /// A fault of the certificate of `[reporter.tls]`, at its place, for whoever looked at it;
    /// `None` where the section is not written.
    #[must_use]
    pub fn tls_fault(&self, gravity: Gravity, message: String) -> Option<Fault> {
        let place = self.places.get(&("reporter", "tls".to_owned()))?;
        Some(Fault { gravity, message, ..place.clone() })
    }

    /// Tries to read every secret the definition refers to; a fault for each that is not there.
    /// An agent needs them; a reporter has no use for them.
    #[must_use]
    pub fn verify_secrets(&self) -> Vec<Fault> {
        let faults = self.secrets.iter().filter_map(|(what, secret, place)| {
            let error = secret.read().err()?;
            let source = std::error::Error::source(&error);
            let why = source.map_or(String::new(), |source| format!(": {source}"));
            Some(Fault { message: format!("{what}: {error}{why}"), ..place.clone() })
        });
        faults.collect()
    }
}

/// Reads a definition from text; `file` is how faults name it, and its directory is where
/// relative paths in it start.
#[must_use]
pub fn parse(file: &str, text: &str) -> Parsed {
    Definition::default().with_main(file, text).finish()
}

/// Reads a definition from a file, and the `agent.toml` beside it where the file itself has no
/// `[agent]`.
///
/// # Errors
/// When the file cannot be read at all; what is wrong inside it is in [`Parsed::faults`].
pub fn load(path: &Path) -> std::io::Result<Parsed> {
    let name = path.display().to_string();
    let definition = match read_text(path)? {
        Ok(text) => Definition::default().with_main(&name, &text).with_language(),
        Err(message) => Definition::default().with_unreadable(&name, message),
    };
    if definition.draft.seen.contains(AGENT.name) {
        return Ok(definition.finish());
    }
    let beside = path.with_file_name("agent.toml");
    if beside == path || !beside.exists() {
        return Ok(definition.finish());
    }
    let name = beside.display().to_string();
    let definition = match read_text(&beside) {
        Ok(Ok(text)) => definition.with_agent(&name, &text),
        Ok(Err(message)) => definition.with_unreadable(&name, message),
        Err(why) => definition.with_unreadable(&name, format!("cannot be read: {why}")),
    };
    Ok(definition.finish())
}

/// The text of a file, or why its content is not accepted.
fn read_text(path: &Path) -> std::io::Result<Result<String, String>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Ok(Err(format!("expected at most {MAX_BYTES} bytes")));
    }
    Ok(String::from_utf8(bytes)
        .map_err(|why| format!("expected UTF-8; byte {} is not", why.utf8_error().valid_up_to())))
}

/// A definition while it is read.
#[derive(Default)]
struct Definition {
    draft: Draft,
    faults: Faults,
}

impl Definition {
    fn with_main(mut self, file: &str, text: &str) -> Self {
        let file = self.read(file, text, SECTIONS);
        if !self.draft.seen.contains("service") {
            let message = "expected a section [service]".to_owned();
            self.faults.missing(Place { file, at: 0 }, message);
        }
        self
    }

    fn with_agent(mut self, file: &str, text: &str) -> Self {
        let file = self.read(file, text, &[&AGENT]);
        if !self.draft.seen.contains(AGENT.name) {
            let message = "expected a section [agent]".to_owned();
            self.faults.missing(Place { file, at: 0 }, message);
        }
        self
    }

    fn with_unreadable(mut self, file: &str, message: String) -> Self {
        let file = self.faults.add_file(Source::new(file, ""));
        self.faults.syntax(Place { file, at: 0 }, message);
        self
    }

    fn read(&mut self, file: &str, text: &str, allowed: &[&'static Section]) -> usize {
        let source = Source::new(file, text);
        let (parts, broken) = source.parts();
        let file = self.faults.add_file(source);
        for fault in broken {
            self.faults.syntax(Place { file, at: fault.at }, fault.message);
        }
        for part in parts {
            let (document, _) = DeTable::parse_recoverable(&part.text);
            let Self { draft, faults, .. } = self;
            let mut reader = Reader { draft, faults, file, base: part.base, allowed };
            reader.document(document.get_ref());
        }
        file
    }

    fn finish(mut self) -> Parsed {
        self.add_defaults();
        self.add_wording();
        // Tables come in the order of their names; hours have an order of their own.
        self.draft.hours.sort_by_key(|hours| hours.place);
        cross::check(&mut self.draft, &mut self.faults);
        let Self { draft, faults } = self;
        let catalogue = match faults.has_errors() {
            true => None,
            false => build::catalogue(&draft, &faults),
        };
        let normal = catalogue.as_ref().and_then(|_| normal::text(&draft)).unwrap_or_default();
        let secrets = build::secrets(&draft).into_iter().map(|(what, secret, place)| {
            let fault = faults.at(place, Gravity::Error, String::new());
            (what, secret, fault)
        });
        let secrets = secrets.collect();
        let place = |of: &'static str, fields: &Fields| {
            let fault = faults.at(fields.place("id"), Gravity::Warning, String::new());
            Some(((of, fields.settings.text("id")?.to_owned()), fault))
        };
        let components = draft.components.iter().filter_map(|c| place("component", c));
        let credentials = draft.credentials.iter().filter_map(|c| place("credential", c));
        let logo = draft.once.get("branding").map(|fields| {
            let fault = faults.at(fields.place("logo"), Gravity::Error, String::new());
            (("branding", "logo".to_owned()), fault)
        });
        let tls = draft.once.get("reporter").filter(|reporter| reporter.is_written("tls"));
        let tls = tls.map(|reporter| {
            let fault = faults.at(reporter.place("tls"), Gravity::Warning, String::new());
            (("reporter", "tls".to_owned()), fault)
        });
        let places = components.chain(credentials).chain(logo).chain(tls).collect();
        Parsed { catalogue, faults: faults.finish(), normal, secrets, places }
    }

    /// Sections that are absent hold their defaults.
    fn add_defaults(&mut self) {
        for section in SECTIONS.iter().filter(|s| matches!(s.name, "reporter" | "report")) {
            let defaults = section.keys.iter().filter_map(|k| Some((k.name, default_of(k)?)));
            let defaults = Settings(defaults.collect());
            let fields = || Fields::of_defaults(defaults);
            self.draft.once.entry(section.name).or_insert_with(fields);
        }
    }
}
