//! What of a web server's answer is kept for operators, should the run fail: the status line,
//! header lines that tell something, and the beginning of a text. `Trace` takes secrets out.

use std::borrow::Cow;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

use crate::net::Trace;

/// Header lines that say who answered, how, and where it leads; no other is kept.
const TELLING: [&str; 22] = [
    "server",
    "via",
    "date",
    "content-type",
    "content-length",
    "content-encoding",
    "location",
    "retry-after",
    "www-authenticate",
    "set-cookie",
    "connection",
    "x-powered-by",
    "x-cache",
    "x-feserver",
    "x-beserver",
    "x-owa-version",
    "x-diaginfo",
    "x-responsecode",
    "x-ms-diagnostics",
    "ms-server-activesync",
    "request-id",
    "x-ms-location",
];
/// How much of a body is handed on, in bytes: more than is kept, so that no secret is cut in two
/// before it is found.
const TEXT_BYTES: usize = 4 << 10;

/// Keeps an answer in place of an earlier one.
pub(super) fn keep(status: &str, headers: &HeaderMap, body: &[u8], trace: &mut Trace) {
    let lines = TELLING.iter().flat_map(|name| {
        headers.get_all(*name).iter().filter_map(|value| Some((*name, value.to_str().ok()?)))
    });
    let lines: Vec<(&str, Cow<'_, str>)> = lines
        .map(|(name, value)| match name {
            "location" | "x-ms-location" => (name, without_query(value)),
            _ => (name, Cow::Borrowed(value)),
        })
        .collect();
    // no text has a zero byte, whatever its header lines say of it
    let is_text = is_text(headers) && !body.contains(&0);
    let text = if is_text { &body[..body.len().min(TEXT_BYTES)] } else { b"" };
    let pairs = lines.iter().map(|(name, value)| (*name, &**value));
    trace.keep_answer(status, pairs, &String::from_utf8_lossy(text));
}

/// A place without what it is told, which may be a token; but for the `reason` of a logon page.
fn without_query(place: &str) -> Cow<'_, str> {
    let Some((path, query)) = place.split_once('?') else {
        return Cow::Borrowed(place);
    };
    let is_reason = |pair: &&str| {
        let number = pair.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case("reason"));
        number
            .is_some_and(|(_, value)| value.len() <= 3 && value.bytes().all(|b| b.is_ascii_digit()))
    };
    Cow::Owned(match query.split('&').find(is_reason) {
        Some(reason) => format!("{path}?{reason}"),
        None => format!("{path}?…"),
    })
}

fn is_text(headers: &HeaderMap) -> bool {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let packed = value(CONTENT_ENCODING);
    let kind = value(CONTENT_TYPE).to_ascii_lowercase();
    let known = ["text/", "json", "xml", "javascript", "form-urlencoded"];
    (packed.is_empty() || packed.eq_ignore_ascii_case("identity"))
        && !kind.contains("wbxml")
        && (kind.is_empty() || known.iter().any(|word| kind.contains(word)))
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn kept(lines: &[(&str, &str)], body: &[u8]) -> mailward_evidence::Exhibit {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let mut trace = Trace::start();
        keep("HTTP/1.1 503 Service Unavailable", &headers, body, &mut trace);
        *trace.take_exhibit().unwrap()
    }

    #[test]
    fn what_is_kept_of_an_answer() {
        let lines = [
            ("Server", "Microsoft-IIS/10.0"),
            ("Set-Cookie", "cadata=hush; path=/"),
            ("Location", "/owa/auth/logon.aspx?url=x&reason=2"),
            ("X-Secret-Thing", "hush"),
            ("Content-Type", "text/html; charset=utf-8"),
        ];
        let exhibit = kept(&lines, b"<h1>Service Unavailable</h1>");
        assert_eq!(exhibit.status.as_deref(), Some("HTTP/1.1 503 Service Unavailable"));
        let headers: Vec<&str> = exhibit.headers.iter().map(AsRef::as_ref).collect();
        assert_eq!(
            headers,
            [
                "server: Microsoft-IIS/10.0",
                "content-type: text/html; charset=utf-8",
                "location: /owa/auth/logon.aspx?reason=2",
                "set-cookie: cadata=[removed]",
            ]
        );
        assert_eq!(exhibit.text.as_deref(), Some("<h1>Service Unavailable</h1>"));
    }

    #[test]
    fn only_text_is_kept_and_no_token() {
        let check = |kind: &str, value: &str, expect: bool| {
            assert_eq!(kept(&[(kind, value)], b"body").text.is_some(), expect, "{kind}: {value}");
        };
        check("server", "x", true);
        check("content-type", "application/json", true);
        check("content-type", "application/problem+xml", true);
        check("content-type", "application/vnd.ms-sync.wbxml", false);
        check("content-type", "image/png", false);
        check("content-encoding", "gzip", false);
        check("content-encoding", "identity", true);
        let check = |place: &str, expect: &str| assert_eq!(without_query(place), expect);
        check("https://a/b", "https://a/b");
        check("https://a/b?code=hush", "https://a/b?…");
        check("/b?reason=hush&x=1", "/b?…");
    }
}
