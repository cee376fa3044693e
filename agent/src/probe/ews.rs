//! `ews`: Exchange Web Services up to the inbox: GetFolder, as Microsoft's reference of EWS and
//! its errors has it. It reads how many messages there are, and none of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::door::{Door, Told, judge_status};
use super::sign_in::Logon;
use super::web::{web_address, xml};
use super::{Account, BuildError, Context, Observe, Seen};
use crate::net::http::{Answer, Ask};
use crate::net::xml::{Element, escape};
use crate::net::{Fault, Net, Trace};

struct Ews {
    door: Door,
    url: Url,
    host: String,
    mailbox: Option<String>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let url = web_address(probe)?;
    Ok(Box::new(Ews {
        door: Door::new(net, &probe.credentials, "folder"),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
        mailbox: probe.settings.text("mailbox").map(str::to_owned),
    }))
}

impl Observe for Ews {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let ask = |account: Option<&Account>| Ok::<_, Fault>(self.ask(account));
            let seen = self.door.enter(cx, ask, judge, &mut trace).await;
            seen.unwrap_or_else(|fault| Seen::fault(&fault)).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

impl Ews {
    fn ask(&self, account: Option<&Account>) -> Ask {
        let mut ask = Ask::get(self.url.clone());
        ask.method = Method::POST;
        let kind = HeaderValue::from_static("text/xml; charset=utf-8");
        ask.headers.insert(CONTENT_TYPE, kind);
        ask.headers.insert(ACCEPT, HeaderValue::from_static("text/xml"));
        let action = "\"http://schemas.microsoft.com/exchange/services/2006/messages/GetFolder\"";
        let name = HeaderName::from_static("soapaction");
        ask.headers.insert(name, HeaderValue::from_static(action));
        // a token of the client itself stands for no mailbox, so one has to be opened for it
        let of_client = account.filter(|account| account.is_of_client());
        let of_client = of_client.map(|account| account.username.as_str());
        let mailbox = self.mailbox.as_deref().or(of_client);
        // by this a load balancer finds the mailbox's own server
        let username = account.map(|account| account.username.as_str());
        let anchor = mailbox.or(username).filter(|name| name.contains('@'));
        if let Some(Ok(anchor)) = anchor.map(HeaderValue::from_str) {
            ask.headers.insert(HeaderName::from_static("x-anchormailbox"), anchor);
        }
        ask.body = get_folder(mailbox).into();
        ask
    }
}

/// GetFolder of the inbox, in words that every server since Exchange 2010 knows.
fn get_folder(mailbox: Option<&str>) -> String {
    let impersonation = mailbox.map_or_else(String::new, |mailbox| {
        format!(
            "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{}\
             </t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>",
            escape(mailbox)
        )
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
         xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\">\
         <soap:Header><t:RequestServerVersion Version=\"Exchange2010\"/>{impersonation}\
         </soap:Header><soap:Body><m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape>\
         </m:FolderShape><m:FolderIds><t:DistinguishedFolderId Id=\"inbox\"/></m:FolderIds>\
         </m:GetFolder></soap:Body></soap:Envelope>"
    )
}

fn judge(answer: &Answer, trace: &mut Trace) -> Told {
    // a SOAP fault comes with 500 (SOAP 1.1 section 6.2)
    if !matches!(answer.status.as_u16(), 200 | 500) {
        return judge_status(answer, trace).into();
    }
    let root = match xml(answer, trace) {
        Ok(root) => root,
        Err(_) if answer.status == 500 => return judge_status(answer, trace).into(),
        Err(seen) => return Logon::Ended(seen).into(),
    };
    note_version(&root, trace);
    if let Some(fault) = root.find("Fault") {
        return judge_fault(fault, trace);
    }
    let Some(message) = root.find("GetFolderResponseMessage") else {
        return judge_status(answer, trace).into();
    };
    let code = message.text_of("ResponseCode");
    if message.attribute("ResponseClass").eq_ignore_ascii_case("error")
        || !matches!(code, "" | "NoError")
    {
        return judge_code(code, message, trace);
    }
    let folder = message.find("Folders").and_then(|folders| folders.find("FolderId"));
    if folder.is_none_or(|id| id.attribute("Id").is_empty()) {
        return Logon::AcceptedBut(Seen::down(Reason::WrongContent)).into();
    }
    let count = message.text_of("TotalCount");
    if !count.is_empty() {
        trace.fact("messages", count);
    }
    trace.fact("depth", "to the inbox");
    Logon::Accepted.into()
}

fn note_version(root: &Element, trace: &mut Trace) {
    let Some(version) = root.find("ServerVersionInfo") else { return };
    let parts = ["MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber"];
    let parts = parts.map(|part| version.attribute(part)).join(".");
    trace.fact("ews_version", parts.trim_matches('.'));
}

/// A fault of SOAP (SOAP 1.1 section 4.4); Exchange's own code stands in its detail.
fn judge_fault(fault: &Element, trace: &mut Trace) -> Told {
    let code = fault.text_of("ResponseCode");
    if code.is_empty() {
        let word = fault.text_of("faultcode");
        let word = word.rsplit_once(':').map_or(word, |(_, word)| word);
        return judge_code(word, fault, trace);
    }
    judge_code(code, fault, trace)
}

/// Microsoft's reference of ResponseCode; whoever is told one was let in.
fn judge_code(code: &str, holder: &Element, trace: &mut Trace) -> Told {
    trace.fact("ews_code", code);
    let seen = match code {
        "ErrorAccessDenied"
        | "ErrorImpersonateUserDenied"
        | "ErrorImpersonationDenied"
        | "ErrorImpersonationFailed"
        | "ErrorAccountDisabled"
        | "ErrorNonExistentMailbox"
        | "ErrorNonPrimarySmtpAddress"
        | "ErrorMissingEmailAddress"
        | "ErrorFolderNotFound"
        | "ErrorAccessModeSpecified" => Seen::unknown(Reason::AccountDisabled),
        "ErrorPasswordExpired" | "ErrorPasswordChangeRequired" => {
            Seen::unknown(Reason::CredentialExpired)
        }
        // "EWS throttling in Exchange": the server is busy for whoever asks, not for everybody
        "ErrorServerBusy" | "ErrorExceededConnectionCount" => Seen::unknown(Reason::TooOften),
        "ErrorMailboxStoreUnavailable"
        | "ErrorMailboxFailover"
        | "ErrorMailboxMoveInProgress"
        | "ErrorADUnavailable"
        | "ErrorConnectionFailed"
        | "ErrorInsufficientResources"
        | "ErrorInternalServerTransientError"
        | "ErrorTimeoutExpired" => Seen::down(Reason::ServiceUnavailable),
        "ErrorInvalidServerVersion"
        | "ErrorIncorrectSchemaVersion"
        | "ErrorSchemaValidation"
        | "ErrorInvalidRequest"
        | "Client"
        | "MustUnderstand"
        | "VersionMismatch" => Seen::down(Reason::ProtocolError),
        _ => Seen::down(Reason::ServerError),
    };
    let wait = back_off(holder);
    if let Some(wait) = wait {
        trace.fact("back_off_ms", wait.as_millis().to_string());
    }
    Told { said: Logon::AcceptedBut(seen), wait }
}

/// For how long a busy server wants to be left in peace.
fn back_off(holder: &Element) -> Option<Duration> {
    let values = holder.find("MessageXml")?;
    let named = |value: &&Element| value.attribute("Name") == "BackOffMilliseconds";
    values.all("Value").find(named)?.text().parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
