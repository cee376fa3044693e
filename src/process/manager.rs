//! The service manager: what it is told over the socket that it names in NOTIFY_SOCKET
//! (sd_notify(3)), and how often it wants to hear. Without one, nothing is told.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as Unconnected};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::UnixDatagram;

/// How often the parts look after themselves where nobody asks.
const UNASKED: Duration = Duration::from_secs(10);
/// How long the manager may take to take a message.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest status line, in bytes.
const MAX_STATUS_BYTES: usize = 1000;

/// The way to the service manager.
///
/// NOTIFY_SOCKET stays in the environment: to take it out would need `unsafe`. No child has it,
/// because programs that a probe runs are given an environment of their own.
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// As the environment says. Wants a runtime.
    pub(super) fn from_environment() -> Self {
        let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = name.and_then(|name| match connect(name.as_bytes()) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, socket = %name.display(), "cannot reach the service manager");
                None
            }
        });
        Self { socket, watchdog: sd_notify::watchdog_enabled() }
    }

    /// How often a sign of life is due: at half of what the watchdog allows (sd_notify(3)).
    pub(super) fn beat_every(&self) -> Duration {
        self.watchdog.map_or(UNASKED, |limit| limit / 2)
    }

    /// Whether it wants signs of life.
    pub(super) const fn is_watching(&self) -> bool {
        self.watchdog.is_some()
    }

    /// Tells it all of `states` in one message.
    pub(super) async fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let text: String = states.iter().map(|state| format!("{state}\n")).collect();
        let sent = match tokio::time::timeout(PATIENCE, socket.send(text.as_bytes())).await {
            Ok(sent) => sent,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        };
        if let Err(error) = sent {
            tracing::warn!(%error, "cannot tell the service manager how things stand");
        }
    }
}

/// A path, or an abstract name after `@` (unix(7)).
fn connect(name: &[u8]) -> std::io::Result<UnixDatagram> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = Unconnected::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// A status as one line of a bearable length.
pub(super) fn status_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() > MAX_STATUS_BYTES {
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(status_line("a\nREADY=1"), "a READY=1");
        assert_eq!(status_line(&"é".repeat(900)).len(), MAX_STATUS_BYTES);
    }
}
