//! A mail service on loopback that fails when told to: SMTP, Outlook on the web, ActiveSync,
//! health pages, a portal, SIP, blocklists and DNS, for the demonstration and for tests. It speaks
//! its protocols by itself, and knows neither agent nor reporter.

mod accounts;
mod authority;
mod dns;
mod fault;
mod listen;
mod script;
mod sip;
mod smtp;
mod switch;
mod web;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use accounts::AccountSeen;
pub use dns::lists;
pub use fault::{Certificate, Demand, Fault, Leads, Part, Rcode, SignIn, Stage};
pub use script::{Event, Script, Step};

/// What the lab is to be.
#[derive(Clone, Debug)]
pub struct LabSettings {
    /// The mail domain. Its DNS has `mail.DOMAIN` and `portal.DOMAIN` on loopback, an MX and SPF;
    /// the certificates are for those names, `localhost` and 127.0.0.1.
    pub domain: String,
    /// The mailboxes.
    pub accounts: Vec<LabAccount>,
    /// Rejections in a row after which an account is locked.
    pub lock_after: u32,
}

impl Default for LabSettings {
    /// `example.test` with `probe@example.test` and `probe2@example.test`, both with the
    /// password `correct horse`, locked after 12 rejections.
    fn default() -> Self {
        let account = |name: &str| LabAccount {
            username: format!("{name}@example.test"),
            password: "correct horse".to_owned(),
        };
        Self {
            domain: "example.test".to_owned(),
            accounts: vec![account("probe"), account("probe2")],
            lock_after: 12,
        }
    }
}

/// A mailbox of the lab.
#[derive(Clone)]
pub struct LabAccount {
    /// The name it logs on with, which is its address as well.
    pub username: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for LabAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabAccount").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Where the parts listen, all on 127.0.0.1. Every web listener serves every page; a fault of
/// the connection (refused, hanging, certificate …) belongs to the listener, a fault of the
/// answer (status, slow …) to the page.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The MX: SMTP with STARTTLS.
    pub smtp: SocketAddr,
    /// Submission: SMTP with STARTTLS, then AUTH.
    pub submission: SocketAddr,
    /// Submission with TLS from the first byte.
    pub smtps: SocketAddr,
    /// HTTPS of [`Part::Owa`].
    pub owa: SocketAddr,
    /// HTTPS of [`Part::Eas`].
    pub eas: SocketAddr,
    /// HTTPS of [`Part::Health`].
    pub health: SocketAddr,
    /// HTTPS of [`Part::Outlook`].
    pub outlook: SocketAddr,
    /// HTTPS of [`Part::Portal`].
    pub portal: SocketAddr,
    /// HTTP in the clear, of [`Part::Portal`].
    pub http: SocketAddr,
    /// SIP over TLS.
    pub sips: SocketAddr,
    /// SIP over TCP in the clear.
    pub sip: SocketAddr,
    /// The blocklists: DNS over UDP.
    pub dnsbl: SocketAddr,
    /// The names of the mail domain: DNS over UDP.
    pub dns: SocketAddr,
}

/// Why the lab could not do something.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A port on loopback could not be had.
    #[error("listen on 127.0.0.1 for {what}")]
    Listen {
        /// For which part.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The certificates could not be made.
    #[error("make the lab's certificates")]
    Certificate(#[source] rcgen::Error),
    /// The certificates could not be used.
    #[error("set up the lab's TLS")]
    Tls(#[source] rustls::Error),
    /// The fault means nothing to the part.
    #[error("{part} has no such fault as {fault:?}")]
    NotApplicable {
        /// The part.
        part: Part,
        /// The fault.
        fault: Fault,
    },
    /// What was to be listed is no address and no domain, or the list is not one of the lab's.
    #[error(
        "list {subject:?} on {list:?}: expected an IP address or a domain, and a list of the lab"
    )]
    Listing {
        /// What was to be listed.
        subject: String,
        /// Where.
        list: String,
    },
}

