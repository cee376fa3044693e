//! A first definition for a domain: what it publishes (`look`), which checks that suggests
//! (`plan`), and the file with those that proved themselves in a trial (`write`). Running the
//! checks and talking to the person is the command's.

pub(crate) mod domain;
pub(crate) mod look;
pub(crate) mod plan;
pub(crate) mod toml;
pub(crate) mod write;

use std::net::SocketAddr;
use std::path::PathBuf;

/// What the person asked for, and where the checks will stand.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The domain, as A-labels.
    pub(crate) domain: String,
    /// Whom to ask instead of the system's resolver.
    pub(crate) resolver: Option<SocketAddr>,
    /// Authorities beside the system's.
    pub(crate) trust: Option<PathBuf>,
    /// DNSSEC keys instead of the root's.
    pub(crate) anchors: Option<PathBuf>,
    /// Where mail servers listen: 25, but for services behind other ports.
    pub(crate) mx_port: u16,
    /// Where web servers listen: 443, but for services behind other ports.
    pub(crate) https_port: u16,
    /// DKIM selectors beside the common ones.
    pub(crate) selectors: Vec<String>,
    /// The time zone of the service.
    pub(crate) zone: String,
    /// The agent's name.
    pub(crate) agent: String,
    /// Places on the internet that answer from here, for the agent's own connectivity.
    pub(crate) references: Vec<String>,
    /// Today, as the file says when it was made.
    pub(crate) today: String,
}
