//! The definition as a whole: the service, its components, and the rules that span them.

use std::net::IpAddr;
use std::time::Duration;

use crate::branding::Branding;
use crate::credential::{Credential, SecretRef};
use crate::desk::{CountsCsv, TicketsCsv};
use crate::distribution::Distribution;
use crate::hours::Hours;
use crate::level::Level;
use crate::notify::Notify;
use crate::probe::{Effect, Probe};
use crate::wording::Wording;

/// A validated probes.toml. Every reference inside it resolves.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// What is watched.
    pub service: Service,
    /// The agent that runs on this machine; only an agent needs it.
    pub agent: Option<Agent>,
    /// Settings of the reporter.
    pub reporter: Reporter,
    /// The rows, in the order of page and report.
    pub components: Vec<Component>,
    /// The probes, in the order of the file.
    pub probes: Vec<Probe>,
    /// Accounts that probes log on with.
    pub credentials: Vec<Credential>,
    /// Where agents receive mail themselves.
    pub sinks: Vec<Sink>,
    /// Named service hours.
    pub hours: Vec<Hours>,
    /// What was promised.
    pub levels: Vec<Level>,
    /// Rules for planned work.
    pub maintenance: Maintenance,
    /// When reports are published.
    pub report: Report,
    /// Whose name, logo and colours page and report bear.
    pub branding: Option<Branding>,
    /// To whom published reports are mailed.
    pub distribution: Option<Distribution>,
    /// Who is told what happens, and how.
    pub notify: Vec<Notify>,
    /// How a service desk's export of tickets is read.
    pub tickets_csv: Option<TicketsCsv>,
    /// How exported counts are read.
    pub counts_csv: Option<CountsCsv>,
}

impl Catalogue {
    /// The component with this id.
    #[must_use]
    pub fn component(&self, id: &str) -> Option<&Component> {
        self.components.iter().find(|c| c.id == id)
    }

    /// The probe with this id.
    #[must_use]
    pub fn probe(&self, id: &str) -> Option<&Probe> {
        self.probes.iter().find(|p| p.id == id)
    }

    /// How deep the probes of a component go that `counts` picks, each depth once, in the order
    /// of the file; see [`Probe::depth`]. Advisory ones speak only where there is no other.
    #[must_use]
    pub fn depths(&self, component: &str, counts: impl Fn(&Probe) -> bool) -> Vec<&'static str> {
        let picked = || self.probes.iter().filter(|p| p.component == component && counts(p));
        let counting = picked().any(|probe| probe.effect == Effect::Availability);
        let mut depths = Vec::new();
        for probe in picked().filter(|p| !counting || p.effect == Effect::Availability) {
            let depth = probe.depth();
            if !depths.contains(&depth) {
                depths.push(depth);
            }
        }
        depths
    }

    /// The level with this id.
    #[must_use]
    pub fn level(&self, id: &str) -> Option<&Level> {
        self.levels.iter().find(|l| l.id == id)
    }

    /// The id of a level that is nearest to a text; `None` where there are no levels.
    #[must_use]
    pub fn nearest_level(&self, text: &str) -> Option<&str> {
        crate::read::nearest(text, self.levels.iter().map(|level| level.id.as_str()))
    }

    /// The credential with this id.
    #[must_use]
    pub fn credential(&self, id: &str) -> Option<&Credential> {
        self.credentials.iter().find(|c| c.id == id)
    }

    /// The sink with this id.
    #[must_use]
    pub fn sink(&self, id: &str) -> Option<&Sink> {
        self.sinks.iter().find(|s| s.id == id)
    }

    /// The hours with this name.
    #[must_use]
    pub fn hours_named(&self, name: &str) -> Option<&Hours> {
        self.hours.iter().find(|h| h.name == name)
    }

    /// The probes of a component, in the order of the file.
    pub fn probes_of<'a>(&'a self, component: &'a str) -> impl Iterator<Item = &'a Probe> {
        self.probes.iter().filter(move |p| p.component == component)
    }
}

/// `[service]`
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, as readers know it.
    pub name: String,
    /// The IANA zone in which months, days and hours are reckoned.
    pub zone: jiff::tz::TimeZone,
    /// The zone's name as written.
    pub zone_name: String,
}

