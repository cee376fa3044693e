//! Every address and every method without a credential, paths that climb, bodies that are too
//! large or too deep: nothing is written, nothing is told, and the reporter goes on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::support::{Running, free_port, get, run_ok, scratch, wait_for, write};

const DEFINITION: &str = "[service]\nname = \"Surface\"\nzone = \"UTC\"\n\
    [[component]]\nid = \"owa\"\n\
    [[probe]]\nid = \"page\"\ncomponent = \"owa\"\nkind = \"http\"\nurl = \"https://a.test/\"\n\
    every = \"60s\"\n\
    [[level]]\nid = \"up\"\ncomponent = \"owa\"\nmeasure = \"availability\"\ntarget = \"99%\"\n";

/// A reporter with one enrolled agent and one published month.
struct Reporter {
    _scratch: tempfile::TempDir,
    data: std::path::PathBuf,
    address: SocketAddr,
    token: String,
    _running: Running,
}

fn reporter() -> Reporter {
    let scratch = scratch();
    let config = write(scratch.path(), "probes.toml", DEFINITION);
    let data = scratch.path().join("data");
    let data_text = data.display().to_string();
    let evidence = write(
        scratch.path(),
        "evidence.ndjson",
        "{\"v\":1,\"kind\":\"roster\",\"agent\":\"leeds-1\",\"site\":\"\",\
         \"at\":\"2026-09-01T00:00:00Z\",\"probes\":[{\"id\":\"page\",\"every_s\":60}]}\n",
    );
    run_ok(["import", &evidence.display().to_string(), "--data", &data_text]);
    let config_text = config.display().to_string();
    run_ok([
        "publish",
        "--month",
        "2026-09",
        "--by",
        "a person",
        "--config",
        &config_text,
        "--data",
        &data_text,
    ]);
    let token = run_ok(["agents", "add", "leeds-1", "--site", "internet", "--data", &data_text]);
    let address = free_port();
    let listen = address.to_string();
    let running = Running::start([
        "reporter",
        "--config",
        &config_text,
        "--data",
        &data_text,
        "--listen",
        &listen,
    ]);
    let alive = format!("http://{address}/healthz");
    wait_for("the reporter", || crate::support::http("GET", &alive, &[], Vec::new()));
    let token = token.trim().to_owned();
    Reporter { _scratch: scratch, data, address, token, _running: running }
}

