//! The demonstration's probes.toml: the rows of the reference service, pointed at the lab, and
//! the files it refers to. Intervals are short, so that somebody who watches sees things happen.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use mailward_lab::{Lab, LabAccount, LabSettings, lists};

use super::{LISTED_ADDRESS, LIVE};

/// The name of the definition inside the demonstration's data directory.
const DEFINITION_FILE: &str = "probes.toml";

/// The lab the demonstration watches.
pub(crate) fn lab_settings() -> LabSettings {
    let account = |name: &str| LabAccount {
        username: format!("{name}@example.test"),
        password: format!("{name}-only-for-the-lab"),
    };
    LabSettings {
        domain: "example.test".to_owned(),
        accounts: vec![account("owa-probe"), account("sender"), account("telephone")],
        lock_after: 12,
    }
}

/// Writes the definition, the lab's authority and the accounts' passwords into `dir`, and says
/// where the definition is.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn prepare(lab: &Lab, dir: &Path) -> Result<PathBuf> {
    let write = |name: &str, text: &str| -> Result<PathBuf> {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    };
    write("lab-authority.pem", lab.ca_pem())?;
    for account in lab_settings().accounts {
        let name = account.username.split('@').next().unwrap_or_default().to_owned();
        write(&format!("{name}.secret"), &account.password)?;
    }
    write(DEFINITION_FILE, &text(lab, dir))
}

/// A text as a TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn text(lab: &Lab, dir: &Path) -> String {
    let file = |name: &str| quoted(&dir.join(name).display().to_string());
    let at = lab.addresses();
    let domain = lab.domain();
    let mut out = head(&file("lab-authority.pem"), &at.dns.to_string());
    out.push_str(COMPONENTS);
    let smtp = at.smtp.port();
    let submission = at.submission.port();
    out.push_str(&format!(
        r#"
# ------------------------------------------------------------------ probes

[[probe]]
id = "mx-accepts"
component = "incoming-internet"
kind = "smtp"
host = "mail.{domain}"
port = {smtp}
tls = "starttls"
mail_from = "check@elsewhere.test"
rcpt_to = "sender@{domain}"
upto = "rcpt"                          # no message is ever sent
every = "10s"
retry_every = "2s"
timeout = "5s"

[[probe]]
id = "mx-record"
component = "incoming-internet"
kind = "dns"
name = "{domain}"
type = "MX"
expect = ["10 mail.{domain}."]
every = "30s"
retry_every = "5s"
timeout = "5s"

[[probe]]
id = "submission"
component = "outgoing-internet"
kind = "smtp"
host = "mail.{domain}"
port = {submission}
tls = "starttls"
credential = "sender"
mail_from = "sender@{domain}"
rcpt_to = "friend@elsewhere.test"
upto = "rcpt"
every = "15s"
retry_every = "3s"
timeout = "5s"

[[probe]]
id = "internal-mail"
component = "internal"
kind = "smtp"
host = "mail.{domain}"
port = {submission}
tls = "starttls"
credential = "sender"
mail_from = "sender@{domain}"
rcpt_to = "telephone@{domain}"
upto = "rcpt"
every = "15s"
retry_every = "3s"
timeout = "5s"

[[probe]]
id = "portal-page"
component = "portal"
kind = "http"
url = "https://portal.{domain}:{portal}/portal/"
expect_body = "Portal"
every = "5s"
retry_every = "2s"
timeout = "5s"
slow = "2s"

[[probe]]
id = "portal-certificate"
component = "portal"
kind = "tls"
host = "portal.{domain}"
port = {portal}
min_days = 14
effect = "advisory"
every = "60s"

[[probe]]
id = "owa-logon"
component = "owa"
kind = "owa"
url = "https://mail.{domain}:{owa}/owa/"
credential = "owa-probe"
every = "5s"
retry_every = "2s"
timeout = "4s"
slow = "3s"

[[probe]]
id = "outlook-health"
component = "outlook"
kind = "exchange-health"
url = "https://mail.{domain}:{health}/"
protocols = ["mapi", "ews", "autodiscover"]
every = "10s"
retry_every = "2s"
timeout = "5s"

[[probe]]
id = "eas-options"
component = "mobile"
kind = "eas"
url = "https://mail.{domain}:{eas}/Microsoft-Server-ActiveSync"
credential = "telephone"
every = "10s"
retry_every = "2s"
timeout = "5s"

[[probe]]
id = "blocklists"
component = "reputation"
kind = "dnsbl"                         # advisory: being listed is not downtime
addresses = ["{LISTED_ADDRESS}", "192.0.2.26"]
lists = ["{bl}", "{second}"]
resolver = "{dnsbl}"
every = "10s"
retry_every = "5s"
timeout = "5s"
"#,
        portal = at.portal.port(),
        owa = at.owa.port(),
        health = at.health.port(),
        eas = at.eas.port(),
        bl = lists::BLOCKLIST,
        second = lists::SECOND,
        dnsbl = at.dnsbl,
    ));
    for account in lab_settings().accounts {
        let name = account.username.split('@').next().unwrap_or_default().to_owned();
        out.push_str(&format!(
            "\n[[credential]]\nid = \"{name}\"\nusername = \"{}\"\npassword = {{ file = {} }}\n",
            account.username,
            file(&format!("{name}.secret"))
        ));
    }
    out.push_str(LEVELS);
    out
}

