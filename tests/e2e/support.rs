//! What the end-to-end tests share: running the binary, waiting for a state, talking HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailward_evidence::Stopwatch;

/// How long a state may take before a test gives up on it. Generous: a loaded machine is no
/// failure of the program.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) fn mailward() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailward"));
    command.env("NO_COLOR", "1").env_remove("MAILWARD_LOG").stdin(Stdio::null());
    // what a probe run by hand remembers of accounts is nobody else's affair
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let states = format!("states-{}-{call}", std::process::id());
    command.env("XDG_STATE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join(states));
    command
}

/// Runs the binary to its end.
pub(crate) fn run<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Output {
    mailward().args(args).output().expect("start mailward")
}

/// Runs the binary and expects exit code 0; gives standard output.
pub(crate) fn run_ok<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> String {
    let output = run(args);
    assert!(
        output.status.success(),
        "{:?}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// A directory for one test, removed at its end.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("make a directory for the test")
}

/// Writes a file and gives its path.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).expect("make a directory");
    }
    let mut file = std::fs::File::create(&path).expect("make a file");
    file.write_all(text.as_bytes()).expect("write a file");
    path
}

/// A port on loopback that is free now.
pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("find a free port")
}

/// Asks `state` again and again until it gives something.
pub(crate) fn wait_for<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(watch.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A process of the binary that runs until the test ends it.
pub(crate) struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    pub(crate) fn start<I: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = I>) -> Self {
        let mut command = mailward();
        command.args(args);
        Self::of(command)
    }

    /// The same for a command that something stands before, or around, the binary.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start mailward");
        let lines = Arc::new(Mutex::new(Vec::new()));
        if let Some(out) = child.stdout.take() {
            collect(out, Arc::clone(&lines));
        }
        if let Some(err) = child.stderr.take() {
            collect(err, Arc::clone(&lines));
        }
        Self { child, lines }
    }

    /// Waits for a line that holds `text`.
    pub(crate) fn wait_line(&mut self, text: &str) -> String {
        let lines = Arc::clone(&self.lines);
        let child = &mut self.child;
        wait_for(&format!("a line with {text:?}"), || {
            let lines = lines.lock().expect("lines");
            let found = lines.iter().find(|l| l.contains(text)).cloned();
            if found.is_none()
                && let Ok(Some(status)) = child.try_wait()
            {
                panic!("mailward ended with {status}:\n{}", lines.join("\n"));
            }
            found
        })
    }

    /// Its number in the system.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        // a process that nobody has waited for is a zombie
        status.is_ok_and(|status| status.rsplit(')').next().is_some_and(|s| s.starts_with(" Z")))
    }

    /// What it has said so far, on both of its streams.
    pub(crate) fn said(&self) -> String {
        self.lines.lock().expect("lines").join("\n")
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("mailward to end", || child.try_wait().expect("wait for mailward"))
    }

    /// Ends it at once: SIGKILL.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop (SIGTERM) and waits.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("run kill");
        assert!(asked.success());
        let child = &mut self.child;
        wait_for("mailward to stop", || child.try_wait().expect("wait for mailward"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl std::io::Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().expect("lines").push(line);
        }
    });
}

/// One HTTP exchange; `None` where the server cannot be reached.
pub(crate) fn http(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Option<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .ok()?;
        let method = reqwest::Method::from_bytes(method.as_bytes()).ok()?;
        let mut request = client.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    })
}

/// GET, expecting an answer.
pub(crate) fn get(url: &str) -> (u16, String) {
    http("GET", url, &[], Vec::new()).unwrap_or_else(|| panic!("no answer from {url}"))
}

/// GET of JSON, `None` while there is none.
pub(crate) fn get_json(url: &str) -> Option<serde_json::Value> {
    let (status, text) = http("GET", url, &[], Vec::new())?;
    (status == 200).then(|| serde_json::from_str(&text).ok()).flatten()
}

/// Starts or stops a group of real servers under `tests/peers/`, at ports of the test's own, so
/// that two tests can run the same group side by side.
pub(crate) fn peer_at(port_base: u16, group: &str, action: &str, directory: &Path) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(group)
        .join(format!("{action}.sh"));
    // into a file: a server that stays behind would hold a pipe open for ever
    let log = directory.join(format!("{group}-{action}.log"));
    let out = std::fs::File::create(&log).expect("make a log");
    let err = out.try_clone().expect("share the log");
    let ended = Command::new("bash")
        .arg(&script)
        .env("PEERS_DIR", directory)
        .env("PEERS_PORT_BASE", port_base.to_string())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .status()
        .expect("run a peer's script");
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(ended.success(), "{}: {said}", script.display());
}
