//! `[[probe.step]]`: a transaction as it is read, and what is told of a broken one, at its place.

use mailward_catalogue::{Gravity, parse};

const HEAD: &str = "[service]\nname = \"Mail\"\nzone = \"UTC\"\n[[component]]\nid = \"c\"\n\
    [[credential]]\nid = \"k\"\nusername = \"u\"\npassword = { env = \"P\" }\n\
    [[probe]]\nid = \"p\"\ncomponent = \"c\"\nevery = \"60s\"\nkind = \"http\"\n";

fn told(keys: &str) -> String {
    let parsed = parse("probes.toml", &format!("{HEAD}{keys}"));
    let lines: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

const SOUND: &str = r#"
url = "https://portal.example.org/app/"
credential = "k"
[[probe.step]]
capture = { csrf = { regex = 'csrf" value="([^"]+)"' }, id = { header = "X-Id", show = true } }
[[probe.step]]
name = "sign-in"
url = "login?id={id}"
form = { csrf = "{csrf}", user = "{username}", password = "{password}" }
expect_status = ["2xx", 302]
follow = false
rejected_by = { status = 401, body = "(?i)wrong password", url = "error=1" }
slow = "2s"
[probe.step.capture.token]
json = "$.session['token']"
[[probe.step]]
path = "/api/{token}"
method = "PUT"
body = '{"a":{"b":"{token}"}}'
headers = { X-Token = "{token}" }
expect_body = "ok"
"#;

#[test]
fn a_transaction_reads_as_it_is_written() {
    let parsed = parse("probes.toml", &format!("{HEAD}{SOUND}"));
    assert!(parsed.faults.is_empty(), "{:#?}", parsed.faults);
    let again = parse("normal.toml", &parsed.normal);
    assert!(again.faults.iter().all(|f| f.gravity == Gravity::Warning), "{:#?}", again.faults);
    assert_eq!(again.normal, parsed.normal);
    let probe = parsed.catalogue.unwrap().probes.remove(0);
    assert_eq!(probe.credentials, ["k"]);
    let steps = probe.settings.group_list("step");
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0].statuses("expect_status"), [(200, 299)]);
    let captures: Vec<_> = steps[0].named_groups("capture").collect();
    assert_eq!(captures[0].0, "csrf");
    assert_eq!(
        (captures[1].1.text("header"), captures[1].1.bool("show")),
        (Some("X-Id"), Some(true))
    );
    assert_eq!(steps[1].table("form").count(), 3);
    let rejected = steps[1].group("rejected_by").unwrap();
    assert_eq!(rejected.statuses("status"), [(401, 401)]);
    let token = steps[1].named_groups("capture").next().unwrap();
    assert_eq!(token.1.text("json"), Some("$.session['token']"));
}

#[test]
fn the_first_step_may_say_where_it_starts() {
    assert_eq!(told("step = [{ url = \"https://portal.example.org/a\" }, { path = \"/b\" }]"), "");
    let at = "probes.toml:14:8: kind http needs the key \"url\"";
    let first = told("step = [{ path = \"/a\" }]");
    assert!(first.starts_with(at), "{first}");
    let plain = told("method = \"GET\"");
    assert_eq!(plain, format!("{at}: what is fetched"));
}

