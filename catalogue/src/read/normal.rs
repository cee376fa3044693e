//! A definition in its normal form: every default written out, quantities in one spelling, keys
//! in order, no comments, and nothing that is about one machine or about files to import. Equal
//! definitions have equal texts, and reading one gives the same judgements.

use toml::{Table, Value as Toml};

use super::draft::{Draft, HoursDraft};
use super::wording;
use crate::credential::SecretRef;
use crate::hours::Span;
use crate::key::{Key, Settings, Shape, Value};
use crate::level::Credit;
use crate::quantity::show_duration;
use crate::section::{self, DAYS, Section};
use crate::service::Need;

/// Sections that stand once and say how a service is judged.
const ONCE: [&Section; 3] = [&section::SERVICE, &section::MAINTENANCE, &section::REPORT];

/// The normal form of a draft in which no error was found.
pub(super) fn text(draft: &Draft) -> Option<String> {
    let mut whole = Table::new();
    for section in ONCE {
        if let Some(fields) = draft.once.get(section.name) {
            let mut settings = fields.settings.clone();
            // where the key that signs is kept is about one machine
            settings.0.retain(|_, value| !matches!(value, Value::Secret(_)));
            let mut written = table(&settings, &[section.keys]);
            if let (Some(texts), "report") = (&draft.wording, section.name) {
                // the words themselves: a file may say something else by and by
                written.insert(
                    "language".to_owned(),
                    wording::normal(texts.iter().map(|(_, text)| text)).into(),
                );
            }
            whole.insert(section.name.to_owned(), written.into());
        }
    }
    let mut list = |name: &str, tables: Vec<Table>| {
        if !tables.is_empty() {
            let tables = tables.into_iter().map(Toml::Table).collect();
            whole.insert(name.to_owned(), Toml::Array(tables));
        }
    };
    let plain =
        |fields: &super::draft::Fields, section: &Section| table(&fields.settings, &[section.keys]);
    let components = draft.components.iter().map(|f| plain(f, &section::COMPONENT));
    list("component", components.collect());
    let probes = draft.probes.iter().map(|probe| {
        let own = probe.kind.map_or(&[][..], |kind| kind.keys);
        table(&probe.fields.settings, &[section::PROBE.keys, own])
    });
    list("probe", probes.collect());
    let levels = draft.levels.iter().map(|level| {
        let own = level.measure.map_or(&[][..], |measure| measure.keys);
        table(&level.fields.settings, &[section::LEVEL.keys, own])
    });
    list("level", levels.collect());
    list("credential", draft.credentials.iter().map(|f| plain(f, &section::CREDENTIAL)).collect());
    list("sink", draft.sinks.iter().map(|f| plain(f, &section::SINK)).collect());
    if !draft.hours.is_empty() {
        let hours = draft.hours.iter().map(|named| (named.name.clone(), hours(named).into()));
        whole.insert("hours".to_owned(), Toml::Table(hours.collect()));
    }
    toml::to_string(&whole).ok()
}

fn table(settings: &Settings, sets: &[&'static [Key]]) -> Table {
    let shape = |name: &str| {
        let key = sets.iter().flat_map(|set| set.iter()).find(|key| key.name == name);
        key.map(|key| key.shape)
    };
    settings
        .0
        .iter()
        .map(|(name, value)| ((*name).to_owned(), written(shape(name), value)))
        .collect()
}

fn written(shape: Option<Shape>, value: &Value) -> Toml {
    let texts = |list: &mut dyn Iterator<Item = String>| {
        Toml::Array(list.map(Toml::String).collect::<Vec<_>>())
    };
    match value {
        Value::Text(text) => text.clone().into(),
        Value::Integer(number) => (*number).into(),
        Value::Bool(yes) => (*yes).into(),
        Value::Duration(duration) => show_duration(*duration).into(),
        Value::Socket(address) => address.to_string().into(),
        Value::Texts(list) => texts(&mut list.iter().cloned()),
        Value::Addresses(list) => texts(&mut list.iter().map(ToString::to_string)),
        Value::Statuses(ranges) => Toml::Array(ranges.iter().map(|r| status(*r)).collect()),
        Value::Table(entries) => {
            let entries = entries.iter().map(|(k, v)| (k.clone(), Toml::String(v.clone())));
            Toml::Table(entries.collect())
        }
        Value::Secret(place) => secret(place),
        Value::Percent(percent) => format!("{percent}%").into(),
        Value::Dates(dates) => match (shape, dates.as_slice()) {
            (Some(Shape::Date), [date]) => date.to_string().into(),
            _ => texts(&mut dates.iter().map(ToString::to_string)),
        },
        Value::Need(need) => match need {
            Need::Any => "any".into(),
            Need::All => "all".into(),
            Need::Majority => "majority".into(),
            Need::AtLeast(n) => i64::from(*n).into(),
        },
        Value::Spans(list) => texts(&mut list.iter().map(|s| span(*s))),
        Value::Networks(list) => texts(&mut list.iter().map(|(ip, bits)| format!("{ip}/{bits}"))),
        Value::Path(path) => path.display().to_string().into(),
        Value::Wording(texts) => wording::normal(texts).into(),
        Value::Credits(tiers) => Toml::Array(tiers.iter().map(credit).collect()),
        Value::Group(settings) => match shape {
            Some(Shape::Group(keys)) => Toml::Table(table(settings, &[keys])),
            _ => Toml::Table(table(settings, &[])),
        },
        Value::Groups(list) => {
            Toml::Array(list.iter().map(|keys| inner(shape, keys).into()).collect())
        }
        Value::NamedGroups(named) => {
            let named = named.iter().map(|(name, keys)| (name.clone(), inner(shape, keys).into()));
            Toml::Table(named.collect())
        }
    }
}

fn inner(shape: Option<Shape>, keys: &Settings) -> Table {
    match shape {
        Some(Shape::Groups(inner) | Shape::NamedGroups(inner)) => table(keys, &[inner.keys]),
        _ => table(keys, &[]),
    }
}

fn credit(tier: &Credit) -> Toml {
    let text = |percent| Toml::String(format!("{percent}%"));
    let keys = [("below", tier.below), ("credit", tier.credit)];
    Toml::Table(keys.map(|(name, percent)| (name.to_owned(), text(percent))).into_iter().collect())
}

fn status((from, to): (u16, u16)) -> Toml {
    if from == to { i64::from(from).into() } else { format!("{from}-{to}").into() }
}

fn secret(place: &SecretRef) -> Toml {
    let (name, place) = match place {
        SecretRef::File(path) => ("file", path.display().to_string()),
        SecretRef::Env(name) => ("env", name.clone()),
        SecretRef::Systemd(name) => ("systemd", name.clone()),
    };
    Toml::Table(Table::from_iter([(name.to_owned(), Toml::String(place))]))
}

fn span(span: Span) -> String {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    // past the midnight it ends at, a span is written as ending no later than it starts
    let to = if span.to_min > 1440 { span.to_min - 1440 } else { span.to_min };
    format!("{}-{}", clock(span.from_min), clock(to))
}

fn hours(hours: &HoursDraft) -> Table {
    let days = DAYS.iter().zip(&hours.weekly).map(|(day, spans)| {
        let spans = spans.iter().map(|s| Toml::String(span(*s))).collect();
        ((*day).to_owned(), Toml::Array(spans))
    });
    let holidays = hours.holidays.iter().map(|date| Toml::String(date.to_string())).collect();
    days.chain([("holidays".to_owned(), Toml::Array(holidays))]).collect()
}
