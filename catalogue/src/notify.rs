//! `[[notify]]`: who is told of what happens, by which way, and how often. What happened, the
//! words, and sending them are the reporter's business.

use std::path::PathBuf;
use std::time::Duration;

use crate::credential::SecretRef;
use crate::distribution::{PASSWORD, PORT, Relay, TLS, TRUST, USERNAME};
use crate::key::{Key, Shape};
use crate::level::LevelHours;
use crate::section::{Form, Section};

/// `[[notify]]`: a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Its id.
    pub id: String,
    /// The way that messages take.
    pub channel: Channel,
    /// What it tells of.
    pub on: Vec<Topic>,
    /// Only of these components; empty for all.
    pub components: Vec<String>,
    /// Only of components of these severities; empty for all.
    pub severity: Vec<String>,
    /// How long what is new waits for more of it; default 30 s.
    pub group_wait: Duration,
    /// The least time between two messages; default 5 minutes.
    pub group_interval: Duration,
    /// How often what goes on is told again; default 4 hours.
    pub repeat_interval: Duration,
    /// How long something must be over before it is told as recovered; default 2 minutes.
    pub recovered_after: Duration,
    /// Whether it tells what is over.
    pub send_recovered: bool,
    /// When it is silent; what happens then is told together when they end.
    pub quiet: Option<LevelHours>,
    /// Severities that are told in quiet hours too.
    pub quiet_except: Vec<String>,
    /// Whom its words are for.
    pub detail: Detail,
    /// Address of the status page, for links.
    pub page: Option<String>,
    /// Address of the runbook, for links.
    pub runbook: Option<String>,
    /// How long a message that cannot be sent is tried again; default 1 day.
    pub give_up_after: Duration,
}

/// The way that messages take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Mail, a message to each recipient.
    Mail {
        /// To whom.
        to: Vec<String>,
        /// From whom; bounces come back to it.
        from: String,
        /// Through which relay.
        relay: Relay,
    },
    /// JSON of our own.
    Webhook(Hook),
    /// What Slack's incoming webhooks take.
    Slack(Hook),
    /// What a webhook of Teams' Workflows takes.
    Teams(Hook),
}

impl Channel {
    /// The word of `kind`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Mail { .. } => "mail",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
        }
    }

    /// The address that messages are posted to, where they are.
    #[must_use]
    pub const fn hook(&self) -> Option<&Hook> {
        match self {
            Self::Mail { .. } => None,
            Self::Webhook(hook) | Self::Slack(hook) | Self::Teams(hook) => Some(hook),
        }
    }
}

/// An address that messages are posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The address.
    pub url: HookUrl,
    /// Headers of one's own.
    pub headers: Vec<(String, String)>,
    /// What it is asked with as `Authorization: Bearer`.
    pub bearer: Option<SecretRef>,
    /// What the body is signed with.
    pub signing_secret: Option<SecretRef>,
    /// Whether it may be this machine or lie in a private network.
    pub allow_private: bool,
    /// PEM file of further authorities that its certificate may be signed by.
    pub trust: Option<PathBuf>,
}

/// An address, or where it is kept: who knows that of a chat may write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookUrl {
    /// As it was written.
    Plain(String),
    /// Kept here.
    Kept(SecretRef),
}

/// What a channel may tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A component is not working.
    Down,
    /// A component is slow, or works in part only.
    Degraded,
    /// An agent has not delivered for long.
    AgentSilent,
    /// A blocklist names an address.
    Listed,
    /// A certificate expires soon, or is not accepted.
    Certificate,
    /// A level has little downtime left in the month, or none.
    Budget,
    /// A published report did not surely arrive.
    LetterFailed,
    /// An account was refused too often to be tried again.
    HeldCredential,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Down,
        Self::Degraded,
        Self::AgentSilent,
        Self::Listed,
        Self::Certificate,
        Self::Budget,
        Self::LetterFailed,
        Self::HeldCredential,
    ];

    /// The word in probes.toml and in messages to programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::AgentSilent => "agent-silent",
            Self::Listed => "listed",
            Self::Certificate => "certificate",
            Self::Budget => "budget",
            Self::LetterFailed => "letter-failed",
            Self::HeldCredential => "held-credential",
        }
    }

    /// The topic of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.word() == word)
    }
}

