//! Where faults happen: a reporter and agents of the built binary, a service that they watch, and
//! a driver that posts evidence without pause and remembers what was acknowledged.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mailward_agent::outbox::{Limits, Outbox};
use mailward_evidence::{Record, wire};

use super::judge::Key;
use super::support::{Running, free_port, http, mailward, run_ok, wait_for, write};

/// What stands around a process: words before the binary (`ip netns exec NAME`), and variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    pub(crate) before: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

impl Around {
    /// A program with these words before it, not started yet.
    pub(crate) fn program(&self, program: &OsStr) -> Command {
        match self.before.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }

    /// The binary with these arguments, not started yet.
    pub(crate) fn command(&self, args: &[OsString]) -> Command {
        let plain = mailward();
        let mut command = self.program(plain.get_program());
        command.args(args).stdin(std::process::Stdio::null());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        // what a test asks for goes before what all tests have
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn start(&self, args: &[OsString]) -> Running {
        Running::of(self.command(args))
    }

    /// GET from where the process stands; `None` where no answer comes.
    pub(crate) fn fetch(&self, url: &str) -> Option<(u16, String)> {
        if self.before.first().is_none_or(|first| first != "nsenter") {
            return http("GET", url, &[], Vec::new());
        }
        let mut curl = self.program("curl".as_ref());
        curl.args(["-sS", "--noproxy", "*", "-m", "10", "-w", "\n%{http_code}", url]);
        let output = curl.stdin(std::process::Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (body, status) = text.rsplit_once('\n')?;
        let status = status.parse().ok().filter(|status| *status != 0)?;
        Some((status, body.to_owned()))
    }
}

/// How often the probes of [`definition`] run.
pub(crate) const EVERY_MS: i64 = 1_000;

/// Fails with what a process has said, if it has ended by itself.
fn still_runs(running: Option<&Running>) {
    if let Some(running) = running.filter(|running| running.has_ended()) {
        panic!("mailward ended:\n{}", running.said());
    }
}

/// `[service]`, one component with an availability level, and so many probes of `target`, every
/// second. More of the definition may follow.
pub(crate) fn definition(probes: usize, target: SocketAddr) -> String {
    let mut text = String::from(
        "[service]\nname = \"Tried\"\nzone = \"UTC\"\n\n[[component]]\nid = \"c\"\nname = \"C\"\n\
         \n[[level]]\nid = \"c-availability\"\ncomponent = \"c\"\nmeasure = \"availability\"\n\
         target = \"99.9%\"\n",
    );
    for index in 0..probes {
        let _ = write!(
            text,
            "\n[[probe]]\nid = \"p{index}\"\ncomponent = \"c\"\nkind = \"http\"\n\
             url = \"http://{target}/\"\nevery = \"1s\"\ntimeout = \"1s\"\n"
        );
    }
    text
}

/// A reporter of the built binary; it may be started and ended again and again.
pub(crate) struct Reporter {
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) around: Around,
    pub(crate) running: Option<Running>,
}

impl Reporter {
    /// With its definition and its data below `directory`, not started yet.
    pub(crate) fn new(directory: &Path, definition: &str) -> Self {
        Self {
            config: write(directory, "probes.toml", definition),
            data: directory.join("reporter"),
            address: free_port(),
            around: Around::default(),
            running: None,
        }
    }

    /// Enrols an agent and gives its token.
    pub(crate) fn enrol(&self, agent: &str) -> String {
        let data = self.data.as_os_str();
        let args = ["agents".as_ref(), "add".as_ref(), agent.as_ref(), "--data".as_ref(), data];
        run_ok(args).trim().to_owned()
    }

    pub(crate) fn start(&mut self) {
        let words = ["reporter", "--config", "", "--data", "", "--listen", "", "-q"];
        let mut args = words.map(OsString::from);
        args[2] = self.config.clone().into();
        args[4] = self.data.clone().into();
        args[6] = self.address.to_string().into();
        self.running = Some(self.around.start(&args));
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until it answers that its store can be written.
    pub(crate) fn wait_ready(&self) {
        let url = self.url("/readyz");
        wait_for("the reporter", || {
            still_runs(self.running.as_ref());
            self.around.fetch(&url).filter(|(status, _)| *status == 200)
        });
    }

    pub(crate) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.running.take().expect("a reporter that runs").stop()
    }
}

/// An agent of the built binary.
pub(crate) struct Agent {
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) reporter: String,
    pub(crate) listen: SocketAddr,
    pub(crate) around: Around,
    pub(crate) running: Option<Running>,
}

