//! Where redirects may lead, and with what.

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue};

use super::*;

fn hop(from: &str, location: &str) -> Result<String, Reason> {
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
    let answer = Answer { status: StatusCode::FOUND, headers, body: Bytes::new() };
    assert!(answer.is_redirect());
    let to = next_hop(&Url::parse(from).unwrap(), &answer);
    to.map(String::from).map_err(|fault| fault.reason)
}

#[test]
fn redirects_lead_to_http_only() {
    let base = "https://mail.example.org/owa/";
    let check = |location: &str, expect: Result<&str, Reason>| {
        assert_eq!(hop(base, location), expect.map(str::to_owned), "{location}");
    };
    check("auth/logon.aspx", Ok("https://mail.example.org/owa/auth/logon.aspx"));
    check("/x?y=1", Ok("https://mail.example.org/x?y=1"));
    check("//other.example.org/", Ok("https://other.example.org/"));
    for location in [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://other.example.org/",
        "gopher://127.0.0.1:25/_HELO",
        "https://a:b@other.example.org/",
        "https://[",
    ] {
        check(location, Err(Reason::RedirectRefused));
    }
}

#[test]
fn a_refused_place_is_told_by_scheme_and_host() {
    let base = Url::parse("https://mail.example.org/owa/").unwrap();
    let check = |reference: &str, expect: &str| {
        let fault = next_place(&base, reference).unwrap_err();
        assert_eq!(&*fault.detail, expect, "{reference}");
    };
    check(
        "https://name:hush@other.example.org/hush?code=hush#hush",
        "sent on to https://other.example.org: it carries a name or a password",
    );
    check("ftp://x:hush@ftp.test/hush", "sent on to ftp://ftp.test: expected http or https");
    check("javascript:hush", "sent on to javascript:: expected http or https");
    check("https://name:hush@[", "sent on to what is not a URL");
}

#[test]
fn no_redirect_leads_into_another_kind_of_network() {
    let check = |first: &str, to: &str, expect: bool| {
        let (first, to) = (first.parse().unwrap(), to.parse().unwrap());
        assert_eq!(leads_inwards(first, to), expect, "{first} to {to}");
    };
    let outside = "198.51.100.1";
    let inside = [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "169.254.169.254",
        "fe80::1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "fd00:ec2::254",
    ];
    for to in inside {
        check(outside, to, true);
        check("2001:db8::1", to, true);
        check(to, to, false);
        check(to, outside, false);
    }
    for to in ["198.51.100.2", "2001:db8::2", "172.32.0.1", "100.128.0.1", "64:ff9b::c633:6402"] {
        check(outside, to, false);
    }
    check("10.0.0.1", "192.168.0.1", false);
    check("10.0.0.1", "fd00::1", false);
    check("127.0.0.1", "::1", false);
    check("10.0.0.1", "127.0.0.1", true);
    check("10.0.0.1", "169.254.169.254", true);
    check("127.0.0.1", "169.254.169.254", true);
    check("127.0.0.1", "10.0.0.1", true);
}

#[test]
fn a_form_is_not_sent_on() {
    let check = |method: Method, status: u16, expect: Method| {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(next_method(&method, status), expect, "{method} {status}");
    };
    check(Method::POST, 301, Method::GET);
    check(Method::POST, 302, Method::GET);
    check(Method::POST, 303, Method::GET);
    check(Method::POST, 307, Method::POST);
    check(Method::POST, 308, Method::POST);
    check(Method::PUT, 302, Method::PUT);
    check(Method::HEAD, 303, Method::HEAD);
}
