//! A stand-in for the service manager: listens where NOTIFY_SOCKET points, and remembers what it
//! was told and when. What that should be is the tests'.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailward_evidence::Stopwatch;

use super::support::wait_for;

/// A message, and when it came.
type Message = (Stopwatch, String);

/// The stand-in.
pub(crate) struct Manager {
    name: String,
    told: Arc<Mutex<Vec<Message>>>,
    over: Arc<AtomicBool>,
}

impl Manager {
    /// One that listens at a path.
    pub(crate) fn at_path(directory: &Path) -> Self {
        let path = directory.join("notify");
        let address = SocketAddr::from_pathname(&path).expect("an address");
        Self::listen(path.display().to_string(), &address)
    }

    /// One that listens at an abstract name.
    pub(crate) fn at_name() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mailward-test-{}-{count}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        Self::listen(format!("@{name}"), &address)
    }

    fn listen(name: String, address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).expect("bind the manager's socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("set a timeout");
        let told = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (sink, ends) = (Arc::clone(&told), Arc::clone(&over));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !ends.load(Ordering::Relaxed) {
                if let Ok(length) = socket.recv(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    sink.lock().expect("messages").push((Stopwatch::start(), text));
                }
            }
        });
        Self { name, told, over }
    }

    /// The variables by which a process knows of it, and of a watchdog that bites after `watchdog`.
    pub(crate) fn environment(&self, watchdog: Duration) -> Vec<(OsString, OsString)> {
        let pairs = [
            ("NOTIFY_SOCKET", self.name.clone()),
            ("WATCHDOG_USEC", watchdog.as_micros().to_string()),
        ];
        pairs.map(|(name, value)| (name.into(), value.into())).into()
    }

    /// How many messages hold this line.
    pub(crate) fn count(&self, line: &str) -> usize {
        let told = self.told.lock().expect("messages");
        told.iter().filter(|(_, text)| text.lines().any(|l| l == line)).count()
    }

    /// Waits until `count` messages hold this line.
    pub(crate) fn wait_count(&self, line: &str, count: usize) {
        wait_for(&format!("{count} times {line}"), || (self.count(line) >= count).then_some(()));
    }

    /// Waits for a message that holds `text`, and gives the last such.
    pub(crate) fn wait_text(&self, text: &str) -> String {
        wait_for(&format!("a message with {text:?}"), || {
            let told = self.told.lock().expect("messages");
            told.iter().rev().find(|(_, said)| said.contains(text)).map(|(_, said)| said.clone())
        })
    }

    /// How long ago the first message with this line came, in milliseconds.
    pub(crate) fn age_ms(&self, line: &str) -> f64 {
        let told = self.told.lock().expect("messages");
        let first = told.iter().find(|(_, text)| text.lines().any(|l| l == line));
        first.expect("a message").0.elapsed_ms()
    }

    /// Waits until no sign of life has come for this long.
    pub(crate) fn wait_silence(&self, span: Duration) {
        wait_for("the signs of life to stop", || {
            let told = self.told.lock().expect("messages");
            let last = told.iter().rev().find(|(_, text)| text.lines().any(|l| l == "WATCHDOG=1"));
            last.is_none_or(|(at, _)| at.elapsed() > span).then_some(())
        });
    }

    /// The variables that were told, in order, without those that tell of themselves often.
    pub(crate) fn order(&self) -> Vec<String> {
        let told = self.told.lock().expect("messages");
        let lines = told.iter().flat_map(|(_, text)| text.lines());
        let steps = lines.filter(|line| !line.starts_with("STATUS=") && *line != "WATCHDOG=1");
        steps.map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
