//! The kind `imap`: its keys, and the rules that `imap` and `pop3` share.

use super::{
    ADDRESSES, Advice, BASE, Declared, Kind, SMTP_TLS, Settings, Shape, Value, Wants, error,
    step_depth,
};
use crate::fault::Gravity;
use crate::key::Key;

/// `imap`
pub static IMAP: Kind = Kind {
    name: "imap",
    about: "opens a mailbox by IMAP, reads nothing in it, and leaves it as it was",
    credential: Wants::Optional,
    tokens: true,
    keys: &[
        Key::required("host", Shape::Host, "the server"),
        Key::optional("port", Shape::Port, "993 with tls = \"implicit\", else 143, where absent"),
        Key::optional("tls", Shape::Word(SMTP_TLS), "how the connection is encrypted")
            .or("\"implicit\""),
        Key::optional(
            "upto",
            Shape::Word(&["greeting", "tls", "auth", "select"]),
            "the last step; where absent, the last one that the other keys make possible",
        ),
        ADDRESSES,
    ],
    depth: |probe| step_depth(probe.settings.text("upto")),
    settle: |settings, declared| settle_mailbox(settings, declared, (993, 143), "select"),
    ..BASE
};

/// Port and last step where they are not declared; `ports` with implicit TLS and without.
pub(super) fn settle_mailbox(
    settings: &mut Settings,
    declared: &Declared,
    ports: (i64, i64),
    last: &'static str,
) -> Vec<Advice> {
    let mut advice = Vec::new();
    let tls = settings.text("tls").unwrap_or("implicit").to_owned();
    if settings.port("port").is_none() {
        let port = if tls == "implicit" { ports.0 } else { ports.1 };
        settings.0.insert("port", Value::Integer(port));
    }
    let reachable = match (declared.credential, tls.as_str()) {
        (true, _) => last,
        (false, "none") => "greeting",
        (false, _) => "tls",
    };
    let upto = settings.text("upto").unwrap_or(reachable).to_owned();
    let needs_account = upto == "auth" || upto == last;
    if upto == "tls" && tls == "none" {
        advice.push(error("upto", "upto = \"tls\" needs tls = \"starttls\" or \"implicit\""));
    } else if needs_account && !declared.credential {
        advice.push(error("upto", &format!("upto = \"{upto}\" needs a credential")));
    } else if !needs_account && declared.credential {
        let message = format!("upto = \"{upto}\" ends before the credential is used");
        advice.push(error("upto", &message));
    }
    if declared.credential && tls == "none" {
        advice.push(Advice {
            gravity: Gravity::Warning,
            key: "tls",
            message: "the password travels unencrypted; expected tls = \"starttls\" or \
                      \"implicit\""
                .to_owned(),
        });
    }
    settings.0.insert("upto", Value::Text(upto));
    advice
}
