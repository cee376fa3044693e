//! What the answers of Outlook on the web mean: the `reason` of its sign-in page, the marks of a
//! mailbox, the pages that come between. Pure; which page is asked for is the walk's.

use mailward_evidence::Reason;
use url::Url;

use super::form::forms;
use crate::net::Trace;
use crate::net::http::Answer;
use crate::probe::Seen;
use crate::probe::sign_in::Logon;
use crate::probe::web::status_reason;

/// Says how deep the run came.
pub(super) fn reached(depth: &str, trace: &mut Trace) {
    trace.fact("depth", depth);
}

/// What the answer to a form means that does not redirect. `again` tells whether it shows the
/// form once more.
pub(super) fn of_form(answer: &Answer, again: bool) -> Logon {
    match answer.status.as_u16() {
        // not documented for forms; an account is safer counted as refused
        401 => Logon::Rejected(None),
        // a page that is not Exchange's own says so by showing its form again
        200 if again => Logon::Rejected(None),
        403 => Logon::Ended(Seen::unknown(Reason::AccountDisabled)),
        // documented: fields are missing, which is the form's fault and so ours
        400 => Logon::Ended(Seen::unknown(Reason::ProbeFault)),
        // documented: login time-out, the cookies did not hold
        200 | 440 => Logon::Ended(Seen::down(Reason::LogonFailed)),
        _ => Logon::Ended(Seen::down(status_reason(answer.status))),
    }
}

/// What a page between logon and mailbox says by its address; `None` for one that leads on.
pub(super) fn of_place(to: &Url, trace: &mut Trace) -> Option<Logon> {
    let path = to.path().to_ascii_lowercase();
    match path.rsplit('/').next().unwrap_or_default() {
        "expiredpassword.aspx" => Some(Logon::Rejected(Some(Reason::CredentialExpired))),
        "languageselection.aspx" | "lang.owa" => Some(first_run(trace)),
        "logon.aspx" => Some(of_reason(to, trace)),
        _ => None,
    }
}

/// The page that asks for language and time zone once. A check that answered it would change
/// the mailbox.
fn first_run(trace: &mut Trace) -> Logon {
    let detail = "the account has never chosen its language; sign in with it once by hand";
    trace.fact("detail", detail);
    Logon::AcceptedBut(Seen::unknown(Reason::AccountUnready))
}

/// What the sign-in page's `reason` says, as documented for logon.aspx.
fn of_reason(to: &Url, trace: &mut Trace) -> Logon {
    let reason = to.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case("reason"));
    let reason = reason.map(|(_, value)| value.into_owned()).unwrap_or_default();
    trace.fact("logon_reason", &reason);
    match reason.as_str() {
        "2" => Logon::Rejected(None),
        // its password was changed: the one that was shown is no longer good
        "4" => Logon::Rejected(Some(Reason::Credential)),
        "5" | "6" => Logon::Ended(Seen::unknown(Reason::AccountDisabled)),
        // the form again without a word, as in Microsoft KB 3032024
        _ => Logon::Ended(Seen::down(Reason::LogonFailed)),
    }
}

/// What the page means that the logon led to.
pub(super) fn of_mailbox(place: &Url, answer: &Answer, trace: &mut Trace) -> Logon {
    if let Some(logon) = of_place(place, trace) {
        return logon;
    }
    let text = answer.text();
    match answer.status.as_u16() {
        200 if is_mailbox(&text) => Logon::Accepted,
        200 if is_first_run(&text) => first_run(trace),
        200 => Logon::Ended(Seen::down(Reason::WrongContent)),
        440 | 401 => Logon::Ended(Seen::down(Reason::LogonFailed)),
        403 => Logon::Ended(Seen::unknown(Reason::AccountDisabled)),
        _ => Logon::Ended(Seen::down(status_reason(answer.status))),
    }
}

fn is_first_run(page: &str) -> bool {
    let leads_on = |action: &str| {
        let path = action.split('?').next().unwrap_or_default().to_ascii_lowercase();
        path.ends_with("lang.owa") || path.ends_with("languageselection.aspx")
    };
    forms(page).iter().any(|form| leads_on(&form.action))
}

