//! `[distribution]`: which keys go together, and what is built from them. The keys themselves
//! are read by their table.

use jiff::civil::Weekday;

use super::draft::{Draft, Fields};
use super::faults::Faults;
use crate::distribution::{Distribution, Relay, RelayTls};
use crate::key::Settings;
use crate::section::DAYS;

/// Checks the section, where it is written.
pub(super) fn check(draft: &Draft, faults: &mut Faults) {
    if let Some(fields) = draft.once.get("distribution") {
        account(fields, faults);
    }
}

/// Checks the account of a relay: a name and a password go together, and travel encrypted.
pub(super) fn account(fields: &Fields, faults: &mut Faults) {
    for (key, other) in [("username", "password"), ("password", "username")] {
        if fields.is_written(key) && !fields.is_meant(other) {
            let message = format!("{key}: expected the key {other:?} beside it");
            faults.error(fields.place(key), message);
        }
    }
    if fields.is_written("password") && fields.settings.text("tls") == Some("none") {
        let message = "tls: the password travels unencrypted; expected tls = \"starttls\" or \
                       \"implicit\"";
        faults.warning(fields.place("tls"), message.to_owned());
    }
}

/// The section as it was written.
pub(super) fn distribution(settings: &Settings) -> Option<Distribution> {
    let text = |key| settings.text(key).map(str::to_owned);
    Some(Distribution {
        to: settings.texts("to").to_vec(),
        from: text("from")?,
        subject: text("subject")?,
        relay: relay(settings)?,
        digest: settings.text("digest").and_then(weekday),
        give_up_after: settings.duration("give_up_after")?,
    })
}

/// The relay that these keys tell of.
pub(super) fn relay(settings: &Settings) -> Option<Relay> {
    let tls = match settings.text("tls")? {
        "none" => RelayTls::None,
        "implicit" => RelayTls::Implicit,
        _ => RelayTls::StartTls,
    };
    let username = settings.text("username").map(str::to_owned);
    let account = username.zip(settings.secret("password").cloned());
    let usual = match tls {
        RelayTls::Implicit => 465,
        _ if account.is_some() => 587,
        _ => 25,
    };
    Some(Relay {
        host: settings.text("host")?.to_owned(),
        port: settings.port("port").unwrap_or(usual),
        tls,
        account,
        trust: settings.path("trust").map(std::path::Path::to_owned),
    })
}

fn weekday(word: &str) -> Option<Weekday> {
    let index = DAYS.iter().position(|day| *day == word)?;
    Weekday::from_monday_zero_offset(i8::try_from(index).ok()?).ok()
}