impl Agent {
    /// An agent that is enrolled now, not started yet.
    pub(crate) fn new(directory: &Path, name: &str, definition: &str, to: &Reporter) -> Self {
        Self::enrolled(directory, name, definition, to, &to.enrol(name))
    }

    /// The same with the token of an agent that is enrolled already. Its definition stands in a
    /// directory of its own, beside the reporter's.
    pub(crate) fn enrolled(
        directory: &Path,
        name: &str,
        definition: &str,
        to: &Reporter,
        token: &str,
    ) -> Self {
        let home = directory.join(name);
        write(&home, "token", token);
        let text = format!(
            "{definition}\n[agent]\nname = \"{name}\"\nsite = \"x\"\ntoken = {{ file = \"token\" }}\n"
        );
        Self {
            config: write(&home, "probes.toml", &text),
            data: home.join("data"),
            reporter: to.url("/"),
            listen: free_port(),
            around: Around::default(),
            running: None,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        let home = self.data.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        home.expect("an agent's directory bears its name")
    }

    /// Its process.
    pub(crate) fn process(&mut self) -> &mut Running {
        self.running.as_mut().expect("an agent that runs")
    }

    pub(crate) fn start(&mut self) {
        let words = ["agent", "--config", "", "--reporter", "", "--data", "", "--listen", "", "-q"];
        let mut args = words.map(OsString::from);
        args[2] = self.config.clone().into();
        args[4] = self.reporter.clone().into();
        args[6] = self.data.clone().into();
        args[8] = self.listen.to_string().into();
        self.running = Some(self.around.start(&args));
    }

    /// Waits until it answers.
    pub(crate) fn wait_alive(&self) {
        let url = format!("http://{}/healthz", self.listen);
        wait_for("the agent", || {
            still_runs(self.running.as_ref());
            self.around.fetch(&url)
        });
    }

    pub(crate) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.running.take().expect("an agent that runs").stop()
    }

    /// A figure of its metrics, added up over its labels; `None` while there is none.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.around.fetch(&format!("http://{}/metrics", self.listen))?;
        let of = |line: &str| -> Option<f64> {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse().ok())?
        };
        text.lines().filter_map(of).reduce(|sum, value| sum + value)
    }

    /// Waits until it has counted so many outcomes more than now.
    pub(crate) fn wait_outcomes(&self, more: f64) {
        let seen = || self.metric("mailward_probe_outcomes_total").unwrap_or_default();
        let before = seen();
        wait_for("outcomes", || (seen() >= before + more).then_some(()));
    }

    /// Waits until fewer than so many records wait in its outbox.
    pub(crate) fn wait_drained(&self, below: f64) {
        wait_for("the outbox to drain", || {
            self.metric("mailward_outbox_records").filter(|records| *records < below)
        });
    }

    /// The outcomes that are in its outbox, read from a copy as recovery would read it.
    pub(crate) fn in_outbox(&self) -> Vec<Key> {
        in_outbox(&self.data.join("outbox"))
    }
}

/// The outcomes in an outbox, read from a copy as recovery would read it.
pub(crate) fn in_outbox(outbox: &Path) -> Vec<Key> {
    let copy = super::support::scratch();
    let Ok(files) = std::fs::read_dir(outbox) else { return Vec::new() };
    for file in files.map(|entry| entry.expect("an entry").path()) {
        let name = file.file_name().expect("a file has a name");
        std::fs::copy(&file, copy.path().join(name)).expect("copy the outbox");
    }
    let limits = Limits { max_bytes: u64::MAX, max_age: Duration::MAX };
    let mut outbox = Outbox::open(copy.path(), limits).expect("open the copy");
    outcomes_in(&outbox.read(usize::MAX, usize::MAX).body)
}