/// Whether a page is that of an open mailbox: only there is `window.clientId` set.
pub(super) fn is_mailbox(page: &str) -> bool {
    let quoted = |(at, mark): (usize, &str)| {
        let rest = page[at + mark.len()..].trim_start().strip_prefix('=');
        rest.is_some_and(|rest| rest.trim_start().starts_with(['\'', '"']))
    };
    page.match_indices("window.clientId").any(quoted)
}

/// What the mailbox's own answer means. It proves the store behind the page, and nothing of it
/// is kept.
pub(super) fn of_inbox(answer: &Answer, trace: &mut Trace) -> Logon {
    let lists = || lists_inbox(&answer.text());
    match answer.status.as_u16() {
        200 if lists() => Logon::Accepted,
        200 => {
            trace.fact("detail", "the mailbox does not list its inbox");
            Logon::AcceptedBut(Seen::down(Reason::LogonFailed))
        }
        404 | 405 => Logon::AcceptedBut(Seen::down(Reason::NotOffered)),
        300..=399 | 401 | 403 | 440 => Logon::AcceptedBut(Seen::down(Reason::LogonFailed)),
        _ => Logon::AcceptedBut(Seen::down(status_reason(answer.status))),
    }
}

/// Whether an answer names the inbox, as `"DistinguishedFolderId":"inbox"` does; a page for
/// people to read is no such answer.
fn lists_inbox(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_page = text.contains("<html") || text.contains("<!doctype");
    let alone = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
    let named = |(at, word): (usize, &str)| {
        alone(text[..at].chars().next_back()) && alone(text[at + word.len()..].chars().next())
    };
    !is_page && text.match_indices("inbox").any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inbox_is_listed() {
        let check = |text: &str, expect: bool| assert_eq!(lists_inbox(text), expect, "{text}");
        check(
            r#"{"Folders":[{"DisplayName":"Posteingang","DistinguishedFolderId":"inbox"}]}"#,
            true,
        );
        check(r#"{"Folders":[{"DisplayName":"Inbox"}]}"#, true);
        check(r#"{"Folders":[]}"#, false);
        check(r#"{"inboxRules":[]}"#, false);
        check("<!DOCTYPE html><p>Your inbox is being worked on", false);
    }

    #[test]
    fn the_mark_of_a_mailbox() {
        let check = |page: &str, expect: bool| assert_eq!(is_mailbox(page), expect, "{page}");
        check("<script>window.clientId = '0123';</script>", true);
        check("window.clientId=\"0123\"", true);
        check("window.clientId; window.clientId  =  '1'", true);
        check("window.clientId == null", false);
        check("<h1>Service under maintenance</h1>", false);
    }

    #[test]
    fn what_an_address_says() {
        let check = |path: &str, expect: &str| {
            let url = Url::parse(&format!("https://mail.example.org{path}")).unwrap();
            let told = match of_place(&url, &mut Trace::start()) {
                None => "on".to_owned(),
                Some(Logon::Rejected(reason)) => format!("rejected {reason:?}"),
                Some(Logon::Ended(seen) | Logon::AcceptedBut(seen)) => {
                    format!("{} {}", seen.verdict, seen.reason.unwrap())
                }
                Some(Logon::Accepted) => "accepted".to_owned(),
            };
            assert_eq!(told, expect, "{path}");
        };
        check("/owa/", "on");
        check("/ecp/", "on");
        check("/owa/auth/logon.aspx?replaceCurrent=1&reason=2&url=x", "rejected None");
        check("/OWA/auth/Logon.aspx?Reason=2", "rejected None");
        check("/owa/auth/logon.aspx?reason=4", "rejected Some(Credential)");
        check("/owa/auth/logon.aspx?reason=5", "unknown account_disabled");
        check("/owa/auth/logon.aspx?reason=0", "down logon_failed");
        check("/owa/auth/logon.aspx", "down logon_failed");
        check("/owa/auth/expiredpassword.aspx?url=x", "rejected Some(CredentialExpired)");
        check("/owa/languageselection.aspx", "unknown account_unready");
    }

    #[test]
    fn the_first_page_of_a_new_mailbox() {
        let check = |page: &str, expect: bool| assert_eq!(is_first_run(page), expect, "{page}");
        check("<form action='lang.owa' method=post><select name=tzid></form>", true);
        check("<form action='/owa/languageselection.aspx?x=1'></form>", true);
        check("<form action='/owa/auth.owa'></form>", false);
    }
}