#[test]
fn every_fault_of_a_step_is_told_at_its_place() {
    let broken = r#"url = "http://portal.example.org/"
expect_body = "x"
[[probe.step]]
nmae = "a"
expect_status = 99
[[probe.step]]
capture = { token = { regx = "x" }, other = { json = "token", show = 1 } }
[[probe.step]]
capture = { both = { regex = "a", header = "b" }, odd = { header = "b c" }, deep = { json = "$..a..b" } }
[[probe.step]]
capture = { path = { json = "token" } }
"#;
    insta::assert_snapshot!(told(broken), @r##"
    probes.toml:18:1: step: unknown key "nmae"; did you mean "name"?
    probes.toml:19:17: step: expect_status: expected a status from 100 to 599, got 99
    probes.toml:21:23: step: capture: "token": unknown key "regx"; did you mean "regex"?
    probes.toml:21:70: step: capture: "other": show: expected true or false, got 1
    probes.toml:23:20: step: capture: "both": expected one of regex, json and header, got 2
    probes.toml:23:68: step: capture: "odd": expected the name of a header
    probes.toml:23:93: step: capture: "deep": expected a JSON path of at most 256 bytes with at most one ..
    probes.toml:25:29: step: capture: "path": expected a JSON path such as $.token: at position 0, parser error
    "##);
    let across = r#"url = "http://portal.example.org/"
method = "POST"
[[probe.step]]
name = "tls"
url = "https://x/{later}"
path = "/y"
capture = { later = { regex = "a" }, 'no-name' = { header = "b" }, password = { regex = "x" } }
[[probe.step]]
name = "a"
path = "//evil.example/"
body = "x {latr}"
form = { a = "b" }
rejected_by = { status = 401 }
[[probe.step]]
name = "a"
url = "/{password}"
method = "HEAD"
expect_body = "x"
rejected_by = {}
"#;
    insta::assert_snapshot!(told(across), @r##"
    probes.toml:18:8: step: "tls" is a phase of every connection; expected another name
    probes.toml:19:7: step: no earlier step captures {later}; the nearest is {password}
    probes.toml:20:8: step: expected url or path, got both
    probes.toml:21:11: step: "password" stands for the account; expected another name
    probes.toml:21:11: step: expected a name of ASCII letters, digits and _, at most 64, got "no-name"
    probes.toml:24:8: step: expected a path that begins with one /
    probes.toml:25:8: step: no earlier step captures {latr}; the nearest is {later}
    probes.toml:26:8: step: expected body or form, got both
    probes.toml:27:15: step: no account has been shown up to this step
    probes.toml:29:8: step: "a" is the name of an earlier step
    probes.toml:30:7: step: {password} may stand in headers, body and form only
    probes.toml:32:15: step: an answer to HEAD has no body to look into
    probes.toml:33:15: step: expected status, body or url, or several of them
    "##);
}

#[test]
fn an_account_is_shown_over_https_only() {
    let check = |keys: &str, expect: &str| {
        let text = told(keys);
        assert!(
            if expect.is_empty() { text.is_empty() } else { text.contains(expect) },
            "{keys}: {text}"
        );
    };
    let step = |url: &str, more: &str| {
        format!(
            "url = \"{url}\"\ncredential = \"k\"\n[[probe.step]]\n{more}\n\
             form = {{ p = \"{{password}}\" }}\nrejected_by = {{ status = 401 }}\n"
        )
    };
    check(&step("https://a.example/", ""), "");
    check(&step("http://a.example/", ""), "expected an https:// URL");
    let elsewhere = told(&step("http://a.example/", "url = \"https://b.example/login\""));
    assert!(!elsewhere.contains("expected an https:// URL\n"), "{elsewhere}");
    assert!(elsewhere.contains("warning: the password travels unencrypted"), "{elsewhere}");
    check(&step("https://a.example/", "url = \"http://b.example/login\""), "expected an https://");
    let captured = |url: &str| {
        format!(
            "url = \"https://a.example/\"\ncredential = \"k\"\n[[probe.step]]\n\
             capture = {{ n = {{ regex = \"x\" }} }}\n[[probe.step]]\nurl = \"{url}\"\n\
             form = {{ p = \"{{password}}\" }}\nrejected_by = {{ status = 401 }}\n"
        )
    };
    check(&captured("/login/{n}"), "");
    check(&captured("https://b.example/{n}"), "");
    check(&captured("https://b.example{n}"), "expected an https://");
    check(&captured("{n}"), "expected an https://");
    let no_credential = step("https://a.example/", "").replace("credential = \"k\"\n", "");
    check(&no_credential, "step \"step1\" shows an account: the probe needs a credential");
    check("url = \"https://a.example/\"\ncredential = \"k\"\n", "nothing shows it");
    let unused = "url = \"https://a.example/\"\ncredential = \"k\"\nstep = [{ path = \"/\" }]";
    check(unused, "no step shows {username} or {password}");
    let unjudged = step("https://a.example/", "").replace("rejected_by", "#");
    check(&unjudged, "warning: no step says by rejected_by");
}
