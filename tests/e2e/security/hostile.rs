//! Hostile texts by the way they really come: a mail server's greeting, a web server's headers,
//! a certificate's subject, what an operator's file says. They go from the agent through the
//! reporter to pages, feed, badge, CSV, PDF, metrics, log and terminal, and are text everywhere.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::Value;

use crate::support::{Running, free_port, get, run, run_ok, scratch, wait_for, write};

/// What servers say. No public page, feed, report or metric may hold the word at all.
const SAID: &str =
    "SERVERSAID<script>alert(1)</script>\"' onload=x \u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}2J";
/// What a careless definition says: shown to readers, as text.
const NAMED: &str = "=1+1<script>alert(2)</script>&amp;\\\"'--><svg onload=x>]]>{{7*7}}${x}%0d%0a";

/// A server that sends the same to everybody, once it has heard something or at once.
fn saying(answer: Vec<u8>, listens_first: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if listens_first {
                let _ = stream.read(&mut [0; 4096]);
            }
            let _ = stream.write_all(&answer);
        }
    });
    port
}

/// A TLS server whose certificate bears hostile names.
fn certified() -> u16 {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, SAID);
    params.distinguished_name.push(DnType::OrganizationName, SAID);
    // before and after what evidence is accepted with
    params.not_before = rcgen::date_time_ymd(1600, 1, 1);
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("a certificate with its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(config.clone()).expect("a connection");
            while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
        }
    });
    port
}

fn definition() -> String {
    let smtp = saying(format!("554 {SAID}\r\n").into_bytes(), false);
    let web = format!(
        "HTTP/1.1 503 {said}\r\nRetry-After: {said}\r\nServer: {said}\r\nContent-Length: 8\r\n\
         Connection: close\r\n\r\n<script>",
        said = SAID.replace(|c: char| c.is_control(), "")
    );
    let web = saying(web.into_bytes(), true);
    let lines =
        saying(b"220-\x1b[2J\x1b]0;owned\x07\r\n220 \xff\xfe SERVERSAID\r\n".to_vec(), false);
    let tls = certified();
    let probe = |id: &str, keys: &str| {
        format!(
            "[[probe]]\nid = \"{id}\"\ncomponent = \"owa\"\nevery = \"2s\"\nconfirm = 1\n{keys}\n"
        )
    };
    let host = |port: u16| format!("host = \"127.0.0.1\"\nport = {port}");
    [
        format!(
            "[service]\nname = \"{NAMED}\"\nzone = \"UTC\"\n[agent]\nname = \"here\"\nsite = \"{NAMED}\"\n\
             [[component]]\nid = \"owa\"\nname = \"{NAMED}\"\ngroup = \"{NAMED}\"\n\
             description = \"{NAMED}\"\nseverity = \"{NAMED}\"\n\
             [[level]]\nid = \"up\"\ncomponent = \"owa\"\nmeasure = \"availability\"\n\
             target = \"99%\"\n"
        ),
        probe("greeting", &format!("kind = \"smtp\"\n{}", host(smtp))),
        probe("lines", &format!("kind = \"smtp\"\n{}", host(lines))),
        probe("page", &format!("kind = \"http\"\nurl = \"http://127.0.0.1:{web}/\"")),
        probe("names", &format!("kind = \"tls\"\n{}", host(tls))),
    ]
    .concat()
}

/// What an operator imports for last month: outages, work with a reason, tickets.
fn history() -> String {
    let quoted = serde_json::to_string(NAMED).expect("a string");
    let mut text = format!(
        "{{\"v\":1,\"kind\":\"roster\",\"agent\":\"old\",\"site\":{quoted},\
         \"at\":\"2026-09-01T00:00:00Z\",\"probes\":[{{\"id\":\"page\",\"every_s\":86400}}]}}\n\
         {{\"v\":1,\"kind\":\"exclusion\",\"id\":{quoted},\"class\":\"maintenance\",\
         \"components\":[\"owa\"],\"from\":\"2026-09-10T01:00:00Z\",\"to\":\"2026-09-10T03:00:00Z\",\
         \"announced\":\"2026-09-01T09:00:00Z\",\"approved\":\"2026-09-02T09:00:00Z\",\"by\":{quoted},\
         \"reason\":{quoted}}}\n\
         {{\"v\":1,\"kind\":\"ticket\",\"id\":{quoted},\"severity\":{quoted},\"component\":\"owa\",\
         \"opened\":\"2026-09-14T21:30:00Z\",\"events\":[]}}\n"
    );
    let said = serde_json::to_string(SAID).expect("a string");
    for day in 1..=30 {
        let (verdict, reason) = if day == 7 { ("down", "\"http_status\"") } else { ("up", "null") };
        text.push_str(&format!(
            "{{\"v\":1,\"kind\":\"outcome\",\"agent\":\"old\",\"probe\":\"page\",\
             \"due\":\"2026-09-{day:02}T00:00:00Z\",\"attempt\":0,\"next_due_s\":86400,\"took_ms\":1,\
             \"verdict\":\"{verdict}\",\"reason\":{reason},\"phases\":{{}},\
             \"facts\":{{\"detail\":{said}}}}}\n"
        ));
    }
    text
}

/// No control characters but line ends: nothing that a terminal acts on.
fn is_still(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n')
}

fn check_markup(what: &str, text: &str) {
    assert!(!text.contains("SERVERSAID"), "{what} tells what a server said");
    for raw in ["<script>alert", "<svg onload", "-->", "]]>"] {
        // the page's own markup has no comments and no such tags
        assert!(!text.contains(raw), "{what} holds {raw} as it came: {text}");
    }
    assert!(!text.contains("\"here\"") && !text.contains(">here<"), "{what} names an agent");
}

