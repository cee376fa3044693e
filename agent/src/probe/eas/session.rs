//! A device's conversation with an ActiveSync server (MS-ASHTTP): OPTIONS and commands on one
//! connection, with one account; going where the server sends it, and doing what a server may
//! demand before it answers. What each command is for stands beside it.

use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use jiff::SignedDuration;
use mailward_evidence::Reason;
use url::Url;

use super::judge;
use super::judge::Said;
use crate::devices::Place;
use crate::net::http::follow::Visitor;
use crate::net::http::later::retry_after;
use crate::net::http::{Answer, Ask, Phases};
use crate::net::sasl::Login;
use crate::net::{Deadline, Fault, Net, Trace};
use crate::probe::Seen;
use crate::probe::sign_in::Logon;
use crate::probe::web::{note_status, unauthorized};
use crate::wbxml::{self, Element};

/// How often a server may send the device elsewhere in a run.
const MAX_MOVES: usize = 4;
/// The longest key or id of a server that is kept, in bytes; MS-ASCMD allows 64.
const MAX_KEY_BYTES: usize = 1024;
/// What kind of device it is (MS-ASHTTP section 2.2.1.1.1.2.5).
const DEVICE_TYPE: &str = "Mailward";

const VERSION: HeaderName = HeaderName::from_static("ms-asprotocolversion");
const POLICY_KEY: HeaderName = HeaderName::from_static("x-ms-policykey");

/// The versions that are spoken, the best first.
const SPOKEN: [&str; 5] = ["16.1", "16.0", "14.1", "14.0", "12.1"];

/// Why a conversation ended before its aim.
#[derive(Debug)]
pub(super) enum Stop {
    /// By something below ActiveSync.
    Fault(Fault),
    /// By what the server said.
    Judged(Seen),
    /// The server does not take the account.
    Refused(Option<Reason>),
    /// The server does not know the keys that the device has.
    Stale(Seen),
    /// The server has other folders than the device knows.
    FoldersChanged(Seen),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Who speaks.
pub(super) struct Device<'a> {
    pub(super) id: Box<str>,
    /// The agent's name, for the people who read the list of devices.
    pub(super) agent: &'a str,
}

pub(super) struct Session<'a> {
    net: &'a Net,
    visitor: Visitor<'a>,
    pub(super) url: Url,
    login: &'a Login,
    authorization: Option<HeaderValue>,
    pub(super) device: Device<'a>,
    pub(super) place: Place,
    /// Of 12.1 to 16.1; empty before OPTIONS was answered.
    pub(super) version: &'static str,
    /// The status of the last answer.
    pub(super) http_status: u16,
    moves: usize,
    /// By 451, to where `url` is now.
    sent_on: bool,
    provisioned: bool,
    informed: bool,
    /// The server let the account in.
    pub(super) taken: bool,
}

