//! `graph`: the inbox of a mailbox through Microsoft Graph ("Get mailFolder"), for services that
//! moved to Exchange Online, where passwords are not taken any more.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::door::{Door, Told, judge_status};
use super::sign_in::Logon;
use super::web::web_address;
use super::{Account, BuildError, Context, Observe, Seen};
use crate::net::http::{Answer, Ask};
use crate::net::{Fault, Net, Trace};

/// The version that is asked for where the URL has none.
const VERSION: &str = "v1.0";
/// The longest error code that is kept, in bytes.
const MAX_CODE_BYTES: usize = 80;

struct Graph {
    door: Door,
    url: Url,
    host: String,
    mailbox: Option<String>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let mut url = web_address(probe)?;
    url.set_query(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let is_versioned = path.ends_with("/v1.0") || path.ends_with("/beta");
    url.set_path(&if is_versioned { path } else { format!("{path}/{VERSION}") });
    Ok(Box::new(Graph {
        door: Door::new(net, &probe.credentials, "folder"),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
        mailbox: probe.settings.text("mailbox").map(str::to_owned),
    }))
}

impl Observe for Graph {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let ask = |account: Option<&Account>| self.ask(account);
            let seen = self.door.enter(cx, ask, judge, &mut trace).await;
            seen.unwrap_or_else(|fault| Seen::fault(&fault)).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

impl Graph {
    fn ask(&self, account: Option<&Account>) -> Result<Ask, Fault> {
        // a token of the client itself stands for no mailbox, so it has to be named
        let of_client = account.filter(|account| account.is_of_client());
        let username = of_client.map(|account| account.username.as_str());
        let mailbox = self.mailbox.as_deref().or(username);
        let mut url = self.url.clone();
        let folder = ["mailFolders", "inbox"];
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| Fault::new(Reason::ProbeFault, "the URL can hold no path"))?;
            match mailbox {
                Some(mailbox) => path.extend(["users", mailbox]).extend(folder),
                None => path.push("me").extend(folder),
            };
        }
        let mut ask = Ask::get(url);
        ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(ask)
    }
}

fn judge(answer: &Answer, trace: &mut Trace) -> Told {
    let is_json = answer.header(CONTENT_TYPE.as_str()).to_ascii_lowercase().contains("json");
    let json = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
    let json = json.filter(|json| json.is_object());
    if answer.status == 200 {
        let id = json.as_ref().and_then(|json| json.get("id")?.as_str());
        if id.is_none_or(str::is_empty) {
            return Logon::Ended(Seen::down(Reason::WrongContent)).into();
        }
        let total = json.as_ref().and_then(|json| json.get("totalItemCount")?.as_u64());
        if let Some(total) = total {
            trace.fact("messages", total.to_string());
        }
        trace.fact("depth", "to the inbox");
        return Logon::Accepted.into();
    }
    let code = json.as_ref().and_then(|json| json.get("error")?.get("code")?.as_str());
    let is_word = |code: &&str| {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        !code.is_empty() && code.len() <= MAX_CODE_BYTES && code.bytes().all(is_word)
    };
    let code = code.filter(is_word);
    if let Some(code) = code {
        trace.fact("graph_code", code);
    }
    match (answer.status.as_u16(), code) {
        // Graph itself answered, so it is the mailbox or the user that is not there
        (404, Some(_)) if is_json || code.is_some() => {
            Logon::AcceptedBut(Seen::unknown(Reason::AccountDisabled)).into()
        }
        // "Throttling guidance" and "Errors": a mailbox on its way to another server
        (409 | 423, Some(_)) => Logon::AcceptedBut(Seen::unknown(Reason::InUse)).into(),
        (504, _) => Logon::Ended(Seen::down(Reason::ServiceUnavailable)).into(),
        _ => judge_status(answer, trace).into(),
    }
}

#[cfg(test)]
mod tests;
