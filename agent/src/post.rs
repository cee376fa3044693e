//! Mail under way: what the mail probes of an agent share. The desk keeps the messages, mailboxes
//! and sinks find them, and here what was found is judged by the probe that sent it. How a
//! message is handed over is `probe::mail`'s.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use mail_parser::{Message, MessageParser};
use mailward_catalogue::{Catalogue, Probe, Settings};
use mailward_evidence::record::Pairs;

use crate::metrics::Metrics;
use crate::sink::Sink;

pub mod auth_results;
pub mod bounce;
pub mod desk;
pub mod flight;
pub mod hops;
pub mod ledger;
pub mod letter;
pub mod mailbox;
pub mod token;

use bounce::Notice;
use desk::{Desk, Moment};
use flight::How;
use letter::{Expect, Letter};
use mailbox::MailboxAccess;
use token::{Mint, Token};

/// Where a message was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The place, as [`Place::name`] has it.
    pub place: &'a str,
    /// The folder, where the place has any.
    pub folder: Option<&'a str>,
    /// Whether that folder is junk.
    pub is_junk: bool,
    /// The token of the address it was sent to, where that is known.
    pub envelope: Option<&'a Token>,
    /// When it arrived.
    pub at: Moment,
    /// Whether more will be found out about it before it is told.
    pub hold: bool,
}

/// What is to be done with a message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was awaited, and is to be removed.
    Awaited(Token),
    /// It is ours and no longer awaited: to be removed.
    Spent,
    /// It claims to be ours and is not: to be left alone.
    Forged,
    /// Somebody else's: to be left alone.
    Foreign,
}

/// A place where mail arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A sink of the agent.
    Sink(String),
    /// A mailbox.
    Mailbox(MailboxAccess),
}

impl Place {
    /// Reads the keys of `receive`; `None` where they name nothing.
    #[must_use]
    pub fn read(keys: &Settings) -> Option<Self> {
        match keys.text("sink") {
            Some(id) => Some(Self::Sink(id.to_owned())),
            None => MailboxAccess::read(keys).map(Self::Mailbox),
        }
    }

    /// Its name at the desk.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Sink(id) => format!("sink:{id}"),
            Self::Mailbox(mailbox) => mailbox.name(),
        }
    }
}

/// What is known of a probe that sends mail.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which way it goes.
    pub direction: &'static str,
    /// Where messages arrive.
    pub receive: Place,
    /// Where bounces arrive.
    pub bounces: Place,
    /// The name of the sink that receives, if one does.
    pub sink_hostname: Option<String>,
    expect: Expect,
    authserv_id: Option<String>,
}

impl Route {
    /// Reads a declared probe; `None` where it is of another kind, or its keys name nothing.
    ///
    /// # Errors
    /// When a pattern is no regular expression.
    pub fn read(probe: &Probe) -> Result<Option<Self>, regex::Error> {
        if probe.kind.name != "mail" {
            return Ok(None);
        }
        let settings = &probe.settings;
        let Some(receive) = settings.group("receive").and_then(Place::read) else {
            return Ok(None);
        };
        let bounces = settings.group("bounces").and_then(Place::read);
        let direction = match settings.text("direction") {
            Some("incoming") => "incoming",
            Some("outgoing") => "outgoing",
            _ => "internal",
        };
        let expect = settings.group("expect").map(Expect::read).transpose()?;
        let authserv_id = settings.group("receive").and_then(|keys| keys.text("authserv_id"));
        Ok(Some(Self {
            direction,
            bounces: bounces.unwrap_or_else(|| receive.clone()),
            receive,
            sink_hostname: None,
            expect: expect.unwrap_or_default(),
            authserv_id: authserv_id.map(str::to_owned),
        }))
    }

    /// The names of the places, that of the message first.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let (receive, bounces) = (self.receive.name(), self.bounces.name());
        if receive == bounces { vec![receive] } else { vec![receive, bounces] }
    }
}