impl<'a> Session<'a> {
    /// A conversation that begins at `url`.
    pub(super) fn new(
        (net, deadline): (&'a Net, Deadline),
        url: Url,
        (login, authorization): (&'a Login, Option<HeaderValue>),
        device: Device<'a>,
        place: Place,
    ) -> Self {
        Self {
            net,
            visitor: Visitor::new(net, deadline),
            url,
            login,
            authorization,
            device,
            place,
            version: "",
            http_status: 0,
            moves: 0,
            sent_on: false,
            provisioned: false,
            informed: false,
            taken: false,
        }
    }

    /// Asks for the versions and takes the best. Phase `options`.
    pub(super) async fn options(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        let answer = self.send(Method::OPTIONS, "", &Wanted::default(), "options", trace).await?;
        match answer.status.as_u16() {
            200 if note_versions(&answer, trace) => {}
            401 => return Err(self.refusal(&answer, trace)),
            _ => return Err(self.stopped(&answer, trace)),
        }
        let Some(version) = best_version(&answer) else {
            // it is ActiveSync, if of another age; only OPTIONS can be spoken with it
            return Ok(());
        };
        trace.fact("eas_version", version);
        self.version = version;
        if *self.place.version != *version {
            // keys belong to a version (MS-ASCMD section 3.1.5.8)
            self.place.start_over();
            self.place.version = version.into();
        }
        Ok(())
    }

    /// Whether OPTIONS wants an account at all: a server that answers anybody has not looked at
    /// the one it was shown. Phase `options`.
    pub(super) async fn wants_an_account(&mut self, trace: &mut Trace) -> Result<bool, Fault> {
        let mut ask = Ask::get(self.url.clone());
        ask.method = Method::OPTIONS;
        Ok(self.visitor.send(&ask, Phases::Whole("options"), trace).await?.status != 200)
    }

    /// Sends a command and gives its answer, `None` for an empty one; acknowledges a policy or
    /// says what the device is where the server demands it, each once in a run. Phase `phase`.
    pub(super) async fn command(
        &mut self,
        name: &'static str,
        root: &Element,
        phase: &'static str,
        trace: &mut Trace,
    ) -> Result<Option<Element>, Stop> {
        loop {
            let (answer, document) = self.exchange(name, root, phase, trace).await?;
            let status = document.as_ref().and_then(judge::common_status);
            let demand = match status {
                Some(status) => judge::common(status),
                None if answer.status == 449 => Said::Provision,
                None => Said::Fine,
            };
            match demand {
                Said::Provision if !self.provisioned => {
                    self.provision(trace).await?;
                    self.provisioned = true;
                }
                // a device without a policy key, to a server that wants no such devices
                Said::Provision if status == Some(141) => {
                    return Err(Stop::Judged(Seen::unknown(Reason::DeviceBlocked)));
                }
                Said::Inform if !self.informed => {
                    self.informed = true;
                    self.inform(trace).await?;
                }
                Said::Fine if answer.status == 200 => return Ok(document),
                Said::Fine => return Err(self.stopped(&answer, trace)),
                demand => {
                    demand.settle()?;
                }
            }
        }
    }

    /// Sends a command as it is, and reads what came back. Facts tell the last status above 100.
    pub(super) async fn exchange(
        &mut self,
        name: &'static str,
        root: &Element,
        phase: &'static str,
        trace: &mut Trace,
    ) -> Result<(Answer, Option<Element>), Stop> {
        let wanted = Wanted {
            version: self.version,
            policy_key: self.place.policy_key.clone(),
            body: wbxml::write(root),
        };
        let answer = self.send(Method::POST, name, &wanted, phase, trace).await?;
        let status = answer.status.as_u16();
        if status == 401 {
            return Err(self.refusal(&answer, trace));
        }
        // with another status a document may come beside it, or a page for people
        let document = match wbxml::read(&answer.body) {
            Ok(document) => Some(document),
            Err(_) if answer.body.is_empty() || status != 200 => None,
            Err(fault) => {
                let reason = match answer.text().trim_start().chars().next() {
                    Some('<') => Reason::WrongContent,
                    _ => Reason::ProtocolError,
                };
                return Err(Stop::Fault(Fault::new(reason, fault.to_string())));
            }
        };
        self.taken |= matches!(status, 200 | 449);
        if let Some(status) = document.as_ref().and_then(judge::common_status) {
            trace.fact("eas_status", format!("{name} {status}"));
            if status == 140 {
                // stop at once, and acknowledge nothing (MS-ASPROV section 3.1.5.1.2)
                return Err(Stop::Judged(Seen::unknown(Reason::WipeRequested)));
            }
        }
        Ok((answer, document))
    }

    /// From now on, takes at most `span`, and no longer than before.
    pub(super) fn hurry(&mut self, span: std::time::Duration) {
        self.visitor.client.hurry(span);
    }

    /// Sends a request and follows where the server sends the device.
    async fn send(
        &mut self,
        method: Method,
        command: &str,
        wanted: &Wanted,
        phase: &'static str,
        trace: &mut Trace,
    ) -> Result<Answer, Stop> {
        loop {
            let mut ask = Ask::get(self.url.clone());
            ask.method = method.clone();
            if !command.is_empty() {
                ask.url
                    .query_pairs_mut()
                    .clear()
                    .append_pair("Cmd", command)
                    .append_pair("User", &self.login.username)
                    .append_pair("DeviceId", &self.device.id)
                    .append_pair("DeviceType", DEVICE_TYPE);
            }
            ask.headers = wanted.headers();
            if let Some(line) = &self.authorization {
                ask.headers.insert(AUTHORIZATION, line.clone());
            }
            self.visitor.client.identify(&ask.url, self.login.identity.as_ref());
            ask.body = wanted.body.clone().into();
            let answer = self.visitor.send(&ask, Phases::Whole(phase), trace).await?;
            note_status(&answer, trace);
            self.http_status = answer.status.as_u16();
            let Some(to) = moved(&self.url, &answer, trace)? else {
                if self.sent_on {
                    // only now: a place that no check may be led to is none to begin at
                    self.place.location = Some(self.url.as_str().into());
                }
                return Ok(answer);
            };
            self.moves += 1;
            if self.moves > MAX_MOVES {
                let detail = format!("still sent elsewhere after {MAX_MOVES} moves");
                return Err(Fault::new(Reason::RedirectLoop, detail).into());
            }
            self.sent_on |= answer.status == 451;
            self.url = to;
        }
    }

    fn refusal(&self, answer: &Answer, trace: &mut Trace) -> Stop {
        match unauthorized(answer, self.login, trace) {
            Logon::Rejected(reason) => Stop::Refused(reason),
            Logon::Ended(seen) | Logon::AcceptedBut(seen) => Stop::Judged(seen),
            Logon::Accepted => Stop::Refused(None),
        }
    }

    /// What an answer means that leads no further; remembers how long the server wants peace.
    pub(super) fn stopped(&mut self, answer: &Answer, trace: &mut Trace) -> Stop {
        if matches!(self.http_status, 429 | 503) {
            let now = self.net.clock.now();
            let wait = retry_after(answer.header(RETRY_AFTER.as_str()), now);
            let wait = wait.and_then(|wait| SignedDuration::try_from(wait).ok());
            self.place.not_before = wait.and_then(|wait| now.checked_add(wait).ok());
        }
        Stop::Judged(judge::status(answer, trace))
    }
}

/// What goes with a request beside the account.
#[derive(Default)]
struct Wanted {
    version: &'static str,
    policy_key: Option<Box<str>>,
    body: Vec<u8>,
}

impl Wanted {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !self.version.is_empty() {
            headers.insert(VERSION, HeaderValue::from_static(self.version));
        }
        if let Some(key) = &self.policy_key
            && let Ok(key) = HeaderValue::from_str(key)
        {
            headers.insert(POLICY_KEY, key);
        }
        if !self.body.is_empty() {
            let kind = HeaderValue::from_static("application/vnd.ms-sync.wbxml");
            headers.insert(CONTENT_TYPE, kind);
        }
        headers
    }
}

/// A key or an id that a server gave, if it can be kept and sent back.
pub(super) fn kept(text: Option<&str>) -> Option<Box<str>> {
    let is_fit = |text: &&str| {
        !text.is_empty() && text.len() <= MAX_KEY_BYTES && !text.chars().any(char::is_control)
    };
    text.filter(is_fit).map(Box::from)
}

/// Where an answer sends the device, `None` where it does not. A password goes to the same host
/// or, by 451 over a connection that TLS proved, to another one; never to one that TLS does not
/// prove (MS-ASHTTP section 3.1.5.2.2).
fn moved(from: &Url, answer: &Answer, trace: &mut Trace) -> Result<Option<Url>, Stop> {
    let by = answer.status.as_u16();
    let location = match by {
        451 => match answer.header("x-ms-location") {
            "" => answer.header("location"),
            location => location,
        },
        301 | 302 | 303 | 307 | 308 => answer.header("location"),
        _ => return Ok(None),
    };
    // what stands behind the path may name the account
    trace.fact("location", location.split(['?', '#']).next().unwrap_or_default());
    let refused = |why: &str| {
        let detail = format!("sent elsewhere by {by}: {why}");
        Stop::Judged(Seen::unknown(Reason::RedirectRefused).noting("detail", &detail))
    };
    if location.trim().is_empty() {
        return Err(refused("it does not say where"));
    }
    let mut to = from.join(location.trim()).map_err(|_| refused("not a URL"))?;
    if !to.username().is_empty() || to.password().is_some() || to.host_str().is_none() {
        return Err(refused("it carries a name or a password, or no host"));
    }
    let same_host = to.host_str() == from.host_str();
    if to.scheme() != "https" && to.origin() != from.origin() {
        return Err(refused("the account is shown only where TLS proves the server"));
    }
    if !same_host && (by != 451 || from.scheme() != "https") {
        return Err(refused("to another host, which only 451 over TLS may do"));
    }
    to.set_query(None);
    to.set_fragment(None);
    Ok(Some(to))
}

/// Every version that the server names, in its order.
fn versions(answer: &Answer) -> impl Iterator<Item = &str> {
    let lines = answer.headers.get_all("ms-asprotocolversions").iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

fn best_version(answer: &Answer) -> Option<&'static str> {
    SPOKEN.into_iter().find(|spoken| versions(answer).any(|version| version == *spoken))
}

/// Whether the answer is ActiveSync's: it names at least one version of the protocol.
pub(super) fn note_versions(answer: &Answer, trace: &mut Trace) -> bool {
    let is_version = |word: &str| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        word.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
    };
    if !versions(answer).any(is_version) {
        return false;
    }
    trace.fact("eas_versions", versions(answer).collect::<Vec<_>>().join(","));
    let commands = answer.header("ms-asprotocolcommands");
    let commands = commands.split(',').filter(|c| !c.trim().is_empty());
    trace.fact("eas_commands", commands.count().to_string());
    let server = answer.header("ms-server-activesync");
    if !server.is_empty() {
        trace.fact("eas_server", server);
    }
    true
}