/// Whom the words of a channel are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Anybody: what the status page says.
    Public,
    /// Operators: names of agents, checks, accounts, addresses and lists too.
    Operators,
}

const TOPICS: &[&str] = &[
    "down",
    "degraded",
    "agent-silent",
    "listed",
    "certificate",
    "budget",
    "letter-failed",
    "held-credential",
];

/// Keys that belong to mail only.
pub(crate) const OF_MAIL: &[&str] = &["to", "from", "host", "port", "tls", "username", "password"];
/// Keys that belong to all kinds that post to an address.
pub(crate) const OF_HOOKS: &[&str] = &["url", "allow_private"];
/// Keys that belong to `webhook` only.
pub(crate) const OF_WEBHOOK: &[&str] = &["headers", "bearer", "signing_secret"];

/// `[[notify]]`
pub static NOTIFY: Section = Section {
    name: "notify",
    form: Form::List,
    about: "who is told of what happens, and how",
    keys: &[
        Key::required("id", Shape::Id, "its id"),
        Key::required(
            "kind",
            Shape::Word(&["mail", "webhook", "slack", "teams"]),
            "the way that messages take",
        ),
        Key::optional("on", Shape::Words(TOPICS), "what it tells of")
            .or("[\"down\", \"agent-silent\", \"listed\", \"certificate\", \"budget\", \
             \"letter-failed\", \"held-credential\"]"),
        Key::optional("components", Shape::Texts, "only of these components; all where absent"),
        Key::optional(
            "severity",
            Shape::OneOrTexts,
            "only of components of these severities; all where absent",
        ),
        Key::optional("group_wait", Shape::Duration, "how long what is new waits for more of it")
            .or("\"30s\""),
        Key::optional("group_interval", Shape::Period, "the least time between two messages")
            .or("\"5m\""),
        Key::optional("repeat_interval", Shape::Period, "how often what goes on is told again")
            .or("\"4h\""),
        Key::optional(
            "recovered_after",
            Shape::Duration,
            "how long something must be over before it is told as recovered; what comes back \
             sooner goes on",
        )
        .or("\"2m\""),
        Key::optional("send_recovered", Shape::Bool, "whether it tells what is over").or("true"),
        Key::optional(
            "quiet_hours",
            Shape::Hours,
            "when it is silent: the name of an [hours.NAME], or \"not NAME\"",
        ),
        Key::optional(
            "quiet_except",
            Shape::OneOrTexts,
            "severities that are told in quiet hours too",
        ),
        Key::optional(
            "detail",
            Shape::Word(&["public", "operators"]),
            "whom its words are for: anybody, or operators, who read names of agents, checks, \
             accounts, addresses and lists too",
        )
        .or("\"public\""),
        Key::optional("page", Shape::Url, "address of the status page, for links"),
        Key::optional("runbook", Shape::Url, "address of the runbook, for links"),
        Key::optional(
            "give_up_after",
            Shape::Period,
            "how long a message that cannot be sent is tried again",
        )
        .or("\"1d\""),
        Key::optional("to", Shape::Mailboxes, "mail: who receives it, a message each"),
        Key::optional(
            "from",
            Shape::Mailbox,
            "mail: who it is from; that of [distribution] where absent",
        ),
        Key::optional(
            "host",
            Shape::Host,
            "mail: the relay; that of [distribution], with its account, where absent",
        ),
        PORT,
        TLS,
        USERNAME,
        PASSWORD,
        TRUST,
        Key::optional(
            "url",
            Shape::UrlOrSecret,
            "webhook, slack, teams: where it is posted to; those of chats are secrets",
        ),
        Key::optional("headers", Shape::Headers, "webhook: headers of one's own"),
        Key::optional(
            "bearer",
            Shape::Secret,
            "webhook: where the token is kept that is sent as Authorization: Bearer",
        ),
        Key::optional(
            "signing_secret",
            Shape::Secret,
            "webhook: where the secret is kept that bodies are signed with (HMAC-SHA256)",
        ),
        Key::optional(
            "allow_private",
            Shape::Bool,
            "webhook, slack, teams: whether the address may be this machine or lie in a private \
             network",
        )
        .or("false"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_its_word() {
        assert_eq!(Topic::ALL.map(Topic::word), TOPICS);
        assert!(Topic::ALL.into_iter().all(|topic| Topic::parse(topic.word()) == Some(topic)));
        assert_eq!(Topic::parse("recovered"), None);
    }
}
