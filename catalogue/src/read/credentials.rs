//! Rules on accounts: what proves them is one thing, and of use to the probes that name them.

use super::draft::{Draft, Fields};
use super::faults::Faults;
use crate::probe::{Kind, Wants};

/// Checks every account, and every probe that names one.
pub(super) fn check(draft: &Draft, faults: &mut Faults) {
    for credential in &draft.credentials {
        means(credential, faults);
    }
    uses(draft, faults);
}

/// A password, tokens or a certificate; tokens by one grant; a certificate with its key.
fn means(credential: &Fields, faults: &mut Faults) {
    let has = |key| credential.is_meant(key);
    if has("password") && has("oauth") {
        let message = "expected password or oauth, got both".to_owned();
        faults.error(credential.place("oauth"), message);
    } else if !has("password") && !has("oauth") && !has("certificate") {
        let message = "[[credential]] needs the key \"password\": where its password is kept; \
                       or \"oauth\"; or \"certificate\"";
        faults.missing(credential.header, message.to_owned());
    }
    for (there, absent) in [("certificate", "key"), ("key", "certificate")] {
        if has(there) && !has(absent) {
            let message = format!("{there} needs {absent} beside it");
            faults.error(credential.place(there), message);
        }
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

/// What proves an account is of use only to kinds that can show it.
fn uses(draft: &Draft, faults: &mut Faults) {
    for probe in &draft.probes {
        let Some(kind) = probe.kind.filter(|kind| kind.credential != Wants::Never) else {
            continue;
        };
        let fields = &probe.fields;
        let own = fields.settings.texts("credential").iter();
        let of_groups = fields
            .settings
            .groups()
            .flat_map(|(key, group)| group.texts("credential").iter().map(move |id| (key, id)));
        for (key, id) in own.map(|id| ("credential", id)).chain(of_groups) {
            let named = |c: &&Fields| c.settings.text("id") == Some(id);
            let Some(account) = draft.credentials.iter().find(named) else { continue };
            if let Some(message) = misfit(kind, id, account) {
                faults.error(fields.place(key), message);
                break;
            }
        }
    }
}

fn misfit(kind: &Kind, id: &str, account: &Fields) -> Option<String> {
    let name = kind.name;
    let has = |key| account.is_meant(key);
    if has("oauth") && !kind.tokens {
        return Some(format!("kind {name} logs on with a password, and {id:?} has oauth"));
    }
    if !has("oauth") && !kind.passwords {
        return Some(format!("kind {name} logs on with an access token, and {id:?} has no oauth"));
    }
    if has("certificate") && !kind.certificates {
        return Some(format!("kind {name} shows no certificate, and {id:?} has one"));
    }
    None
}
