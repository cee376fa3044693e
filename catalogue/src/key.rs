//! Keys of probes.toml: what the value of each must be, and the validated values. The tables
//! that list them are `section` and `probe/kinds`; reading them is `read`'s.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;

use crate::credential::SecretRef;
use crate::hours::Span;
use crate::level::Credit;
use crate::quantity::Percent;
use crate::service::Need;

/// A key of a section or of a probe kind.
#[derive(Debug)]
pub struct Key {
    /// The word in probes.toml.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What stands for it where it is absent, as probes.toml would have it. It is read like any
    /// other value, so a getter of [`Settings`] gives it.
    pub default: Option<&'static str>,
    /// Words that are reserved for it and that this version cannot act on.
    pub later: &'static [&'static str],
    /// What it is for, for schema and docs.
    pub about: &'static str,
}

impl Key {
    /// A key that must be there.
    #[must_use]
    pub const fn required(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, required: true, default: None, later: &[], about }
    }

    /// A key that may be absent.
    #[must_use]
    pub const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, required: false, default: None, later: &[], about }
    }

    /// The same key with a default, as probes.toml would have it.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same key with words that are reserved for it.
    #[must_use]
    pub const fn later(self, later: &'static [&'static str]) -> Self {
        Self { later, ..self }
    }
}

/// What a key's value must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text that is not empty.
    Text,
    /// One line of at most this many characters: no control characters, and none that turn the
    /// direction of what follows.
    Line(usize),
    /// A colour such as `"#005eb8"`.
    Colour,
    /// An absolute http or https URL.
    Url,
    /// The same, or where one is kept that is a secret.
    UrlOrSecret,
    /// A host name or an IP address.
    Host,
    /// 1 to 65535.
    Port,
    /// A whole number in this range.
    Integer(i64, i64),
    /// true or false.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A duration.
    Duration,
    /// A regular expression (of the `regex` crate), unanchored.
    Pattern,
    /// A DNS name.
    Name,
    /// `IP` or `IP:PORT` of a resolver.
    Resolver,
    /// A list of texts.
    Texts,
    /// An IP address, or a list of them.
    Addresses,
    /// `any` or `each` of a name's addresses, or a list of addresses: the members of a pool.
    Pool,
    /// A DNS name, or a list of them.
    Names,
    /// One of these words, or a list of them.
    Words(&'static [&'static str]),
    /// A status such as 200, or a list of statuses and ranges such as "2xx".
    Statuses,
    /// A table of text to text.
    Table,
    /// A table of HTTP header names to values.
    Headers,
    /// A table of its own with these keys.
    Group(&'static [Key]),
    /// A list of tables of their own, written `[[probe.NAME]]`.
    Groups(&'static Inner),
    /// A table of names to tables of their own.
    NamedGroups(&'static Inner),
    /// Header names and what their value must match: a table of patterns, or one
    /// `"NAME: PATTERN"`, or a list of them.
    HeaderPatterns,
    /// A table of text to one of these words, or to nothing (`""`).
    WordTable(&'static [&'static str]),
    /// One text, or a list of them.
    OneOrTexts,
    /// A mail address.
    Mailbox,
    /// A mail address, or a list of them.
    Mailboxes,
    /// A mail address, or empty for the null sender.
    Sender,
    /// An id: ASCII letters, digits, `.`, `_` and `-`.
    Id,
    /// One id or a list of two.
    Ids,
    /// A name of an agent or a site: text without control characters.
    Label,
    /// A list of such names.
    Labels,
    /// A time zone of the IANA database.
    Zone,
    /// Where a secret is kept.
    Secret,
    /// A percentage such as `"99.9%"`.
    Percent,
    /// A list of tables `{ below = PERCENT, credit = PERCENT }`: thresholds fall, credits rise.
    Credits,
    /// A duration above zero.
    Period,
    /// A whole number of seconds, 1 or more, as a duration.
    Seconds,
    /// A local date.
    Date,
    /// A list of local dates.
    Dates,
    /// One of these words, or a number from 1: at least that many.
    Need(&'static [&'static str]),
    /// A local time of day such as `"09:00"`.
    Clock,
    /// One span of local time such as `"07:00-22:00"`, or a list of them.
    Spans,
    /// A list of networks such as `"192.0.2.0/24"`.
    Networks,
    /// A size such as `"1 GiB"`, or a number of bytes.
    Size,
    /// `IP:PORT` to listen on.
    Listen,
    /// A list of `HOST:PORT` or http(s) URLs.
    Targets,
    /// A path; a relative one starts at the directory of the file it stands in.
    Path,
    /// `"en"`, the path of a language's file, or a table of its texts.
    Language,
    /// `24x7`, the name of an `[hours.NAME]`, or `not NAME`.
    Hours,
    /// A cron with five to seven fields.
    Cron,
}