/// The outcomes in a body of an agent.
pub(crate) fn outcomes_in(body: &[u8]) -> Vec<Key> {
    let records = wire::decode_lines(body).expect("what the agent kept can be read");
    let of = |record| match record {
        Record::Outcome(o) => Some((
            o.agent.to_string(),
            o.probe.to_string(),
            o.due.to_string(),
            u64::from(o.attempt),
        )),
        _ => None,
    };
    records.into_iter().filter_map(of).collect()
}

/// An agent of these tests: it posts bodies of 200 outcomes without pause, repeats what was not
/// acknowledged, and remembers what was.
pub(crate) struct Driver {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

/// What a driver was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The outcomes that are safe, by what the reporter said.
    pub(crate) acknowledged: Vec<Key>,
    /// The status and the text of each refusal in turn; equal ones with no acknowledgement
    /// between them as one.
    pub(crate) refused: Vec<(u16, String)>,
    /// Whether nothing was acknowledged since the last refusal.
    is_refused: bool,
}

impl Driver {
    /// Posts to `reporter` (`http://HOST:PORT`) as `agent` with that token.
    pub(crate) fn start(reporter: &str, agent: &str, token: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let url = format!("{}/api/v1/evidence", reporter.trim_end_matches('/'));
        let (bearer, agent) = (format!("Bearer {token}"), agent.to_owned());
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || drive(&url, &bearer, &agent, &stopped, &noted));
        Self { stop, seen, thread: Some(thread) }
    }

    /// How many outcomes were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.seen.lock().expect("what a driver saw").acknowledged.len()
    }

    /// What was acknowledged so far.
    pub(crate) fn so_far(&self) -> Vec<Key> {
        self.seen.lock().expect("what a driver saw").acknowledged.clone()
    }

    /// Waits until more is acknowledged.
    pub(crate) fn wait_more(&self) {
        let before = self.acknowledged();
        wait_for("an acknowledgement", || (self.acknowledged() > before).then_some(()));
    }

    /// Does something, and waits until the reporter refuses a body; gives its status and text.
    pub(crate) fn wait_refused(&self, after: impl FnOnce()) -> (u16, String) {
        let refused = || self.seen.lock().expect("what a driver saw").refused.clone();
        let before = refused().len();
        after();
        wait_for("a refusal", || refused().get(before).cloned())
    }

    /// Ends it, and gives what it was told.
    pub(crate) fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the driver");
        }
        self.seen.lock().expect("what a driver saw").clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn drive(url: &str, bearer: &str, agent: &str, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let (text, keys) = body_of(agent, number);
        match http("POST", url, &[("authorization", bearer)], text) {
            Some((200, _)) => {
                let mut seen = seen.lock().expect("what a driver saw");
                seen.acknowledged.extend(keys);
                seen.is_refused = false;
                number += 1;
                continue;
            }
            Some(answer) => {
                let mut seen = seen.lock().expect("what a driver saw");
                if !seen.is_refused || seen.refused.last() != Some(&answer) {
                    seen.refused.push(answer);
                }
                seen.is_refused = true;
            }
            None => {}
        }
        // not acknowledged: the same body again, as an agent does
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The body of that number: 200 outcomes of the probe `p0`, a second apart.
pub(crate) fn body_of(agent: &str, number: i64) -> (Vec<u8>, Vec<Key>) {
    let (mut text, mut keys) = (String::new(), Vec::new());
    for second in number * 200..(number + 1) * 200 {
        let at = jiff::Timestamp::from_second(1_790_000_000 + second).expect("in range");
        let _ = writeln!(
            text,
            r#"{{"v":1,"kind":"outcome","agent":"{agent}","probe":"p0","due":"{at}","attempt":0,"next_due_s":1,"took_ms":1.5,"verdict":"up","reason":null,"phases":{{"connect":0.5}},"facts":{{}}}}"#
        );
        keys.push((agent.to_owned(), "p0".to_owned(), at.to_string(), 0));
    }
    (text.into_bytes(), keys)
}

/// A service on loopback that answers 200 to everything for as long as the test lasts.
pub(crate) fn answering_server() -> SocketAddr {
    pondering_server(Duration::ZERO)
}

/// One that takes its time over each answer.
pub(crate) fn pondering_server(wait: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut buffer);
                if !wait.is_zero() {
                    std::thread::park_timeout(wait);
                }
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                );
            });
        }
    });
    address
}
