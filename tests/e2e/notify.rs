//! Notifications through a real mail server and a webhook over TLS: an outage is told once to
//! each, also when the program is killed while it sends, and so is its end.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::support::{Running, free_port, get, get_json, peer_at, run, scratch, wait_for, write};

/// Where the peers of this test listen: beside those of the others.
const PORT_BASE: u16 = 28_000;
const MX: u16 = PORT_BASE + 225;

/// A webhook over TLS: notes each request in a line, and answers as the file `mode` says.
const WEBHOOK: &str = r#"
import http.server, json, ssl, sys, threading
port, home, tls = int(sys.argv[1]), sys.argv[2], sys.argv[3]
lock = threading.Lock()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        noted = {"headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
        with lock, open(home + "/heard", "a") as heard:
            heard.write(json.dumps(noted) + "\n")
        mode = open(home + "/mode").read().strip()
        if mode == "hang":
            threading.Event().wait()
        self.send_response(int(mode))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(tls + "/server.pem", tls + "/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
open(home + "/ready", "w").close()
server.serve_forever()
"#;

/// Checks a signature as docs/notifications.md has it.
const IS_OURS: &str = r#"
import hashlib, hmac, json, sys
noted = json.loads(sys.argv[1])
header, body = noted["headers"]["x-mailward-signature"], noted["body"].encode()
parts = dict(part.split("=", 1) for part in header.split(","))
expect = hmac.new(b"hush", parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
sys.exit(not hmac.compare_digest(expect, parts["v1"]))
"#;

struct Place {
    home: tempfile::TempDir,
    webhook: Option<Child>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut webhook) = self.webhook.take() {
            let _ = webhook.kill();
            let _ = webhook.wait();
        }
        peer_at(PORT_BASE, "roundtrip", "down", &self.path("peers"));
    }
}

impl Place {
    fn new(hook: SocketAddr) -> Self {
        let mut place = Self { home: scratch(), webhook: None };
        std::fs::create_dir(place.path("peers")).expect("make a directory");
        // Dovecot and Postfix give their rights up, and deliver below it
        let open = Command::new("chmod").arg("755").arg(place.home.path()).status();
        assert!(open.expect("run chmod").success());
        peer_at(PORT_BASE, "roundtrip", "up", &place.path("peers"));
        place.mode("200");
        let script = write(place.home.path(), "webhook.py", WEBHOOK);
        let webhook = Command::new("python3")
            .arg(script)
            .arg(hook.port().to_string())
            .arg(place.home.path())
            .arg(place.path("peers/tls"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        place.webhook = Some(webhook.expect("run python3"));
        wait_for("the webhook", || place.path("ready").exists().then_some(()));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn mode(&self, mode: &str) {
        write(self.home.path(), "mode", mode);
    }

    /// What the webhook was sent, a line each.
    fn heard(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("heard")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Messages in the mailbox.
    fn mails(&self) -> Vec<String> {
        let maildir = self.path("peers/roundtrip/mail/service.test/probe/new");
        let Ok(entries) = std::fs::read_dir(maildir) else { return Vec::new() };
        let read = |entry: std::fs::DirEntry| {
            String::from_utf8_lossy(&std::fs::read(entry.path()).expect("read a message"))
                .into_owned()
        };
        entries.flatten().map(read).collect()
    }

    fn args(&self, args: &[&str]) -> Vec<std::ffi::OsString> {
        let mut all: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
        all.extend(["--data".into(), self.path("data").into_os_string()]);
        all
    }

    fn up(&self, listen: SocketAddr) -> Running {
        let mut args = self.args(&["up", "--listen", &listen.to_string()]);
        args.extend(["--config".into(), self.path("probes.toml").into_os_string()]);
        Running::start(args)
    }
}

/// What is watched: takes connections until it is dropped.
struct Portal {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Portal {
    fn open(at: SocketAddr) -> Self {
        let listener = wait_for("the port", || TcpListener::bind(at).ok());
        listener.set_nonblocking(true).expect("a listener that does not block");
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                if listener.accept().is_err() {
                    std::thread::park_timeout(std::time::Duration::from_millis(10));
                }
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn body(heard: &str) -> serde_json::Value {
    let noted: serde_json::Value = serde_json::from_str(heard).expect("a request");
    serde_json::from_str(noted["body"].as_str().expect("a body")).expect("JSON")
}

fn key(heard: &str) -> String {
    let noted: serde_json::Value = serde_json::from_str(heard).expect("a request");
    noted["headers"]["idempotency-key"].as_str().expect("a key").to_owned()
}

#[test]
fn an_outage_and_its_end_are_told_once_though_the_program_is_killed_while_it_tells() {
    let (hook, watched, listen) = (free_port(), free_port(), free_port());
    let place = Place::new(hook);
    write(place.home.path(), "hush", "hush\n");
    write(
        place.home.path(),
        "probes.toml",
        &format!(
            r#"
[service]
name = "Post & Co"
zone = "Europe/London"
[agent]
name = "leeds-1"
site = "internet"
[[component]]
id = "portal"
name = "Portal"
[[probe]]
id = "portal-port"
component = "portal"
kind = "tcp"
host = "127.0.0.1"
port = {}
every = "1s"
retry_every = "1s"
confirm = 1
[[notify]]
id = "desk"
kind = "mail"
to = "probe@service.test"
from = "probe2@service.test"
host = "127.0.0.1"
port = {MX}
tls = "none"
group_wait = "0s"
group_interval = "1s"
recovered_after = "0s"
page = "https://status.example.org/"
[[notify]]
id = "hook"
kind = "webhook"
url = "https://localhost:{}/notify"
trust = "peers/tls/ca.pem"
signing_secret = {{ file = "hush" }}
allow_private = true
group_wait = "0s"
group_interval = "1s"
recovered_after = "0s"
detail = "operators"
"#,
            watched.port(),
            hook.port()
        ),
    );
    let portal = Portal::open(watched);
    let running = place.up(listen);
    let is = |wanted: &str| {
        let status = get_json(&format!("http://{listen}/api/v1/status"));
        status.is_some_and(|status| status["state"] == wanted).then_some(())
    };
    wait_for("a portal that works", || is("working"));

    place.mode("hang");
    drop(portal);
    wait_for("the webhook to be told", || place.heard().first().cloned());
    // it hears, and has not answered
    running.kill();
    place.mode("200");
    let running = place.up(listen);
    wait_for("the webhook to be told again", || place.heard().get(1).cloned());
    wait_for("the mail", || place.mails().first().cloned());
    let portal = Portal::open(watched);
    wait_for("the webhook to be told the end", || place.heard().get(2).cloned());
    wait_for("the second mail", || place.mails().get(1).cloned());
    let metrics = format!("http://{listen}/metrics");
    let sent = "mailward_notifications_total{channel=\"hook\",result=\"sent\"} 2";
    wait_for("the count", || get(&metrics).1.contains(sent).then_some(()));
    let none_left = "mailward_notifications_pending{channel=\"desk\"} 0";
    wait_for("the mail's answer", || get(&metrics).1.contains(none_left).then_some(()));

    let heard = place.heard();
    assert_eq!(heard.len(), 3, "{heard:#?}");
    assert_eq!(key(&heard[0]), key(&heard[1]), "the same message, sent twice");
    assert_ne!(key(&heard[1]), key(&heard[2]));
    let (began, over) = (body(&heard[1]), body(&heard[2]));
    assert_eq!(body(&heard[0]), began);
    assert_eq!(began["title"], "Post & Co: Portal is not working");
    assert_eq!((&began["number"], &over["number"]), (&1.into(), &2.into()));
    assert_eq!(began["items"][0]["news"], "began");
    assert_eq!(over["items"][0]["news"], "recovered");
    assert_eq!(began["items"][0]["key"], over["items"][0]["key"]);
    let detail = began["items"][0]["detail"].to_string();
    assert!(detail.contains("portal-port") && detail.contains("leeds-1"), "{detail}");
    for noted in &heard {
        let ours = Command::new("python3").args(["-c", IS_OURS, noted]).status();
        assert!(ours.expect("run python3").success(), "{noted}");
    }

    let mails = place.mails();
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let of = |subject: &str| mails.iter().find(|mail| mail.contains(subject));
    let began = of("Subject: Post & Co: Portal is not working").expect("the outage");
    assert!(of("Subject: Post & Co: Portal is working again").is_some(), "{mails:#?}");
    assert!(began.contains("To: probe@service.test"), "{began}");
    assert!(!began.contains("leeds-1") && !began.contains("portal-port"), "{began}");

    let listed = run(place.args(&["notifications", "list"]));
    let said = String::from_utf8_lossy(&listed.stdout);
    assert_eq!(listed.status.code(), Some(0), "{said}");
    assert!(said.contains("4 notifications: 4 sent, 0 waiting, 0 failed"), "{said}");
    assert!(running.stop().success());
    drop(portal);
}

#[test]
fn a_test_message_says_what_the_other_side_answered() {
    let scratch = scratch();
    let nobody = free_port();
    let text = format!(
        "[service]\nname = \"Post\"\nzone = \"UTC\"\n[[notify]]\nid = \"hook\"\n\
         kind = \"webhook\"\nurl = \"http://{nobody}/hush\"\nallow_private = true\n[[notify]]\n\
         id = \"cloud\"\nkind = \"webhook\"\nurl = \"http://169.254.169.254/\"\n\
         allow_private = true\n"
    );
    let config = write(scratch.path(), "probes.toml", &text).display().to_string();
    let test = |channel: &str| {
        let output = run(["notifications", "test", channel, "--config", &config]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = test("hook");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("hook: not taken: ") && !said.contains("hush"), "{said}");
    let (code, said) = test("cloud");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("never allowed"), "{said}");
    let (code, said) = test("chat");
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("there are hook, cloud"), "{said}");
}
