//! Reading what came back: RFC 3464 delivery status notifications, and the free text of Postfix,
//! Exim and Exchange where there is none; which class of failure it is. Whose message it was is
//! told by the token inside, which is not looked for here.

use mail_parser::{Message, MimeHeaders, PartType};

use crate::net::clean;
use crate::net::smtp::Enhanced;

/// The most of a text part that is looked into.
const MAX_TEXT_BYTES: usize = 64 << 10;
/// The most lines of a delivery status that are looked at.
const MAX_LINES: usize = 400;

/// What sort of failure a bounce tells of; a reader would act on each differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// There is no such mailbox, or it takes no mail.
    Mailbox,
    /// The mailbox is over quota.
    Quota,
    /// Rules of the receiving side.
    Policy,
    /// A blocklist is named.
    Blocklist,
    /// The sending account may not send: "the limit is 0 recipients" and the like.
    Account,
    /// The message went in circles.
    Loop,
    /// The message is too large.
    Size,
    /// It was tried until somebody gave up.
    Temporary,
    /// None of these.
    Other,
}

impl Class {
    /// The word of the fact.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Quota => "quota",
            Self::Policy => "policy",
            Self::Blocklist => "blocklist",
            Self::Account => "account",
            Self::Loop => "loop",
            Self::Size => "size",
            Self::Temporary => "temporary",
            Self::Other => "other",
        }
    }
}

/// A message that came back for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// What sort of failure it tells of.
    pub class: Class,
    /// The enhanced status (RFC 3463), where it tells one.
    pub status: Option<Enhanced>,
    /// What it says, for operators.
    pub text: Box<str>,
}

/// What a message from a mail system says of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It came back for good.
    Failed(Bounce),
    /// It is delayed, delivered or passed on: nothing to tell.
    Other,
}

/// Reads a notice; `None` where the message is none.
#[must_use]
pub fn read(message: &Message<'_>) -> Option<Notice> {
    if let Some(status) = delivery_status(message) {
        return Some(of_status(&status, message));
    }
    is_from_a_mail_system(message).then(|| of_text(message))
}

