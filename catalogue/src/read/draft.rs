//! The sections of a definition as they were written: each value validated by its shape, its
//! place kept, references not yet followed.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::{Faults, Place};
use super::text;
use super::value::{Values, default_of};
use crate::hours::Span;
use crate::key::{Key, Settings, Value};
use crate::probe::{Kind, kinds};
use crate::section::{self, Form, MEASURES, MeasureKeys, SECTIONS, Section};

/// The keys of one table.
#[derive(Debug)]
pub(crate) struct Fields {
    /// The values that are fine, and the defaults of those that are absent.
    pub(crate) settings: Settings,
    /// Where the table starts.
    pub(crate) header: Place,
    /// Keys that stand in the table, fine or not, and where their values are.
    written: BTreeMap<&'static str, Place>,
    /// Keys that a misspelt one probably means: they are not missed.
    meant: BTreeSet<&'static str>,
}

impl Fields {
    /// A section that was not written.
    pub(crate) fn of_defaults(settings: Settings) -> Self {
        let header = Place { file: 0, at: 0 };
        Self { settings, header, written: BTreeMap::new(), meant: BTreeSet::new() }
    }

    /// Whether the key stands in the table, fine or not.
    pub(crate) fn is_written(&self, key: &str) -> bool {
        self.written.contains_key(key)
    }

    /// Whether the key stands in the table, be it misspelt.
    pub(crate) fn is_meant(&self, key: &str) -> bool {
        self.is_written(key) || self.meant.contains(key)
    }

    /// Whether a key stands in the table whose value is not fine.
    pub(crate) fn has_faulty(&self) -> bool {
        self.written.keys().any(|key| !self.settings.0.contains_key(key))
    }

    /// Where the value of the key is; the table, where it is absent.
    pub(crate) fn place(&self, key: &str) -> Place {
        self.written.get(key).copied().unwrap_or(self.header)
    }
}

/// A `[[probe]]`; no kind where it was missing or unknown.
#[derive(Debug)]
pub(crate) struct ProbeDraft {
    pub(crate) fields: Fields,
    pub(crate) kind: Option<&'static Kind>,
}

/// A `[[level]]`; no measure where it was missing or unknown.
#[derive(Debug)]
pub(crate) struct LevelDraft {
    pub(crate) fields: Fields,
    pub(crate) measure: Option<&'static MeasureKeys>,
}

/// An `[hours.NAME]`.
#[derive(Debug)]
pub(crate) struct HoursDraft {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) weekly: [Vec<Span>; 7],
    pub(crate) holidays: BTreeSet<jiff::civil::Date>,
    /// Some of it could not be read, so that it may cover more or less than this.
    pub(crate) unread: bool,
}

/// All that was written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Sections that stand once, by name.
    pub(crate) once: BTreeMap<&'static str, Fields>,
    /// Names of the sections that were written, be it in a wrong form.
    pub(crate) seen: BTreeSet<&'static str>,
    pub(crate) components: Vec<Fields>,
    pub(crate) probes: Vec<ProbeDraft>,
    pub(crate) credentials: Vec<Fields>,
    pub(crate) sinks: Vec<Fields>,
    pub(crate) hours: Vec<HoursDraft>,
    pub(crate) levels: Vec<LevelDraft>,
    /// Words of one's own, each with its place.
    pub(crate) wording: Option<Vec<(Place, super::wording::Offhand)>>,
    pub(crate) notify: Vec<Fields>,
}

type Given<'a> = Spanned<DeValue<'a>>;

/// Why a key has no place in a table where others have it.
enum Elsewhere {
    /// Another key may have been meant.
    Advised(String),
    /// That says it all.
    Settled(String),
}

/// Which keys a table may have.
struct Keys<'k> {
    /// The table, as messages call it.
    of: &'k str,
    /// Its keys.
    sets: &'k [&'static [Key]],
    /// Why a key of this name has no place in it; `None` to say that it is unknown.
    elsewhere: &'k dyn Fn(&str) -> Option<Elsewhere>,
    /// Keys that are passed over, because what the table is is not known.
    ignored: &'k dyn Fn(&str) -> bool,
}

