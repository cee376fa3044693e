//! What to do next, switched off: an account, what becomes possible with one, a second agent,
//! service levels, a portal. Nothing in it comes from outside but names of hosts and the domain.

use super::{comment, heading, probe, switched_off};
use crate::init::Scope;
use crate::init::plan::{Check, Row};
use crate::init::toml::{Value, quoted};

/// The account that the steps speak of.
const ACCOUNT: &str = "probe1";

pub(super) fn steps(out: &mut String, scope: &Scope, checks: &[Check]) {
    account(out, scope, checks);
    heading(out, "next: a second agent");
    comment(
        out,
        "With one agent a fault of its own network is not told from one of the service for certain. \
         On the machine of the reporter: `mailward agents add NAME --site SITE` prints a token. On the \
         other: this file, an agent.toml beside it with [agent] name, site and token, and `mailward \
         agent --reporter URL`.",
    );
    if !checks.iter().any(|check| check.row == Row::Reputation) {
        reputation(out, scope);
    }
    levels(out, checks);
    portal(out);
    branding(out);
}

/// Whose report it is.
fn branding(out: &mut String) {
    heading(out, "next: your name on it");
    comment(
        out,
        "Page, report and letters bear it. With logo = \"logo.svg\" also a logo, PNG or SVG, from a \
         file beside this one.",
    );
    switched_off(
        out,
        "[branding]\norganisation = \"Your organisation\"\ncolour = \"#1d4f91\"\n\
         accent = \"#00857c\"\nfooter = \"Questions about this report? Ask the service desk.\"\n",
    );
}

/// Blocklists, where none answered.
fn reputation(out: &mut String, scope: &Scope) {
    heading(out, "next: blocklists");
    comment(
        out,
        "No blocklist could be asked through the resolver of this machine. Many refuse public ones: \
         run a resolver of your own, and give it here.",
    );
    let text = format!(
        "[[component]]\nid = \"reputation\"\nname = \"Reputation\"\n\n[[probe]]\n\
         id = \"blocklists\"\ncomponent = \"reputation\"\nkind = \"dnsbl\"\nmx_of = {}\n\
         lists = [\"zen.spamhaus.org\", \"bl.spamcop.net\"]\nresolver = \"192.0.2.53:53\"\n\
         every = \"30m\"\n",
        quoted(&scope.domain),
    );
    switched_off(out, &text);
}

fn account(out: &mut String, scope: &Scope, checks: &[Check]) {
    heading(out, "next: an account for the checks");
    comment(
        out,
        "A mailbox that nobody else uses, and its password in a file that only Mailward reads. Then \
         checks sign in; an account that is refused is spared, so that it is never locked.",
    );
    let address = format!("{ACCOUNT}@{}", scope.domain);
    let credential = format!(
        "[[credential]]\nid = {}\nusername = {}\npassword = {{ file = {} }}\n",
        quoted(ACCOUNT),
        quoted(&address),
        quoted(&format!("/etc/mailward/{ACCOUNT}")),
    );
    switched_off(out, &credential);
    for (kind, about) in [
        ("owa", "Into the mailbox by Outlook on the web, and out again."),
        ("eas", "The same as phones do it."),
        ("imap", "Into the inbox by IMAP."),
        ("pop3", "Into the mailbox by POP3."),
    ] {
        if let Some(check) = checks.iter().find(|check| check.kind == kind) {
            signed_in(out, check, about);
        }
    }
    let submission = checks.iter().find(|check| check.row == Row::Sending);
    let inbox = checks.iter().find(|check| check.kind == "imap");
    if let Some(submission) = submission {
        signed_in(out, submission, "Signing in to send mail; nothing is sent.");
    }
    if let (Some(submission), Some(inbox)) = (submission, inbox) {
        round_trip(out, &address, submission, inbox);
    }
}

