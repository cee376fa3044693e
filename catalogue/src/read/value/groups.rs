//! Tables below a key: one, a list of them, or some with names. Each key by its shape, unknown
//! ones with the nearest known; what holds between keys is judged once all of them are fine.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::super::draft::advice;
use super::{Given, MAX_ELEMENTS, Values, default_of, text};
use crate::key::{Inner, Key, Settings, Value, Wrong};

impl Values<'_> {
    /// A table of its own.
    pub(super) fn group(
        &mut self,
        given: &Given<'_>,
        keys: &'static [Key],
        example: &str,
    ) -> Option<Settings> {
        let Some(table) = given.get_ref().as_table() else {
            return self.expected(given, &format!("a table such as {example}"));
        };
        let before = self.wrong.len();
        let mut read = Settings::default();
        for (name, value) in table.iter() {
            let Some(key) = keys.iter().find(|key| key.name == &**name.get_ref()) else {
                let known = keys.iter().map(|key| key.name);
                let advice = advice(name.get_ref(), known);
                let shown = text::shown(name.get_ref());
                self.wrong.push((name.span().start, format!("unknown key {shown}{advice}")));
                continue;
            };
            let first = self.wrong.len();
            if let Some(value) = self.read(key, value) {
                read.0.insert(key.name, value);
            }
            for (_, message) in &mut self.wrong[first..] {
                *message = format!("{}: {message}", key.name);
            }
        }
        for key in keys.iter().filter(|key| !table.contains_key(key.name)) {
            if key.required {
                let message = format!("needs the key {:?}: {}", key.name, key.about);
                self.wrong.push((given.span().start, message));
            } else if let Some(value) = default_of(key) {
                read.0.insert(key.name, value);
            }
        }
        (self.wrong.len() == before).then_some(read)
    }

    /// A list of tables.
    pub(super) fn groups(&mut self, given: &Given<'_>, inner: &'static Inner) -> Option<Value> {
        let form = format!("a list of tables such as {}", inner.example);
        let read = self
            .list(given, &form, |values, entry| values.group(entry, inner.keys, inner.example))?;
        let read = self.filled(given, "table", read)?;
        let entries = given.get_ref().as_array().into_iter().flat_map(|array| array.iter());
        let tables: Vec<&Given<'_>> = entries.collect();
        let found = (inner.judge)(&read);
        let fine = found.is_empty();
        for wrong in found {
            let at = tables.get(wrong.at).copied().unwrap_or(given);
            self.point_at(at, wrong);
        }
        fine.then_some(Value::Groups(read))
    }

    /// A table of names to tables.
    pub(super) fn named_groups(
        &mut self,
        given: &Given<'_>,
        inner: &'static Inner,
    ) -> Option<Value> {
        let form = format!("a table such as {{ name = {} }}", inner.example);
        let Some(table) = given.get_ref().as_table() else {
            return self.expected(given, &form);
        };
        if table.len() > MAX_ELEMENTS {
            return self.expected(given, &format!("at most {MAX_ELEMENTS} entries"));
        }
        let before = self.wrong.len();
        let mut read = BTreeMap::new();
        for (name, entry) in table.iter() {
            let first = self.wrong.len();
            if let Some(keys) = self.group(entry, inner.keys, inner.example) {
                for wrong in (inner.judge)(std::slice::from_ref(&keys)) {
                    self.point_at(entry, wrong);
                }
                read.insert(name.get_ref().to_string(), keys);
            }
            let shown = text::shown(name.get_ref());
            for (_, message) in &mut self.wrong[first..] {
                *message = format!("{shown}: {message}");
            }
        }
        (self.wrong.len() == before).then_some(Value::NamedGroups(read))
    }

    /// Tells what is wrong at the value of a key, or at the table where it has no such key.
    fn point_at(&mut self, table: &Given<'_>, wrong: Wrong) {
        let written = table.get_ref().as_table().and_then(|keys: &DeTable<'_>| keys.get(wrong.key));
        let at = written.map_or(table.span().start, |value| value.span().start);
        self.wrong.push((at, wrong.message));
    }
}