/// What all parts share.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) domain: String,
    pub(crate) accounts: accounts::Accounts,
    pub(crate) switch: switch::Switch,
    pub(crate) authority: authority::Authority,
    pub(crate) listings: lists::Listings,
    pub(crate) sessions: web::owa::Sessions,
    pub(crate) desk: web::desk::Desk,
    pub(crate) partnerships: web::eas::Partnerships,
    pub(crate) tokens: web::token::Tokens,
    pub(crate) messages: std::sync::atomic::AtomicU64,
}

/// A running lab. It ends when it is dropped.
#[derive(Debug)]
pub struct Lab {
    house: Arc<House>,
    addresses: Addresses,
    open: Vec<(Part, watch::Receiver<bool>)>,
    _tasks: JoinSet<()>,
}

impl Lab {
    /// Starts every part on a free port of 127.0.0.1. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When a port or a certificate cannot be had.
    pub async fn start(settings: LabSettings) -> Result<Self, LabError> {
        let house = Arc::new(House {
            accounts: accounts::Accounts::new(&settings.accounts, settings.lock_after),
            switch: switch::Switch::new(),
            authority: authority::Authority::new(&settings.domain)?,
            listings: lists::Listings::default(),
            sessions: web::owa::Sessions::default(),
            desk: web::desk::Desk::default(),
            partnerships: web::eas::Partnerships::default(),
            tokens: web::token::Tokens::new(
                settings.accounts.first().map_or("", |account| &account.username),
            ),
            messages: std::sync::atomic::AtomicU64::new(0),
            domain: settings.domain,
        });
        let mut opened = Opened { house, tasks: JoinSet::new(), open: Vec::new() };
        let addresses = Addresses {
            smtp: opened.smtp(Part::Smtp, smtp::Door::Mx)?,
            submission: opened.smtp(Part::Submission, smtp::Door::Submission)?,
            smtps: opened.smtp(Part::Submission, smtp::Door::Implicit)?,
            owa: opened.web(Part::Owa, web::Scheme::Https)?,
            eas: opened.web(Part::Eas, web::Scheme::Https)?,
            health: opened.web(Part::Health, web::Scheme::Https)?,
            outlook: opened.web(Part::Outlook, web::Scheme::Https)?,
            portal: opened.web(Part::Portal, web::Scheme::Https)?,
            http: opened.web(Part::Portal, web::Scheme::Http)?,
            sips: opened.sip(sip::Over::Tls)?,
            sip: opened.sip(sip::Over::Tcp)?,
            dnsbl: opened.dns(Part::Dnsbl).await?,
            dns: opened.dns(Part::Dns).await?,
        };
        let Opened { house, tasks, open } = opened;
        Ok(Self { house, addresses, open, _tasks: tasks })
    }

    /// Where the parts listen.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The mail domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.house.domain
    }

    /// The authority that signed the right certificates, as PEM, for a client to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.house.authority.pem()
    }

    /// Makes `part` fail. When this returns, new connections meet the fault.
    ///
    /// # Errors
    /// When the fault means nothing to the part.
    pub async fn set(&self, part: Part, fault: Fault) -> Result<(), LabError> {
        if !part.takes(&fault) {
            return Err(LabError::NotApplicable { part, fault });
        }
        self.house.switch.put(part, Some(fault));
        self.settle(part).await;
        Ok(())
    }

    /// Makes `part` work again.
    pub async fn clear(&self, part: Part) {
        self.house.switch.put(part, None);
        self.settle(part).await;
    }

    /// Makes every part work again and clears every listing.
    pub async fn clear_all(&self) {
        self.house.listings.clear();
        for part in Part::ALL {
            self.clear(part).await;
        }
    }

    /// Waits until the part's listeners stand open or shut as they now should.
    async fn settle(&self, part: Part) {
        let should_be_open = !self.house.switch.refuses(part);
        for (_, open) in self.open.iter().filter(|(of, _)| *of == part) {
            let mut open = open.clone();
            // an error means that the listener's task is gone, which only happens on shutdown
            let _ = open.wait_for(|is_open| *is_open == should_be_open).await;
        }
    }

    /// Puts an address or a domain on one of the [`lists`], with the answer `code` and the TXT
    /// `reason`.
    ///
    /// # Errors
    /// When `subject` is neither, or `list` is not one of the lab's.
    pub fn list(
        &self,
        subject: &str,
        list: &str,
        code: Ipv4Addr,
        reason: &str,
    ) -> Result<(), LabError> {
        self.house.listings.put(subject, list, code, reason)
    }

    /// Takes an address or a domain off a list.
    pub fn delist(&self, subject: &str, list: &str) {
        self.house.listings.remove(subject, list);
    }

    /// What an account has seen; `None` where the lab has no such account.
    #[must_use]
    pub fn account(&self, username: &str) -> Option<AccountSeen> {
        self.house.accounts.seen(username)
    }

    /// Unlocks an account and forgets its rejections.
    pub fn unlock(&self, username: &str) {
        self.house.accounts.unlock(username);
    }

    /// How many ActiveSync devices a mailbox knows.
    #[must_use]
    pub fn devices(&self, username: &str) -> usize {
        self.house.partnerships.of(username)
    }

    /// Makes ActiveSync forget every key it gave to a device, and no device.
    pub fn forget_keys(&self) {
        self.house.partnerships.forget_keys();
    }

    /// How many messages were accepted after the final dot.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.house.messages.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Carries out one event of a script.
    ///
    /// # Errors
    /// When the event's fault or listing makes no sense.
    pub async fn apply(&self, event: &Event) -> Result<(), LabError> {
        match event {
            Event::Set(part, fault) => self.set(*part, fault.clone()).await,
            Event::Clear(part) => {
                self.clear(*part).await;
                Ok(())
            }
            Event::List { subject, list, code, reason } => self.list(subject, list, *code, reason),
            Event::Delist { subject, list } => {
                self.delist(subject, list);
                Ok(())
            }
        }
    }
}