/// Tables that stand below a key: their keys, and what holds between them.
#[derive(Debug)]
pub struct Inner {
    /// The keys of each.
    pub keys: &'static [Key],
    /// One of them as messages show it.
    pub example: &'static str,
    /// What is wrong with tables whose keys are all fine, one by one.
    pub judge: fn(&[Settings]) -> Vec<Wrong>,
}

/// What [`Inner::judge`] found: which table, the key to point at (the table itself where that
/// was not written), and what was expected and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which of the tables, from 0.
    pub at: usize,
    /// The key.
    pub key: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

/// A validated value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, Line, Colour (in small letters), Url, UrlOrSecret that is written out, Host, Word,
    /// Pattern, Name, Mailbox, Sender, Id, Label, Zone, Hours, Clock; a
    /// Pool's word; a Cron, always with seconds.
    Text(String),
    /// Port, Integer; a Size in bytes.
    Integer(i64),
    /// Bool.
    Bool(bool),
    /// Duration, Period, Seconds.
    Duration(Duration),
    /// Listen; Resolver, whose port is 53 where none is given.
    Socket(SocketAddr),
    /// Texts, OneOrTexts, Names, Mailboxes, Words, Ids, Labels, Targets.
    Texts(Vec<String>),
    /// Addresses; a Pool's members.
    Addresses(Vec<IpAddr>),
    /// Statuses as inclusive ranges.
    Statuses(Vec<(u16, u16)>),
    /// Table, Headers, HeaderPatterns, WordTable.
    Table(BTreeMap<String, String>),
    /// Secret, UrlOrSecret.
    Secret(SecretRef),
    /// Percent.
    Percent(Percent),
    /// Credits, worst last.
    Credits(Vec<Credit>),
    /// Date (one) or Dates.
    Dates(Vec<Date>),
    /// Need.
    Need(Need),
    /// Spans, in order of their start.
    Spans(Vec<Span>),
    /// Networks.
    Networks(Vec<(IpAddr, u8)>),
    /// Path; a Language that is one.
    Path(PathBuf),
    /// A Language that is a table.
    Wording(Vec<crate::read::Offhand>),
    /// Group.
    Group(Settings),
    /// Groups.
    Groups(Vec<Settings>),
    /// NamedGroups.
    NamedGroups(BTreeMap<String, Settings>),
}

/// The validated keys of one probe. A getter for a key that is absent gives `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(pub BTreeMap<&'static str, Value>);

