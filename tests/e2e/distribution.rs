//! Published editions on their way through real mail servers: each arrives once, with its PDF,
//! also when the reporter is killed while it sends, and what bounces is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::support::{Running, free_port, peer_at, run, run_ok, scratch, wait_for, write};

/// Where the peers of this test listen: beside those of the others.
const PORT_BASE: u16 = 26_000;
const MX: u16 = PORT_BASE + 225;
const SUBMISSION: u16 = PORT_BASE + 258;
const COUNT: &str = r#"{"v":1,"kind":"count","series":"calls","from":"2019-02-01T00:00:00Z","to":"2019-02-02T00:00:00Z","good":950,"total":980}"#;

struct Place(tempfile::TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        peer_at(PORT_BASE, "roundtrip", "down", &self.path("peers"));
    }
}

impl Place {
    fn new() -> Self {
        let place = Self(scratch());
        std::fs::create_dir(place.path("peers")).expect("make a directory");
        // Dovecot and Postfix give their rights up, and deliver below it
        let open = Command::new("chmod").arg("755").arg(place.0.path()).status();
        assert!(open.expect("run chmod").success());
        peer_at(PORT_BASE, "roundtrip", "up", &place.path("peers"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn args(&self, args: &[&str]) -> Vec<std::ffi::OsString> {
        let mut all: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
        all.extend(["--config".into(), self.path("probes.toml").into_os_string()]);
        all.extend(["--data".into(), self.path("data").into_os_string()]);
        all
    }

    fn define(&self, relay: &str) {
        let text = format!(
            "[service]\nname = \"Päst & Co\"\nzone = \"Europe/London\"\n[[level]]\n\
             id = \"calls-answered\"\nmeasure = \"ratio\"\nseries = \"calls\"\ntarget = \"97%\"\n\
             [report]\npublish = \"manual\"\n[distribution]\n\
             to = [\"nobody@service.test\", \"probe@service.test\", \"probe2@service.test\"]\n\
             from = \"probe@service.test\"\n{relay}\n"
        );
        write(self.0.path(), "probes.toml", &text);
    }

    fn reporter(&self) -> Running {
        let listen = free_port().to_string();
        let mut reporter = Running::start(self.args(&["reporter", "--listen", &listen]));
        reporter.wait_line("reporter listens");
        reporter
    }

    /// Messages in a mailbox of the peers.
    fn mailbox(&self, name: &str) -> Vec<String> {
        let maildir = self.path("peers/roundtrip/mail/service.test").join(name);
        let mut found = Vec::new();
        for part in ["new", "cur"] {
            let Ok(entries) = std::fs::read_dir(maildir.join(part)) else { continue };
            for entry in entries.flatten() {
                let bytes = std::fs::read(entry.path()).expect("read a message");
                found.push(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        found
    }

    fn list(&self) -> (Option<i32>, String) {
        let output = run(self.args(&["distribution", "list"]));
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Stands before the MX; while it holds, it swallows the answer to DATA.
struct Proxy {
    address: SocketAddr,
    holds: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("own address");
        let (holds, held) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let flags = (Arc::clone(&holds), Arc::clone(&held));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", MX)) else { continue };
                let (holds, held) = (Arc::clone(&flags.0), Arc::clone(&flags.1));
                let back = (server.try_clone().expect("clone"), client.try_clone().expect("clone"));
                thread::spawn(move || copy(back.0, back.1, |_| true));
                thread::spawn(move || {
                    copy(client, server, |text| {
                        let hold = holds.load(Ordering::SeqCst)
                            && text.windows(6).any(|window| window == b"DATA\r\n");
                        held.fetch_or(hold, Ordering::SeqCst);
                        !hold
                    });
                });
            }
        });
        Self { address, holds, held }
    }
}

/// Copies until either side is gone; what `pass` refuses is swallowed.
fn copy(mut from: TcpStream, mut to: TcpStream, pass: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || (pass(&buffer[..read]) && to.write_all(&buffer[..read]).is_err()) {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn an_edition_arrives_once_though_the_reporter_is_killed_while_it_sends() {
    let place = Place::new();
    let proxy = Proxy::start();
    place.define(&format!("host = \"127.0.0.1\"\nport = {}\ntls = \"none\"", proxy.address.port()));
    let file = write(place.0.path(), "counts.ndjson", COUNT);
    run_ok([Path::new("import"), &file, Path::new("--data"), &place.path("data")]);
    let published = run_ok(place.args(&["publish", "--month", "2019-02", "--by", "A. Manager"]));
    assert!(published.contains("The reporter mails it to 3"), "{published}");

    let reporter = place.reporter();
    wait_for("a letter under way", || proxy.held.load(Ordering::SeqCst).then_some(()));
    reporter.kill();
    proxy.holds.store(false, Ordering::SeqCst);
    // by another way: encrypted, and with an account
    write(place.0.path(), "relay-password", "secret-1\n");
    place.define(&format!(
        "host = \"localhost\"\nport = {SUBMISSION}\ntls = \"starttls\"\n\
         username = \"probe@service.test\"\npassword = {{ file = \"relay-password\" }}\n\
         trust = \"peers/tls/ca.pem\""
    ));
    let reporter = place.reporter();
    wait_for("the letters", || {
        (place.mailbox("probe").len() == 1 && place.mailbox("probe2").len() == 1).then_some(())
    });
    wait_for("the end of the round", || place.list().1.contains("2 sent").then_some(()));
    assert!(reporter.stop().success());
    // and again, with nothing left to do
    let reporter = place.reporter();
    let (code, said) = place.list();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nobody@service.test") && said.contains("bounced"), "{said}");
    assert!(said.contains("550") && said.contains("1 did not surely arrive"), "{said}");
    assert!(reporter.stop().success());
    for name in ["probe", "probe2"] {
        let messages = place.mailbox(name);
        assert_eq!(messages.len(), 1, "{name}");
        let message = &messages[0];
        assert_eq!(message.matches("\nMessage-ID:").count(), 1, "{message}");
        assert!(message.contains(&format!("\nTo: {name}@service.test")), "{message}");
        assert!(message.contains("filename=\"performance-2019-02.pdf\""), "{message}");
        pdf_is_the_editions(&place, message);
    }
}

/// The attachment is the edition's PDF, byte by byte.
fn pdf_is_the_editions(place: &Place, message: &str) {
    let script = "import email, sys\nmessage = email.message_from_file(sys.stdin)\n\
                  part = [p for p in message.walk() if p.get_content_type() == 'application/pdf']\n\
                  kinds = [p.get_content_type() for p in message.walk()]\n\
                  assert kinds[2:4] == ['text/plain', 'text/html'], kinds\n\
                  sys.stdout.buffer.write(part[0].get_payload(decode=True))";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run python3");
    python.stdin.take().expect("a pipe").write_all(message.as_bytes()).expect("write");
    let output = python.wait_with_output().expect("wait for python3");
    assert!(output.status.success());
    let out = place.path("edition");
    if !out.exists() {
        let out = out.display().to_string();
        run_ok(place.args(&["editions", "export", "2019-02", "--out", &out]));
    }
    assert!(output.stdout == std::fs::read(out.join("report.pdf")).expect("the PDF"));
}

#[test]
fn a_key_or_password_that_is_not_there_is_said_at_once() {
    let scratch = scratch();
    let text = "[service]\nname = \"Post\"\nzone = \"UTC\"\n[report]\n\
                signing_key = { file = \"nowhere.pem\" }\n";
    let config = write(scratch.path(), "probes.toml", text);
    let data = scratch.path().join("data");
    let file = write(scratch.path(), "counts.ndjson", COUNT);
    run_ok([Path::new("import"), &file, Path::new("--data"), &data]);
    let listen = free_port().to_string();
    for args in [
        vec!["reporter", "--listen", &listen],
        vec!["publish", "--month", "2019-02", "--by", "A. Manager"],
    ] {
        let mut all: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
        all.extend(["--config".into(), config.clone().into_os_string()]);
        all.extend(["--data".into(), data.clone().into_os_string()]);
        let output = run(all);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{said}");
        assert!(said.contains("nowhere.pem"), "{said}");
    }
}
