//! What an SMTP reply that is not a yes says about the service: down, or nothing, because the
//! server treats a stranger so or because the probe's own account or recipient is at fault.

use mailward_evidence::Reason;

use crate::net::Trace;
use crate::net::smtp::{Enhanced, Reply};
use crate::probe::Seen;
use crate::probe::sign_in::Logon;

/// Where in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Banner,
    Ehlo,
    StartTls,
    Mail,
    Rcpt,
}

impl At {
    const fn word(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Ehlo => "ehlo",
            Self::StartTls => "starttls",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
        }
    }
}

fn note(at: &str, reply: &Reply, trace: &mut Trace) {
    trace.fact("at", at);
    trace.fact("smtp_code", reply.code.to_string());
    if let Some(enhanced) = reply.enhanced {
        trace.fact("smtp_enhanced", enhanced.to_string());
    }
    let text = reply.text();
    if !text.is_empty() {
        trace.fact("answer", text);
    }
    keep(reply, trace);
}

/// Keeps a reply for operators as it came, line by line.
pub(in crate::probe) fn keep(reply: &Reply, trace: &mut Trace) {
    let last = reply.lines.len().saturating_sub(1);
    for (i, line) in reply.lines.iter().enumerate() {
        let parted = if i == last { ' ' } else { '-' };
        trace.keep_reply(&format!("{}{parted}{line}", reply.code));
    }
    if reply.lines.is_empty() {
        trace.keep_reply(&reply.code.to_string());
    }
}

/// What a reply means that does not let the conversation go on.
pub(super) fn judge(at: At, reply: &Reply, trace: &mut Trace) -> Seen {
    note(at.word(), reply, trace);
    if at != At::StartTls && reply.class() >= 4 && names_a_list(reply) {
        // the agent's own address is listed: that is news, but not about the service
        trace.fact("reputation", "the answer names a blocklist");
        return Seen::unknown(Reason::SmtpRefused);
    }
    match (reply.code, reply.class()) {
        (421, _) => closing(reply),
        (_, 4) => later(at, reply),
        (_, 5) => refused(at, reply),
        // a yes of the wrong kind, such as 250 for a greeting
        _ => Seen::down(Reason::ProtocolError),
    }
}

/// 421: RFC 5321 section 4.2.3 "service not available"; with 4.7.0 it is we who come too often.
fn closing(reply: &Reply) -> Seen {
    match reply.enhanced {
        Some(Enhanced(4, 7, _)) => Seen::unknown(Reason::SmtpTemporary),
        _ => Seen::down(Reason::ServiceUnavailable),
    }
}

fn later(at: At, reply: &Reply) -> Seen {
    let addressed = matches!(at, At::Mail | At::Rcpt);
    match (reply.code, reply.enhanced) {
        // RFC 3207 section 4: "TLS not available due to temporary reason"
        _ if at == At::StartTls => Seen::down(Reason::TlsNotOffered),
        // RFC 6647 section 2: a stranger is asked to come back
        _ if addressed && is_greylisting(reply) => Seen::unknown(Reason::Greylisted),
        // RFC 3463: x.3.x is the mail system itself
        (_, Some(Enhanced(4, 3, _))) => Seen::down(Reason::SmtpTemporary),
        // our own recipient's mailbox is full or busy
        (_, Some(Enhanced(4, 2, _))) if addressed => Seen::unknown(Reason::RecipientRefused),
        // RFC 5321 section 4.2.3: 451 is an error, 452 a lack of room, in the server
        (451 | 452, None) => Seen::down(Reason::SmtpTemporary),
        _ if addressed => Seen::unknown(Reason::SmtpTemporary),
        _ => Seen::down(Reason::SmtpTemporary),
    }
}

fn is_greylisting(reply: &Reply) -> bool {
    let by_code = matches!(reply.code, 450 | 451)
        && matches!(reply.enhanced, Some(Enhanced(4, 7, 1) | Enhanced(4, 2, 0)));
    let text = reply.text().to_ascii_lowercase();
    by_code || ["greylist", "graylist"].iter().any(|word| text.contains(word))
}

fn refused(at: At, reply: &Reply) -> Seen {
    match (at, reply.code, reply.enhanced) {
        (At::StartTls, ..) => Seen::down(Reason::TlsNotOffered),
        (_, _, Some(Enhanced(5, 3, _))) => Seen::down(Reason::SmtpRefused),
        (At::Banner, ..) => Seen::down(Reason::SmtpRefused),
        // neither EHLO nor HELO is known to it
        (At::Ehlo, 500..=504, _) => Seen::down(Reason::ProtocolError),
        // it dislikes our name or address
        (At::Ehlo, ..) => Seen::unknown(Reason::SmtpRefused),
        // it wants TLS or a logon that was not declared (RFC 4954 section 6, RFC 3207 section 4)
        (_, 530, _) | (_, 500..=504, _) => Seen::unknown(Reason::ProbeFault),
        (At::Mail, ..) => Seen::unknown(Reason::SenderRefused),
        (At::Rcpt, ..) => Seen::unknown(Reason::RecipientRefused),
    }
}

/// Whether a refusal names a blocklist, as "554 5.7.1 … blocked using bl.example.org".
fn names_a_list(reply: &Reply) -> bool {
    let text = reply.text().to_ascii_lowercase();
    let by_policy =
        matches!(reply.enhanced, None | Some(Enhanced(4 | 5, 7, 1)) | Some(Enhanced(5, 7, 606)));
    let words = [
        "blocked using",
        "blacklist",
        "blocklist",
        "block list",
        "black list",
        "dnsbl",
        " rbl",
        "spamhaus",
        "spamcop",
    ];
    by_policy && words.iter().any(|word| text.contains(word))
}

