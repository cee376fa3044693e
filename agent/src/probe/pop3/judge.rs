//! What a POP3 reply that is not a yes says about the service: down, or nothing, because the
//! probe's own account or mailbox is at fault. Response codes (RFC 2449 section 8, RFC 3206)
//! decide where there are any.

use mailward_evidence::Reason;

use crate::net::Trace;
use crate::net::pop3::Reply;
use crate::probe::Seen;
use crate::probe::sign_in::Logon;

/// Where in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Greeting,
    StartTls,
    Stat,
    Noop,
}

impl At {
    const fn word(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::StartTls => "starttls",
            Self::Stat => "stat",
            Self::Noop => "noop",
        }
    }
}

fn note(at: &str, reply: &Reply, trace: &mut Trace) {
    trace.fact("at", at);
    if !reply.code.is_empty() {
        trace.fact("pop3_code", &reply.code);
    }
    if !reply.text.is_empty() {
        trace.fact("answer", &reply.text);
    }
    let code = if reply.code.is_empty() { String::new() } else { format!("[{}] ", reply.code) };
    trace.keep_reply(&format!("-ERR {code}{}", reply.text));
}

/// What a -ERR means that does not let the conversation go on.
pub(super) fn judge(at: At, reply: &Reply, trace: &mut Trace) -> Seen {
    note(at.word(), reply, trace);
    match (at, &*reply.code) {
        (At::StartTls, _) => Seen::down(Reason::TlsNotOffered),
        (_, "LOGIN-DELAY") => Seen::unknown(Reason::TooOften),
        (_, "IN-USE") => Seen::unknown(Reason::InUse),
        // RFC 3206 section 4: what only an administrator can mend
        (_, "SYS/PERM") => Seen::down(Reason::ServerError),
        (_, code) if code == "SYS/TEMP" || code.starts_with("SYS") => {
            Seen::down(Reason::ServiceUnavailable)
        }
        (At::Greeting, _) => Seen::down(Reason::ServiceUnavailable),
        // the account was let in, and its maildrop cannot be counted
        (At::Stat, _) => Seen::down(Reason::LogonFailed),
        (At::Noop, _) => Seen::down(Reason::ServerError),
    }
}

/// RFC 2449 section 8.1, RFC 3206. Any -ERR that is not plainly about something else counts
/// against the account, because the server may have counted it too.
pub(super) fn judge_logon(reply: &Reply, trace: &mut Trace) -> Logon {
    note("auth", reply, trace);
    if reply.ok {
        return Logon::Accepted;
    }
    match &*reply.code {
        // RFC 2449 section 8.1.2: it is said only after the password was found right
        "IN-USE" => Logon::AcceptedBut(Seen::unknown(Reason::InUse)),
        "LOGIN-DELAY" => Logon::Ended(Seen::unknown(Reason::TooOften)),
        "SYS/PERM" => Logon::Ended(Seen::down(Reason::ServerError)),
        code if code == "SYS/TEMP" || code.starts_with("SYS") => {
            Logon::Ended(Seen::down(Reason::ServiceUnavailable))
        }
        _ => Logon::Rejected(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::pop3::wire::Line;

    fn reply(line: &str) -> Reply {
        match Line::read(line).unwrap() {
            Line::Reply(reply) => reply,
            Line::Challenge(text) => panic!("{text}"),
        }
    }

    #[test]
    fn replies_and_what_they_say() {
        let check = |at, line: &str, expect: &str| {
            let seen = judge(at, &reply(line), &mut Trace::start());
            assert_eq!(format!("{} {}", seen.verdict, seen.reason.unwrap()), expect, "{line}");
        };
        use At::{Greeting, Noop, StartTls, Stat};
        check(Greeting, "-ERR too busy", "down service_unavailable");
        check(Greeting, "-ERR [SYS/PERM] broken", "down server_error");
        check(Greeting, "-ERR [LOGIN-DELAY] slowly", "unknown too_often");
        check(StartTls, "-ERR no", "down tls_not_offered");
        check(Stat, "-ERR [IN-USE] locked", "unknown in_use");
        check(Stat, "-ERR [SYS/TEMP] disk", "down service_unavailable");
        check(Stat, "-ERR no such mailbox", "down logon_failed");
        check(Noop, "-ERR oh", "down server_error");
    }

    #[test]
    fn answers_to_a_logon() {
        let check = |line: &str, expect: &str| {
            let told = match judge_logon(&reply(line), &mut Trace::start()) {
                Logon::Accepted => "accepted".to_owned(),
                Logon::Rejected(None) => "rejected".to_owned(),
                Logon::AcceptedBut(seen) => format!("accepted {}", seen.reason.unwrap()),
                Logon::Ended(seen) => format!("{} {}", seen.verdict, seen.reason.unwrap()),
                other => panic!("{other:?}"),
            };
            assert_eq!(told, expect, "{line}");
        };
        check("+OK in", "accepted");
        check("-ERR [AUTH] no", "rejected");
        check("-ERR Logon failure: unknown user name or bad password.", "rejected");
        check("-ERR [IN-USE] locked", "accepted in_use");
        check("-ERR [LOGIN-DELAY] slowly", "unknown too_often");
        check("-ERR [SYS/TEMP] directory", "down service_unavailable");
        check("-ERR [SYS/PERM] directory", "down server_error");
    }
}
