//! From a draft without errors to the catalogue. Nothing is judged here.

use std::time::Duration;

use super::draft::{Draft, Fields, HoursDraft, LevelDraft, ProbeDraft};
use super::faults::{Faults, Place};
use crate::credential::{ClientCertificate, Credential, Grant, Means, OAuth, SecretRef};
use crate::hours::Hours;
use crate::key::Settings;
use crate::level::{Level, LevelHours, Measure, Over, UnknownPolicy};
use crate::probe::{Effect, Probe, Schedule};
use crate::quantity::Percent;
use crate::service::{
    Agent, Catalogue, Component, Maintenance, Publish, Report, Reporter, ReporterTls, Service, Sink,
};

/// The catalogue of a draft in which no error was found; `None` only where one was.
pub(crate) fn catalogue(draft: &Draft, faults: &Faults) -> Option<Catalogue> {
    let once = |name: &str| draft.once.get(name).map(|fields| &fields.settings);
    let probes = draft.probes.iter().map(|probe| self::probe(probe, faults));
    let agent = match once("agent") {
        Some(settings) => Some(agent(settings)?),
        None => None,
    };
    Some(Catalogue {
        service: service(once("service")?)?,
        agent,
        reporter: reporter(once("reporter")?)?,
        components: draft.components.iter().map(component).collect::<Option<_>>()?,
        probes: probes.collect::<Option<_>>()?,
        credentials: draft.credentials.iter().map(credential).collect::<Option<_>>()?,
        sinks: draft.sinks.iter().map(sink).collect::<Option<_>>()?,
        hours: draft.hours.iter().map(hours).collect(),
        levels: draft.levels.iter().map(level).collect::<Option<_>>()?,
        maintenance: once("maintenance").map(maintenance).unwrap_or_default(),
        report: report(once("report")?, draft, faults)?,
        branding: match once("branding") {
            Some(settings) => Some(super::branding::branding(settings)?),
            None => None,
        },
        distribution: match once("distribution") {
            Some(settings) => Some(super::distribution::distribution(settings)?),
            None => None,
        },
        notify: super::notify::notify(draft)?,
        tickets_csv: once("tickets").and_then(super::desk::tickets),
        counts_csv: once("counts").and_then(super::desk::counts),
    })
}

fn owned(settings: &Settings, key: &str) -> Option<String> {
    settings.text(key).map(str::to_owned)
}

fn service(settings: &Settings) -> Option<Service> {
    let zone_name = owned(settings, "zone")?;
    let zone = jiff::tz::db().get(&zone_name).ok()?;
    Some(Service { name: owned(settings, "name")?, zone, zone_name })
}

fn agent(settings: &Settings) -> Option<Agent> {
    let number = |key| settings.integer(key).and_then(|n| usize::try_from(n).ok());
    Some(Agent {
        name: owned(settings, "name")?,
        site: owned(settings, "site").unwrap_or_default(),
        token: settings.secret("token").cloned(),
        references: settings.texts("references").to_vec(),
        references_smtp: settings.texts("references_smtp").to_vec(),
        max_concurrent: number("max_concurrent")?,
        max_per_host: number("max_per_host")?,
        trust: settings.path("trust").map(std::path::Path::to_owned),
        resolver: settings.socket("resolver"),
        outbox_max_bytes: u64::try_from(settings.integer("outbox_max_bytes")?).ok()?,
        outbox_max_age: settings.duration("outbox_max_age")?,
    })
}

fn reporter(settings: &Settings) -> Option<Reporter> {
    Some(Reporter {
        metrics_allow: settings.networks("metrics_allow").to_vec(),
        trusted_proxies: settings.networks("trusted_proxies").to_vec(),
        tls: match settings.group("tls") {
            Some(keys) => Some(ReporterTls {
                certificate: keys.path("certificate")?.to_owned(),
                key: keys.secret("key")?.clone(),
            }),
            None => None,
        },
        raw_retention: settings.duration("raw_retention")?,
    })
}

