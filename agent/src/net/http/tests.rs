//! Requests as they are written, and where redirects may lead.

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
    check("file:///etc/passwd", Err(Reason::RedirectRefused));
    check("https://a:b@other.example.org/", Err(Reason::RedirectRefused));
    check("https://[", Err(Reason::RedirectRefused));
}

#[test]
fn addresses_that_lead_inwards() {
    let check = |address: &str, expect: bool| {
        assert_eq!(is_inside(address.parse().unwrap()), expect, "{address}");
    };
    check("127.0.0.1", true);
    check("169.254.169.254", true);
    check("0.0.0.0", true);
    check("::1", true);
    check("fe80::1", true);
    check("::ffff:127.0.0.1", true);
    check("10.0.0.1", false);
    check("2001:db8::1", false);
}

#[test]
fn the_request_names_host_and_agent() {
    let url = Url::parse("http://mail.example.org:8080/a b?c=d#e").unwrap();
    let made = request(&Ask::get(url)).unwrap();
    assert_eq!(made.uri(), "/a%20b?c=d");
    assert_eq!(made.headers()[HOST], "mail.example.org:8080");
    assert_eq!(made.headers()[USER_AGENT], AGENT);
}
