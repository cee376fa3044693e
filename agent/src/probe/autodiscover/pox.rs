//! "Plain old XML": the request for a mailbox's settings and its answers (MS-OXDSCLI sections
//! 2.2.3 and 2.2.4; for telephones MS-ASCMD section 2.2.1.1). Sending one is `caller`'s.

use mailward_evidence::Reason;
use url::Url;

use crate::net::Trace;
use crate::net::xml::{Element, escape};
use crate::probe::Seen;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    /// What Outlook is told.
    Outlook,
    /// What telephones are told.
    MobileSync,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pox {
    /// The settings.
    Ways(Ways),
    /// Another place is to be asked.
    Url(String),
    /// Another address is to be asked about.
    Address(String),
    /// An error, with status 200.
    Error(PoxError),
}

/// The ways in that are told; only http and https.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// MAPI over HTTP, the mailbox's part.
    pub(crate) mapi: Option<Url>,
    /// Exchange Web Services.
    pub(crate) ews: Option<Url>,
    /// The offline address book.
    pub(crate) oab: Option<Url>,
    /// The server of Outlook Anywhere.
    pub(crate) rpc: Option<String>,
    /// ActiveSync.
    pub(crate) eas: Option<Url>,
}

/// What an error says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoxError {
    code: u32,
    message: String,
}

/// The request's body.
pub(super) fn request(email: &str, schema: Schema) -> String {
    let base = "http://schemas.microsoft.com/exchange/autodiscover";
    let (request, answer) = match schema {
        Schema::Outlook => (
            format!("{base}/outlook/requestschema/2006"),
            format!("{base}/outlook/responseschema/2006a"),
        ),
        Schema::MobileSync => (
            format!("{base}/mobilesync/requestschema/2006"),
            format!("{base}/mobilesync/responseschema/2006"),
        ),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"{request}\"><Request>\
         <EMailAddress>{}</EMailAddress>\
         <AcceptableResponseSchema>{answer}</AcceptableResponseSchema></Request></Autodiscover>",
        escape(email)
    )
}

/// Reads an answer; `None` where it is none of this service.
pub(crate) fn read(root: &Element) -> Option<Pox> {
    if !root.name().eq_ignore_ascii_case("Autodiscover") {
        return None;
    }
    let response = root.find("Response")?;
    if let Some(error) = response.find("Error") {
        // telephones are told a Status instead of an ErrorCode
        let code = match error.text_of("ErrorCode") {
            "" => error.text_of("Status"),
            code => code,
        };
        let message = error.text_of("Message").to_owned();
        return Some(Pox::Error(PoxError { code: code.parse().unwrap_or(0), message }));
    }
    for name in ["RedirectUrl", "RedirectAddr", "Redirect"] {
        let to = response.text_of(name);
        if !to.is_empty() {
            return Some(match name {
                "RedirectUrl" => Pox::Url(to.to_owned()),
                _ => Pox::Address(to.to_owned()),
            });
        }
    }
    let mut ways = Ways::default();
    if let Some(account) = response.find("Account") {
        for protocol in account.all("Protocol") {
            ways.add(protocol);
        }
    }
    for server in response.find("Settings").iter().flat_map(|settings| settings.all("Server")) {
        if server.text_of("Type").eq_ignore_ascii_case("MobileSync") && ways.eas.is_none() {
            ways.eas = way(server.text_of("Url"));
        }
    }
    Some(Pox::Ways(ways))
}

/// A place that could be gone to.
pub(super) fn way(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some()).then_some(url)
}

impl Ways {
    /// Takes in one protocol; what is told to the outside comes before what is told to the
    /// inside, and what was told first stays.
    fn add(&mut self, protocol: &Element) {
        let kind = match protocol.attribute("Type") {
            "" => protocol.all("Type").next().map_or("", Element::text),
            kind => kind,
        };
        let put = |slot: &mut Option<Url>, name: &str, told_anew: bool| {
            let told = protocol.all(name).next().and_then(|element| way(element.text()));
            if told.is_some() && (slot.is_none() || told_anew) {
                *slot = told;
            }
        };
        match kind.to_ascii_lowercase().as_str() {
            "mapihttp" => {
                let store = protocol.find("MailStore");
                let told = store.map(|store| {
                    let outside = way(store.text_of("ExternalUrl"));
                    outside.or_else(|| way(store.text_of("InternalUrl")))
                });
                self.mapi = self.mapi.take().or(told.flatten());
            }
            // EXHTTP and EXPR are the outside of EXCH
            outside @ ("exch" | "exhttp" | "expr") => {
                put(&mut self.ews, "EwsUrl", outside != "exch");
                put(&mut self.oab, "OABUrl", outside != "exch");
                let server = protocol.all("Server").next().map_or("", Element::text);
                if outside != "exch" && !server.is_empty() {
                    self.rpc = Some(server.to_owned());
                }
            }
            "mobilesync" => self.eas = self.eas.take().or(way(protocol.text_of("Server"))),
            _ => {}
        }
    }

    /// Whether a way of this name is among them.
    pub(super) fn has(&self, name: &str) -> bool {
        self.list().iter().any(|(way, told)| *way == name && told.is_some())
    }

    /// The names of all of them.
    pub(super) fn words(&self) -> String {
        let list = self.list();
        let names = list.iter().filter(|(_, told)| told.is_some()).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    }

    fn list(&self) -> [(&'static str, Option<String>); 5] {
        let text = |url: &Option<Url>| url.as_ref().map(ToString::to_string);
        [
            ("mapi", text(&self.mapi)),
            ("ews", text(&self.ews)),
            ("oab", text(&self.oab)),
            ("rpc", self.rpc.clone()),
            ("eas", text(&self.eas)),
        ]
    }

    /// Facts `mapi_url`, `ews_url`, `oab_url`, `rpc_server`, `eas_url`.
    pub(super) fn note(&self, trace: &mut Trace) {
        let names = ["mapi_url", "ews_url", "oab_url", "rpc_server", "eas_url"];
        for (name, (_, told)) in names.into_iter().zip(self.list()) {
            if let Some(told) = told {
                trace.fact(name, told);
            }
        }
    }
}

impl PoxError {
    /// MS-OXDSCLI section 2.2.4.1.1.3.2 and MS-ASCMD section 2.2.3.64: 600 an invalid request,
    /// 601 nobody to answer for the kind of settings, 500 and 602 the address; and the statuses
    /// telephones are told: 1 success, 2 a directory that is out of reach.
    pub(super) fn judge(&self, trace: &mut Trace) -> Seen {
        trace.fact("pox_code", self.code.to_string());
        if !self.message.is_empty() {
            trace.fact("pox_message", &self.message);
        }
        match self.code {
            500 | 602 => Seen::unknown(Reason::AccountDisabled),
            600 => Seen::down(Reason::ProtocolError),
            601 => Seen::down(Reason::NotOffered),
            _ => Seen::down(Reason::ServerError),
        }
    }
}
