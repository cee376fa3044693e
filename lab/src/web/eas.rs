//! ActiveSync: OPTIONS, and commands of devices that the lab counts (MS-ASHTTP §2.2.1, §2.2.3).
//! The headers of OPTIONS and the 401 are worded as SOGo's ActiveSync was recorded to word them;
//! an Exchange names itself, its versions are 16.1. What it demands and refuses is documented.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::logon::credentials;
use super::owa::form_field;
use super::{Asked, Page, text};
use crate::House;
use crate::fault::{Demand, Fault};

mod commands;
mod devices;
mod wire;

pub(crate) use devices::Partnerships;

use commands::{Manner, Sent};
use devices::Device;

const HEADERS: [(&str, &str); 6] = [
    ("ms-server-activesync", "15.2"),
    ("ms-asprotocolversions", "2.5,12.0,12.1,14.0,14.1,16.0,16.1"),
    (
        "ms-asprotocolcommands",
        "Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,CreateCollection,\
         DeleteCollection,MoveCollection,FolderSync,FolderCreate,FolderDelete,FolderUpdate,\
         MoveItems,GetItemEstimate,MeetingResponse,Search,Settings,Ping,ItemOperations,Provision,\
         ResolveRecipients,ValidateCert",
    ),
    ("public", "OPTIONS,POST"),
    ("allow", "OPTIONS,POST"),
    ("cache-control", "private"),
];
/// The versions that commands are taken in.
const SPOKEN: [&str; 5] = ["12.1", "14.0", "14.1", "16.0", "16.1"];

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let refuse = fault == Some(&Fault::RejectLogons);
    let logon = credentials(asked);
    let known = logon
        .as_ref()
        .is_some_and(|(name, password)| house.accounts.log_on(name, password, refuse));
    let Some((mailbox, _)) = logon.filter(|_| known) else {
        let mut page = text(StatusCode::UNAUTHORIZED, "Unauthorized");
        let realm = HeaderValue::from_static("Basic realm=\"lab\"");
        page.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        return page;
    };
    match fault {
        Some(Fault::Elsewhere(to)) if !to.contains(asked.host()) => {
            return with(text(status(451), ""), "x-ms-location", to);
        }
        Some(Fault::Throttle { retry_after, by_device }) => {
            let page = with(text(status(503), "busy"), "retry-after", retry_after);
            return if *by_device { with(page, "x-ms-asthrottle", "RecentCommands") } else { page };
        }
        _ => {}
    }
    match asked.method {
        Method::OPTIONS => HEADERS
            .into_iter()
            .fold(text(StatusCode::OK, ""), |page, (name, value)| with(page, name, value)),
        Method::POST => command(asked, house, &mailbox, fault),
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "OPTIONS and POST"),
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn with(mut page: Page, name: &'static str, value: &str) -> Page {
    if let Ok(value) = HeaderValue::from_str(value) {
        page.headers_mut().insert(HeaderName::from_static(name), value);
    }
    page
}

/// The page and the token of a command's root.
fn root_of(command: &str) -> Option<(u8, u8)> {
    Some(match command {
        "Sync" => (0, 0x05),
        "FolderSync" => (7, 0x16),
        "GetItemEstimate" => (6, 0x05),
        "Provision" => (14, 0x05),
        "Settings" => (18, 0x05),
        _ => return None,
    })
}