/// `[agent]`
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name; its evidence bears it.
    pub name: String,
    /// Where it stands; empty if not said.
    pub site: String,
    /// The token it delivers with; `up` needs none.
    pub token: Option<SecretRef>,
    /// Targets for its own connectivity: `HOST:PORT` or an http(s) URL.
    pub references: Vec<String>,
    /// Mail servers that show whether port 25 is open outwards: `HOST:PORT`.
    pub references_smtp: Vec<String>,
    /// The most probes at once, in all; default 64.
    pub max_concurrent: usize,
    /// The most probes at once towards one host; default 8.
    pub max_per_host: usize,
    /// PEM file of further authorities that probes trust, beside the system's.
    pub trust: Option<std::path::PathBuf>,
    /// Resolver to ask instead of the system's, `IP` or `IP:PORT`.
    pub resolver: Option<std::net::SocketAddr>,
    /// Largest size of the outbox in bytes; default 1 GiB.
    pub outbox_max_bytes: u64,
    /// Longest stay in the outbox; default 30 days.
    pub outbox_max_age: Duration,
}

/// `[reporter]`
#[derive(Clone, Debug, Default)]
pub struct Reporter {
    /// Networks beside loopback that may read `/metrics`: address and prefix length.
    pub metrics_allow: Vec<(IpAddr, u8)>,
    /// Networks of proxies that are believed when they say whose request they hand on.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// Its own certificate; `None`: it speaks plain HTTP.
    pub tls: Option<ReporterTls>,
    /// How long raw outcomes are kept; default 400 days. Segments are kept for ever.
    pub raw_retention: Duration,
}

/// `[reporter.tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReporterTls {
    /// PEM file of the certificate and its chain, the certificate first.
    pub certificate: std::path::PathBuf,
    /// Where its private key is kept, as PEM.
    pub key: SecretRef,
}

/// `[[component]]`: a row.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its id.
    pub id: String,
    /// Its name, as readers know it.
    pub name: String,
    /// The heading it stands under; empty if none.
    pub group: String,
    /// How many of its probes must be down: `Any`, `All` or `AtLeast`.
    pub rule: Need,
    /// How many agents of a site must agree: `Majority` or `AtLeast`.
    pub quorum: Need,
    /// At how many sites a probe must be down: `Any`, `All` or `AtLeast`.
    pub site_rule: Need,
    /// The severity of the incident an outage opens.
    pub severity: String,
    /// Users it serves, for service-wide figures.
    pub users: Option<u64>,
    /// The first local date with service hours.
    pub since: Option<jiff::civil::Date>,
    /// A sentence for readers, such as the address it is reached at.
    pub description: Option<String>,
}

/// How many of something are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// One.
    Any,
    /// All of them.
    All,
    /// Half, rounded down, plus one.
    Majority,
    /// At least this many, 1 or more.
    AtLeast(u32),
}

impl Need {
    /// How many of `of` are needed.
    #[must_use]
    pub const fn count(self, of: usize) -> usize {
        match self {
            Self::Any => 1,
            Self::All => of,
            Self::Majority => of / 2 + 1,
            Self::AtLeast(n) => n as usize,
        }
    }
}

/// `[[sink]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Its id.
    pub id: String,
    /// The address it listens on.
    pub listen: std::net::SocketAddr,
    /// The name it greets with.
    pub hostname: String,
    /// PEM files of its certificate with chain, and of the key; `None`: it makes one itself.
    pub identity: Option<(std::path::PathBuf, std::path::PathBuf)>,
    /// Larger mail is refused, in bytes; default 1 MiB.
    pub max_message_bytes: u64,
    /// The most connections at once; default 100.
    pub max_connections: usize,
    /// Which agents run it; empty for all.
    pub sites: Vec<String>,
}

/// `[maintenance]`
#[derive(Clone, Debug, Default)]
pub struct Maintenance {
    /// The most that is excluded in a month, per component.
    pub cap_per_month: Option<Duration>,
    /// The least notice; `None`: announced no later than its start.
    pub notice: Option<Duration>,
}

impl Sink {
    /// Whether an agent at `site` runs it.
    #[must_use]
    pub fn runs_at(&self, site: &str) -> bool {
        self.sites.is_empty() || self.sites.iter().any(|s| s == site)
    }
}

/// `[report]`
#[derive(Clone, Debug)]
pub struct Report {
    /// Who publishes.
    pub publish: Publish,
    /// The day of the following month on which the scheduler publishes, 1 to 28; default 5.
    pub publish_on: u8,
    /// The local time of that day; default 09:00.
    pub publish_at: jiff::civil::Time,
    /// Where the key that signs editions is kept; `None`: in the data directory.
    pub signing_key: Option<SecretRef>,
    /// Words of one's own for pages and reports; `None`: English.
    pub language: Option<Wording>,
}

/// Who publishes a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// The scheduler, on the day.
    Auto,
    /// A person, with `mailward publish`.
    Manual,
}