fn component(fields: &Fields) -> Option<Component> {
    let settings = &fields.settings;
    let id = owned(settings, "id")?;
    Some(Component {
        name: owned(settings, "name").unwrap_or_else(|| id.clone()),
        id,
        group: owned(settings, "group").unwrap_or_default(),
        rule: settings.need("rule")?,
        quorum: settings.need("quorum")?,
        site_rule: settings.need("site_rule")?,
        severity: owned(settings, "severity")?,
        users: settings.integer("users").and_then(|n| u64::try_from(n).ok()),
        since: settings.dates("since").first().copied(),
        description: owned(settings, "description"),
    })
}

fn probe(probe: &ProbeDraft, faults: &Faults) -> Option<Probe> {
    let settings = &probe.fields.settings;
    let kind = probe.kind?;
    let schedule = match (settings.duration("every"), settings.text("cron")) {
        (Some(every), _) => Schedule::Every(every),
        (None, Some(cron)) => Schedule::Cron(cron.to_owned()),
        (None, None) => return None,
    };
    let retry_default = match &schedule {
        Schedule::Every(every) => (*every / 4).max(Duration::from_secs(1)),
        Schedule::Cron(_) => Duration::from_secs(60),
    };
    let effect = match settings.text("effect") {
        Some("advisory") => Effect::Advisory,
        Some(_) => Effect::Availability,
        None => kind.effect,
    };
    let own = |key: &&str| kind.keys.iter().any(|own| own.name == *key);
    let own_settings = settings.0.iter().filter(|(key, _)| own(key));
    Some(Probe {
        id: owned(settings, "id")?,
        component: owned(settings, "component")?,
        kind,
        schedule,
        retry_every: settings.duration("retry_every").unwrap_or(retry_default),
        confirm: u32::try_from(settings.integer("confirm")?).ok()?,
        timeout: settings.duration("timeout").unwrap_or(kind.timeout),
        slow: settings.duration("slow"),
        effect,
        sites: settings.texts("sites").to_vec(),
        credentials: settings.texts("credential").to_vec(),
        settings: Settings(own_settings.map(|(key, value)| (*key, value.clone())).collect()),
        line: faults.line(probe.fields.header),
    })
}

fn credential(fields: &Fields) -> Option<Credential> {
    let settings = &fields.settings;
    Some(Credential {
        id: owned(settings, "id")?,
        username: owned(settings, "username")?,
        means: match (settings.secret("password"), settings.group("oauth")) {
            (Some(place), _) => Means::Password(place.clone()),
            (None, Some(keys)) => Means::OAuth(oauth(keys)?),
            (None, None) => Means::Certificate,
        },
        certificate: settings.secret("certificate").zip(settings.secret("key")).map(
            |(certificate, key)| ClientCertificate {
                certificate: certificate.clone(),
                key: key.clone(),
            },
        ),
        shared: settings.bool("shared")?,
    })
}

fn oauth(keys: &Settings) -> Option<OAuth> {
    Some(OAuth {
        token_url: owned(keys, "token_url")?,
        client_id: owned(keys, "client_id")?,
        client_secret: keys.secret("client_secret").cloned(),
        grant: match keys.secret("refresh_token") {
            Some(place) => Grant::RefreshToken(place.clone()),
            None => Grant::ClientCredentials,
        },
        scope: owned(keys, "scope"),
    })
}

fn sink(fields: &Fields) -> Option<Sink> {
    let settings = &fields.settings;
    Some(Sink {
        id: owned(settings, "id")?,
        listen: settings.socket("listen")?,
        hostname: owned(settings, "hostname")?,
        identity: settings
            .path("certificate")
            .zip(settings.path("private_key"))
            .map(|(certificate, key)| (certificate.to_owned(), key.to_owned())),
        max_message_bytes: u64::try_from(settings.integer("max_message")?).ok()?,
        max_connections: usize::try_from(settings.integer("max_connections")?).ok()?,
        sites: settings.texts("sites").to_vec(),
    })
}

fn hours(draft: &HoursDraft) -> Hours {
    Hours {
        name: draft.name.clone(),
        weekly: draft.weekly.clone(),
        holidays: draft.holidays.clone(),
    }
}