fn command(asked: &Asked, house: &House, mailbox: &str, fault: Option<&Fault>) -> Page {
    let bad = |why: &str| text(StatusCode::BAD_REQUEST, why);
    let query = asked.uri.query().unwrap_or_default().as_bytes();
    let field = |name: &str| form_field(query, name).unwrap_or_default();
    let (name, id) = (field("Cmd"), field("DeviceId"));
    // MS-ASHTTP §2.2.1.1.1.2
    let is_id = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_id || field("DeviceType").is_empty() || field("User").is_empty() {
        return bad("Cmd, User, DeviceId and DeviceType are needed");
    }
    let header = |name: &'static str| asked.header(HeaderName::from_static(name));
    if !header("ms-asprotocolversion").is_some_and(|version| SPOKEN.contains(&version)) {
        return bad("MS-ASProtocolVersion is needed");
    }
    if header("content-type") != Some("application/vnd.ms-sync.wbxml") {
        return bad("the Content-Type is not that of WBXML");
    }
    let Some(root) = root_of(&name) else {
        return text(StatusCode::NOT_IMPLEMENTED, "the lab has no such command");
    };
    let Some(met) = wire::read(&asked.body) else { return bad("the body is no WBXML") };
    if met.first().map(|met| (met.page, met.token)) != Some(root) {
        return bad("the body is for another command");
    }
    let key = header("x-ms-policykey").and_then(|key| key.parse().ok());
    let limit = match fault {
        Some(Fault::DeviceLimit(limit)) => *limit,
        _ => usize::MAX,
    };
    let sent = Sent(met);
    let done = house.partnerships.with(mailbox, &id, limit, |device, next| {
        if let Some(refused) = demand(&name, root, key, device, fault) {
            return refused;
        }
        match name.as_str() {
            "Provision" => {
                let manner = manner(fault);
                wbxml(StatusCode::OK, commands::provision(&sent, device, manner, next))
            }
            "Settings" => wbxml(StatusCode::OK, commands::settings(&sent, device)),
            "FolderSync" => wbxml(StatusCode::OK, commands::folder_sync(&sent, device, next)),
            "GetItemEstimate" => wbxml(StatusCode::OK, commands::estimate(&sent, device)),
            _ => {
                let answer = commands::sync(&sent, device, next);
                wbxml(StatusCode::OK, answer.unwrap_or_default())
            }
        }
    });
    done.unwrap_or_else(|| wbxml(StatusCode::OK, commands::status_alone(root, root.0, 177)))
}

/// What the lab demands before it carries a command out; `None` where nothing stands against it.
fn demand(
    name: &str,
    root: (u8, u8),
    key: Option<u32>,
    device: &Device,
    fault: Option<&Fault>,
) -> Option<Page> {
    if let Some(Fault::CommandStatus { command, status }) = fault
        && *command == name
    {
        return Some(wbxml(StatusCode::OK, commands::status_alone(root, root.0, *status)));
    }
    if matches!(name, "Provision" | "Settings") {
        return None;
    }
    let has_key = key.is_some() && key == device.policy_key;
    match fault {
        Some(Fault::Wipe) => Some(wbxml(StatusCode::OK, commands::status_alone(root, root.0, 140))),
        Some(Fault::PolicyLoop) => Some(text(status(449), "provision")),
        Some(Fault::WrongPolicyKey) if !has_key => Some(text(status(449), "provision")),
        Some(Fault::Policy(demand)) if !has_key => Some(match demand {
            Demand::Http => text(status(449), "provision"),
            Demand::Status { status: code, page, http } => {
                wbxml(status(*http), commands::status_alone(root, *page, *code))
            }
        }),
        Some(Fault::WantsInformation) if !device.has_said_what_it_is => {
            Some(wbxml(StatusCode::OK, commands::status_alone(root, root.0, 165)))
        }
        _ => None,
    }
}

fn manner(fault: Option<&Fault>) -> Manner {
    let is = |wanted: &Fault| fault == Some(wanted);
    Manner {
        refuses_first_key: is(&Fault::WrongPolicyKey),
        wants_information: is(&Fault::WantsInformation),
        wipes: is(&Fault::Wipe),
        has_policy: is(&Fault::WrongPolicyKey)
            || is(&Fault::PolicyLoop)
            || matches!(fault, Some(Fault::Policy(_))),
    }
}

fn wbxml(status: StatusCode, body: Vec<u8>) -> Page {
    let mut page = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *page.status_mut() = status;
    with(page, "content-type", "application/vnd.ms-sync.wbxml")
}
