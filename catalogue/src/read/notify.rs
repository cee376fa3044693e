//! `[[notify]]`: which keys go together, and what is built from them. The keys themselves are
//! read by their table.

use std::path::Path;

use super::cross::{Names, resolve};
use super::distribution;
use super::draft::{Draft, Fields};
use super::faults::Faults;
use crate::key::Settings;
use crate::level::LevelHours;
use crate::notify::{Channel, Detail, Hook, HookUrl, Notify, OF_HOOKS, OF_MAIL, OF_WEBHOOK, Topic};

/// Checks each channel.
pub(super) fn check(draft: &Draft, names: &Names, faults: &mut Faults) {
    for fields in &draft.notify {
        keys_of_kind(fields, draft, faults);
        references(fields, draft, names, faults);
        times(fields, faults);
    }
}

fn keys_of_kind(fields: &Fields, draft: &Draft, faults: &mut Faults) {
    // without a kind, that is all that can be told
    let Some(kind) = fields.settings.text("kind") else { return };
    let strange: &[&[&str]] = match kind {
        "mail" => &[OF_HOOKS, OF_WEBHOOK],
        "webhook" => &[OF_MAIL],
        _ => &[OF_MAIL, OF_WEBHOOK],
    };
    for key in strange.iter().flat_map(|set| set.iter()).filter(|key| fields.is_written(key)) {
        let message = format!("key {key:?} does not belong to [[notify]] of kind {kind}");
        faults.error(fields.place(key), message);
    }
    match kind {
        "mail" => mail(fields, draft, faults),
        _ => hook(fields, kind, faults),
    }
}

fn mail(fields: &Fields, draft: &Draft, faults: &mut Faults) {
    let mut needs = |key: &str, why: &str| {
        if !fields.is_meant(key) {
            let message = format!("[[notify]] of kind mail needs the key {key:?}{why}");
            faults.missing(fields.header, message);
        }
    };
    needs("to", "");
    if !draft.seen.contains("distribution") {
        needs("host", ": there is no [distribution] whose relay could be used");
        needs("from", ": there is no [distribution] whose sender could be used");
    }
    if !fields.is_meant("host") {
        for key in ["port", "tls", "username", "password", "trust"] {
            if fields.is_written(key) {
                let message = format!("{key}: expected the key \"host\" beside it");
                faults.error(fields.place(key), message);
            }
        }
        return;
    }
    distribution::account(fields, faults);
}

fn hook(fields: &Fields, kind: &str, faults: &mut Faults) {
    if !fields.is_meant("url") {
        let message = format!("[[notify]] of kind {kind} needs the key \"url\"");
        faults.missing(fields.header, message);
    }
    let Some(url) = fields.settings.text("url") else { return };
    if kind != "webhook" {
        let message = "url: whoever reads this file may write there; expected { file = \"PATH\" }, \
                       { env = \"NAME\" } or { systemd = \"NAME\" }";
        faults.warning(fields.place("url"), message.to_owned());
    } else if url.starts_with("http://") && fields.is_written("bearer") {
        let message = "url: the token travels unencrypted; expected an https:// URL";
        faults.warning(fields.place("url"), message.to_owned());
    }
}

fn references(fields: &Fields, draft: &Draft, names: &Names, faults: &mut Faults) {
    let settings = &fields.settings;
    for id in settings.texts("components") {
        let place = fields.place("components");
        resolve("component", "[[component]]", id, &names.components, place, faults);
    }
    for key in ["severity", "quiet_except"] {
        for severity in settings.texts(key) {
            let has = |component: &Fields| component.settings.text("severity") == Some(severity);
            if !draft.components.iter().any(has) {
                let message = format!("{key}: no component has the severity {severity:?}");
                faults.warning(fields.place(key), message);
            }
        }
    }
    if fields.is_written("quiet_except") && !fields.is_meant("quiet_hours") {
        let message = "quiet_except: expected the key \"quiet_hours\" beside it".to_owned();
        faults.error(fields.place("quiet_except"), message);
    }
    let Some(quiet) = settings.text("quiet_hours") else { return };
    let place = fields.place("quiet_hours");
    let (name, not) = match quiet.strip_prefix("not ") {
        Some(name) => (name, true),
        None => (quiet, false),
    };
    if quiet == "24x7" || (!not && names.always.contains(name)) {
        let message = "quiet_hours never end: nothing would be told".to_owned();
        return faults.error(place, message);
    }
    resolve("hours", "[hours.NAME]", name, &names.hours, place, faults);
}

fn times(fields: &Fields, faults: &mut Faults) {
    let of = |key| fields.settings.duration(key);
    if let (Some(group), Some(repeat)) = (of("group_interval"), of("repeat_interval"))
        && repeat < group
    {
        let message = "repeat_interval is shorter than group_interval, which holds".to_owned();
        faults.warning(fields.place("repeat_interval"), message);
    }
}

/// The channels of a draft in which no error was found.
pub(super) fn notify(draft: &Draft) -> Option<Vec<Notify>> {
    let distribution = draft.once.get("distribution").map(|fields| &fields.settings);
    draft.notify.iter().map(|fields| channel(&fields.settings, distribution)).collect()
}

fn channel(settings: &Settings, distribution: Option<&Settings>) -> Option<Notify> {
    let text = |key| settings.text(key).map(str::to_owned);
    let list = |key| settings.texts(key).to_vec();
    let topics = settings.texts("on").iter().map(|word| Topic::parse(word));
    Some(Notify {
        id: text("id")?,
        channel: match settings.text("kind")? {
            "mail" => of_mail(settings, distribution)?,
            "slack" => Channel::Slack(of_hook(settings)?),
            "teams" => Channel::Teams(of_hook(settings)?),
            _ => Channel::Webhook(of_hook(settings)?),
        },
        on: topics.collect::<Option<_>>()?,
        components: list("components"),
        severity: list("severity"),
        group_wait: settings.duration("group_wait")?,
        group_interval: settings.duration("group_interval")?,
        repeat_interval: settings.duration("repeat_interval")?,
        recovered_after: settings.duration("recovered_after")?,
        send_recovered: settings.bool("send_recovered")?,
        quiet: settings.text("quiet_hours").map(|quiet| match quiet.strip_prefix("not ") {
            Some(name) => LevelHours::Not(name.to_owned()),
            None => LevelHours::Named(quiet.to_owned()),
        }),
        quiet_except: list("quiet_except"),
        detail: match settings.text("detail")? {
            "operators" => Detail::Operators,
            _ => Detail::Public,
        },
        page: text("page"),
        runbook: text("runbook"),
        give_up_after: settings.duration("give_up_after")?,
    })
}

fn of_mail(settings: &Settings, distribution: Option<&Settings>) -> Option<Channel> {
    let relay = match settings.text("host") {
        Some(_) => distribution::relay(settings)?,
        None => distribution::relay(distribution?)?,
    };
    let from = settings.text("from").or_else(|| distribution?.text("from"));
    Some(Channel::Mail { to: settings.texts("to").to_vec(), from: from?.to_owned(), relay })
}

fn of_hook(settings: &Settings) -> Option<Hook> {
    let own = settings.table("headers");
    Some(Hook {
        url: match settings.text("url") {
            Some(url) => HookUrl::Plain(url.to_owned()),
            None => HookUrl::Kept(settings.secret("url")?.clone()),
        },
        headers: own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        bearer: settings.secret("bearer").cloned(),
        signing_secret: settings.secret("signing_secret").cloned(),
        allow_private: settings.bool("allow_private")?,
        trust: settings.path("trust").map(Path::to_owned),
    })
}
