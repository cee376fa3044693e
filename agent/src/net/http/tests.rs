//! Requests as they are written.

use super::*;

#[test]
fn the_request_names_host_and_agent() {
    let url = Url::parse("http://mail.example.org:8080/a b?c=d#e").unwrap();
    let made = request(&Ask::get(url)).unwrap();
    assert_eq!(made.uri(), "/a%20b?c=d");
    assert_eq!(made.headers()[HOST], "mail.example.org:8080");
    assert_eq!(made.headers()[USER_AGENT], AGENT);
    assert_eq!(made.headers()[ACCEPT_ENCODING], "identity");
}