#[test]
fn what_comes_from_outside_is_text_wherever_it_is_shown() {
    let scratch = scratch();
    let directory = scratch.path();
    let config = write(directory, "probes.toml", &definition()).display().to_string();
    let data = directory.join("data").display().to_string();
    let evidence = write(directory, "history.ndjson", &history()).display().to_string();
    run_ok(["import", &evidence, "--data", &data]);
    let of = ["--config", &*config, "--data", &*data];
    run_ok([&["publish", "--month", "2026-09", "--by", NAMED][..], &of].concat());
    let address = free_port();
    let listen = address.to_string();
    let up = Running::start([&["up", "--listen", &listen][..], &of].concat());
    let url = |path: &str| format!("http://{address}{path}");
    wait_for("all four checks to have met their server", || {
        let text = run_ok([&["export"][..], &of[2..]].concat());
        let here = text.lines().filter(|l| l.contains("\"agent\":\"here\""));
        let met: Vec<&str> = here.filter(|l| l.contains("SERVERSAID")).collect();
        let has = |id: &str| met.iter().any(|l| l.contains(&format!("\"probe\":\"{id}\"")));
        ["greeting", "lines", "page", "names"].iter().all(|id| has(id)).then_some(())
    });
    wait_for("the page to say so", || get(&url("/")).1.contains("Not working").then_some(()));

    for path in [
        "/",
        "/components/owa",
        "/performance",
        "/performance/2026-09",
        "/performance/keys",
        "/feed.atom",
        "/badge/owa.svg",
        "/no-such-page",
        "/components/<script>alert(3)",
        "/components/owa/days/2026-09-07",
        "/components/owa/outages/2026-09-07T00:00:00Z",
    ] {
        let (_, text) = get(&url(&path.replace('<', "%3C").replace('>', "%3E")));
        check_markup(path, &text);
    }
    let (_, page) = get(&url("/"));
    assert!(page.contains("&#60;script&#62;alert(2)") || page.contains("&lt;script&gt;alert(2)"));
    let status: Value = serde_json::from_str(&get(&url("/api/v1/status")).1).expect("JSON");
    assert_eq!(status["components"][0]["name"], NAMED.replace("\\\"", "\""));
    assert!(!status.to_string().contains("SERVERSAID"));
    sheets(&get(&url("/performance/2026-09.csv")).1);
    sheets(&get(&url("/performance/2026-09/daily.csv")).1);
    metrics(&get(&url("/metrics")).1);
    documents(directory, &of);
    terminals(&of, &up);
    assert!(up.stop().success());
}

/// No cell begins what a spreadsheet takes for a formula, quoted or not.
fn sheets(text: &str) {
    assert!(text.lines().count() > 1, "{text}");
    assert!(!text.contains("SERVERSAID"));
    for line in text.lines() {
        let cells = line.split(',').map(|cell| cell.trim_start_matches('"'));
        for cell in cells {
            let number = cell.trim_end_matches('"').parse::<f64>().is_ok();
            assert!(number || !cell.starts_with(['=', '+', '-', '@']), "{cell} in {line}");
        }
    }
}

/// Every line is a comment or one sample: a label's quotes and lines are its own.
fn metrics(text: &str) {
    assert!(!text.contains("SERVERSAID"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        assert!(name.starts_with("mailward_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let Some((_, labels)) = name.split_once('{') else { continue };
        let mut quotes = 0;
        let mut escaped = false;
        for c in labels.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quotes += 1,
                _ => {}
            }
        }
        assert!(quotes % 2 == 0 && !escaped, "{line}");
    }
}

/// The report as files: nothing in the PDF runs or leads anywhere.
fn documents(directory: &Path, of: &[&str]) {
    let out = directory.join("out");
    let told = run_ok(
        [&["report", "--month", "2026-09", "--out", &out.display().to_string()][..], of].concat(),
    );
    assert!(is_still(&told) && !told.contains("SERVERSAID"), "{told:?}");
    let pdf = std::fs::read(out.join("report.pdf")).expect("a PDF");
    let pdf = String::from_utf8_lossy(&pdf);
    for active in
        ["/JavaScript", "/JS ", "/Launch", "/OpenAction", "/AA ", "javascript:", "/EmbeddedFile"]
    {
        assert!(!pdf.contains(active), "the PDF holds {active}");
    }
    assert!(!pdf.contains("SERVERSAID"));
    let json = std::fs::read_to_string(out.join("report.json")).expect("JSON");
    assert!(!json.contains("SERVERSAID"));
    serde_json::from_str::<Value>(&json).expect("JSON");
    sheets(&std::fs::read_to_string(out.join("outages.csv")).expect("CSV"));
}

/// What an operator's terminal and log get: no escape sequence, and no line that was not ours.
fn terminals(of: &[&str], up: &Running) {
    for args in [
        &["failures"][..],
        &["failures", "--show", "--last", "50"],
        &["agents", "list"],
        &["editions", "list"],
        &["credentials", "list"],
        &["check"],
        &["failures", "--json"],
    ] {
        let takes_config = !matches!(args[0], "agents" | "editions" | "credentials");
        let ran = run([args, if takes_config { of } else { &of[2..] }].concat());
        let text = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        assert!(is_still(&text), "{args:?}: {text:?}");
    }
    let shown = run_ok([&["failures", "--show", "--last", "50"][..], of].concat());
    assert!(shown.contains("SERVERSAID"), "operators are told, in harmless form: {shown}");
    let ran = run([&["probe"][..], &of[..2]].concat());
    let text = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(is_still(&text), "{text:?}");
    let log = up.said();
    assert!(is_still(&log), "{log:?}");
}
