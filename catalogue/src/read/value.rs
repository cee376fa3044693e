//! One value of a key, judged by its shape. Messages say what was expected and what was found,
//! and never repeat what may be a secret.

mod groups;
mod tiers;

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::text;
use crate::credential::SecretRef;
use crate::key::{Key, Shape, Value};
use crate::service::Need;

/// The most elements of a list or a table.
const MAX_ELEMENTS: usize = 1000;
/// The most members of a pool.
const MAX_POOL: usize = 16;

/// Reads values, and keeps what is wrong with them: offset and message.
pub(crate) struct Values<'a> {
    /// Where relative paths start.
    pub(crate) directory: &'a Path,
    /// What is wrong, with offsets in the part.
    pub(crate) wrong: Vec<(usize, String)>,
}

type Given<'a> = Spanned<DeValue<'a>>;

impl Values<'_> {
    /// The value of `key`; `None` when something was wrong with it.
    pub(crate) fn read(&mut self, key: &Key, given: &Given<'_>) -> Option<Value> {
        match key.shape {
            Shape::Port => self.integer(given, 1, 65_535, "a port from 1 to 65535"),
            Shape::Integer(from, to) => {
                self.integer(given, from, to, &format!("a whole number from {from} to {to}"))
            }
            Shape::Bool => match given.get_ref() {
                DeValue::Boolean(b) => Some(Value::Bool(*b)),
                _ => self.expected(given, "true or false"),
            },
            Shape::Size => match given.get_ref() {
                DeValue::Integer(_) => self.integer(given, 1, i64::MAX, "a size above zero"),
                _ => self.single(key, given),
            },
            Shape::Need(words) => self.need(given, words),
            Shape::Date => match given.get_ref() {
                DeValue::Datetime(_) => self.date(given).map(|d| Value::Dates(vec![d])),
                _ => self.single(key, given),
            },
            Shape::Dates => {
                let dates = self.list(given, "a list of dates", Self::date)?;
                Some(Value::Dates(dates))
            }
            Shape::Ids => {
                let ids = self.one_or_list(given, |v, g| v.text(g, text::id))?;
                if ids.is_empty() || ids.len() > 2 {
                    return self.expected(given, "one id or a list of two");
                }
                Some(Value::Texts(ids))
            }
            Shape::Texts => self.texts(given, text::any),
            Shape::Names => {
                let names = self.one_or_list(given, |v, g| v.text(g, text::dns_name))?;
                self.filled(given, "name", names).map(Value::Texts)
            }
            Shape::Mailboxes => {
                let list = self.one_or_list(given, |v, g| v.text(g, text::mailbox))?;
                self.filled(given, "mail address", list).map(Value::Texts)
            }
            Shape::Labels => self.texts(given, text::label),
            Shape::Targets => self.texts(given, text::target),
            Shape::Words(words) => {
                let list = self.one_or_list(given, |v, g| v.word(g, words, key))?;
                self.filled(given, "word", list).map(Value::Texts)
            }
            Shape::Word(words) => self.word(given, words, key).map(Value::Text),
            Shape::Addresses => {
                let list = self.one_or_list(given, |v, g| v.text(g, text::address))?;
                self.filled(given, "address", list).map(Value::Addresses)
            }
            Shape::Pool => self.pool(given),
            Shape::Networks => {
                let list = self.list(given, "a list", |v, g| v.text(g, text::network))?;
                Some(Value::Networks(list))
            }
            Shape::Statuses => {
                let list = self.one_or_list(given, Self::status)?;
                self.filled(given, "status", list).map(Value::Statuses)
            }
            Shape::Spans => self.spans(given),
            Shape::Credits => self.credits(given),
            Shape::Table => self.table(given, |_, _| Ok(())),
            Shape::Headers => self.table(given, text::header),
            Shape::HeaderPatterns => self.header_patterns(given),
            Shape::Group(keys) => {
                let group = self.group(given, keys, "{ host = \"mail.example.org\" }")?;
                Some(Value::Group(group))
            }
            Shape::Groups(inner) => self.groups(given, inner),
            Shape::NamedGroups(inner) => self.named_groups(given, inner),
            Shape::WordTable(words) => {
                self.table(given, |_, word| text::word_or_nothing(word, words))
            }
            Shape::OneOrTexts => {
                let list = self.one_or_list(given, |v, g| v.text(g, text::any))?;
                self.filled(given, "text", list).map(Value::Texts)
            }
            Shape::Secret => self.secret(given),
            Shape::Language => self.language(given),
            Shape::UrlOrSecret if given.get_ref().is_table() => self.secret(given),
            _ => self.single(key, given),
        }
    }

    /// A value that is written as one text.
    fn single(&mut self, key: &Key, given: &Given<'_>) -> Option<Value> {
        let directory = self.directory;
        self.text(given, |written| {
            Ok(match key.shape {
                Shape::Line(most) => Value::Text(text::line(written, most)?),
                Shape::Colour => Value::Text(text::colour(written)?),
                Shape::Url => Value::Text(text::url(written)?),
                // whose address is a secret does not want it repeated, even where it is wrong
                Shape::UrlOrSecret => Value::Text(text::url(written).map_err(|_| {
                    "expected a URL that starts with http:// or https://".to_owned()
                })?),
                Shape::Host => Value::Text(text::host(written)?),
                Shape::Name => Value::Text(text::dns_name(written)?),
                Shape::Mailbox => Value::Text(text::mailbox(written)?),
                Shape::Sender if written.is_empty() => Value::Text(String::new()),
                Shape::Sender => Value::Text(text::mailbox(written)?),
                Shape::Pattern => Value::Text(text::pattern(written)?),
                Shape::Id => Value::Text(text::id(written)?),
                Shape::Label => Value::Text(text::label(written)?),
                Shape::Zone => Value::Text(text::zone(written)?),
                Shape::Hours => Value::Text(text::hours(written)?),
                Shape::Clock => Value::Text(text::clock(written)?),
                Shape::Cron => Value::Text(text::cron(written)?),
                Shape::Resolver => Value::Socket(text::resolver(written)?),
                Shape::Listen => Value::Socket(text::listen(written)?),
                Shape::Duration => Value::Duration(text::duration(written)?),
                Shape::Period => Value::Duration(text::period(written)?),
                Shape::Seconds => Value::Duration(text::seconds(written)?),
                Shape::Percent => Value::Percent(text::percent(written)?),
                Shape::Size => Value::Integer(text::size(written)?),
                Shape::Date => Value::Dates(vec![text::date(written)?]),
                Shape::Path => Value::Path(directory.join(text::any(written)?)),
                _ => Value::Text(text::any(written)?),
            })
        })
    }

    fn text<T>(
        &mut self,
        given: &Given<'_>,
        judge: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(written) = given.get_ref().as_str() else {
            let expected = match judge("") {
                // The message of a judge starts with what it expects.
                Err(message) => message.split("; got").next().unwrap_or("").to_owned(),
                Ok(_) => "expected text in quotes".to_owned(),
            };
            return self.wrong(given, format!("{expected}, got {}", sort(given)));
        };
        match judge(written) {
            Ok(value) => Some(value),
            Err(message) => self.wrong(given, message),
        }
    }

    fn texts(
        &mut self,
        given: &Given<'_>,
        judge: impl Fn(&str) -> Result<String, String> + Copy,
    ) -> Option<Value> {
        self.list(given, "a list of texts", |v, g| v.text(g, judge)).map(Value::Texts)
    }

    fn word(&mut self, given: &Given<'_>, words: &[&str], key: &Key) -> Option<String> {
        let one_of = || quoted(words);
        let Some(written) = given.get_ref().as_str() else {
            return self.wrong(given, format!("expected {}, got {}", one_of(), sort(given)));
        };
        if words.contains(&written) {
            return Some(written.to_owned());
        }
        let shown = text::shown(written);
        if key.later.contains(&written) {
            let message =
                format!("{shown} is not available in this version; expected {}", one_of());
            return self.wrong(given, message);
        }
        let close = text::close(written, words.iter().copied());
        let advice = close.map_or(String::new(), |word| format!("; did you mean \"{word}\"?"));
        self.wrong(given, format!("expected {}, got {shown}{advice}", one_of()))
    }

    fn integer(&mut self, given: &Given<'_>, from: i64, to: i64, form: &str) -> Option<Value> {
        let DeValue::Integer(number) = given.get_ref() else {
            return self.expected(given, form);
        };
        match whole(number).filter(|n| (from..=to).contains(n)) {
            Some(n) => Some(Value::Integer(n)),
            None => self.wrong(given, format!("expected {form}, got {number}")),
        }
    }

    fn need(&mut self, given: &Given<'_>, words: &[&str]) -> Option<Value> {
        let need = match given.get_ref() {
            DeValue::Integer(n) => {
                whole(n).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).map(Need::AtLeast)
            }
            DeValue::String(word) if words.contains(&&**word) => match &**word {
                "any" => Some(Need::Any),
                "all" => Some(Need::All),
                _ => Some(Need::Majority),
            },
            _ => None,
        };
        match need {
            Some(need) => Some(Value::Need(need)),
            None => self.expected(given, &format!("{} or a number from 1", quoted(words))),
        }
    }

    fn pool(&mut self, given: &Given<'_>) -> Option<Value> {
        let form = format!("\"any\", \"each\" or a list of 1 to {MAX_POOL} addresses");
        match given.get_ref() {
            DeValue::String(word) if matches!(&**word, "any" | "each") => {
                Some(Value::Text(word.to_string()))
            }
            DeValue::String(written) => match text::address(written) {
                Ok(address) => Some(Value::Addresses(vec![address])),
                Err(_) => self.expected(given, &form),
            },
            DeValue::Array(list) if (1..=MAX_POOL).contains(&list.len()) => {
                let mut members = self.list(given, &form, |v, g| v.text(g, text::address))?;
                members.sort_unstable();
                if members.windows(2).any(|pair| pair[0] == pair[1]) {
                    return self.wrong(given, "expected each address once".to_owned());
                }
                Some(Value::Addresses(members))
            }
            DeValue::Array(list) => {
                self.wrong(given, format!("expected {form}, got a list of {}", list.len()))
            }
            _ => self.expected(given, &form),
        }
    }

    fn date(&mut self, given: &Given<'_>) -> Option<jiff::civil::Date> {
        match given.get_ref() {
            DeValue::Datetime(written) => {
                let judged = text::date(&written.to_string());
                judged.map_err(|message| self.wrong::<()>(given, message)).ok()
            }
            _ => self.text(given, text::date),
        }
    }

    fn status(&mut self, given: &Given<'_>) -> Option<(u16, u16)> {
        match given.get_ref() {
            DeValue::Integer(n) => {
                let status = whole(n).and_then(|n| u16::try_from(n).ok());
                match status.filter(|n| (100..=599).contains(n)) {
                    Some(n) => Some((n, n)),
                    None => {
                        self.wrong(given, format!("expected a status from 100 to 599, got {n}"))
                    }
                }
            }
            _ => self.text(given, text::statuses),
        }
    }

    fn spans(&mut self, given: &Given<'_>) -> Option<Value> {
        let mut spans = self.one_or_list(given, |v, g| v.text(g, text::span))?;
        spans.sort_unstable();
        let overlap = spans.windows(2).any(|pair| pair[1].from_min < pair[0].to_min);
        if overlap {
            return self.wrong(given, "expected spans that do not overlap".to_owned());
        }
        Some(Value::Spans(spans))
    }

    fn table(
        &mut self,
        given: &Given<'_>,
        judge: impl Fn(&str, &str) -> Result<(), String>,
    ) -> Option<Value> {
        let Some(table) = given.get_ref().as_table() else {
            return self.expected(given, "a table such as { name = \"text\" }");
        };
        if table.len() > MAX_ELEMENTS {
            return self.expected(given, &format!("at most {MAX_ELEMENTS} entries"));
        }
        let before = self.wrong.len();
        let mut read = BTreeMap::new();
        for (name, value) in table.iter() {
            let Some(text) = value.get_ref().as_str() else {
                self.wrong::<()>(value, format!("expected text in quotes, got {}", sort(value)));
                continue;
            };
            match judge(name.get_ref(), text) {
                Ok(()) => {
                    read.insert(name.get_ref().to_string(), text.to_owned());
                }
                Err(message) => self.wrong.push((name.span().start, message)),
            }
        }
        (self.wrong.len() == before).then_some(Value::Table(read))
    }

    fn header_patterns(&mut self, given: &Given<'_>) -> Option<Value> {
        if given.get_ref().as_table().is_some() {
            return self.table(given, |name, pattern| {
                text::header(name, "x")?;
                text::pattern(pattern).map(drop)
            });
        }
        let lines = self.one_or_list(given, |v, g| v.text(g, text::header_pattern))?;
        self.filled(given, "header", lines).map(|lines| Value::Table(lines.into_iter().collect()))
    }

    fn secret(&mut self, given: &Given<'_>) -> Option<Value> {
        const FORM: &str = "{ file = \"PATH\" }, { env = \"NAME\" } or { systemd = \"NAME\" }";
        let table = match given.get_ref() {
            DeValue::Table(table) => table,
            DeValue::String(_) => {
                let message = format!("a secret never stands in this file: expected {FORM}");
                return self.wrong(given, message);
            }
            _ => return self.expected(given, FORM),
        };
        let mut places = table.iter();
        let (Some((name, place)), None) = (places.next(), places.next()) else {
            let message = format!("expected one of {FORM}, got {} keys", table.len());
            return self.wrong(given, message);
        };
        let words = ["file", "env", "systemd"];
        if !words.contains(&&**name.get_ref()) {
            let near = text::nearest(name.get_ref(), words).unwrap_or("file");
            let message = format!(
                "unknown key {} of a secret; the nearest is \"{near}\": expected {FORM}",
                text::shown(name.get_ref())
            );
            self.wrong.push((name.span().start, message));
            return None;
        }
        let place = self.text(place, text::secret_place)?;
        Some(Value::Secret(match &**name.get_ref() {
            "file" => SecretRef::File(self.directory.join(place)),
            "env" => SecretRef::Env(place),
            _ => SecretRef::Systemd(place),
        }))
    }

    fn language(&mut self, given: &Given<'_>) -> Option<Value> {
        let directory = self.directory;
        match given.get_ref() {
            DeValue::Table(table) => {
                let base = given.span().start;
                let (mut texts, wrong) = super::wording::texts(table);
                let sound = wrong.is_empty();
                self.wrong.extend(wrong);
                texts.iter_mut().for_each(|text| text.at = text.at.saturating_sub(base));
                sound.then_some(Value::Wording(texts))
            }
            DeValue::String(_) => self.text(given, |written| {
                Ok(match written {
                    "en" => Value::Text(written.to_owned()),
                    path => Value::Path(directory.join(text::any(path)?)),
                })
            }),
            _ => self.expected(given, "\"en\", the file of a language, or a table of its texts"),
        }
    }

    fn list<T>(
        &mut self,
        given: &Given<'_>,
        form: &str,
        mut read: impl FnMut(&mut Self, &Given<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(array) = given.get_ref().as_array() else {
            return self.expected(given, form);
        };
        if array.len() > MAX_ELEMENTS {
            let form = format!("at most {MAX_ELEMENTS} elements, got {}", array.len());
            return self.wrong(given, format!("expected {form}"));
        }
        let all: Vec<Option<T>> = array.iter().map(|element| read(self, element)).collect();
        all.into_iter().collect()
    }

    fn filled<T>(&mut self, given: &Given<'_>, what: &str, list: Vec<T>) -> Option<Vec<T>> {
        if list.is_empty() {
            return self.wrong(given, format!("expected at least one {what}"));
        }
        Some(list)
    }

    fn one_or_list<T>(
        &mut self,
        given: &Given<'_>,
        mut read: impl FnMut(&mut Self, &Given<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match given.get_ref() {
            DeValue::Array(_) => self.list(given, "a list", read),
            _ => read(self, given).map(|one| vec![one]),
        }
    }

    fn expected<T>(&mut self, given: &Given<'_>, form: &str) -> Option<T> {
        let got = match given.get_ref() {
            DeValue::String(written) => text::shown(written),
            DeValue::Integer(number) => number.to_string(),
            _ => sort(given).to_owned(),
        };
        self.wrong(given, format!("expected {form}, got {got}"))
    }

    fn wrong<T>(&mut self, given: &Given<'_>, message: String) -> Option<T> {
        self.wrong.push((given.span().start, message));
        None
    }
}

/// What sort of value was given, in words.
pub(crate) fn sort(given: &Given<'_>) -> &'static str {
    match given.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Words as advice lists them: `"a", "b" or "c"`.
pub(crate) fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A default as it stands in the tables of keys.
pub(crate) fn default_of(key: &Key) -> Option<Value> {
    let written = format!("x = {}", key.default?);
    let table = DeTable::parse(&written).ok()?;
    let mut values = Values { directory: Path::new(""), wrong: Vec::new() };
    values.read(key, table.get_ref().get("x")?)
}
