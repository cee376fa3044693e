//! What an IMAP answer that is not a yes says about the service: down, or nothing, because the
//! probe's own account or mailbox is at fault. Response codes (RFC 5530) decide where there
//! are any.

use mailward_evidence::Reason;

use crate::net::Trace;
use crate::net::imap::{Said, Status};
use crate::probe::Seen;
use crate::probe::sign_in::Logon;

/// Where in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Greeting,
    Capabilities,
    StartTls,
    Select,
    Noop,
}

impl At {
    const fn word(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Capabilities => "capabilities",
            Self::StartTls => "starttls",
            Self::Select => "select",
            Self::Noop => "noop",
        }
    }
}

fn note(at: &str, said: &Said, trace: &mut Trace) {
    trace.fact("at", at);
    trace.fact("imap_status", said.status.to_string());
    if !said.code.is_empty() {
        trace.fact("imap_code", &said.code);
    }
    if !said.text.is_empty() {
        trace.fact("answer", &said.text);
    }
    let code = if said.code.is_empty() { String::new() } else { format!("[{}] ", said.code) };
    trace.keep_reply(&format!("{} {code}{}", said.status, said.text));
}

/// What an answer means that does not let the conversation go on.
pub(super) fn judge(at: At, said: &Said, trace: &mut Trace) -> Seen {
    note(at.word(), said, trace);
    // RFC 9051 section 6.2.1: any answer but a yes means that it does not offer it
    if at == At::StartTls {
        return Seen::down(Reason::TlsNotOffered);
    }
    if let Some(seen) = by_code(&said.code) {
        return seen;
    }
    match (at, said.status) {
        (_, Status::Bye) => Seen::down(Reason::ServiceUnavailable),
        // the account was let in, and its mailbox is not there; Exchange says BAD when the
        // mailbox's own server is away
        (At::Select, _) => Seen::down(Reason::LogonFailed),
        (At::Noop, Status::No) => Seen::down(Reason::ServerError),
        _ => Seen::down(Reason::ProtocolError),
    }
}

/// RFC 5530 section 3, for codes that mean the same wherever they stand; Gmail and Yahoo say
/// THROTTLED for LIMIT.
fn by_code(code: &str) -> Option<Seen> {
    Some(match code {
        "UNAVAILABLE" => Seen::down(Reason::ServiceUnavailable),
        "SERVERBUG" | "CORRUPTION" => Seen::down(Reason::ServerError),
        "INUSE" => Seen::unknown(Reason::InUse),
        "LIMIT" | "THROTTLED" => Seen::unknown(Reason::TooOften),
        "OVERQUOTA" => Seen::unknown(Reason::MailboxFull),
        "AUTHORIZATIONFAILED" | "NOPERM" => Seen::unknown(Reason::AccountDisabled),
        // it wants TLS, or something else than was declared
        "PRIVACYREQUIRED" | "CLIENTBUG" | "CANNOT" => Seen::unknown(Reason::ProbeFault),
        _ => return None,
    })
}

/// RFC 9051 sections 6.2.2 and 6.2.3, RFC 5530. Any no that is not plainly about something else
/// counts against the account, because the server may have counted it too.
pub(super) fn judge_logon(said: &Said, trace: &mut Trace) -> Logon {
    note("auth", said, trace);
    if said.status == Status::Ok {
        return Logon::Accepted;
    }
    match &*said.code {
        "AUTHENTICATIONFAILED" => return Logon::Rejected(None),
        "EXPIRED" => return Logon::Rejected(Some(Reason::CredentialExpired)),
        // it is locked, or not let in: only a person can say why
        "CONTACTADMIN" => return Logon::Rejected(Some(Reason::AccountDisabled)),
        // before the mailbox is open it is about commands or bandwidth, as Gmail has it
        "OVERQUOTA" => return Logon::Ended(Seen::unknown(Reason::TooOften)),
        code => {
            if let Some(seen) = by_code(code) {
                return Logon::Ended(seen);
            }
        }
    }
    match said.status {
        Status::No => Logon::Rejected(None),
        Status::Bye => Logon::Ended(Seen::down(Reason::ServiceUnavailable)),
        // it does not know the command or the mechanism that it offered
        _ => Logon::Ended(Seen::down(Reason::NotOffered)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::imap::wire::{Response, read};

    fn said(line: &str) -> Said {
        match read(format!("* {line}\r\n").as_bytes()) {
            Some(Response::Untagged(said)) => said,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn answers_and_what_they_say() {
        let check = |at, line: &str, expect: &str| {
            let seen = judge(at, &said(line), &mut Trace::start());
            assert_eq!(format!("{} {}", seen.verdict, seen.reason.unwrap()), expect, "{line}");
        };
        use At::{Capabilities, Greeting, Noop, Select, StartTls};
        check(Greeting, "BYE too busy", "down service_unavailable");
        check(Greeting, "BYE [UNAVAILABLE] no back end", "down service_unavailable");
        check(Greeting, "BYE [LIMIT] too many connections", "unknown too_often");
        check(Greeting, "NO what", "down protocol_error");
        check(Capabilities, "BAD what", "down protocol_error");
        check(StartTls, "NO [UNAVAILABLE] no certificate", "down tls_not_offered");
        check(StartTls, "BAD what", "down tls_not_offered");
        check(Select, "NO [UNAVAILABLE] disk", "down service_unavailable");
        check(Select, "NO [INUSE] locked", "unknown in_use");
        check(Select, "NO [SERVERBUG] oh", "down server_error");
        check(Select, "NO [CORRUPTION] index", "down server_error");
        check(Select, "NO [NOPERM] no", "unknown account_disabled");
        check(Select, "NO [OVERQUOTA] full", "unknown mailbox_full");
        check(Select, "NO [NONEXISTENT] no INBOX", "down logon_failed");
        check(Select, "BAD User is authenticated but not connected.", "down logon_failed");
        check(Noop, "NO oh", "down server_error");
        check(Noop, "BYE idle for too long", "down service_unavailable");
    }

    #[test]
    fn answers_to_a_logon() {
        let check = |line: &str, expect: &str| {
            let told = match judge_logon(&said(line), &mut Trace::start()) {
                Logon::Accepted => "accepted".to_owned(),
                Logon::Rejected(None) => "rejected".to_owned(),
                Logon::Rejected(Some(reason)) => format!("rejected {reason}"),
                Logon::Ended(seen) => format!("{} {}", seen.verdict, seen.reason.unwrap()),
                other => panic!("{other:?}"),
            };
            assert_eq!(told, expect, "{line}");
        };
        check("OK in", "accepted");
        check("NO LOGIN failed.", "rejected");
        check("NO [AUTHENTICATIONFAILED] no", "rejected");
        check("NO [ALERT] Application-specific password required", "rejected");
        check("NO [EXPIRED] change it", "rejected credential_expired");
        check("NO [CONTACTADMIN] locked", "rejected account_disabled");
        check("NO [AUTHORIZATIONFAILED] not you", "unknown account_disabled");
        check("NO [UNAVAILABLE] directory", "down service_unavailable");
        check("NO [PRIVACYREQUIRED] TLS first", "unknown probe_fault");
        check("NO [INUSE] elsewhere", "unknown in_use");
        check("NO [LIMIT] sessions", "unknown too_often");
        check("NO [OVERQUOTA] bandwidth", "unknown too_often");
        check("BAD unknown command", "down not_offered");
        check("BYE [UNAVAILABLE] shutting down", "down service_unavailable");
        check("BYE shutting down", "down service_unavailable");
    }
}