/// One request, byte for byte; whatever comes back until the server closes.
fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set a deadline");
    // a refusal may come before everything was sent
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(address: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> String {
    let length = body.len();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    raw(address, &request)
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Every address that the program's own source gives a route.
fn routes() -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("reporter/src");
    let mut found = Vec::new();
    for file in ["http.rs", "http/leases.rs", "ingest/http.rs"] {
        let text = std::fs::read_to_string(source.join(file)).expect("a source file");
        let mut rest = &text[..];
        while let Some(at) = rest.find(".route(") {
            rest = &rest[at + 7..];
            let path = rest.split('"').nth(1).expect("a route's path");
            found.push(path.to_owned());
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

fn filled(route: &str) -> String {
    [
        ("{id}", "owa"),
        ("{date}", "2026-10-01"),
        ("{from}", "2026-10-01T00:00:00Z"),
        ("{month}", "2026-09"),
        ("{part}", "report.pdf"),
        ("{file}", if route.starts_with("/badge") { "owa.svg" } else { "1" }),
    ]
    .iter()
    .fold(route.to_owned(), |route, (name, value)| route.replace(name, value))
}

#[test]
fn nothing_is_written_without_a_credential_and_every_answer_is_guarded() {
    let reporter = reporter();
    let data = reporter.data.display().to_string();
    let before = (run_ok(["export", "--data", &data]), run_ok(["agents", "list", "--data", &data]));
    let record = b"{\"v\":1,\"kind\":\"count\",\"series\":\"a\",\"from\":\"2026-10-01T00:00:00Z\",\
                   \"to\":\"2026-10-02T00:00:00Z\",\"good\":1,\"total\":1}\n";
    let mut unsafe_routes = 0;
    let wrong = "Authorization: Bearer mwt_guess\r\n";
    let basic = "Authorization: Basic YTpi\r\n";
    let more = ["/", "/console", "/api/v1/incidents", "/api/v1/agents", "/api/v1/notices"];
    let all = routes().into_iter().chain(more.map(str::to_owned));
    for (n, route) in all.enumerate() {
        let path = filled(&route);
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MOVE"]
        {
            let proof = ["", wrong, basic][n % 3];
            let answer = ask(reporter.address, method, &path, proof, record);
            let code = status(&answer);
            let is_read = matches!(method, "GET" | "HEAD");
            let fine = if is_read { code < 500 } else { (400..500).contains(&code) };
            assert!(fine && code != 0, "{method} {path}: {answer}");
            unsafe_routes += u32::from(code == 401 || code == 429);
            let head = answer.split("\r\n\r\n").next().expect("a head").to_ascii_lowercase();
            for line in [
                "content-security-policy: default-src 'none';",
                "x-content-type-options: nosniff",
                "referrer-policy: no-referrer",
                "x-frame-options: deny",
                "cross-origin-opener-policy: same-origin",
            ] {
                assert!(head.contains(line), "{method} {path} lacks {line}: {head}");
            }
            assert!(!head.contains("set-cookie"), "{method} {path}: there is no session");
            assert!(!head.contains("'unsafe-"), "{method} {path}: {head}");
            assert!(!head.contains("strict-transport"), "plain HTTP promises nothing");
            if method == "TRACE" {
                assert!(!answer.contains("mwt_guess"), "{path} repeats the token");
            }
        }
    }
    assert_eq!(unsafe_routes, 2, "the two that take a POST ask for a token");
    let after = (run_ok(["export", "--data", &data]), run_ok(["agents", "list", "--data", &data]));
    assert_eq!(before, after);
}

#[test]
fn paths_do_not_climb() {
    let reporter = reporter();
    let climbs = [
        "..",
        "../..",
        "..%2f..%2f",
        "%2e%2e%2f%2e%2e",
        "%252e%252e%252f",
        "..%5c..",
        "....//",
        "%00",
        "1.pdf%00.png",
        "%ff%fe",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "mailward.sqlite",
        "..%2fmailward.sqlite",
        "signing.key",
        "..%2f..%2fprobes.toml",
        "2026-09%2f..%2f..",
        "~root",
        "C:%5cboot.ini",
        "%c0%ae%c0%ae%c0%af",
    ];
    let secrets = ["SQLite format", "PRIVATE KEY", "root:x:", "[service]", "mwt_"];
    for route in routes().iter().filter(|route| route.contains('{')) {
        for climb in climbs {
            // each of its parameters in turn
            for (at, _) in route.match_indices('{') {
                let end = at + route[at..].find('}').expect("a closed parameter") + 1;
                let target = filled(&format!("{}\u{1}{}", &route[..at], &route[end..]));
                let target = target.replace('\u{1}', climb);
                let answer = ask(reporter.address, "GET", &target, "", b"");
                let code = status(&answer);
                assert!((400..500).contains(&code), "{target}: {answer}");
                for secret in secrets {
                    assert!(!answer.contains(secret), "{target} shows {secret}: {answer}");
                }
            }
        }
    }
    for target in ["/../../etc/passwd", "//etc/passwd", "/./../probes.toml", "/style.css/../x"] {
        let code = status(&ask(reporter.address, "GET", target, "", b""));
        assert!((400..500).contains(&code), "{target}: {code}");
    }
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_and_harms_nobody() {
    let reporter = reporter();
    let bearer = format!("Authorization: Bearer {}\r\n", reporter.token);
    let (evidence, leases) = ("/api/v1/evidence", "/api/v1/credentials/leases");
    let deep = |open: &str, times: usize| open.repeat(times).into_bytes();
    let bomb = zstd::encode_all(&vec![b' '; 64 << 20][..], 3).expect("pack zeros");
    assert!(bomb.len() < 100_000);
    let packed = format!("{bearer}Content-Encoding: zstd\r\n");
    let claims = |length: &str| {
        let head = format!(
            "POST {evidence} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{bearer}\
             Content-Length: {length}\r\n\r\n"
        );
        status(&raw(reporter.address, head.as_bytes()))
    };
    let post = |path: &str, headers: &str, body: &[u8]| {
        status(&ask(reporter.address, "POST", path, headers, body))
    };
    for (what, code, expect) in [
        ("arrays", post(evidence, &bearer, &deep("[", 200_000)), 400),
        ("objects", post(evidence, &bearer, &deep("{\"a\":", 200_000)), 400),
        (
            "facts",
            {
                let inner = "{\"a\":".repeat(1000) + "1" + &"}".repeat(1000);
                let line = format!("{{\"v\":1,\"kind\":\"roster\",\"x\":{inner}}}");
                post(evidence, &bearer, line.as_bytes())
            },
            400,
        ),
        ("bomb", post(evidence, &packed, &bomb), 413),
        ("no zstd", post(evidence, &packed, b"nothing packed"), 400),
        ("large", post(evidence, &bearer, &vec![b'\n'; (16 << 20) + 1]), 413),
        ("a claim", claims("99999999999"), 413),
        ("no number", claims("-1"), 400),
        ("other packing", post(evidence, &format!("{bearer}Content-Encoding: gzip\r\n"), b""), 415),
        ("deep lease", post(leases, &bearer, &deep("[", 10_000)), 400),
        ("large lease", post(leases, &bearer, &vec![b' '; 64 << 10]), 413),
    ] {
        assert_eq!(code, expect, "{what}");
    }
    let get_of =
        |target: &str, headers: &str| status(&ask(reporter.address, "GET", target, headers, b""));
    let long = "a".repeat(300_000);
    for (what, code) in [
        ("a long URL", get_of(&format!("/{long}"), "")),
        ("a long query", get_of(&format!("/api/v1/components/owa/history?days={long}"), "")),
        ("a long header", get_of("/", &format!("X-A: {long}\r\n"))),
        ("many headers", get_of("/", &"X-A: b\r\n".repeat(1000))),
    ] {
        assert!(matches!(code, 400 | 414 | 431), "{what}: {code}");
    }
    // two lengths, or a length and chunks, are how requests are smuggled past a proxy
    for framing in [
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Transfer-Encoding: xchunked\r\n\r\nabcd",
        "Content-Length: 4, 5\r\n\r\nabcd",
    ] {
        let request = format!("POST {evidence} HTTP/1.1\r\nHost: a\r\n{bearer}{framing}");
        assert_eq!(status(&raw(reporter.address, request.as_bytes())), 400, "{framing}");
    }
    assert_eq!(get(&format!("http://{}/healthz", reporter.address)).0, 200);
    assert_eq!(post(evidence, &bearer, b""), 200);
}