impl Settings {
    /// A text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.0.get(key) {
            Some(Value::Integer(n)) => Some(*n),
            _ => None,
        }
    }

    /// A port.
    #[must_use]
    pub fn port(&self, key: &str) -> Option<u16> {
        self.integer(key).and_then(|n| u16::try_from(n).ok())
    }

    /// true or false.
    #[must_use]
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.0.get(key) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// A duration.
    #[must_use]
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.0.get(key) {
            Some(Value::Duration(d)) => Some(*d),
            _ => None,
        }
    }

    /// A socket address.
    #[must_use]
    pub fn socket(&self, key: &str) -> Option<SocketAddr> {
        match self.0.get(key) {
            Some(Value::Socket(a)) => Some(*a),
            _ => None,
        }
    }

    /// A list of texts.
    #[must_use]
    pub fn texts(&self, key: &str) -> &[String] {
        match self.0.get(key) {
            Some(Value::Texts(list)) => list,
            _ => &[],
        }
    }

    /// A list of addresses.
    #[must_use]
    pub fn addresses(&self, key: &str) -> &[IpAddr] {
        match self.0.get(key) {
            Some(Value::Addresses(list)) => list,
            _ => &[],
        }
    }

    /// A list of inclusive status ranges.
    #[must_use]
    pub fn statuses(&self, key: &str) -> &[(u16, u16)] {
        match self.0.get(key) {
            Some(Value::Statuses(list)) => list,
            _ => &[],
        }
    }

    /// Where a secret is kept.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&SecretRef> {
        match self.0.get(key) {
            Some(Value::Secret(place)) => Some(place),
            _ => None,
        }
    }

    /// A percentage.
    #[must_use]
    pub fn percent(&self, key: &str) -> Option<Percent> {
        match self.0.get(key) {
            Some(Value::Percent(percent)) => Some(*percent),
            _ => None,
        }
    }

    /// Tiers of service credits.
    #[must_use]
    pub fn credits(&self, key: &str) -> &[Credit] {
        match self.0.get(key) {
            Some(Value::Credits(tiers)) => tiers,
            _ => &[],
        }
    }

    /// A list of dates.
    #[must_use]
    pub fn dates(&self, key: &str) -> &[Date] {
        match self.0.get(key) {
            Some(Value::Dates(dates)) => dates,
            _ => &[],
        }
    }

    /// How many are needed.
    #[must_use]
    pub fn need(&self, key: &str) -> Option<Need> {
        match self.0.get(key) {
            Some(Value::Need(need)) => Some(*need),
            _ => None,
        }
    }

    /// A list of spans of a day.
    #[must_use]
    pub fn spans(&self, key: &str) -> &[Span] {
        match self.0.get(key) {
            Some(Value::Spans(spans)) => spans,
            _ => &[],
        }
    }

    /// A list of networks: address and prefix length.
    #[must_use]
    pub fn networks(&self, key: &str) -> &[(IpAddr, u8)] {
        match self.0.get(key) {
            Some(Value::Networks(networks)) => networks,
            _ => &[],
        }
    }

    /// A path.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<&Path> {
        match self.0.get(key) {
            Some(Value::Path(path)) => Some(path),
            _ => None,
        }
    }

    /// The keys of a table of its own.
    #[must_use]
    pub fn group(&self, key: &str) -> Option<&Self> {
        match self.0.get(key) {
            Some(Value::Group(keys)) => Some(keys),
            _ => None,
        }
    }

    /// A list of tables of their own.
    #[must_use]
    pub fn group_list(&self, key: &str) -> &[Self] {
        match self.0.get(key) {
            Some(Value::Groups(list)) => list,
            _ => &[],
        }
    }

    /// Tables of their own by name.
    pub fn named_groups(&self, key: &str) -> impl Iterator<Item = (&str, &Self)> {
        let named = match self.0.get(key) {
            Some(Value::NamedGroups(named)) => Some(named),
            _ => None,
        };
        named.into_iter().flatten().map(|(name, keys)| (name.as_str(), keys))
    }

    /// All tables of their own, by the name of their key.
    pub fn groups(&self) -> impl Iterator<Item = (&'static str, &Self)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Group(keys) => Some((*name, keys)),
            _ => None,
        })
    }

    /// A table of texts.
    pub fn table(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        let table = match self.0.get(key) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        };
        table.into_iter().flatten().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}