/// The text of the part `message/delivery-status` (RFC 3464 section 2).
fn delivery_status(message: &Message<'_>) -> Option<String> {
    let part = message.parts.iter().find(|part| {
        part.is_content_type("message", "delivery-status")
            || part.is_content_type("message", "global-delivery-status")
    })?;
    let bytes = part.contents();
    let bytes = bytes.get(..MAX_TEXT_BYTES).unwrap_or(bytes);
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Whether a message without a delivery status is from a mail system: Exim's, Exchange's and
/// qmail's own forms.
pub(super) fn is_from_a_mail_system(message: &Message<'_>) -> bool {
    if message.header_raw("X-Failed-Recipients").is_some() {
        return true;
    }
    let sender = message.from().and_then(|from| from.first()?.address().map(str::to_owned));
    let local = sender.as_deref().map_or("", |sender| sender.split('@').next().unwrap_or(""));
    let local = local.to_ascii_lowercase();
    let system = ["mailer-daemon", "postmaster", "microsoftexchange"];
    system.iter().any(|name| local.starts_with(name))
}

#[derive(Default)]
struct Fields {
    action: String,
    status: String,
    diagnostic: String,
}

fn of_status(text: &str, message: &Message<'_>) -> Notice {
    let mut fields = Fields::default();
    let mut last: Option<&mut String> = None;
    for line in text.lines().take(MAX_LINES) {
        if line.starts_with([' ', '\t']) {
            // RFC 5322 section 2.2.3: the field goes on
            if let Some(field) = &mut last
                && field.len() < 2_000
            {
                field.push(' ');
                field.push_str(line.trim());
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let field = match name.trim().to_ascii_lowercase().as_str() {
            "action" => &mut fields.action,
            "status" => &mut fields.status,
            "diagnostic-code" => &mut fields.diagnostic,
            _ => {
                last = None;
                continue;
            }
        };
        // of several recipients the first speaks; ours has one
        if field.is_empty() {
            value.trim().chars().take(2_000).for_each(|c| field.push(c));
            last = Some(field);
        } else {
            last = None;
        }
    }
    let action = fields.action.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
    if !matches!(action.as_str(), "failed" | "") {
        return Notice::Other;
    }
    let status = fields.status.split_whitespace().next().unwrap_or("");
    let own = status_in(status);
    // a gateway may hide what the last server said behind a status that says nothing
    let told = status_in(&fields.diagnostic);
    let vague = own.is_none_or(|status| status.1 == 0 && status.2 == 0);
    let status = if vague { told.or(own) } else { own };
    let said = if fields.diagnostic.is_empty() { text_of(message) } else { fields.diagnostic };
    let class = classify(status, &said);
    Notice::Failed(Bounce { class, status, text: clean(&said, 500) })
}

fn of_text(message: &Message<'_>) -> Notice {
    let text = text_of(message);
    let lower = text.to_ascii_lowercase();
    let delayed = ["could not be delivered for more than", "delayed", "will be retried", "warning"];
    let gave_up = ["permanent", "giving up", "undeliverable", "failed", "couldn't be delivered"];
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&delayed) && !has(&gave_up) && status_in(&text).is_none_or(|status| status.0 == 4) {
        return Notice::Other;
    }
    let status = status_in(&text);
    let said = said_in(&text).unwrap_or(&text);
    Notice::Failed(Bounce { class: classify(status, &text), status, text: clean(said, 500) })
}

fn text_of(message: &Message<'_>) -> String {
    let text = message.parts.iter().find_map(|part| match &part.body {
        PartType::Text(text) => Some(text.as_ref()),
        _ => None,
    });
    let html = || message.body_text(0);
    match text {
        Some(text) => text.chars().take(MAX_TEXT_BYTES / 4).collect(),
        None => html().map_or(String::new(), |t| t.chars().take(MAX_TEXT_BYTES / 4).collect()),
    }
}

/// What the other server said: Postfix has `said: …`, Exim `… after RCPT TO:<…>: …`, Exchange
/// `Remote Server returned '…'`.
fn said_in(text: &str) -> Option<&str> {
    for (before, after) in
        [("Remote Server returned '", '\''), (" said: ", '\n'), ("SMTP error from ", '\n')]
    {
        if let Some((_, rest)) = text.split_once(before) {
            return Some(rest.split(after).next().unwrap_or(rest).trim());
        }
    }
    None
}

/// The first enhanced status of class 4 or 5 in a text.
fn status_in(text: &str) -> Option<Enhanced> {
    let edge = |c: char| !(c.is_ascii_alphanumeric() || c == '.');
    text.split(edge).map(|word| word.trim_matches('.')).find_map(|word| {
        let class = match word.as_bytes().first() {
            Some(b'4') => 4,
            Some(b'5') => 5,
            _ => return None,
        };
        Enhanced::read(word, class)
    })
}

/// The class of a failure: what the text names outright, then the enhanced status (RFC 3463
/// section 3), then the text's own words.
#[must_use]
pub fn classify(status: Option<Enhanced>, text: &str) -> Class {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["limit is 0 recipients", "not allowed to send", "sending limit", "5.1.8 "]) {
        return Class::Account;
    }
    if names_a_blocklist(&lower) {
        return Class::Blocklist;
    }
    match status.map(|status| (status.0, status.1, status.2)) {
        Some((_, 2, 2)) => Class::Quota,
        Some((_, 2, 3) | (_, 3, 4)) => Class::Size,
        Some((_, 4, 6)) => Class::Loop,
        Some((_, 1, 1 | 2 | 3 | 6 | 10) | (_, 2, 1)) => Class::Mailbox,
        Some((5, 1, 8)) => Class::Account,
        Some((5, 7, _)) => Class::Policy,
        // given up after trying for long enough
        Some((4, ..) | (5, 4, 7)) => Class::Temporary,
        _ if has(&["loop", "too many hops"]) => Class::Loop,
        _ if has(&["quota", "mailbox full", "mailbox is full"]) => Class::Quota,
        _ if has(&["too large", "size limit", "exceeds maximum"]) => Class::Size,
        _ if has(&["user unknown", "no such user", "unknown user", "does not exist"]) => {
            Class::Mailbox
        }
        _ if has(&["timed out", "retry timeout", "try again later"]) => Class::Temporary,
        _ if has(&["policy", "spam", "denied", "not permitted"]) => Class::Policy,
        _ => Class::Other,
    }
}

fn names_a_blocklist(lower: &str) -> bool {
    let words =
        ["blocked using", "blacklist", "block list", "blocklist", "dnsbl", "rbl", "listed by"];
    let of_operators = ["spamhaus", "barracudacentral", "spamcop", "sorbs.net", "uceprotect"];
    let mut tokens = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let as_word = tokens.any(|word| matches!(word, "rbl" | "dnsbl"));
    as_word
        || words.iter().filter(|word| **word != "rbl").any(|word| lower.contains(word))
        || of_operators.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests;
