//! Autodiscover as documented: the settings as XML (MS-OXDSCLI §2.2.4, with errors and redirects
//! in answers of status 200), and version 2 as JSON for anybody, as Microsoft's own client for
//! it reads it. Nothing of it was recorded: no such server runs on Linux.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::logon::logon;
use super::token::json;
use super::{Asked, Page, Scheme, redirect, text, typed};
use crate::House;
use crate::fault::Fault;

/// Where the fault [`Fault::Redirect`] answers; other paths serve as always.
const USUAL: &str = "/autodiscover/autodiscover.xml";

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let path = asked.uri.path().to_ascii_lowercase();
    if path.ends_with(".json") {
        return version_2(asked, fault);
    }
    match fault {
        Some(Fault::Redirect(to)) if path == USUAL => return redirect(to),
        // over http the service is only there to send people elsewhere
        _ if asked.scheme == Scheme::Http => return text(StatusCode::NOT_FOUND, "no such page"),
        _ => {}
    }
    if let Err(page) = logon(asked, house, fault) {
        return *page;
    }
    if asked.method != Method::POST {
        return error(600, "Invalid Request");
    }
    let body = String::from_utf8_lossy(&asked.body).into_owned();
    let Some(email) = between(&body, "<EMailAddress>", "</EMailAddress>") else {
        return error(600, "Invalid Request");
    };
    let (usual, moved) = (path == USUAL, |name: &str, to: &str| {
        account(&format!(
            "<AccountType>email</AccountType><Action>{name}</Action><R{0}>{to}</R{0}>",
            &name[1..]
        ))
    });
    match fault {
        Some(Fault::Code(code)) => return error(code.parse().unwrap_or(600), "told to fail"),
        Some(Fault::RedirectUrl(to)) if usual => return moved("redirectUrl", to),
        Some(Fault::RedirectAddress(to)) if email != to => return moved("redirectAddr", to),
        _ => {}
    }
    if !house.accounts.exists(email) {
        return error(500, "The email address can't be found.");
    }
    let base = format!("https://{}", asked.host());
    if body.contains("mobilesync/responseschema") {
        return mobile(email, &base);
    }
    let wants_mapi = asked.headers.get("x-mapihttpcapability").is_some();
    settings(email, &base, wants_mapi)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(inside, _)| inside)
}

const OUTER: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
const OUTLOOK: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
const MOBILE: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";

fn xml(inside: &str) -> Page {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Autodiscover xmlns=\"{OUTER}\">{inside}\
         </Autodiscover>"
    );
    let mut page = typed(StatusCode::OK, "text/xml; charset=utf-8", &document);
    let server = HeaderValue::from_static("LABEX01");
    page.headers_mut().insert(HeaderName::from_static("x-feserver"), server);
    page
}

/// MS-OXDSCLI §2.2.4.1.1.3.
fn error(code: u32, message: &str) -> Page {
    xml(&format!(
        "<Response><Error Time=\"10:00:00.0000000\" Id=\"1054084152\"><ErrorCode>{code}</ErrorCode>\
         <Message>{message}</Message><DebugData /></Error></Response>"
    ))
}

fn account(inside: &str) -> Page {
    xml(&format!("<Response xmlns=\"{OUTLOOK}\"><Account>{inside}</Account></Response>"))
}

fn settings(email: &str, base: &str, wants_mapi: bool) -> Page {
    let mapi = if wants_mapi {
        format!(
            "<Protocol Type=\"mapiHttp\" Version=\"1\"><MailStore>\
             <InternalUrl>{base}/mapi/emsmdb/?MailboxId=lab@inside</InternalUrl>\
             <ExternalUrl>{base}/mapi/emsmdb/?MailboxId=lab@{0}</ExternalUrl></MailStore>\
             <AddressBook><ExternalUrl>{base}/mapi/nspi/?MailboxId=lab@{0}</ExternalUrl>\
             </AddressBook></Protocol>",
            email.rsplit('@').next().unwrap_or_default()
        )
    } else {
        String::new()
    };
    let protocol = |kind: &str, server: &str| {
        format!(
            "<Protocol><Type>{kind}</Type><Server>{server}</Server>\
             <EwsUrl>{base}/EWS/Exchange.asmx</EwsUrl><OABUrl>{base}/OAB/lab/</OABUrl></Protocol>"
        )
    };
    xml(&format!(
        "<Response xmlns=\"{OUTLOOK}\"><User><DisplayName>Probe</DisplayName>\
         <AutoDiscoverSMTPAddress>{email}</AutoDiscoverSMTPAddress></User>\
         <Account><AccountType>email</AccountType><Action>settings</Action>\
         <MicrosoftOnline>False</MicrosoftOnline>{mapi}{}{}</Account></Response>",
        protocol("EXCH", "lab@inside"),
        protocol("EXPR", "mail.example.test")
    ))
}

/// MS-ASCMD §4.2.
fn mobile(email: &str, base: &str) -> Page {
    xml(&format!(
        "<Response xmlns=\"{MOBILE}\"><Culture>en:us</Culture><User><DisplayName>Probe</DisplayName>\
         <EMailAddress>{email}</EMailAddress></User><Action><Settings><Server>\
         <Type>MobileSync</Type><Url>{base}/Microsoft-Server-ActiveSync</Url>\
         <Name>{base}/Microsoft-Server-ActiveSync</Name></Server></Settings></Action></Response>"
    ))
}

fn version_2(asked: &Asked, fault: Option<&Fault>) -> Page {
    let query = asked.uri.query().unwrap_or_default();
    let field = |name: &str| super::owa::form_field(query.as_bytes(), name).unwrap_or_default();
    let protocol = field("Protocol");
    let place = match protocol.to_ascii_lowercase().as_str() {
        "activesync" if fault != Some(&Fault::NoVersion2) => "/Microsoft-Server-ActiveSync",
        "ews" if fault != Some(&Fault::NoVersion2) => "/EWS/Exchange.asmx",
        _ => {
            return json(
                StatusCode::BAD_REQUEST,
                &format!(
                    "{{\"ErrorCode\":\"InvalidProtocol\",\"ErrorMessage\":\"The given protocol \
                     value '{protocol}' is invalid.\"}}"
                ),
            );
        }
    };
    let url = format!("https://{}{place}", asked.host());
    json(StatusCode::OK, &format!("{{\"Protocol\":\"{protocol}\",\"Url\":\"{url}\"}}"))
}