fn head(authority: &str, resolver: &str) -> String {
    let (name, site) = (LIVE.name, LIVE.site);
    format!(
        r#"# The definition of the demonstration. It was written by `mailward up --demo`, and is written
# anew each time, because the lab listens on other ports each time.

[service]
name = "Demonstration Mail"
zone = "Europe/London"

[agent]
name = "{name}"
site = "{site}"
trust = {authority}
resolver = "{resolver}"
"#
    )
}

const COMPONENTS: &str = r#"
# ------------------------------------------------------------------ rows

[[component]]
id = "incoming-internet"
name = "Incoming Internet Email"
group = "Email Gateway/Relay Status"
severity = "1"

[[component]]
id = "outgoing-internet"
name = "Outgoing Internet Email"
group = "Email Gateway/Relay Status"
severity = "1"

[[component]]
id = "internal"
name = "Internal Email"
group = "Email Gateway/Relay Status"
severity = "1"

[[component]]
id = "portal"
name = "Portal (administration tools)"
group = "Mail Status"
severity = "2"

[[component]]
id = "owa"
name = "Outlook Web Access"
group = "Mail Status"
severity = "2"

[[component]]
id = "outlook"
name = "Email Client Access (Outlook)"
group = "Mail Status"
severity = "2"

[[component]]
id = "mobile"
name = "Mobile/Tablet Access"
group = "Mail Status"
severity = "2"

[[component]]
id = "reputation"
name = "Reputation of our addresses"
group = "Email Gateway/Relay Status"
severity = "3"
"#;

const LEVELS: &str = r#"
# ------------------------------------------------------------------ what was promised

[hours.core]
daily = "07:00-22:00"

[[level]]
id = "incoming-availability"
component = "incoming-internet"
measure = "availability"
target = "99.9%"

[[level]]
id = "outgoing-availability"
component = "outgoing-internet"
measure = "availability"
target = "99.9%"

[[level]]
id = "internal-availability"
component = "internal"
measure = "availability"
target = "99.9%"

[[level]]
id = "portal-availability"
component = "portal"
measure = "availability"
target = "99.5%"
hours = "core"

[[level]]
id = "portal-response"
component = "portal"
measure = "response_time"
target = "95%"
within = "2s"

[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.9%"

[[level]]
id = "owa-success"
component = "owa"
measure = "success"
target = "99.5%"

[[level]]
id = "owa-response"
component = "owa"
measure = "response_time"
target = "95%"
within = "4s"

[[level]]
id = "outlook-availability"
component = "outlook"
measure = "availability"
target = "99.9%"

[[level]]
id = "outlook-success"
component = "outlook"
measure = "success"
target = "99.5%"

[[level]]
id = "mobile-availability"
component = "mobile"
measure = "availability"
target = "99.8%"

[[level]]
id = "reputation"
component = "reputation"
measure = "listing"
target = "0s"

[[level]]
id = "severity-2-resolution"
measure = "resolution"
severity = "2"
target = "100%"
within = "48h"
hours = "core"
reopen_within = "72h"

[[level]]
id = "calls-answered"
measure = "ratio"
series = "helpdesk-calls"
target = "97%"

[maintenance]
cap_per_month = "4h"
notice = "5d"

[report]
publish = "manual"                     # the demonstration publishes by itself
"#;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mailward_evidence::Record;

    use super::super::{PAST, Story, months};
    use super::*;

    async fn prepared() -> (tempfile::TempDir, mailward_catalogue::Catalogue) {
        let lab = Lab::start(lab_settings()).await.expect("a lab");
        let dir = tempfile::tempdir().expect("a directory");
        let path = prepare(&lab, dir.path()).expect("files");
        let parsed = mailward_catalogue::load(&path).expect("a file that can be read");
        assert!(parsed.faults.is_empty(), "{:#?}", parsed.faults);
        (dir, parsed.catalogue.expect("a definition"))
    }

    #[tokio::test]
    async fn the_definition_has_no_faults_and_every_secret_is_there() {
        let (_dir, catalogue) = prepared().await;
        assert_eq!(catalogue.components.len(), 8);
        for credential in &catalogue.credentials {
            credential.password().expect("a password").read().expect("a secret");
        }
    }

    #[tokio::test]
    async fn the_past_speaks_of_what_is_defined_and_of_nothing_else() {
        let (_dir, catalogue) = prepared().await;
        let defined: BTreeSet<_> = catalogue.probes.iter().map(|probe| &*probe.id).collect();
        let told: BTreeSet<_> = LIVE.probes.iter().map(|habit| habit.probe).collect();
        assert_eq!(told, defined);
        assert!(PAST.probes.iter().all(|habit| defined.contains(habit.probe)));

        let now = "2026-11-22T14:00:00Z".parse().expect("an instant");
        let story = Story::new(now, &months::tests::london()).expect("a story");
        for record in story.ledger().expect("a ledger") {
            let (components, series) = match &record {
                Record::Exclusion(e) => (e.components.iter().map(|c| c.as_str()).collect(), None),
                Record::Ticket(t) => (t.component.iter().map(|c| c.as_str()).collect(), None),
                Record::Count(c) => (Vec::new(), Some(&*c.series)),
                _ => (Vec::new(), None),
            };
            for id in components {
                assert!(catalogue.component(id).is_some(), "{record:?}");
            }
            if let Some(series) = series {
                let ratio = |level: &mailward_catalogue::Level| {
                    matches!(&level.measure,
                        mailward_catalogue::Measure::Ratio { series: s, .. } if s == series)
                };
                assert!(catalogue.levels.iter().any(ratio), "{record:?}");
            }
        }
    }
}