/// The lab while its listeners are being opened.
struct Opened {
    house: Arc<House>,
    tasks: JoinSet<()>,
    open: Vec<(Part, watch::Receiver<bool>)>,
}

impl Opened {
    fn hold(&mut self, part: Part, what: &'static str) -> Result<listen::Port, LabError> {
        let port = listen::Port::hold().map_err(|source| LabError::Listen { what, source })?;
        self.open.push((part, port.is_open()));
        Ok(port)
    }

    fn smtp(&mut self, part: Part, door: smtp::Door) -> Result<SocketAddr, LabError> {
        let port = self.hold(part, "SMTP")?;
        let address = port.address();
        let house = Arc::clone(&self.house);
        let greet = if door == smtp::Door::Implicit {
            listen::FirstBytes::Tls
        } else {
            listen::FirstBytes::Smtp
        };
        self.tasks.spawn(listen::serve(port, part, greet, Arc::clone(&house), move |stream| {
            smtp::serve(stream, part, door, Arc::clone(&house))
        }));
        Ok(address)
    }

    fn web(&mut self, part: Part, scheme: web::Scheme) -> Result<SocketAddr, LabError> {
        let port = self.hold(part, "HTTP")?;
        let address = port.address();
        let house = Arc::clone(&self.house);
        let greet = match scheme {
            web::Scheme::Https => listen::FirstBytes::Tls,
            web::Scheme::Http => listen::FirstBytes::Http,
        };
        self.tasks.spawn(listen::serve(port, part, greet, Arc::clone(&house), move |stream| {
            web::serve(stream, part, scheme, Arc::clone(&house))
        }));
        Ok(address)
    }

    fn sip(&mut self, over: sip::Over) -> Result<SocketAddr, LabError> {
        let port = self.hold(Part::Sip, "SIP")?;
        let address = port.address();
        let house = Arc::clone(&self.house);
        let greet = match over {
            sip::Over::Tls => listen::FirstBytes::Tls,
            sip::Over::Tcp => listen::FirstBytes::Sip,
        };
        let serving = listen::serve(port, Part::Sip, greet, Arc::clone(&house), move |stream| {
            sip::serve(stream, over, Arc::clone(&house))
        });
        self.tasks.spawn(serving);
        Ok(address)
    }

    async fn dns(&mut self, part: Part) -> Result<SocketAddr, LabError> {
        let failed = |source| LabError::Listen { what: "DNS", source };
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        self.tasks.spawn(dns::serve(socket, part, Arc::clone(&self.house)));
        Ok(address)
    }
}