/// The routes of a definition by probe; `site` is where the agent stands, if only the probes of its
/// site are its own, and `is_bound` knows the sinks that it has.
///
/// # Errors
/// When a pattern is no regular expression.
pub fn routes(
    catalogue: &Catalogue,
    site: Option<&str>,
    is_bound: impl Fn(&str) -> bool,
) -> Result<HashMap<String, Route>, regex::Error> {
    let mut routes = HashMap::new();
    for probe in &catalogue.probes {
        let here = site.is_none_or(|site| probe.runs_at(site));
        if let Some(mut route) = Route::read(probe)?.filter(|_| here) {
            if let Place::Sink(id) = &route.receive {
                // without its sink here the probe cannot be run, which each run says
                let Some(sink) = catalogue.sink(id).filter(|_| is_bound(id)) else { continue };
                route.sink_hostname = Some(sink.hostname.clone());
            }
            routes.insert(probe.id.clone(), route);
        }
    }
    Ok(routes)
}

/// What the mail probes of an agent share.
#[derive(Debug)]
pub struct Post {
    /// Makes and knows tokens.
    pub mint: Mint,
    /// Keeps the messages under way.
    pub desk: Desk,
    routes: RwLock<HashMap<String, Route>>,
    metrics: Arc<Metrics>,
}

impl Post {
    /// The post of an agent with these sinks; `site` is where it stands, if only the probes of
    /// its site are its own.
    ///
    /// # Errors
    /// When a pattern is no regular expression.
    pub fn new(
        catalogue: &Catalogue,
        site: Option<&str>,
        sinks: &[Sink],
        mint: Mint,
        desk: Desk,
        metrics: Arc<Metrics>,
    ) -> Result<Self, regex::Error> {
        let is_bound = |id: &str| sinks.iter().any(|sink| sink.id() == id);
        let routes = RwLock::new(routes(catalogue, site, is_bound)?);
        Ok(Self { mint, desk, routes, metrics })
    }

    /// From now on, mail goes these ways; see [`routes`]. What is under way is still awaited.
    pub fn reroute(&self, routes: HashMap<String, Route>) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    fn routes(&self) -> RwLockReadGuard<'_, HashMap<String, Route>> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The route of a probe.
    #[must_use]
    pub fn route(&self, probe: &str) -> Option<Route> {
        self.routes().get(probe).cloned()
    }

    /// Every mailbox that is to be looked into, once.
    #[must_use]
    pub fn mailboxes(&self) -> Vec<MailboxAccess> {
        let mut mailboxes: Vec<MailboxAccess> = Vec::new();
        for route in self.routes().values() {
            for place in [&route.receive, &route.bounces] {
                if let Place::Mailbox(mailbox) = place {
                    match mailboxes.iter_mut().find(|known| known.name() == mailbox.name()) {
                        Some(known) => known.take_folders(mailbox),
                        None => mailboxes.push(mailbox.clone()),
                    }
                }
            }
        }
        mailboxes
    }

    /// Judges a message that was found.
    pub fn judge(&self, raw: &[u8], found: Found<'_>) -> Verdict {
        let Some(message) = MessageParser::default().parse(raw) else { return Verdict::Foreign };
        match letter::sort(&message, found.envelope, &self.mint) {
            Letter::Ours(token) => self.take_in(&message, token, found),
            Letter::Notice(token, Notice::Failed(bounce)) => {
                let facts = letter::bounce_facts(&bounce);
                self.arrive(token, found, How::Bounced, facts)
            }
            Letter::Notice(_, Notice::Other) => Verdict::Spent,
            Letter::Forged => {
                self.metrics.mail_forged.inc();
                Verdict::Forged
            }
            Letter::Foreign => Verdict::Foreign,
        }
    }

    fn take_in(&self, message: &Message<'_>, token: Token, found: Found<'_>) -> Verdict {
        let Some((sent_ms, probe)) = self.desk.of(&token) else { return Verdict::Spent };
        let mut facts = Pairs::default();
        hops::note(message, sent_ms, &mut facts);
        if let Some(folder) = found.folder {
            facts.set("folder", crate::net::clean(folder, 200));
        }
        let mut how = if found.is_junk { How::Junked } else { How::Well };
        if let Some(route) = self.route(&probe) {
            if let Some(trusted) = &route.authserv_id {
                auth_results::note(message, trusted, &mut facts);
            }
            if let Some(unmet) = route.expect.unmet(message) {
                how = How::Altered;
                facts.set("detail", crate::net::clean(&unmet, 500));
            }
        }
        self.arrive(token, found, how, facts)
    }

    fn arrive(&self, token: Token, found: Found<'_>, how: How, facts: Pairs<Box<str>>) -> Verdict {
        if self.desk.arrive(&token, found.at, how, facts, found.hold) {
            Verdict::Awaited(token)
        } else {
            Verdict::Spent
        }
    }
}