/// A check that was found, going further with the account.
fn signed_in(out: &mut String, check: &Check, about: &str) {
    let mut further = check.clone();
    further.keys.retain(|(key, _)| *key != "upto");
    further.keys.push(("credential", Value::Text(ACCOUNT.to_owned())));
    out.push('\n');
    comment(out, about);
    let mut text = String::new();
    let id = format!("{}-signed-in", check.id);
    probe(&mut text, &further, &id, check.row.id(), &[("every", "5m")]);
    switched_off(out, &text);
}

/// A message from the account to itself.
fn round_trip(out: &mut String, address: &str, submission: &Check, inbox: &Check) {
    let server = |check: &Check| {
        let keys = check.keys.iter().filter(|(key, _)| ["host", "port", "tls"].contains(key));
        let mut keys: Vec<String> =
            keys.map(|(key, value)| format!("{key} = {}", value.written())).collect();
        // the port where mail is handed over depends on what else is declared
        if !check.keys.iter().any(|(key, _)| *key == "port") && check.kind == "smtp" {
            keys.push("port = 465".to_owned());
        }
        keys.push(format!("credential = {}", quoted(ACCOUNT)));
        keys.join(", ")
    };
    out.push('\n');
    comment(
        out,
        "A message from the account to itself: whether it arrives, and how long it takes.",
    );
    let text = format!(
        "[[component]]\nid = \"internal\"\nname = \"Internal Email\"\n\n[[probe]]\n\
         id = \"mail-round-trip\"\ncomponent = \"internal\"\nkind = \"mail\"\n\
         direction = \"internal\"\n\
         send = {{ {}, mail_from = {address}, rcpt_to = {address} }}\nreceive = {{ {} }}\n\
         every = \"5m\"\n\n[[level]]\nid = \"internal-delivery\"\ncomponent = \"internal\"\n\
         measure = \"delivery_time\"\ntarget = \"95%\"\nwithin = \"60s\"\n",
        server(submission),
        server(inbox),
        address = quoted(address),
    );
    switched_off(out, &text);
}

fn levels(out: &mut String, checks: &[Check]) {
    heading(out, "next: what was promised");
    comment(
        out,
        "Service levels: each stands in the monthly report, met or missed. All measures are in the \
         reference, docs/probes-toml.md.",
    );
    let mut text = String::new();
    for row in Row::ALL {
        if !checks.iter().any(|check| check.row == row) || row == Row::Policy {
            continue;
        }
        let id = row.id();
        text.push_str(&match row {
            Row::Reputation => format!(
                "[[level]]\nid = \"{id}-listing\"\ncomponent = \"{id}\"\nmeasure = \"listing\"\n\
                 target = \"0s\"\n\n"
            ),
            _ => format!(
                "[[level]]\nid = \"{id}-availability\"\ncomponent = \"{id}\"\n\
                 measure = \"availability\"\ntarget = \"99.9%\"\n\n"
            ),
        });
    }
    text.push_str(
        "[hours.core]\nmon-fri = \"08:00-18:00\"\n\n[maintenance]\ncap_per_month = \"4h\"\n\
         notice = \"5d\"\n\n[report]\npublish = \"manual\"\n",
    );
    switched_off(out, &text);
}

fn portal(out: &mut String) {
    heading(out, "next: a portal, as its users go through it");
    let text = r#"[[component]]
id = "portal"
name = "Portal"

[[probe]]
id = "portal-sign-in"
component = "portal"
kind = "http"
url = "https://portal.example.org/"
credential = "probe1"
every = "5m"

[[probe.step]]
name = "sign-in-page"
path = "/login"
capture = { csrf = { regex = 'name="csrf" value="([^"]+)"' } }

[[probe.step]]
name = "sign-in"
path = "/login"
form = { csrf = "{csrf}", user = "{username}", password = "{password}" }
expect_body = "(?i)sign out"
rejected_by = { status = 401, body = "(?i)wrong password" }
"#;
    switched_off(out, text);
}
