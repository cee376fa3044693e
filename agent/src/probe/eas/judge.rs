//! What an ActiveSync server's no means: HTTP statuses (MS-ASHTTP section 2.2.2.1.1) and the
//! statuses of commands (MS-ASCMD section 2.2.2; MS-ASPROV section 3.1.5.2). What is done about
//! those that a device can do something about is left to `session`.

use mailward_evidence::Reason;

use super::session::Stop;
use crate::net::Trace;
use crate::net::http::Answer;
use crate::probe::Seen;
use crate::probe::web::status_reason;
use crate::wbxml::Element;

/// How far below the root a status is looked for that speaks for the whole command.
const STATUS_LEVELS: usize = 3;

/// The header line of a server that answers 503 because of what this device did; Microsoft,
/// "Optimizing Exchange ActiveSync clients for Exchange Online".
const THROTTLED: &str = "x-ms-asthrottle";

/// What an HTTP status means that is neither 200 nor one a device acts on.
pub(super) fn status(answer: &Answer, trace: &mut Trace) -> Seen {
    let throttled = answer.header(THROTTLED);
    if !throttled.is_empty() {
        trace.fact("throttled", throttled);
    }
    match answer.status.as_u16() {
        200 => Seen::down(Reason::WrongContent),
        // the user may not use ActiveSync, or (12.1) this device may not
        403 | 456 => Seen::unknown(Reason::AccountDisabled),
        404 | 501 => Seen::down(Reason::NotOffered),
        429 => Seen::unknown(Reason::TooOften),
        449 => Seen::down(Reason::ProvisionFailed),
        457 => Seen::unknown(Reason::CredentialExpired),
        503 if !throttled.is_empty() => Seen::unknown(Reason::TooOften),
        507 => Seen::unknown(Reason::MailboxFull),
        _ => Seen::down(status_reason(answer.status)),
    }
}

/// The number of an element that is called `Status`, wherever its page: servers send one of the
/// page of another command.
pub(super) fn own_status(element: &Element) -> Option<u16> {
    let status = element.children().find(|child| child.tag.is_status())?;
    status.value()?.parse().ok()
}

/// The first status above 100 near the root: those mean the same in every command.
pub(super) fn common_status(root: &Element) -> Option<u16> {
    fn search(element: &Element, levels: usize) -> Option<u16> {
        own_status(element).filter(|status| *status > 100).or_else(|| {
            let below = levels.checked_sub(1)?;
            element.children().find_map(|child| search(child, below))
        })
    }
    search(root, STATUS_LEVELS)
}

/// What a status of a command means for the device.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It went well.
    Fine,
    /// The device has to acknowledge a policy first.
    Provision,
    /// The device has to say what it is first.
    Inform,
    /// The keys that the device has are good for nothing: begin anew, and if that does not help,
    /// this is what it means.
    Stale(Seen),
    /// The folders are others than the device knows.
    FoldersChanged(Seen),
    /// Neither.
    Ended(Seen),
}

/// MS-ASCMD section 2.2.2: statuses above 100, the same in every command.
pub(super) fn common(status: u16) -> Said {
    let down = |reason| Said::Ended(Seen::down(reason));
    let unknown = |reason| Said::Ended(Seen::unknown(reason));
    match status {
        // what the check sent cannot be read
        101..=109 => unknown(Reason::ProbeFault),
        111 | 114 => down(Reason::ServiceUnavailable),
        113 | 115 => unknown(Reason::MailboxFull),
        123..=128 | 130 | 131 => unknown(Reason::AccountDisabled),
        129 | 139 | 145 => unknown(Reason::DeviceBlocked),
        132 | 134..=136 => Said::Stale(Seen::down(Reason::ServerError)),
        133 => unknown(Reason::InUse),
        137 | 138 => down(Reason::NotOffered),
        140 => unknown(Reason::WipeRequested),
        141..=144 => Said::Provision,
        165 => Said::Inform,
        177 => unknown(Reason::DeviceLimit),
        // 110 and 112 among them, and what later versions of the protocol may bring
        _ => down(Reason::ServerError),
    }
}

/// MS-ASCMD, Status (FolderSync).
pub(super) fn folder_sync(status: u16) -> Said {
    match status {
        1 => Said::Fine,
        7 => Said::Ended(Seen::unknown(Reason::AccountDisabled)),
        9 => Said::Stale(Seen::down(Reason::ServerError)),
        10 => Said::Ended(Seen::unknown(Reason::ProbeFault)),
        101.. => common(status),
        // 6, 11 and 12 among them
        _ => Said::Ended(Seen::down(Reason::ServerError)),
    }
}

/// MS-ASCMD, Status (Sync).
pub(super) fn sync(status: u16) -> Said {
    match status {
        1 => Said::Fine,
        3 | 13 => Said::Stale(Seen::down(Reason::ServerError)),
        4 | 14 | 15 => Said::Ended(Seen::unknown(Reason::ProbeFault)),
        8 | 12 => Said::FoldersChanged(Seen::down(Reason::ServerError)),
        // "free space in the user's mailbox and try the Sync command again"
        9 => Said::Ended(Seen::unknown(Reason::MailboxFull)),
        101.. => common(status),
        // 5 and 16 among them
        _ => Said::Ended(Seen::down(Reason::ServerError)),
    }
}

/// MS-ASPROV section 3.1.5.2: the status of the whole command.
pub(super) fn provision(status: u16) -> Said {
    match status {
        1 => Said::Fine,
        2 => Said::Ended(Seen::unknown(Reason::ProbeFault)),
        3 => Said::Ended(Seen::down(Reason::ServerError)),
        // asked for a policy, it asks to ask for a policy
        141..=144 => Said::Ended(Seen::down(Reason::ProvisionFailed)),
        101.. => common(status),
        _ => Said::Ended(Seen::down(Reason::ProvisionFailed)),
    }
}

impl Said {
    /// `Ok` where it went well; a device that can do nothing more takes it as it is.
    pub(super) fn settle(self) -> Result<(), Stop> {
        Err(match self {
            Self::Fine => return Ok(()),
            Self::Provision | Self::Inform => Stop::Judged(Seen::down(Reason::ProvisionFailed)),
            Self::Stale(seen) => Stop::Stale(seen),
            Self::FoldersChanged(seen) => Stop::FoldersChanged(seen),
            Self::Ended(seen) => Stop::Judged(seen),
        })
    }
}