fn level(draft: &LevelDraft) -> Option<Level> {
    let settings = &draft.fields.settings;
    let hours = match settings.text("hours") {
        None | Some("24x7") => LevelHours::Always,
        Some(named) => match named.strip_prefix("not ") {
            Some(name) => LevelHours::Not(name.to_owned()),
            None => LevelHours::Named(named.to_owned()),
        },
    };
    let unknown = match settings.text("unknown") {
        Some("up") => UnknownPolicy::Up,
        Some("down") => UnknownPolicy::Down,
        _ => UnknownPolicy::Exclude,
    };
    let ninety = Percent::from_units(Percent::WHOLE / 10 * 9)?;
    Some(Level {
        id: owned(settings, "id")?,
        component: owned(settings, "component"),
        over: match settings.text("over") {
            Some("users") => Some(Over::Users),
            Some(_) => Some(Over::Composite),
            None => None,
        },
        measure: measure(draft.measure?.name, settings)?,
        hours,
        unknown,
        min_coverage: settings.percent("min_coverage").unwrap_or(ninety),
        credits: settings.credits("credits").to_vec(),
    })
}

fn measure(name: &str, settings: &Settings) -> Option<Measure> {
    let target = || settings.percent("target");
    let within = || settings.duration("within");
    Some(match name {
        "availability" => Measure::Availability { target: target()? },
        "success" => Measure::Success { target: target()? },
        "response_time" => Measure::ResponseTime { target: target()?, within: within()? },
        "delivery_time" => Measure::DeliveryTime {
            target: target()?,
            within: within()?,
            lost_after: settings.duration("lost_after")?,
        },
        "resolution" => Measure::Resolution {
            target: target()?,
            severity: owned(settings, "severity")?,
            within: within()?,
            reopen_within: settings.duration("reopen_within"),
        },
        "listing" => Measure::Listing { target: settings.duration("target")? },
        "ratio" => Measure::Ratio { target: target()?, series: owned(settings, "series")? },
        _ => return None,
    })
}

fn maintenance(settings: &Settings) -> Maintenance {
    Maintenance {
        cap_per_month: settings.duration("cap_per_month"),
        notice: settings.duration("notice"),
    }
}

fn report(settings: &Settings, draft: &Draft, faults: &Faults) -> Option<Report> {
    Some(Report {
        publish: match settings.text("publish")? {
            "manual" => Publish::Manual,
            _ => Publish::Auto,
        },
        publish_on: u8::try_from(settings.integer("publish_on")?).ok()?,
        publish_at: settings.text("publish_at")?.parse().ok()?,
        signing_key: settings.secret("signing_key").cloned(),
        language: draft.wording.as_ref().map(|texts| super::wording::wording(texts, faults)),
    })
}

/// The secrets that a definition refers to: what each is for, and where it is kept.
pub(crate) fn secrets(draft: &Draft) -> Vec<(String, SecretRef, Place)> {
    let agent = draft.once.get("agent").into_iter();
    let agent = agent.map(|agent| ("the agent's token".to_owned(), agent, "token"));
    let own = draft.credentials.iter().flat_map(|credential| {
        let id = credential.settings.text("id").unwrap_or("");
        ["password", "certificate", "key"]
            .map(|key| (format!("the {key} of {id:?}"), credential, key))
    });
    let place = |(what, fields, key): (String, &Fields, &str)| {
        Some((what, fields.settings.secret(key)?.clone(), fields.place(key)))
    };
    let of_oauth = draft.credentials.iter().flat_map(|credential| {
        let id = credential.settings.text("id").unwrap_or("");
        let keys = credential.settings.group("oauth");
        let place = credential.place("oauth");
        let secret = move |(key, what): (&str, &str)| {
            Some((format!("the {what} of {id:?}"), keys?.secret(key)?.clone(), place))
        };
        let of = [("client_secret", "client's secret"), ("refresh_token", "refresh token")];
        of.into_iter().filter_map(secret).collect::<Vec<_>>()
    });
    agent.chain(own).filter_map(place).chain(of_oauth).collect()
}
