//! Rules on accounts: what proves them is one thing, and of use to the probes that name them.

use super::draft::{Draft, Fields};
use super::faults::Faults;
use crate::probe::Wants;

/// Checks every account, and every probe that names one.
pub(super) fn check(draft: &Draft, faults: &mut Faults) {
    for credential in &draft.credentials {
        means(credential, faults);
    }
    tokens(draft, faults);
}

/// A password, or tokens; and tokens by one grant.
fn means(credential: &Fields, faults: &mut Faults) {
    match (credential.is_meant("password"), credential.is_meant("oauth")) {
        (true, true) => {
            let message = "expected password or oauth, got both".to_owned();
            faults.error(credential.place("oauth"), message);
        }
        (false, false) => {
            let message = "[[credential]] needs the key \"password\": where its password is kept; \
                           or \"oauth\"";
            faults.missing(credential.header, message.to_owned());
        }
        _ => {}
    }
    let Some(keys) = credential.settings.group("oauth") else { return };
    let mut wrong = |message: &str| {
        faults.error(credential.place("oauth"), format!("oauth: {message}"));
    };
    if keys.text("token_url").is_some_and(|url| !url.starts_with("https://")) {
        wrong("token_url: expected an https:// URL: secrets travel there");
    }
    match (keys.secret("refresh_token").is_some(), keys.text("grant").is_some()) {
        (true, true) => wrong("expected refresh_token or grant, got both"),
        (false, false) => wrong("needs refresh_token, or grant = \"client_credentials\""),
        (false, true) if keys.secret("client_secret").is_none() => {
            wrong("grant = \"client_credentials\" needs client_secret");
        }
        _ => {}
    }
}

/// An access token is of use only to kinds that can show one.
fn tokens(draft: &Draft, faults: &mut Faults) {
    let is_token = |id: &String| {
        let named = |c: &&Fields| c.settings.text("id") == Some(id);
        draft.credentials.iter().find(named).is_some_and(|c| c.settings.group("oauth").is_some())
    };
    for probe in &draft.probes {
        let Some(kind) = probe.kind.filter(|k| !k.tokens && k.credential != Wants::Never) else {
            continue;
        };
        let fields = &probe.fields;
        if let Some(id) = fields.settings.texts("credential").iter().find(|id| is_token(id)) {
            let message =
                format!("kind {} logs on with a password, and {id:?} has oauth", kind.name);
            faults.error(fields.place("credential"), message);
        }
    }
}
