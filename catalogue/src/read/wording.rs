//! Reads words of one's own, from a table in the definition or from a file beside it: texts by
//! key, bounded in size and depth. What the keys mean is not known here.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Definition;
use super::faults::{Faults, Place};
use super::source::Source;
use super::value::sort;
use crate::fault::Fault;
use crate::key::Value;
use crate::wording::{Phrase, Wording, Written};

/// The most texts, single or in lists.
const MAX_TEXTS: usize = 4000;
/// The most bytes of one text.
const MAX_TEXT_BYTES: usize = 4000;
/// How many tables may stand in each other.
const MAX_DEPTH: usize = 4;

/// A text with the offset of its value in what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offhand {
    /// As in [`Phrase`].
    pub(super) key: String,
    /// As in [`Phrase`].
    pub(super) written: Written,
    /// From the beginning of the table it was read from.
    pub(super) at: usize,
}

/// The texts of a table, and what is wrong with it; offsets are those of the table's text.
pub(super) fn texts(table: &DeTable<'_>) -> (Vec<Offhand>, Vec<(usize, String)>) {
    let mut reader = Reader { texts: Vec::new(), wrong: Vec::new(), count: 0 };
    reader.table(table, "", 1);
    (reader.texts, reader.wrong)
}

struct Reader {
    texts: Vec<Offhand>,
    wrong: Vec<(usize, String)>,
    count: usize,
}

impl Reader {
    fn table(&mut self, table: &DeTable<'_>, above: &str, depth: usize) {
        // in the order of the file, which a table does not keep
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let key = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            self.value(key, value, depth);
        }
    }

    fn value(&mut self, key: String, value: &Spanned<DeValue<'_>>, depth: usize) {
        let at = value.span().start;
        let written = match value.get_ref() {
            DeValue::Table(_) if depth >= MAX_DEPTH => {
                let message = format!("{key}: expected at most {MAX_DEPTH} tables in each other");
                return self.wrong.push((at, message));
            }
            DeValue::Table(table) => return self.table(table, &key, depth + 1),
            DeValue::Boolean(yes) => Some(Written::Flag(*yes)),
            DeValue::Array(list) => {
                let texts = list.iter().map(|text| self.text(&key, text));
                texts.collect::<Option<Vec<_>>>().map(Written::List)
            }
            _ => self.text(&key, value).map(Written::Text),
        };
        if let Some(written) = written
            && self.count <= MAX_TEXTS
        {
            self.texts.push(Offhand { key, written, at });
        }
    }

    fn text(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let at = value.span().start;
        self.count += 1;
        let Some(text) = value.get_ref().as_str() else {
            let message = format!("{key}: expected text in quotes, got {}", sort(value));
            self.wrong.push((at, message));
            return None;
        };
        if self.count == MAX_TEXTS + 1 {
            self.wrong.push((at, format!("expected at most {MAX_TEXTS} texts")));
        }
        if text.len() > MAX_TEXT_BYTES {
            let message =
                format!("{key}: expected at most {MAX_TEXT_BYTES} bytes, got {}", text.len());
            self.wrong.push((at, message));
            return None;
        }
        Some(text.to_owned())
    }
}

impl Definition {
    /// Reads the file that `[report] language` names, in place of its path.
    pub(super) fn with_language(mut self) -> Self {
        let Some(report) = self.draft.once.get("report") else { return self };
        let Some(path) = report.settings.path("language").map(ToOwned::to_owned) else {
            return self;
        };
        let place = report.place("language");
        let name = path.display().to_string();
        let text = match super::read_text(&path) {
            Ok(Ok(text)) => text,
            Ok(Err(message)) => return self.refused(&name, message),
            Err(why) => {
                let expected = "expected \"en\" or the file of a language";
                let message = format!("language: {expected}; {name} cannot be read: {why}");
                self.faults.error(place, message);
                return self;
            }
        };
        self.draft.wording = Some(self.texts_of(&name, &text));
        self
    }

    /// The texts of a file, each with its place.
    fn texts_of(&mut self, name: &str, text: &str) -> Vec<(Place, Offhand)> {
        let source = Source::new(name, text);
        let (parts, broken) = source.parts();
        let file = self.faults.add_file(source);
        for fault in broken {
            self.faults.syntax(Place { file, at: fault.at }, fault.message);
        }
        let mut found = Vec::new();
        for part in parts {
            let (document, _) = DeTable::parse_recoverable(&part.text);
            let (texts, wrong) = texts(document.get_ref());
            for (at, message) in wrong {
                self.faults.error(Place { file, at: at + part.base }, message);
            }
            let moved = |text: Offhand| (Place { file, at: text.at + part.base }, text);
            found.extend(texts.into_iter().map(moved));
        }
        found
    }

    fn refused(mut self, name: &str, message: String) -> Self {
        let file = self.faults.add_file(Source::new(name, ""));
        self.faults.syntax(Place { file, at: 0 }, message);
        self
    }

    /// Where the words stand in the definition itself, notes their places.
    pub(super) fn add_wording(&mut self) {
        let Some(report) = self.draft.once.get("report") else { return };
        if let Some(Value::Wording(texts)) = report.settings.0.get("language") {
            let Place { file, at } = report.place("language");
            let placed = |text: &Offhand| (Place { file, at: at + text.at }, text.clone());
            self.draft.wording = Some(texts.iter().map(placed).collect());
        }
    }
}

/// Reads texts from a file's text; `file` is how faults name it.
#[must_use]
pub fn read(file: &str, text: &str) -> (Wording, Vec<Fault>) {
    let mut definition = Definition::default();
    let found = definition.texts_of(file, text);
    (wording(&found, &definition.faults), definition.faults.finish())
}

/// Texts as whoever uses them wants them.
pub(super) fn wording(texts: &[(Place, Offhand)], faults: &Faults) -> Wording {
    let phrase = |(place, text): &(Place, Offhand)| {
        let at = faults.at(*place, crate::fault::Gravity::Error, String::new());
        Phrase {
            key: text.key.clone(),
            written: text.written.clone(),
            file: at.file,
            line: at.line,
            column: at.column,
        }
    };
    Wording { texts: texts.iter().map(phrase).collect() }
}

/// Texts as the table that a definition in its normal form has of them.
pub(super) fn normal<'a>(texts: impl IntoIterator<Item = &'a Offhand>) -> toml::Table {
    let mut whole = toml::Table::new();
    for text in texts {
        let mut names: Vec<&str> = text.key.split('.').collect();
        let Some(last) = names.pop() else { continue };
        let mut table = &mut whole;
        for name in names {
            let entry = table.entry(name.to_owned()).or_insert_with(|| toml::Table::new().into());
            let toml::Value::Table(inner) = entry else { return whole };
            table = inner;
        }
        let written = match &text.written {
            Written::Text(text) => text.clone().into(),
            Written::Flag(yes) => (*yes).into(),
            Written::List(list) => list.clone().into(),
        };
        table.insert(last.to_owned(), written);
    }
    whole
}