impl<'k> Keys<'k> {
    fn plain(of: &'k str, sets: &'k [&'static [Key]]) -> Self {
        Self { of, sets, elsewhere: &|_| None, ignored: &|_| false }
    }

    fn all(&self) -> impl Iterator<Item = &'static Key> + Clone {
        self.sets.iter().flat_map(|set| set.iter())
    }
}

/// Reads the tables of one part of one file.
pub(crate) struct Reader<'a> {
    pub(crate) draft: &'a mut Draft,
    pub(crate) faults: &'a mut Faults,
    /// Index of the file.
    pub(crate) file: usize,
    /// Offset of the part in the file.
    pub(crate) base: usize,
    /// The sections that may stand in the file.
    pub(crate) allowed: &'a [&'static Section],
}

impl Reader<'_> {
    pub(super) fn place(&self, at: usize) -> Place {
        Place { file: self.file, at: self.base + at }
    }

    /// Reads all sections of a document.
    pub(crate) fn document(&mut self, document: &DeTable<'_>) {
        for (name, given) in document.iter() {
            let at = self.place(name.span().start);
            match self.allowed.iter().copied().find(|section| section.name == &**name.get_ref()) {
                Some(section) => self.section(section, at, given),
                None => self.unknown_section(name.get_ref(), given, at),
            }
        }
    }

    fn unknown_section(&mut self, name: &str, given: &Given<'_>, at: Place) {
        let shown = text::shown(name);
        if !matches!(given.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
            let has = |section: &&&Section| section.keys.iter().any(|key| key.name == name);
            let home = self.allowed.iter().find(has).map_or(String::new(), |section| {
                format!("; it belongs below {}", section.written())
            });
            return self.faults.error(at, format!("key {shown} stands above any section{home}"));
        }
        if SECTIONS.iter().any(|section| section.name == name) {
            let message = format!("section {shown} does not belong in this file, only [agent]");
            return self.faults.error(at, message);
        }
        let known = text::nearest(name, self.allowed.iter().map(|section| section.name));
        let near = self.allowed.iter().find(|section| Some(section.name) == known);
        let near = near.map_or(String::new(), |section| section.written());
        self.faults.error(at, format!("unknown section {shown}; the nearest known is {near}"));
    }

    fn section(&mut self, section: &'static Section, at: Place, given: &Given<'_>) {
        let written = section.written();
        self.draft.seen.insert(section.name);
        match (section.form, given.get_ref()) {
            (Form::Table, DeValue::Table(table)) => {
                let at = self.place(given.span().start);
                if self.draft.once.contains_key(section.name) {
                    return self.faults.error(at, format!("{written} stands twice"));
                }
                let fields = self.fields(table, at, &Keys::plain(&written, &[section.keys]));
                self.draft.once.insert(section.name, fields);
            }
            (Form::List, DeValue::Array(array)) => {
                for entry in array.iter() {
                    let at = self.place(entry.span().start);
                    match entry.get_ref() {
                        DeValue::Table(table) => self.entry(section, table, at),
                        _ => self.faults.error(at, format!("expected {written}, got a value")),
                    }
                }
            }
            (Form::Named, DeValue::Table(table)) => {
                for (name, given) in table.iter() {
                    let at = self.place(given.span().start);
                    match given.get_ref() {
                        DeValue::Table(table) => self.hours(name.get_ref(), table, at),
                        _ => self.faults.error(at, format!("expected {written}, got a key")),
                    }
                }
            }
            (Form::Below(below), DeValue::Table(table)) => {
                self.below(section, below, table);
            }
            (_, DeValue::Table(_)) => {
                self.faults.error(at, format!("expected {written}, got [{}]", section.name));
            }
            (_, DeValue::Array(_)) => {
                let message = format!("expected {written}, got [[{}]]", section.name);
                self.faults.error(at, message);
            }
            _ => self.faults.error(at, format!("expected {written}, got a value")),
        }
    }

    /// The one table that may stand below a name, such as `[tickets.csv]`.
    fn below(&mut self, section: &'static Section, below: &str, table: &DeTable<'_>) {
        let written = section.written();
        for (name, given) in table.iter() {
            match (&**name.get_ref(), given.get_ref()) {
                (name, DeValue::Table(table)) if name == below => {
                    let at = self.place(given.span().start);
                    if self.draft.once.contains_key(section.name) {
                        return self.faults.error(at, format!("{written} stands twice"));
                    }
                    let fields = self.fields(table, at, &Keys::plain(&written, &[section.keys]));
                    self.draft.once.insert(section.name, fields);
                }
                (name, _) => {
                    let at = self.place(given.span().start);
                    let shown = text::shown(name);
                    let message =
                        format!("unknown {shown} in [{}]; expected {written}", section.name);
                    self.faults.error(at, message);
                }
            }
        }
    }

    fn entry(&mut self, section: &'static Section, table: &DeTable<'_>, at: Place) {
        if section.name == section::PROBE.name {
            return self.probe(table, at);
        }
        if section.name == section::LEVEL.name {
            return self.level(table, at);
        }
        let fields = self.fields(table, at, &Keys::plain(&section.written(), &[section.keys]));
        match section.name {
            "component" => self.draft.components.push(fields),
            "credential" => self.draft.credentials.push(fields),
            "notify" => self.draft.notify.push(fields),
            _ => self.draft.sinks.push(fields),
        }
    }

    fn probe(&mut self, table: &DeTable<'_>, at: Place) {
        let named = table.get("kind").and_then(|given| given.get_ref().as_str());
        let kind = named.and_then(kinds::kind);
        if let (Some(name), None, Some(given)) = (named, kind, table.get("kind")) {
            let place = self.place(given.span().start);
            self.faults.error(place, unknown_kind(name));
        }
        let sets = [section::PROBE.keys, kind.map_or(&[], |kind| kind.keys)];
        let of = kind
            .map_or(section::PROBE.written(), |kind| format!("[[probe]] of kind {}", kind.name));
        let has = |kind: &&&Kind, key: &str| kind.keys.iter().any(|own| own.name == key);
        let elsewhere = |key: &str| {
            let kind = kind?;
            if kind.later.contains(&key) {
                return Some(Elsewhere::Advised(format!(
                    "key {key:?} of kind {} is not available in this version",
                    kind.name
                )));
            }
            if key == "credential" {
                return None;
            }
            let others = kinds::KINDS.iter().filter(|other| has(other, key));
            belongs(key, &format!("kind {}", kind.name), others.map(|kind| kind.name).collect())
        };
        let any_kind = |key: &str| kind.is_none() && kinds::KINDS.iter().any(|k| has(&k, key));
        let keys = Keys { of: &of, sets: &sets, elsewhere: &elsewhere, ignored: &any_kind };
        let fields = self.fields(table, at, &keys);
        self.draft.probes.push(ProbeDraft { fields, kind });
    }

    fn level(&mut self, table: &DeTable<'_>, at: Place) {
        let named = table.get("measure").and_then(|given| given.get_ref().as_str());
        let measure = named.and_then(section::measure);
        let sets = [section::LEVEL.keys, measure.map_or(&[], |measure| measure.keys)];
        let of = measure
            .map_or(section::LEVEL.written(), |m| format!("[[level]] of measure {}", m.name));
        let has = |measure: &&MeasureKeys, key: &str| measure.keys.iter().any(|k| k.name == key);
        let elsewhere = |key: &str| {
            let measure = measure?;
            if let Some((_, why)) = measure.never.iter().find(|(never, _)| *never == key) {
                return Some(Elsewhere::Settled(format!(
                    "key {key:?} does not belong to measure {}: {why}",
                    measure.name
                )));
            }
            let others = MEASURES.iter().filter(|other| has(other, key));
            let others = others.map(|measure| measure.name).collect();
            belongs(key, &format!("measure {}", measure.name), others)
        };
        let any = |key: &str| measure.is_none() && MEASURES.iter().any(|m| has(&m, key));
        let keys = Keys { of: &of, sets: &sets, elsewhere: &elsewhere, ignored: &any };
        let fields = self.fields(table, at, &keys);
        self.draft.levels.push(LevelDraft { fields, measure });
    }

    /// Reads a table by its keys.
    fn fields(&mut self, table: &DeTable<'_>, header: Place, keys: &Keys<'_>) -> Fields {
        let mut fields = Fields::of_defaults(Settings::default());
        fields.header = header;
        for (name, given) in table.iter() {
            let Some(key) = keys.all().find(|key| key.name == &**name.get_ref()) else {
                fields.meant.extend(self.unknown_key(name, keys));
                continue;
            };
            fields.written.insert(key.name, self.place(given.span().start));
            if let Some(value) = self.value(key, given) {
                fields.settings.0.insert(key.name, value);
            }
        }
        for key in keys.all().filter(|key| !table.contains_key(key.name)) {
            if key.required && !fields.meant.contains(key.name) {
                let message = format!("{} needs the key {:?}: {}", keys.of, key.name, key.about);
                self.faults.missing(header, message);
            } else if let Some(value) = default_of(key) {
                fields.settings.0.insert(key.name, value);
            }
        }
        fields
    }

    fn value(&mut self, key: &Key, given: &Given<'_>) -> Option<Value> {
        self.named_value(key.name, key, given)
    }

    pub(super) fn named_value(
        &mut self,
        name: &str,
        key: &Key,
        given: &Given<'_>,
    ) -> Option<Value> {
        let directory = self.faults.source(self.file).map(|source| source.directory.clone());
        let directory = directory.unwrap_or_default();
        let mut values = Values { directory: &directory, wrong: Vec::new() };
        let value = values.read(key, given);
        for (at, message) in values.wrong {
            self.faults.error(self.place(at), format!("{name}: {message}"));
        }
        value
    }

    /// Tells of an unknown key; gives the key that was probably meant.
    fn unknown_key(
        &mut self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        keys: &Keys<'_>,
    ) -> Option<&'static str> {
        let at = self.place(name.span().start);
        let name = name.get_ref();
        if (keys.ignored)(name) {
            return None;
        }
        let known = keys.all().map(|key| key.name);
        let advice = advice(name, known.clone());
        if let Some(elsewhere) = (keys.elsewhere)(name) {
            let message = match elsewhere {
                Elsewhere::Advised(message) => format!("{message}{advice}"),
                Elsewhere::Settled(message) => message,
            };
            self.faults.error(at, message);
            return None;
        }
        let message = format!("unknown key {} in {}{advice}", text::shown(name), keys.of);
        self.faults.error(at, message);
        text::close(name, known)
    }
}

/// Which known name was probably meant.
pub(crate) fn advice<'a>(written: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match (text::close(written, known.clone()), text::nearest(written, known)) {
        (Some(close), _) => format!("; did you mean {close:?}?"),
        (None, Some(near)) => format!("; the nearest known is {near:?}"),
        (None, None) => String::new(),
    }
}

fn belongs(key: &str, here: &str, others: Vec<&str>) -> Option<Elsewhere> {
    let (last, rest) = others.split_last()?;
    let others = match rest {
        [] => (*last).to_owned(),
        rest => format!("{} and {last}", rest.join(", ")),
    };
    let message = format!("key {key:?} does not belong to {here}, but to {others}");
    Some(Elsewhere::Advised(message))
}

fn unknown_kind(name: &str) -> String {
    let available = kinds::KINDS.iter().map(|kind| kind.name);
    let list = available.clone().collect::<Vec<_>>().join(", ");
    let near = advice(name, available);
    format!("unknown kind {}{near} (available: {list})", text::shown(name))
}