/// RFC 4954 sections 4 and 6. Any refusal that is not plainly about something else counts
/// against the account, because the server may have counted it too.
pub(in crate::probe) fn judge_auth(reply: &Reply, trace: &mut Trace) -> Logon {
    note("auth", reply, trace);
    match reply.code {
        200..=299 => Logon::Accepted,
        421 => Logon::Ended(closing(reply)),
        // a password must be changed first
        432 => Logon::Ended(Seen::unknown(Reason::Credential)),
        400..=499 => Logon::Ended(Seen::down(Reason::SmtpTemporary)),
        500..=504 => Logon::Ended(Seen::down(Reason::NotOffered)),
        // TLS first, or a stronger mechanism: the probe's declaration is at fault
        530 | 534 | 538 => Logon::Ended(Seen::unknown(Reason::ProbeFault)),
        505..=599 => Logon::Rejected(None),
        _ => Logon::Ended(Seen::down(Reason::ProtocolError)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_evidence::Verdict;

    fn reply(text: &str) -> Reply {
        let mut reader = crate::net::smtp::reply::ReplyReader::default();
        reader.push(text.as_bytes());
        reader.push(b"\r\n");
        reader.next_reply().unwrap().unwrap()
    }

    fn seen(at: At, text: &str) -> String {
        let seen = judge(at, &reply(text), &mut Trace::start());
        format!("{} {}", seen.verdict, seen.reason.unwrap())
    }

    #[test]
    fn replies_and_what_they_say() {
        let check = |at, text: &str, expect: &str| assert_eq!(seen(at, text), expect, "{text}");
        use At::{Banner, Ehlo, Mail, Rcpt, StartTls};
        check(Banner, "421 4.3.2 shutting down", "down service_unavailable");
        check(Banner, "421 too busy", "down service_unavailable");
        check(Banner, "421 4.7.0 too many connections from you", "unknown smtp_temporary");
        check(Banner, "554 no SMTP service here", "down smtp_refused");
        check(Banner, "250 hello", "down protocol_error");
        check(Banner, "554 5.7.1 [192.0.2.1] blocked using bl.test", "unknown smtp_refused");
        check(Ehlo, "502 what", "down protocol_error");
        check(Ehlo, "550 5.7.1 your name does not resolve", "unknown smtp_refused");
        check(Ehlo, "451 4.3.0 local error", "down smtp_temporary");
        check(StartTls, "454 4.7.0 TLS not available", "down tls_not_offered");
        check(StartTls, "502 5.5.1 no", "down tls_not_offered");
        check(Mail, "452 4.3.1 insufficient storage", "down smtp_temporary");
        check(Mail, "451 4.7.1 later", "unknown greylisted");
        check(Mail, "550 5.1.8 sender's domain unknown", "unknown sender_refused");
        check(Mail, "530 5.7.0 Authentication required", "unknown probe_fault");
        check(Rcpt, "450 4.2.0 Greylisted", "unknown greylisted");
        check(Rcpt, "450 4.7.1 later", "unknown greylisted");
        check(Rcpt, "451 Greylisting in action", "unknown greylisted");
        check(Rcpt, "451 4.3.5 configuration error", "down smtp_temporary");
        check(Rcpt, "451 local error", "down smtp_temporary");
        check(Rcpt, "452 4.2.2 over quota", "unknown recipient_refused");
        check(Rcpt, "450 4.1.2 not now", "unknown smtp_temporary");
        check(Rcpt, "550 5.1.1 user unknown", "unknown recipient_refused");
        check(Rcpt, "552 5.2.2 mailbox full", "unknown recipient_refused");
        check(Rcpt, "554 5.7.1 Relay access denied", "unknown recipient_refused");
        check(Rcpt, "554 5.3.0 mail system broken", "down smtp_refused");
        check(Rcpt, "550 5.7.1 listed in Spamhaus", "unknown smtp_refused");
        check(Rcpt, "503 5.5.1 need MAIL", "unknown probe_fault");
    }

    #[test]
    fn answers_to_a_logon() {
        let check = |text: &str, expect: &str| {
            let told = match judge_auth(&reply(text), &mut Trace::start()) {
                Logon::Accepted => "accepted".to_owned(),
                Logon::Rejected(None) => "rejected".to_owned(),
                Logon::Ended(seen) => format!("{} {}", seen.verdict, seen.reason.unwrap()),
                other => panic!("{other:?}"),
            };
            assert_eq!(told, expect, "{text}");
        };
        check("235 2.7.0 welcome", "accepted");
        check("535 5.7.8 no", "rejected");
        check("535 5.7.139 disabled", "rejected");
        check("550 5.7.1 no", "rejected");
        check("454 4.7.0 temporary failure", "down smtp_temporary");
        check("432 4.7.12 change your password", "unknown credential");
        check("504 5.5.4 mechanism", "down not_offered");
        check("538 5.7.11 encryption needed", "unknown probe_fault");
        check("421 4.3.2 closing", "down service_unavailable");
        check("334 more", "down protocol_error");
    }

    #[test]
    fn what_was_said_is_kept() {
        let mut trace = Trace::start();
        let seen = judge(At::Rcpt, &reply("451 4.3.0 disk\u{7} full"), &mut trace);
        assert_eq!(seen.verdict, Verdict::Down);
        assert_eq!(trace.noted("answer"), Some("4.3.0 disk  full"));
        assert_eq!(trace.noted("smtp_enhanced"), Some("4.3.0"));
        assert_eq!(trace.noted("at"), Some("rcpt"));
    }
}
