//! Which texts are accepted, and as what.

use super::*;

fn check<T: std::fmt::Debug>(judge: fn(&str) -> Judged<T>, text: &str, expect: Option<&str>) {
    let read = judge(text).ok().map(|value| format!("{value:?}"));
    assert_eq!(read.as_deref(), expect, "{text:?}");
}

#[test]
fn hosts_names_and_mailboxes() {
    for text in
        ["mail.example.org", "mail", "192.0.2.1", "::1", "a-b_c.example.org", "example.org."]
    {
        check(host, text, Some(&format!("{text:?}")));
    }
    check(host, "mäil.example.org", Some("\"xn--mil-qla.example.org\""));
    let long = format!("{}.example.org", "a".repeat(64));
    for text in ["", "a b", "mail.example.org:25", "[::1]", "1.2.3", "256.1.1.1", "a..b", &long] {
        check(host, text, None);
    }
    for text in ["_25._tcp.mx.example.org", "2.0.0.127.bl.example.org", ".", "*.example.org"] {
        check(dns_name, text, Some(&format!("{text:?}")));
    }
    for text in ["", "a b", "..", "a..b", &long] {
        check(dns_name, text, None);
    }
    for text in ["a@example.org", "a+b@mail", "\"odd\"@example.org", "a@[192.0.2.1]"] {
        check(mailbox, text, Some(&format!("{text:?}")));
    }
    for text in ["", "a", "@example.org", "a@", "a b@example.org", "<a@example.org>", "a@1.2.3.4"] {
        check(mailbox, text, None);
    }
}

#[test]
fn addresses_and_networks() {
    check(resolver, "192.0.2.53", Some("192.0.2.53:53"));
    check(resolver, "127.0.0.1:10053", Some("127.0.0.1:10053"));
    check(resolver, "[::1]:10053", Some("[::1]:10053"));
    for text in ["", "dns.example.org", "192.0.2.53:0", "192.0.2.53:99999"] {
        check(resolver, text, None);
    }
    check(network, "192.0.2.0/24", Some("(192.0.2.0, 24)"));
    check(network, "192.0.2.7", Some("(192.0.2.7, 32)"));
    check(network, "0.0.0.0/0", Some("(0.0.0.0, 0)"));
    check(network, "2001:db8::/32", Some("(2001:db8::, 32)"));
    check(network, "::1", Some("(::1, 128)"));
    for text in ["", "192.0.2.1/24", "192.0.2.0/33", "2001:db8::1/32", "x/8", "10.0.0.0/"] {
        check(network, text, None);
    }
    for text in ["192.0.2.53:53", "example.net:443", "[::1]:53", "https://example.net/"] {
        check(target, text, Some(&format!("{text:?}")));
    }
    for text in ["", "example.net", "example.net:0", "::1:53", "ftp://example.net/", "a b:1"] {
        check(target, text, None);
    }
}

#[test]
fn spans_and_statuses() {
    check(span, "07:00-22:00", Some("Span { from_min: 420, to_min: 1320 }"));
    check(span, "22:00-06:00", Some("Span { from_min: 1320, to_min: 1800 }"));
    check(span, "00:00-24:00", Some("Span { from_min: 0, to_min: 1440 }"));
    check(span, "18:00 - 00:00", Some("Span { from_min: 1080, to_min: 1440 }"));
    for text in ["", "07:00", "7:00-8:00", "07:00-07:00", "24:00-06:00", "07:60-08:00", "a-b"] {
        check(span, text, None);
    }
    check(statuses, "200", Some("(200, 200)"));
    check(statuses, "2xx", Some("(200, 299)"));
    check(statuses, "200-204", Some("(200, 204)"));
    for text in ["", "xx", "20x", "600", "6xx", "0xx", "204-200", "+20-300"] {
        check(statuses, text, None);
    }
}

#[test]
fn crons_have_seconds() {
    check(cron, "0 */5 * * * *", Some("\"0 */5 * * * *\""));
    check(cron, " */5  * * * * ", Some("\"0 */5 * * * *\""));
    check(cron, "0 0 8 * * mon-fri", Some("\"0 0 8 * * mon-fri\""));
    check(cron, "0 0 8 1 1 * 2027", Some("\"0 0 8 1 1 * 2027\""));
    for text in ["", "* * * *", "61 * * * * *", "@daily", "0 0 8 * * nonday", "* * * * * * * *"] {
        check(cron, text, None);
    }
}

#[test]
fn the_rest() {
    check(date, "2026-12-25", Some("2026-12-25"));
    for text in ["", "2026-13-01", "2026-02-29", "2026-1-1", "20261225", "2026-12-25T00:00"] {
        check(date, text, None);
    }
    check(hours, "not  core", Some("\"not core\""));
    for text in ["", "not 24x7", "not ", "core hours"] {
        check(hours, text, None);
    }
    for text in ["", " ", "(", "a{1000000}", "(?P<x"] {
        check(pattern, text, None);
    }
    for text in ["", "mail.example.org", "https://", "file:///etc/passwd", "https://u@example.org/"]
    {
        check(url, text, None);
    }
    check(label, "Leeds 1", Some("\"Leeds 1\""));
    for text in ["", " a", "a\n", &"a".repeat(129)] {
        check(label, text, None);
    }
    check(seconds, "90s", Some("90s"));
    for text in ["500ms", "0s", "1s500ms"] {
        check(seconds, text, None);
    }
}

#[test]
fn advice_is_near() {
    let known = ["every", "retry_every", "url", "expect_status", "timeout"];
    for (written, expect) in [
        ("evry", "every"),
        ("Timeout", "timeout"),
        ("expect-status", "expect_status"),
        ("expectstatus", "expect_status"),
        ("retry", "retry_every"),
        ("uri", "url"),
    ] {
        assert_eq!(close(written, known), Some(expect), "{written}");
    }
    assert_eq!(close("colour", known), None);
    assert!(nearest("colour", known).is_some());
    assert_eq!(nearest("x", []), None);
}
